//! What the observer is told of a plan, step by step.

use super::account::Job;
use super::observe::Observed;
use super::{Action, Plan, Step, Why};
use crate::event::{Counts, Deed, Event, Observer};
use crate::mail::{Key, Keyword, Side};
use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

impl Job {
    /// Tells of a step that is done, or in a dry run would be. What is only written down is not told.
    pub(super) fn tell_step(&self, look: &Observed, step: &Step) {
        let (folder, reason) = (look.name.to_string(), step.reason.to_string());
        let (on, key, deed) = match &step.action {
            Action::Copy { to, key, .. } => (*to, key, Deed::Copy),
            Action::Mark { on, key, change, .. } => (*on, key, Deed::Mark(change)),
            Action::Relocate { on, key, to, .. } => {
                return self.tell_deed(&folder, *on, key, Deed::Move(&to.to_string()), &reason);
            }
            Action::Remove { on, key, trash: Some(trash), .. } => {
                return self.tell_deed(&folder, *on, key, Deed::Move(&trash.to_string()), &reason);
            }
            Action::Remove { on, key, trash: None, .. } => (*on, key, Deed::Remove),
            Action::Agree { .. } | Action::Revive { .. } | Action::Tombstone { .. } | Action::Forget { .. } => return,
        };
        self.tell_deed(&folder, on, key, deed, &reason);
    }

    /// Tells of keywords that one side has and the other cannot hold: they stay where they are.
    pub(super) fn tell_unstorable(&self, look: &Observed) {
        for side in Side::BOTH {
            let holds = look.holds.on(side);
            if holds.room > 0 {
                continue;
            }
            let across = side.other();
            let paired = look.comparison.open.iter().filter_map(|open| open.presence.on(across).marks());
            let alone = look.comparison.unpaired.on(across).iter().map(|unpaired| &unpaired.marks);
            let wanted: BTreeSet<&Keyword> = paired.chain(alone).flat_map(|marks| &marks.keywords).collect();
            let missing: Vec<&str> =
                wanted.into_iter().filter(|k| !holds.marks.keywords.contains(*k)).map(Keyword::as_str).collect();
            if !missing.is_empty() {
                let place = if side == Side::Remote { "the server" } else { "the Maildir" };
                let list = missing.join(", ");
                self.tell(Event::Warning(&format!("{}: {place} can hold no further keywords: {list}", look.name)));
            }
        }
    }

    fn tell_deed(&self, folder: &str, on: Side, key: &Key, deed: Deed<'_>, reason: &str) {
        self.tell(Event::Deed { folder, on, deed, key, reason, rehearsal: self.dry_run });
    }

    /// Tells of a plan that is not carried out, and counts what it would do.
    pub(super) fn rehearse(&self, look: &Observed, plan: &Plan, counts: &mut Counts) {
        self.report_skipped(look, plan, counts);
        for step in &plan.steps {
            self.tell_step(look, step);
            count(step, counts);
        }
    }

    /// Tells of messages that stay on one side alone. Those that the policy never lets travel are no news.
    pub(super) fn report_skipped(&self, look: &Observed, plan: &Plan, counts: &mut Counts) {
        for skipped in plan.skipped.iter().filter(|s| !matches!(s.why, Why::OneWay | Why::Deleted)) {
            counts.skipped += 1;
            let (folder, reason) = (look.name.to_string(), skipped.why.to_string());
            self.tell_deed(&folder, skipped.on, &skipped.key, Deed::Skip, &reason);
        }
    }
}

/// Counts a step as done.
pub(super) fn count(step: &Step, counts: &mut Counts) {
    let slot = match &step.action {
        Action::Copy { to: Side::Local, .. } => &mut counts.fetched,
        Action::Copy { to: Side::Remote, .. } => &mut counts.uploaded,
        Action::Mark { on: Side::Local, .. } => &mut counts.flags_local,
        Action::Mark { on: Side::Remote, .. } => &mut counts.flags_remote,
        Action::Relocate { on: Side::Local, .. } => &mut counts.moved_local,
        Action::Relocate { on: Side::Remote, .. } => &mut counts.moved_remote,
        Action::Remove { on: Side::Local, .. } => &mut counts.deleted_local,
        Action::Remove { on: Side::Remote, .. } => &mut counts.deleted_remote,
        Action::Agree { .. } | Action::Revive { .. } | Action::Tombstone { .. } | Action::Forget { .. } => return,
    };
    *slot += 1;
}

/// Stands before an observer, who is told once what stays as it is from round to round: what concerns the account or a
/// folder, and which messages are left alone.
pub(super) struct Once {
    observer: Arc<dyn Observer>,
    /// Hashes of what was told: messages that are left alone may be many.
    told: Mutex<HashSet<u64>>,
}

impl Once {
    /// Before this one.
    pub fn before(observer: Arc<dyn Observer>) -> Once {
        Once { observer, told: Mutex::default() }
    }

    fn is_new(&self, what: impl Hash) -> bool {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(hasher.finish())
    }
}

impl Observer for Once {
    fn event(&self, account: &str, event: Event<'_>) {
        let is_new = match event {
            Event::Note(text) | Event::Warning(text) => self.is_new(text),
            Event::Deed { folder, on, deed: Deed::Skip, key, reason, .. } => self.is_new((folder, on, key, reason)),
            _ => true,
        };
        if is_new {
            self.observer.event(account, event);
        }
    }
}
