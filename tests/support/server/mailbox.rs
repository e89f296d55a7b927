//! The mail of a scripted server: folders and messages in memory, shared by all connections of both protocols.

use std::collections::BTreeSet;
use std::sync::Arc;

/// All folders of the one user, and what the server says about them.
#[derive(Debug, Clone)]
pub struct Mailbox {
    pub folders: Vec<Folder>,
    pub separator: char,
    /// The UIDLs that POP3 tells.
    pub uidls: Uidls,
    /// The sizes that LIST, STAT and RFC822.SIZE tell.
    pub sizes: Sizes,
    /// Whether keywords that were stored are there afterwards.
    pub keeps_keywords: bool,
}

/// One folder.
#[derive(Debug, Clone)]
pub struct Folder {
    /// In UTF-8, with the separator of the mailbox; on the wire it is modified UTF-7.
    pub name: String,
    pub uidvalidity: u32,
    pub uidnext: u32,
    /// LIST attributes, such as `\Noselect` or `\Sent`.
    pub attributes: Vec<String>,
    /// In the order of UIDs.
    pub messages: Vec<Message>,
}

/// One message.
#[derive(Debug, Clone)]
pub struct Message {
    /// From 1 in the order of arrival; never given twice in a folder unless a test does so.
    pub uid: u32,
    /// As on the wire, so with CRLF where lines end.
    pub bytes: Arc<[u8]>,
    /// As IMAP spells them.
    pub flags: BTreeSet<String>,
    /// INTERNALDATE without its quotes.
    pub date: String,
}

/// How UIDLs are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uidls {
    /// One for each message, for ever.
    Sound,
    /// The listed messages share one; the others are sound.
    Shared(Vec<u32>),
    /// The listed messages have none: no line in the listing, `-ERR` when asked for.
    MissingFor(Vec<u32>),
    /// 80 characters, ten more than RFC 1939 allows, distinct only in the last ones.
    Long,
    /// Bytes above 127, no UTF-8.
    EightBit,
    /// All different from every other generation.
    Generation(u32),
    /// The place in the mailbox, so that a deletion hands old names to other messages.
    Position,
}

/// How sizes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sizes {
    True,
    Times(u64),
    Constant(u64),
}

impl Default for Mailbox {
    /// An empty INBOX.
    fn default() -> Mailbox {
        let folders = vec![Folder::new("INBOX")];
        Mailbox { folders, separator: '/', uidls: Uidls::Sound, sizes: Sizes::True, keeps_keywords: true }
    }
}

impl Mailbox {
    /// A folder by its name; `INBOX` in any case.
    pub fn folder(&self, name: &str) -> Option<&Folder> {
        self.folders.iter().find(|f| f.is_called(name))
    }

    /// The same to change it; created where missing.
    pub fn folder_mut(&mut self, name: &str) -> &mut Folder {
        let i = self.folders.iter().position(|f| f.is_called(name)).unwrap_or_else(|| {
            self.folders.push(Folder::new(name));
            self.folders.len() - 1
        });
        &mut self.folders[i]
    }

    /// The UIDL of a message at a place (from 1) of INBOX.
    pub(super) fn uidl(&self, uid: u32, place: u32) -> Option<Vec<u8>> {
        let sound = format!("uid-{uid:06}").into_bytes();
        match &self.uidls {
            Uidls::Sound => Some(sound),
            Uidls::Shared(uids) if uids.contains(&uid) => Some(b"shared".to_vec()),
            Uidls::MissingFor(uids) if uids.contains(&uid) => None,
            Uidls::Shared(_) | Uidls::MissingFor(_) => Some(sound),
            Uidls::Long => Some(format!("{uid:~>80}").into_bytes()),
            Uidls::EightBit => Some([b"\xfc\xe4\xff-".as_slice(), &sound].concat()),
            Uidls::Generation(g) => Some(format!("gen{g}-{:06}", uid.wrapping_mul(7919) % 1_000_000).into_bytes()),
            Uidls::Position => Some(place.to_string().into_bytes()),
        }
    }

    pub(super) fn told_size(&self, true_size: usize) -> u64 {
        match self.sizes {
            Sizes::True => true_size as u64,
            Sizes::Times(n) => true_size as u64 * n,
            Sizes::Constant(n) => n,
        }
    }
}

impl Folder {
    pub fn new(name: &str) -> Folder {
        Folder {
            name: name.to_owned(),
            uidvalidity: 1_700_000_000,
            uidnext: 1,
            attributes: Vec::new(),
            messages: Vec::new(),
        }
    }

    /// Adds a message without flags; its date is 2024-03-01 plus its UID in minutes, at UTC+1.
    pub fn add(&mut self, bytes: impl Into<Vec<u8>>) -> &mut Message {
        let uid = self.uidnext;
        self.uidnext += 1;
        let (day, hour, minute) = (1 + uid / 1440 % 31, uid / 60 % 24, uid % 60);
        let date = format!("{day:02}-Mar-2024 {hour:02}:{minute:02}:00 +0100");
        self.messages.push(Message { uid, bytes: bytes.into().into(), flags: BTreeSet::new(), date });
        self.messages.last_mut().expect("one was pushed")
    }

    /// Starts a new life of the folder: another UIDVALIDITY, and UIDs from 1001 on.
    pub fn renumber(&mut self) {
        self.uidvalidity += 1;
        for (uid, m) in (1001..).zip(&mut self.messages) {
            m.uid = uid;
        }
        self.uidnext = 1001 + self.messages.len() as u32;
    }

    /// The bytes of each message, in order.
    pub fn contents(&self) -> Vec<Vec<u8>> {
        self.messages.iter().map(|m| m.bytes.to_vec()).collect()
    }

    pub(super) fn message(&self, uid: u32) -> Option<&Message> {
        self.messages.binary_search_by_key(&uid, |m| m.uid).ok().map(|i| &self.messages[i])
    }

    pub(super) fn message_mut(&mut self, uid: u32) -> Option<&mut Message> {
        self.messages.binary_search_by_key(&uid, |m| m.uid).ok().map(|i| &mut self.messages[i])
    }

    fn is_called(&self, name: &str) -> bool {
        self.name == name || (self.name == "INBOX" && name.eq_ignore_ascii_case("INBOX"))
    }
}

impl Message {
    /// Sets a flag, as IMAP spells it.
    pub fn flag(&mut self, name: &str) -> &mut Message {
        self.flags.insert(name.to_owned());
        self
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|f| f.eq_ignore_ascii_case(name))
    }
}
