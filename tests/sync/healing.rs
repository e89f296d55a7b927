//! What was known is lost, or names changed: what both sides have is recognised.

use super::*;

#[test]
pub fn a_lost_state_duplicates_nothing() {
    let pair = Pair::of(5, "");
    fs::remove_dir_all(pair.ferry.state_dir()).unwrap();
    pair.add_here("INBOX", 6);
    pair.user.deliver("INBOX", &[message(7)]);
    assert_eq!(pair.sync(), "fetched 1, uploaded 1, adopted 5");
    assert_eq!(pair.both("INBOX"), "1 2 3 4 5 6S 7");
    pair.is_idle();
}

#[test]
pub fn equal_copies_pair_up_one_to_one() {
    let pair = Pair::with("");
    pair.user.deliver("INBOX", &[message(1), message(1), message(1), message(2)]);
    pair.add_here("INBOX", 1);
    fs::copy(pair.file("INBOX", 1), pair.path("INBOX").join("cur").join("copy:2,S")).unwrap();
    assert_eq!(pair.sync(), "fetched 2, flags_remote 2, adopted 2");
    assert_eq!(pair.both("INBOX"), "1 1S 1S 2");
    pair.is_idle();
}

#[test]
pub fn a_new_uidvalidity_moves_nothing() {
    let pair = Pair::of(4, "");
    pair.mark_here(1, "F");
    pair.sync();
    pair.user.doveadm(&["mailbox", "update", "-u", &pair.user.name, "--uid-validity", "1234567890", "INBOX"]);
    assert_eq!(pair.sync(), "adopted 4");
    assert_eq!(pair.both("INBOX"), "1F 2 3 4");
    pair.is_idle();
}

#[test]
pub fn an_account_that_was_pulled_is_synced_at_once() {
    let pair = Pair::with("");
    pair.user.deliver("INBOX", &(1..=3).map(message).collect::<Vec<_>>());
    pair.ferry.run(&["pull"]).expect(0);
    assert_eq!(pair.sync(), "");
    pair.mark_here(2, "S");
    assert_eq!(pair.sync(), "flags_remote 1");
    assert_eq!(pair.both("INBOX"), "1 2S 3");
    pair.is_idle();
}
