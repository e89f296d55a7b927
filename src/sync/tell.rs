//! What the observer is told of a plan, step by step.

use super::account::Job;
use super::observe::Observed;
use super::{Action, Plan, Reason, Skipped, Step};
use crate::error::Result;
use crate::event::{Counts, Deed, Event, FolderDeed, Observer};
use crate::imap::{Imap, Link};
use crate::mail::{FolderName, Key, Keyword, Side, Sides};
use crate::state::{FolderId, Why};
use crate::store::{Mailbox, MaildirFolder};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

impl Job {
    /// Tells of a step that is done. What is only written down is not told.
    pub(super) fn tell_step(&self, look: &Observed, step: &Step) {
        self.tell_step_about(look, step, None);
    }

    fn tell_step_about(&self, look: &Observed, step: &Step, subject: Option<&str>) {
        let Some((_, key)) = step.message() else { return };
        if let Action::Relocate { on, to, arrived, change, across, .. } = &step.action {
            for (folder, on, key, change) in [(&look.name, *on, key, change), (to, on.other(), arrived, across)] {
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
        self.tell_deed(&look.name, on, key, deed, &step.reason.to_string(), subject);
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

    /// Tells of a plan that is not carried out, each message with its subject, and counts what it would do.
    pub(super) async fn rehearse<S: Link>(
        &self,
        imap: &mut Imap<S>,
        look: &Observed,
        plan: &Plan,
        counts: &mut Counts,
    ) -> Result<()> {
        let skipped = self.told(look.id, plan)?;
        let subjects = self.subjects(imap, look, plan, &skipped).await?;
        let subject = |(side, key): (Side, &Key)| subjects.on(side).get(key).map(String::as_str);
        for skipped in skipped {
            counts.skipped += 1;
            self.tell_skipped(&look.name, skipped, subject((skipped.on, &skipped.key)));
        }
        self.tell_alike(look, plan);
        for step in &plan.steps {
            self.tell_step_about(look, step, step.message().and_then(subject));
            count(step, counts);
        }
        Ok(())
    }

    /// Tells how many messages that would be copied here may be the same as ones that would be copied to the server: their
    /// headers do not tell, and a rehearsal does not fetch them.
    fn tell_alike(&self, look: &Observed, plan: &Plan) {
        let (mut alike, mut here) = (0, HashMap::<_, u64>::new());
        for step in &plan.steps {
            if let Action::Copy { to: Side::Remote, key, row, .. } = &step.action
                && let Some(traits) = look.comparison.traits_here(key, *row)
            {
                *here.entry((traits.fingerprint, traits.size)).or_default() += 1;
            }
        }
        for step in &plan.steps {
            if let Action::Copy { to: Side::Local, key, .. } = &step.action
                && let Some(unpaired) = look.comparison.unpaired_of(Side::Remote, key)
                && let Some(traits) = &unpaired.traits
                && let Some(left) = here.get_mut(&(traits.fingerprint, unpaired.octets())).filter(|left| **left > 0)
            {
                *left -= 1;
                alike += 1;
            }
        }
        if alike > 0 {
            let those = if alike == 1 { "1 message that is" } else { &format!("{alike} messages that are") };
            self.tell(Event::Warning(&format!(
                "{}: {those} to be copied here may be among those to be copied to the server: a run compares what is in them \
                 first, and copies neither where it is the same",
                look.name
            )));
        }
    }

    /// What the messages of a plan are about, by the side on which it names them.
    async fn subjects<S: Link>(
        &self,
        imap: &mut Imap<S>,
        look: &Observed,
        plan: &Plan,
        skipped: &[&Skipped],
    ) -> Result<Sides<HashMap<Key, String>>> {
        let mut keys: Sides<Vec<Key>> = Sides::default();
        let skipped = skipped.iter().map(|s| (s.on, &s.key));
        for (side, key) in plan.steps.iter().filter_map(Step::message).chain(skipped) {
            keys.on_mut(side).push(key.clone());
        }
        let mut subjects: Sides<HashMap<Key, String>> = Sides::default();
        if !keys.local.is_empty()
            && let Some(mut folder) = MaildirFolder::standing(&self.store, &look.name)?
        {
            subjects.local = folder.subjects(&keys.local).await?;
        }
        if let (false, Some(folder)) = (keys.remote.is_empty(), &look.remote) {
            subjects.remote = imap.mailbox(folder, false).await?.subjects(&keys.remote).await?;
        }
        Ok(subjects)
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
    fn told<'p>(&self, folder: FolderId, plan: &'p Plan) -> Result<Vec<&'p Skipped>> {
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

    fn tell_skipped(&self, name: &FolderName, skipped: &Skipped, subject: Option<&str>) {
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
            Event::Deed { folder, on, deed: Deed::Skip, key, reason, .. } => self.is_new((folder, on, key, reason)),
            _ => true,
        };
        if is_new {
            self.observer.event(account, event);
        }
    }
}
