//! Messages on their way to the server: written down before they are sent, settled when it is known where they stand.

use super::pairs::{adopt, relocate};
use super::{Ledger, key_of};
use crate::error::Result;
use crate::mail::{Content, Digest, Fingerprint, Key, Sides};
use crate::state::pair::{Adoption, Intent, IntentId, read_marks, write_marks};
use crate::state::record::{FolderId, RowId};
use rusqlite::params;
use std::collections::HashMap;

impl Ledger {
    /// These messages are about to be sent to the folder of the server. Gives their numbers.
    pub fn intend(&mut self, folder: FolderId, intents: &[Intent]) -> Result<Vec<IntentId>> {
        self.write(|tx| {
            let mut insert = tx.prepare_cached(
                "INSERT INTO intent (folder, row, local_key, wire_size, digest, fingerprint, marks, uidnext, discards)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            let put = |i: &Intent| {
                let c = &i.content;
                insert.execute(params![
                    folder.0,
                    i.row.map(|r| r.0),
                    i.local.as_bytes(),
                    c.wire_size,
                    c.digest.0,
                    c.fingerprint.0,
                    write_marks(&i.marks),
                    i.uidnext,
                    i.discards
                ])?;
                Ok(IntentId(tx.last_insert_rowid()))
            };
            intents.iter().map(put).collect()
        })
    }

    /// The folders that a message may have been sent to in an interrupted run, by name.
    pub fn folders_sent_to(&self) -> Result<Vec<String>> {
        self.names("SELECT name FROM folder WHERE id IN (SELECT folder FROM intent) ORDER BY name")
    }

    /// What an interrupted run may have sent to the folder, in the order in which it was to be sent.
    pub fn intents(&self, folder: FolderId) -> Result<Vec<(IntentId, Intent)>> {
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut query = self.db.prepare_cached(
                "SELECT id, row, local_key, wire_size, digest, fingerprint, marks, uidnext, discards
                 FROM intent WHERE folder = ?1 ORDER BY id",
            )?;
            query
                .query_map([folder.0], |r| {
                    let content = Content::known(r.get(3)?, Digest(r.get(4)?), Fingerprint(r.get(5)?));
                    let row = r.get::<_, Option<i64>>(1)?.map(RowId);
                    let marks = read_marks(r.get_ref(6)?.as_str()?);
                    let (local, uidnext, discards) = (key_of(r, 2)?, r.get(7)?, r.get(8)?);
                    Ok((IntentId(r.get(0)?), Intent { row, local, content, marks, uidnext, discards }))
                })?
                .collect()
        };
        read().map_err(|e| self.failed(e))
    }

    /// Settles intents of the folder. One whose message stands on the server under a key becomes a pair: its row is taken
    /// to this folder, or made; one that never arrived (`None`) is forgotten, and so is one that was thrown away.
    pub fn settled(&mut self, folder: FolderId, settled: &[(IntentId, Option<Key>)], now: i64) -> Result<()> {
        let intents: HashMap<IntentId, Intent> = self.intents(folder)?.into_iter().collect();
        self.write(|tx| {
            for (id, key) in settled {
                tx.prepare_cached("DELETE FROM intent WHERE id = ?1")?.execute([id.0])?;
                let (Some(i), Some(key)) = (intents.get(id).filter(|i| !i.discards), key) else { continue };
                let keys = Sides { remote: key.clone(), local: i.local.clone() };
                if let Some(row) = i.row {
                    relocate(tx, row, folder, &keys.clone().map(Some))?;
                }
                let rows = Sides { remote: None, local: i.row };
                let (agreed, content) = (i.marks.clone(), i.content);
                adopt(tx, folder, &Adoption { rows, keys, agreed, listed_size: None, content }, now)?;
            }
            Ok(())
        })
    }
}
