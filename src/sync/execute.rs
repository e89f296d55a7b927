//! Carries a folder's plan out: copies first, then marks, removals and moves (see `depart`). Whatever has been sent is written down before.

use super::account::Job;
use super::depart::Turn;
use super::observe::Observed;
use super::tell::count;
use super::upload::content;
use super::{Action, Plan, Step};
use crate::error::{Error, Kind, Result};
use crate::event::{Counts, Event, Outlook};
use crate::imap::{Imap, ImapFolder, Link};
use crate::mail::{Change, Content, Key, Marks, Side, Sides};
use crate::retrieve::{Delivery, Desk, Handle, Listed, Retriever, Sizes};
use crate::state::{Row, RowId};
use crate::store::{Mailbox, MaildirFolder};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Messages that are asked for together. What they need to be known by is in memory at once.
pub(super) const WAVE: usize = 4096;

/// A folder that was looked at, and what is to be done in it.
pub(super) struct Case {
    pub look: Observed,
    pub plan: Plan,
}

/// The work on one folder.
pub(super) struct Errand<'a> {
    pub job: &'a Job,
    pub look: &'a Observed,
    /// Every folder that was looked at: messages are moved between them.
    pub all: &'a [Case],
}

/// How it ended.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Nothing was left.
    pub whole: bool,
    /// Messages have to be planned again: they came down and turned out to be here already, or were moved here and have
    /// marks that are not yet on the server's copy.
    pub again: bool,
}

impl Done {
    /// There was nothing to do.
    pub fn nothing() -> Done {
        Done { whole: true, again: false }
    }
}

/// The marks of one side that are to be changed.
pub(super) type Edits = Vec<(RowId, Key, Change)>;

/// What it takes to do what leaves every message of a folder where it is, in round trips; `None` where there is nothing of
/// the kind.
pub(super) fn load(case: &Case) -> Option<u64> {
    let steps = &case.plan.steps;
    if case.look.removal.is_some() || steps.iter().all(|s| departs(&s.action)) {
        return None;
    }
    let copies = steps.iter().filter(|s| matches!(s.action, Action::Copy { .. })).count() as u64;
    Some(2 + copies / 4)
}

/// Whether an action takes a message away from where it is, or follows one that does.
fn departs(action: &Action) -> bool {
    matches!(action, Action::Remove { .. } | Action::Relocate { .. } | Action::Forget { .. })
}

impl Errand<'_> {
    /// Does what leaves every message where it is: copies, then marks.
    pub async fn keep<S: Link>(&self, imap: &mut Imap<S>, plan: &Plan, counts: &mut Counts) -> Result<Done> {
        let (mut done, steps) = (Done::nothing(), &plan.steps);
        if steps.iter().any(|s| matches!(s.action, Action::Copy { .. } | Action::Mark { .. })) {
            let Some(mut remote) = self.open(imap).await? else { return Ok(done) };
            let mut local = MaildirFolder::open(&self.job.store, &self.look.name)?;
            let recognised = self.download(&mut remote, &local, plan, &mut done, counts).await?;
            done.again = !recognised.is_empty();
            self.upload(&mut remote, &local, steps, &recognised, &mut done, counts).await?;
            if self.job.carrier.interrupt.is_raised() {
                return Ok(Done { whole: false, ..done });
            }
            let mut gone = HashSet::new();
            for side in [Side::Local, Side::Remote] {
                let edits: Edits = steps.iter().filter_map(|s| edit_on(side, &s.action)).collect();
                gone.extend(match side {
                    Side::Local => self.mark(side, &mut local, &edits).await?,
                    Side::Remote => self.mark(side, &mut remote, &edits).await?,
                });
            }
            let unkept = self.learn_unkept(&mut remote)?;
            self.tell_notes(&mut remote);
            self.tell_done(steps, counts, |a| matches!(a, Action::Mark { row, .. } if !gone.contains(row)));
            // Where they went, the next round finds out.
            done.again |= !gone.is_empty();
            self.write_down(steps, &gone, &unkept)?;
            return Ok(done);
        }
        self.write_down(steps, &HashSet::new(), &HashMap::new())?;
        Ok(done)
    }

    /// Does what takes messages away from here: removals, then moves.
    pub async fn depart<S: Link>(
        &self,
        imap: &mut Imap<S>,
        plan: &Plan,
        done: &mut Done,
        counts: &mut Counts,
    ) -> Result<()> {
        let steps = &plan.steps;
        if !steps.iter().any(|s| matches!(s.action, Action::Remove { .. } | Action::Relocate { .. })) {
            return self.forget(steps, &HashSet::new());
        }
        // Nothing is done on either side of a folder that was made anew on the server meanwhile.
        let Some(mut remote) = self.open(imap).await? else { return Ok(()) };
        let mut local = MaildirFolder::open(&self.job.store, &self.look.name)?;
        self.hand_on_marks(steps, done).await?;
        // Before the moves: without MOVE and UIDPLUS a message that is moved is marked as deleted, and so is one that is to be
        // removed; neither could be expunged beside the other.
        let mut left = HashSet::new();
        for turn in [Turn::First, Turn::Last] {
            left.extend(self.remove(Side::Local, turn, &mut local, steps, counts).await?);
            left.extend(self.remove(Side::Remote, turn, &mut remote, steps, counts).await?);
        }
        done.whole &= left.is_empty();
        self.relocate_local(&mut local, steps, done, counts).await?;
        self.relocate_remote(&mut remote, steps, done, counts).await?;
        self.tell_notes(&mut remote);
        self.forget(steps, &left)
    }

    /// Opens the folder on the server to be changed, if it stands there.
    pub(super) async fn open<'i, S: Link>(&self, imap: &'i mut Imap<S>) -> Result<Option<ImapFolder<'i, S>>> {
        let Some(folder) = &self.look.remote else { return Ok(None) };
        let remote = imap.mailbox(folder, true).await?;
        let known = self.job.carrier.ledger().folder(&self.look.name.to_string())?;
        if known.is_none_or(|known| known.scope != remote.source().scope) {
            // UIDVALIDITY changed since it was looked at: every UID in the plan is another message's now.
            let what = format!("{} was made anew on the server meanwhile", self.look.name);
            return Err(Error::new(Kind::TryLater, what, "Run again.").folder());
        }
        Ok(Some(remote))
    }

    pub(super) fn tell_notes<S: Link>(&self, remote: &mut ImapFolder<'_, S>) {
        remote.take_notes().iter().for_each(|note| self.job.tell(Event::Warning(note)));
    }

    /// Forgets what the steps say, but for messages that may still be there.
    pub(super) fn forget(&self, steps: &[Step], left: &HashSet<RowId>) -> Result<()> {
        let forgotten: Vec<RowId> = (steps.iter())
            .filter_map(|s| if let Action::Forget { row } = s.action { Some(row) } else { None })
            .filter(|row| !left.contains(row))
            .collect();
        self.job.carrier.ledger().forget(&forgotten)
    }

    fn tell_done(&self, steps: &[Step], counts: &mut Counts, which: impl Fn(&Action) -> bool) {
        for step in steps.iter().filter(|s| which(&s.action)) {
            self.job.tell_step(self.look, step);
            count(step, counts);
        }
    }

    /// Brings messages from the server, by the pipeline of a pull. Gives the rows of those that are here already.
    async fn download<S: Link>(
        &self,
        remote: &mut ImapFolder<'_, S>,
        local: &MaildirFolder,
        plan: &Plan,
        done: &mut Done,
        counts: &mut Counts,
    ) -> Result<HashSet<RowId>> {
        let copies = self.wanted(plan, done, counts);
        if copies.is_empty() {
            return Ok(HashSet::new());
        }
        let (job, folder) = (&self.job.carrier, self.look.name.to_string());
        let outlook = Outlook {
            listed: self.look.comparison.shown.remote,
            fetch: copies.len() as u64,
            bytes: copies.iter().filter_map(|s| announced(s)).sum(),
            ..Outlook::default()
        };
        self.job.tell(Event::Folder { folder: &folder, outlook });
        let suspects = self.suspects(&plan.may_be_had(Side::Local))?;
        let desk = Desk {
            job: job.clone(),
            folder: folder.clone(),
            folder_id: self.look.id,
            store: Arc::clone(local.store()),
            sizes: Sizes::default(),
        };
        let mut delivery = Delivery::start(desk, &[], suspects);
        let (mut retrieved, mut superseded) = (Ok(Some(())), Vec::new());
        for wave in copies.chunks(WAVE) {
            let mut wanted = Vec::new();
            for step in wave {
                let Action::Copy { key, marks, size, row, .. } = &step.action else { continue };
                let Some(handle) = key.uid().map(Handle) else { continue };
                let listed = Listed { handle, key: Some(key.clone()), size: *size };
                wanted.push((handle, listed.size));
                superseded.extend(*row);
                delivery.expect(listed, marks.clone());
            }
            remote.expect_sizes(wanted.iter().copied());
            let wanted: Vec<Handle> = wanted.into_iter().map(|(handle, _)| handle).collect();
            retrieved = job.interrupt.unless_raised(remote.retrieve(&wanted, &mut delivery)).await;
            if !matches!(retrieved, Ok(Some(()))) {
                break;
            }
        }
        let (delivered, stored) = delivery.finish().await;
        counts.fetched += delivered.fetched;
        counts.adopted += delivered.recognised.len() as u64;
        counts.bytes_in += delivered.bytes;
        counts.failed += delivered.refused.len() as u64;
        done.whole &= delivered.refused.is_empty() && matches!(retrieved, Ok(Some(())));
        for (listed, reason) in &delivered.refused {
            let key = listed.key.as_ref().map(ToString::to_string).unwrap_or_default();
            self.job.tell(Event::Warning(&format!("{folder}: message {key} was not fetched: {reason}")));
        }
        stored?;
        if let (Err(_), Some(Listed { key: Some(key), .. })) = (&retrieved, &delivered.cut_off) {
            self.job.stumbles.at(self.look.id, key);
        }
        retrieved?;
        // The arrival has a row of its own; the half that the ledger knew before has had its time.
        if delivered.refused.is_empty() {
            job.ledger().forget(&superseded)?;
        }
        Ok(delivered.recognised.into_iter().collect())
    }

    /// What is to be brought from the server. What broke the connection before comes last, and is left out in the end.
    fn wanted<'p>(&self, plan: &'p Plan, done: &mut Done, counts: &mut Counts) -> Vec<&'p Step> {
        let mut wanted = Vec::new();
        for step in plan.steps.iter().filter(|s| copies_to(Side::Local, s)) {
            let Some(key) = copied(step) else { continue };
            match self.job.stumbles.before(self.look.id, key) {
                Some(stumbles) => wanted.push((stumbles, step)),
                None => {
                    let name = &self.look.name;
                    self.job.tell(Event::Warning(&format!(
                        "{name}: message {key} was not fetched: the connection broke on its way, and once more"
                    )));
                    counts.failed += 1;
                    done.whole = false;
                }
            }
        }
        wanted.sort_by_key(|(stumbles, _)| *stumbles);
        wanted.into_iter().map(|(_, step)| step).collect()
    }

    /// Messages that stand here alone: one that comes down may turn out to be one of them.
    fn suspects(&self, keys: &[&Key]) -> Result<Vec<Row>> {
        let keys: HashSet<&Key> = keys.iter().copied().collect();
        let alone = self.look.comparison.unpaired.local.iter().filter(|u| keys.contains(&u.key));
        let mut ledger = self.job.carrier.ledger();
        let mut rows: Vec<RowId> = alone.clone().filter_map(|u| Some(u.row.as_ref()?.0)).collect();
        let unknown: Vec<(Key, Content)> = alone
            .filter(|u| u.row.is_none())
            .filter_map(|u| Some((u.key.clone(), content(u.traits.as_deref()?)?)))
            .collect();
        if !unknown.is_empty() {
            rows.extend(ledger.found(self.look.id, &unknown, self.job.carrier.now)?);
        }
        ledger.rows_of(&rows)
    }

    /// Changes marks on a side; what is under way is written down before. Gives the rows of messages that were gone
    /// meanwhile: of their marks, what was agreed stays agreed.
    pub(super) async fn mark(&self, side: Side, mailbox: &mut impl Mailbox, edits: &Edits) -> Result<HashSet<RowId>> {
        if edits.is_empty() {
            return Ok(HashSet::new());
        }
        let pending: Vec<(RowId, Marks)> = edits.iter().map(|(row, _, c)| (*row, c.add.with(&c.remove))).collect();
        self.job.carrier.ledger().pend(side, &pending)?;
        crate::fault::point();
        let changes: Vec<(Key, Change)> = edits.iter().map(|(_, key, change)| (key.clone(), change.clone())).collect();
        let gone: HashSet<Key> = mailbox.edit(&changes).await?.into_iter().collect();
        crate::fault::point();
        let rows = edits.iter().filter(|(_, key, _)| gone.contains(key)).map(|(row, ..)| *row);
        let rows: HashSet<RowId> = rows.collect();
        let open = self.look.comparison.open.iter().filter(|open| rows.contains(&open.pair.row));
        let certain = open.filter(|open| open.pair.pending.is_none());
        let agreed: Vec<(RowId, Marks)> = certain.map(|open| (open.pair.row, open.pair.agreed.clone())).collect();
        self.job.carrier.ledger().agree(&agreed)?;
        Ok(rows)
    }

    /// Writes down what is agreed now: nothing new of messages that were gone meanwhile, and no marks that the server did not
    /// keep of them, by their keys there.
    fn write_down(&self, steps: &[Step], gone_meanwhile: &HashSet<RowId>, unkept: &HashMap<Key, Marks>) -> Result<()> {
        let marked = steps.iter().filter_map(|s| edit_on(Side::Remote, &s.action));
        let lost: HashMap<RowId, &Marks> = marked.filter_map(|(row, key, _)| Some((row, unkept.get(&key)?))).collect();
        let kept = |row: &RowId, marks: &Marks| lost.get(row).map_or_else(|| marks.clone(), |lost| marks.without(lost));
        let (mut agreed, mut revived, mut gone) = (Vec::new(), Vec::new(), Sides::<Vec<RowId>>::default());
        for step in steps {
            match &step.action {
                Action::Agree { row, marks } if !gone_meanwhile.contains(row) => agreed.push((*row, kept(row, marks))),
                Action::Revive { row } => revived.push(*row),
                Action::Tombstone { row, gone: side } => gone.on_mut(*side).push(*row),
                _ => {}
            }
        }
        let mut ledger = self.job.carrier.ledger();
        ledger.agree(&agreed)?;
        ledger.tombstone(&revived, None)?;
        for side in Side::BOTH {
            ledger.tombstone(gone.on(side), Some(side))?;
        }
        drop(ledger);
        crate::fault::point();
        Ok(())
    }
}

pub(super) fn copies_to(side: Side, step: &Step) -> bool {
    matches!(step.action, Action::Copy { to, .. } if to == side)
}

fn announced(step: &Step) -> Option<u64> {
    if let Action::Copy { size, .. } = step.action { size } else { None }
}

pub(super) fn copied(step: &Step) -> Option<&Key> {
    if let Action::Copy { key, .. } = &step.action { Some(key) } else { None }
}

fn edit_on(side: Side, action: &Action) -> Option<(RowId, Key, Change)> {
    match action {
        Action::Mark { on, row, key, change } if *on == side => Some((*row, key.clone(), (**change).clone())),
        _ => None,
    }
}
