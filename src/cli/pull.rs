//! `mailferry pull`: which accounts, side by side, one report.

mod account;
mod from_url;

use super::args::{Global, PullArgs};
use super::exit;
use super::report::{self, Summary};
use super::signals::Signals;
use crate::config::{self, Account};
use crate::error::{Error, Kind, Result};
use crate::event::Counts;
use crate::interrupt::Interrupt;
use account::{Task, TaskEnd};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Runs the command and gives its exit code.
pub async fn run(global: &Global, args: &PullArgs) -> Result<u8> {
    let accounts = accounts(global, args)?;
    let state_dir = config::state_dir(global.state_dir.clone())?;
    let names: Vec<String> = accounts.iter().map(|a| a.name.clone()).collect();
    let report = report::choose(global, "pull");
    let interrupt = Interrupt::default();
    let signals = Signals::watch(interrupt.clone());
    report.start(&names);

    let seats = Arc::new(Semaphore::new(global.jobs.into()));
    let mut running = JoinSet::new();
    for (place, account) in accounts.into_iter().enumerate() {
        let task = Task::new(account, &state_dir, global, Arc::clone(&report), interrupt.clone());
        let seats = Arc::clone(&seats);
        running.spawn(async move {
            let _seat = seats.acquire_owned().await;
            let begun = Instant::now();
            let end = task.run(begun).await;
            (place, begun.elapsed().as_secs_f64(), end)
        });
    }
    let mut ends: Vec<Option<(f64, TaskEnd)>> = names.iter().map(|_| None).collect();
    while let Some(joined) = running.join_next().await {
        if let Ok((place, seconds, end)) = joined
            && let Some(slot) = ends.get_mut(place)
        {
            *slot = Some((seconds, end));
        }
    }
    let summaries: Vec<Summary> = (names.into_iter().zip(ends))
        .map(|(account, end)| {
            let (seconds, end) = end.unwrap_or_else(|| {
                let error = Error::new(Kind::LocalIo, "the work broke down", "Run again, and report this.");
                report.problem(&account, &error);
                (0.0, TaskEnd { counts: Counts::default(), exit: error.kind().exit_code() })
            });
            let exit = verdict(&end, global.exit_code, &signals);
            Summary { account, counts: end.counts, seconds, exit }
        })
        .collect();
    let code = exit::worst(summaries.iter().map(|s| s.exit));
    report.finish(&summaries, code);
    Ok(code)
}

/// The account's exit code as the options and signals have it.
fn verdict(end: &TaskEnd, tell_nothing_new: bool, signals: &Signals) -> u8 {
    match (signals.exit_code(), end.exit) {
        (Some(signal), exit::DONE | exit::LEFT_SOME | exit::TRY_LATER) => signal,
        (_, exit::DONE) if tell_nothing_new && end.counts.fetched == 0 => exit::NOTHING_NEW,
        (_, code) => code,
    }
}

fn accounts(global: &Global, args: &PullArgs) -> Result<Vec<Account>> {
    let is_url = |s: &String| s.contains(':');
    match (args.sources.as_slice(), &args.url.to) {
        ([url], Some(to)) if is_url(url) => from_url::account(url, to, &args.url).map(|a| vec![a]),
        (_, Some(_)) => Err(Error::new(
            Kind::Usage,
            "--to goes with one URL",
            "Write `mailferry pull imaps://USER@HOST --to maildir:PATH`; accounts of the configuration have their own store.",
        )),
        (sources, None) if sources.iter().any(is_url) => Err(Error::new(
            Kind::Usage,
            "a URL needs a store to deliver into",
            "Add `--to maildir:PATH` or `--to mbox:PATH`.",
        )),
        (names, None) => config::load(&config::path(global.config.clone())?)?.select(names),
    }
}
