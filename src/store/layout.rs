//! Where a folder lies under the root of a store.
//!
//! What a file name cannot hold, or would mean something else there, is written as `%` and two hex digits; a `%` that
//! would read like one of those is written so too. Hence no two folders share a path.
//!
//! Other tools (mbsync, offlineimap, Dovecot) write names on the disk as IMAP does, in modified UTF-7: a name that reads so
//! is the folder that it means there, and one that only looks so is written with `%26` for its `&`.

use super::{Layout, Spec, StoreKind};
use crate::error::{Error, Kind, Result, quoted};
use crate::mail::{FolderName, decode_utf7, encode_utf7};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

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
                    push(write(level, NESTED_CLASHES), 0)?;
                }
            }
            (StoreKind::Maildir, Layout::MaildirPlusPlus) if folder.is_inbox() => {}
            (StoreKind::Maildir, Layout::MaildirPlusPlus) => {
                let levels = folder.levels().iter();
                push(levels.map(|level| format!(".{}", write(level, DOTTED_CLASHES))).collect(), 0)?;
            }
            (StoreKind::Mbox, _) => {
                let names = folder.levels().iter().map(|level| encode(level, MBOX_CLASHES));
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

    /// Whether the path is a folder in which no mailbox stands or ever stood: what is left where a disk is not mounted.
    pub fn is_hollow(&self) -> bool {
        let is_hollow = |name: &OsString| match (self.kind, self.layout) {
            (StoreKind::Maildir, Layout::Single | Layout::MaildirPlusPlus) => name != "cur" && name != "new",
            _ => name == "lost+found",
        };
        let entries = self.path.read_dir();
        entries.is_ok_and(|mut found| found.all(|entry| entry.is_ok_and(|entry| is_hollow(&entry.file_name()))))
    }

    /// The folder whose mailbox lies at a path under the root; `None` where none does. The inverse of
    /// [`mailbox_path`](Spec::mailbox_path), but takes INBOX in any case.
    pub fn folder_at(&self, path: &Path) -> Option<FolderName> {
        let below = path.strip_prefix(&self.path).ok()?;
        let names = || below.components().map(|c| c.as_os_str().to_str()).collect::<Option<Vec<&str>>>();
        let levels: Option<Vec<String>> = match (self.kind, self.layout) {
            (_, Layout::Single) | (StoreKind::Maildir, Layout::MaildirPlusPlus) if below.as_os_str().is_empty() => {
                return Some(FolderName::inbox());
            }
            (_, Layout::Single) => return None,
            (StoreKind::Maildir, Layout::Nested) => {
                names()?.into_iter().map(|name| read(name, NESTED_CLASHES)).collect()
            }
            (StoreKind::Maildir, Layout::MaildirPlusPlus) => {
                let names = below.to_str()?.strip_prefix('.')?.split('.');
                names.map(|name| read(name, DOTTED_CLASHES)).collect()
            }
            (StoreKind::Mbox, _) => {
                let mut names = names()?;
                let last = names.pop()?;
                let level = |name: &str| decode(name).filter(|level| encode(level, MBOX_CLASHES) == name);
                let above = names.into_iter().map(|name| level(name.strip_suffix(CHILDREN)?));
                above.chain([level(last)]).collect()
            }
        };
        let folder = FolderName::from_levels(levels?)?;
        let is_root = self.layout == Layout::MaildirPlusPlus && self.kind == StoreKind::Maildir && folder.is_inbox();
        Some(folder).filter(|_| !is_root)
    }
}

const NESTED_CLASHES: &[Clash] = &[start_of_dotted, start_of_maildir_part];
const DOTTED_CLASHES: &[Clash] = &[dots];
const MBOX_CLASHES: &[Clash] = &[start_of_dotted, dot_of_suffix];

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

/// What a file name in modified UTF-7 says; `None` where it is none, says nothing else than it shows, or what no level holds.
fn of_utf7(name: &str) -> Option<String> {
    let is_plain = |said: &String| !said.chars().any(|c| c == '/' || c.is_control());
    let said = decode_utf7(name).filter(|said| said != name && is_plain(said))?;
    (encode_utf7(&said) == name).then_some(said)
}

/// A level in a file name that does not read like another one in modified UTF-7.
fn write(level: &str, clashes: &[Clash]) -> String {
    let name = encode(level, clashes);
    if of_utf7(&name).is_some() { name.replace('&', "%26") } else { name }
}

/// The level that a file name stands for; `None` where it stands for none.
fn read(name: &str, clashes: &[Clash]) -> Option<String> {
    of_utf7(name).or_else(|| decode(name).filter(|level| write(level, clashes) == name))
}

/// How other tools write a level in a file name of this kind; `None` where that is how it is written in any case.
pub(super) fn in_utf7(level: &str) -> Option<String> {
    let name = encode_utf7(level);
    (of_utf7(&name)? == level).then_some(name)
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

/// The inverse of [`encode`], also of names that it does not make.
fn decode(name: &str) -> Option<String> {
    let mut rest = name.as_bytes();
    let mut level = Vec::with_capacity(rest.len());
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|hex| *first == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        match hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()) {
            Some(byte) => {
                level.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                level.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(level).ok()
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

    fn spec((kind, layout): (StoreKind, Layout)) -> Spec {
        Spec { kind, path: "/m".into(), layout, line_endings: LineEndings::Lf }
    }

    fn path(how: (StoreKind, Layout), levels: &[&str]) -> Result<String> {
        let folder = FolderName::from_levels(levels.iter().map(|l| (*l).to_owned()).collect()).unwrap();
        Ok(spec(how).mailbox_path(&folder)?.to_str().unwrap().to_owned())
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
    fn names_in_modified_utf_7_are_what_they_mean() {
        let found = |how, path: &str| spec(how).folder_at(Path::new(path)).unwrap().to_string();
        for (name, means) in [
            ("&AMQ-rger", "\u{c4}rger"),
            ("A&-B", "A&B"),
            ("50%25&AMQ-", "50%25\u{c4}"),
            ("R&D", "R&D"),
            ("a&AGE-", "a&AGE-"),
            ("&AC8-", "&AC8-"),
            ("%26AMQ-rger", "&AMQ-rger"),
        ] {
            assert_eq!(found(NESTED, &format!("/m/Work/{name}")), format!("Work/{means}"));
            assert_eq!(found(PLUS_PLUS, &format!("/m/.Work.{name}")), format!("Work/{means}"));
        }
        assert_eq!(path(NESTED, &["&AMQ-rger", "R&D"]).unwrap(), "/m/%26AMQ-rger/R&D");
        assert_eq!(path(PLUS_PLUS, &["A&-B"]).unwrap(), "/m/.A%26-B");
        assert_eq!(path(NESTED, &["a\n&AOQ-"]).unwrap(), "/m/a%0A%26AOQ-");
        assert_eq!(in_utf7("\u{c4}rger").as_deref(), Some("&AMQ-rger"));
        assert_eq!((in_utf7("Work"), in_utf7("a\n")), (None, None));
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

    #[test]
    fn what_no_folder_is_called_decodes_to_none() {
        for (how, path) in [
            (NESTED, "/m/.hidden"),
            (NESTED, "/m/a/cur"),
            (NESTED, "/m/TMP"),
            (NESTED, "/m/a%2fb"),
            (NESTED, "/m/%41"),
            (NESTED, "/m/a%FF"),
            (NESTED, "/m/a\nb"),
            (NESTED, "/m"),
            (NESTED, "/elsewhere/a"),
            (PLUS_PLUS, "/m/a"),
            (PLUS_PLUS, "/m/.a."),
            (PLUS_PLUS, "/m/.a..b"),
            (PLUS_PLUS, "/m/.inbox"),
            (MBOX, "/m/a/b"),
            (MBOX, "/m/a.lock"),
        ] {
            assert_eq!(spec(how).folder_at(Path::new(path)), None, "{path}");
        }
        let found = |how, path: &str| spec(how).folder_at(Path::new(path)).unwrap().to_string();
        assert_eq!(found(NESTED, "/m/Inbox/x"), "INBOX/x");
        assert_eq!(found(PLUS_PLUS, "/m/.inbox.x"), "INBOX/x");
    }

    #[test]
    fn a_mount_point_without_its_disk_is_hollow() {
        let root = tempfile::tempdir().unwrap();
        let hollow = |how| Spec { path: root.path().to_owned(), ..spec(how) }.is_hollow();
        std::fs::create_dir(root.path().join("lost+found")).unwrap();
        assert_eq!([NESTED, PLUS_PLUS, MBOX].map(hollow), [true; 3]);
        std::fs::create_dir(root.path().join("INBOX")).unwrap();
        assert_eq!([NESTED, PLUS_PLUS, MBOX].map(hollow), [false, true, false]);
        std::fs::create_dir(root.path().join("cur")).unwrap();
        assert!(!hollow(PLUS_PLUS));
        assert!(!Spec { path: "/nowhere".into(), ..spec(NESTED) }.is_hollow());
    }

    #[test]
    fn a_single_mailbox_is_the_path_itself() {
        for kind in [StoreKind::Maildir, StoreKind::Mbox] {
            assert_eq!(spec((kind, Layout::Single)).folder_at(Path::new("/m")), Some(FolderName::inbox()));
            assert_eq!(
                spec((kind, Layout::Single)).mailbox_path(&FolderName::parse("Lists/rust").unwrap()).unwrap(),
                Path::new("/m")
            );
        }
    }

    proptest! {
        #[test]
        fn every_path_leads_back_to_its_folder(
            levels in proptest::collection::vec(
                "(cur|new|TMP|INBOX|a|&AOQ-)?[%.2Ff/a\u{1}\u{7f}é~& -]{0,8}(\\.sbd|\\.lock)?".prop_filter("empty", |l| !l.is_empty()),
                1..4,
            ),
            how in prop::sample::select(vec![NESTED, PLUS_PLUS, MBOX]),
        ) {
            let folder = FolderName::from_levels(levels).unwrap();
            let spec = spec(how);
            let path = spec.mailbox_path(&folder).unwrap();
            prop_assert_eq!(spec.folder_at(&path), Some(folder));
        }
    }
}
