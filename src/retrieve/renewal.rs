//! A store that was lost and made anew: what the ledger knows of the old one is no reason to leave mail out, and none to
//! delete it on the server.

use super::Job;
use crate::error::Result;
use crate::store::{Place, Store};

impl Job {
    /// Where another store stands than the one that the ledger speaks of, without any message that was put into that one:
    /// forgets the folder, so that what the server still has comes into the new one, and nothing is deleted there because it
    /// was in the old one. `None` for a store that is still to be made.
    pub(super) fn acquaint<S: Store>(&self, folder_name: &str, store: Option<&S>) -> Result<()> {
        let found = store.map_or(Ok(None), Store::identity)?;
        if store.is_some() && found.is_none() {
            return Ok(());
        }
        let (fact, mut ledger) = (format!("store of {folder_name}"), self.ledger());
        let before = ledger.fact(&fact)?;
        let now = found.map(|found| format!("{}\n{}", found.born, found.path.display()));
        let path = |fact: &String| fact.split_once('\n').map(|(_, path)| path.to_owned());
        // Another path is another store by the owner's will.
        let replaced =
            before != now && before.as_ref().and_then(path) == now.as_ref().or(before.as_ref()).and_then(path);
        if replaced
            && let Some(folder) = ledger.folder(folder_name)?
            && !ledger.facts(folder.id)?.synced
        {
            let known: Vec<_> =
                ledger.stored(folder.id)?.into_iter().map(|(place, digest)| (place.map(Place), digest)).collect();
            if !known.is_empty() && !store.map_or(Ok(false), |store| store.holds_any(&known))? {
                ledger.forget_folder(folder.id)?;
                self.warn(&format!(
                    "{folder_name}: the store was made anew, and holds nothing of what was brought before: what the \
                     server still has is fetched again."
                ));
            }
        }
        match now {
            Some(now) if before.as_ref() != Some(&now) => ledger.set_fact(&fact, &now),
            _ => Ok(()),
        }
    }
}
