//! One way, server to store: the trait both protocols implement, what to do with each message, and the pipeline.

use crate::error::Result;
use crate::mail::{Envelope, Fingerprint, FolderName};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

mod batch;
mod delivery;
mod doubles;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod glance;
mod pairing;
mod past;
mod policy;
mod pull;
mod reading;
mod renewal;
mod select;
mod sizes;
mod witness;

pub use crate::mail::Key;
pub use delivery::{Delivered, Delivery, Desk};
pub use glance::Glance;
pub use pairing::Pool;
pub use policy::{Keep, Policy};
pub use pull::{Job, Outcome};
pub use reading::Reading;
pub use sizes::Sizes;

/// What the ledger of a source is filed under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceId {
    /// The folder; `INBOX` for POP3.
    pub folder: FolderName,
    /// Within one scope a [`Key`] names one message for ever. Holds protocol, user, host and, for IMAP, UIDVALIDITY;
    /// when it changes, every key is in doubt and messages are recognised by fingerprint.
    pub scope: String,
}

/// What a session calls a message: the message number (POP3) or the UID (IMAP). Worth nothing after the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub u32);

/// One message of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// How to ask for it in this session.
    pub handle: Handle,
    /// Its lasting name; `None` where the server gives none, or gives one name to several messages.
    pub key: Option<Key>,
    /// Octets as the server states them, which may be wrong; `None` where it does not say.
    pub size: Option<u64>,
}

/// All that is there, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The messages.
    pub messages: Vec<Listed>,
    /// What the user should know about this server, in plain words, such as a retention limit.
    pub notes: Vec<String>,
}

/// What a server can do that a plan depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// `fingerprints` costs little: headers come without bodies (POP3 TOP, any IMAP).
    pub headers_apart: bool,
    /// Keys are names the server must not give twice (IMAP UIDs); else a key is trusted only as far as sizes agree.
    pub firm_keys: bool,
}

/// Receives messages one after the other: `begin`, `chunk`…, then `end` or `refused`; or `gone` alone.
///
/// Bytes are as on the wire. An error means that the store cannot go on: stop retrieving and hand it up unchanged.
pub trait Intake: Send {
    /// A message starts.
    fn begin(&mut self, handle: Handle, envelope: Envelope) -> impl Future<Output = Result<()>> + Send;
    /// The next bytes of the message that was begun, of any length.
    fn chunk(&mut self, bytes: &[u8]) -> impl Future<Output = Result<()>> + Send;
    /// The message that was begun is whole.
    fn end(&mut self) -> impl Future<Output = Result<()>> + Send;
    /// The server does not give this message (`-ERR`, `NO`), begun or not; the others go on.
    fn refused(&mut self, handle: Handle, reason: String) -> impl Future<Output = Result<()>> + Send;
    /// This message was listed, and the server tells that it is no longer there; the others go on.
    fn gone(&mut self, handle: Handle) -> impl Future<Output = Result<()>> + Send;
}

/// One connection to one source mailbox, POP3 or IMAP, logged in.
pub trait Retriever: Send {
    /// What the ledger is filed under.
    fn source(&self) -> &SourceId;

    /// What the server can do.
    fn abilities(&self) -> Abilities;

    /// All that is there; no bodies.
    fn list(&mut self) -> impl Future<Output = Result<Listing>> + Send;

    /// What tells whether anything changed, where that costs the server less than a listing.
    fn glance(&mut self) -> impl Future<Output = Result<Option<Glance>>> + Send {
        async { Ok(None) }
    }

    /// The listing that a glance is a part of.
    fn complete(&mut self, glance: Glance) -> impl Future<Output = Result<Listing>> + Send {
        drop(glance);
        self.list()
    }

    /// Fingerprints of the wanted messages, pipelined; a message the server refuses is left out. Never called where
    /// [`Abilities::headers_apart`] is false.
    fn fingerprints(&mut self, wanted: &[Handle])
    -> impl Future<Output = Result<BTreeMap<Handle, Fingerprint>>> + Send;

    /// When the wanted messages arrived, in seconds since 1970 UTC, as far as that can be told without their bodies.
    fn dates(&mut self, wanted: &[Handle]) -> impl Future<Output = Result<BTreeMap<Handle, i64>>> + Send {
        let _ = wanted;
        async { Ok(BTreeMap::new()) }
    }

    /// Streams the wanted messages, pipelined, in the given order as far as the server answers in the order it was asked.
    /// Each is ended, refused or gone exactly once, unless an error ends all. Changes nothing on the server (no `\Seen`).
    fn retrieve(&mut self, wanted: &[Handle], into: &mut impl Intake) -> impl Future<Output = Result<()>> + Send;

    /// Asks for the messages to be deleted; true only after [`finish`](Self::finish) succeeded.
    fn dispose(&mut self, handles: &[Handle]) -> impl Future<Output = Result<()>> + Send;

    /// Carries the deletions out and takes leave. A retriever dropped instead has deleted nothing that a later listing
    /// would not tell.
    fn finish(self) -> impl Future<Output = Result<Finished>> + Send;
}

/// How a session ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finished {
    /// Messages that were to be deleted and may still be there: refused, or only marked.
    pub left: BTreeSet<Handle>,
    /// What the user should know, such as why some were left.
    pub notes: Vec<String>,
}
