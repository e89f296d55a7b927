//! The three-way merge of the marks of one message.

use super::Policy;
use crate::mail::{Change, Flags, Keyword, Marks, Side, Sides};
use crate::state::Pair;
use crate::store::Holds;
use std::collections::BTreeSet;

/// The marks that a folder can hold on both sides, and the further keywords that a plan has it take on.
#[derive(Debug)]
pub struct Room<'a> {
    holds: Sides<&'a Holds>,
    taken: Sides<BTreeSet<Keyword>>,
}

impl<'a> Room<'a> {
    /// The room of a folder, none of it taken.
    pub fn new(holds: Sides<&'a Holds>) -> Room<'a> {
        Room { holds, taken: Sides::default() }
    }

    /// What of `marks` a side can take on; what it takes on is taken. A deletion mark is never among it.
    pub fn take(&mut self, side: Side, marks: &Marks) -> Marks {
        let (holds, taken) = (self.holds.on(side), self.taken.on_mut(side));
        let kept = holds.storable(&without_deleted(marks), taken);
        taken.extend(kept.keywords.difference(&holds.marks.keywords).cloned());
        kept
    }

    /// What of the marks that a side shows can be taken away there.
    fn removable(&self, side: Side, marks: Marks) -> Marks {
        let holds = self.holds.on(side);
        let mut marks = without_deleted(&marks);
        marks.flags = marks.flags & holds.marks.flags;
        marks.keywords.retain(|k| holds.room > 0 || holds.marks.keywords.contains(k));
        marks
    }
}

/// Marks but for `\Deleted`, which is a deletion and never travels as a mark.
pub fn without_deleted(marks: &Marks) -> Marks {
    Marks { flags: marks.flags - Flags::DELETED, keywords: marks.keywords.clone() }
}

/// What the merge of one message comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// What is to be changed on each side.
    pub change: Sides<Change>,
    /// What is agreed after that.
    pub agreed: Marks,
}

/// What was agreed, as it has to be understood now: of marks that were under way to a side when a run ended, what that
/// side shows is what was agreed, so that what the other side shows decides.
pub fn understood(pair: &Pair, shown: Sides<&Marks>) -> Marks {
    let Some(pending) = &pair.pending else { return pair.agreed.clone() };
    Side::BOTH.into_iter().fold(pair.agreed.clone(), |agreed, side| {
        let doubtful = without_deleted(pending.on(side));
        agreed.without(&doubtful).with(&shown.on(side).common(&doubtful))
    })
}

/// Merges the marks that two sides show. What cannot or may not be written on a side stays as it is, and is not agreed.
pub fn merge(pair: &Pair, shown: Sides<&Marks>, policy: &Policy, room: &mut Room<'_>) -> Merged {
    let before = understood(pair, shown);
    let merged = Marks::merged(&before, shown.remote, shown.local);
    let change = Sides::of(|side| {
        if !policy.marks.reaches(side) {
            return Change::default();
        }
        let Change { add, remove } = shown.on(side).change_to(&merged);
        Change { add: room.take(side, &add), remove: room.removable(side, remove) }
    });
    let after = Sides::of(|side| shown.on(side).after(change.on(side)));
    let same = after.remote.common(&after.local);
    let differing = after.remote.with(&after.local).without(&same);
    Merged { change, agreed: same.with(&before.common(&differing)) }
}
