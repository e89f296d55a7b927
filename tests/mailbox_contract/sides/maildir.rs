//! Folders of Maildirs.

use super::*;
use crate::support::stored::maildir;
use mailferry::store::{Layout, LineEndings, MaildirFolder, Spec, StoreKind};
use std::fs;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// How messages are kept.
pub trait Kind {
    const LAYOUT: Layout;
    const LINE_ENDINGS: LineEndings;
}

pub struct Usual;
pub struct PlusPlus;

impl Kind for Usual {
    const LAYOUT: Layout = Layout::Nested;
    const LINE_ENDINGS: LineEndings = LineEndings::Lf;
}

impl Kind for PlusPlus {
    const LAYOUT: Layout = Layout::MaildirPlusPlus;
    const LINE_ENDINGS: LineEndings = LineEndings::Crlf;
}

/// A tree of folders on this machine.
pub struct Root<K> {
    root: TempDir,
    /// Messages that were put anywhere.
    put: AtomicUsize,
    kind: PhantomData<K>,
}

impl<K: Kind> Root<K> {
    fn spec(&self) -> Spec {
        let path = self.root.path().to_owned();
        Spec { kind: StoreKind::Maildir, path, layout: K::LAYOUT, line_endings: K::LINE_ENDINGS }
    }

    fn path(&self, name: &str) -> PathBuf {
        match K::LAYOUT {
            Layout::MaildirPlusPlus if name == "INBOX" => self.root.path().to_owned(),
            Layout::MaildirPlusPlus => self.root.path().join(format!(".{name}")),
            _ => self.root.path().join(name),
        }
    }
}

impl<K: Kind> Place for Root<K> {
    type Connection = ();
    type Folder<'c> = MaildirFolder;

    fn new() -> Root<K> {
        let place = Root { root: TempDir::new().unwrap(), put: AtomicUsize::new(0), kind: PhantomData };
        for name in ["INBOX", "Archive"] {
            ["tmp", "new", "cur"].iter().for_each(|part| fs::create_dir_all(place.path(name).join(part)).unwrap());
        }
        place
    }

    async fn connect(&self) {}

    async fn open(&self, (): &mut (), name: &str) -> MaildirFolder {
        MaildirFolder::open(&self.spec(), &folder(name)).unwrap()
    }

    fn put(&self, folder: &str, message: &[u8], letters: &str) {
        let n = self.put.fetch_add(1, Ordering::Relaxed);
        let bytes = match K::LINE_ENDINGS {
            LineEndings::Lf => mail::with_lf(message),
            LineEndings::Crlf => self.keeps(message),
        };
        // As programs do: what nobody has seen is new.
        let file = if letters.is_empty() { format!("new/{n:03}.host") } else { format!("cur/{n:03}.host:2,{letters}") };
        fs::write(self.path(folder).join(file), bytes).unwrap();
    }

    fn take_away(&self, folder: &str, n: usize) {
        let all = maildir(&self.path(folder));
        let file = &all[n - 1];
        fs::remove_file(self.path(folder).join(file.place).join(&file.file_name)).unwrap();
    }

    fn holds_now(&self, folder: &str) -> Vec<(Vec<u8>, Marks)> {
        let names = fs::read_to_string(self.path(folder).join("dovecot-keywords")).unwrap_or_default();
        let names: HashMap<char, Keyword> = (names.lines())
            .filter_map(|line| line.split_once(' '))
            .map(|(n, name)| (char::from(b'a' + n.parse::<u8>().unwrap()), Keyword::new(name).unwrap()))
            .collect();
        let one = |stored: crate::support::stored::Stored| {
            let keywords = stored.flags.chars().filter(char::is_ascii_lowercase).map(|c| names[&c].clone()).collect();
            let flags: String = stored.flags.chars().filter(char::is_ascii_uppercase).collect();
            (mail::with_lf(&stored.bytes), Marks { flags: Flags::from_letters(&flags), keywords })
        };
        maildir(&self.path(folder)).into_iter().map(one).collect()
    }

    fn keeps(&self, message: &[u8]) -> Vec<u8> {
        mail::with_lf(message).split_inclusive(|b| *b == b'\n').fold(Vec::new(), |mut all, line| {
            let bare = line.strip_suffix(b"\n").filter(|bare| !bare.ends_with(b"\r"));
            all.extend(bare.unwrap_or(line));
            all.extend(bare.map_or(&b""[..], |_| b"\r\n"));
            all
        })
    }
}
