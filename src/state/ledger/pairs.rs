//! The ledger of two-way sync: which message here is which message there, and what was agreed about it.

use super::{Ledger, free_key, key_of, maybe_key_of, row_of};
use crate::error::Result;
use crate::mail::{Content, Digest, Key, Marks, Side, Sides};
use crate::state::pair::{Adoption, Pair, read_marks, write_marks};
use crate::state::record::{FolderId, Row, RowId};
use rusqlite::{OptionalExtension, Transaction, params};

impl Ledger {
    /// Works on every message of the folder that is not on its way, as both sides know it, one after the other in no certain
    /// order. One that a pull deleted on the server, or asked it to delete, is gone there and kept here.
    pub fn with_pairs<T>(&self, folder: FolderId, work: impl FnOnce(&mut dyn Iterator<Item = Pair>) -> T) -> Result<T> {
        let mut failed = None;
        let read = || -> rusqlite::Result<T> {
            let mut query = self.db.prepare_cached(
                "SELECT id, key, local_key, marks, CASE status WHEN 'delivered' THEN gone ELSE 'remote' END,
                        pending_remote, pending_local
                 FROM message WHERE folder = ?1 AND status != 'arriving'",
            )?;
            let rows = query.query_map([folder.0], pair_of)?;
            Ok(work(&mut rows.map_while(|pair| pair.map_err(|e| failed = Some(e)).ok())))
        };
        let worked = read();
        failed.map_or(worked, Err).map_err(|e| self.failed(e))
    }

    /// The same, all at once and in order of arrival.
    pub fn pairs(&self, folder: FolderId) -> Result<Vec<Pair>> {
        let mut pairs: Vec<Pair> = self.with_pairs(folder, |pairs| pairs.collect())?;
        pairs.sort_unstable_by_key(|pair| pair.row);
        Ok(pairs)
    }

    /// For each of these messages of the store its row, and whether it is known on the server too, as far as it is known.
    pub fn known_here(&self, folder: FolderId, keys: &[&Key]) -> Result<Vec<Option<(RowId, bool)>>> {
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut query = self.db.prepare_cached(
                "SELECT id, key IS NOT NULL FROM message WHERE folder = ?1 AND local_key = ?2 AND status != 'arriving'",
            )?;
            let row = |r: &rusqlite::Row<'_>| Ok((RowId(r.get(0)?), r.get(1)?));
            keys.iter().map(|key| query.query_row(params![folder.0, key.as_bytes()], row).optional()).collect()
        };
        read().map_err(|e| self.failed(e))
    }

    /// Which of these messages of the server are not known.
    pub fn unknown_there(&self, folder: FolderId, keys: Vec<Key>) -> Result<Vec<Key>> {
        let read = || -> rusqlite::Result<Vec<Key>> {
            let sql = "SELECT 1 FROM message WHERE folder = ?1 AND key = ?2 AND status != 'arriving'";
            let mut query = self.db.prepare_cached(sql)?;
            let mut unknown = Vec::new();
            for key in keys {
                if !query.exists(params![folder.0, key.as_bytes()])? {
                    unknown.push(key);
                }
            }
            Ok(unknown)
        };
        read().map_err(|e| self.failed(e))
    }

    /// These rows, as far as they are there, in no certain order.
    pub fn rows_of(&self, rows: &[RowId]) -> Result<Vec<Row>> {
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut query = self.db.prepare_cached(
                "SELECT id, key, listed_size, wire_size, digest, fingerprint, status, first_seen, missing_since
                 FROM message WHERE id = ?1",
            )?;
            rows.iter().filter_map(|row| query.query_row([row.0], row_of).optional().transpose()).collect()
        };
        read().map_err(|e| self.failed(e))
    }

    /// What has come into the store since a time (in seconds since 1970 UTC) and is on the server too: each one's digest,
    /// folder, and key here.
    pub fn arrived_since(&self, time: i64) -> Result<Vec<(Digest, String, Key)>> {
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut query = self.db.prepare_cached(
                "SELECT message.digest, folder.name, message.local_key FROM message JOIN folder ON folder.id = message.folder
                 WHERE message.first_seen >= ?1 AND message.key IS NOT NULL AND message.local_key IS NOT NULL
                   AND message.status = 'delivered' AND message.gone IS NULL",
            )?;
            query.query_map([time], |r| Ok((Digest(r.get(0)?), r.get(1)?, key_of(r, 2)?)))?.collect()
        };
        read().map_err(|e| self.failed(e))
    }

    /// The folder in which a message was last known to stand on the server, and its key there.
    pub fn whereabouts(&self, row: RowId) -> Result<Option<(String, Key)>> {
        let read = || {
            let mut query = self.db.prepare_cached(
                "SELECT folder.name, message.key FROM message JOIN folder ON folder.id = message.folder
                 WHERE message.id = ?1 AND message.key IS NOT NULL",
            )?;
            query.query_row([row.0], |r| Ok((r.get(0)?, key_of(r, 1)?))).optional()
        };
        read().map_err(|e| self.failed(e))
    }

    /// Records messages that stand in the store and are not known to be on the server, so that they are recognised by
    /// their content when they come from there. Gives their numbers.
    pub fn found(&mut self, folder: FolderId, found: &[(Key, Content)], now: i64) -> Result<Vec<RowId>> {
        self.write(|tx| {
            let mut insert = tx.prepare_cached(
                "INSERT INTO message (folder, local_key, wire_size, digest, fingerprint, status, first_seen)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'delivered', ?6)",
            )?;
            let put = |(key, c): &(Key, Content)| {
                free(tx, folder, Side::Local, key)?;
                insert.execute(params![folder.0, key.as_bytes(), c.wire_size, c.digest.0, c.fingerprint.0, now])?;
                Ok(RowId(tx.last_insert_rowid()))
            };
            found.iter().map(put).collect()
        })
    }

    /// Records messages of both sides as pairs.
    pub fn adopt(&mut self, folder: FolderId, adoptions: &[Adoption], now: i64) -> Result<()> {
        self.write(|tx| adoptions.iter().try_for_each(|a| adopt(tx, folder, a, now)))
    }

    /// Records that a side calls these messages by other keys: it was found that they are the same.
    pub fn rename(&mut self, folder: FolderId, side: Side, renamed: &[(RowId, Key)]) -> Result<()> {
        self.write(|tx| {
            renamed.iter().try_for_each(|(row, key)| {
                free(tx, folder, side, key)?;
                let sql = match side {
                    Side::Remote => "UPDATE message SET key = ?2, missing_since = NULL WHERE id = ?1",
                    Side::Local => "UPDATE message SET local_key = ?2 WHERE id = ?1",
                };
                tx.prepare_cached(sql)?.execute(params![row.0, key.as_bytes()]).map(drop)
            })
        })
    }

    /// A side is about to change these marks; until they are agreed, what it shows of them is no change of its own.
    pub fn pend(&mut self, side: Side, pending: &[(RowId, Marks)]) -> Result<()> {
        let column = match side {
            Side::Remote => "pending_remote",
            Side::Local => "pending_local",
        };
        self.write(|tx| {
            let mut read = tx.prepare_cached(&format!("SELECT {column} FROM message WHERE id = ?1"))?;
            let mut update = tx.prepare_cached(&format!("UPDATE message SET {column} = ?2 WHERE id = ?1"))?;
            pending.iter().try_for_each(|(row, marks)| {
                let before = read.query_row([row.0], |r| r.get::<_, Option<String>>(0)).optional()?.flatten();
                let marks = before.as_deref().map_or_else(|| marks.clone(), |b| read_marks(b).with(marks));
                update.execute(params![row.0, write_marks(&marks)]).map(drop)
            })
        })
    }

    /// Both sides have these marks now; nothing is pending any longer.
    pub fn agree(&mut self, agreed: &[(RowId, Marks)]) -> Result<()> {
        self.write(|tx| {
            let mut update = tx.prepare_cached(
                "UPDATE message SET marks = ?2, pending_remote = NULL, pending_local = NULL WHERE id = ?1",
            )?;
            agreed.iter().try_for_each(|(row, marks)| update.execute(params![row.0, write_marks(marks)]).map(drop))
        })
    }

    /// These were deleted on a side and are kept on the other; with `None`, they are on both sides after all.
    pub fn tombstone(&mut self, rows: &[RowId], gone: Option<Side>) -> Result<()> {
        self.write(|tx| {
            let mut update = tx.prepare_cached("UPDATE message SET gone = ?2, status = 'delivered' WHERE id = ?1")?;
            let gone = gone.map(|side| side.to_string());
            rows.iter().try_for_each(|row| update.execute(params![row.0, gone]).map(drop))
        })
    }

    /// Forgets messages that are on neither side any longer.
    pub fn forget(&mut self, rows: &[RowId]) -> Result<()> {
        self.write(|tx| {
            let mut delete = tx.prepare_cached("DELETE FROM message WHERE id = ?1 AND status != 'arriving'")?;
            rows.iter().try_for_each(|row| delete.execute([row.0]).map(drop))
        })
    }

    /// Records that a message stands in another folder, under these keys.
    pub fn relocate(&mut self, row: RowId, to: FolderId, keys: &Sides<Option<Key>>) -> Result<()> {
        self.write(|tx| relocate(tx, row, to, keys))
    }

    /// Forgets a folder that is on neither side any longer, and all that was known of its messages.
    pub fn forget_folder(&mut self, folder: FolderId) -> Result<()> {
        self.write(|tx| forget_folder(tx, folder))
    }

    /// Gives folders other names; what was known under one of these is forgotten.
    pub fn rename_folders(&mut self, renamed: &[(FolderId, String)]) -> Result<()> {
        self.write(|tx| {
            for (folder, name) in renamed {
                let mut of_name = tx.prepare_cached("SELECT id FROM folder WHERE name = ?1 AND id != ?2")?;
                if let Some(taken) = of_name.query_row(params![name, folder.0], |r| r.get(0)).optional()? {
                    forget_folder(tx, FolderId(taken))?;
                }
                tx.execute("UPDATE folder SET name = ?2 WHERE id = ?1", params![folder.0, name])?;
            }
            Ok(())
        })
    }

    /// The folders of which a sync has come to its end before, by name.
    pub fn synced_folders(&self) -> Result<Vec<String>> {
        self.names("SELECT name FROM folder WHERE synced ORDER BY name")
    }
}

fn pair_of(r: &rusqlite::Row<'_>) -> rusqlite::Result<Pair> {
    let marks = |at| r.get_ref(at).map(|v| v.as_str_or_null().ok().flatten().map(read_marks));
    let pending = Sides { remote: marks(5)?, local: marks(6)? };
    let any = pending.remote.is_some() || pending.local.is_some();
    Ok(Pair {
        row: RowId(r.get(0)?),
        keys: Sides { remote: maybe_key_of(r, 1)?, local: maybe_key_of(r, 2)? },
        agreed: marks(3)?.unwrap_or_default(),
        gone: match r.get_ref(4)?.as_str_or_null()? {
            Some("remote") => Some(Side::Remote),
            Some(_) => Some(Side::Local),
            None => None,
        },
        pending: any.then(|| Box::new(pending.map(Option::unwrap_or_default))),
    })
}

fn forget_folder(tx: &Transaction<'_>, folder: FolderId) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM intent WHERE folder = ?1",
        "UPDATE intent SET row = NULL WHERE row IN (SELECT id FROM message WHERE folder = ?1)",
        "DELETE FROM quarantine WHERE folder = ?1",
        "DELETE FROM leftover WHERE folder = ?1",
        "DELETE FROM message WHERE folder = ?1",
        "DELETE FROM fact WHERE name IN ('place local ' || ?1, 'place remote ' || ?1, 'unkept ' || ?1, 'said ' || ?1)",
        "DELETE FROM folder WHERE id = ?1",
    ] {
        tx.execute(sql, [folder.0])?;
    }
    Ok(())
}

/// Takes a key of a side away from the row that has it.
pub(super) fn free(tx: &Transaction<'_>, folder: FolderId, side: Side, key: &Key) -> rusqlite::Result<()> {
    match side {
        Side::Remote => free_key(tx, folder, Some(key)),
        Side::Local => tx
            .prepare_cached("UPDATE message SET local_key = NULL WHERE folder = ?1 AND local_key = ?2")?
            .execute(params![folder.0, key.as_bytes()])
            .map(drop),
    }
}

pub(super) fn adopt(tx: &Transaction<'_>, folder: FolderId, a: &Adoption, now: i64) -> rusqlite::Result<()> {
    for side in Side::BOTH {
        free(tx, folder, side, a.keys.on(side))?;
    }
    let (kept, merged) = match (a.rows.local, a.rows.remote) {
        (Some(kept), merged) => (Some(kept), merged),
        (None, kept) => (kept, None),
    };
    if let Some(merged) = merged.filter(|m| Some(*m) != kept) {
        tx.prepare_cached("DELETE FROM message WHERE id = ?1")?.execute([merged.0])?;
    }
    let c = &a.content;
    let marks = write_marks(&a.agreed);
    match kept {
        Some(row) => tx
            .prepare_cached(
                "UPDATE message SET key = ?2, local_key = ?3, marks = ?4, listed_size = COALESCE(?5, listed_size), status = 'delivered',
                        gone = NULL, pending_remote = NULL, pending_local = NULL, missing_since = NULL WHERE id = ?1",
            )?
            .execute(params![row.0, a.keys.remote.as_bytes(), a.keys.local.as_bytes(), marks, a.listed_size]),
        None => tx
            .prepare_cached(
                "INSERT INTO message (folder, key, local_key, marks, listed_size, wire_size, digest, fingerprint, status,
                                      first_seen)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'delivered', ?9)",
            )?
            .execute(params![
                folder.0,
                a.keys.remote.as_bytes(),
                a.keys.local.as_bytes(),
                marks,
                a.listed_size,
                c.wire_size,
                c.digest.0,
                c.fingerprint.0,
                now
            ]),
    }
    .map(drop)
}

pub(super) fn relocate(
    tx: &Transaction<'_>,
    row: RowId,
    to: FolderId,
    keys: &Sides<Option<Key>>,
) -> rusqlite::Result<()> {
    for side in Side::BOTH {
        if let Some(key) = keys.on(side) {
            free(tx, to, side, key)?;
        }
    }
    tx.prepare_cached("UPDATE message SET folder = ?2, key = ?3, local_key = ?4, missing_since = NULL WHERE id = ?1")?
        .execute(params![row.0, to.0, keys.remote.as_ref().map(Key::as_bytes), keys.local.as_ref().map(Key::as_bytes)])
        .map(drop)
}
