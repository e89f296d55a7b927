//! Messages whose headers show whether names still mean what they meant.

use super::Handle;
use crate::mail::Fingerprint;
use std::collections::BTreeMap;

/// A message, with the fingerprint that it must have if its name was not given to another.
pub type Witness = (Handle, Fingerprint);

/// How many are looked at in each run.
const WITNESSES: usize = 6;

/// Which of so many messages to look at: the first, the last, and some evenly spread between them, others in each run.
pub fn choose(count: usize, now: i64) -> impl Iterator<Item = usize> {
    // A new turn with every second, whatever the rhythm of the runs.
    let turn = (now as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    spread(count, WITNESSES, usize::try_from(turn).unwrap_or_default())
}

/// Whether the header can tell anything: where nothing was found in one, servers differ in what they take for it.
pub fn is_able(print: Fingerprint) -> bool {
    print != Fingerprint::of_header(b"")
}

/// Whether one of them has another header than the message that its name was given to.
pub fn belie(witnesses: &[Witness], prints: &BTreeMap<Handle, Fingerprint>) -> bool {
    witnesses.iter().any(|(handle, print)| prints.get(handle).is_some_and(|found| found != print))
}

/// Up to `most` indices below `count`: the first, the last, and some between them, which move with `turn`.
fn spread(count: usize, most: usize, turn: usize) -> impl Iterator<Item = usize> {
    let (chosen, last) = (count.min(most), count.saturating_sub(1));
    let gaps = chosen.saturating_sub(1).max(1);
    let shift = turn % (last / gaps).max(1);
    (0..chosen).map(move |i| if i == 0 || i == gaps { i * last / gaps } else { i * last / gaps + shift })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn witnesses_are_spread_from_the_first_to_the_last() {
        let indices = |count| spread(count, 4, 0).collect::<Vec<_>>();
        let turned = |turn| spread(100, 4, turn).collect::<Vec<_>>();
        assert_eq!((turned(1), turned(32), turned(33)), (vec![0, 34, 67, 99], vec![0, 65, 98, 99], turned(0)));
        assert_eq!((indices(0), indices(1), indices(3)), (vec![], vec![0], vec![0, 1, 2]));
        assert_eq!((indices(4), indices(5), indices(100)), (vec![0, 1, 2, 3], vec![0, 1, 2, 4], vec![0, 33, 66, 99]));
    }
}
