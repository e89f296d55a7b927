//! Marks of a message that was moved while a run looked at one folder after the other: the run saw it in both, copied it as a
//! new one, and finds it gone from where it was. Marks that were changed on the other side meanwhile go to the copy.

use super::execute::{Done, Errand};
use super::merge::without_deleted;
use super::{Action, Reason, Step};
use crate::error::Result;
use crate::mail::{Change, Digest, FolderName, Key, Side};
use crate::state::RowId;
use crate::store::{Mailbox, MaildirFolder};
use std::collections::HashMap;

impl Errand<'_> {
    /// Before messages are removed: where marks are lost with one, and its like has come into another folder in this run or
    /// the one before, that one gets them here. The next round brings them to the server.
    pub(super) async fn hand_on_marks(&self, steps: &[Step], done: &mut Done) -> Result<()> {
        let mut lost: Vec<(RowId, Change)> = steps.iter().filter_map(|step| self.lost_marks(step)).collect();
        lost.retain(|(_, change)| !change.is_empty());
        if lost.is_empty() {
            return Ok(());
        }
        let mut likes: HashMap<Digest, (FolderName, Key)> = HashMap::new();
        let rows: Vec<RowId> = lost.iter().map(|(row, _)| *row).collect();
        let digests: HashMap<RowId, Digest> = {
            let ledger = self.job.carrier.ledger();
            let since = ledger.last_run()?.map_or(self.job.carrier.now, |run| run.started);
            for (digest, folder, key) in ledger.arrived_since(since)? {
                let folder = FolderName::parse(&folder).filter(|folder| *folder != self.look.name);
                likes.extend(folder.map(|folder| (digest, (folder, key))));
            }
            ledger.rows_of(&rows)?.iter().map(|row| (row.id, row.digest)).collect()
        };
        for (row, change) in lost {
            let Some((name, key)) = digests.get(&row).and_then(|digest| likes.get(digest)) else { continue };
            if let Some(mut folder) = MaildirFolder::standing(&self.job.store, name)? {
                folder.snapshot().await?;
                folder.edit(&[(key.clone(), change)]).await?;
                done.again = true;
                crate::fault::point();
            }
        }
        Ok(())
    }

    /// The changes of marks that are lost with a message which is removed.
    fn lost_marks(&self, step: &Step) -> Option<(RowId, Change)> {
        let (Action::Remove { on, row, .. }, Reason::Removed { marked: true, .. }) = (&step.action, &step.reason)
        else {
            return None;
        };
        if *on == Side::Remote && !self.job.policy.marks.reaches(Side::Local) {
            return None;
        }
        let open = &self.look.comparison.open;
        let open = open.get(open.binary_search_by_key(row, |open| open.pair.row).ok()?)?;
        let shown = without_deleted(open.presence.on(*on).marks()?);
        Some((*row, without_deleted(&open.pair.agreed).change_to(&shown)))
    }
}
