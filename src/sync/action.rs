//! What a plan has done, step by step, and why.

use crate::mail::{Change, FolderName, Key, Marks, Side};
use crate::state::{RowId, Why};
use std::fmt;

/// One thing to be done. Those of equal kind stand together in a plan and can be carried out in one go. Small, for there
/// may be very many: what only rare ones hold is boxed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Copy a message to a side. Where its content tells that it is one of those that
    /// [may be had](super::Plan::may_be_had), the two are paired instead, and the copy of that one is left out.
    Copy {
        /// Where it is missing.
        to: Side,
        /// Its key on the other side.
        key: Key,
        /// The marks to be set on the copy, and agreed.
        marks: Marks,
        /// Octets with CRLF line ends, as far as known.
        size: Option<u64>,
        /// The row that knows it on the other side alone; the pair takes its place.
        row: Option<RowId>,
    },
    /// Change marks on a side. What it touches is [pending](crate::state::Pair::pending) from before until it is agreed.
    Mark {
        /// Where.
        on: Side,
        /// The message.
        row: RowId,
        /// Its key there.
        key: Key,
        /// What to add and remove.
        change: Box<Change>,
    },
    /// Write down what both sides have now.
    Agree {
        /// The message.
        row: RowId,
        /// Its marks.
        marks: Marks,
    },
    /// Write down that a tombstone's message is on both sides after all.
    Revive {
        /// The message.
        row: RowId,
    },
    /// Write down that a message was deleted on a side, and stays on the other.
    Tombstone {
        /// The message.
        row: RowId,
        /// Where it was deleted.
        gone: Side,
    },
    /// Move a message to another folder, as was done on the other side. Marks first, then `agreed`, then the move.
    Relocate {
        /// Where it is still in this folder.
        on: Side,
        /// The message.
        row: RowId,
        /// Its key there.
        key: Key,
        /// The folder it belongs in.
        to: FolderName,
        /// Its key on the other side, in that folder.
        arrived: Key,
        /// Marks to be changed before it is moved.
        change: Box<Change>,
        /// Marks to be changed on the other side, in that folder.
        across: Box<Change>,
        /// What is agreed after both changes.
        agreed: Box<Marks>,
    },
    /// Remove a message from a side.
    Remove {
        /// Where.
        on: Side,
        /// The message.
        row: RowId,
        /// Its key there.
        key: Key,
        /// Move it to this folder instead; it is new there.
        trash: Option<FolderName>,
    },
    /// Forget a row whose message is on neither side. It is left out when a removal of it failed.
    Forget {
        /// The row.
        row: RowId,
    },
}

/// Why something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It is new on that side.
    New(Side),
    /// Marks were changed on that side.
    Marked(Side),
    /// Both sides came to have the same marks.
    Same,
    /// It was moved on that side.
    Moved(Side),
    /// It was removed on that side; `marked` where its marks were changed on the other meanwhile.
    Removed {
        /// Where it was removed.
        on: Side,
        /// Whether a change of marks is lost.
        marked: bool,
    },
    /// It was marked as deleted on that side; `marked` where other marks were changed on the other meanwhile.
    Deleted {
        /// Where it was marked.
        on: Side,
        /// Whether a change of marks is lost.
        marked: bool,
    },
    /// It was removed on that side before the first sync, or the policy keeps it on the other.
    Kept(Side),
    /// It is there again.
    Back,
    /// It is on neither side.
    Nowhere,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = |side: &Side| match side {
            Side::Remote => "on the server",
            Side::Local => "here",
        };
        let lost = |marked: &bool| if *marked { ", though its marks were changed on the other side" } else { "" };
        match self {
            Reason::New(side) => write!(f, "new {}", on(side)),
            Reason::Marked(side) => write!(f, "marks changed {}", on(side)),
            Reason::Same => f.write_str("same marks on both sides"),
            Reason::Moved(side) => write!(f, "moved {}", on(side)),
            Reason::Removed { on: side, marked } => write!(f, "removed {}{}", on(side), lost(marked)),
            Reason::Deleted { on: side, marked } => write!(f, "marked as deleted {}{}", on(side), lost(marked)),
            Reason::Kept(side) => write!(f, "removed {}, kept on the other side", on(side)),
            Reason::Back => f.write_str("on both sides again"),
            Reason::Nowhere => f.write_str("on neither side any longer"),
        }
    }
}

/// An action with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is to be done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
}

impl Step {
    /// The message it is about, by a side that has it; `None` where something is only written down.
    pub fn message(&self) -> Option<(Side, &Key)> {
        match &self.action {
            Action::Copy { to, key, .. } => Some((to.other(), key)),
            Action::Mark { on, key, .. } | Action::Relocate { on, key, .. } | Action::Remove { on, key, .. } => {
                Some((*on, key))
            }
            Action::Agree { .. } | Action::Revive { .. } | Action::Tombstone { .. } | Action::Forget { .. } => None,
        }
    }
}

/// A message that is left on one side alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Where it is.
    pub on: Side,
    /// Its key there.
    pub key: Key,
    /// Why it is not copied.
    pub why: Why,
}
