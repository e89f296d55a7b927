//! `mailferry migrate`: from where, where to, and what of it.

mod batch;
mod carriage;
mod check;
mod ends;
mod locals;
mod pass;
mod run;
mod table;
mod target;
mod wishes;

use super::args::{Global, MigrateArgs};
use super::report::{self, Summary};
use super::signals::Signals;
use super::{accounts, exit};
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::event::Counts;
use crate::interrupt::Interrupt;
use crate::mail::FolderPattern;
use crate::migrate::{Mapping, Wishes};
use ends::{From, Given, To};
use run::{Around, Ended, Run};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

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
    /// How many connections may be open at each end at once.
    connections: usize,
}

/// Runs the command and gives its exit code.
pub async fn run(global: &Global, args: &MigrateArgs) -> Result<u8> {
    let now = jiff::Timestamp::now().as_second();
    let state_dir = config::state_dir(global.state_dir.clone())?;
    let migrations = match (&args.batch, &args.from, &args.to) {
        (Some(file), ..) => batch::migrations(global, args, file, &state_dir, now)?,
        (None, Some(from), Some(to)) => {
            let given = Given { may_ask: true, ..Given::default() };
            let migration = ends::migration(global, (from, to), given, args, wishes::plan(args, now)?)?;
            refuse_impossible(&migration)?;
            vec![migration]
        }
        _ => return Err(Error::new(Kind::Usage, "an end is missing", "Name FROM and TO, or a table with --batch.")),
    };
    if let Some(folder) = args.report_dir.as_ref().filter(|_| !global.dry_run) {
        let made = std::fs::create_dir_all(folder);
        made.map_err(|e| Error::local_io(format!("cannot create {}", folder.display()), e))?;
    }
    let report = report::choose(global, "migrate");
    let interrupt = Interrupt::default();
    let signals = Signals::watch(interrupt.clone());
    let names: Vec<String> = migrations.iter().map(|m| m.name.clone()).collect();
    report.start(&names);

    let seats = Arc::new(Semaphore::new(global.jobs.into()));
    let mut running = JoinSet::new();
    for (at, migration) in migrations.into_iter().enumerate() {
        let around = Around {
            state_dir: state_dir.clone(),
            report_dir: args.report_dir.clone(),
            dry_run: global.dry_run,
            wait: Duration::from_secs(global.wait),
            report: Arc::clone(&report),
            interrupt: interrupt.clone(),
            now,
        };
        let seats = Arc::clone(&seats);
        running.spawn(async move {
            let _seat = seats.acquire_owned().await;
            let begun = Instant::now();
            let ended = Run::new(migration, around).run(begun).await;
            (at, ended, begun.elapsed().as_secs_f64())
        });
    }
    let mut ends: Vec<Option<(Ended, f64)>> = names.iter().map(|_| None).collect();
    while let Some(joined) = running.join_next().await {
        if let Ok((at, ended, seconds)) = joined
            && let Some(slot) = ends.get_mut(at)
        {
            *slot = Some((ended, seconds));
        }
    }
    let summaries: Vec<Summary> = (names.into_iter().zip(ends))
        .map(|(account, end)| {
            let (ended, seconds) = end.unwrap_or_else(|| {
                let error = Error::new(Kind::LocalIo, "the work broke down", "Run again, and report this.");
                report.problem(&account, &error);
                (Ended { counts: Counts::default(), exit: error.kind().exit_code() }, 0.0)
            });
            let idle = global.exit_code && ended.counts.fetched == 0;
            let exit = accounts::verdict(ended.exit, idle, signals.exit_code());
            Summary { account, counts: ended.counts, seconds, exit }
        })
        .collect();
    let code = exit::worst(summaries.iter().map(|s| s.exit));
    report.finish(&summaries, code);
    Ok(code)
}

fn refuse_impossible(migration: &Migration) -> Result<()> {
    let Migration { from, to, plan, .. } = migration;
    if plan.delete_source && matches!(from, From::Mbox(_)) {
        return Err(Error::new(
            Kind::Usage,
            "--delete-source does not go with an mbox",
            "Leave the option out, and remove the file yourself once you need it no longer.",
        ));
    }
    if plan.delete_source && !plan.wishes.no_flags && from.has_flags() && to.keeps_no_flags() {
        return Err(Error::new(
            Kind::Usage,
            "--delete-source would lose flags and keywords, for an mbox keeps none",
            "Copy into Maildirs, or add --no-flags to do without them.",
        ));
    }
    Ok(())
}

/// What a finished migration has to say at the cut-over.
const ADVICE: &str = "source and target agree. Point MX and mail programs to the target, wait until the old MX record has \
                      expired (its TTL), then run this once more for what came meanwhile.";
