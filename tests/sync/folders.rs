//! Folders are made on both sides, and a removed one is told.

use super::*;

#[test]
fn folders_are_made_both_ways() {
    let pair = Pair::of(1, "");
    pair.user.deliver("Entw&APw-rfe/2024", &[message(2)]);
    pair.add_here("Über uns", 3);
    assert_eq!(pair.sync(), "fetched 1, uploaded 1");
    assert_eq!(pair.here("Entwürfe/2024").len(), 1);
    assert_eq!(pair.user.messages("&ANw-ber uns").len(), 1);
    pair.is_idle();
}

#[test]
fn a_removed_folder_is_kept_on_the_other_side() {
    let pair = Pair::of(1, "");
    pair.add_here("A", 2);
    pair.add_here("B", 3);
    assert_eq!(pair.sync(), "uploaded 2");
    fs::remove_dir_all(pair.path("A")).unwrap();
    pair.user.doveadm(&["mailbox", "delete", "-u", &pair.user.name, "B"]);
    let outcome = pair.run(&[]).expect(0);
    assert_eq!(counts(&outcome), "");
    assert!(outcome.stderr.contains("A was removed here") && outcome.stderr.contains("B was removed on the server"));
    assert_eq!((pair.user.messages("A").len(), pair.here("B").len()), (1, 1));
}
