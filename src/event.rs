//! The facts an engine reports while it works.

use crate::mail::{Change, Key, Side};

/// Receives facts; only `cli` implements one that prints.
pub trait Observer: Send + Sync {
    /// Something happened in the account's work.
    fn event(&self, account: &str, event: Event<'_>);
}

/// A fact.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The folders are known, and how many messages they hold together; none was looked at yet.
    Outset {
        /// How many folders.
        folders: u64,
        /// Messages, as far as the server told.
        messages: u64,
    },
    /// A folder was compared with what is here.
    Folder {
        /// The folder.
        folder: &'a str,
        /// What was found.
        outlook: Outlook,
    },
    /// Something happened to one message, or in a dry run would happen.
    Message {
        /// The folder.
        folder: &'a str,
        /// The server's name for it, where it has one.
        key: Option<&'a Key>,
        /// Octets.
        bytes: Option<u64>,
        /// What happened here.
        action: Action<'a>,
        /// Whether it is deleted, or to be deleted, on the server.
        deleted: bool,
    },
    /// A sync did something to one message on one side, or in a dry run would do it.
    Deed {
        /// The folder.
        folder: &'a str,
        /// Where it is done.
        on: Side,
        /// What is done.
        deed: Deed<'a>,
        /// The message's key: where it is done, or for a copy where it comes from.
        key: &'a Key,
        /// What it is about, where that was looked up: in a dry run.
        subject: Option<&'a str>,
        /// Why.
        reason: &'a str,
        /// It would be done, and is not.
        rehearsal: bool,
    },
    /// A sync did something to a folder on one side, or in a dry run would do it.
    FolderDeed {
        /// The folder.
        folder: &'a str,
        /// Where it is done.
        on: Side,
        /// What is done.
        deed: FolderDeed<'a>,
        /// It would be done, and is not.
        rehearsal: bool,
    },
    /// Messages have become durable.
    Progress {
        /// The folder.
        folder: &'a str,
        /// How many more messages.
        messages: u64,
        /// How many more octets.
        bytes: u64,
    },
    /// Something worth knowing about the server, the same in every run.
    Note(&'a str),
    /// Something the user should know that does not end the work.
    Warning(&'a str),
    /// The work was held up, and goes on by itself.
    Setback(&'a str),
}

/// What is to be expected of a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Messages on the server.
    pub listed: u64,
    /// Of these, here already.
    pub had: u64,
    /// To be fetched.
    pub fetch: u64,
    /// Octets to be fetched, as the server states them.
    pub bytes: u64,
    /// Left alone by policy.
    pub skip: u64,
    /// To be deleted on the server, as far as that is known before the fetch.
    pub delete: u64,
}

/// What happened to a message here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'a> {
    /// It was fetched, and stands at the place.
    Fetched(&'a str),
    /// It would be fetched.
    WouldFetch,
    /// It is here already; said in dry runs, and where it was recognised by its content.
    Had,
    /// It is left alone, for the reason.
    Skipped(&'a str),
    /// It was removed from the server by somebody else before it could be fetched.
    Gone,
    /// The server did not give it, for the reason.
    Refused(&'a str),
}

/// What a sync does to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed<'a> {
    /// It is copied to this side.
    Copy,
    /// Its marks are changed.
    Mark(&'a Change),
    /// It is moved to this folder.
    Move(&'a str),
    /// It is removed.
    Remove,
    /// It is left where it is, on this side alone.
    Skip,
}

/// What a sync does to a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderDeed<'a> {
    /// It is made.
    Create,
    /// It is removed.
    Remove,
    /// It is given this name.
    Rename(&'a str),
}

/// What a run did in one account: the numbers of the summary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages on the server.
    pub listed: u64,
    /// Of these, here before.
    pub had: u64,
    /// Fetched and durable here.
    pub fetched: u64,
    /// Of those had before, the ones recognised in the store or under a new name.
    pub adopted: u64,
    /// Left alone by policy, or gone before they could be fetched.
    pub skipped: u64,
    /// Not fetched, though wanted.
    pub failed: u64,
    /// Folders, and files that are no message of their own, that a sync left where they are, though they are wanted: another
    /// run may do better, or somebody has to mend something first.
    pub left: u64,
    /// Deleted on the server.
    pub deleted_remote: u64,
    /// To be deleted on the server, and perhaps still there, because it refused.
    pub undeleted_remote: u64,
    /// Copied to the server.
    pub uploaded: u64,
    /// Messages whose marks were changed here.
    pub flags_local: u64,
    /// Messages whose marks were changed on the server.
    pub flags_remote: u64,
    /// Removed here.
    pub deleted_local: u64,
    /// Moved to another folder here.
    pub moved_local: u64,
    /// Moved to another folder on the server.
    pub moved_remote: u64,
    /// Folders made, renamed or removed, on either side.
    pub folders: u64,
    /// Octets of the messages fetched.
    pub bytes_in: u64,
    /// Octets of the messages copied to the server.
    pub bytes_out: u64,
}

impl Counts {
    /// How many changes were made, on either side.
    pub fn changed(&self) -> u64 {
        let new = self.fetched + self.uploaded;
        let flags = self.flags_local + self.flags_remote;
        let moved = self.moved_local + self.moved_remote;
        new + flags + moved + self.deleted_local + self.deleted_remote + self.folders
    }

    /// Adds what a further look at the same folders brought. What stays as it is stays as this look found it.
    pub fn go_on(&mut self, more: Counts) {
        // Some of what is left out is told by the first look alone.
        let skipped = self.skipped.max(more.skipped);
        *self = Counts { listed: 0, had: 0, failed: 0, left: 0, undeleted_remote: 0, ..*self };
        *self += more;
        self.skipped = skipped;
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, more: Counts) {
        self.listed += more.listed;
        self.had += more.had;
        self.fetched += more.fetched;
        self.adopted += more.adopted;
        self.skipped += more.skipped;
        self.failed += more.failed;
        self.left += more.left;
        self.deleted_remote += more.deleted_remote;
        self.undeleted_remote += more.undeleted_remote;
        self.uploaded += more.uploaded;
        self.flags_local += more.flags_local;
        self.flags_remote += more.flags_remote;
        self.deleted_local += more.deleted_local;
        self.moved_local += more.moved_local;
        self.moved_remote += more.moved_remote;
        self.folders += more.folders;
        self.bytes_in += more.bytes_in;
        self.bytes_out += more.bytes_out;
    }
}
