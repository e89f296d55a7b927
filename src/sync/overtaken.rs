//! Whether folders changed while others were looked at. A message that is moved between the looks at two folders shows in both
//! of them, or in neither: it would be copied, or deleted, and lose the marks that the other side has set on it.

use super::account::Job;
use super::observe::Observed;
use super::rename::Trees;
use super::{Action, Plan, Reason, Tally};
use crate::error::Result;
use crate::imap::{FolderStatus, Imap, Link};
use crate::mail::{FolderName, FolderPattern, Side, Sides};
use crate::state::RowId;
use crate::store::MaildirFolder;
use std::collections::HashSet;

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

/// What may be one half of a move, by the side on which it was made: messages that are new there, and messages that are gone.
#[derive(Default)]
struct Halves {
    new: Sides<bool>,
    gone: Sides<bool>,
}

impl Halves {
    fn on(&self, side: Side) -> bool {
        *self.new.on(side) || *self.gone.on(side)
    }
}

impl Seen<'_> {
    /// What the plans do that may be due to one half of a move.
    fn halves(&self) -> Halves {
        let mut halves = Halves::default();
        let pairs = self.plans.iter().map(|plan| &plan.tally).chain(self.resting.iter().map(|(_, tally)| tally));
        if self.observed.len() + self.resting.len() < 2 || pairs.map(|tally| tally.pairs).sum::<u64>() == 0 {
            return halves;
        }
        for step in self.plans.iter().flat_map(|plan| &plan.steps) {
            match (&step.action, step.reason) {
                (Action::Copy { to, row: None, .. }, _) => *halves.new.on_mut(to.other()) = true,
                (Action::Remove { .. }, Reason::Removed { on, .. }) => *halves.gone.on_mut(on) = true,
                _ => {}
            }
        }
        halves
    }

    /// Whether a folder is wanted and is not among those that were looked at; `was_there` tells of the others.
    fn is_new(&self, name: &FolderName, was_there: bool) -> bool {
        let is_seen = was_there || self.observed.iter().any(|look| look.name == *name);
        !is_seen && FolderPattern::selects(self.patterns, name)
    }
}

impl Job {
    /// Asks both sides once more, where a message may have been moved between the looks at two folders.
    pub(super) async fn is_overtaken<S: Link>(&self, imap: &mut Imap<S>, seen: &Seen<'_>) -> Result<bool> {
        let halves = seen.halves();
        Ok((halves.on(Side::Local) && self.is_overtaken_here(seen)?)
            || (halves.on(Side::Remote) && self.is_overtaken_there(imap, seen, &halves).await?))
    }

    fn is_overtaken_here(&self, seen: &Seen<'_>) -> Result<bool> {
        let times = |name: &FolderName| {
            let local = MaildirFolder::standing(&self.store, name)?;
            local.map(|local| local.times()).transpose()
        };
        for look in seen.observed {
            if times(&look.name)? != look.times {
                return Ok(true);
            }
        }
        for (name, _) in seen.resting {
            let Some(folder) = self.carrier.ledger().folder(&name.to_string())? else { return Ok(true) };
            let before = self.carrier.ledger().facts(folder.id)?.times;
            if times(name)?.map(|now| (now.cur, now.new)) != before {
                return Ok(true);
            }
        }
        let here = self.store.tree()?.folders;
        Ok(here.keys().any(|name| seen.is_new(name, seen.trees.here.contains(name))))
    }

    /// What is new may have left another folder, and what is gone may have come to one.
    async fn is_overtaken_there<S: Link>(&self, imap: &mut Imap<S>, seen: &Seen<'_>, halves: &Halves) -> Result<bool> {
        let there = imap.tree_to_sync(self.subscribed).await?;
        if there.folders().any(|f| seen.is_new(&f.name, seen.trees.there.get(&f.name).is_some())) {
            return Ok(true);
        }
        let untold = seen.observed.iter().filter_map(|look| look.remote.as_ref()).filter(|f| f.status.is_none());
        let asked = imap.statuses(&untold.collect::<Vec<_>>()).await?;
        let now = |name: &FolderName| there.get(name).and_then(|f| f.status).or_else(|| asked.get(name).copied());
        let looked_at = seen.observed.iter().map(|look| (&look.name, look.stood()));
        let resting = seen.resting.iter().map(|(name, _)| (name, seen.trees.there.get(name).and_then(|f| f.status)));
        Ok(looked_at.chain(resting).filter_map(|(name, before)| before.zip(now(name))).any(|(before, now)| {
            let change = Change::between(before, now);
            (halves.new.remote && change.left) || (halves.gone.remote && change.came)
        }))
    }
}

impl Observed {
    /// How the folder stood on the server when it was looked at, or shortly before.
    fn stood(&self) -> Option<FolderStatus> {
        // What was listed, where nothing else was told; all of it, then.
        let messages = self.facts.messages.filter(|_| !self.comparison.cut_short.remote);
        let listed = FolderStatus { uidnext: self.facts.uidnext, messages, ..FolderStatus::default() };
        self.remote.as_ref().map(|folder| folder.status.unwrap_or(listed))
    }
}

/// Whether messages have left a folder of the server, and whether any have come; as far as it told before and tells now.
struct Change {
    left: bool,
    came: bool,
}

impl Change {
    fn between(before: FolderStatus, now: FolderStatus) -> Change {
        let changed = |before: Option<u32>, now| before.zip(now).is_some_and(|(before, now)| before != now);
        let is_another = changed(before.uidvalidity, now.uidvalidity);
        let came = before.uidnext.zip(now.uidnext).map(|(before, now)| now.saturating_sub(before));
        let left = match (came, before.messages.zip(now.messages)) {
            (Some(came), Some((before, now))) => now < before.saturating_add(came),
            (None, Some((before, now))) => now != before,
            (_, None) => false,
        };
        Change { left: is_another || left, came: is_another || came.map_or(left, |came| came > 0) }
    }
}

impl Plan {
    /// Leaves to the next run what may be one half of a move, and every move: the message may have been moved on the other
    /// side too.
    pub(super) fn hold_back(&mut self) {
        let mut kept: HashSet<RowId> = HashSet::new();
        self.steps.retain(|step| match (&step.action, step.reason) {
            (Action::Copy { row: None, .. } | Action::Relocate { .. }, _) => false,
            (Action::Remove { row, .. }, Reason::Removed { .. }) => {
                kept.insert(*row);
                false
            }
            _ => true,
        });
        self.steps.retain(|step| !matches!(step.action, Action::Forget { row } if kept.contains(&row)));
        self.is_part = true;
    }
}
