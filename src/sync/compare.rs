//! Both sides of a folder held against what the ledger knows: a pure function, whose result holds the differences alone.

use super::traits::Traits;
use crate::mail::{Flags, Key, Marks, Side, Sides, TUID_OCTETS};
use crate::state::{Pair, Row, RowId};
use crate::store::{Identity, Seen, Snapshot};
use std::collections::{HashMap, HashSet};

/// Whether a side shows the message of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// It does, with these marks.
    Here(Marks),
    /// It did, and shows it no longer.
    Vanished,
    /// It lacks it, but its listing was cut short.
    Unlisted,
    /// The ledger does not know its key there.
    Nameless,
}

impl Presence {
    /// The marks it shows.
    pub fn marks(&self) -> Option<&Marks> {
        match self {
            Presence::Here(marks) => Some(marks),
            _ => None,
        }
    }

    fn is_lost(&self) -> bool {
        matches!(self, Presence::Vanished | Presence::Nameless)
    }
}

/// A row about which there is something to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// What the ledger knows.
    pub pair: Pair,
    /// What the sides show.
    pub presence: Sides<Presence>,
    /// What tells it from others, once [recalled](Comparison::recall).
    pub traits: Option<Box<Traits>>,
}

impl Open {
    /// Its message, as one that stands on this side alone.
    pub fn alone_on(&self, side: Side) -> Option<Unpaired> {
        let (key, marks) = (self.pair.keys.on(side).as_ref()?, self.presence.on(side).marks()?);
        let size = self.traits.as_ref().and_then(|traits| traits.size);
        let row = Some(Box::new((self.pair.row, self.pair.agreed.clone())));
        Some(Unpaired { size, row, traits: self.traits.clone(), ..Unpaired::new(key, marks) })
    }

    /// Whether its message may be on this side under another key: it was there, and the other side has it still, or it is
    /// known that it is there alone.
    pub fn seeks_on(&self, side: Side) -> bool {
        let other = side.other();
        let standing = self.pair.gone.is_none() && self.presence.on(other).marks().is_some();
        match self.presence.on(side) {
            Presence::Vanished => standing || self.pair.gone == Some(other),
            Presence::Nameless => self.pair.gone == Some(other),
            _ => false,
        }
    }
}

/// A message of one side that is not known to be on the other. Small, for there may be very many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpaired {
    /// Its key.
    pub key: Key,
    /// Its marks.
    pub marks: Marks,
    /// Octets with CRLF line ends, as far as known.
    pub size: Option<u64>,
    /// When it was received, in seconds since 1970 UTC, where the caller found that out.
    pub received_at: Option<i64>,
    /// The row that knows it on this side alone (its key on the other side has become void).
    pub row: Option<Box<(RowId, Marks)>>,
    /// What tells it from others, once [identified](Comparison::identify) or [recalled](Comparison::recall).
    pub traits: Option<Box<Traits>>,
}

impl Unpaired {
    /// Octets with CRLF line ends, as listed or as counted, as far as known.
    pub fn octets(&self) -> Option<u64> {
        self.size.or_else(|| self.traits.as_ref()?.size)
    }

    /// Whether it is marked as deleted.
    pub fn is_deleted(&self) -> bool {
        self.marks.flags.contains(Flags::DELETED)
    }

    /// Whether it is known to be a copy into which another program wrote.
    pub fn is_written_into(&self) -> bool {
        self.traits.as_ref().is_some_and(|t| t.original.is_some())
    }
}

/// How the sides of a folder differ from what was agreed, and so from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Rows that know both sides' messages, whether or not they are still there.
    pub pairs: u64,
    /// Messages that each side shows.
    pub shown: Sides<u64>,
    /// Whose listing lacks messages.
    pub cut_short: Sides<bool>,
    /// Rows about which there is something to decide, in the order of the ledger.
    pub open: Vec<Open>,
    /// Messages on one side alone, in the order of their keys.
    pub unpaired: Sides<Vec<Unpaired>>,
}

/// Holds two snapshots against what the ledger knows, given in any order.
pub fn compare(pairs: impl IntoIterator<Item = Pair>, seen: Sides<&Snapshot>) -> Comparison {
    let mut result = Comparison {
        shown: Sides::of(|side| seen.on(side).messages.len() as u64),
        cut_short: seen.map(|s| s.cut_short),
        ..Comparison::default()
    };
    let mut known = Sides::of(|side| vec![false; seen.on(side).messages.len()]);
    for pair in pairs {
        let places = Sides::of(|side| seen.on(side).messages.position(pair.keys.on(side).as_ref()?));
        for side in Side::BOTH {
            if let Some(known) = places.on(side).and_then(|place| known.on_mut(side).get_mut(place)) {
                *known = true;
            }
        }
        let shown = Sides::of(|side| seen.on(side).messages.at((*places.on(side))?));
        let presence = Sides::of(|side| presence(&pair, side, *shown.on(side), seen.on(side)));
        result.pairs += u64::from(pair.gone.is_none() && pair.keys.remote.is_some() && pair.keys.local.is_some());
        if is_settled(&pair, &presence) {
            continue;
        }
        match halved(&pair, &presence) {
            Some((side, key, marks)) => result.unpaired.on_mut(side).push(Unpaired {
                size: shown.on(side).and_then(|m| m.size),
                row: Some(Box::new((pair.row, pair.agreed.clone()))),
                ..Unpaired::new(key, marks)
            }),
            None => result.open.push(Open { pair, presence, traits: None }),
        }
    }
    result.open.sort_by_key(|open| open.pair.row);
    for side in Side::BOTH {
        let unpaired = result.unpaired.on_mut(side);
        for ((key, message), known) in seen.on(side).messages.iter().zip(known.on(side)) {
            if !known {
                unpaired.push(Unpaired { size: message.size, ..Unpaired::new(key, message.marks) });
            }
        }
        unpaired.sort_by(|a, b| a.key.cmp(&b.key));
    }
    result
}

fn presence(pair: &Pair, side: Side, shown: Option<Seen<'_>>, seen: &Snapshot) -> Presence {
    match (pair.keys.on(side), shown) {
        (None, _) => Presence::Nameless,
        (Some(_), Some(message)) => Presence::Here(message.marks.clone()),
        (Some(_), None) if seen.cut_short => Presence::Unlisted,
        (Some(_), None) => Presence::Vanished,
    }
}

/// The side on which alone a row knows its message, which is not known to be gone on the other.
fn halved<'a>(pair: &'a Pair, presence: &'a Sides<Presence>) -> Option<(Side, &'a Key, &'a Marks)> {
    let side = Side::BOTH.into_iter().find(|s| *presence.on(s.other()) == Presence::Nameless)?;
    let (key, marks) = (pair.keys.on(side).as_ref()?, presence.on(side).marks()?);
    (pair.gone != Some(side.other())).then_some((side, key, marks))
}

fn is_settled(pair: &Pair, presence: &Sides<Presence>) -> bool {
    match (presence.remote.marks(), presence.local.marks()) {
        (Some(remote), Some(local)) => {
            pair.gone.is_none() && pair.pending.is_none() && *remote == pair.agreed && *local == pair.agreed
        }
        (Some(kept), None) => is_kept(pair, Side::Local, kept),
        (None, Some(kept)) => is_kept(pair, Side::Remote, kept),
        (None, None) => false,
    }
}

fn is_kept(pair: &Pair, gone: Side, kept: &Marks) -> bool {
    pair.gone == Some(gone) && !kept.flags.contains(Flags::DELETED)
}

impl Unpaired {
    fn new(key: &Key, marks: &Marks) -> Unpaired {
        Unpaired { key: key.clone(), marks: marks.clone(), size: None, received_at: None, row: None, traits: None }
    }
}

impl Comparison {
    /// Rows whose traits decide about unpaired messages: those that have lost one, and those known on one side alone.
    pub fn worth_recalling(&self) -> Vec<RowId> {
        let seeks = |o: &&Open| o.is_astray() || Side::BOTH.iter().any(|s| o.seeks_on(*s));
        let seek = self.open.iter().filter(seeks).map(|o| o.pair.row);
        let halves = Side::BOTH.into_iter().flat_map(|s| self.unpaired.on(s)).filter_map(|u| Some(u.row.as_ref()?.0));
        seek.chain(halves).collect()
    }

    /// Takes in what the ledger tells of rows.
    pub fn recall(&mut self, rows: &[Row]) {
        let rows: HashMap<RowId, &Row> = rows.iter().map(|r| (r.id, r)).collect();
        let traits = |row: &RowId| rows.get(row).map(|row| Box::new(Traits::from(*row)));
        for open in &mut self.open {
            open.traits = traits(&open.pair.row).or_else(|| open.traits.take());
        }
        for unpaired in [&mut self.unpaired.remote, &mut self.unpaired.local].into_iter().flatten() {
            let recalled = unpaired.row.as_ref().and_then(|row| traits(&row.0));
            unpaired.traits = recalled.or_else(|| unpaired.traits.take());
        }
    }

    /// Takes over what an earlier comparison of the folder has found out about messages of a side.
    pub fn inherit(&mut self, earlier: &mut Comparison) {
        for side in Side::BOTH {
            for unpaired in self.unpaired.on_mut(side).iter_mut().filter(|u| u.traits.is_none()) {
                unpaired.traits = earlier.unpaired_of_mut(side, &unpaired.key).and_then(|u| u.traits.take());
            }
        }
    }

    /// What tells a message from others that stands here alone, or whose row the server has lost.
    pub fn traits_here(&self, key: &Key, row: Option<RowId>) -> Option<&Traits> {
        let alone = self.unpaired_of(Side::Local, key).map(|unpaired| &unpaired.traits);
        let lost = || Some(&self.open.get(self.open.binary_search_by_key(&row?, |o| o.pair.row).ok()?)?.traits);
        alone.or_else(lost)?.as_deref()
    }

    /// A message that a side has alone, by its key.
    pub fn unpaired_of(&self, side: Side, key: &Key) -> Option<&Unpaired> {
        let unpaired = self.unpaired.on(side);
        unpaired.get(unpaired.binary_search_by(|u| u.key.cmp(key)).ok()?)
    }

    fn unpaired_of_mut(&mut self, side: Side, key: &Key) -> Option<&mut Unpaired> {
        let unpaired = self.unpaired.on_mut(side);
        let at = unpaired.binary_search_by(|u| u.key.cmp(key)).ok()?;
        unpaired.get_mut(at)
    }

    /// The messages of a side that have to be identified: those that may be of a size that somebody seeks.
    pub fn worth_identifying(&self, side: Side, sought: &Sought) -> Vec<Key> {
        let wanted = |u: &&Unpaired| u.traits.is_none() && sought.fits(u.size);
        self.unpaired.on(side).iter().filter(wanted).map(|u| u.key.clone()).collect()
    }

    /// Takes in what was found out about messages of a side.
    pub fn identify(&mut self, side: Side, found: &HashMap<Key, Identity>) {
        for unpaired in self.unpaired.on_mut(side) {
            if let Some(identity) = found.get(&unpaired.key) {
                unpaired.traits.get_or_insert_with(|| Box::new(Traits::of(identity, unpaired.size)));
            }
        }
    }

    /// Takes in when messages of a side were received.
    pub fn date(&mut self, side: Side, found: &HashMap<Key, i64>) {
        for unpaired in self.unpaired.on_mut(side) {
            unpaired.received_at = found.get(&unpaired.key).copied().or(unpaired.received_at);
        }
    }

    /// Forgets what only planning needs.
    pub fn planned(&mut self) {
        self.unpaired.remote = Vec::new();
    }

    /// The messages that a side has alone, and of which it is not known when they were received.
    pub fn undated(&self, side: Side) -> Vec<Key> {
        self.unpaired.on(side).iter().filter(|u| u.received_at.is_none()).map(|u| u.key.clone()).collect()
    }

    /// How many rows have lost their message on a side, as far as that is no tombstone.
    pub fn vanished(&self, side: Side) -> u64 {
        let lost = |o: &&Open| o.pair.gone.is_none() && *o.presence.on(side) == Presence::Vanished;
        self.open.iter().filter(lost).count() as u64
    }
}

/// The sizes of messages that a side may have under keys that are not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sought {
    sizes: HashSet<u64>,
}

impl Sought {
    /// Adds what the folder's comparison seeks on a side: recalled rows that lost their message, and what the other side
    /// has alone, as far as its size is known. Moves are recognised when what all folders seek is added; the side whose
    /// listing tells no sizes is to be identified first.
    pub fn add(&mut self, comparison: &Comparison, side: Side) {
        for open in comparison.open.iter().filter(|o| o.seeks_on(side) || o.is_astray()) {
            self.sizes.extend(open.traits.iter().flat_map(|t| t.sizes()));
        }
        for unpaired in comparison.unpaired.on(side.other()) {
            let known = unpaired.traits.as_ref().map_or([unpaired.size, None], |t| [t.size, t.listed_size]);
            let original = unpaired.traits.as_ref().and_then(|t| Some(t.original?.wire_size));
            // The other side may have the copy that mbsync wrote into.
            let copy = known[0].map(|size| size + TUID_OCTETS);
            self.sizes.extend(known.into_iter().chain([original, copy]).flatten());
        }
    }

    fn fits(&self, size: Option<u64>) -> bool {
        size.map_or(!self.sizes.is_empty(), |s| self.sizes.contains(&s))
    }
}

impl Open {
    /// Whether both sides had the message, and have it no longer where it was: it was deleted, or moved, on each of them.
    pub fn is_astray(&self) -> bool {
        self.pair.gone.is_none() && Side::BOTH.iter().all(|s| *self.presence.on(*s) == Presence::Vanished)
    }

    /// Whether neither side has the message.
    pub(super) fn is_nowhere(&self) -> bool {
        Side::BOTH.iter().all(|s| self.presence.on(*s).is_lost())
    }
}
