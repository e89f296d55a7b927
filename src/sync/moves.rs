//! Messages that were moved to another folder: gone from one, new in another, and the same.

use super::compare::{Open, Presence, Unpaired};
use super::plan::Folder;
use super::traits::matched;
use crate::mail::{Flags, Side};
use std::collections::{HashMap, HashSet};

/// A message moved on one side. Indices are those of the folders, and of what their comparisons hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Where it was moved; the other side is to follow.
    pub on: Side,
    /// The folder it was in, and its place among the open rows.
    pub from: (usize, usize),
    /// The folder it is in now, and its place among the unpaired of that side.
    pub to: (usize, usize),
}

/// What became of messages that left their folder.
#[derive(Debug, Default)]
pub struct Moved {
    /// Those that the other side is to follow.
    pub moves: Vec<Move>,
    /// Those that it may not follow, and that are not to be deleted there: their places among the open rows, and the side on
    /// which they were moved.
    pub strays: HashMap<(usize, usize), Side>,
    /// The folders into which any of them went.
    pub into: HashSet<usize>,
}

/// Finds messages that were moved, as far as the policies let the other side follow: the deletion in one folder and the
/// copy in the other both have to travel. Where only the copy may not, the message is a stray.
pub fn moves(folders: &[Folder<'_>]) -> Moved {
    let mut moved = Moved::default();
    for on in Side::BOTH {
        let across = on.other();
        let lost: Vec<_> = each(folders, |f| &f.comparison.open)
            .filter(|(folder, _, o)| folder.policy.delete.reaches(across) && is_lost(o, on))
            .collect();
        let found: Vec<_> = each(folders, |f| f.comparison.unpaired.on(on)).filter(|(.., u)| is_new(u)).collect();
        let (doomed, lost): (Vec<_>, Vec<_>) = lost.into_iter().partition(|(.., o)| is_deleted(o, across));
        let mut taken = HashSet::new();
        // What is deleted is on its way to the trash, and nowhere else.
        for (lost, to_trash) in [(lost, false), (doomed, true)] {
            let fits = |folder: &Folder<'_>| !to_trash || folder.policy.trash.as_ref() == Some(folder.name);
            let free: Vec<_> = found.iter().filter(|(folder, at, _)| fits(folder) && !taken.contains(at)).collect();
            let lost_traits: Vec<_> = lost.iter().map(|(.., o)| o.traits.as_deref()).collect();
            let free_traits: Vec<_> = free.iter().map(|(.., u)| u.traits.as_deref()).collect();
            for (from, to) in matched(&lost_traits, &free_traits).pairs {
                let (Some((_, from, _)), Some((_, to, _))) = (lost.get(from), free.get(to)) else { continue };
                if from.0 != to.0 {
                    taken.insert(*to);
                    moved.into.insert(to.0);
                    let follows = folders.get(to.0).is_some_and(|f| f.policy.create.reaches(across));
                    match follows {
                        true => moved.moves.push(Move { on, from: *from, to: *to }),
                        false => drop(moved.strays.insert(*from, on)),
                    }
                }
            }
        }
    }
    moved
}

fn each<'a, T: 'a>(
    folders: &'a [Folder<'a>],
    of: impl Fn(&'a Folder<'a>) -> &'a Vec<T>,
) -> impl Iterator<Item = (&'a Folder<'a>, (usize, usize), &'a T)> {
    folders
        .iter()
        .enumerate()
        .flat_map(move |(at, folder)| of(folder).iter().enumerate().map(move |(i, entry)| (folder, (at, i), entry)))
}

/// Whether the row's message has left the folder on one side, and stands on the other.
fn is_lost(open: &Open, on: Side) -> bool {
    let stands = open.presence.on(on.other()).marks().is_some();
    open.pair.gone.is_none() && *open.presence.on(on) == Presence::Vanished && stands
}

/// Whether the row's message is marked as deleted on a side.
fn is_deleted(open: &Open, on: Side) -> bool {
    open.presence.on(on).marks().is_some_and(|m| m.flags.contains(Flags::DELETED))
}

fn is_new(unpaired: &Unpaired) -> bool {
    unpaired.row.is_none() && !unpaired.is_deleted()
}
