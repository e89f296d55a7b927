//! What the ledger keeps and tells: folders, messages, runs.

use crate::mail::{Content, Digest, Fingerprint, Key, Marks};

/// A folder's number in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FolderId(pub(super) i64);

/// A source of messages, as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its number.
    pub id: FolderId,
    /// The scope it was last seen in.
    pub scope: String,
    /// The server has given messages new names, and no run has come to the end of recognising them.
    pub in_doubt: bool,
}

/// A message's number in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub i64);

/// How far a message has come. Each step is recorded before the next is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Durable in the store under its place.
    Delivered,
    /// The server was asked to delete it; a lost QUIT may have undone that.
    DeleteSent,
    /// A later listing lacked it.
    Deleted,
}

/// One message of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub id: RowId,
    /// What the server called it when it was last seen.
    pub key: Option<Key>,
    /// Octets as the server listed it.
    pub listed_size: Option<u64>,
    /// Octets with CRLF line ends.
    pub wire_size: u64,
    /// Digest of the content.
    pub digest: Digest,
    /// Fingerprint of the header.
    pub fingerprint: Fingerprint,
    /// How far it has come.
    pub status: Status,
    /// Seconds since 1970 UTC.
    pub first_seen: i64,
    /// Since when listings lack it, in seconds since 1970 UTC.
    pub missing_since: Option<i64>,
}

impl Row {
    /// What it holds, as far as it is known.
    pub fn content(&self) -> Content {
        Content::known(self.wire_size, self.digest, self.fingerprint)
    }

    /// Its digest, were nothing known of it but header and size; see [`Content::inferred_from`].
    pub fn inferred(&self) -> Option<Digest> {
        Content::inferred_from(self.fingerprint, self.wire_size).map(|content| content.digest)
    }

    /// Whether it is a message of the server that is in the store, not one that the store alone has.
    pub fn is_of_source(&self) -> bool {
        let listed = self.key.is_some() || self.listed_size.is_some();
        self.status == Status::Delivered && self.missing_since.is_none() && listed
    }
}

/// What a check of a migration found of a message in the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It stands there.
    Stands {
        /// What the target calls it, as far as that is known; else empty.
        at: String,
        /// It was compared octet by octet.
        compared: bool,
    },
    /// An earlier check found it, and the last one did not.
    Removed,
}

/// A message about to become visible in the store.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// What the server calls it.
    pub key: Option<Key>,
    /// Octets as the server listed it.
    pub listed_size: Option<u64>,
    /// Octets with CRLF line ends.
    pub wire_size: u64,
    /// Digest of the content.
    pub digest: Digest,
    /// Fingerprint of the header.
    pub fingerprint: Fingerprint,
    /// Where it will stand.
    pub place: String,
    /// The marks it is delivered with.
    pub marks: Marks,
}

/// A row recognised under a name that the ledger did not know it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paired {
    /// The row.
    pub row: RowId,
    /// What the server calls it now.
    pub key: Option<Key>,
    /// Octets as the server lists it now.
    pub listed_size: Option<u64>,
}

/// A message that the server would not give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// What the server calls it.
    pub key: Key,
    /// Why, in the server's words or ours.
    pub reason: String,
    /// How often it was tried.
    pub tries: u32,
}

/// What the ledger holds of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderStatus {
    /// The folder.
    pub name: String,
    /// Messages in the store, whether or not the server still has them.
    pub delivered: u64,
    /// Messages that the server was asked to delete, not confirmed yet.
    pub delete_sent: u64,
    /// Open intents: messages on their way into the store when a run ended.
    pub arriving: u64,
    /// A two-way sync of it has come to its end before.
    pub synced: bool,
    /// Messages that both sides have.
    pub paired: u64,
    /// Open intents: messages on their way to the server when a run ended.
    pub sending: u64,
    /// Messages that the server would not give.
    pub quarantined: Vec<Quarantined>,
}

/// One finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Seconds since 1970 UTC.
    pub started: i64,
    /// How long it took.
    pub seconds: f64,
    /// The account's exit code.
    pub exit: u8,
    /// The account's entry of the summary event, as JSON.
    pub counts: String,
}
