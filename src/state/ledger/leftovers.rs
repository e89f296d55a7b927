//! How folders are left: what to hold the next look against.

use super::{Ledger, key_of};
use crate::error::Result;
use crate::mail::{Marks, Side};
use crate::state::pair::{Facts, Leftover, Why, read_marks, write_marks};
use crate::state::record::FolderId;
use rusqlite::{Transaction, params};

impl Ledger {
    /// How the last sync left the folder.
    pub fn facts(&self, folder: FolderId) -> Result<Facts> {
        self.db
            .query_row(
                "SELECT synced, messages, uidnext, highestmodseq, baseline, cur_time, new_time, policy FROM folder
                 WHERE id = ?1",
                [folder.0],
                |r| {
                    Ok(Facts {
                        synced: r.get(0)?,
                        messages: r.get(1)?,
                        uidnext: r.get(2)?,
                        highestmodseq: r.get(3)?,
                        baseline: r.get(4)?,
                        times: r.get::<_, Option<i64>>(5)?.zip(r.get(6)?),
                        policy: r.get(7)?,
                    })
                },
            )
            .map_err(|e| self.failed(e))
    }

    /// Records how a sync leaves the folder, and what in it the pairs do not tell.
    pub fn set_facts(&mut self, folder: FolderId, facts: &Facts, leftovers: &[Leftover]) -> Result<()> {
        let (cur, new) = facts.times.unzip();
        let are_new = self.leftovers(folder)? != leftovers;
        self.write(|tx| {
            tx.execute(
                "UPDATE folder SET synced = ?2, messages = ?3, uidnext = ?4, highestmodseq = ?5, baseline = ?6,
                        cur_time = ?7, new_time = ?8, policy = ?9 WHERE id = ?1",
                params![
                    folder.0,
                    facts.synced,
                    facts.messages,
                    facts.uidnext,
                    facts.highestmodseq,
                    facts.baseline,
                    cur,
                    new,
                    facts.policy
                ],
            )?;
            if are_new { leave(tx, folder, leftovers) } else { Ok(()) }
        })
    }

    /// What the last sync left in the folder that the pairs do not tell, by side and key.
    pub fn leftovers(&self, folder: FolderId) -> Result<Vec<Leftover>> {
        self.left_over(folder, None)
    }

    /// The messages among them that are not copied for this reason.
    pub fn left_because(&self, folder: FolderId, why: Why) -> Result<Vec<Leftover>> {
        self.left_over(folder, Some(why))
    }

    fn left_over(&self, folder: FolderId, why: Option<Why>) -> Result<Vec<Leftover>> {
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut query = self.db.prepare_cached(
                "SELECT side, key, marks, size, received_at, why FROM leftover
                 WHERE folder = ?1 AND (?2 IS NULL OR why = ?2)",
            )?;
            let leftover = |r: &rusqlite::Row<'_>| {
                Ok(Leftover {
                    on: if r.get_ref(0)?.as_str()? == "remote" { Side::Remote } else { Side::Local },
                    key: key_of(r, 1)?,
                    marks: read_marks(r.get_ref(2)?.as_str()?),
                    size: r.get(3)?,
                    received_at: r.get(4)?,
                    why: r.get_ref(5)?.as_str_or_null()?.and_then(Why::of_word),
                })
            };
            let mut leftovers: Vec<Leftover> =
                query.query_map(params![folder.0, why.map(Why::word)], leftover)?.collect::<rusqlite::Result<_>>()?;
            leftovers.sort_by(|a, b| (a.on, &a.key).cmp(&(b.on, &b.key)));
            Ok(leftovers)
        };
        read().map_err(|e| self.failed(e))
    }

    /// Marks that the server took in this folder and did not keep.
    pub fn unkept(&self, folder: FolderId) -> Result<Marks> {
        Ok(self.fact(&format!("unkept {}", folder.0))?.map(|text| read_marks(&text)).unwrap_or_default())
    }

    /// Records which ones.
    pub fn set_unkept(&mut self, folder: FolderId, marks: &Marks) -> Result<()> {
        self.set_fact(&format!("unkept {}", folder.0), &write_marks(marks))
    }

    /// Records what was said of a folder that need not be said again, and tells whether that is new.
    pub fn is_news(&mut self, folder: FolderId, said: &str) -> Result<bool> {
        let name = format!("said {}", folder.0);
        let is_news = self.fact(&name)?.unwrap_or_default() != said;
        if is_news {
            self.set_fact(&name, said)?;
        }
        Ok(is_news)
    }

    /// How many messages stood alone on the server.
    pub fn alone_there(&self, folder: FolderId) -> Result<u64> {
        let sql = "SELECT count(*) FROM leftover WHERE folder = ?1 AND side = 'remote' AND why IS NOT NULL";
        let read = || self.db.prepare_cached(sql)?.query_row([folder.0], |r| r.get(0));
        read().map_err(|e| self.failed(e))
    }
}

fn leave(tx: &Transaction<'_>, folder: FolderId, leftovers: &[Leftover]) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM leftover WHERE folder = ?1")?.execute([folder.0])?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO leftover (folder, side, key, marks, size, received_at, why) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    leftovers.iter().try_for_each(|l| {
        let Leftover { on, key, marks, size, received_at, why } = l;
        let (side, marks, why) = (on.to_string(), write_marks(marks), why.map(Why::word));
        insert.execute(params![folder.0, side, key.as_bytes(), marks, size, received_at, why]).map(drop)
    })
}
