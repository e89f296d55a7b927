//! `mailferry migrate`: from where, where to, and what of it.

mod ends;
mod pass;
mod run;
mod target;
mod wishes;

use super::args::{Global, MigrateArgs};
use super::report::{self, Summary};
use super::signals::Signals;
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::interrupt::Interrupt;
use crate::mail::FolderPattern;
use crate::migrate::{Mapping, Wishes};
use ends::{From, To};
use run::Run;
use std::time::Duration;

/// One migration: its ends, and what is wanted.
struct Migration {
    /// What its state is filed under.
    name: String,
    from: From,
    to: To,
    plan: Plan,
}

/// What is wanted of a migration.
#[derive(Debug, Clone)]
struct Plan {
    folders: Vec<FolderPattern>,
    mapping: Mapping,
    wishes: Wishes,
    /// `None` where nothing is checked; else whether every octet is.
    by_content: Option<bool>,
    delete_source: bool,
    until_idle: bool,
}

/// Runs the command and gives its exit code.
pub async fn run(global: &Global, args: &MigrateArgs) -> Result<u8> {
    let now = jiff::Timestamp::now().as_second();
    let plan = wishes::plan(args, now)?;
    let migration = ends::migration(global, args, plan)?;
    refuse_impossible(&migration)?;
    let state_dir = config::state_dir(global.state_dir.clone())?;
    let report = report::choose(global, "migrate");
    let interrupt = Interrupt::default();
    let signals = Signals::watch(interrupt.clone());
    report.start(std::slice::from_ref(&migration.name));
    let name = migration.name.clone();
    let wait = Duration::from_secs(global.wait);
    let run = Run::new(migration, &state_dir, global.dry_run, wait, report.clone(), interrupt, now);
    let begun = std::time::Instant::now();
    let broken = |e| Error::new(Kind::LocalIo, "the work broke down", "Run again, and report this.").because(e);
    let ended = tokio::spawn(async move { run.run(begun).await }).await.map_err(broken)?;
    let idle = global.exit_code && ended.counts.fetched == 0;
    let exit = super::accounts::verdict(ended.exit, idle, signals.exit_code());
    let summary = Summary { account: name, counts: ended.counts, seconds: begun.elapsed().as_secs_f64(), exit };
    report.finish(&[summary], exit);
    Ok(exit)
}

fn refuse_impossible(migration: &Migration) -> Result<()> {
    let Migration { from, plan, .. } = migration;
    if plan.delete_source && matches!(from, From::Mbox(_)) {
        return Err(Error::new(
            Kind::Usage,
            "--delete-source does not go with an mbox",
            "Leave the option out, and remove the file yourself once you need it no longer.",
        ));
    }
    if plan.wishes.has_period() && from.is_pop3() {
        return Err(Error::new(
            Kind::Usage,
            "--since and --before do not go with POP3, which tells no dates",
            "Leave them out, or name the same mailbox by `imaps://`.",
        ));
    }
    Ok(())
}

/// What a finished migration has to say at the cut-over.
const ADVICE: &str = "source and target agree. Point MX and mail programs to the target, wait until the old MX record has \
                      expired (its TTL), then run this once more for what came meanwhile.";
