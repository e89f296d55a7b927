//! What the ledger keeps of runs, and small facts about the account.

use super::{Ledger, Run};
use crate::error::Result;
use rusqlite::{OptionalExtension, params};

impl Ledger {
    /// A small fact about the account.
    pub fn fact(&self, name: &str) -> Result<Option<String>> {
        self.db
            .query_row("SELECT value FROM fact WHERE name = ?1", [name], |r| r.get(0))
            .optional()
            .map_err(|e| self.failed(e))
    }

    /// Records a small fact about the account.
    pub fn set_fact(&mut self, name: &str, value: &str) -> Result<()> {
        self.note(|tx| {
            tx.execute("INSERT INTO fact VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2", [name, value])
                .map(drop)
        })
    }

    /// Records a finished run; the last hundred are kept.
    pub fn record(&mut self, run: &Run) -> Result<()> {
        self.note(|tx| {
            tx.execute(
                "INSERT INTO run (started, seconds, exit, counts) VALUES (?1, ?2, ?3, ?4)",
                params![run.started, run.seconds, run.exit, run.counts],
            )?;
            tx.execute("DELETE FROM run WHERE id <= (SELECT max(id) FROM run) - 100", []).map(drop)
        })
    }

    /// The newest run.
    pub fn last_run(&self) -> Result<Option<Run>> {
        self.db
            .query_row("SELECT started, seconds, exit, counts FROM run ORDER BY id DESC LIMIT 1", [], |r| {
                Ok(Run { started: r.get(0)?, seconds: r.get(1)?, exit: r.get(2)?, counts: r.get(3)? })
            })
            .optional()
            .map_err(|e| self.failed(e))
    }
}
