//! The state that a run works with: held alone, or as a copy, and the run written down in it.

use super::report::{self, Summary};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::state::{Home, Ledger, Lock, Run};
use std::future::Future;
use std::panic::resume_unwind;
use std::time::Duration;
use tokio::task::spawn_blocking;

/// Takes the lock of an account or a migration, and opens its ledger; in a dry run a copy of it, without the lock. `None`
/// when told to stop while another run has the lock.
pub async fn hold(
    home: &Home,
    name: &str,
    dry_run: bool,
    wait: Duration,
    interrupt: &Interrupt,
) -> Result<Option<(Option<Lock>, Ledger)>> {
    let Some(lock) = alone(home, name, dry_run, wait, interrupt).await? else { return Ok(None) };
    Ok(Some((lock, open(home, dry_run)?)))
}

fn open(home: &Home, dry_run: bool) -> Result<Ledger> {
    if dry_run { Ledger::open_copy(home) } else { Ledger::open(home) }
}

/// The lock, where one is needed; `None` when told to stop.
async fn alone(
    home: &Home,
    name: &str,
    dry_run: bool,
    wait: Duration,
    interrupt: &Interrupt,
) -> Result<Option<Option<Lock>>> {
    if dry_run {
        return Ok(Some(None));
    }
    Ok(interrupt.unless_raised(Lock::take(&home.lock_file(), name, wait)).await?.map(Some))
}

/// The same as [`hold`]; once there is the lock, and while the ledger is opened, something else is done.
pub async fn hold_while<T>(
    home: &Home,
    name: &str,
    dry_run: bool,
    wait: Duration,
    interrupt: &Interrupt,
    meanwhile: impl Future<Output = T>,
) -> Result<Option<(Option<Lock>, Ledger, T)>> {
    let Some(lock) = alone(home, name, dry_run, wait, interrupt).await? else { return Ok(None) };
    let home = home.clone();
    let opening = spawn_blocking(move || open(&home, dry_run));
    let opened = async { opening.await.unwrap_or_else(|died| resume_unwind(died.into_panic())) };
    let (ledger, done) = tokio::try_join!(opened, async { Ok(meanwhile.await) })?;
    Ok(Some((lock, ledger, done)))
}

/// Writes a run down that began at this second since 1970 UTC.
pub fn record(ledger: &mut Ledger, started: i64, summary: &Summary) -> Result<()> {
    let counts = report::summary_entry(summary).to_string();
    ledger.record(&Run { started, seconds: summary.seconds, exit: summary.exit, counts })
}
