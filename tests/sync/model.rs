//! What has to come of edits that were made on both sides.

use std::collections::{BTreeMap, BTreeSet};

pub const FOLDERS: [&str; 3] = ["INBOX", "A", "B"];
pub const MARKS: [&str; 6] = ["F", "R", "S", "work", "$Junk", "later"];

/// Folder and marks of one copy of a message.
pub type Copy = (&'static str, BTreeSet<String>);

/// Every copy of every message, by its number.
pub type World = BTreeMap<usize, Vec<Copy>>;

/// SplitMix64.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }

    pub fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

/// What one side does to a message in a round.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Done {
    pub toggled: BTreeSet<&'static str>,
    pub fate: Option<Fate>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    Deleted,
    Moved(&'static str),
    Renamed,
}

/// What has to come of a message.
#[derive(Debug)]
pub enum Wanted {
    Exactly(Vec<Copy>),
    /// One copy in this folder, with these marks or those.
    At(&'static str),
}

/// What has to come of a message after both sides did this to it.
pub fn wants((folder, marks): &Copy, [here, there]: &[Done; 2]) -> Wanted {
    let moved = |done: &Done| if let Some(Fate::Moved(to)) = done.fate { Some(to) } else { None };
    let deleted = |done: &Done| done.fate == Some(Fate::Deleted);
    let marks: BTreeSet<String> = (MARKS.iter())
        .filter(|m| marks.contains(**m) != (here.toggled.contains(**m) || there.toggled.contains(**m)))
        .map(|m| (*m).to_owned())
        .collect();
    match (moved(here), moved(there)) {
        // The server's place wins, and a move over a deletion.
        (_, Some(to)) => match here.fate {
            None => Wanted::Exactly(vec![(to, marks)]),
            Some(_) => Wanted::At(to),
        },
        (Some(to), None) if deleted(there) => Wanted::At(to),
        _ if deleted(here) || deleted(there) => Wanted::Exactly(Vec::new()),
        (to, from) => Wanted::Exactly(vec![(to.or(from).unwrap_or(folder), marks)]),
    }
}
