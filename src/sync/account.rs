//! The sync of one account, from the folders to the last deletion.

use super::{Limit, Policy};
use crate::error::Error;
use crate::event::Counts;
use crate::imap::{Imap, Link};
use crate::mail::FolderPattern;
use crate::retrieve;
use crate::store::Spec;

/// What the sync of an account works with.
#[derive(Clone)]
pub struct Job {
    /// Account, ledger, observer, interrupt and time; its policy is the one for downloads: everything is kept.
    pub carrier: retrieve::Job,
    /// The store on this machine, a Maildir.
    pub store: Spec,
    /// Which folders; `@sent` and the like stand for what the server says of its folders.
    pub folders: Vec<FolderPattern>,
    /// What travels, and where to.
    pub policy: Policy,
    /// How many deletions pass without a question.
    pub limit: Limit,
    /// Whatever the limit says, so many deletions are meant.
    pub allow_delete: Option<u64>,
    /// Nothing is changed, only told; the ledger is a copy then.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Ended {
    /// What was done.
    pub counts: Counts,
    /// What ended the work on folders, or on the account, early.
    pub problems: Vec<Error>,
}

impl Job {
    /// Syncs all folders.
    pub async fn run<S: Link>(&self, _imap: &mut Imap<S>) -> Ended {
        todo!()
    }
}
