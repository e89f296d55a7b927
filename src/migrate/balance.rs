//! What became of every message of a folder: copied, there already, skipped or failed, the last two with their reasons.

use super::Verified;
use crate::event::{Action, Counts, Event, Observer};
use crate::mail::{FolderName, Key};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Why a message stays away that was copied, or there, before.
const REMOVED: &str = "removed at the target since";

/// The messages of a folder of the source. It balances: listed = copied + there + skipped + failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balance {
    /// In the source.
    pub listed: u64,
    /// Copied; in a dry run, to be copied.
    pub copied: u64,
    /// In the target before.
    pub there: u64,
    /// Left alone, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Not copied, though wanted, by reason.
    pub failed: BTreeMap<String, u64>,
    /// Octets of those copied.
    pub bytes: u64,
    /// Removed from the source.
    pub removed: u64,
}

impl Balance {
    /// How many were skipped.
    pub fn skips(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// How many failed.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Of one pass, by its counts and what was told meanwhile; `error` ended it early.
    pub fn of(counts: &Counts, told: Told, error: Option<String>) -> Balance {
        let Told { skipped, mut failed, expected } = told;
        // What was never reached has failed too.
        let known: u64 = failed.values().sum();
        if counts.failed > known {
            let reason = error.unwrap_or_else(|| "the run ended before it".to_owned());
            *failed.entry(reason).or_default() += counts.failed - known;
        }
        // Those that were gone, the pull has counted itself.
        let sieved = skipped.values().sum::<u64>().saturating_sub(counts.skipped);
        Balance {
            listed: counts.listed + sieved,
            copied: counts.fetched,
            there: counts.had,
            skipped,
            failed,
            // A rehearsal transfers nothing.
            bytes: if counts.bytes_in == 0 && counts.fetched > 0 { expected } else { counts.bytes_in },
            removed: counts.deleted_remote,
        }
    }

    /// So many of those in the target were removed there since.
    pub fn removed_there(&mut self, n: u64) {
        let n = n.min(self.there);
        if n > 0 {
            self.there -= n;
            *self.skipped.entry(REMOVED.to_owned()).or_default() += n;
        }
    }

    /// A later pass over the same folder: what an earlier one copied counts as copied.
    #[must_use]
    pub fn then(self, later: Balance) -> Balance {
        let before = self.copied.min(later.there);
        Balance {
            copied: later.copied + before,
            there: later.there - before,
            bytes: self.bytes + later.bytes,
            removed: self.removed + later.removed,
            ..later
        }
    }
}

/// A folder of a migration, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderReport {
    /// In the source.
    pub from: FolderName,
    /// In the target.
    pub to: FolderName,
    /// Its messages.
    pub balance: Balance,
    /// What a look at the target showed, where one was taken.
    pub verified: Option<Verified>,
}

/// What events have told of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    skipped: BTreeMap<String, u64>,
    failed: BTreeMap<String, u64>,
    /// Octets that are to be fetched.
    expected: u64,
}

/// Hands events on, and keeps what they tell of messages that stay where they are.
pub struct Collector {
    to: Arc<dyn Observer>,
    /// In the end, the source is to be without what the target has.
    leaves: bool,
    /// Of these folders, what the target has already leaves the source only if it was brought there: by name.
    brought: Mutex<BTreeMap<String, HashSet<Key>>>,
    told: Mutex<BTreeMap<String, Told>>,
}

impl Collector {
    /// Hands on to this one. `leaves` is whether a rehearsal tells of each message that is to be in the target that it would be
    /// deleted in the source.
    pub fn new(to: Arc<dyn Observer>, leaves: bool) -> Collector {
        Collector { to, leaves, brought: Mutex::default(), told: Mutex::default() }
    }

    /// Of what the target has of a folder, only these messages would leave the source.
    pub fn only_brought(&self, folder: &str, brought: HashSet<Key>) {
        self.brought.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned(), brought);
    }

    /// Whether a message that the target has would leave the source.
    fn may_leave(&self, folder: &str, key: Option<&Key>) -> bool {
        let brought = self.brought.lock().unwrap_or_else(PoisonError::into_inner);
        brought.get(folder).is_none_or(|brought| key.is_some_and(|key| brought.contains(key)))
    }

    /// What was told of a folder since it was asked last.
    pub fn take(&self, folder: &str) -> Told {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).remove(folder).unwrap_or_default()
    }
}

impl Observer for Collector {
    fn event(&self, account: &str, event: Event<'_>) {
        let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Message { folder, action, .. } => {
                let mut count = |failed: bool, reason: &str| {
                    let told = all.entry(folder.to_owned()).or_default();
                    let reasons = if failed { &mut told.failed } else { &mut told.skipped };
                    *reasons.entry(reason.to_owned()).or_default() += 1;
                };
                match action {
                    Action::Skipped(reason) => count(false, reason),
                    Action::Gone => count(false, "gone from the source meanwhile"),
                    Action::Refused(reason) => count(true, reason),
                    Action::Fetched(_) | Action::WouldFetch | Action::Had => {}
                }
            }
            Event::Folder { folder, outlook } => all.entry(folder.to_owned()).or_default().expected = outlook.bytes,
            _ => {}
        }
        drop(all);
        let event = match event {
            Event::Message { folder, key, bytes, action: action @ (Action::WouldFetch | Action::Had), .. }
                if self.leaves =>
            {
                let deleted = matches!(action, Action::WouldFetch) || self.may_leave(folder, key);
                Event::Message { folder, key, bytes, action, deleted }
            }
            other => other,
        };
        self.to.event(account, event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;
    impl Observer for Nobody {
        fn event(&self, _: &str, _: Event<'_>) {}
    }

    #[derive(Default)]
    struct Deletions(Mutex<Vec<bool>>);
    impl Observer for Deletions {
        fn event(&self, _: &str, event: Event<'_>) {
            if let Event::Message { deleted, .. } = event {
                self.0.lock().unwrap().push(deleted);
            }
        }
    }

    #[test]
    fn a_rehearsal_tells_what_would_leave_the_source() {
        for (leaves, told) in [(true, [true, true, false]), (false, [false; 3])] {
            let seen = Arc::new(Deletions::default());
            let collector = Collector::new(Arc::<Deletions>::clone(&seen), leaves);
            for action in [Action::WouldFetch, Action::Had, Action::Skipped("too old")] {
                collector.event("a", Event::Message { folder: "x", key: None, bytes: None, action, deleted: false });
            }
            assert_eq!(*seen.0.lock().unwrap(), told);
        }
    }

    #[test]
    fn what_the_target_had_before_stays_where_source_and_target_may_be_one() {
        let (seen, keys) = (Arc::new(Deletions::default()), ["brought", "there before"].map(Key::new));
        let collector = Collector::new(Arc::<Deletions>::clone(&seen), true);
        collector.only_brought("x", HashSet::from([keys[0].clone()]));
        for (folder, key) in [("x", Some(&keys[0])), ("x", Some(&keys[1])), ("x", None), ("y", Some(&keys[1]))] {
            let (bytes, action, deleted) = (None, Action::Had, false);
            collector.event("a", Event::Message { folder, key, bytes, action, deleted });
        }
        assert_eq!(*seen.0.lock().unwrap(), [true, false, false, true]);
    }

    #[test]
    fn it_balances() {
        let collector = Collector::new(Arc::new(Nobody), false);
        let tell = |folder, action| {
            collector.event("a", Event::Message { folder, key: None, bytes: None, action, deleted: false });
        };
        tell("x", Action::Skipped("too old"));
        tell("x", Action::Skipped("too old"));
        tell("x", Action::Gone);
        tell("x", Action::Refused("full"));
        tell("x", Action::Had);
        tell("y", Action::Gone);
        let counts =
            Counts { listed: 20, fetched: 5, had: 10, skipped: 1, failed: 4, bytes_in: 7, ..Counts::default() };
        let first = Balance::of(&counts, collector.take("x"), Some("cut".into()));
        assert_eq!(
            first.skipped,
            BTreeMap::from([("too old".into(), 2), ("gone from the source meanwhile".into(), 1)])
        );
        assert_eq!(first.failed, BTreeMap::from([("full".into(), 1), ("cut".into(), 3)]));
        assert_eq!((first.listed, first.copied, first.there, first.bytes), (22, 5, 10, 7));
        assert_eq!(first.listed, first.copied + first.there + first.skips() + first.failures());

        let counts = Counts { listed: 19, fetched: 4, had: 15, ..Counts::default() };
        let both = first.then(Balance::of(&counts, collector.take("x"), None));
        assert_eq!((both.listed, both.copied, both.there, both.failures()), (19, 9, 10, 0));
        assert_eq!(both.listed, both.copied + both.there + both.skips() + both.failures());
    }
}
