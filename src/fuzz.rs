//! Every reader of bytes that others wrote, for fuzzing: `tests/fuzz/` feeds them for hours, the tests here for a moment.

use crate::mail::{FolderName, FolderPattern, HeaderScan, ToLf, decode_utf7, encode_utf7};
use crate::store::{Layout, LineEndings, Spec, StoreKind};

/// A reader of any bytes. It panics where something is wrong with what it reads, or with what it makes of it.
pub type Target = fn(&[u8]);

/// All of them by name.
pub const TARGETS: [(&str, Target); 9] = [
    ("config", crate::config::fuzz::text),
    ("folder_names", folder_names),
    ("header", header),
    ("imap_responses", crate::imap::fuzz::responses),
    ("imap_session", crate::imap::fuzz::session),
    ("maildir", crate::store::fuzz_maildir),
    ("mbox", crate::store::fuzz_mbox),
    ("pop3_replies", crate::pop3::fuzz::replies),
    ("pop3_session", crate::pop3::fuzz::session),
];

/// Feeds one of them.
pub fn feed(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    assert!(target.is_some(), "no target {name}");
    target.into_iter().for_each(|(_, target)| target(data));
}

/// The header of a message: how it is cut must not matter.
fn header(data: &[u8]) {
    let of = |piece: usize| {
        let mut scan = HeaderScan::default();
        data.chunks(piece.max(1)).for_each(|chunk| scan.update(chunk));
        scan.finish()
    };
    let piece = usize::from(data.first().copied().unwrap_or_default() % 17) + 1;
    assert!(of(data.len()) == of(piece), "cut every {piece} octets");
    let mut to_lf = ToLf::default();
    let mut out = Vec::new();
    data.chunks(piece).for_each(|chunk| to_lf.convert(chunk, &mut out));
    assert!(out.len() <= data.len(), "line ends grow");
}

/// Names of folders, on the wire and as files.
fn folder_names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    assert_eq!(decode_utf7(&encode_utf7(text)).as_deref(), Some(text), "modified UTF-7");
    let _ = (decode_utf7(text), FolderPattern::parse(text));
    let Some(name) = FolderName::parse(text) else { return };
    for (kind, layout) in [
        (StoreKind::Maildir, Layout::Nested),
        (StoreKind::Maildir, Layout::MaildirPlusPlus),
        (StoreKind::Mbox, Layout::Nested),
    ] {
        let store = Spec { kind, path: "/mail".into(), layout, line_endings: LineEndings::Lf };
        let Ok(path) = store.mailbox_path(&name) else { continue };
        assert!(path.starts_with("/mail") && !path.components().any(|c| c.as_os_str() == ".."), "out of the store");
        assert_eq!(store.folder_at(&path).as_ref(), Some(&name), "{}", path.display());
    }
}

#[cfg(test)]
mod tests;
