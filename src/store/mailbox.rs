//! Either side of a sync.

use super::Snapshot;
use crate::error::Result;
use crate::mail::{Change, Digest, Fingerprint, FolderName, Key, Keyword, Marks, Original};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::future::Future;
use std::io::Read;

/// One folder, on a server or on this machine. A [`Key`] names a message of it for as long as the folder stands: the UID in
/// decimal, or the unique part of a Maildir file name.
///
/// Between any two calls a mail program may change everything.
pub trait Mailbox: Send {
    /// Which marks it can hold.
    fn holds(&self) -> &Holds;

    /// Every message that is there, with its marks.
    fn snapshot(&mut self) -> impl Future<Output = Result<Snapshot>> + Send;

    /// What tells the messages apart; one that is gone meanwhile or cannot be read is left out.
    fn identify(&mut self, keys: &[Key]) -> impl Future<Output = Result<HashMap<Key, Identity>>> + Send;

    /// What messages are about, for people; one that is gone meanwhile, cannot be read or has no subject is left out.
    fn subjects(&mut self, keys: &[Key]) -> impl Future<Output = Result<HashMap<Key, String>>> + Send;

    /// Changes marks, by what is to be added and removed, never to a whole set: what others change meanwhile stays. Gives
    /// the messages that are no longer there.
    fn edit(&mut self, edits: &[(Key, Change)]) -> impl Future<Output = Result<Vec<Key>>> + Send;

    /// Removes the messages for good. One that is gone already is no error. Gives those that may still be there.
    fn remove(&mut self, keys: &[Key]) -> impl Future<Output = Result<Vec<Key>>> + Send;

    /// Moves messages to another folder of the same side, and gives each one's key there in the same order; `None` where
    /// that is not known, or where the message was gone. Bytes, date and marks stay as they are.
    fn relocate(&mut self, keys: &[Key], to: &FolderName) -> impl Future<Output = Result<Vec<Option<Key>>>> + Send;
}

/// The marks that a mailbox can hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holds {
    /// Flags, and keywords that it holds whatever happens.
    pub marks: Marks,
    /// How many keywords it can take on besides those; `usize::MAX` for any number (`\*` in PERMANENTFLAGS).
    pub room: usize,
    /// Marks that it is known to take and not to keep.
    pub unkept: Marks,
}

impl Holds {
    /// What of `marks` can be written there, given that `taken` further keywords were taken on already: the first ones in
    /// the order of keywords.
    pub fn storable(&self, marks: &Marks, taken: &BTreeSet<Keyword>) -> Marks {
        let mut room = self.room.saturating_sub(taken.len());
        let marks = marks.without(&self.unkept);
        let fits = |k: &&Keyword| {
            self.marks.keywords.contains(*k) || taken.contains(*k) || {
                let fits = room > 0;
                room = room.saturating_sub(1);
                fits
            }
        };
        Marks { flags: marks.flags & self.marks.flags, keywords: marks.keywords.iter().filter(fits).cloned().collect() }
    }
}

/// What tells one message from another without its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Octets with CRLF line ends, as far as known.
    pub size: Option<u64>,
    /// The fingerprint of its header.
    pub fingerprint: Fingerprint,
    /// The digest of its content, where that was read.
    pub digest: Option<Digest>,
    /// What it was before another program wrote into this copy, where one did.
    pub original: Option<Original>,
}

/// A message on its way from a store to a server.
pub struct Outgoing {
    /// Its key on this machine.
    pub key: Key,
    /// To be set on it; already what the server can hold.
    pub marks: Marks,
    /// INTERNALDATE in seconds since 1970 UTC.
    pub received_at: Option<i64>,
    /// Exactly how many octets [`body`](Self::body) gives.
    pub size: u64,
    /// The message with CRLF line ends.
    pub body: Box<dyn Read + Send>,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("key", &self.key).field("size", &self.size).finish_non_exhaustive()
    }
}
