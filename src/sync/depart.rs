//! Carries out the part of a plan after which a message is no longer where it was: moves and removals.

use super::execute::{Done, Edits, Errand};
use super::observe::Observed;
use super::tell::count;
use super::{Action, Reason, Step};
use crate::error::Result;
use crate::event::{Counts, Event};
use crate::imap::{ImapFolder, Link};
use crate::mail::{Change, Content, Flags, FolderName, Key, Marks, Side, Sides};
use crate::state::{FolderId, Intent, IntentId, RowId};
use crate::store::{Mailbox, MaildirFolder};
use std::collections::{HashMap, HashSet};

/// When a message is removed. On its way to the trash it loses its mark as deleted: where the mark was set comes last, for
/// until then it tells the next run what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    First,
    Last,
}

impl Turn {
    fn of(step: &Step) -> Turn {
        match (&step.action, &step.reason) {
            (Action::Remove { on, trash: Some(_), .. }, Reason::Deleted { on: marked, .. }) if on == marked => {
                Turn::Last
            }
            _ => Turn::First,
        }
    }
}

impl Errand<'_> {
    /// Moves messages here to the folders where the server has them now.
    pub(super) async fn relocate_local(
        &self,
        local: &mut MaildirFolder,
        steps: &[Step],
        done: &mut Done,
        counts: &mut Counts,
    ) -> Result<()> {
        for (target, mut moves) in self.moves_on(Side::Local, steps) {
            let edits: Edits = moves.iter().filter_map(|s| relocation_edit(&s.action)).collect();
            self.mark(Side::Local, local, &edits).await?;
            done.again |= moves.iter().any(|s| lags(&s.action));
            let moved = self.move_local(local, target, &moves).await?;
            if moved < moves.len() {
                let keys = moves.iter().filter_map(|s| Some(relocation(&s.action)?.1.clone())).collect();
                let left = still_here(local, keys).await?;
                counts.failed += left.len() as u64;
                left.iter().for_each(|key| self.tell_homeless(key, "was moved on the server to", &target.name));
                done.whole = false;
                moves.retain(|s| relocation(&s.action).is_some_and(|(_, key, ..)| !left.contains(key)));
            }
            // The next round makes these, and tells of them.
            let without_across: Vec<Step> = moves.into_iter().map(without_across).collect();
            self.moved(&without_across.iter().collect::<Vec<_>>(), moved, done, counts);
        }
        Ok(())
    }

    /// Tells of a message that could not be moved here.
    fn tell_homeless(&self, key: &Key, why: &str, target: &FolderName) {
        self.job.tell(Event::Warning(&format!(
            "{}: {key} {why} {target} and stays where it is here: no letter is left there for its keywords. \
             Delete a line that no message needs from the file dovecot-keywords of {target}, then run again.",
            self.look.name
        )));
    }

    /// Moves messages on the server to the folders where they are here now.
    pub(super) async fn relocate_remote<S: Link>(
        &self,
        remote: &mut ImapFolder<'_, S>,
        steps: &[Step],
        done: &mut Done,
        counts: &mut Counts,
    ) -> Result<()> {
        for (target, mut moves) in self.moves_on(Side::Remote, steps) {
            let edits: Edits = moves.iter().filter_map(|s| relocation_edit(&s.action)).collect();
            let mut gone = self.mark(Side::Remote, remote, &edits).await?;
            let unkept = self.learn_unkept(remote)?;
            gone.extend(self.mark_across(target, &moves).await?);
            // Moved on meanwhile, on either side: where to, the next round finds out.
            moves.retain(|s| relocation(&s.action).is_none_or(|(row, ..)| !gone.contains(&row)));
            done.again |= !gone.is_empty();
            let moved = self.move_remote(remote, target, &moves, &unkept).await?;
            self.moved(&moves, moved, done, counts);
        }
        Ok(())
    }

    /// The moves on a side, by where they lead.
    fn moves_on<'s>(&self, side: Side, steps: &'s [Step]) -> Vec<(&Observed, Vec<&'s Step>)> {
        let mut by_target: HashMap<&FolderName, Vec<&Step>> = HashMap::new();
        for step in steps {
            if let Action::Relocate { on, to, .. } = &step.action
                && *on == side
            {
                by_target.entry(to).or_default().push(step);
            }
        }
        let target = |name: &FolderName| self.all.iter().map(|case| &case.look).find(|look| look.name == *name);
        by_target.into_iter().filter_map(|(to, moves)| Some((target(to)?, moves))).collect()
    }

    fn moved(&self, moves: &[&Step], moved: usize, done: &mut Done, counts: &mut Counts) {
        done.whole &= moved == moves.len();
        for step in moves {
            self.job.tell_step(self.look, step);
            count(step, counts);
        }
    }

    /// Marks that were set on the server's copy meanwhile come to the file in its new folder here. Gives the rows of files that
    /// are there no longer.
    async fn mark_across(&self, target: &Observed, moves: &[&Step]) -> Result<HashSet<RowId>> {
        let edits: Edits = (moves.iter())
            .filter_map(|s| match &s.action {
                Action::Relocate { row, arrived, across, .. } if !across.is_empty() => {
                    Some((*row, arrived.clone(), (**across).clone()))
                }
                _ => None,
            })
            .collect();
        if edits.is_empty() {
            return Ok(HashSet::new());
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
        unkept: &HashMap<Key, Marks>,
    ) -> Result<usize> {
        let ledger = || self.job.carrier.ledger();
        let known = self.contents(moves.iter().filter_map(|s| Some(relocation(&s.action)?.0)).collect())?;
        let (mut keys, mut intents) = (Vec::new(), Vec::new());
        for step in moves {
            let Action::Relocate { row, key, arrived, agreed, .. } = &step.action else { continue };
            let Some(content) = known.get(row).copied() else { continue };
            keys.push(key.clone());
            intents.push(Intent {
                row: Some(*row),
                local: arrived.clone(),
                content,
                marks: unkept.get(key).map_or_else(|| (**agreed).clone(), |lost| agreed.without(lost)),
                uidnext: target.uidnext,
                discards: false,
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

    /// What the bytes of rows tell.
    fn contents(&self, rows: Vec<RowId>) -> Result<HashMap<RowId, Content>> {
        let rows = self.job.carrier.ledger().rows_of(&rows)?;
        Ok(rows.into_iter().map(|r| (r.id, r.content())).collect())
    }

    /// Writes down that messages are about to be moved to the trash of the server. Without MOVE they are copied, and a run
    /// that dies before they are removed leaves them in both folders. Where the trash is not synced, nothing is known of it.
    fn intend_to_discard(
        &self,
        trash: &FolderName,
        doomed: &[(&Step, RowId, Key)],
    ) -> Result<Option<(FolderId, Vec<IntentId>)>> {
        let ledger = || self.job.carrier.ledger();
        let Some(folder) = ledger().folder(&trash.to_string())? else { return Ok(None) };
        let looked = self.all.iter().map(|case| &case.look).find(|look| look.id == folder.id);
        let uidnext = looked.map_or_else(|| ledger().facts(folder.id).map(|f| f.uidnext), |l| Ok(Some(l.uidnext)))?;
        let known = self.contents(doomed.iter().map(|(_, row, _)| *row).collect())?;
        let intent = |(row, content): (&RowId, &Content)| Intent {
            row: Some(*row),
            local: Key::new(""),
            content: *content,
            marks: Marks::default(),
            uidnext: uidnext.unwrap_or(1),
            discards: true,
        };
        let ids = ledger().intend(folder.id, &known.iter().map(intent).collect::<Vec<_>>())?;
        crate::fault::point();
        Ok(Some((folder.id, ids)))
    }

    /// Moves messages to the trash, where they are no longer marked as deleted: there they are mail like any other.
    async fn throw_away(
        &self,
        side: Side,
        mailbox: &mut impl Mailbox,
        doomed: &[(&Step, RowId, Key)],
        trash: &FolderName,
    ) -> Result<Vec<Key>> {
        let unmark = Change { remove: Marks::of(Flags::DELETED), ..Change::default() };
        let edits: Vec<(Key, Change)> = doomed.iter().map(|(.., key)| (key.clone(), unmark.clone())).collect();
        mailbox.edit(&edits).await?;
        let intended = if side == Side::Remote { self.intend_to_discard(trash, doomed)? } else { None };
        let keys: Vec<Key> = edits.into_iter().map(|(key, _)| key).collect();
        let moved = mailbox.relocate(&keys, trash).await?;
        if let Some((folder, ids)) = intended {
            let settled: Vec<(IntentId, Option<Key>)> = ids.into_iter().map(|id| (id, None)).collect();
            self.job.carrier.ledger().settled(folder, &settled, self.job.carrier.now)?;
        }
        if side == Side::Remote {
            // Many servers do not tell where it went.
            return Ok(Vec::new());
        }
        let unmoved = keys.into_iter().zip(moved).filter(|(_, place)| place.is_none()).map(|(key, _)| key);
        let left = still_here(mailbox, unmoved.collect()).await?;
        left.iter().for_each(|key| self.tell_homeless(key, "is to go to", trash));
        Ok(left)
    }

    /// Removes messages on a side, or moves them to the trash. Gives the rows of those that may still be there.
    pub(super) async fn remove(
        &self,
        side: Side,
        turn: Turn,
        mailbox: &mut impl Mailbox,
        steps: &[Step],
        counts: &mut Counts,
    ) -> Result<HashSet<RowId>> {
        let mut left = HashSet::new();
        let mut by_trash: HashMap<Option<&FolderName>, Vec<(&Step, RowId, Key)>> = HashMap::new();
        for step in steps {
            if let Action::Remove { on, row, key, trash } = &step.action
                && *on == side
                && Turn::of(step) == turn
            {
                by_trash.entry(trash.as_ref()).or_default().push((step, *row, key.clone()));
            }
        }
        if side == Side::Remote {
            let doomed = by_trash.values().flatten().map(|(_, row, key)| (*row, key.clone())).collect();
            self.are_known(mailbox, doomed).await?;
        }
        for (trash, doomed) in by_trash {
            let keys: Vec<Key> = doomed.iter().map(|(.., key)| key.clone()).collect();
            let still: Vec<Key> = match trash {
                None => mailbox.remove(&keys).await?,
                Some(trash) => self.throw_away(side, mailbox, &doomed, trash).await?,
            };
            crate::fault::point();
            for (step, row, key) in doomed {
                if still.contains(&key) {
                    left.insert(row);
                    counts.undeleted_remote += u64::from(side == Side::Remote);
                    counts.failed += u64::from(side == Side::Local);
                } else {
                    self.job.tell_step(self.look, step);
                    count(step, counts);
                }
            }
        }
        Ok(left)
    }
}

/// Which of these messages a side still has.
async fn still_here(mailbox: &mut impl Mailbox, mut keys: Vec<Key>) -> Result<Vec<Key>> {
    if !keys.is_empty() {
        let here = mailbox.snapshot().await?;
        keys.retain(|key| here.messages.contains_key(key));
    }
    Ok(keys)
}

fn relocation_edit(action: &Action) -> Option<(RowId, Key, Change)> {
    match action {
        Action::Relocate { row, key, change, .. } if !change.is_empty() => {
            Some((*row, key.clone(), (**change).clone()))
        }
        _ => None,
    }
}

/// Whether the message that arrived in the other folder lacks changes of marks.
fn lags(action: &Action) -> bool {
    matches!(action, Action::Relocate { across, .. } if !across.is_empty())
}

/// A move, without the changes of marks that are to follow on the other side.
fn without_across(step: &Step) -> Step {
    let mut step = step.clone();
    if let Action::Relocate { across, .. } = &mut step.action {
        **across = Change::default();
    }
    step
}

/// Row, key, key on the other side, and the marks that are agreed where no change on that side is still to be made.
fn relocation(action: &Action) -> Option<(RowId, &Key, &Key, Option<Marks>)> {
    match action {
        Action::Relocate { row, key, arrived, across, agreed, .. } => {
            Some((*row, key, arrived, across.is_empty().then(|| (**agreed).clone())))
        }
        _ => None,
    }
}
