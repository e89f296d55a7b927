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
pub fn what_cannot_be_copied_is_looked_at_again() {
    let (pair, cutter) = Pair::with_cutter();
    pair.user.deliver("INBOX", &(1..=300).map(message).collect::<Vec<_>>());
    pair.user.deliver_as("INBOX", &message(301), "T", SystemTime::now());
    assert_eq!(pair.sync(), "fetched 300");
    // Its mark goes: that it was there, and with which marks, nobody wrote down.
    pair.there(&["flags remove", "\\Deleted"], 301);
    assert_eq!(pair.sync(), "fetched 1");
    pair.user.deliver("INBOX", &[message(302)]);
    assert_eq!(sync(&pair, &cutter, LITTLE), "fetched 1");
}
