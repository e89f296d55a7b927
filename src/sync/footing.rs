//! Whether a folder still stands on what it stood on at the last look. Where it does not, what it lacks was not deleted: what
//! is known of a side is forgotten, and both are recognised anew, as after a lost state.

use super::account::Job;
use super::execute::Errand;
use super::traits::Traits;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::imap::{ImapFolder, Link};
use crate::mail::{FolderName, Key, Side};
use crate::retrieve::Retriever;
use crate::state::{Folder, FolderId, RowId};
use crate::store::{Identity, Mailbox, MaildirFolder, Snapshot};
use std::collections::HashMap;

impl Errand<'_> {
    /// Before messages are removed on the server: they have to be those that the ledger knows by their UIDs. A name alone
    /// deletes nothing (decision 3).
    pub(super) async fn are_known(&self, there: &mut impl Mailbox, doomed: Vec<(RowId, Key)>) -> Result<()> {
        if doomed.is_empty() {
            return Ok(());
        }
        let found = there.identify(&doomed.iter().map(|(_, key)| key.clone()).collect::<Vec<_>>()).await?;
        if self.job.others(&doomed, &found)?.is_empty() {
            return Ok(());
        }
        self.job.carrier.ledger().change_scope(self.look.id, "", false)?;
        let name = &self.look.name;
        let what = format!("{name}: the server has given the UID of a message that is to be deleted to another one");
        let remedy = "Nothing was deleted there. Run again: what both sides have is recognised anew.";
        Err(Error::new(Kind::TryLater, what, remedy).folder())
    }
}

/// A message that may not be the one which is known by its UID: that, its row, its key, and the size that is listed now.
type Suspect = (u32, RowId, Key, Option<u64>);

/// Messages whose headers are compared where the server seems to have given their UIDs to others.
const SUSPECTS: usize = 8;

impl Job {
    /// Tells that a folder is missing on a side and left alone: as a warning once, as a note from then on.
    pub(super) fn tell_left(&self, name: &FolderName, missing: Side, note: &str) -> Result<()> {
        let is_news = self.found_missing(name, missing)?;
        self.tell(if is_news { Event::Warning(note) } else { Event::Note(note) });
        Ok(())
    }

    /// Writes down that a folder is missing on a side: what comes to bear its name is another one. Tells whether that is new.
    pub(super) fn found_missing(&self, name: &FolderName, side: Side) -> Result<bool> {
        let mut ledger = self.carrier.ledger();
        let Some(folder) = ledger.folder(&name.to_string())? else { return Ok(false) };
        let is_news = ledger.place(folder.id, side)?.is_none_or(|place| !place.is_empty());
        if is_news {
            ledger.set_place(folder.id, side, "")?;
            crate::fault::point();
        }
        Ok(is_news)
    }

    /// Whether a folder was found missing on the server.
    pub(super) fn is_back(&self, folder: &Folder) -> Result<bool> {
        Ok(self.carrier.ledger().place(folder.id, Side::Remote)?.is_some_and(|place| place.is_empty()))
    }

    /// Where a folder here is another one than at the last look (it was made anew, or another disk is mounted there), the
    /// messages that it lacks were not deleted.
    pub(super) fn keep_place(&self, id: FolderId, folder: Option<&MaildirFolder>, shown: &Snapshot) -> Result<()> {
        let place = folder.map(MaildirFolder::place).transpose()?;
        let is = place.map(|known| known.unwrap_or_else(|| "there".to_owned())).unwrap_or_default();
        let was = self.carrier.ledger().place(id, Side::Local)?;
        if was.as_ref() == Some(&is) && !is.is_empty() {
            return Ok(());
        }
        if was.is_some() {
            let lacks = |key: &Key| !shown.messages.contains_key(key);
            let lost: Vec<RowId> = self.carrier.ledger().with_pairs(id, |pairs| {
                let lost = pairs.filter(|p| p.gone.is_none() && p.keys.local.as_ref().is_some_and(lacks));
                lost.map(|p| p.row).collect()
            })?;
            self.carrier.ledger().lost_here(&lost)?;
            crate::fault::point();
        }
        self.carrier.ledger().set_place(id, Side::Local, &is)
    }

    /// What the server lists of a folder. Where it has given UIDs to other messages, none of those that are known holds.
    pub(super) async fn listed<S: Link>(
        &self,
        id: FolderId,
        remote: &mut ImapFolder<'_, S>,
        same_scope: bool,
    ) -> Result<Snapshot> {
        let baseline = self.baseline(id, same_scope)?;
        let is_partial = baseline.is_some();
        let went_back = baseline.as_ref().is_some_and(|b| remote.highestmodseq().is_some_and(|now| now < b.modseq));
        let listed = match baseline {
            Some(known) => remote.snapshot_since(known).await?,
            None => remote.snapshot().await?,
        };
        if !same_scope || !self.are_given_again(id, remote, &listed, is_partial, went_back).await? {
            return Ok(listed);
        }
        let source = remote.source();
        self.tell(Event::Warning(&format!(
            "{}: the server has given the names (UIDs) of known messages to others, as after a restore from a backup; what \
             both sides have is recognised anew, and nothing is deleted for now",
            source.folder
        )));
        self.carrier.ledger().change_scope(id, &source.scope, false)?;
        crate::fault::point();
        remote.snapshot().await
    }

    /// Whether UIDs that are known were given to other messages, or are about to be: UIDNEXT has gone back, or a message
    /// that is listed with another size than before has another header; or one of the last, where HIGHESTMODSEQ has gone back, or
    /// the very last, where not all are listed with their sizes.
    async fn are_given_again<S: Link>(
        &self,
        id: FolderId,
        remote: &mut ImapFolder<'_, S>,
        listed: &Snapshot,
        is_partial: bool,
        went_back: bool,
    ) -> Result<bool> {
        let (mut highest, mut last, mut suspects) = (0, None::<Suspect>, Vec::<Suspect>::new());
        self.carrier.ledger().sizes_there(id, |row, key, size| {
            let Some(uid) = key.uid() else { return };
            highest = highest.max(uid);
            let Some(seen) = listed.messages.get(&key) else { return };
            if is_partial && last.as_ref().is_none_or(|(before, ..)| *before < uid) {
                last = Some((uid, row, key.clone(), None));
            }
            if went_back || seen.size.is_some_and(|listed| listed != size) {
                suspects.push((uid, row, key, seen.size));
            }
        })?;
        let highest_listed = listed.messages.keys().filter_map(Key::uid).max().unwrap_or(0);
        // Some servers state nonsense.
        if remote.uidnext().is_some_and(|next| next > highest_listed && next <= highest) {
            return Ok(true);
        }
        suspects.extend(last.filter(|(uid, ..)| suspects.iter().all(|(other, ..)| other != uid)));
        if suspects.is_empty() {
            return Ok(false);
        }
        // The last ones given are the first to be given again.
        suspects.sort_by_key(|(uid, ..)| std::cmp::Reverse(*uid));
        suspects.truncate(SUSPECTS);
        let keys: Vec<(RowId, Key)> = suspects.iter().map(|(_, row, key, _)| (*row, key.clone())).collect();
        let found = remote.identify(&keys.iter().map(|(_, key)| key.clone()).collect::<Vec<_>>()).await?;
        if !self.others(&keys, &found)?.is_empty() {
            return Ok(true);
        }
        let sizes: Vec<(RowId, u64)> = suspects.iter().filter_map(|(_, row, _, size)| Some((*row, (*size)?))).collect();
        self.carrier.ledger().listed_as(&sizes)?;
        Ok(false)
    }

    /// Which messages of the server are not those that the ledger knows by their keys: their headers differ.
    pub(super) fn others(&self, known: &[(RowId, Key)], found: &HashMap<Key, Identity>) -> Result<Vec<Key>> {
        let rows = self.carrier.ledger().rows_of(&known.iter().map(|(row, _)| *row).collect::<Vec<_>>())?;
        let prints: HashMap<RowId, Traits> = rows.iter().map(|row| (row.id, Traits::from(row))).collect();
        let differs = |(row, key): &&(RowId, Key)| match (prints.get(row), found.get(key)) {
            (Some(known), Some(found)) => known.fingerprint != found.fingerprint,
            _ => false,
        };
        Ok(known.iter().filter(differs).map(|(_, key)| key.clone()).collect())
    }
}
