//! Where mail is kept on this machine: Maildir and mbox, written in durable batches; and what either side of a sync is.
//!
//! A message passes three stations. A *draft* takes its bytes. A *staged* message is whole but invisible. A batch of
//! staged messages is *prepared* (durable, still invisible, each with the place where it will stand) and then
//! *published*. The ledger writes the places down between the two, so that after a crash
//! [`settle`](Store::settle) can tell which of them arrived.

mod directory;
mod here;
mod layout;
mod lock;
mod mailbox;
mod maildir;
mod marker;
mod mbox;
mod snapshot;
mod spec;
mod tree;

pub use directory::unnamed_file;
pub use here::Here;
pub use mailbox::{Holds, Identity, Mailbox, Outgoing};
#[cfg(any(test, fuzzing))]
pub use maildir::fuzz::names as fuzz_maildir;
pub use maildir::{FolderTimes, Maildir, MaildirFolder};
pub use marker::{Marker, Standing};
#[cfg(any(test, fuzzing))]
pub use mbox::fuzz::file as fuzz_mbox;
pub use mbox::{Mbox, MboxFile, MboxRecord};
pub use snapshot::{Messages, Seen, Snapshot};
pub use spec::{Layout, LineEndings, Spec, StoreKind};
pub use tree::{Removal, Tree};

use crate::error::Result;
use crate::mail::{Content, Digest, Envelope, Marks};
use std::collections::HashSet;
use std::path::PathBuf;

/// Where in its store a message stands: a Maildir file name (`cur/…`, `new/…`), or offset and length in an mbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place(pub String);

/// A store at a path, as far as the file system tells it from what stood or will stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identification {
    /// Its path.
    pub path: PathBuf,
    /// Inode and time of birth, in words.
    pub born: String,
}

/// A message of a batch that a store did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its place in the batch.
    pub at: usize,
    /// Why.
    pub reason: String,
}

/// A mailbox to deliver into: on this machine, or a folder of a server. All calls block; the pipeline makes them on threads of its own.
pub trait Store: Send + Sync + 'static {
    /// A message being written.
    type Draft: Draft;
    /// Messages that are durable but not visible yet.
    type Prepared: Prepared;

    /// Starts a message.
    fn draft(&self, envelope: &Envelope) -> Result<Self::Draft>;

    /// Makes a batch durable, in order, none of it visible yet. Dropping the result forgets the batch.
    fn prepare(&self, batch: Vec<<Self::Draft as Draft>::Staged>) -> Result<Self::Prepared>;

    /// Makes the batch visible; returns when that is durable. Gives those that the store does not take: they leave no trace,
    /// and the others stand. After an error some may be visible: settle tells.
    fn publish(&self, prepared: Self::Prepared) -> Result<Vec<Refusal>>;

    /// What became of messages that were to be published when a run ended early: `true` for each that stands in the
    /// store now, finishing its delivery where that is possible; `false` leaves no trace of it. `delivered` are the
    /// messages of equal header or content that arrived before: what stands for one of these stands for no other.
    fn settle(&self, arriving: &[(Place, Digest)], delivered: &[(Place, Digest)]) -> Result<Vec<bool>>;

    /// Every message in the store, for when the state is lost. Reads all of it, unless the digest of a message can be
    /// [inferred](Content::inferred).
    fn scan(&self) -> Result<Vec<Content>>;

    /// How many batches may be prepared and published at once, each on a thread of its own, where so many messages are to come.
    fn lanes(&self, messages: usize) -> usize {
        let _ = messages;
        1
    }

    /// What messages really hold whose digests a [scan](Self::scan) inferred, each behind that digest.
    fn behind(&self, _inferred: &HashSet<Digest>) -> Result<Vec<(Digest, Content)>> {
        Ok(Vec::new())
    }

    /// What tells this store from another one that stands at its path later; `None` where none ever does.
    fn identity(&self) -> Result<Option<Identification>> {
        Ok(None)
    }

    /// Whether any of these messages, each with the place it was put in, where that is known, stands in the store.
    fn holds_any(&self, known: &[(Option<Place>, Digest)]) -> Result<bool> {
        let digests: HashSet<&Digest> = known.iter().map(|(_, digest)| digest).collect();
        let of_original = |c: &Content| c.original.and_then(|o| o.digest);
        let stands = |c: &Content| digests.contains(&c.digest) || of_original(c).is_some_and(|d| digests.contains(&d));
        Ok(self.scan()?.iter().any(stands))
    }

    /// The file by which runs that bring mail from a source into this store exclude each other; `None` where none can stand.
    fn gate(&self, source: &str) -> Option<PathBuf> {
        let _ = source;
        None
    }

    /// What is put here stays whatever becomes of the power of this machine, and is found again: that it was delivered need not
    /// be on the disk at once.
    fn is_elsewhere(&self) -> bool {
        false
    }

    /// Octets of messages that are worth a batch, behind so many others of this delivery.
    fn batch_octets(&self, before: usize) -> u64 {
        let _ = before;
        16 << 20
    }
}

/// A message being written; dropped unfinished, it leaves no trace.
pub trait Draft: Send {
    /// The whole message, invisible; dropped, it leaves no trace.
    type Staged: Send;

    /// The next bytes, as on the wire.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;

    /// The message is whole.
    fn finish(self) -> Result<(Self::Staged, Content)>;
}

/// A durable batch, ready to be published.
pub trait Prepared: Send {
    /// Where each message will stand, in the order of the batch.
    fn places(&self) -> &[Place];

    /// What of its marks is written on each message: what the store can hold.
    fn marks(&self) -> &[Marks];
}
