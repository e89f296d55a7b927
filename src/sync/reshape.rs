//! Folders that were removed on one side are removed on the other.

use super::Plan;
use super::account::Job;
use super::depart::Turn;
use super::execute::{Done, Errand};
use crate::error::Result;
use crate::event::{Counts, Event, FolderDeed};
use crate::imap::{Imap, Link};
use crate::mail::{FolderName, Side};
use crate::store::{MaildirFolder, Removal};
use std::collections::HashSet;

impl Errand<'_> {
    /// Moves and removes the messages of a folder that was removed on the other side, and the folder when it holds nothing
    /// any more.
    pub(super) async fn remove_folder<S: Link>(
        &self,
        imap: &mut Imap<S>,
        plan: &Plan,
        side: Side,
        counts: &mut Counts,
    ) -> Result<()> {
        let (job, steps) = (self.job, &plan.steps);
        let mut done = Done { whole: true, ..Done::default() };
        let mut left = HashSet::new();
        match side {
            Side::Local => {
                if let Some(mut local) = MaildirFolder::standing(&job.store, &self.look.name)? {
                    for turn in [Turn::First, Turn::Last] {
                        left.extend(self.remove(side, turn, &mut local, steps, counts).await?);
                    }
                    self.relocate_local(&mut local, steps, &mut done, counts).await?;
                }
            }
            Side::Remote => {
                let Some(mut remote) = self.open(imap).await? else { return Ok(()) };
                for turn in [Turn::First, Turn::Last] {
                    left.extend(self.remove(side, turn, &mut remote, steps, counts).await?);
                }
                self.relocate_remote(&mut remote, steps, &mut done, counts).await?;
                self.tell_notes(&mut remote);
            }
        }
        self.forget(steps, &left)?;
        crate::fault::point();
        if self.look.stays || !done.whole || !left.is_empty() {
            return Ok(());
        }
        let is_gone = match side {
            Side::Local => self.remove_here(counts)?,
            Side::Remote => self.remove_there(imap, counts).await?,
        };
        if is_gone {
            job.tell_folder(&self.look.name, side, FolderDeed::Remove, counts);
            crate::fault::point();
            job.carrier.ledger().forget_folder(self.look.id)?;
            crate::fault::point();
        }
        Ok(())
    }

    fn remove_here(&self, counts: &mut Counts) -> Result<bool> {
        let name = &self.look.name;
        match self.job.store.remove_folder(name)? {
            Removal::Gone => Ok(true),
            Removal::Leaving(files) => {
                let names: Vec<String> = files.iter().take(3).map(|f| f.display().to_string()).collect();
                let note = format!("{name} was removed; files that are no mail stay: {}", names.join(", "));
                self.job.tell(Event::Warning(&note));
                Ok(true)
            }
            Removal::NotEmpty => {
                let note = format!("{name} was removed on the server; it stays here, for something has come into it.");
                self.job.leave(&note, counts);
                Ok(false)
            }
        }
    }

    async fn remove_there<S: Link>(&self, imap: &mut Imap<S>, counts: &mut Counts) -> Result<bool> {
        let name = &self.look.name;
        let Some(folder) = &self.look.remote else { return Ok(false) };
        // Servers do not like the open folder to be removed, and what came into it meanwhile would go with it.
        imap.leave().await?;
        if imap.count(folder).await? != Some(0) {
            let note = format!("{name} was removed here; it stays on the server, for something has come into it.");
            self.job.leave(&note, counts);
            return Ok(false);
        }
        imap.remove_folder(folder).await?;
        Ok(true)
    }
}

impl Job {
    /// Forgets a folder that neither side has, and clears away what a removal that was interrupted left of it here.
    pub(super) fn forget(&self, name: &FolderName) -> Result<()> {
        let is_in_part = self.store.standing_path(name)?.is_dir();
        if is_in_part && !self.dry_run && !name.is_inbox() && self.policy.remove_folders.reaches(Side::Local) {
            self.store.remove_folder(name)?;
        }
        let mut ledger = self.carrier.ledger();
        match ledger.folder(&name.to_string())? {
            Some(folder) => ledger.forget_folder(folder.id),
            None => Ok(()),
        }
    }
}
