//! Stops a run that would delete more than its owner is likely to mean.

use crate::mail::{Side, Sides};
use std::fmt;

/// What a plan deletes in one folder, and what was there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// The folder.
    pub folder: String,
    /// Messages known to have been on both sides.
    pub pairs: u64,
    /// Messages that each side shows now.
    pub shown: Sides<u64>,
    /// Messages that each side shows no longer, and that were not moved.
    pub vanished: Sides<u64>,
    /// Messages to be removed from each side.
    pub removals: Sides<u64>,
    /// Messages to be removed, each counted once.
    pub messages: u64,
}

impl Tally {
    /// A folder that did not change on either side, and was not looked into.
    pub fn unchanged(folder: String, pairs: u64) -> Tally {
        Tally { folder, pairs, shown: Sides { remote: pairs, local: pairs }, ..Tally::default() }
    }
}

/// `max_delete`: a run that exceeds both is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Of the messages of a folder, or of all.
    pub percent: u8,
    /// Messages.
    pub count: u64,
}

impl Default for Limit {
    fn default() -> Limit {
        Limit { percent: 50, count: 20 }
    }
}

impl Limit {
    fn is_exceeded(self, removals: u64, pairs: u64) -> bool {
        removals > self.count && u128::from(removals) * 100 > u128::from(pairs) * u128::from(self.percent)
    }
}

/// Why a run is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// What tripped it, worst first.
    pub causes: Vec<Cause>,
    /// Messages that all plans together delete: what `--allow-delete` has to be at least.
    pub messages: u64,
}

/// What trips the guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A side that had messages shows none in any folder.
    Emptied {
        /// The side.
        side: Side,
        /// How many it had.
        pairs: u64,
    },
    /// More would be deleted on a side than `max_delete` allows.
    TooMany {
        /// The folder; `None` for the whole account.
        folder: Option<String>,
        /// Where.
        side: Side,
        /// How many.
        removals: u64,
        /// Of how many.
        pairs: u64,
    },
}

/// Judges the plans of all folders of an account, those that were not looked into included. With `allowed`, that many
/// messages may be deleted whatever the limits say.
pub fn judge(tallies: &[Tally], limit: Limit, allowed: Option<u64>) -> Result<(), Stop> {
    let sum = |of: &dyn Fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    let messages = sum(&|t| t.messages);
    if messages == 0 || allowed.is_some_and(|n| messages <= n) {
        return Ok(());
    }
    let mut causes = Vec::new();
    let pairs = sum(&|t| t.pairs);
    for side in Side::BOTH {
        let vanished = sum(&|t| *t.vanished.on(side));
        let travels = sum(&|t| *t.removals.on(side.other())) > 0;
        if pairs >= 2 && sum(&|t| *t.shown.on(side)) == 0 && vanished > 0 && travels {
            causes.push(Cause::Emptied { side, pairs });
        }
    }
    for side in Side::BOTH {
        let removals = sum(&|t| *t.removals.on(side));
        if limit.is_exceeded(removals, pairs) {
            causes.push(Cause::TooMany { folder: None, side, removals, pairs });
        }
        let folders = tallies.iter().filter(|t| limit.is_exceeded(*t.removals.on(side), t.pairs));
        causes.extend(folders.map(|t| Cause::TooMany {
            folder: Some(t.folder.clone()),
            side,
            removals: *t.removals.on(side),
            pairs: t.pairs,
        }));
    }
    if causes.is_empty() { Ok(()) } else { Err(Stop { causes, messages }) }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Emptied { side: Side::Remote, pairs } => {
                write!(f, "the server shows no message at all, and had {pairs}")
            }
            Cause::Emptied { side: Side::Local, pairs } => {
                write!(f, "the local store is empty, and had {pairs} messages")
            }
            Cause::TooMany { folder, side, removals, pairs } => {
                let place = folder.as_ref().map_or_else(String::new, |name| format!(" in {name}"));
                let side = if *side == Side::Remote { "on the server" } else { "here" };
                write!(f, "{removals} of {pairs} messages{place} would be deleted {side}")
            }
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let causes: Vec<String> = self.causes.iter().map(Cause::to_string).collect();
        write!(f, "stopped before deleting anything: {}", causes.join("; "))
    }
}

impl Stop {
    /// What to do next.
    pub fn remedy(&self, account: &str) -> String {
        format!(
            "See that both sides are as they should be. If the deletions are meant, run: mailferry sync {account} --allow-delete {}",
            self.messages
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs, shown, vanished and removals (the server's first).
    fn tally(folder: &str, pairs: u64, shown: [u64; 2], vanished: [u64; 2], removals: [u64; 2]) -> Tally {
        let sides = |[remote, local]: [u64; 2]| Sides { remote, local };
        Tally {
            folder: folder.into(),
            pairs,
            shown: sides(shown),
            vanished: sides(vanished),
            removals: sides(removals),
            messages: removals[0].max(removals[1]),
        }
    }

    fn said(tallies: &[Tally], allowed: Option<u64>) -> String {
        judge(tallies, Limit::default(), allowed).map_or_else(|stop| stop.to_string(), |()| "go on".into())
    }

    #[test]
    fn both_limits_have_to_be_exceeded_in_a_folder_or_in_all() {
        let few = tally("INBOX", 30, [30, 10], [0, 20], [20, 0]);
        let many = tally("INBOX", 30, [30, 9], [0, 21], [21, 0]);
        let small_part = tally("INBOX", 42, [42, 21], [0, 21], [21, 0]);
        assert_eq!(said(std::slice::from_ref(&few), None), "go on");
        assert_eq!(said(&[small_part], None), "go on");
        assert_eq!(
            said(&[many.clone(), Tally::unchanged("Big".into(), 1000)], None),
            "stopped before deleting anything: 21 of 30 messages in INBOX would be deleted on the server"
        );
        assert_eq!(
            said(&[few.clone(), Tally { folder: "Old".into(), ..few }], None),
            "stopped before deleting anything: 40 of 60 messages would be deleted on the server"
        );
        assert_eq!(said(std::slice::from_ref(&many), Some(21)), "go on");
        let stop = judge(&[many], Limit::default(), Some(20)).unwrap_err();
        assert!(stop.remedy("work").ends_with("mailferry sync work --allow-delete 21"), "{}", stop.remedy("work"));
    }

    #[test]
    fn a_side_that_is_suddenly_empty_stops_whatever_the_limits() {
        let unmounted = tally("INBOX", 2, [2, 0], [0, 2], [2, 0]);
        assert_eq!(
            said(std::slice::from_ref(&unmounted), None),
            "stopped before deleting anything: the local store is empty, and had 2 messages"
        );
        let lost = tally("INBOX", 3, [0, 3], [3, 0], [0, 3]);
        assert_eq!(
            said(&[lost], None),
            "stopped before deleting anything: the server shows no message at all, and had 3"
        );
        assert_eq!(said(&[unmounted.clone(), Tally::unchanged("Other".into(), 1)], None), "go on");
        assert_eq!(said(&[unmounted], Some(2)), "go on");
        assert_eq!(said(&[tally("INBOX", 1, [1, 0], [0, 1], [1, 0])], None), "go on", "one message is no sign");
        assert_eq!(said(&[tally("INBOX", 5, [5, 0], [0, 5], [0, 0])], None), "go on", "the deletion does not travel");
        assert_eq!(said(&[tally("INBOX", 2, [2, 2], [0, 0], [2, 2])], None), "go on", "marks are no accident");
    }
}
