//! The link is cut in the midst of changes on both sides, after any number of octets; the next run makes both sides equal.

use super::crash::{CHANGED, change};
use super::*;
use crate::support::cutter::Way;

/// Octets between two cuts; `MAILFERRY_TEST_STRIDE=1` cuts everywhere, and takes its time.
fn stride(usual: usize) -> usize {
    std::env::var("MAILFERRY_TEST_STRIDE").map_or(usual, |stride| stride.parse().unwrap())
}

#[test]
fn on_the_way_to_the_server() {
    sweep(Way::ToServer, stride(907));
}

#[test]
fn on_the_way_to_the_client() {
    sweep(Way::ToClient, stride(1511));
}

fn sweep(way: Way, stride: usize) {
    for octets in (1..).step_by(stride) {
        assert!(octets < 100_000, "no end of octets");
        let (pair, cutter) = Pair::with_cutter();
        pair.user.deliver("INBOX", &(1..=8).map(message).collect::<Vec<_>>());
        assert_eq!(pair.sync(), "fetched 8");
        change(&pair);
        cutter.arm(way, octets);
        let run = pair.run(&[]);
        let cut = !cutter.disarm();
        // One that connects again ends well.
        let codes: &[i32] = if cut { &[0, 2, 75] } else { &[0] };
        assert!(run.code.is_some_and(|c| codes.contains(&c)), "{octets} octets: {:?} {}", run.code, run.stderr);
        let healed = pair.run(&[]);
        assert_eq!(healed.code, Some(0), "after {octets} octets: {}", healed.stderr);
        let (inbox, archive) = (pair.both("INBOX"), pair.both("Archive"));
        assert_eq!((inbox.as_str(), archive.as_str()), CHANGED, "after {octets} octets");
        assert_eq!(pair.sync(), "", "after {octets} octets, a run right after a clean one");
        if !cut {
            assert!(octets > 1000, "only {octets} octets");
            return;
        }
    }
}
