//! `mailferry adopt`: what both sides have already is recognised and written down.

use super::accounts::{self, Tally, Task, Work};
use super::args::{Global, NamedAccounts};
use super::sync;
use crate::config::{self, Protocol};
use crate::error::{Error, Kind, Result};
use crate::event::Counts;
use crate::retrieve;
use crate::store::StoreKind;

/// Runs the command and gives its exit code.
pub async fn run(global: &Global, args: &NamedAccounts) -> Result<u8> {
    let accounts = config::load(&config::path(global.config.clone())?)?.select(&args.accounts)?;
    accounts::run(global, accounts, Adopt).await
}

/// The work of `mailferry adopt`.
#[derive(Debug, Clone, Copy)]
struct Adopt;

impl Work for Adopt {
    const COMMAND: &'static str = "adopt";

    async fn run(&self, task: &Task, job: &retrieve::Job, tally: &mut Tally<'_>) -> Result<()> {
        match (task.account.protocol, task.account.store.kind) {
            (Protocol::Pop3, _) => {
                return Err(Error::new(
                    Kind::Config,
                    "a POP3 account has nothing to adopt",
                    format!("Run `mailferry pull {}`: what is here already is recognised.", task.account.name),
                ));
            }
            (Protocol::Imap, StoreKind::Mbox) => return Err(sync::needs_maildir(task)),
            (Protocol::Imap, StoreKind::Maildir) => {}
        }
        let store = &task.account.store.path;
        if !store.is_dir() {
            return Err(Error::new(
                Kind::CannotCreate,
                format!("there is no Maildir at {}", store.display()),
                format!("Correct `path` under `[accounts.{}.store]`, or mount its disk.", task.account.name),
            ));
        }
        task.may_log_in(job)?;
        let Some(access) = task.access().await? else { return Ok(()) };
        sync::end(task, job, tally, sync::of(task, job).adopt(&access).await)
    }

    fn found_news(counts: &Counts) -> bool {
        counts.adopted > 0
    }
}
