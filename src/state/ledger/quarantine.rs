//! Messages that a server would not give.

use super::{FolderId, Ledger, Quarantined, key_of};
use crate::error::Result;
use crate::mail::Key;
use rusqlite::params;

impl Ledger {
    /// Messages of the folder that the server would not give.
    pub fn quarantined(&self, folder: FolderId) -> Result<Vec<Quarantined>> {
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut query =
                self.db.prepare("SELECT key, reason, tries FROM quarantine WHERE folder = ?1 ORDER BY key")?;
            query
                .query_map([folder.0], |r| Ok(Quarantined { key: key_of(r, 0)?, reason: r.get(1)?, tries: r.get(2)? }))?
                .collect()
        };
        read().map_err(|e| self.failed(e))
    }

    /// Puts messages into quarantine, or counts one more try of each.
    pub fn quarantine(&mut self, folder: FolderId, refused: &[(Key, String)], now: i64) -> Result<()> {
        self.write(|tx| {
            let mut put = tx.prepare_cached(
                "INSERT INTO quarantine (folder, key, reason, tries, last_try) VALUES (?1, ?2, ?3, 1, ?4)
                 ON CONFLICT (folder, key) DO UPDATE SET reason = ?3, tries = tries + 1, last_try = ?4",
            )?;
            refused
                .iter()
                .try_for_each(|(key, reason)| put.execute(params![folder.0, key.as_bytes(), reason, now]).map(drop))
        })
    }

    /// Lets messages out of quarantine: they arrived, or they are gone.
    pub fn release(&mut self, folder: FolderId, keys: &[Key]) -> Result<()> {
        self.write(|tx| {
            let mut delete = tx.prepare_cached("DELETE FROM quarantine WHERE folder = ?1 AND key = ?2")?;
            keys.iter().try_for_each(|key| delete.execute(params![folder.0, key.as_bytes()]).map(drop))
        })
    }
}
