//! Folders that were given another name on one side get it on the other; no message is transferred.

use super::account::Job;
use super::folders;
use super::traits::Traits;
use crate::error::Result;
use crate::event::{Counts, FolderDeed};
use crate::imap::{self, Imap, Link};
use crate::mail::{FolderName, FolderPattern, Key, Side};
use crate::retrieve::Retriever;
use crate::state::{Folder, FolderId};
use crate::store::{Mailbox, MaildirFolder};
use std::collections::{BTreeSet, HashMap};

/// Messages whose headers are compared, to know a folder again.
const SAMPLE: usize = 8;

/// The folders of both sides.
pub(super) struct Trees {
    /// The server's.
    pub there: imap::Tree,
    /// Those of the store.
    pub here: BTreeSet<FolderName>,
    /// Those that were synced before.
    pub known: BTreeSet<FolderName>,
}

/// What is renamed: folders, outermost first, each with its new name.
type Renamed = Vec<(FolderName, FolderName)>;

impl Job {
    /// Finds folders that were renamed, and renames them on the other side, where `remove_folders` and `create` let that
    /// travel. In a dry run, tells of them and takes them out of the trees.
    pub(super) async fn follow_renames<S: Link>(
        &self,
        imap: &mut Imap<S>,
        trees: &mut Trees,
        patterns: &[FolderPattern],
        counts: &mut Counts,
    ) -> Result<()> {
        // Each time round, one is renamed, with what lies in it.
        while let Some((on, renamed)) = self.one_renamed(imap, trees, patterns).await? {
            let Some((from, to)) = renamed.first() else { return Ok(()) };
            if let Some(on) = on {
                self.tell_folder(from, on, FolderDeed::Rename(&to.to_string()), counts);
            }
            if self.dry_run {
                for name in renamed.iter().flat_map(|(from, to)| [from, to]) {
                    trees.there.remove(name);
                    trees.here.remove(name);
                    trees.known.remove(name);
                }
                continue;
            }
            match on {
                Some(Side::Local) => self.store.rename_folder(from, to)?,
                Some(Side::Remote) => {
                    if let Some(folder) = trees.there.get(from).cloned() {
                        imap.leave().await?;
                        imap.rename_folder(&folder, to).await?;
                    }
                }
                None => {}
            }
            crate::fault::point();
            self.write_down_names(&renamed)?;
            crate::fault::point();
            trees.there = imap.tree(self.subscribed).await?;
            trees.here = self.store.tree()?.folders.into_keys().collect();
            trees.known = self.known()?;
        }
        Ok(())
    }

    fn write_down_names(&self, renamed: &[(FolderName, FolderName)]) -> Result<()> {
        let mut ledger = self.carrier.ledger();
        let mut names: Vec<(FolderId, String)> = Vec::new();
        for (from, to) in renamed {
            if let Some(folder) = ledger.folder(&from.to_string())? {
                names.push((folder.id, to.to_string()));
            }
        }
        ledger.rename_folders(&names)
    }

    /// A folder that was renamed, and on which side that is to be done; on none where both have the new name already.
    async fn one_renamed<S: Link>(
        &self,
        imap: &mut Imap<S>,
        trees: &Trees,
        patterns: &[FolderPattern],
    ) -> Result<Option<(Option<Side>, Renamed)>> {
        if trees.there.is_cut_short() {
            return Ok(None);
        }
        let there = self.standing_there(trees)?;
        let may = |on: Side| self.policy.remove_folders.reaches(on) && self.policy.create.reaches(on);
        for on in [Side::Local, Side::Remote] {
            let (changed, other) = match on {
                Side::Local => (&there, &trees.here),
                Side::Remote => (&trees.here, &there),
            };
            for (old, candidates) in folders::maybe_renamed(changed, other, &trees.known, patterns) {
                let Some(folder) = self.carrier.ledger().folder(&old.to_string())? else { continue };
                let on = Some(on).filter(|_| other.contains(old));
                for new in candidates.into_iter().filter(|_| on.is_none_or(may)) {
                    let renamed = match on {
                        Some(_) => folders::renamed_along(old, new, changed, other),
                        None => Some(vec![(old.clone(), new.clone())]),
                    };
                    let Some(renamed) = renamed.filter(|_| self.is_unknown(new).unwrap_or(false)) else { continue };
                    let is_it = match (on, trees.there.get(new)) {
                        (Some(Side::Remote), _) => self.holds_files_of(&folder, new).await?,
                        (_, Some(remote)) => self.holds_messages_of(imap, &folder, remote, &trees.there).await?,
                        (_, None) => false,
                    };
                    if is_it {
                        return Ok(Some((on, renamed)));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The names of the server's folders, without those that other folders have taken over: what the ledger knows under
    /// such a name stands under a new one.
    fn standing_there(&self, trees: &Trees) -> Result<BTreeSet<FolderName>> {
        let (known, new): (Vec<_>, Vec<_>) = trees.there.folders().partition(|f| trees.known.contains(&f.name));
        let new_ones: BTreeSet<u32> = new.iter().copied().filter_map(uidvalidity).collect();
        let mut standing: BTreeSet<FolderName> = new.into_iter().map(|f| f.name.clone()).collect();
        for folder in known {
            let row = self.carrier.ledger().folder(&folder.name.to_string())?;
            let before = row.and_then(|row| imap::uidvalidity_in(&row.scope));
            let moved_on = |before| uidvalidity(folder) != Some(before) && new_ones.contains(&before);
            if !before.is_some_and(moved_on) {
                standing.insert(folder.name.clone());
            }
        }
        Ok(standing)
    }

    /// Whether the ledger knows no message of a folder.
    fn is_unknown(&self, name: &FolderName) -> Result<bool> {
        let ledger = self.carrier.ledger();
        let folder = ledger.folder(&name.to_string())?;
        folder.map_or(Ok(true), |folder| {
            Ok(ledger.rows(folder.id)?.is_empty() && ledger.unsettled(folder.id)?.is_empty())
        })
    }

    /// Whether a folder here has the files of one that is missing: more than half of them, by their names.
    async fn holds_files_of(&self, folder: &Folder, name: &FolderName) -> Result<bool> {
        let Some(mut local) = MaildirFolder::standing(&self.store, name)? else { return Ok(false) };
        let pairs = self.carrier.ledger().pairs(folder.id)?;
        let shown = local.snapshot().await?.messages;
        let known: Vec<&Key> = pairs.iter().filter_map(|p| p.keys.local.as_ref()).collect();
        let found = known.iter().filter(|key| shown.contains_key(key)).count();
        Ok(found * 2 > known.len())
    }

    /// Whether a folder on the server is one that is missing: its UIDs hold good for it, and the messages that have those of
    /// a few known ones are these. Of one that held none, UIDVALIDITY alone tells, where each folder has its own.
    async fn holds_messages_of<S: Link>(
        &self,
        imap: &mut Imap<S>,
        folder: &Folder,
        remote: &imap::Folder,
        there: &imap::Tree,
    ) -> Result<bool> {
        let told = uidvalidity(remote);
        let Some(known) = imap::uidvalidity_in(&folder.scope) else { return Ok(false) };
        if told.is_some_and(|told| told != known) {
            return Ok(false);
        }
        let pairs = self.carrier.ledger().pairs(folder.id)?;
        let step = pairs.len().div_ceil(SAMPLE).max(1);
        let sample: Vec<_> = pairs.iter().filter(|p| p.keys.remote.is_some()).step_by(step).map(|p| p.row).collect();
        if sample.is_empty() {
            let is_empty = remote.status.is_some_and(|s| s.messages == Some(0));
            let is_its_own = there.folders().filter(|f| uidvalidity(f) == told).count() == 1;
            return Ok(told.is_some() && is_empty && is_its_own);
        }
        let rows = self.carrier.ledger().rows_of(&sample)?;
        let rows: HashMap<Key, Traits> = rows.iter().filter_map(|r| Some((r.key.clone()?, Traits::from(r)))).collect();
        let mut mailbox = imap.mailbox(remote, false).await?;
        if mailbox.source().scope != folder.scope {
            return Ok(false);
        }
        let keys: Vec<Key> = rows.keys().cloned().collect();
        let found = mailbox.identify(&keys).await?;
        let is_same = |(key, identity): (&Key, &_)| {
            let seen = Traits::of(identity, None);
            rows.get(key).is_some_and(|row| {
                seen.fingerprint == row.fingerprint && seen.sizes().any(|s| row.sizes().any(|r| r == s))
            })
        };
        Ok(!found.is_empty() && found.iter().all(is_same))
    }
}

/// UIDVALIDITY of a folder as the server's listing tells it.
fn uidvalidity(folder: &imap::Folder) -> Option<u32> {
    folder.status.and_then(|s| s.uidvalidity)
}
