//! The accounts of a run: worked on side by side, with one report.

mod tally;
mod task;

pub use tally::Tally;
pub use task::{STORE, Task};

use super::args::Global;
use super::exit;
use super::report::{self, Summary};
use super::signals::Signals;
use crate::config::{self, Account};
use crate::error::{Error, Kind, Result};
use crate::event::Counts;
use crate::interrupt::Interrupt;
use crate::retrieve::Job;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;
use task::TaskEnd;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What a command does in each account.
pub trait Work: Clone + Send + Sync + 'static {
    /// The command's name.
    const COMMAND: &'static str;

    /// Does it; the lock is held, and the ledger open. What ends no more than a folder goes to the tally.
    fn run(&self, task: &Task, job: &Job, tally: &mut Tally<'_>) -> impl Future<Output = Result<()>> + Send;

    /// Whether a run that counted this has found something new.
    fn found_news(counts: &Counts) -> bool;
}

/// Does a command's work in the accounts, and gives the exit code.
pub async fn run<W: Work>(global: &Global, accounts: Vec<Account>, work: W) -> Result<u8> {
    let state_dir = config::state_dir(global.state_dir.clone())?;
    let names: Vec<String> = accounts.iter().map(|a| a.name.clone()).collect();
    let report = report::choose(global, W::COMMAND);
    let interrupt = Interrupt::default();
    let signals = Signals::watch(interrupt.clone());
    report.start(&names);

    let seats = Arc::new(Semaphore::new(global.jobs.into()));
    let mut running = JoinSet::new();
    for (place, account) in accounts.into_iter().enumerate() {
        let task = Task::new(account, &state_dir, global, Arc::clone(&report), interrupt.clone());
        let (seats, work) = (Arc::clone(&seats), work.clone());
        running.spawn(async move {
            let _seat = seats.acquire_owned().await;
            let begun = Instant::now();
            let end = task.run(&work, begun).await;
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
            let idle = global.exit_code && !W::found_news(&end.counts);
            let exit = verdict(end.exit, idle, signals.exit_code());
            Summary { account, counts: end.counts, seconds, exit }
        })
        .collect();
    let code = exit::worst(summaries.iter().map(|s| s.exit));
    report.finish(&summaries, code);
    Ok(code)
}

/// The account's exit code as signals and `--exit-code` have it.
pub fn verdict(code: u8, idle: bool, signal: Option<u8>) -> u8 {
    match (signal, code) {
        (Some(signal), exit::DONE | exit::LEFT_SOME | exit::TRY_LATER) => signal,
        (_, exit::DONE) if idle => exit::NOTHING_NEW,
        (_, code) => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_and_the_lack_of_news_speak_only_where_nothing_graver_happened() {
        for (code, idle, signal, expected) in [
            (0, false, None, 0),
            (0, true, None, 1),
            (2, true, None, 2),
            (0, true, Some(130), 130),
            (2, false, Some(143), 143),
            (75, false, Some(130), 130),
            (3, false, Some(130), 3),
            (77, true, Some(130), 77),
        ] {
            assert_eq!(verdict(code, idle, signal), expected, "{code} {idle} {signal:?}");
        }
    }
}
