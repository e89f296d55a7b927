//! `mailferry sync`: IMAP accounts both ways; POP3 accounts are pulled.

use super::accounts::{self, Tally, Task, Work};
use super::args::{Global, SyncArgs};
use super::options::Named;
use super::pull::Pull;
use crate::config::{self, Protocol};
use crate::error::{Error, Kind, Result};
use crate::event::Counts;
use crate::retrieve::{self, Keep, Policy};
use crate::store::StoreKind;
use crate::sync::{Ended, Job, Stumbles, store_is_gone};

/// Runs the command and gives its exit code.
pub async fn run(global: &Global, args: &SyncArgs) -> Result<u8> {
    let accounts = config::load(&config::path(global.config.clone())?)?.select(&args.accounts)?;
    accounts::run(global, accounts, Sync { allow_delete: args.allow_delete }).await
}

/// The work of `mailferry sync`.
#[derive(Debug, Clone, Copy)]
struct Sync {
    allow_delete: Option<u64>,
}

impl Work for Sync {
    const COMMAND: &'static str = "sync";

    async fn run(&self, task: &Task, job: &retrieve::Job, tally: &mut Tally<'_>) -> Result<()> {
        match (task.account.protocol, task.account.store.kind) {
            (Protocol::Pop3, _) => Pull(Named::Account).run(task, job, tally).await,
            (Protocol::Imap, StoreKind::Maildir) => self.both_ways(task, job, tally).await,
            (Protocol::Imap, StoreKind::Mbox) => Err(needs_maildir(task)),
        }
    }

    fn found_news(counts: &Counts) -> bool {
        counts.changed() > 0
    }
}

impl Sync {
    async fn both_ways(&self, task: &Task, job: &retrieve::Job, tally: &mut Tally<'_>) -> Result<()> {
        if task.lacks_store(job)? {
            return Err(store_is_gone(&task.account.store.path));
        }
        task.may_log_in(job)?;
        let Some(access) = task.access().await? else { return Ok(()) };
        end(task, job, tally, self.job(task, job).run(&access).await)
    }

    fn job(&self, task: &Task, job: &retrieve::Job) -> Job {
        Job { allow_delete: self.allow_delete, ..of(task, job) }
    }
}

/// Reports what came of the work on an account.
pub fn end(task: &Task, job: &retrieve::Job, tally: &mut Tally<'_>, ended: Ended) -> Result<()> {
    tally.count(ended.counts);
    ended.problems.iter().for_each(|e| tally.failed(e));
    if !task.dry_run && task.account.store.path.exists() {
        task.remember_store(job)?;
    }
    Ok(())
}

/// What the engine needs to know of an account.
pub fn of(task: &Task, job: &retrieve::Job) -> Job {
    let config::Sync { folders, subscribed, policy, limit, connections } = task.account.sync.clone();
    let downloads = Policy { keep: Keep::Always, folders: Vec::new(), max_size: None };
    Job {
        carrier: retrieve::Job { policy: downloads, ..job.clone() },
        store: task.account.store.clone(),
        folders,
        subscribed,
        policy,
        limit,
        connections,
        allow_delete: None,
        stumbles: Stumbles::default(),
        dry_run: task.dry_run,
    }
}

/// The store cannot be a side of a sync.
pub fn needs_maildir(task: &Task) -> Error {
    Error::new(
        Kind::Config,
        "the store is an mbox, and two ways need a Maildir",
        format!(
            "Write `kind = \"maildir\"` and another `path` under `[accounts.{0}.store]`, or run: mailferry pull {0}",
            task.account.name
        ),
    )
}
