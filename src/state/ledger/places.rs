//! What a folder stood on: what is known of its messages holds for that, and not for another that has come to bear its name.

use super::{Ledger, key_of};
use crate::error::Result;
use crate::mail::{Key, Side};
use crate::state::record::{FolderId, RowId};
use rusqlite::params;

impl Ledger {
    /// By what the folder's place on a side is known; empty where it was found missing, `None` where that was never looked at.
    pub fn place(&self, folder: FolderId, side: Side) -> Result<Option<String>> {
        self.fact(&fact(folder, side))
    }

    /// Records by what the folder's place on a side is known.
    pub fn set_place(&mut self, folder: FolderId, side: Side, place: &str) -> Result<()> {
        self.set_fact(&fact(folder, side), place)
    }

    /// These messages are no longer known to be in the store, where others may have taken their folder's place: on the server
    /// they count as there alone.
    pub fn lost_here(&mut self, rows: &[RowId]) -> Result<()> {
        self.write(|tx| {
            let sql =
                "UPDATE message SET local_key = NULL, pending_local = NULL WHERE id = ?1 AND status != 'arriving'";
            let mut update = tx.prepare_cached(sql)?;
            rows.iter().try_for_each(|row| update.execute([row.0]).map(drop))
        })
    }

    /// Every message that the server has or had, with its size as far as it is known, in no certain order.
    pub fn sizes_there(&self, folder: FolderId, mut each: impl FnMut(RowId, Key, u64)) -> Result<()> {
        let mut read = || -> rusqlite::Result<()> {
            let mut query = self.db.prepare_cached(
                "SELECT id, key, COALESCE(listed_size, wire_size) FROM message
                 WHERE folder = ?1 AND key IS NOT NULL AND status != 'arriving'",
            )?;
            let mut rows = query.query([folder.0])?;
            while let Some(row) = rows.next()? {
                each(RowId(row.get(0)?), key_of(row, 1)?, row.get(2)?);
            }
            Ok(())
        };
        read().map_err(|e| self.failed(e))
    }

    /// Records with what sizes the server lists messages.
    pub fn listed_as(&mut self, sizes: &[(RowId, u64)]) -> Result<()> {
        self.write(|tx| {
            let mut update = tx.prepare_cached("UPDATE message SET listed_size = ?2 WHERE id = ?1")?;
            sizes.iter().try_for_each(|(row, size)| update.execute(params![row.0, size]).map(drop))
        })
    }
}

fn fact(folder: FolderId, side: Side) -> String {
    format!("place {side} {}", folder.0)
}
