//! The ledger of pulled messages: what is in the store, and what was asked of the server.

use super::record::{Arrival, Folder, FolderId, FolderStatus, Paired, Quarantined, Row, RowId, Run, Status};
use super::{Home, schema};
use crate::error::Result;
use crate::mail::{Content, Digest, Fingerprint, Key, Side};
use crate::state::pair;
use rusqlite::{Connection, ErrorCode, OptionalExtension, ToSql, Transaction, params};
use std::path::PathBuf;

mod findings;
mod intents;
mod leftovers;
mod pairs;
mod places;
mod quarantine;
mod runs;
mod seals;
#[cfg(test)]
mod tests;

/// Messages of a folder that a run left on their way. Left to itself, SQLite reads all messages of the folder for it.
const UNSETTLED: &str = "SELECT id, place, digest FROM message INDEXED BY message_arriving
                         WHERE folder = ?1 AND status = 'arriving' ORDER BY id";

/// Pages that SQLite keeps of what is read in passing.
const PASSING: i64 = 64;

/// The ledger of one account.
#[derive(Debug)]
pub struct Ledger {
    db: Connection,
    path: PathBuf,
}

impl Ledger {
    /// Opens the ledger, creating it where it is missing.
    pub fn open(home: &Home) -> Result<Ledger> {
        let path = home.database();
        Ok(Ledger { db: schema::open(&path)?, path })
    }

    /// The ledger as it stands, in memory: changes to it are forgotten.
    pub fn open_copy(home: &Home) -> Result<Ledger> {
        let path = home.database();
        let db = if path.exists() { schema::open_copy(&path)? } else { schema::open_in_memory()? };
        Ok(Ledger { db, path })
    }

    /// The folder of that name.
    pub fn folder(&self, name: &str) -> Result<Option<Folder>> {
        self.db
            .query_row("SELECT id, scope, in_doubt FROM folder WHERE name = ?1", [name], |r| {
                Ok(Folder { id: FolderId(r.get(0)?), scope: r.get(1)?, in_doubt: r.get(2)? })
            })
            .optional()
            .map_err(|e| self.failed(e))
    }

    /// Records a new folder, and what stands in its store already. A server lists a copy into which another program wrote
    /// with the size of its [original](Content::original).
    pub fn begin(&mut self, name: &str, scope: &str, stored: &[Content], now: i64) -> Result<Folder> {
        self.write(|tx| {
            tx.execute("INSERT INTO folder (name, scope) VALUES (?1, ?2)", [name, scope])?;
            let id = FolderId(tx.last_insert_rowid());
            let mut insert = tx.prepare_cached(
                "INSERT INTO message (folder, wire_size, listed_size, digest, fingerprint, status, first_seen)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'delivered', ?6)",
            )?;
            for c in stored {
                let original = c.original.map(|o| o.wire_size);
                insert.execute(params![id.0, c.wire_size, original, c.digest.0, c.fingerprint.0, now])?;
            }
            Ok(Folder { id, scope: scope.to_owned(), in_doubt: false })
        })
    }

    /// Records that the folder is in a new scope: no key of it holds any longer. Where it `is_replaced` by another one, what it
    /// held is known not to be in it, and its messages get keys that no message can have.
    pub fn change_scope(&mut self, folder: FolderId, scope: &str, is_replaced: bool) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "UPDATE folder SET scope = ?2, messages = NULL, uidnext = NULL, highestmodseq = NULL, baseline = NULL
                 WHERE id = ?1",
                params![folder.0, scope],
            )?;
            let of_before = if is_replaced { " AND CAST(key AS TEXT) LIKE '-%'" } else { "" };
            tx.execute(&format!("UPDATE message SET key = NULL WHERE folder = ?1{of_before}"), [folder.0])?;
            let elsewhere =
                "UPDATE message SET key = CAST('-' || CAST(key AS TEXT) AS BLOB) WHERE folder = ?1 AND key IS NOT NULL";
            tx.execute(elsewhere, [folder.0])?;
            tx.execute("UPDATE intent SET uidnext = 1 WHERE folder = ?1", [folder.0])?;
            tx.execute("DELETE FROM leftover WHERE folder = ?1 AND side = 'remote'", [folder.0])?;
            tx.execute("DELETE FROM quarantine WHERE folder = ?1", [folder.0]).map(drop)
        })
    }

    /// Takes their keys from all messages of the folder: the server has given some of these to others.
    pub fn void_keys(&mut self, folder: FolderId) -> Result<()> {
        self.write(|tx| tx.execute("UPDATE message SET key = NULL WHERE folder = ?1", [folder.0]).map(drop))
    }

    /// Records whether the names of the folder are [in doubt](Folder::in_doubt).
    pub fn set_in_doubt(&mut self, folder: FolderId, in_doubt: bool) -> Result<()> {
        self.write(|tx| {
            tx.execute("UPDATE folder SET in_doubt = ?2 WHERE id = ?1", params![folder.0, in_doubt]).map(drop)
        })
    }

    /// Every message of the folder that is not on its way, in order of arrival.
    pub fn rows(&self, folder: FolderId) -> Result<Vec<Row>> {
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut query = self.db.prepare_cached(
                "SELECT id, key, listed_size, wire_size, digest, fingerprint, status, first_seen, missing_since
                 FROM message WHERE folder = ?1 AND status != 'arriving' ORDER BY id",
            )?;
            // One allocation: the kernel is slow to move large ones as they grow.
            let mut rows = Vec::with_capacity(self.count(folder)?);
            for row in query.query_map([folder.0], row_of)? {
                rows.push(row?);
            }
            Ok(rows)
        };
        let usual: i64 = self.db.pragma_query_value(None, "cache_size", |r| r.get(0)).map_err(|e| self.failed(e))?;
        // What is read once from end to end needs no memory of its own, page by page.
        self.set("cache_size", PASSING)?;
        let rows = read().map_err(|e| self.failed(e));
        self.set("cache_size", usual)?;
        rows
    }

    /// Where each message of the folder was put, as far as that is known, and its digest; not those on their way.
    pub fn stored(&self, folder: FolderId) -> Result<Vec<(Option<String>, Digest)>> {
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut query = self
                .db
                .prepare("SELECT place, digest FROM message WHERE folder = ?1 AND status != 'arriving' ORDER BY id")?;
            query.query_map([folder.0], |r| Ok((r.get(0)?, Digest(r.get(1)?))))?.collect()
        };
        read().map_err(|e| self.failed(e))
    }

    /// Whether any message was ever put into the store.
    pub fn knows_any(&self) -> Result<bool> {
        let known = "SELECT EXISTS (SELECT 1 FROM message WHERE status != 'arriving')";
        self.db.query_row(known, [], |r| r.get(0)).map_err(|e| self.failed(e))
    }

    /// Transaction A: these messages are about to become visible. Gives their numbers.
    pub fn arriving(&mut self, folder: FolderId, arrivals: &[Arrival], now: i64) -> Result<Vec<RowId>> {
        self.write(|tx| arrivals.iter().map(|a| insert(tx, folder, a, now)).collect())
    }

    /// Transaction B: these messages are visible and durable, and no longer in quarantine.
    pub fn delivered(&mut self, rows: &[RowId]) -> Result<()> {
        self.write(|tx| set_delivered(tx, rows))
    }

    /// The same, on the disk only with the transaction that follows: where the power fails before that, they are settled.
    pub fn delivered_unsynced(&mut self, rows: &[RowId]) -> Result<()> {
        self.set("synchronous", "NORMAL")?;
        let done = self.delivered(rows);
        self.set("synchronous", "FULL")?;
        done
    }

    /// Messages of an interrupted run: their numbers, places and digests.
    pub fn unsettled(&self, folder: FolderId) -> Result<Vec<(RowId, String, Digest)>> {
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut query = self.db.prepare(UNSETTLED)?;
            query.query_map([folder.0], |r| Ok((RowId(r.get(0)?), r.get(1)?, Digest(r.get(2)?))))?.collect()
        };
        read().map_err(|e| self.failed(e))
    }

    /// Where each message arrived that is in the store and has the header or the content of an [unsettled](Self::unsettled)
    /// one, with its digest; the place is empty where it was there before the first run.
    pub fn delivered_like_unsettled(&self, folder: FolderId) -> Result<Vec<(String, Digest)>> {
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut query = self.db.prepare(
                "SELECT ifnull(place, ''), digest FROM message WHERE folder = ?1 AND status != 'arriving'
                 AND (digest IN (SELECT digest FROM message INDEXED BY message_arriving
                                WHERE folder = ?1 AND status = 'arriving')
                  OR fingerprint IN (SELECT fingerprint FROM message INDEXED BY message_arriving
                                        WHERE folder = ?1 AND status = 'arriving'))
                 ORDER BY id",
            )?;
            query.query_map([folder.0], |r| Ok((r.get(0)?, Digest(r.get(1)?))))?.collect()
        };
        read().map_err(|e| self.failed(e))
    }

    /// Records what messages really hold of which only header and size were known.
    pub fn learn(&mut self, digests: &[(RowId, Digest)]) -> Result<()> {
        self.write(|tx| {
            let mut update = tx.prepare_cached("UPDATE message SET digest = ?2 WHERE id = ?1")?;
            digests.iter().try_for_each(|(row, digest)| update.execute(params![row.0, digest.0]).map(drop))
        })
    }

    /// The fingerprint of the message that the server calls so.
    pub fn fingerprint(&self, folder: FolderId, key: &Key) -> Result<Option<Fingerprint>> {
        let sql = "SELECT fingerprint FROM message WHERE folder = ?1 AND key = ?2";
        let read = || {
            let mut query = self.db.prepare_cached(sql)?;
            query.query_row(params![folder.0, key.as_bytes()], |r| Ok(Fingerprint(r.get(0)?))).optional()
        };
        read().map_err(|e| self.failed(e))
    }

    /// Forgets messages that never arrived.
    pub fn never_arrived(&mut self, rows: &[RowId]) -> Result<()> {
        self.write(|tx| {
            let mut delete = tx.prepare_cached("DELETE FROM message WHERE id = ?1 AND status = 'arriving'")?;
            rows.iter().try_for_each(|row| delete.execute([row.0]).map(drop))
        })
    }

    /// Gives rows the names that the server uses for them now; they are in the store and on the server.
    pub fn rekey(&mut self, folder: FolderId, pairs: &[Paired]) -> Result<()> {
        self.write(|tx| {
            for pair in pairs {
                free_key(tx, folder, pair.key.as_ref())?;
            }
            let mut update = tx.prepare_cached(
                "UPDATE message SET key = ?2, listed_size = ?3, missing_since = NULL, status = 'delivered' WHERE id = ?1",
            )?;
            pairs.iter().try_for_each(|p| {
                update.execute(params![p.row.0, p.key.as_ref().map(Key::as_bytes), p.listed_size]).map(drop)
            })
        })
    }

    /// Records which rows the listing lacked and which came back.
    ///
    /// A row asked to be deleted and now missing is deleted. Rows missing for longer than `forget_after` seconds are
    /// forgotten; until then a listing that was cut short does no harm.
    pub fn mark_missing(&mut self, missing: &[RowId], back: &[RowId], now: i64, forget_after: i64) -> Result<()> {
        if missing.is_empty() && back.is_empty() {
            return Ok(());
        }
        self.write(|tx| {
            let mut gone = tx.prepare_cached(
                "UPDATE message SET missing_since = COALESCE(missing_since, ?2),
                        status = CASE status WHEN 'delete_sent' THEN 'deleted' ELSE status END WHERE id = ?1",
            )?;
            let mut here = tx.prepare_cached("UPDATE message SET missing_since = NULL WHERE id = ?1")?;
            missing.iter().try_for_each(|row| gone.execute([row.0, now]).map(drop))?;
            back.iter().try_for_each(|row| here.execute([row.0]).map(drop))?;
            tx.execute("DELETE FROM message WHERE missing_since < ?1 AND gone IS NULL", [now - forget_after])?;
            Ok(())
        })
    }

    /// The server is about to be asked to delete these.
    pub fn delete_sent(&mut self, rows: &[RowId]) -> Result<()> {
        self.write(|tx| set_status(tx, rows, "delete_sent"))
    }

    /// The server said that it deleted these; a listing without them is to confirm it.
    pub fn delete_accepted(&mut self, rows: &[RowId], now: i64) -> Result<()> {
        self.write(|tx| {
            let mut update = tx.prepare_cached("UPDATE message SET missing_since = ?2 WHERE id = ?1")?;
            rows.iter().try_for_each(|row| update.execute([row.0, now]).map(drop))
        })
    }

    /// Every folder, by name.
    pub fn folders(&self) -> Result<Vec<FolderStatus>> {
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut query = self.db.prepare(
                "SELECT f.id, f.name, count(m.id) FILTER (WHERE status != 'arriving'),
                        count(*) FILTER (WHERE status = 'delete_sent'), count(*) FILTER (WHERE status = 'arriving'),
                        f.synced, count(*) FILTER (WHERE status = 'delivered' AND gone IS NULL AND key IS NOT NULL
                                                   AND local_key IS NOT NULL),
                        (SELECT count(*) FROM intent i WHERE i.folder = f.id)
                 FROM folder f LEFT JOIN message m ON m.folder = f.id GROUP BY f.id ORDER BY f.name",
            )?;
            query
                .query_map([], |r| {
                    let folder = FolderStatus {
                        name: r.get(1)?,
                        delivered: r.get(2)?,
                        delete_sent: r.get(3)?,
                        arriving: r.get(4)?,
                        synced: r.get(5)?,
                        paired: r.get(6)?,
                        sending: r.get(7)?,
                        quarantined: Vec::new(),
                    };
                    Ok((r.get(0)?, folder))
                })?
                .collect()
        };
        let folders = read().map_err(|e| self.failed(e))?;
        folders
            .into_iter()
            .map(|(id, f)| Ok(FolderStatus { quarantined: self.quarantined(FolderId(id))?, ..f }))
            .collect()
    }

    /// How many rows the folder has.
    fn count(&self, folder: FolderId) -> rusqlite::Result<usize> {
        let mut query = self.db.prepare_cached("SELECT count(*) FROM message WHERE folder = ?1")?;
        query.query_row([folder.0], |r| r.get(0))
    }

    /// Changes a setting of SQLite.
    fn set(&self, pragma: &str, value: impl ToSql) -> Result<()> {
        self.db.pragma_update(None, pragma, value).map_err(|e| self.failed(e))
    }

    /// What a query gives in its one column.
    fn names(&self, sql: &str) -> Result<Vec<String>> {
        let read =
            || -> rusqlite::Result<Vec<_>> { self.db.prepare_cached(sql)?.query_map([], |r| r.get(0))?.collect() };
        read().map_err(|e| self.failed(e))
    }

    /// Changes what is known of messages and folders, which breaks all seals.
    fn write<T>(&mut self, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T> {
        self.note(|tx| {
            seals::break_all(tx)?;
            change(tx)
        })
    }

    /// Writes down what concerns no message.
    fn note<T>(&mut self, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T> {
        let run = || {
            let tx = self.db.transaction()?;
            let value = change(&tx)?;
            tx.commit()?;
            Ok(value)
        };
        run().map_err(|e| schema::failed(&self.path, e))
    }

    fn failed(&self, e: rusqlite::Error) -> crate::error::Error {
        schema::failed(&self.path, e)
    }
}

fn set_delivered(tx: &Transaction<'_>, rows: &[RowId]) -> rusqlite::Result<()> {
    set_status(tx, rows, "delivered")?;
    // Asked once, for mostly there is none.
    if !tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM quarantine)")?.query_row([], |r| r.get(0))? {
        return Ok(());
    }
    let mut release = tx.prepare_cached(
        "DELETE FROM quarantine WHERE (folder, key) = (SELECT folder, key FROM message WHERE id = ?1)",
    )?;
    rows.iter().try_for_each(|row| release.execute([row.0]).map(drop))
}

/// A row read in the order of the columns of [`Ledger::rows`].
fn row_of(r: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        id: RowId(r.get(0)?),
        key: maybe_key_of(r, 1)?,
        listed_size: r.get(2)?,
        wire_size: r.get(3)?,
        digest: Digest(r.get(4)?),
        fingerprint: Fingerprint(r.get(5)?),
        status: match r.get_ref(6)?.as_str()? {
            "delete_sent" => Status::DeleteSent,
            "deleted" => Status::Deleted,
            _ => Status::Delivered,
        },
        first_seen: r.get(7)?,
        missing_since: r.get(8)?,
    })
}

fn key_of(r: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Key> {
    Ok(Key::new(r.get_ref(at)?.as_blob()?))
}

fn maybe_key_of(r: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Option<Key>> {
    Ok(r.get_ref(at)?.as_blob_or_null()?.map(Key::new))
}

fn set_status(tx: &Transaction<'_>, rows: &[RowId], status: &str) -> rusqlite::Result<()> {
    let mut update = tx.prepare_cached("UPDATE message SET status = ?2 WHERE id = ?1")?;
    rows.iter().try_for_each(|row| update.execute(params![row.0, status]).map(drop))
}

/// Takes a key away from the row that has it: the server gave it to another message.
fn free_key(tx: &Transaction<'_>, folder: FolderId, key: Option<&Key>) -> rusqlite::Result<()> {
    let Some(key) = key else { return Ok(()) };
    tx.prepare_cached("UPDATE message SET key = NULL WHERE folder = ?1 AND key = ?2")?
        .execute(params![folder.0, key.as_bytes()])
        .map(drop)
}

fn insert(tx: &Transaction<'_>, folder: FolderId, a: &Arrival, now: i64) -> rusqlite::Result<RowId> {
    let local = pair::local_key(&a.place).map(Key::new);
    let mut insert = tx.prepare_cached(
        "INSERT INTO message (folder, key, listed_size, wire_size, digest, fingerprint, status, place, first_seen,
                              local_key, marks)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'arriving', ?7, ?8, ?9, ?10)",
    )?;
    let mut add = || {
        insert.execute(params![
            folder.0,
            a.key.as_ref().map(Key::as_bytes),
            a.listed_size,
            a.wire_size,
            a.digest.0,
            a.fingerprint.0,
            a.place,
            now,
            local.as_ref().map(Key::as_bytes),
            pair::write_marks(&a.marks)
        ])
    };
    match add() {
        // Seldom: one of its keys was another message's before.
        Err(e) if e.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            free_key(tx, folder, a.key.as_ref())?;
            if let Some(key) = &local {
                pairs::free(tx, folder, Side::Local, key)?;
            }
            add()?;
        }
        added => {
            added?;
        }
    }
    Ok(RowId(tx.last_insert_rowid()))
}
