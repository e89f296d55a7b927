//! What the observer is told of a plan, step by step.

use super::account::Job;
use super::observe::Observed;
use super::{Action, Plan, Reason, Skipped, Step};
use crate::error::Result;
use crate::event::{Counts, Deed, Event, FolderDeed, Observer};
use crate::mail::{FolderName, Key, Keyword, Side};
use crate::state::{FolderId, Why};
use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

impl Job {
    /// Tells of a step that is done. What is only written down is not told.
    pub(super) fn tell_step(&self, look: &Observed, step: &Step) {
        self.tell_step_about(&look.name, step, None);
    }

    /// The same of a step in this folder.
    pub(super) fn tell_step_about(&self, name: &FolderName, step: &Step, subject: Option<&str>) {
        let Some((_, key)) = step.message() else { return };
        if let Action::Relocate { on, to, arrived, change, across, .. } = &step.action {
            for (folder, on, key, change) in [(name, *on, key, change), (to, on.other(), arrived, across)] {
                if !change.is_empty() {
                    let reason = Reason::Marked(on.other()).to_string();
                    self.tell_deed(folder, on, key, Deed::Mark(change), &reason, subject);
                }
            }
        }
        let folder;
        let (on, deed) = match &step.action {
            Action::Copy { to, .. } => (*to, Deed::Copy),
            Action::Mark { on, change, .. } => (*on, Deed::Mark(change)),
            Action::Relocate { on, to, .. } | Action::Remove { on, trash: Some(to), .. } => {
                folder = to.to_string();
                (*on, Deed::Move(&folder))
            }
            Action::Remove { on, trash: None, .. } => (*on, Deed::Remove),
            Action::Agree { .. } | Action::Revive { .. } | Action::Tombstone { .. } | Action::Forget { .. } => return,
        };
        self.tell_deed(name, on, key, deed, &step.reason.to_string(), subject);
    }

    /// Tells of a folder that is made, removed or renamed, and counts it.
    pub(super) fn tell_folder(&self, name: &FolderName, on: Side, deed: FolderDeed<'_>, counts: &mut Counts) {
        let folder = &name.to_string();
        self.tell(Event::FolderDeed { folder, on, deed, rehearsal: self.dry_run });
        counts.folders += 1;
    }

    /// Tells of keywords that one side has and the other cannot hold: they stay where they are.
    pub(super) fn tell_unstorable(&self, look: &Observed) {
        for side in Side::BOTH {
            let holds = look.holds.on(side);
            let across = side.other();
            let paired = look.comparison.open.iter().filter_map(|open| open.presence.on(across).marks());
            let alone = look.comparison.unpaired.on(across).iter().map(|unpaired| &unpaired.marks);
            let wanted: BTreeSet<&Keyword> = paired.chain(alone).flat_map(|marks| &marks.keywords).collect();
            let missing: Vec<&str> =
                wanted.into_iter().filter(|k| !holds.marks.keywords.contains(*k)).map(Keyword::as_str).collect();
            if missing.len() > holds.room {
                let place = if side == Side::Remote { "the server" } else { "the Maildir" };
                let most = match holds.room {
                    0 => "no further keywords".to_owned(),
                    room => format!("only {room} of these keywords"),
                };
                self.tell(Event::Warning(&format!("{}: {place} can hold {most}: {}", look.name, missing.join(", "))));
            }
        }
    }

    fn tell_deed(&self, name: &FolderName, on: Side, key: &Key, deed: Deed<'_>, reason: &str, subject: Option<&str>) {
        let folder = &name.to_string();
        self.tell(Event::Deed { folder, on, deed, key, subject, reason, rehearsal: self.dry_run });
    }

    /// Tells of messages that stay on one side alone.
    pub(super) fn report_skipped(&self, look: &Observed, plan: &Plan, counts: &mut Counts) -> Result<()> {
        for skipped in self.told(look.id, plan)? {
            counts.skipped += 1;
            self.tell_skipped(&look.name, skipped, None);
        }
        Ok(())
    }

    /// Tells of messages that the last sync left on one side of a folder in which nothing has changed since.
    pub(super) fn report_left(&self, name: &FolderName, counts: &mut Counts) -> Result<()> {
        let Some(folder) = self.carrier.ledger().folder(&name.to_string())? else { return Ok(()) };
        let why = Why::TooLarge;
        for left in self.carrier.ledger().left_because(folder.id, why)? {
            counts.skipped += 1;
            self.tell_skipped(name, &Skipped { on: left.on, key: left.key, why }, None);
        }
        Ok(())
    }

    /// What a plan leaves on one side alone, as far as that is told: what the policy never lets travel is no news, and what
    /// is too old or empty remains so, and is told once.
    pub(super) fn told<'p>(&self, folder: FolderId, plan: &'p Plan) -> Result<Vec<&'p Skipped>> {
        let mut told: Vec<&Skipped> =
            plan.skipped.iter().filter(|s| !matches!(s.why, Why::OneWay | Why::Deleted)).collect();
        let once = |why| matches!(why, Why::TooOld | Why::Empty);
        if told.iter().any(|s| once(s.why)) {
            let left = self.carrier.ledger().leftovers(folder)?;
            let before: HashSet<_> = left.iter().filter_map(|l| Some((l.on, &l.key, l.why?))).collect();
            told.retain(|s| !once(s.why) || !before.contains(&(s.on, &s.key, s.why)));
        }
        Ok(told)
    }

    /// Tells of one of them.
    pub(super) fn tell_skipped(&self, name: &FolderName, skipped: &Skipped, subject: Option<&str>) {
        self.tell_deed(name, skipped.on, &skipped.key, Deed::Skip, &skipped.why.to_string(), subject);
    }
}

/// Counts a step as done.
pub(super) fn count(step: &Step, counts: &mut Counts) {
    if let Action::Relocate { on, change, across, .. } = &step.action {
        for (side, change) in [(*on, change), (on.other(), across)] {
            let flags = if side == Side::Local { &mut counts.flags_local } else { &mut counts.flags_remote };
            *flags += u64::from(!change.is_empty());
        }
    }
    let slot = match &step.action {
        Action::Copy { to: Side::Local, .. } => &mut counts.fetched,
        Action::Copy { to: Side::Remote, .. } => &mut counts.uploaded,
        Action::Mark { on: Side::Local, .. } => &mut counts.flags_local,
        Action::Mark { on: Side::Remote, .. } => &mut counts.flags_remote,
        Action::Relocate { on: Side::Local, .. } => &mut counts.moved_local,
        Action::Relocate { on: Side::Remote, .. } => &mut counts.moved_remote,
        Action::Remove { on: Side::Local, trash: Some(_), .. } => &mut counts.moved_local,
        Action::Remove { on: Side::Remote, trash: Some(_), .. } => &mut counts.moved_remote,
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
            Event::Deed { folder, on, deed: Deed::Skip, key, reason, subject, .. } => {
                self.is_new((folder, on, key, reason, subject))
            }
            _ => true,
        };
        if is_new {
            self.observer.event(account, event);
        }
    }
}
