//! Messages that were moved on both sides between two runs, each time to another folder.
//!
//! The server's place wins, for all other programs see it: the message is known from then on as one that stands in the folder
//! where it is here, and that the server has moved away from there. What follows is an ordinary [move](super::moves).

use super::compare::{Comparison, Open, Presence, Unpaired};
use super::plan::Folder;
use super::traits::{Traits, matched};
use crate::mail::{Key, Side, Sides};
use crate::state::{Pair, RowId};

/// A message that is in one folder here and in another on the server, and in neither where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossing {
    /// Its row.
    pub row: RowId,
    /// The place among the folders of the one that it was in.
    pub from: usize,
    /// The side that is to follow the other,
    pub on: Side,
    /// and the place among the folders of the one where it stands there.
    pub at: usize,
    /// Its keys in that folder. The other side's is none that a message can have: it has left that folder, too.
    pub keys: Sides<Key>,
}

/// Finds them, as far as the policies let either side follow.
pub fn crossings(folders: &[Folder<'_>]) -> Vec<Crossing> {
    let astray = open(folders, Open::is_astray);
    if astray.is_empty() {
        return Vec::new();
    }
    let found = Sides::of(|side| {
        // What was moved on one side alone takes its own.
        let lost = open(folders, |o| o.pair.gone.is_none() && o.seeks_on(side));
        whereabouts(folders, side, &lost, &astray)
    });
    let mut crossings = Vec::new();
    for (((from, open), here), there) in astray.into_iter().zip(found.local).zip(found.remote) {
        let (Some(here), Some(there)) = (here, there) else { continue };
        let places = Sides { remote: there.0, local: here.0 };
        let follows = |on: Side| {
            let (at, to) = (folders.get(*places.on(on)), folders.get(*places.on(on.other())));
            at.is_some_and(|f| f.policy.delete.reaches(on)) && to.is_some_and(|f| f.policy.create.reaches(on))
        };
        let Some(on) = [Side::Local, Side::Remote].into_iter().find(|on| follows(*on)) else { continue };
        if places.remote == places.local {
            continue;
        }
        let nowhere = Key::new(format!("\0{}", open.pair.row.0));
        let mut keys = Sides { remote: nowhere.clone(), local: nowhere };
        *keys.on_mut(on) = Sides { remote: there.1, local: here.1 }.on(on).key.clone();
        crossings.push(Crossing { row: open.pair.row, from, on, at: *places.on(on), keys });
    }
    crossings
}

/// Open rows of all folders, each with the place of its folder.
fn open<'a>(folders: &[Folder<'a>], wanted: impl Fn(&Open) -> bool) -> Vec<(usize, &'a Open)> {
    let each = folders.iter().enumerate().flat_map(|(at, f)| f.comparison.open.iter().map(move |o| (at, o)));
    each.filter(|(_, o)| wanted(o)).collect()
}

/// Where the messages that went astray are on a side now: folder and message, as far as they are found.
fn whereabouts<'a>(
    folders: &[Folder<'a>],
    side: Side,
    lost: &[(usize, &Open)],
    astray: &[(usize, &Open)],
) -> Vec<Option<(usize, &'a Unpaired)>> {
    let each = folders.iter().enumerate();
    let new: Vec<(usize, &Unpaired)> = each
        .flat_map(|(at, f)| f.comparison.unpaired.on(side).iter().map(move |u| (at, u)))
        .filter(|(_, u)| u.row.is_none() && !u.is_deleted())
        .collect();
    let seekers: Vec<Option<&Traits>> = lost.iter().chain(astray).map(|(_, o)| o.traits.as_deref()).collect();
    let traits: Vec<Option<&Traits>> = new.iter().map(|(_, u)| u.traits.as_deref()).collect();
    let mut found: Vec<Option<(usize, &Unpaired)>> = astray.iter().map(|_| None).collect();
    for (seeker, at) in matched(&seekers, &traits).pairs {
        if let Some(found) = seeker.checked_sub(lost.len()).and_then(|i| found.get_mut(i)) {
            *found = new.get(at).copied();
        }
    }
    found
}

impl Comparison {
    /// Gives up a row that stands in another folder now.
    pub fn give_up(&mut self, row: RowId) -> Option<Open> {
        let at = self.open.binary_search_by_key(&row, |o| o.pair.row).ok()?;
        self.pairs = self.pairs.saturating_sub(1);
        Some(self.open.remove(at))
    }

    /// Takes in a row of another folder, whose message stands in this one on one side.
    pub fn take_in(&mut self, open: Open, crossing: &Crossing) {
        let Crossing { on, keys, .. } = crossing;
        let unpaired = self.unpaired.on_mut(*on);
        let Ok(at) = unpaired.binary_search_by(|u| u.key.cmp(keys.on(*on))) else { return };
        let marks = unpaired.remove(at).marks;
        let mut presence = Sides { remote: Presence::Vanished, local: Presence::Vanished };
        *presence.on_mut(*on) = Presence::Here(marks);
        let pair = Pair { keys: keys.clone().map(Some), ..open.pair };
        let place = self.open.partition_point(|o| o.pair.row < pair.row);
        self.open.insert(place, Open { pair, presence, traits: open.traits });
        self.pairs += 1;
    }
}
