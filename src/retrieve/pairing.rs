//! Recognising messages whose names tell nothing: by fingerprint and size, in the end by content.
//!
//! It serves a server without UIDLs, UIDLs given twice or all changed, a changed UIDVALIDITY, and a lost state. Each row of
//! the ledger stands for one message, so two equal copies on the server are paired with two copies here.

use super::Listed;
use crate::mail::{Digest, Fingerprint};
use crate::state::Row;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// What may be taken once each, found by what tells it apart; the first given is the first taken.
#[derive(Debug)]
pub struct Pool<K, T>(HashMap<K, Vec<T>>);

impl<K: Eq + Hash, T> Pool<K, T> {
    /// Collects them.
    pub fn new(entries: impl DoubleEndedIterator<Item = (K, T)>) -> Pool<K, T> {
        let mut map: HashMap<K, Vec<T>> = HashMap::new();
        for (key, entry) in entries.rev() {
            map.entry(key).or_default().push(entry);
        }
        Pool(map)
    }

    /// Takes one.
    pub fn take(&mut self, key: &K) -> Option<T> {
        self.0.get_mut(key)?.pop()
    }

    /// Takes the first that fits.
    pub fn take_fitting(&mut self, key: &K, fits: impl FnMut(&T) -> bool) -> Option<T> {
        let entries = self.0.get_mut(key)?;
        let at = entries.iter().rposition(fits)?;
        Some(entries.remove(at))
    }
}

impl<K: Eq + Hash> Pool<K, usize> {
    /// Takes the first that is still free, and is not from then on.
    pub fn take_free(&mut self, key: &K, free: &mut [bool]) -> Option<usize> {
        std::iter::from_fn(|| self.take(key)).find(|at| free.get_mut(*at).is_some_and(std::mem::take))
    }
}

/// Whether a message of this listing may be the one of the row, as far as name and size tell.
pub fn may_be(listed: &Listed, row: &Row) -> bool {
    same_name(listed, row) || listed.size.is_none_or(|size| has_size(row, size))
}

fn has_size(row: &Row, size: u64) -> bool {
    row.wire_size == size || row.listed_size == Some(size)
}

fn same_name(listed: &Listed, row: &Row) -> bool {
    row.key.is_some() && row.key == listed.key
}

/// The messages whose fingerprints are worth asking for: those of a size that some candidate has.
pub fn worth_asking<'a>(unknown: impl Iterator<Item = &'a Listed>, candidates: &[&Row]) -> Vec<&'a Listed> {
    let sizes: HashSet<u64> = candidates.iter().flat_map(|c| [Some(c.wire_size), c.listed_size]).flatten().collect();
    unknown.filter(|l| l.size.is_some_and(|s| sizes.contains(&s))).collect()
}

/// Pairs messages with candidates of equal fingerprint and size, those of equal name first; gives, for each message, the
/// index of its candidate. `trusted` says whether a pair may rest on that, for equal names (`true`) or without them.
pub fn by_fingerprint(
    unknown: &[(&Listed, Option<Fingerprint>)],
    candidates: &[&Row],
    trusted: impl Fn(&Row, bool) -> bool,
) -> Vec<Option<usize>> {
    let mut by_print = Pool::new(candidates.iter().enumerate().map(|(i, c)| (c.fingerprint, i)));
    let mut pairs = vec![None; unknown.len()];
    for same_name in [true, false] {
        for ((listed, print), pair) in unknown.iter().zip(&mut pairs) {
            let (None, Some(print), Some(size)) = (&pair, print, listed.size) else { continue };
            if print.is_weak() {
                continue;
            }
            let fits = |i: &usize| {
                let named = |c: &Row| !same_name || self::same_name(listed, c);
                candidates.get(*i).is_some_and(|c| has_size(c, size) && named(c) && trusted(c, same_name))
            };
            *pair = by_print.take_fitting(print, fits);
        }
    }
    pairs
}

/// Rows found by the digest of content that has arrived.
pub type ByContent = Pool<Digest, Row>;

/// Collects them.
pub fn by_content(rows: Vec<Row>) -> ByContent {
    Pool::new(rows.into_iter().map(|row| (row.digest, row)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Key;
    use crate::retrieve::Handle;
    use crate::state::{RowId, Status};
    use proptest::prelude::*;

    fn print(n: u8) -> Fingerprint {
        Fingerprint::of_header(format!("Message-ID: <{n}>\n\n").as_bytes())
    }

    fn candidate(id: i64, key: Option<&str>, size: u64, n: u8) -> Row {
        Row {
            id: RowId(id),
            key: key.map(Key::new),
            listed_size: None,
            wire_size: size,
            digest: Digest([n; 32]),
            fingerprint: print(n),
            status: Status::Delivered,
            first_seen: 0,
            missing_since: None,
        }
    }

    fn listed(handle: u32, key: Option<&str>, size: u64) -> Listed {
        Listed { handle: Handle(handle), key: key.map(Key::new), size: Some(size) }
    }

    #[test]
    fn names_first_then_order_and_sizes_must_agree() {
        let candidates = [candidate(1, Some("a"), 10, 1), candidate(2, Some("b"), 10, 1), candidate(3, None, 11, 2)];
        let candidates: Vec<&Row> = candidates.iter().collect();
        let messages =
            [listed(1, Some("x"), 10), listed(2, Some("a"), 10), listed(3, Some("y"), 12), listed(4, None, 11)];
        let prints = [print(1), print(1), print(2), print(2)];
        let unknown: Vec<_> = messages.iter().zip(prints).map(|(l, p)| (l, Some(p))).collect();
        assert_eq!(by_fingerprint(&unknown, &candidates, |_, _| true), [Some(1), Some(0), None, Some(2)]);
        assert_eq!(by_fingerprint(&unknown, &candidates, |_, same_name| same_name), [None, Some(0), None, None]);
        let asked = worth_asking(messages.iter(), &candidates);
        assert_eq!(asked.iter().map(|l| l.handle.0).collect::<Vec<_>>(), [1, 2, 4]);
    }

    #[test]
    fn a_weak_fingerprint_pairs_nothing() {
        let weak = Fingerprint::of_header(b"Subject: x\n\n");
        let c = Row { fingerprint: weak, ..candidate(1, Some("a"), 10, 1) };
        assert_eq!(by_fingerprint(&[(&listed(1, Some("a"), 10), Some(weak))], &[&c], |_, _| true), [None]);
    }

    proptest! {
        #[test]
        fn copies_are_paired_one_to_one(here in proptest::collection::vec((0..3u8, 10..12u64), 0..12),
                                        there in proptest::collection::vec((0..3u8, 10..12u64), 0..12)) {
            let candidates: Vec<_> = here.iter().enumerate().map(|(i, (n, s))| candidate(i as i64, None, *s, *n)).collect();
            let candidates: Vec<&Row> = candidates.iter().collect();
            let messages: Vec<_> = there.iter().enumerate().map(|(i, (_, s))| listed(i as u32, None, *s)).collect();
            let unknown: Vec<_> = messages.iter().zip(&there).map(|(l, (n, _))| (l, Some(print(*n)))).collect();
            let pairs = by_fingerprint(&unknown, &candidates, |_, _| true);
            let used: Vec<_> = pairs.iter().flatten().collect();
            prop_assert_eq!(used.iter().collect::<std::collections::HashSet<_>>().len(), used.len());
            for kind in (0..3u8).flat_map(|n| [(n, 10), (n, 11)]) {
                let count = |v: &[(u8, u64)]| v.iter().filter(|x| **x == kind).count();
                let paired = pairs.iter().zip(&there).filter(|(p, k)| p.is_some() && **k == kind).count();
                prop_assert_eq!(paired, count(&here).min(count(&there)));
            }
        }
    }
}
