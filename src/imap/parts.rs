//! Puts a large message together from parts, of which several are asked for at once.

use std::collections::BTreeMap;

/// Octets of a part.
pub const PART: u32 = 512 << 10;
/// Parts under way at once.
const AHEAD: usize = 4;
/// Parts shorter than asked for that do not end the message: a server may have a limit of its own, but must get on.
const SHORT: usize = 1000;

/// Octets that a message may have beyond twice its announced size: some servers announce 0 or nonsense.
const SLACK: u64 = 64 << 20;

/// How far a message has come. Its announced size says how many parts to ask for ahead, and nothing else: only a part
/// that is short where the size says so, or an empty one, is the end.
#[derive(Debug)]
pub struct Parts {
    size: Option<u64>,
    /// Where the next octet to hand on stands.
    next: u64,
    /// Where the next part to ask for starts.
    ask: u64,
    under_way: Vec<u64>,
    held: BTreeMap<u64, Vec<u8>>,
    short: usize,
    /// Parts do not come as asked; so one after the other.
    lock_step: bool,
    ended: bool,
}

/// Why a message cannot be put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endless {
    /// More came than the server announced, far too much to be an inexact size.
    TooLong,
    /// The parts are so short that it would take for ever.
    TooShort,
}

impl Parts {
    /// A message of which nothing has come yet; the first part is asked for at once, alone.
    pub fn new(size: Option<u64>) -> Parts {
        Parts {
            size,
            next: 0,
            ask: u64::from(PART),
            under_way: vec![0],
            held: BTreeMap::new(),
            short: 0,
            lock_step: false,
            ended: false,
        }
    }

    /// Whether all of the message was handed on.
    pub fn is_whole(&self) -> bool {
        self.ended
    }

    /// Where the next part to ask for now starts.
    pub fn ask(&mut self) -> Option<u64> {
        if self.ended || self.under_way.len() + self.held.len() >= AHEAD {
            return None;
        }
        let ahead = !self.lock_step && self.size.is_some_and(|size| self.ask < size);
        let from = match (ahead, self.under_way.is_empty()) {
            (true, _) => self.ask,
            (false, true) => self.next,
            (false, false) => return None,
        };
        self.ask = from + u64::from(PART);
        self.under_way.push(from);
        Some(from)
    }

    /// Whether the part that starts there is waited for.
    pub fn awaits(&self, from: u64) -> bool {
        self.under_way.contains(&from)
    }

    /// Takes a part; the parts that can be handed on now, in order.
    pub fn take(&mut self, from: u64, data: Vec<u8>) -> Result<Vec<Vec<u8>>, Endless> {
        self.under_way.retain(|f| *f != from);
        // Once parts come irregularly, those asked for before start at the wrong places.
        if !self.lock_step || from == self.next {
            self.held.insert(from, data);
        }
        let mut ready = Vec::new();
        while !self.ended
            && let Some(data) = self.held.remove(&self.next)
        {
            let length = data.len() as u64;
            self.next += length;
            let full = length == u64::from(PART);
            self.ended = length == 0 || !full && self.size == Some(self.next);
            if !full {
                self.short += 1;
                self.lock_step = true;
                self.held.clear();
            }
            if self.size.is_some_and(|size| self.next > size) {
                self.lock_step = true;
            }
            ready.push(data);
        }
        // Offsets are numbers of 32 bits for many servers.
        let limit = self.size.map_or(u64::from(u32::MAX), |size| size.saturating_mul(2).saturating_add(SLACK));
        match (self.ended, self.next + u64::from(PART) > limit.min(u64::from(u32::MAX)), self.short > SHORT) {
            (false, true, _) => Err(Endless::TooLong),
            (false, _, true) => Err(Endless::TooShort),
            _ => Ok(ready),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A server that holds `real` octets, announces `size`, and sends at most `cap` at a time. Gives what was put
    /// together, and how many parts were asked for.
    fn fetched(real: u64, size: Option<u64>, cap: u64, newest_first: bool) -> (Result<u64, Endless>, usize) {
        let mut parts = Parts::new(size);
        let (mut asked, mut got, mut count) = (vec![0], 0, 1);
        loop {
            while let Some(from) = parts.ask() {
                asked.push(from);
                count += 1;
            }
            assert!(asked.len() <= AHEAD);
            if asked.is_empty() {
                return (if parts.is_whole() { Ok(got) } else { panic!("stuck") }, count);
            }
            let from = if newest_first { asked.pop().unwrap() } else { asked.remove(0) };
            let length = real.saturating_sub(from).min(u64::from(PART)).min(cap);
            match parts.take(from, vec![0; length as usize]) {
                Ok(ready) => got += ready.iter().map(|r| r.len() as u64).sum::<u64>(),
                Err(e) => return (Err(e), count),
            }
        }
    }

    const P: u64 = PART as u64;

    #[test]
    fn an_honest_message_takes_just_its_parts() {
        assert_eq!(fetched(3 * P + 5, Some(3 * P + 5), P, false), (Ok(3 * P + 5), 4));
        // One more is needed to see that a full part was the last.
        assert_eq!(fetched(3 * P, Some(3 * P), P, true), (Ok(3 * P), 4));
        assert_eq!(fetched(0, Some(0), P, false), (Ok(0), 1));
        assert_eq!(fetched(P + 1, None, P, false), (Ok(P + 1), 3));
    }

    #[test]
    fn a_size_that_lies_neither_truncates_nor_loops() {
        for (real, size, whole) in [
            (5 * P + 9, 3 * P, true),
            (5 * P + 9, 3 * P + 7, true),
            (2 * P + 9, 7 * P, true),
            (9, 7 * P, true),
            (0, 7 * P, true),
            (100 * P, 3 * P, true),
            (200 * P, 3 * P, false),
            (u64::MAX, 0, false),
        ] {
            for newest_first in [false, true] {
                let (got, count) = fetched(real, Some(size), P, newest_first);
                assert_eq!(got, if whole { Ok(real) } else { Err(Endless::TooLong) }, "{real} as {size}");
                assert!(count < 150);
            }
        }
        assert_eq!(fetched(u64::MAX, None, P, false).0, Err(Endless::TooLong));
    }

    #[test]
    fn a_server_may_send_less_than_asked_for_but_not_crumbs() {
        assert_eq!(fetched(5 * P, Some(5 * P), 100_000, true).0, Ok(5 * P));
        assert_eq!(fetched(5 * P, Some(5 * P), 10, false).0, Err(Endless::TooShort));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_is_announced_all_of_it_comes(real in 0..6 * P, size in prop::option::of(0..6 * P), cap in 50_000..P + 1, newest_first: bool) {
            let (got, _) = fetched(real, size, cap, newest_first);
            prop_assert_eq!(got, Ok(real));
        }
    }
}
