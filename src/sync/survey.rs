//! What both sides have, before any folder is opened.

use super::account::Job;
use super::folders;
use crate::error::{Error, Kind, Result};
use crate::event::{Counts, Event};
use crate::imap::{Imap, Link, Tree};
use crate::mail::{FolderName, FolderPattern};
use crate::store::{Marker, Standing};
use std::collections::BTreeSet;
use std::path::Path;

/// The folders of both sides, and which of them are wanted.
pub(super) struct Survey {
    /// The server's.
    pub tree: Tree,
    /// Those of the store.
    pub here: BTreeSet<FolderName>,
    /// What the account's owner wants, with folders in the place of roles.
    pub patterns: Vec<FolderPattern>,
}

/// The fact under which the marker of the store is remembered.
const MARKER: &str = "marker";

impl Job {
    /// Lists the folders of both sides, and settles what an interrupted run may have sent.
    pub(super) async fn survey<S: Link>(&self, imap: &mut Imap<S>, counts: &mut Counts) -> Result<Survey> {
        self.store_stands()?;
        let tree = imap.tree_to_sync(self.subscribed).await?;
        self.settle_intents(imap, &tree).await?;
        let here = self.store.tree()?;
        here.notes.iter().for_each(|note| self.tell(Event::Warning(note)));
        counts.left += here.left;
        for path in &here.foreign {
            let path = path.display();
            let remedy = "Give it another name or place, or move it out of the store.";
            self.leave(&format!("{path} is left out: the layout of the store has no folder there. {remedy}"), counts);
        }
        let mut patterns = folders::resolved(&self.folders, &tree);
        for (aside, note) in folders::set_aside(&patterns, &tree) {
            patterns.push(aside);
            note.into_iter().for_each(|note| self.tell(Event::Note(&note)));
        }
        self.tell_twins(&tree, &patterns, counts);
        Ok(Survey { tree, here: here.folders.into_keys().collect(), patterns })
    }

    /// Tells of folders on the server that cannot be told from others here.
    fn tell_twins(&self, tree: &Tree, patterns: &[FolderPattern], counts: &mut Counts) {
        for folder in tree.folders().filter(|folder| FolderPattern::selects(patterns, &folder.name)) {
            folder.tell_twins("synced").for_each(|what| self.leave(&what, counts));
        }
    }

    /// The store's root has to be the one that was synced before: an unmounted disk is no wish to delete everything.
    fn store_stands(&self) -> Result<()> {
        let root = &self.store.path;
        let expected = self.carrier.ledger().fact(MARKER)?.map(Marker);
        let standing = expected.as_ref().map(|marker| marker.standing(root)).transpose()?;
        let shown = root.display();
        match standing {
            Some(Standing::Present) => Ok(()),
            None if self.dry_run => Ok(()),
            None => {
                let marker = Marker::make(root)?;
                self.carrier.ledger().set_fact(MARKER, &marker.0)
            }
            Some(Standing::Missing) => Err(store_is_gone(root)),
            Some(Standing::Unmarked) => {
                Err(unmounted(&format!("{shown} is not the store that was synced before: it has no .mailferry")))
            }
            Some(Standing::Foreign) => {
                Err(unmounted(&format!("{shown} is another store than the one that was synced before")))
            }
        }
    }
}

/// The store was there last time and is gone: a disk that is not mounted, not a wish to delete everything.
pub fn store_is_gone(root: &Path) -> Error {
    unmounted(&format!("the store {} was there last time and is gone", root.display()))
}

fn unmounted(what: &str) -> Error {
    Error::new(
        Kind::Guard,
        format!("{what}; nothing was deleted"),
        "Mount its disk, or bring the store back. To start anew with what is there, move the account's state file away \
         (docs/state.md): what both sides have is recognised.",
    )
}
