//! A folder in which a little has changed is not listed whole.

use super::*;

/// Octets from the server in a run that lists nothing but changes: log-in and list of folders included.
const LITTLE: u64 = 6_000;

/// Syncs, and tells what was done, and whether the server had to say more than `most`.
fn sync(pair: &Pair, cutter: &Cutter, most: u64) -> String {
    let before = cutter.received();
    let done = pair.sync();
    let octets = cutter.received() - before;
    assert!(octets < most, "{octets} octets for: {done}");
    done
}

#[test]
pub fn of_many_messages_only_changes_are_told() {
    let (pair, cutter) = Pair::with_cutter();
    pair.user.deliver("INBOX", &(1..=2000).map(message).collect::<Vec<_>>());
    assert_eq!(pair.sync(), "fetched 2000");
    pair.user.deliver("INBOX", &[message(2001)]);
    assert_eq!(sync(&pair, &cutter, LITTLE), "fetched 1");
    pair.there(&["flags add", "\\Flagged"], 7);
    pair.mark_here(8, "S");
    assert_eq!(sync(&pair, &cutter, LITTLE), "flags_local 1, flags_remote 1");
    pair.add_here("INBOX", 2002);
    fs::remove_file(pair.file("INBOX", 9)).unwrap();
    assert_eq!(sync(&pair, &cutter, LITTLE), "uploaded 1, deleted_remote 1");
    // What else is gone only QRESYNC tells; without it, all UIDs are asked for.
    pair.there(&["expunge"], 10);
    pair.there(&["flags remove", "\\Flagged"], 7);
    assert_eq!(sync(&pair, &cutter, 3 * LITTLE), "flags_local 1, deleted_local 1");
    assert_eq!(sync(&pair, &cutter, LITTLE), "");
    assert_eq!(pair.both("INBOX").split(' ').count(), 2000);
}

#[test]
pub fn what_stays_on_the_server_alone_is_known_too() {
    let limit = "\n[accounts.x.sync]\nmax_size = \"1 kB\"\n";
    let (pair, cutter) = Pair::behind_cutter(variants::dovecot(), limit);
    pair.user.deliver("INBOX", &(1..=300).map(message).collect::<Vec<_>>());
    pair.user.deliver_as("INBOX", &message(301), "T", SystemTime::now());
    pair.user.deliver("INBOX", &[[message(302), vec![b'x'; 2000]].concat()]);
    assert_eq!(pair.sync(), "fetched 300, skipped 1");
    assert_eq!(sync(&pair, &cutter, LITTLE), "skipped 1");
    pair.user.deliver("INBOX", &[message(303)]);
    pair.there(&["flags add", "\\Flagged"], 302);
    assert_eq!(sync(&pair, &cutter, LITTLE), "fetched 1, skipped 1");
    // Its mark goes.
    pair.there(&["flags remove", "\\Deleted"], 301);
    assert_eq!(sync(&pair, &cutter, LITTLE), "fetched 1, skipped 1");
    pair.there(&["expunge"], 302);
    assert_eq!(sync(&pair, &cutter, 2 * LITTLE), "");
    pair.is_idle();
}

#[test]
pub fn marks_that_do_not_travel_are_known_too() {
    let (pair, cutter) = Pair::behind_cutter(variants::dovecot(), "\n[accounts.x.sync]\nflags = \"none\"\n");
    pair.user.deliver("INBOX", &(1..=300).map(message).collect::<Vec<_>>());
    assert_eq!(pair.sync(), "fetched 300");
    pair.there(&["flags add", "\\Flagged"], 7);
    assert_eq!(sync(&pair, &cutter, LITTLE), "");
    pair.user.deliver("INBOX", &[message(301)]);
    assert_eq!(sync(&pair, &cutter, LITTLE), "fetched 1");
    pair.rest("INBOX");
    assert_eq!(sync(&pair, &cutter, LITTLE), "");
    pair.reconfigure("flags = \"none\"", "flags = \"both\"");
    assert_eq!(sync(&pair, &cutter, LITTLE), "flags_local 1");
    assert!(pair.both("INBOX").contains(" 7F "));
}
