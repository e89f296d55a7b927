//! The sync of one account, from the first connection to the last: rounds, until nothing is left to be planned anew.

use super::look::Kept;
use super::tell::Once;
use super::{Limit, Policy, Stumbles};
use crate::connections::Connections;
use crate::error::{Error, Result, Retry, Scope};
use crate::event::{Counts, Event};
use crate::imap::Access;
use crate::mail::{FolderName, FolderPattern};
use crate::patience::Patience;
use crate::retrieve;
use crate::store::Spec;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the sync of an account works with.
#[derive(Clone)]
pub struct Job {
    /// Account, ledger, observer, interrupt and time; its policy is the one for downloads: everything is kept.
    pub carrier: retrieve::Job,
    /// The store on this machine, a Maildir.
    pub store: Spec,
    /// Which folders; `@sent` and the like stand for what the server says of its folders.
    pub folders: Vec<FolderPattern>,
    /// Of the server's folders, only those that are subscribed to, and the inbox.
    pub subscribed: bool,
    /// What travels, and where to.
    pub policy: Policy,
    /// How many deletions pass without a question.
    pub limit: Limit,
    /// How many connections may be open at once.
    pub connections: usize,
    /// Whatever the limit says, so many deletions are meant.
    pub allow_delete: Option<u64>,
    /// What has broken connections in this run; nothing at first.
    pub stumbles: Stumbles,
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

/// What a round leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing more.
    End,
    /// Some of it has to be planned anew.
    Plan,
    /// While folders were looked at, others changed: it was not carried out.
    Look,
}

/// How often the account is gone through again where some of it has to be planned anew.
const ROUNDS: usize = 3;

/// What is done in a round.
#[derive(Debug, Clone, Copy)]
enum Aim {
    Sync,
    Adopt,
}

impl Job {
    /// Syncs all folders. Where the connection breaks, another is opened, and the account is compared anew: what was done
    /// is not done again.
    pub async fn run(&self, access: &Access) -> Ended {
        self.rounds(access, Aim::Sync).await
    }

    /// Looks at every folder that stands on both sides, and writes down what is recognised. Messages of one side alone
    /// count as skipped: a sync copies them.
    pub async fn adopt(&self, access: &Access) -> Ended {
        self.rounds(access, Aim::Adopt).await
    }

    async fn rounds(&self, access: &Access, aim: Aim) -> Ended {
        let observer = Arc::new(Once::before(Arc::clone(&self.carrier.observer)));
        let job = Job { carrier: retrieve::Job { observer, ..self.carrier.clone() }, ..self.clone() };
        let mut connections = Connections::new(access, &self.carrier.interrupt, self.connections);
        let (mut ended, mut patience, mut again) = (Ended::default(), Patience::default(), 1);
        let mut kept = Kept::default();
        let result = loop {
            let mut this = Ended::default();
            let done = match aim {
                Aim::Sync => job.sync_round(&mut connections, &mut kept, &mut this).await,
                Aim::Adopt => job.adopt_round(&mut connections, &mut kept, &mut this).await.map(|()| Next::End),
            };
            // A round that did not come to look at any folder tells nothing of them.
            if done.is_ok() || this.counts != Counts::default() {
                ended.counts.go_on(this.counts);
            }
            ended.problems = this.problems;
            match done {
                Ok(Next::Look) => {}
                Ok(Next::Plan) if again < ROUNDS => again += 1,
                Ok(Next::Plan | Next::End) => break Ok(()),
                Err(e) if connections.was_open() && job.waits(&e, &mut patience, &ended.counts, kept.ever()).await => {
                    connections.give_up();
                }
                Err(e) => break Err(e),
            }
        };
        let is_broken = matches!(&result, Err(e) if e.scope() == Scope::Account && e.retry() == Retry::Later);
        if !is_broken && !self.carrier.interrupt.is_raised() {
            connections.log_out().await;
        }
        ended.problems.extend(result.err());
        ended
    }

    /// Waits before the next try, if there is to be one.
    async fn waits(&self, e: &Error, patience: &mut Patience, counts: &Counts, seen: u64) -> bool {
        let done = counts.changed() + counts.adopted + seen;
        patience.waits(e, done, &self.carrier.interrupt, |text| self.tell(Event::Setback(text))).await
    }

    /// The folders that were synced before.
    pub(super) fn known(&self) -> Result<BTreeSet<FolderName>> {
        let names = self.carrier.ledger().synced_folders()?;
        Ok(names.iter().filter_map(|name| FolderName::parse(name)).collect())
    }

    /// Tells of a folder, or a file, that is wanted and is left where it is all the same.
    pub(super) fn leave(&self, what: &str, counts: &mut Counts) {
        self.tell(Event::Warning(what));
        counts.left += 1;
    }

    pub(super) fn tell(&self, event: Event<'_>) {
        self.carrier.observer.event(&self.carrier.account, event);
    }
}
