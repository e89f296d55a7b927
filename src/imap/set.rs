//! UID sets (RFC 9051 section 9, `sequence-set`): ascending, ranges where UIDs follow each other, short enough for a line.

use std::collections::BTreeSet;
use std::fmt;

/// Ranges a set may have: lines stay under 2 KB, which every server takes (Outlook refuses some above 4 KB).
const RANGES: usize = 80;

/// Some UIDs, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UidSet {
    ranges: Vec<(u32, u32)>,
}

impl UidSet {
    /// A set of ranges in any order, which may overlap.
    pub fn of(mut ranges: Vec<(u32, u32)>) -> UidSet {
        ranges.sort_unstable();
        ranges.dedup_by(|next, last| {
            let joins = last.1.checked_add(1).is_none_or(|after| next.0 <= after);
            if joins {
                last.1 = last.1.max(next.1);
            }
            joins
        });
        UidSet { ranges }
    }

    /// Reads what a server calls a set: numbers and ranges of them with commas between, in any order (RFC 9051 section 9,
    /// `sequence-set` without `*`).
    pub fn read(text: &[u8]) -> Option<UidSet> {
        std::str::from_utf8(text).ok()?.split(',').map(range).collect::<Option<Vec<_>>>().map(UidSet::of)
    }

    /// A set of one.
    pub fn one(uid: u32) -> UidSet {
        UidSet { ranges: vec![(uid, uid)] }
    }

    /// Adds a UID above all others; whether it still fits the line.
    pub fn push(&mut self, uid: u32) -> bool {
        let full = self.ranges.len() >= RANGES;
        if let Some((_, last)) = self.ranges.last_mut() {
            if last.checked_add(1) == Some(uid) {
                *last = uid;
                return true;
            }
            if full || *last >= uid {
                return false;
            }
        }
        self.ranges.push((uid, uid));
        true
    }

    /// The ranges, ascending, with gaps between them.
    pub fn ranges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.ranges.iter().copied()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether these are all among others.
    pub fn is_within(&self, others: &BTreeSet<u32>) -> bool {
        // A server may tell of more than anybody can count.
        let count: u64 = self.ranges.iter().map(|(first, last)| u64::from(last - first) + 1).sum();
        count <= others.len() as u64 && self.iter().all(|uid| others.contains(&uid))
    }

    /// The UIDs.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().flat_map(|(first, last)| *first..=*last)
    }
}

impl fmt::Display for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            if first == last { write!(f, "{comma}{first}")? } else { write!(f, "{comma}{first}:{last}")? }
        }
        Ok(())
    }
}

/// Reads a number, or a range of them, as lowest and highest; the order in it does not matter (RFC 9051 section 9,
/// `seq-range`).
pub fn range(text: &str) -> Option<(u32, u32)> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    (first > 0 && last > 0).then(|| (first.min(last), first.max(last)))
}

/// Cuts UIDs, each with its weight, into sets in their order: a set ends where UIDs do not ascend, none is heavier than
/// `limit` unless it has one UID only, and none has more than `count` UIDs. Gives each with its weight.
pub fn sets(uids: impl IntoIterator<Item = (u32, u64)>, limit: u64, count: usize) -> Vec<(UidSet, u64)> {
    let mut all: Vec<(UidSet, u64)> = Vec::new();
    let mut room = 0usize;
    for (uid, weight) in uids {
        if let Some((set, sum)) = all.last_mut()
            && room > 0
            && sum.saturating_add(weight) <= limit
            && set.push(uid)
        {
            *sum += weight;
            room -= 1;
        } else {
            all.push((UidSet::one(uid), weight));
            room = count.saturating_sub(1);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(uids: &[u32], limit: u64, count: usize) -> Vec<String> {
        sets(uids.iter().map(|u| (*u, 1)), limit, count).iter().map(|(s, w)| format!("{s}={w}")).collect()
    }

    #[test]
    fn what_a_server_tells_is_put_in_order() {
        for (told, expected) in [
            ("7", Some("7")),
            ("9:7,1,3:2", Some("1:3,7:9")),
            ("1:10,2:3,10:12", Some("1:12")),
            ("4294967295,1:4294967294", Some("1:4294967295")),
            ("0", None),
            ("0:5", None),
            ("1:*", None),
            ("4294967296", None),
            ("1,,2", None),
            ("", None),
        ] {
            assert_eq!(UidSet::read(told.as_bytes()).map(|set| set.to_string()).as_deref(), expected, "{told}");
        }
        let within = |told: &str| UidSet::read(told.as_bytes()).unwrap().is_within(&BTreeSet::from([1, 2, 5]));
        assert_eq!(["1:2", "5", "1,5", "2:3", "1:4294967295"].map(within), [true, true, true, false, false]);
    }

    #[test]
    fn neighbours_become_ranges() {
        assert_eq!(shown(&[1, 2, 3, 7, 9, 10], 99, 99), ["1:3,7,9:10=6"]);
        assert_eq!(shown(&[u32::MAX - 1, u32::MAX], 99, 99), ["4294967294:4294967295=2"]);
        assert_eq!(shown(&[], 99, 99), [""; 0]);
    }

    #[test]
    fn a_set_ends_at_its_weight_and_its_count() {
        assert_eq!(shown(&[1, 2, 3, 4, 5], 2, 99), ["1:2=2", "3:4=2", "5=1"]);
        assert_eq!(shown(&[1, 2, 3, 4, 5], 99, 3), ["1:3=3", "4:5=2"]);
        assert_eq!(shown(&[1, 2], 0, 99), ["1=1", "2=1"]);
        assert_eq!(shown(&[4, 5, 9, 1, 2, 2], 99, 99), ["4:5,9=3", "1:2=2", "2=1"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_added_and_lines_are_short(uids: BTreeSet<u32>, dense in prop::collection::btree_set(1..900u32, 0..400)) {
            for wanted in [uids, dense] {
                let sets = sets(wanted.iter().map(|u| (*u, 1)), 1000, 1000);
                let back: Vec<u32> = sets.iter().flat_map(|(s, _)| s.iter().collect::<Vec<_>>()).collect();
                prop_assert_eq!(back, wanted.into_iter().collect::<Vec<_>>());
                prop_assert!(sets.iter().all(|(s, _)| s.to_string().len() < 2000));
            }
        }
    }
}
