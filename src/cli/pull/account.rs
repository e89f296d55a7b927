//! The pull of one account: log-in, folder after folder.

use crate::cli::accounts::{Tally, Task, Work};
use crate::cli::options::Named;
use crate::config::Protocol;
use crate::error::{Result, Scope};
use crate::event::Counts;
use crate::mail::FolderName;
use crate::pop3;
use crate::retrieve::{Job, Keep, Outcome, Retriever, SourceId};
use crate::store::{Here, Store};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

/// The work of `mailferry pull`, for accounts that were named so.
#[derive(Debug, Clone, Copy)]
pub struct Pull(pub Named);

impl Work for Pull {
    const COMMAND: &'static str = "pull";

    async fn run(&self, task: &Task, job: &Job, tally: &mut Tally<'_>) -> Result<()> {
        if let Some(missing) = task.misses_store(job)? {
            return Err(missing);
        }
        task.may_log_in(job)?;
        let done = match task.account.protocol {
            Protocol::Pop3 => pop3_mailbox(task, job, tally).await,
            Protocol::Imap => imap_folders(task, job, tally).await,
        };
        done.map_err(|e| self.0.remedied(e))
    }

    fn found_news(counts: &Counts) -> bool {
        counts.fetched > 0
    }
}

async fn pop3_mailbox(task: &Task, job: &Job, tally: &mut Tally<'_>) -> Result<()> {
    let path = task.account.store.standing_path(&FolderName::inbox())?;
    let Some(login) = task.interrupt.unless_raised(task.login()).await? else { return Ok(()) };
    let source = pop3::source(&task.account.server, &login.user);
    let connecting = async {
        let session = pop3::open(&task.account.server, &login, task.account.auth);
        let Some(session) = task.interrupt.unless_raised(session).await? else { return Ok(None) };
        if let Some(delay) = session.login_delay() {
            task.pause_after(job, delay)?;
        }
        Ok(Some(session))
    };
    tally.add(deliver(task, job, &source, connecting, path).await?)
}

async fn imap_folders(task: &Task, job: &Job, tally: &mut Tally<'_>) -> Result<()> {
    let Some(access) = task.access().await? else { return Ok(()) };
    let Some(mut session) = task.interrupt.unless_raised(access.open()).await? else { return Ok(()) };
    let Some(folders) = task.interrupt.unless_raised(session.folders(&task.account.pull.folders)).await? else {
        return Ok(());
    };
    let writable = task.account.pull.keep != Keep::Always && !task.dry_run;
    for folder in folders {
        if task.interrupt.is_raised() {
            return Ok(());
        }
        folder.tell_twins("pulled").for_each(|warning| tally.left(&warning));
        let done = async {
            let path = task.account.store.standing_path(&folder.name)?;
            let Some(opened) = task.interrupt.unless_raised(session.open_folder(&folder, writable)).await? else {
                return Ok(Outcome::default());
            };
            let source = opened.source().clone();
            deliver(task, job, &source, async { Ok(Some(opened)) }, path).await
        };
        match done.await {
            Ok(outcome) => tally.add(outcome)?,
            Err(e) if e.scope() == Scope::Folder => tally.failed(&e),
            Err(e) => return Err(e),
        }
    }
    session.logout().await;
    Ok(())
}

/// Opens the store, then the source: trouble with the store is found before the server is bothered.
async fn deliver<R: Retriever>(
    task: &Task,
    job: &Job,
    source: &SourceId,
    connecting: impl Future<Output = Result<Option<R>>>,
    path: PathBuf,
) -> Result<Outcome> {
    match task.account.store.mailbox(path, !task.dry_run)? {
        Here::Maildir(store) => carry(task, job, source, connecting, store).await,
        Here::Mbox(store) => carry(task, job, source, connecting, store).await,
    }
}

async fn carry<R: Retriever, S: Store>(
    task: &Task,
    job: &Job,
    source: &SourceId,
    connecting: impl Future<Output = Result<Option<R>>>,
    store: Option<S>,
) -> Result<Outcome> {
    match store {
        Some(store) if !task.dry_run => {
            task.remember_store(job)?;
            let gate = store.gate(&format!("{}\0{}", source.folder, source.scope));
            let Some(_gate) = task.gate(gate).await? else { return Ok(Outcome::default()) };
            Ok(job.pull(source, connecting, Arc::new(store)).await)
        }
        standing => Ok(job.rehearse(source, connecting, standing).await),
    }
}
