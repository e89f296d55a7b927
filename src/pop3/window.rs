//! How many commands may be under way, by count and by the octets they will bring.

use std::collections::VecDeque;
use std::ops::Range;

/// The bounds of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bound {
    /// Octets awaited.
    pub octets: u64,
    /// Commands awaiting their reply.
    pub commands: usize,
}

impl Bound {
    /// For servers with PIPELINING: enough to keep a fast, far line full (4 MiB is 100 Mbit/s at 300 ms).
    pub const PIPELINED: Bound = Bound { octets: 4 << 20, commands: 1000 };
    /// For servers without.
    pub const LOCK_STEP: Bound = Bound { octets: 0, commands: 1 };
}

/// Decides when the next commands of a row go out: once half the window is free, as many as fit, and at least one.
#[derive(Debug)]
pub(super) struct Window<'a> {
    costs: &'a [u64],
    next: usize,
    /// Octets still awaited of each command under way.
    under_way: VecDeque<u64>,
    octets: u64,
    bound: Bound,
}

impl<'a> Window<'a> {
    /// A window over commands of which each brings about so many octets.
    pub fn new(costs: &'a [u64], bound: Bound) -> Window<'a> {
        Window { costs, next: 0, under_way: VecDeque::new(), octets: 0, bound }
    }

    /// The commands to be sent now, by their places in the row.
    pub fn refill(&mut self) -> Range<usize> {
        let first = self.next;
        let half_free =
            self.under_way.len() * 2 <= self.bound.commands && self.octets.saturating_mul(2) <= self.bound.octets;
        if !half_free && !self.under_way.is_empty() {
            return first..first;
        }
        while let Some(cost) = self.costs.get(self.next) {
            let fits = self.octets.saturating_add(*cost) <= self.bound.octets;
            if self.under_way.len() >= self.bound.commands || !fits && self.next > first {
                break;
            }
            self.under_way.push_back(*cost);
            self.octets = self.octets.saturating_add(*cost);
            self.next += 1;
        }
        first..self.next
    }

    /// Octets of the oldest command's reply have come.
    pub fn received(&mut self, octets: u64) {
        if let Some(left) = self.under_way.front_mut() {
            let counted = octets.min(*left);
            *left -= counted;
            self.octets = self.octets.saturating_sub(counted);
        }
    }

    /// The oldest command's reply is whole.
    pub fn answered(&mut self) {
        if let Some(left) = self.under_way.pop_front() {
            self.octets = self.octets.saturating_sub(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bounded_by_octets_and_refilled_when_half_is_free() {
        let costs = [40, 40, 40, 40, 40];
        let mut w = Window::new(&costs, Bound { octets: 100, commands: 10 });
        assert_eq!(w.refill(), 0..2);
        w.received(20);
        assert_eq!(w.refill(), 2..2);
        w.received(10);
        assert_eq!(w.refill(), 2..3, "50 of 100 awaited");
        w.answered();
        assert_eq!(w.refill(), 3..3, "80 of 100 awaited");
        w.answered();
        assert_eq!(w.refill(), 3..4);
        w.answered();
        assert_eq!(w.refill(), 4..5);
        w.answered();
        w.answered();
        assert_eq!(w.refill(), 5..5);
    }

    #[test]
    fn bounded_by_count() {
        let costs = [0; 9];
        let mut w = Window::new(&costs, Bound { octets: 100, commands: 4 });
        assert_eq!(w.refill(), 0..4);
        w.answered();
        assert_eq!(w.refill(), 4..4);
        w.answered();
        assert_eq!(w.refill(), 4..6);
    }

    #[test]
    fn one_at_a_time_in_lock_step() {
        let costs = [7, 0, 7];
        let mut w = Window::new(&costs, Bound::LOCK_STEP);
        for i in 0..3 {
            assert_eq!(w.refill(), i..i + 1);
            w.received(7);
            assert!(w.refill().is_empty(), "the reply has not ended");
            w.answered();
        }
        assert!(w.refill().is_empty());
    }

    #[test]
    fn a_message_larger_than_the_window_goes_out_while_the_line_is_still_busy() {
        let costs = [1000, 1000];
        let mut w = Window::new(&costs, Bound { octets: 100, commands: 10 });
        assert_eq!(w.refill(), 0..1);
        w.received(900);
        assert_eq!(w.refill(), 1..1);
        w.received(60);
        assert_eq!(w.refill(), 1..2);
    }

    proptest! {
        #[test]
        fn all_go_out_in_order_within_bounds(
            costs in proptest::collection::vec(0u64..50, 0..40),
            octets in 0u64..120,
            commands in 1usize..8,
        ) {
            let (mut w, mut sent) = (Window::new(&costs, Bound { octets, commands }), 0);
            for (i, cost) in costs.iter().enumerate() {
                let more = w.refill();
                prop_assert_eq!(more.start, sent);
                sent = more.end;
                prop_assert!(sent > i, "never waits for nothing");
                prop_assert!(sent - i <= commands);
                prop_assert!(w.octets <= octets.max(octets / 2 + 50));
                w.received(*cost);
                w.answered();
            }
            prop_assert_eq!((sent, w.octets), (costs.len(), 0));
        }
    }
}
