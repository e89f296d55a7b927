//! Seals on folders in which a run found nothing to do: as long as one is there, what is known of any message is as it was.

use super::Ledger;
use crate::error::Result;
use rusqlite::Transaction;

/// Facts whose names begin so are seals.
const SEAL: &str = "seal of ";
/// Where their names end.
const BEHIND: &str = "seal of!";

impl Ledger {
    /// What the folder is sealed with.
    pub fn seal(&self, folder: &str) -> Result<Option<String>> {
        self.fact(&format!("{SEAL}{folder}"))
    }

    /// Seals the folder, or takes its seal off.
    pub fn set_seal(&mut self, folder: &str, seal: Option<&str>) -> Result<()> {
        let name = format!("{SEAL}{folder}");
        match seal {
            Some(seal) => self.set_fact(&name, seal),
            None => self.note(|tx| tx.execute("DELETE FROM fact WHERE name = ?1", [name]).map(drop)),
        }
    }
}

/// Takes all seals off.
pub(super) fn break_all(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM fact WHERE name >= ?1 AND name < ?2")?.execute([SEAL, BEHIND]).map(drop)
}
