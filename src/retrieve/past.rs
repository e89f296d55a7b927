//! What the ledger tells of a folder before its listing comes.

use super::{Job, Listed, Sizes, SourceId};
use crate::error::Result;
use crate::mail::Key;
use crate::state::{Folder, Row};
use crate::store::Store;
use std::collections::HashMap;
use std::sync::OnceLock;

/// What is known of a folder.
#[derive(Debug)]
pub struct Past {
    pub folder: Folder,
    pub rows: Vec<Row>,
    /// How the sizes held that the server stated of these.
    pub sizes: Sizes,
    voided: OnceLock<Vec<Row>>,
    /// Messages in quarantine, each with the number of its tries.
    pub failed_before: HashMap<Key, u32>,
}

impl Past {
    /// The rows, once no name holds any longer.
    pub fn without_keys(&self) -> &[Row] {
        self.voided.get_or_init(|| self.rows.iter().map(|row| Row { key: None, ..row.clone() }).collect())
    }

    /// Fills in the sizes with which known messages were listed before.
    pub fn tell_sizes(&self, listing: &mut [Listed]) {
        let sizes: HashMap<&Key, u64> =
            self.rows.iter().filter_map(|row| Some((row.key.as_ref()?, row.listed_size?))).collect();
        for listed in listing {
            listed.size = listed.key.as_ref().and_then(|key| sizes.get(key)).copied();
        }
    }
}

impl Job {
    /// What is known of the folder from earlier runs; where nothing is, every message in the store is written down
    /// without a name, so that it is recognised, in this run or a later one.
    pub(super) fn past<S: Store>(&self, source: &SourceId, store: Option<&S>) -> Result<Past> {
        let name = source.folder.to_string();
        let known = self.ledger().folder(&name)?;
        let folder = match known {
            Some(folder) => folder,
            None => {
                let stored = self.without_others(store.map_or(Ok(Vec::new()), Store::scan)?)?;
                let folder = self.ledger().begin(&name, &source.scope, &stored, self.now)?;
                crate::fault::point();
                folder
            }
        };
        if folder.scope != source.scope {
            self.ledger().change_scope(folder.id, &source.scope, false)?;
            crate::fault::point();
        }
        self.read(folder)
    }

    pub(super) fn read(&self, folder: Folder) -> Result<Past> {
        let rows = self.ledger().rows(folder.id)?;
        let failed_before = self.ledger().quarantined(folder.id)?.into_iter().map(|q| (q.key, q.tries)).collect();
        let sizes = Sizes::of(&rows);
        Ok(Past { folder, rows, sizes, voided: OnceLock::new(), failed_before })
    }
}
