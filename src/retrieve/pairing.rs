//! Recognising messages whose names tell nothing: by fingerprint and size, in the end by content.
//!
//! It serves a server without UIDLs, UIDLs given twice or all changed, a changed UIDVALIDITY, and a lost state. Each
//! candidate stands for one message, so two equal copies on the server are paired with two copies here.

use super::{Key, Listed};
use crate::mail::{Content, Digest, Fingerprint};
use crate::state::{Arrival, Row, RowId};
use std::collections::HashMap;

/// A message here that a message on the server may turn out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it is known from.
    pub origin: Origin,
    /// The name it had on the server.
    pub key: Option<Key>,
    /// Octets as the server listed it.
    pub listed_size: Option<u64>,
    /// Octets with CRLF line ends.
    pub wire_size: u64,
    /// Fingerprint of the header.
    pub fingerprint: Fingerprint,
    /// Digest of the content.
    pub digest: Digest,
}

/// Where a candidate is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A row of the ledger.
    Row(RowId),
    /// Only the store: the ledger was lost, or another tool put it there.
    Stored,
}

impl Candidate {
    /// A row of the ledger.
    pub fn of_row(row: &Row) -> Candidate {
        Candidate {
            origin: Origin::Row(row.id),
            key: row.key.clone(),
            listed_size: row.listed_size,
            wire_size: row.wire_size,
            fingerprint: row.fingerprint,
            digest: row.digest,
        }
    }

    /// A message of the store that no row speaks of.
    pub fn of_stored(content: &Content) -> Candidate {
        Candidate {
            origin: Origin::Stored,
            key: None,
            listed_size: None,
            wire_size: content.wire_size,
            fingerprint: content.fingerprint,
            digest: content.digest,
        }
    }

    /// Its row, where it has one.
    pub fn row(&self) -> Option<RowId> {
        match self.origin {
            Origin::Row(row) => Some(row),
            Origin::Stored => None,
        }
    }

    /// The record of a message found in the store, under the name the server gives it.
    pub fn arrival(&self, listed: &Listed) -> Arrival {
        Arrival {
            key: listed.key.clone(),
            listed_size: listed.size,
            wire_size: self.wire_size,
            digest: self.digest,
            fingerprint: self.fingerprint,
            place: None,
        }
    }

    fn has_size(&self, size: u64) -> bool {
        self.wire_size == size || self.listed_size == Some(size)
    }

    /// Whether a pair rests on the name as well as on fingerprint and size.
    fn same_name(&self, listed: &Listed) -> bool {
        self.key.is_some() && self.key == listed.key
    }
}

/// The messages whose fingerprints are worth asking for: those of a size that some candidate has.
pub fn worth_asking<'a>(unknown: impl Iterator<Item = &'a Listed>, candidates: &[Candidate]) -> Vec<&'a Listed> {
    let sizes: std::collections::HashSet<u64> =
        candidates.iter().flat_map(|c| [Some(c.wire_size), c.listed_size]).flatten().collect();
    unknown.filter(|l| l.size.is_some_and(|s| sizes.contains(&s))).collect()
}

/// Pairs messages with candidates of equal fingerprint and size, those of equal name first; gives, for each message, the
/// index of its candidate. `trusted` says whether a pair may rest on fingerprint and size alone; if not, names must agree.
pub fn by_fingerprint(
    unknown: &[(&Listed, Option<Fingerprint>)],
    candidates: &[Candidate],
    trusted: impl Fn(&Candidate) -> bool,
) -> Vec<Option<usize>> {
    let mut by_print: HashMap<Fingerprint, Vec<usize>> = HashMap::new();
    for (i, c) in candidates.iter().enumerate().rev() {
        by_print.entry(c.fingerprint).or_default().push(i);
    }
    let mut pairs = vec![None; unknown.len()];
    for same_name in [true, false] {
        for ((listed, print), pair) in unknown.iter().zip(&mut pairs) {
            let (None, Some(print), Some(size)) = (&pair, print, listed.size) else { continue };
            if print.is_weak() {
                continue;
            }
            let Some(free) = by_print.get_mut(print) else { continue };
            let fits = |i: &usize| {
                candidates
                    .get(*i)
                    .is_some_and(|c| c.has_size(size) && if same_name { c.same_name(listed) } else { trusted(c) })
            };
            if let Some(at) = free.iter().rposition(fits) {
                *pair = Some(free.remove(at));
            }
        }
    }
    pairs
}

/// Candidates found by the digest of content that has arrived.
#[derive(Debug, Default)]
pub struct ByContent(HashMap<Digest, Vec<Candidate>>);

impl ByContent {
    /// Collects them; the first given is the first taken.
    pub fn new(candidates: impl DoubleEndedIterator<Item = Candidate>) -> ByContent {
        let mut map: HashMap<Digest, Vec<Candidate>> = HashMap::new();
        for c in candidates.rev() {
            map.entry(c.digest).or_default().push(c);
        }
        ByContent(map)
    }

    /// Takes the candidate of that content.
    pub fn take(&mut self, digest: &Digest) -> Option<Candidate> {
        self.0.get_mut(digest)?.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieve::Handle;
    use proptest::prelude::*;

    fn print(n: u8) -> Fingerprint {
        Fingerprint::of_header(format!("Message-ID: <{n}>\n\n").as_bytes())
    }

    fn candidate(id: i64, key: Option<&str>, size: u64, n: u8) -> Candidate {
        Candidate {
            origin: Origin::Row(RowId(id)),
            key: key.map(|k| Key(k.into())),
            listed_size: None,
            wire_size: size,
            fingerprint: print(n),
            digest: Digest([n; 32]),
        }
    }

    fn listed(handle: u32, key: Option<&str>, size: u64) -> Listed {
        Listed { handle: Handle(handle), key: key.map(|k| Key(k.into())), size: Some(size) }
    }

    #[test]
    fn names_first_then_order_and_sizes_must_agree() {
        let candidates = [candidate(1, Some("a"), 10, 1), candidate(2, Some("b"), 10, 1), candidate(3, None, 11, 2)];
        let messages =
            [listed(1, Some("x"), 10), listed(2, Some("a"), 10), listed(3, Some("y"), 12), listed(4, None, 11)];
        let prints = [print(1), print(1), print(2), print(2)];
        let unknown: Vec<_> = messages.iter().zip(prints).map(|(l, p)| (l, Some(p))).collect();
        assert_eq!(by_fingerprint(&unknown, &candidates, |_| true), [Some(1), Some(0), None, Some(2)]);
        assert_eq!(by_fingerprint(&unknown, &candidates, |_| false), [None, Some(0), None, None]);
        let asked = worth_asking(messages.iter(), &candidates);
        assert_eq!(asked.iter().map(|l| l.handle.0).collect::<Vec<_>>(), [1, 2, 4]);
    }

    #[test]
    fn a_weak_fingerprint_pairs_nothing() {
        let weak = Fingerprint::of_header(b"Subject: x\n\n");
        let c = Candidate { fingerprint: weak, ..candidate(1, Some("a"), 10, 1) };
        assert_eq!(by_fingerprint(&[(&listed(1, Some("a"), 10), Some(weak))], &[c], |_| true), [None]);
    }

    proptest! {
        #[test]
        fn copies_are_paired_one_to_one(here in proptest::collection::vec((0..3u8, 10..12u64), 0..12),
                                        there in proptest::collection::vec((0..3u8, 10..12u64), 0..12)) {
            let candidates: Vec<_> = here.iter().enumerate().map(|(i, (n, s))| candidate(i as i64, None, *s, *n)).collect();
            let messages: Vec<_> = there.iter().enumerate().map(|(i, (_, s))| listed(i as u32, None, *s)).collect();
            let unknown: Vec<_> = messages.iter().zip(&there).map(|(l, (n, _))| (l, Some(print(*n)))).collect();
            let pairs = by_fingerprint(&unknown, &candidates, |_| true);
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
