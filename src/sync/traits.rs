//! What tells messages apart, and the pairing of those that are the same.

use crate::mail::{Digest, Fingerprint, Original};
use crate::retrieve::Pool;
use crate::state::Row;
use crate::store::Identity;
use std::collections::HashMap;

/// What tells a message from others, as far as known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// Octets with CRLF line ends, as counted.
    pub size: Option<u64>,
    /// Octets as the server lists it, which may be wrong.
    pub listed_size: Option<u64>,
    /// The fingerprint of its header.
    pub fingerprint: Fingerprint,
    /// The digest of its content.
    pub digest: Option<Digest>,
    /// What it was before another program wrote into this copy.
    pub original: Option<Original>,
}

impl From<&Row> for Traits {
    fn from(row: &Row) -> Traits {
        Traits {
            size: Some(row.wire_size),
            listed_size: row.listed_size,
            fingerprint: row.fingerprint,
            digest: Some(row.digest),
            original: None,
        }
    }
}

impl Traits {
    /// What was found out about a message that a snapshot shows with this size.
    pub fn of(identity: &Identity, listed_size: Option<u64>) -> Traits {
        let Identity { size, fingerprint, digest, original } = *identity;
        Traits { size: size.or(listed_size), listed_size, fingerprint, digest, original }
    }

    /// The sizes by which it may be known.
    pub fn sizes(&self) -> impl Iterator<Item = u64> + use<> {
        let listed = self.listed_size.filter(|l| Some(*l) != self.size);
        self.size.into_iter().chain(listed)
    }

    /// The traits of the message of which this is a copy that another program wrote into.
    pub fn of_original(&self) -> Option<Traits> {
        let Original { wire_size, digest } = self.original?;
        Some(Traits { size: Some(wire_size), listed_size: None, digest, original: None, ..*self })
    }

    fn has_size_of(&self, other: &Traits) -> Option<u64> {
        self.sizes().find(|size| other.sizes().any(|o| o == *size))
    }
}

/// What [`matched`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matches {
    /// Indices of messages that are the same, one to one, in the order of the first.
    pub pairs: Vec<(usize, usize)>,
    /// How many of the first might be one of several others whose contents differ; only the content can tell.
    pub ambiguous: u64,
}

/// Pairs messages one to one, equal copies in order: by content where both are read, else by fingerprint and size. A
/// message that nothing is known of is paired with none.
pub fn matched<'a>(ones: &[Option<&'a Traits>], others: &[Option<&'a Traits>]) -> Matches {
    let mut partner: Vec<Option<usize>> = vec![None; ones.len()];
    let digest = |t: &Option<&Traits>| t.and_then(|t| t.digest);
    let mut by_content = Pool::new(others.iter().enumerate().filter_map(|(i, t)| Some((digest(t)?, i))));
    let mut taken = vec![false; others.len()];
    for (one, partner) in ones.iter().zip(&mut partner) {
        *partner = digest(one).and_then(|d| by_content.take(&d));
        if let Some(taken) = partner.and_then(|i| taken.get_mut(i)) {
            *taken = true;
        }
    }

    let left = |traits: Option<&'a Traits>, taken: bool| traits.filter(|t| !taken && !t.fingerprint.is_weak());
    let free: Vec<Option<&Traits>> = others.iter().zip(&taken).map(|(t, taken)| left(*t, *taken)).collect();
    let seek: Vec<Option<&Traits>> = ones.iter().zip(&partner).map(|(t, p)| left(*t, p.is_some())).collect();
    let contents = Contents::of(free.iter().chain(&seek).flatten().copied());
    let mut by_print = Pool::new(free.iter().enumerate().filter_map(|(i, t)| Some(((*t)?.fingerprint, i))));
    let mut ambiguous = 0;
    for (one, partner) in seek.iter().zip(&mut partner) {
        let Some(one) = one else { continue };
        let mut unclear = false;
        let fits = |i: &usize| {
            let Some(other) = free.get(*i).copied().flatten() else { return false };
            let differ = one.digest.is_some() && other.digest.is_some();
            let Some(size) = one.has_size_of(other).filter(|_| !differ) else { return false };
            let clear = contents.are_one(one.fingerprint, size);
            unclear |= !clear;
            clear
        };
        *partner = by_print.take_fitting(&one.fingerprint, fits);
        ambiguous += u64::from(partner.is_none() && unclear);
    }
    let pairs = partner.into_iter().enumerate().filter_map(|(i, p)| Some((i, p?))).collect();
    Matches { pairs, ambiguous }
}

/// What content stands behind a fingerprint and a size; `None` where there are several.
struct Contents(HashMap<(Fingerprint, u64), Option<Digest>>);

impl Contents {
    fn of<'a>(all: impl Iterator<Item = &'a Traits>) -> Contents {
        let mut map: HashMap<_, Option<Digest>> = HashMap::new();
        for (traits, digest) in all.filter_map(|t| Some((t, t.digest?))) {
            for size in traits.sizes() {
                let known = map.entry((traits.fingerprint, size)).or_insert(Some(digest));
                *known = known.filter(|k| *k == digest);
            }
        }
        Contents(map)
    }

    fn are_one(&self, print: Fingerprint, size: u64) -> bool {
        self.0.get(&(print, size)) != Some(&None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits(print: u8, size: u64, digest: Option<u8>) -> Option<Traits> {
        let fingerprint = Fingerprint([print; 16]);
        let digest = digest.map(|d| Digest([d; 32]));
        Some(Traits { size: Some(size), listed_size: None, fingerprint, digest, original: None })
    }

    fn pairs(ones: &[Option<Traits>], others: &[Option<Traits>]) -> (Vec<(usize, usize)>, u64) {
        let [ones, others] = [ones, others].map(|all| all.iter().map(Option::as_ref).collect::<Vec<_>>());
        let Matches { pairs, ambiguous } = matched(&ones, &others);
        (pairs, ambiguous)
    }

    #[test]
    fn content_decides_and_where_it_is_not_read_fingerprint_and_size() {
        let read = [traits(1, 9, Some(1)), traits(3, 9, Some(3)), traits(5, 9, Some(5))];
        assert_eq!(pairs(&[traits(1, 9, Some(3)), traits(3, 9, Some(1))], &read), (vec![(0, 1), (1, 0)], 0));
        assert_eq!(pairs(&[traits(5, 9, None), traits(1, 8, None), None], &read), (vec![(0, 2)], 0));
        assert_eq!(pairs(&[traits(1, 9, Some(7))], &read), (vec![], 0), "both are read and differ");
        assert_eq!(pairs(&[traits(2, 9, None)], &[traits(2, 9, Some(2))]), (vec![], 0), "a weak fingerprint");
        let lying = Some(Traits { listed_size: Some(9), ..traits(1, 7, Some(1)).unwrap() });
        assert_eq!(pairs(&[traits(1, 9, None)], &[lying]), (vec![(0, 0)], 0));
    }

    #[test]
    fn equal_copies_pair_in_order_and_different_ones_not_at_all() {
        let copies = [traits(1, 9, Some(1)), traits(1, 9, Some(1)), traits(1, 9, Some(1))];
        let unread = [traits(1, 9, None), traits(1, 9, None)];
        assert_eq!(pairs(&unread, &copies), (vec![(0, 0), (1, 1)], 0));
        assert_eq!(pairs(&copies, &unread), (vec![(0, 0), (1, 1)], 0));
        let alike = [traits(1, 9, Some(1)), traits(1, 9, Some(2))];
        assert_eq!(pairs(&unread, &alike), (vec![], 2));
        assert_eq!(pairs(&alike, &unread), (vec![], 2));
        assert_eq!(pairs(&[traits(1, 9, None), traits(1, 9, Some(2))], &alike), (vec![(0, 0), (1, 1)], 0));
    }
}
