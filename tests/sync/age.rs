//! Messages older than `max_age` stay where they are, and are never taken for deleted.

use super::*;
use std::fs::File;
use std::time::{Duration, SystemTime};

const YEAR: Duration = Duration::from_secs(365 * 86_400);

#[test]
fn old_messages_stay_on_their_side() {
    let pair = Pair::with("\n[accounts.x.sync]\nmax_age = \"30d\"\n");
    let (now, old) = (SystemTime::now(), SystemTime::now() - YEAR);
    for (n, time) in [(1, old), (2, now), (3, old)] {
        pair.user.deliver_as("INBOX", &message(n), "", time);
    }
    for (n, time) in [(4, old), (5, now)] {
        pair.add_here("INBOX", n);
        File::options().write(true).open(pair.file("INBOX", n)).unwrap().set_modified(time).unwrap();
    }
    let numbers = |stored: Vec<Stored>| {
        let mut numbers: Vec<usize> = stored.iter().map(number).collect();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(pair.sync(), "fetched 1, uploaded 1, skipped 3");
    assert_eq!(numbers(pair.here("INBOX")), [2, 4, 5]);
    assert_eq!(numbers(pair.user.messages("INBOX")), [1, 2, 3, 5]);
    pair.is_idle();

    // What was synced while it was young may grow old.
    for n in [2, 5] {
        File::options().write(true).open(pair.file("INBOX", n)).unwrap().set_modified(old).unwrap();
    }
    pair.mark_here(2, "F");
    assert_eq!(pair.sync(), "flags_remote 1", "what is too old is told once");
    assert_eq!(numbers(pair.user.messages("INBOX")), [1, 2, 3, 5]);
}

#[test]
fn what_was_too_old_is_copied_when_more_is_wanted() {
    let pair = Pair::with("\n[accounts.x.sync]\nmax_age = \"30d\"\n");
    pair.user.deliver_as("INBOX", &message(1), "", SystemTime::now() - YEAR);
    assert_eq!(pair.sync(), "skipped 1");
    pair.rest("INBOX");
    pair.is_idle();
    pair.reconfigure("30d", "3650d");
    assert_eq!(pair.sync(), "fetched 1", "though nothing has changed in the folder");
    pair.is_idle();
}

#[test]
fn an_old_message_on_both_sides_is_recognised() {
    let pair = Pair::with("\n[accounts.x.sync]\nmax_age = \"30d\"\n");
    pair.user.deliver_as("INBOX", &message(1), "", SystemTime::now() - YEAR);
    pair.add_here("INBOX", 1);
    assert_eq!(pair.sync(), "flags_remote 1, adopted 1");
    pair.is_idle();
}
