//! What the checks of a migration found of messages in its target.

use super::{Ledger, key_of};
use crate::error::Result;
use crate::mail::Key;
use crate::state::record::{Finding, FolderId, RowId};
use rusqlite::params;
use std::collections::{HashMap, HashSet};

/// What stands in place of a place for a message that was removed.
const REMOVED: &str = "removed";

impl Ledger {
    /// What the last check found of each message of the folder that any check found.
    pub fn findings(&self, folder: FolderId) -> Result<HashMap<RowId, Finding>> {
        let read = || -> rusqlite::Result<HashMap<_, _>> {
            let mut query = self.db.prepare_cached(
                "SELECT id, found, compared FROM message WHERE folder = ?1 AND found IS NOT NULL AND status != 'arriving'",
            )?;
            let mut findings = HashMap::new();
            let mut rows = query.query([folder.0])?;
            while let Some(row) = rows.next()? {
                let finding = match row.get_ref(1)?.as_str()? {
                    REMOVED => Finding::Removed,
                    at => Finding::Stands { at: at.to_owned(), compared: row.get(2)? },
                };
                findings.insert(RowId(row.get(0)?), finding);
            }
            Ok(findings)
        };
        read().map_err(|e| self.failed(e))
    }

    /// Records what a check found.
    pub fn set_findings(&mut self, findings: &[(RowId, Finding)]) -> Result<()> {
        self.write(|tx| {
            let mut update = tx.prepare_cached("UPDATE message SET found = ?2, compared = ?3 WHERE id = ?1")?;
            findings.iter().try_for_each(|(row, finding)| {
                let (at, compared) = match finding {
                    Finding::Removed => (REMOVED, false),
                    Finding::Stands { at, compared } => (at.as_str(), *compared),
                };
                update.execute(params![row.0, at, compared]).map(drop)
            })
        })
    }

    /// What was compared octet by octet counts as found by header and size: it is to be compared once more.
    pub fn compare_anew(&mut self) -> Result<()> {
        self.write(|tx| tx.execute("UPDATE message SET compared = 0 WHERE compared = 1", []).map(drop))
    }

    /// Messages of the source that the last check found in the target.
    pub fn standing(&self, folder: FolderId) -> Result<HashSet<Key>> {
        let read = || -> rusqlite::Result<HashSet<_>> {
            let mut query = self.db.prepare(
                "SELECT key FROM message WHERE folder = ?1 AND key IS NOT NULL AND found != ?2 AND status = 'delivered'",
            )?;
            query.query_map(params![folder.0, REMOVED], |r| key_of(r, 0))?.collect()
        };
        read().map_err(|e| self.failed(e))
    }

    /// Messages of the server that stood in the store before the first run: nothing was put there for them.
    pub fn stood_before(&self, folder: FolderId) -> Result<HashSet<Key>> {
        let read = || -> rusqlite::Result<HashSet<_>> {
            let mut query = self.db.prepare(
                "SELECT key FROM message WHERE folder = ?1 AND key IS NOT NULL AND place IS NULL
                 AND status = 'delivered' AND missing_since IS NULL AND found IS NOT ?2",
            )?;
            query.query_map(params![folder.0, REMOVED], |r| key_of(r, 0))?.collect()
        };
        read().map_err(|e| self.failed(e))
    }

    /// Whether any message of the folder that has no name was removed from the target.
    pub fn lacks_nameless(&self, folder: FolderId) -> Result<bool> {
        let lacks = "SELECT EXISTS (SELECT 1 FROM message WHERE folder = ?1 AND key IS NULL AND found = ?2)";
        self.db.query_row(lacks, params![folder.0, REMOVED], |r| r.get(0)).map_err(|e| self.failed(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Content, Digest, Fingerprint};
    use crate::state::{Home, Paired};

    #[test]
    fn what_was_found_is_known_until_it_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("accounts")).unwrap();
        let mut ledger = Ledger::open(&Home::new(dir.path(), "a")).unwrap();
        let stored = [1, 2, 3].map(|n| Content::known(n, Digest([1; 32]), Fingerprint([1; 16])));
        let folder = ledger.begin("INBOX", "s", &stored, 0).unwrap().id;
        let ids: Vec<RowId> = ledger.rows(folder).unwrap().iter().map(|row| row.id).collect();
        let named = |at: usize, key| Paired { row: ids[at], key: Some(Key::new(key)), listed_size: Some(1) };
        ledger.rekey(folder, &[named(0, "a"), named(1, "b")]).unwrap();
        assert!(ledger.findings(folder).unwrap().is_empty() && ledger.standing(folder).unwrap().is_empty());

        let stands = |compared| Finding::Stands { at: "7:1+2".to_owned(), compared };
        ledger.set_findings(&[(ids[0], stands(true)), (ids[1], Finding::Removed)]).unwrap();
        assert_eq!(
            ledger.findings(folder).unwrap(),
            HashMap::from([(ids[0], stands(true)), (ids[1], Finding::Removed)])
        );
        assert_eq!(ledger.standing(folder).unwrap(), HashSet::from([Key::new("a")]));
        let before: HashSet<Key> = ledger.stood_before(folder).unwrap();
        assert_eq!(before, HashSet::from([Key::new("a")]), "what was removed there stands there no more");
        assert!(!ledger.lacks_nameless(folder).unwrap());
        ledger.set_findings(&[(ids[2], Finding::Removed)]).unwrap();
        assert!(ledger.lacks_nameless(folder).unwrap());
        ledger.compare_anew().unwrap();
        assert_eq!(ledger.findings(folder).unwrap()[&ids[0]], stands(false));
    }
}
