//! How fast a source gives its messages, measured with a few of them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many messages are enough,
const MESSAGES: usize = 32;
/// and so many octets.
const OCTETS: u64 = 2 << 20;

/// What was read to measure, and how long that took.
#[derive(Debug, Default)]
pub struct Sample(Mutex<Measured>);

/// Messages, octets and the time that they took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measured {
    /// How many messages.
    pub messages: usize,
    /// Octets of them.
    pub octets: u64,
    /// How long they took.
    pub time: Duration,
}

impl Measured {
    /// Octets a second; `None` where nothing was measured.
    pub fn rate(&self) -> Option<f64> {
        (self.octets > 0 && !self.time.is_zero()).then(|| self.octets as f64 / self.time.as_secs_f64())
    }
}

impl Sample {
    /// Which of these messages, given with their sizes, are worth reading: the last ones, as many as are still needed.
    pub fn choose<H: Copy>(&self, messages: &[(H, u64)]) -> Vec<H> {
        let Measured { messages: had, mut octets, .. } = self.measured();
        let mut chosen = Vec::new();
        for (handle, size) in messages.iter().rev() {
            octets = octets.saturating_add(*size);
            if had + chosen.len() >= MESSAGES || octets > OCTETS {
                break;
            }
            chosen.push(*handle);
        }
        chosen.reverse();
        chosen
    }

    /// More was read.
    pub fn add(&self, more: Measured) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.messages += more.messages;
        all.octets += more.octets;
        all.time += more.time;
    }

    /// All that was read.
    pub fn measured(&self) -> Measured {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_enough() {
        let sample = Sample::default();
        let all: Vec<(usize, u64)> = (0..100).map(|n| (n, 1000)).collect();
        assert_eq!(sample.choose(&all), (68..100).collect::<Vec<_>>());
        assert_eq!(sample.choose(&[(1, OCTETS), (2, 1), (3, OCTETS - 1)]), [2, 3]);
        assert_eq!((sample.measured().rate(), sample.choose(&[(1, OCTETS + 1)])), (None, vec![]));
        sample.add(Measured { messages: 30, octets: 3000, time: Duration::from_secs(2) });
        assert_eq!(sample.choose(&all), [98, 99]);
        sample.add(Measured { messages: 2, octets: 1000, time: Duration::from_secs(2) });
        assert_eq!((sample.measured().rate(), sample.choose(&all)), (Some(1000.0), vec![]));
    }
}
