//! What looks like an accident deletes nothing.

use super::*;

#[test]
fn many_deletions_need_a_word() {
    let pair = Pair::of(30, "");
    for n in 1..=25 {
        fs::remove_file(pair.file("INBOX", n)).unwrap();
    }
    let stopped = pair.run(&[]).expect(3);
    assert!(stopped.stderr.contains("25 of 30") && stopped.stderr.contains("--allow-delete 25"), "{}", stopped.stderr);
    assert_eq!(pair.user.messages("INBOX").len(), 30);
    assert_eq!(counts(&pair.run(&["--allow-delete", "25"]).expect(0)), "deleted_remote 25");
    assert_eq!(pair.user.messages("INBOX").len(), 5);
    pair.is_idle();
}

#[test]
fn a_side_that_is_suddenly_empty_is_no_wish() {
    let pair = Pair::of(3, "");
    for n in 1..=3 {
        fs::remove_file(pair.file("INBOX", n)).unwrap();
    }
    pair.run(&[]).expect(3);
    assert_eq!(pair.user.messages("INBOX").len(), 3);

    let pair = Pair::of(3, "");
    pair.user.doveadm(&["expunge", "-u", &pair.user.name, "mailbox", "INBOX", "all"]);
    pair.run(&[]).expect(3);
    assert_eq!(pair.here("INBOX").len(), 3);
}

#[test]
fn a_store_that_is_not_mounted_deletes_nothing() {
    for empty in [true, false] {
        let pair = Pair::of(2, "");
        let (root, away) = (pair.ferry.store("x"), pair.ferry.path("away"));
        fs::rename(&root, &away).unwrap();
        if empty {
            fs::create_dir(&root).unwrap();
        }
        let stopped = pair.run(&[]).expect(3);
        assert!(stopped.stderr.contains("Mount its disk"), "{}", stopped.stderr);
        assert_eq!(pair.user.messages("INBOX").len(), 2);
        let _ = fs::remove_dir_all(&root);
        fs::rename(&away, &root).unwrap();
        pair.is_idle();
    }
}
