//! The state that a run works with: held alone, or as a copy, and the run written down in it.

use super::report::{self, Summary};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::state::{Home, Ledger, Lock, Run};
use std::time::Duration;

/// Takes the lock of an account or a migration, and opens its ledger; in a dry run a copy of it, without the lock. `None`
/// when told to stop while another run has the lock.
pub async fn hold(
    home: &Home,
    name: &str,
    dry_run: bool,
    wait: Duration,
    interrupt: &Interrupt,
) -> Result<Option<(Option<Lock>, Ledger)>> {
    if dry_run {
        return Ok(Some((None, Ledger::open_copy(home)?)));
    }
    let path = home.lock_file();
    let Some(lock) = interrupt.unless_raised(Lock::take(&path, name, wait)).await? else { return Ok(None) };
    Ok(Some((Some(lock), Ledger::open(home)?)))
}

/// Writes a run down that began at this second since 1970 UTC.
pub fn record(ledger: &mut Ledger, started: i64, summary: &Summary) -> Result<()> {
    let counts = report::summary_entry(summary).to_string();
    ledger.record(&Run { started, seconds: summary.seconds, exit: summary.exit, counts })
}
