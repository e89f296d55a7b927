//! Where a message will stand that is sent to a folder, and which of those sent stand there: pure functions.

use crate::mail::{Fingerprint, Key};
use crate::store::{Identity, Place};
use std::collections::{BTreeMap, HashMap};

/// Where each of the messages sought, by header and size, stands among those found: each of these is one at most, of equal
/// header and size first, and else, unless `exactly`, of equal header, where that tells anything; servers may change a message
/// or state a wrong size. The earlier ones take theirs first.
pub fn whereabouts(
    sought: &[Option<(Fingerprint, u64)>],
    found: &HashMap<Key, Identity>,
    exactly: bool,
) -> Vec<Option<u32>> {
    let mut free: BTreeMap<u32, &Identity> = found.iter().filter_map(|(k, i)| Some((k.uid()?, i))).collect();
    let mut at = vec![None; sought.len()];
    for exact in [true, false].into_iter().take(if exactly { 1 } else { 2 }) {
        for (sought, at) in sought.iter().zip(&mut at) {
            let Some((fingerprint, size)) = sought.filter(|_| at.is_none()) else { continue };
            let is_it = |i: &Identity| {
                let fits = if exact { i.size.is_none_or(|s| s == size) } else { !i.fingerprint.is_weak() };
                i.fingerprint == fingerprint && fits
            };
            *at = free.iter().find(|(_, identity)| is_it(identity)).map(|(uid, _)| *uid);
            at.map(|uid| free.remove(&uid));
        }
    }
    at
}

/// Where a message will stand, as a [`Place`] says it: `UIDVALIDITY:UIDNEXT+SIZE FINGERPRINT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// UIDVALIDITY.
    pub uidvalidity: u32,
    /// It gets this UID or a higher one.
    pub uidnext: u32,
    /// Octets.
    pub size: u64,
    /// Of its header.
    pub fingerprint: Fingerprint,
}

impl Spot {
    /// What tells the message from others.
    pub fn traits(&self) -> (Fingerprint, u64) {
        (self.fingerprint, self.size)
    }

    /// As the ledger holds it.
    pub fn to_place(self) -> Place {
        let Spot { uidvalidity, uidnext, size, fingerprint } = self;
        let hex: String = fingerprint.0.iter().map(|b| format!("{b:02x}")).collect();
        Place(format!("{uidvalidity}:{uidnext}+{size} {hex}"))
    }

    /// `None` where it is no place on a server (the store was another one then).
    pub fn of(place: &Place) -> Option<Spot> {
        let (place, hex) = place.0.split_once(' ')?;
        let (uids, size) = place.split_once('+')?;
        let (uidvalidity, uidnext) = uids.split_once(':')?;
        let byte = |at: usize| u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok();
        let bytes: Vec<u8> = (0..16).map_while(byte).collect();
        let fingerprint = Fingerprint(bytes.try_into().ok()?);
        let [uidvalidity, uidnext] = [uidvalidity, uidnext].map(|n| n.parse().ok());
        Some(Spot { uidvalidity: uidvalidity?, uidnext: uidnext?, size: size.parse().ok()?, fingerprint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(n: u8) -> Fingerprint {
        Fingerprint::of_header(format!("Message-ID: <{n}>\n\n").as_bytes())
    }

    fn spot(n: u8, size: u64) -> Option<Spot> {
        Some(Spot { uidvalidity: 3, uidnext: 9, size, fingerprint: print(n) })
    }

    #[test]
    fn a_place_comes_back() {
        let spot = spot(1, 77).unwrap();
        let place = spot.to_place();
        assert!(place.0.starts_with("3:9+77 "), "{}", place.0);
        assert_eq!(Spot::of(&place), Some(spot));
        for other in ["cur/1.a:2,S", "12+34 From a@b Sat Feb  3 04:05:06 2001", "3:9+77 00", ""] {
            assert_eq!(Spot::of(&Place(other.into())), None, "{other}");
        }
    }

    #[test]
    fn each_message_that_came_is_one_at_most() {
        let weak = Fingerprint::of_header(b"Subject: x\n\n");
        let of = |n: u8, size: u64| Some((print(n), size));
        for (sought, came, expected, exactly) in [
            (vec![of(1, 10), of(1, 10)], vec![(9, print(1), Some(10))], vec![Some(9), None], vec![Some(9), None]),
            (
                vec![of(1, 10), of(2, 10)],
                vec![(9, print(2), Some(10)), (10, print(1), None)],
                vec![Some(10), Some(9)],
                vec![Some(10), Some(9)],
            ),
            // The exact one is not taken away by one that only has its header.
            (vec![of(1, 11), of(1, 10)], vec![(9, print(1), Some(10))], vec![None, Some(9)], vec![None, Some(9)]),
            (vec![of(1, 11), None], vec![(9, print(1), Some(10))], vec![Some(9), None], vec![None, None]),
            (
                vec![Some((weak, 5)), Some((weak, 6))],
                vec![(9, weak, Some(5)), (10, weak, Some(7))],
                vec![Some(9), None],
                vec![Some(9), None],
            ),
            // Earlier ones first.
            (
                vec![of(1, 10), of(1, 10), of(1, 12)],
                vec![(9, print(1), Some(10)), (10, print(1), Some(11))],
                vec![Some(9), Some(10), None],
                vec![Some(9), None, None],
            ),
        ] {
            let identity = |(uid, fingerprint, size): &(u32, Fingerprint, Option<u64>)| {
                (Key::of_uid(*uid), Identity { size: *size, fingerprint: *fingerprint, digest: None, original: None })
            };
            let found = came.iter().map(identity).collect();
            assert_eq!(whereabouts(&sought, &found, false), expected, "{sought:?}");
            assert_eq!(whereabouts(&sought, &found, true), exactly, "{sought:?}");
        }
    }
}
