//! What is to be done in each folder: a pure function of the comparisons and the policies.

use super::action::{Action, Reason, Skipped, Step};
use super::compare::{Comparison, Open, Unpaired};
use super::guard::Tally;
use super::merge::{Merged, Room, merge, understood, without_deleted};
use super::moves::{Move, Moved, moves};
use super::policy::Policy;
use crate::mail::{Flags, FolderName, Key, Marks, Side, Sides};
use crate::state::{Leftover, RowId, Why};
use crate::store::Holds;
use std::collections::{HashMap, HashSet};

/// A folder of both sides, compared.
#[derive(Debug, Clone, Copy)]
pub struct Folder<'a> {
    /// Its name.
    pub name: &'a FolderName,
    /// How its sides differ; everything that can be recognised in the folder itself has been.
    pub comparison: &'a Comparison,
    /// Which marks each side can hold.
    pub holds: Sides<&'a Holds>,
    /// What its owner wants.
    pub policy: &'a Policy,
    /// A sync of it has come to its end before. Until then no deletion travels: the ledger may know messages from pulls.
    pub synced: bool,
}

/// What is to be done in a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which it is to be done: copies to this machine, copies to the server, marks, what is agreed,
    /// tombstones, removals, moves, and what is forgotten.
    pub steps: Vec<Step>,
    /// Messages left on one side alone.
    pub skipped: Vec<Skipped>,
    /// What the guard judges by.
    pub tally: Tally,
    /// What the ledger has to be told beside the pairs once this is carried out, to know all that the server has, and what is
    /// left here for good; by side and key. Of pairs that are gone on a side it is not told the marks.
    pub leftovers: Vec<Leftover>,
    /// On one side, messages of other folders were moved into this one: what becomes of them there depends on what is seen
    /// here, so that this folder has to be looked at again until they are known to be in it.
    pub is_entered: bool,
    /// Some of it was left to the next run.
    pub is_part: bool,
}

impl Plan {
    /// The messages of a side that may turn out to be what is copied there, when its content has come. Those that were
    /// moved into the folder are not among them.
    pub fn may_be_had(&self, on: Side) -> Vec<&Key> {
        let new = self.steps.iter().filter_map(|s| match &s.action {
            Action::Copy { to, key, .. } if *to == on.other() => Some(key),
            _ => None,
        });
        let left = self.skipped.iter().filter(|s| s.on == on && s.why != Why::Deleted).map(|s| &s.key);
        new.chain(left).collect()
    }

    /// What goes to the trash. Where that is one side's message alone, the same run brings it to the other side's trash, as
    /// far as the policy lets it.
    pub fn thrown_away<'c>(&self, comparison: &'c Comparison) -> impl Iterator<Item = &'c Open> {
        let thrown = self.steps.iter().filter_map(|s| match &s.action {
            Action::Remove { row, trash: Some(_), .. } => Some(*row),
            _ => None,
        });
        let thrown: HashSet<RowId> = thrown.collect();
        comparison.open.iter().filter(move |open| thrown.contains(&open.pair.row))
    }

    /// Whether messages of a side are moved to the trash.
    pub fn throws_away(&self, side: Side) -> bool {
        self.steps.iter().any(|s| matches!(s.action, Action::Remove { on, trash: Some(_), .. } if on == side))
    }
}

/// Plans all folders of an account, for messages move between them. `now` is in seconds since 1970 UTC.
pub fn plan(folders: &[Folder<'_>], now: i64) -> Vec<Plan> {
    let Moved { moves, strays, into } = moves(folders);
    let mut rooms: Vec<Room<'_>> = folders.iter().map(|f| Room::new(f.holds)).collect();
    let left: HashMap<(usize, usize), &Move> = moves.iter().map(|m| (m.from, m)).collect();
    let arrived: HashSet<(Side, (usize, usize))> = moves.iter().map(|m| (m.on, m.to)).collect();
    let mut plans = Vec::new();
    for (at, folder) in folders.iter().enumerate() {
        let mut draft = Draft::default();
        for (i, open) in folder.comparison.open.iter().enumerate() {
            match left.get(&(at, i)) {
                Some(moved) => draft.relocate(folders, open, moved, &mut rooms),
                None => {
                    if let Some(room) = rooms.get_mut(at) {
                        let strays = strays.get(&(at, i)).copied();
                        draft.decide(folder, open, strays, now, room);
                    }
                }
            }
        }
        for on in Side::BOTH {
            for (i, unpaired) in folder.comparison.unpaired.on(on).iter().enumerate() {
                if arrived.contains(&(on, (at, i))) {
                    draft.leave(on, unpaired, None);
                } else if let Some(room) = rooms.get_mut(at) {
                    draft.copy(folder, on, unpaired, now, room);
                }
            }
        }
        let moved = Sides::of(|side| left.iter().filter(|(from, m)| from.0 == at && m.on == side).count() as u64);
        plans.push(Plan { is_entered: into.contains(&at), ..draft.finish(folder, moved) });
    }
    plans
}

/// The steps of a folder, by kind.
#[derive(Default)]
struct Draft {
    copies: Sides<Vec<Step>>,
    marks: Sides<Vec<Step>>,
    agreed: Vec<Step>,
    written: Vec<Step>,
    moves: Sides<Vec<Step>>,
    removals: Sides<Vec<Step>>,
    forgotten: Vec<Step>,
    skipped: Vec<Skipped>,
    doomed: u64,
    leftovers: Vec<Leftover>,
}

impl Draft {
    fn finish(self, folder: &Folder<'_>, moved: Sides<u64>) -> Plan {
        let c = folder.comparison;
        let tally = Tally {
            folder: folder.name.to_string(),
            pairs: c.pairs,
            shown: c.shown,
            vanished: Sides::of(|side| c.vanished(side).saturating_sub(*moved.on(side))),
            removals: Sides::of(|side| self.removals.on(side).len() as u64),
            messages: self.doomed,
        };
        // Grown in place, for there may be very many.
        let mut steps = self.copies.local;
        let (marks, removals, moves) = (self.marks, self.removals, self.moves);
        for others in [
            self.copies.remote,
            marks.local,
            marks.remote,
            self.agreed,
            self.written,
            removals.local,
            removals.remote,
            moves.local,
            moves.remote,
            self.forgotten,
        ] {
            steps.extend(others);
        }
        let mut leftovers = self.leftovers;
        leftovers.sort_by(|a, b| (a.on, &a.key).cmp(&(b.on, &b.key)));
        Plan { steps, skipped: self.skipped, tally, leftovers, is_entered: false, is_part: false }
    }

    fn decide(&mut self, folder: &Folder<'_>, open: &Open, stray: Option<Side>, now: i64, room: &mut Room<'_>) {
        let (row, pair) = (open.pair.row, &open.pair);
        if open.is_nowhere() {
            return self.forgotten.push(Step { action: Action::Forget { row }, reason: Reason::Nowhere });
        }
        if let Some(gone) = stray {
            return self.written.push(Step { action: Action::Tombstone { row, gone }, reason: Reason::Kept(gone) });
        }
        if let Some((on, marked)) = deleted_by_mark(folder, open) {
            return self.remove(folder, open, Reason::Deleted { on, marked });
        }
        match (open.presence.remote.marks(), open.presence.local.marks()) {
            (Some(remote), Some(local)) => {
                let shown = Sides { remote, local };
                if let Some(gone) = pair.gone {
                    if shown.on(gone).flags.contains(Flags::DELETED) {
                        return;
                    }
                    self.written.push(Step { action: Action::Revive { row }, reason: Reason::Back });
                }
                self.mark(folder, open, shown, room);
            }
            (Some(kept), None) => self.lost(folder, open, Side::Local, kept, now, room),
            (None, Some(kept)) => self.lost(folder, open, Side::Remote, kept, now, room),
            (None, None) => {}
        }
    }

    /// A message that one side has, and the other has no longer, or may have unlisted.
    fn lost(&mut self, folder: &Folder<'_>, open: &Open, gone: Side, kept: &Marks, now: i64, room: &mut Room<'_>) {
        if *open.presence.on(gone) == super::Presence::Unlisted || open.pair.gone == Some(gone) {
            return self.keep_marks(open, gone.other(), kept.clone(), &open.pair.agreed);
        }
        if open.pair.gone.is_none() && folder.synced && folder.policy.delete.reaches(gone.other()) {
            let shown = Sides { remote: kept, local: kept };
            let marked = without_deleted(&understood(&open.pair, shown)) != without_deleted(kept);
            return self.remove(folder, open, Reason::Removed { on: gone, marked });
        }
        // Before the end of a first sync nobody can have meant it: it comes again.
        if let Some(alone) = open.alone_on(gone.other()).filter(|_| !folder.synced)
            && why_left(folder, gone.other(), &alone, now).is_none()
        {
            return self.copy(folder, gone.other(), &alone, now, room);
        }
        let action = Action::Tombstone { row: open.pair.row, gone };
        self.written.push(Step { action, reason: Reason::Kept(gone) });
    }

    fn mark(&mut self, folder: &Folder<'_>, open: &Open, shown: Sides<&Marks>, room: &mut Room<'_>) {
        let (row, pair) = (open.pair.row, &open.pair);
        let Merged { change, agreed } = merge(pair, shown, folder.policy, room);
        let agreed = with_deleted(folder, pair.agreed.flags, shown, agreed);
        for on in Side::BOTH {
            let (change, Some(key)) = (change.on(on), pair.keys.on(on)) else { continue };
            if !change.is_empty() {
                let action = Action::Mark { on, row, key: key.clone(), change: Box::new(change.clone()) };
                self.marks.on_mut(on).push(Step { action, reason: Reason::Marked(on.other()) });
            }
        }
        for on in Side::BOTH {
            self.keep_marks(open, on, shown.on(on).after(change.on(on)), &agreed);
        }
        if agreed != pair.agreed || pair.pending.is_some() {
            self.agreed.push(Step { action: Action::Agree { row, marks: agreed }, reason: Reason::Same });
        }
    }

    fn remove(&mut self, folder: &Folder<'_>, open: &Open, reason: Reason) {
        let row = open.pair.row;
        let trash = folder.policy.trash.as_ref().filter(|t| *t != folder.name);
        for on in Side::BOTH {
            if let (Some(_), Some(key)) = (open.presence.on(on).marks(), open.pair.keys.on(on)) {
                let action = Action::Remove { on, row, key: key.clone(), trash: trash.cloned() };
                self.removals.on_mut(on).push(Step { action, reason });
            }
        }
        self.doomed += 1;
        self.forgotten.push(Step { action: Action::Forget { row }, reason });
    }

    fn relocate(&mut self, folders: &[Folder<'_>], open: &Open, moved: &Move, rooms: &mut [Room<'_>]) {
        let on = moved.on.other();
        let Some(to) = folders.get(moved.to.0) else { return };
        let Some(arrived) = to.comparison.unpaired.on(moved.on).get(moved.to.1) else { return };
        let (Some(here), Some(key)) = (open.presence.on(on).marks(), open.pair.keys.on(on)) else { return };
        let mut shown = Sides { remote: here, local: here };
        *shown.on_mut(moved.on) = &arrived.marks;
        let Some(room) = rooms.get_mut(moved.to.0) else { return };
        let Merged { mut change, agreed } = merge(&open.pair, shown, to.policy, room);
        // A run that was throwing it away ended when one side had: in the trash it is mail like any other.
        change.on_mut(on).remove.flags = change.on(on).remove.flags | (here.flags & Flags::DELETED);
        let action = Action::Relocate {
            on,
            row: open.pair.row,
            key: key.clone(),
            to: to.name.clone(),
            arrived: arrived.key.clone(),
            change: Box::new(change.on(on).clone()),
            across: Box::new(change.on(moved.on).clone()),
            agreed: Box::new(without_deleted(&agreed)),
        };
        self.moves.on_mut(on).push(Step { action, reason: Reason::Moved(moved.on) });
    }

    fn copy(&mut self, folder: &Folder<'_>, on: Side, message: &Unpaired, now: i64, room: &mut Room<'_>) {
        if let Some(why) = why_left(folder, on, message, now) {
            self.leave(on, message, Some(why));
            return self.skipped.push(Skipped { on, key: message.key.clone(), why });
        }
        let to = on.other();
        let marks = room.take(to, &message.marks);
        if marks != message.marks {
            self.leave(on, message, None);
        }
        let row = message.row.as_ref().map(|row| row.0);
        let action = Action::Copy { to, key: message.key.clone(), marks, size: message.size, row };
        self.copies.on_mut(to).push(Step { action, reason: Reason::New(on) });
    }

    /// A message of one side that the pairs will not tell of, or not with its marks. Of those here, only what is told
    /// has to be remembered.
    fn leave(&mut self, on: Side, message: &Unpaired, why: Option<Why>) {
        if on == Side::Remote || matches!(why, Some(Why::TooOld | Why::TooLarge | Why::Empty)) {
            let Unpaired { key, marks, size, received_at, .. } = message.clone();
            self.leftovers.push(Leftover { on, key, marks, size, received_at, why });
        }
    }

    /// The message of a pair that keeps marks which may not be those agreed.
    fn keep_marks(&mut self, open: &Open, on: Side, marks: Marks, agreed: &Marks) {
        if let (Side::Remote, Some(key), true) = (on, &open.pair.keys.remote, marks != *agreed) {
            self.leftovers.push(Leftover { on, key: key.clone(), marks, size: None, received_at: None, why: None });
        }
    }
}

/// Why a message that stands on a side alone is not copied to the other, where it is not.
fn why_left(folder: &Folder<'_>, on: Side, message: &Unpaired, now: i64) -> Option<Why> {
    let to = on.other();
    if message.is_deleted() {
        return Some(Why::Deleted);
    }
    let is_cut_short = *folder.comparison.cut_short.on(to) && (!folder.synced || message.row.is_some());
    let why = folder.policy.why_not(to, message.octets(), message.received_at, now);
    why.or_else(|| is_cut_short.then_some(Why::CutShort))
}

/// The side on which a message was marked as deleted, where that is to travel, and whether the other side has marks that
/// are lost with it.
fn deleted_by_mark(folder: &Folder<'_>, open: &Open) -> Option<(Side, bool)> {
    let pair = &open.pair;
    if !folder.synced || pair.agreed.flags.contains(Flags::DELETED) {
        return None;
    }
    let on = Side::BOTH.into_iter().find(|on| {
        let marked = open.presence.on(*on).marks().is_some_and(|m| m.flags.contains(Flags::DELETED));
        let known = *open.presence.on(on.other()) != super::Presence::Unlisted;
        marked && known && pair.gone != Some(*on) && folder.policy.delete.reaches(on.other())
    })?;
    let marked = open.presence.on(on.other()).marks().is_some_and(|other| {
        let shown = Sides { remote: other, local: other };
        without_deleted(&understood(pair, shown)) != without_deleted(other)
    });
    Some((on, marked))
}

/// What is agreed, with or without `\Deleted`: a mark of before the first sync is known from then on, and one that both
/// sides have taken away is forgotten.
fn with_deleted(folder: &Folder<'_>, before: Flags, shown: Sides<&Marks>, agreed: Marks) -> Marks {
    let any = (shown.remote.flags | shown.local.flags) & Flags::DELETED;
    let known = if folder.synced { before & any } else { any };
    without_deleted(&agreed).with(&Marks::of(known))
}
