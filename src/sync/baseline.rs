//! How a folder is left, and what its next look starts from: what the server had is known, so that it only has to tell what changed.

use super::account::Job;
use super::observe::Observed;
use super::{Plan, Policy, Tally};
use crate::error::Result;
use crate::imap::{self, Baseline, FolderStatus};
use crate::mail::{FolderName, Key, Marks, Side};
use crate::state::{Facts, Folder, FolderId, Leftover, Pair, Why};
use crate::store::{MaildirFolder, Messages};
use std::collections::{BTreeMap, BTreeSet};

/// The messages that the server had when the folder was last left, and the UIDs of further ones whose marks are not known.
pub(super) fn known_there(
    pairs: impl IntoIterator<Item = Pair>,
    leftovers: Vec<Leftover>,
) -> (Messages, BTreeSet<u32>) {
    let there = leftovers.into_iter().filter(|l| l.on == Side::Remote);
    let mut left: BTreeMap<Key, (Marks, Option<u64>)> = there.map(|l| (l.key, (l.marks, l.size))).collect();
    let (mut pairs, mut doubtful) = (pairs.into_iter(), BTreeSet::new());
    // One after the other, for there may be very many.
    let messages = std::iter::from_fn(|| {
        for pair in pairs.by_ref() {
            let Some(key) = pair.keys.remote.filter(|_| pair.gone != Some(Side::Remote)) else { continue };
            let told = left.remove(&key);
            if pair.gone.is_some() || pair.pending.is_some() {
                doubtful.extend(key.uid());
                continue;
            }
            let (marks, size) = told.unwrap_or((pair.agreed, None));
            return Some((key, marks, size));
        }
        left.pop_first().map(|(key, (marks, size))| (key, marks, size))
    });
    (messages.collect(), doubtful)
}

impl Policy {
    /// All of it in words, to be held against what was wanted before.
    fn spelled_out(&self) -> String {
        format!("{self:?}")
    }
}

impl Plan {
    /// Whether there is nothing to do, and will be nothing until something changes on a side.
    fn is_quiet(&self) -> bool {
        self.steps.is_empty() && !self.is_entered && self.skipped.iter().all(|s| s.why != Why::CutShort)
    }
}

impl Observed {
    /// What to remember of the folder once the plan is carried out, and nothing failed, but that it may have to be planned
    /// again.
    pub fn facts_after(&self, plan: &Plan, again: bool, policy: &Policy) -> Facts {
        let is_quiet = plan.is_quiet() && self.left == 0;
        let facts = if is_quiet { self.facts.clone() } else { Facts::default() };
        let is_known = !self.comparison.cut_short.remote && !again;
        let baseline = self.facts.highestmodseq.filter(|_| is_known);
        Facts { synced: true, baseline, policy: Some(policy.spelled_out()), ..facts }
    }
}

impl Job {
    /// What the server had when the folder was last left, as far as all of it is known.
    pub(super) fn baseline(&self, folder: FolderId, same_scope: bool) -> Result<Option<Baseline>> {
        let ledger = self.carrier.ledger();
        let Some(modseq) = ledger.facts(folder)?.baseline.filter(|_| same_scope) else { return Ok(None) };
        let leftovers = ledger.leftovers(folder)?;
        let (messages, doubtful) = ledger.with_pairs(folder, |pairs| known_there(pairs, leftovers))?;
        Ok(Some(Baseline { modseq, messages, doubtful }))
    }

    /// What the guard has to know of a folder in which nothing has changed since the last sync; `None` where something may
    /// have.
    pub(super) fn unchanged(&self, name: &FolderName, status: &FolderStatus, policy: &Policy) -> Result<Option<Tally>> {
        let Some(folder) = self.carrier.ledger().folder(&name.to_string())? else { return Ok(None) };
        let facts = self.carrier.ledger().facts(folder.id)?;
        let same_policy = facts.policy.as_ref().is_some_and(|before| *before == policy.spelled_out());
        if !facts.synced || !same_policy || !self.stands(name, &folder, &facts, status)? {
            return Ok(None);
        }
        let ledger = self.carrier.ledger();
        if !ledger.unsettled(folder.id)?.is_empty() || !ledger.intents(folder.id)?.is_empty() {
            return Ok(None);
        }
        let pairs = u64::from(facts.messages.unwrap_or(0)).saturating_sub(ledger.alone_there(folder.id)?);
        Ok(Some(Tally::unchanged(name.to_string(), pairs)))
    }

    /// Whether both sides of a folder are as these facts say.
    pub(super) fn stands(
        &self,
        name: &FolderName,
        folder: &Folder,
        facts: &Facts,
        status: &FolderStatus,
    ) -> Result<bool> {
        let same_scope = status.uidvalidity.is_some() && status.uidvalidity == imap::uidvalidity_in(&folder.scope);
        let same_there = facts.highestmodseq.is_some()
            && facts.highestmodseq == status.highestmodseq
            && (facts.messages, facts.uidnext) == (status.messages, status.uidnext);
        if !same_scope || !same_there || facts.times.is_none() {
            return Ok(false);
        }
        let Some(local) = MaildirFolder::standing(&self.store, name)? else { return Ok(false) };
        let times = local.times()?;
        Ok(facts.times == Some((times.cur, times.new)))
    }
}
