//! Carries a folder's plan out: copies first, then marks, removals and moves. Whatever has been sent is written down before.

use super::account::Job;
use super::observe::{Observed, find};
use super::tell::count;
use super::{Action, Plan, Reason, Step, Traits};
use crate::error::{Error, Kind, Result};
use crate::event::{Counts, Event, Outlook};
use crate::imap::{Appended, Imap, ImapFolder, Link};
use crate::mail::{Change, Content, Flags, FolderName, Key, Marks, Side, Sides};
use crate::retrieve::{Delivery, Desk, Handle, Listed, Retriever};
use crate::state::{Intent, IntentId, Row, RowId};
use crate::store::{Mailbox, MaildirFolder, Outgoing};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Messages that are written down, sent and settled together.
const UPLOADS: usize = 256;

/// The work on one folder.
pub(super) struct Errand<'a> {
    pub job: &'a Job,
    pub look: &'a Observed,
    /// Every folder that was looked at: messages are moved between them.
    pub all: &'a [Observed],
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

/// The marks of one side that are to be changed.
type Edits = Vec<(RowId, Key, Change)>;

impl Errand<'_> {
    /// Does it.
    pub async fn run<S: Link>(&self, imap: &mut Imap<S>, plan: &Plan, counts: &mut Counts) -> Result<Done> {
        let mut done = Done { whole: true, ..Done::default() };
        if plan.steps.is_empty() {
            return Ok(done);
        }
        let Some(folder) = &self.look.remote else { return Ok(done) };
        let mut local = MaildirFolder::open(&self.job.store, &self.look.name)?;
        let mut remote = imap.mailbox(folder, true).await?;
        if remote.source().scope != self.scope()? {
            // UIDVALIDITY changed since it was looked at: every UID in the plan is another message's now.
            return Err(self.changed());
        }
        let steps = &plan.steps;
        let recognised = self.download(&mut remote, &local, plan, &mut done, counts).await?;
        done.again = !recognised.is_empty();
        self.upload(&mut remote, &local, steps, &recognised, &mut done, counts).await?;
        if self.job.carrier.interrupt.is_raised() {
            return Ok(Done { whole: false, ..done });
        }
        for side in [Side::Local, Side::Remote] {
            let edits: Edits = steps.iter().filter_map(|s| edit_on(side, &s.action)).collect();
            match side {
                Side::Local => self.mark(side, &mut local, &edits).await?,
                Side::Remote => self.mark(side, &mut remote, &edits).await?,
            }
        }
        self.tell_done(steps, counts, |a| matches!(a, Action::Mark { .. }));
        self.write_down(steps)?;
        // Before the moves: without MOVE and UIDPLUS a message that is moved is marked as deleted, and so is one that is to be
        // removed; neither could be expunged beside the other.
        let left = self.remove(&mut remote, &mut local, steps, counts).await?;
        done.whole &= left.is_empty();
        self.relocate(&mut remote, &mut local, steps, &mut done, counts).await?;
        for note in remote.take_notes() {
            self.job.tell(Event::Warning(&note));
        }
        let forgotten: Vec<RowId> = (steps.iter())
            .filter_map(|s| if let Action::Forget { row } = s.action { Some(row) } else { None })
            .filter(|row| !left.contains(row))
            .collect();
        self.job.carrier.ledger().forget(&forgotten)?;
        Ok(done)
    }

    fn scope(&self) -> Result<String> {
        let folder = self.job.carrier.ledger().folder(&self.look.name.to_string())?;
        Ok(folder.map(|f| f.scope).unwrap_or_default())
    }

    fn changed(&self) -> Error {
        Error::new(Kind::TryLater, format!("{} was made anew on the server meanwhile", self.look.name), "Run again.")
            .folder()
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
        let sizes: HashMap<&Key, Option<u64>> =
            self.look.comparison.unpaired.remote.iter().map(|u| (&u.key, u.size)).collect();
        let (mut listed, mut marked, mut superseded) = (Vec::new(), HashMap::new(), Vec::new());
        for step in &plan.steps {
            let Action::Copy { to: Side::Local, key, marks, row } = &step.action else { continue };
            let Some(handle) = uid(key).map(Handle) else { continue };
            let size = sizes.get(key).copied().flatten();
            listed.push(Listed { handle, key: Some(key.clone()), size });
            marked.insert(handle, marks.clone());
            superseded.extend(*row);
        }
        if listed.is_empty() {
            return Ok(HashSet::new());
        }
        let (job, folder) = (&self.job.carrier, self.look.name.to_string());
        let outlook = Outlook {
            listed: listed.len() as u64,
            fetch: listed.len() as u64,
            bytes: listed.iter().filter_map(|l| l.size).sum(),
            ..Outlook::default()
        };
        self.job.tell(Event::Folder { folder: &folder, outlook });
        let suspects = self.suspects(&plan.may_be_had(Side::Local))?;
        let desk = Desk {
            job: job.clone(),
            folder: folder.clone(),
            folder_id: self.look.id,
            store: Arc::clone(local.store()),
        };
        remote.expect_sizes(listed.iter().map(|l| (l.handle, l.size)));
        let wanted: Vec<Handle> = listed.iter().map(|l| l.handle).collect();
        let refs: Vec<&Listed> = listed.iter().collect();
        let mut delivery = Delivery::start(desk, &refs, suspects).marking(marked);
        let retrieved = job.interrupt.unless_raised(remote.retrieve(&wanted, &mut delivery)).await;
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
        retrieved?;
        // The arrival has a row of its own; the half that the ledger knew before has had its time.
        if delivered.refused.is_empty() {
            job.ledger().forget(&superseded)?;
        }
        Ok(delivered.recognised.into_iter().collect())
    }

    /// Messages that stand here alone: one that comes down may turn out to be one of them.
    fn suspects(&self, keys: &[&Key]) -> Result<Vec<Row>> {
        let keys: HashSet<&Key> = keys.iter().copied().collect();
        let alone = self.look.comparison.unpaired.local.iter().filter(|u| keys.contains(&u.key));
        let mut ledger = self.job.carrier.ledger();
        let mut rows: Vec<RowId> = alone.clone().filter_map(|u| u.row.as_ref().map(|(row, _)| *row)).collect();
        let unknown: Vec<(Key, Content)> =
            alone.filter(|u| u.row.is_none()).filter_map(|u| Some((u.key.clone(), content(&u.traits?)?))).collect();
        if !unknown.is_empty() {
            rows.extend(ledger.found(self.look.id, &unknown, self.job.carrier.now)?);
        }
        ledger.rows_of(&rows)
    }

    /// Adds messages to the folder on the server.
    async fn upload<S: Link>(
        &self,
        remote: &mut ImapFolder<'_, S>,
        local: &MaildirFolder,
        steps: &[Step],
        recognised: &HashSet<RowId>,
        done: &mut Done,
        counts: &mut Counts,
    ) -> Result<()> {
        let pairs = self.job.carrier.ledger().pairs(self.look.id)?;
        let rows: HashMap<&Key, (RowId, bool)> =
            (pairs.iter()).filter_map(|p| Some((p.keys.local.as_ref()?, (p.row, p.keys.remote.is_some())))).collect();
        let traits: HashMap<&Key, Option<Traits>> =
            self.look.comparison.unpaired.local.iter().map(|u| (&u.key, u.traits)).collect();
        let mut intents: Vec<(&Step, Intent)> = Vec::new();
        for step in steps {
            let Action::Copy { to: Side::Remote, key, marks, .. } = &step.action else { continue };
            let known = rows.get(key);
            if known.is_some_and(|(row, paired)| *paired || recognised.contains(row)) {
                continue;
            }
            match traits.get(key).copied().flatten().as_ref().and_then(content) {
                Some(content) => intents.push((
                    step,
                    Intent {
                        row: known.map(|(row, _)| *row),
                        local: key.clone(),
                        content,
                        marks: marks.clone(),
                        uidnext: self.look.uidnext,
                    },
                )),
                // It was gone, or could not be read, when it was looked at.
                None => done.whole = false,
            }
        }
        for batch in intents.chunks(UPLOADS) {
            if self.job.carrier.interrupt.is_raised() {
                done.whole = false;
                return Ok(());
            }
            self.upload_batch(remote, local, batch, done, counts).await?;
        }
        Ok(())
    }

    async fn upload_batch<S: Link>(
        &self,
        remote: &mut ImapFolder<'_, S>,
        local: &MaildirFolder,
        batch: &[(&Step, Intent)],
        done: &mut Done,
        counts: &mut Counts,
    ) -> Result<()> {
        let job = &self.job.carrier;
        let plain: Vec<Intent> = batch.iter().map(|(_, intent)| intent.clone()).collect();
        let ids = job.ledger().intend(self.look.id, &plain)?;
        crate::fault::point();
        let outgoing =
            |intent: &Intent| -> Option<Result<Outgoing>> { local.outgoing(&intent.local, &intent.marks).transpose() };
        let appended = remote.append(plain.iter().filter_map(outgoing)).await?;
        crate::fault::point();
        let appended: HashMap<Key, Appended> = appended.into_iter().collect();
        let (mut settled, mut searched) = (Vec::new(), Vec::new());
        for ((step, intent), id) in batch.iter().zip(ids) {
            match appended.get(&intent.local) {
                Some(Appended::As(key)) => settled.push((id, Some(key.clone()))),
                Some(Appended::Somewhere) => searched.push((id, intent.clone())),
                Some(Appended::Refused(reason)) => {
                    counts.failed += 1;
                    done.whole = false;
                    let what = format!("{}: {} stays here: {reason}", self.look.name, intent.local);
                    self.job.tell(Event::Warning(&what));
                    settled.push((id, None));
                    continue;
                }
                // Removed here meanwhile.
                None => {
                    settled.push((id, None));
                    continue;
                }
            }
            counts.bytes_out += intent.content.wire_size;
            count(step, counts);
            self.job.tell_step(self.look, step);
        }
        job.ledger().settled(self.look.id, &settled, job.now)?;
        crate::fault::point();
        if !searched.is_empty() {
            let found = find(self.job, remote, self.look.id, &searched).await?;
            job.ledger().settled(self.look.id, &found, job.now)?;
            crate::fault::point();
        }
        Ok(())
    }

    /// Changes marks on a side; what is under way is written down before.
    async fn mark(&self, side: Side, mailbox: &mut impl Mailbox, edits: &Edits) -> Result<()> {
        if edits.is_empty() {
            return Ok(());
        }
        let pending: Vec<(RowId, Marks)> = edits.iter().map(|(row, _, c)| (*row, c.add.with(&c.remove))).collect();
        self.job.carrier.ledger().pend(side, &pending)?;
        crate::fault::point();
        let edits: Vec<(Key, Change)> = edits.iter().map(|(_, key, change)| (key.clone(), change.clone())).collect();
        // One that is gone meanwhile is the next run's business.
        mailbox.edit(&edits).await?;
        crate::fault::point();
        Ok(())
    }

    fn write_down(&self, steps: &[Step]) -> Result<()> {
        let (mut agreed, mut revived, mut gone) = (Vec::new(), Vec::new(), Sides::<Vec<RowId>>::default());
        for step in steps {
            match &step.action {
                Action::Agree { row, marks } => agreed.push((*row, marks.clone())),
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

    /// Moves messages to the folders where the other side has them now.
    async fn relocate<S: Link>(
        &self,
        remote: &mut ImapFolder<'_, S>,
        local: &mut MaildirFolder,
        steps: &[Step],
        done: &mut Done,
        counts: &mut Counts,
    ) -> Result<()> {
        for side in [Side::Local, Side::Remote] {
            let mut by_target: HashMap<&FolderName, Vec<&Step>> = HashMap::new();
            for step in steps {
                if let Action::Relocate { on, to, .. } = &step.action
                    && *on == side
                {
                    by_target.entry(to).or_default().push(step);
                }
            }
            for (to, moves) in by_target {
                let Some(target) = self.all.iter().find(|o| o.name == *to) else { continue };
                let edits: Edits = moves.iter().filter_map(|s| relocation_edit(&s.action)).collect();
                let moved = match side {
                    Side::Local => {
                        self.mark(side, local, &edits).await?;
                        done.again |= moves.iter().any(|s| lags(&s.action));
                        self.move_local(local, target, &moves).await?
                    }
                    Side::Remote => {
                        self.mark(side, remote, &edits).await?;
                        self.mark_across(target, &moves).await?;
                        self.move_remote(remote, target, &moves).await?
                    }
                };
                done.whole &= moved == moves.len();
                for step in moves {
                    self.job.tell_step(self.look, step);
                    count(step, counts);
                }
            }
        }
        Ok(())
    }

    /// Marks that were set on the server's copy meanwhile come to the file in its new folder here.
    async fn mark_across(&self, target: &Observed, moves: &[&Step]) -> Result<()> {
        let edits: Edits = (moves.iter())
            .filter_map(|s| match &s.action {
                Action::Relocate { row, arrived, across, .. } if !across.is_empty() => {
                    Some((*row, arrived.clone(), across.clone()))
                }
                _ => None,
            })
            .collect();
        if edits.is_empty() {
            return Ok(());
        }
        let mut folder = MaildirFolder::open(&self.job.store, &target.name)?;
        folder.snapshot().await?;
        self.mark(Side::Local, &mut folder, &edits).await
    }

    async fn move_local(&self, local: &mut MaildirFolder, target: &Observed, moves: &[&Step]) -> Result<usize> {
        let parts: Vec<_> = moves.iter().filter_map(|s| relocation(&s.action)).collect();
        let keys: Vec<Key> = parts.iter().map(|(_, key, ..)| (*key).clone()).collect();
        let arrived = local.relocate(&keys, &target.name).await?;
        crate::fault::point();
        let mut moved = 0;
        for ((row, _, uid, marks), here) in parts.into_iter().zip(arrived) {
            let Some(here) = here else { continue };
            let keys = Sides { remote: Some(uid.clone()), local: Some(here) };
            let mut ledger = self.job.carrier.ledger();
            ledger.relocate(row, target.id, &keys)?;
            // What changed on the server's copy meanwhile is found by the next round, for this is what both had.
            if let Some(marks) = marks {
                ledger.agree(&[(row, marks)])?;
            }
            moved += 1;
        }
        crate::fault::point();
        Ok(moved)
    }

    async fn move_remote<S: Link>(
        &self,
        remote: &mut ImapFolder<'_, S>,
        target: &Observed,
        moves: &[&Step],
    ) -> Result<usize> {
        let ledger = || self.job.carrier.ledger();
        let rows =
            ledger().rows_of(&moves.iter().filter_map(|s| Some(relocation(&s.action)?.0)).collect::<Vec<_>>())?;
        let rows: HashMap<RowId, _> = rows.into_iter().map(|r| (r.id, r)).collect();
        let (mut keys, mut intents) = (Vec::new(), Vec::new());
        for step in moves {
            let Action::Relocate { row, key, arrived, agreed, .. } = &step.action else { continue };
            let Some(known) = rows.get(row) else { continue };
            let content = Content {
                octets: known.wire_size,
                wire_size: known.wire_size,
                digest: known.digest,
                fingerprint: known.fingerprint,
            };
            keys.push(key.clone());
            intents.push(Intent {
                row: Some(*row),
                local: arrived.clone(),
                content,
                marks: agreed.clone(),
                uidnext: target.uidnext,
            });
        }
        let ids: Vec<IntentId> = ledger().intend(target.id, &intents)?;
        crate::fault::point();
        let arrived = remote.relocate(&keys, &target.name).await?;
        crate::fault::point();
        // Where the server does not tell, the next run looks for it.
        let settled: Vec<(IntentId, Option<Key>)> =
            ids.into_iter().zip(arrived).filter(|(_, key)| key.is_some()).collect();
        ledger().settled(target.id, &settled, self.job.carrier.now)?;
        crate::fault::point();
        Ok(settled.len())
    }

    /// Removes messages, or moves them to the trash. Gives the rows of those that may still be there.
    async fn remove<S: Link>(
        &self,
        remote: &mut ImapFolder<'_, S>,
        local: &mut MaildirFolder,
        steps: &[Step],
        counts: &mut Counts,
    ) -> Result<HashSet<RowId>> {
        let mut left = HashSet::new();
        // On its way to the trash a message loses its mark as deleted: where the mark was set comes last, for until then it
        // tells the next run what is wanted.
        let is_last = |step: &Step| match (&step.action, &step.reason) {
            (Action::Remove { on, trash: Some(_), .. }, Reason::Deleted { on: marked, .. }) => on == marked,
            _ => false,
        };
        for (side, last) in [false, true].into_iter().flat_map(|last| [(Side::Local, last), (Side::Remote, last)]) {
            let mut by_trash: HashMap<Option<&FolderName>, Vec<(&Step, RowId, Key)>> = HashMap::new();
            for step in steps {
                if let Action::Remove { on, row, key, trash } = &step.action
                    && *on == side
                    && is_last(step) == last
                {
                    by_trash.entry(trash.as_ref()).or_default().push((step, *row, key.clone()));
                }
            }
            for (trash, doomed) in by_trash {
                let keys: Vec<Key> = doomed.iter().map(|(.., key)| key.clone()).collect();
                let still: Vec<Key> = match (side, trash) {
                    (Side::Local, None) => local.remove(&keys).await?,
                    (Side::Remote, None) => remote.remove(&keys).await?,
                    (Side::Local, Some(trash)) => throw_away(local, &keys, trash).await?,
                    (Side::Remote, Some(trash)) => throw_away(remote, &keys, trash).await?,
                };
                crate::fault::point();
                for (step, row, key) in doomed {
                    if still.contains(&key) {
                        left.insert(row);
                        counts.undeleted_remote += u64::from(side == Side::Remote);
                    } else {
                        self.job.tell_step(self.look, step);
                        count(step, counts);
                    }
                }
            }
        }
        Ok(left)
    }
}

/// Moves messages to the trash, where they are no longer marked as deleted: there they are mail like any other.
async fn throw_away(mailbox: &mut impl Mailbox, keys: &[Key], trash: &FolderName) -> Result<Vec<Key>> {
    let unmark = Change { remove: Marks::of(Flags::DELETED), ..Change::default() };
    mailbox.edit(&keys.iter().map(|key| (key.clone(), unmark.clone())).collect::<Vec<_>>()).await?;
    mailbox.relocate(keys, trash).await.map(|_| Vec::new())
}

fn edit_on(side: Side, action: &Action) -> Option<(RowId, Key, Change)> {
    match action {
        Action::Mark { on, row, key, change } if *on == side => Some((*row, key.clone(), change.clone())),
        _ => None,
    }
}

fn relocation_edit(action: &Action) -> Option<(RowId, Key, Change)> {
    match action {
        Action::Relocate { row, key, change, .. } if !change.is_empty() => Some((*row, key.clone(), change.clone())),
        _ => None,
    }
}

/// Whether the message that arrived in the other folder lacks changes of marks.
fn lags(action: &Action) -> bool {
    matches!(action, Action::Relocate { across, .. } if !across.is_empty())
}

/// Row, key, key on the other side, and the marks that are agreed where no change on that side is still to be made.
fn relocation(action: &Action) -> Option<(RowId, &Key, &Key, Option<Marks>)> {
    match action {
        Action::Relocate { row, key, arrived, across, agreed, .. } => {
            Some((*row, key, arrived, across.is_empty().then(|| agreed.clone())))
        }
        _ => None,
    }
}

fn uid(key: &Key) -> Option<u32> {
    std::str::from_utf8(&key.0).ok()?.parse().ok()
}

fn content(traits: &Traits) -> Option<Content> {
    let (wire_size, digest) = (traits.size?, traits.digest?);
    Some(Content { octets: wire_size, wire_size, digest, fingerprint: traits.fingerprint })
}
