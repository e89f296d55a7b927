//! Where a folder lies under the root of a store.
//!
//! What a file name cannot hold, or would mean something else there, is written as `%` and two hex digits; a `%` that
//! would read like one of those is written so too. Hence no two folders share a path.

use super::{Layout, Spec, StoreKind};
use crate::error::{Error, Kind, Result, quoted};
use crate::mail::FolderName;
use std::path::PathBuf;

/// Octets in a file name, on every file system in use.
const NAME_LIMIT: usize = 255;

/// Behind the name of an mbox, the directory of the folders below it (Thunderbird's convention): the name itself is a file.
const CHILDREN: &str = ".sbd";

/// Behind the name of an mbox, its dot-lock.
const DOT_LOCK: &str = ".lock";

impl Spec {
    /// The path of a folder's mailbox.
    pub fn mailbox_path(&self, folder: &FolderName) -> Result<PathBuf> {
        let mut path = self.path.clone();
        let mut push = |name: String, room: usize| {
            if name.len() + room > NAME_LIMIT {
                return Err(too_long(folder));
            }
            path.push(name);
            Ok(())
        };
        match (self.kind, self.layout) {
            (_, Layout::Single) => {}
            (StoreKind::Maildir, Layout::Nested) => {
                for level in folder.levels() {
                    push(encode(level, &[start_of_dotted, start_of_maildir_part]), 0)?;
                }
            }
            (StoreKind::Maildir, Layout::MaildirPlusPlus) if folder.is_inbox() => {}
            (StoreKind::Maildir, Layout::MaildirPlusPlus) => {
                let levels = folder.levels().iter();
                push(levels.map(|level| format!(".{}", encode(level, &[dots]))).collect(), 0)?;
            }
            (StoreKind::Mbox, _) => {
                let names = folder.levels().iter().map(|level| encode(level, &[start_of_dotted, dot_of_suffix]));
                let depth = folder.levels().len();
                for (i, name) in names.enumerate() {
                    if i + 1 < depth {
                        push(name + CHILDREN, 0)?;
                    } else {
                        push(name, DOT_LOCK.len())?;
                    }
                }
            }
        }
        Ok(path)
    }
}

/// Says of the character at an index of a level whether it must not stand there as it is.
type Clash = fn(&str, usize) -> bool;

fn start_of_dotted(level: &str, at: usize) -> bool {
    at == 0 && level.starts_with('.')
}

/// `cur`, `new` and `tmp` below a Maildir are its own.
fn start_of_maildir_part(level: &str, at: usize) -> bool {
    at == 0 && ["cur", "new", "tmp"].iter().any(|part| level.eq_ignore_ascii_case(part))
}

/// In Maildir++ a dot parts the levels.
fn dots(level: &str, at: usize) -> bool {
    level.as_bytes().get(at) == Some(&b'.')
}

fn dot_of_suffix(level: &str, at: usize) -> bool {
    level.get(at..).is_some_and(|rest| [CHILDREN, DOT_LOCK].iter().any(|suffix| rest.eq_ignore_ascii_case(suffix)))
}

fn encode(level: &str, clashes: &[Clash]) -> String {
    let mut name = String::with_capacity(level.len());
    for (at, c) in level.char_indices() {
        let looks_encoded = || {
            let mut after = level.bytes().skip(at + 1);
            c == '%' && (0..2).all(|_| after.next().is_some_and(|b| b.is_ascii_hexdigit()))
        };
        if c == '/' || c.is_ascii_control() || looks_encoded() || clashes.iter().any(|clash| clash(level, at)) {
            let mut utf8 = [0; 4];
            name.extend(c.encode_utf8(&mut utf8).bytes().map(|b| format!("%{b:02X}")));
        } else {
            name.push(c);
        }
    }
    name
}

fn too_long(folder: &FolderName) -> Error {
    let what = format!("the name of folder {} is too long for a local file", quoted(folder.to_string().as_bytes()));
    Error::new(Kind::CannotCreate, what, "Give it a shorter name on the server, or leave it out by `folders`.").folder()
}

#[cfg(test)]
mod tests {
    use super::super::LineEndings;
    use super::*;
    use crate::error::Scope;
    use proptest::prelude::*;
    use std::path::Path;

    const NESTED: (StoreKind, Layout) = (StoreKind::Maildir, Layout::Nested);
    const PLUS_PLUS: (StoreKind, Layout) = (StoreKind::Maildir, Layout::MaildirPlusPlus);
    const MBOX: (StoreKind, Layout) = (StoreKind::Mbox, Layout::Nested);

    fn path((kind, layout): (StoreKind, Layout), levels: &[&str]) -> Result<String> {
        let spec = Spec { kind, path: "/m".into(), layout, line_endings: LineEndings::Lf };
        let folder = FolderName::from_levels(levels.iter().map(|l| (*l).to_owned()).collect()).unwrap();
        Ok(spec.mailbox_path(&folder)?.to_str().unwrap().to_owned())
    }

    #[test]
    fn folders_lie_where_other_programs_look_for_them() {
        for (how, levels, expected) in [
            (NESTED, &["INBOX"][..], "/m/INBOX"),
            (NESTED, &["Lists", "rust"], "/m/Lists/rust"),
            (PLUS_PLUS, &["INBOX"], "/m"),
            (PLUS_PLUS, &["INBOX", "Work"], "/m/.INBOX.Work"),
            (PLUS_PLUS, &["Lists", "rust"], "/m/.Lists.rust"),
            (MBOX, &["INBOX"], "/m/INBOX"),
            (MBOX, &["Lists", "rust"], "/m/Lists.sbd/rust"),
            (NESTED, &["Entwürfe 100%"], "/m/Entwürfe 100%"),
        ] {
            assert_eq!(path(how, levels).unwrap(), expected);
        }
    }

    #[test]
    fn no_name_leaves_the_root_or_clashes() {
        for (how, level, expected) in [
            (NESTED, "..", "/m/%2E."),
            (MBOX, ".", "/m/%2E"),
            (NESTED, "a/../b\n", "/m/a%2F..%2Fb%0A"),
            (NESTED, "cur", "/m/%63ur"),
            (NESTED, "Tmp", "/m/%54mp"),
            (NESTED, "curt", "/m/curt"),
            (PLUS_PLUS, "v1.0", "/m/.v1%2E0"),
            (MBOX, "Lists.sbd", "/m/Lists%2Esbd"),
            (MBOX, "INBOX.LOCK", "/m/INBOX%2ELOCK"),
            (MBOX, "v1.0", "/m/v1.0"),
            (NESTED, "%2F", "/m/%252F"),
            (NESTED, "%2/", "/m/%2%2F"),
        ] {
            assert_eq!(path(how, &[level]).unwrap(), expected);
        }
    }

    #[test]
    fn a_name_that_fits_no_file_is_refused() {
        let long = "x".repeat(252);
        assert!(path(NESTED, &[&long]).is_ok());
        let e = path(MBOX, &[&long]).unwrap_err();
        assert_eq!((e.kind(), e.scope()), (Kind::CannotCreate, Scope::Folder));
        assert!(path(PLUS_PLUS, &[&long, "abcd"]).is_err());
        assert!(path(NESTED, &["a", &"/".repeat(86)]).is_err());
    }

    /// The inverse of [`encode`].
    fn decode(name: &str) -> String {
        let bytes = name.as_bytes();
        let (mut out, mut i) = (Vec::new(), 0);
        while let Some(b) = bytes.get(i) {
            let pair = bytes.get(i + 1..i + 3).filter(|_| *b == b'%').and_then(|p| std::str::from_utf8(p).ok());
            match pair.and_then(|p| u8::from_str_radix(p, 16).ok().filter(|_| !p.starts_with('+'))) {
                Some(byte) => {
                    out.push(byte);
                    i += 3;
                }
                None => {
                    out.push(*b);
                    i += 1;
                }
            }
        }
        String::from_utf8(out).unwrap()
    }

    /// The folder that lies at a path below the root.
    fn folder_at((kind, layout): (StoreKind, Layout), path: &Path) -> Vec<String> {
        let below = path.strip_prefix("/m").unwrap().to_str().unwrap();
        match (kind, layout) {
            (StoreKind::Maildir, Layout::MaildirPlusPlus) if below.is_empty() => vec!["INBOX".to_owned()],
            (StoreKind::Maildir, Layout::MaildirPlusPlus) => {
                below.strip_prefix('.').unwrap().split('.').map(decode).collect()
            }
            (StoreKind::Maildir, _) => below.split('/').map(decode).collect(),
            (StoreKind::Mbox, _) => below.split('/').map(|n| decode(n.strip_suffix(CHILDREN).unwrap_or(n))).collect(),
        }
    }

    #[test]
    fn a_single_mailbox_is_the_path_itself() {
        for kind in [StoreKind::Maildir, StoreKind::Mbox] {
            let spec = Spec { kind, path: "/m".into(), layout: Layout::Single, line_endings: LineEndings::Lf };
            assert_eq!(spec.mailbox_path(&FolderName::parse("Lists/rust").unwrap()).unwrap(), Path::new("/m"));
        }
    }

    proptest! {
        #[test]
        fn every_path_leads_back_to_its_folder(
            levels in proptest::collection::vec(
                "(cur|new|TMP|INBOX|a)?[%.2Ff/a\u{1}\u{7f}é~ ]{0,8}(\\.sbd|\\.lock)?".prop_filter("empty", |l| !l.is_empty()),
                1..4,
            ),
            how in prop::sample::select(vec![NESTED, PLUS_PLUS, MBOX]),
        ) {
            let folder = FolderName::from_levels(levels).unwrap();
            let spec = Spec { kind: how.0, path: "/m".into(), layout: how.1, line_endings: LineEndings::Lf };
            let path = spec.mailbox_path(&folder).unwrap();
            prop_assert_eq!(folder_at(how, &path), folder.levels());
        }
    }
}
