//! Whether folders changed while others were looked at. A message that is moved between the looks at two folders shows in both
//! of them, or in neither: it would be copied, or deleted, and lose the marks that the other side has set on it.

use super::account::Job;
use super::observe::Observed;
use super::rename::Trees;
use super::{Action, Plan, Policy, Reason, Step, Tally};
use crate::error::Result;
use crate::imap::{FolderStatus, Imap, Link};
use crate::mail::{FolderName, FolderPattern};
use crate::store::MaildirFolder;
use std::collections::BTreeSet;

/// The folders of an account as a round has seen them.
pub(super) struct Seen<'a> {
    pub trees: &'a Trees,
    pub patterns: &'a [FolderPattern],
    /// Those that were looked at.
    pub observed: &'a [Observed],
    /// What is to be done in them.
    pub plans: &'a [Plan],
    /// Those that were left unread, for nothing had changed in them.
    pub resting: &'a [(FolderName, Tally)],
}

impl Seen<'_> {
    /// Whether what the plans do may be due to one half of a move.
    fn may_hold_halves(&self) -> bool {
        let is_half = |step: &Step| match step.action {
            Action::Copy { row, .. } => row.is_none(),
            Action::Remove { .. } => matches!(step.reason, Reason::Removed { .. }),
            _ => false,
        };
        let pairs = self.plans.iter().map(|plan| &plan.tally).chain(self.resting.iter().map(|(_, tally)| tally));
        let is_one_of_several = self.observed.len() + self.resting.len() > 1;
        is_one_of_several
            && pairs.map(|tally| tally.pairs).sum::<u64>() > 0
            && self.plans.iter().any(|plan| plan.steps.iter().any(is_half))
    }

    /// Of these folders, those that are wanted and were not there.
    fn are_new<'f>(&self, mut folders: impl Iterator<Item = &'f FolderName>, before: &BTreeSet<&FolderName>) -> bool {
        folders.any(|name| {
            let is_seen = before.contains(name) || self.observed.iter().any(|look| look.name == *name);
            !is_seen && FolderPattern::selects(self.patterns, name)
        })
    }
}

impl Job {
    /// Asks both sides once more, where a message may have been moved between the looks at two folders.
    pub(super) async fn is_overtaken<S: Link>(
        &self,
        imap: &mut Imap<S>,
        seen: &Seen<'_>,
        policy: &Policy,
    ) -> Result<bool> {
        if !seen.may_hold_halves() {
            return Ok(false);
        }
        for look in seen.observed {
            let local = MaildirFolder::standing(&self.store, &look.name)?;
            if local.map(|local| local.times()).transpose()? != look.times {
                return Ok(true);
            }
        }
        let here = self.store.tree()?.folders;
        if seen.are_new(here.keys(), &seen.trees.here.iter().collect()) {
            return Ok(true);
        }
        let there = imap.tree_to_sync(self.subscribed).await?;
        let before = seen.trees.there.folders().map(|folder| &folder.name).collect();
        if seen.are_new(there.folders().map(|folder| &folder.name), &before) {
            return Ok(true);
        }
        let untold = seen.observed.iter().filter_map(|look| look.remote.as_ref()).filter(|f| f.status.is_none());
        let asked = imap.statuses(&untold.collect::<Vec<_>>()).await?;
        let now = |name| there.get(name).and_then(|folder| folder.status).or_else(|| asked.get(name).copied());
        if seen.observed.iter().any(|look| now(&look.name).is_some_and(|now| look.differs_from(now))) {
            return Ok(true);
        }
        for (name, _) in seen.resting {
            let Some(now) = now(name) else { return Ok(true) };
            if self.unchanged(name, &now, policy)?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Observed {
    /// Whether messages have come or gone on the server since it was looked at, as far as it told then and tells now.
    fn differs_from(&self, now: FolderStatus) -> bool {
        // What was listed, where nothing else was told; all of it, then.
        let listed = self.facts.messages.filter(|_| !self.comparison.cut_short.remote);
        let opened = FolderStatus { uidnext: self.facts.uidnext, messages: listed, ..FolderStatus::default() };
        let before = self.remote.as_ref().and_then(|folder| folder.status).unwrap_or(opened);
        let differ = |before: Option<u32>, now| before.zip(now).is_some_and(|(before, now)| before != now);
        differ(before.uidvalidity, now.uidvalidity)
            || differ(before.uidnext, now.uidnext)
            || differ(before.messages, now.messages)
    }
}
