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

#[test]
fn subscriptions_choose_the_folders_where_that_is_wanted() {
    let pair = Pair::of(1, "\n[accounts.x.sync]\nsubscribed = true\n");
    for (folder, n) in [("A", 2), ("B", 3)] {
        pair.user.deliver(folder, &[message(n)]);
    }
    pair.folders_there("subscribe", &["A"]);
    pair.folders_there("unsubscribe", &["B"]);
    pair.add_here("C", 4);
    assert_eq!(pair.sync(), "fetched 1, uploaded 1");
    assert_eq!((pair.both("A"), pair.both("C"), pair.path("B").exists()), ("2".into(), "4S".into(), false));
    pair.is_idle();

    pair.folders_there("unsubscribe", &["A"]);
    pair.user.deliver("A", &[message(5)]);
    fs::remove_file(pair.file("A", 2)).unwrap();
    pair.user.deliver("C", &[message(6)]);
    assert_eq!(pair.sync(), "fetched 1");
    assert_eq!((pair.here("A").len(), pair.user.messages("A").len()), (0, 2), "left alone on both sides");
    pair.folders_there("subscribe", &["A"]);
    assert_eq!(pair.sync(), "fetched 1, deleted_remote 1");
    assert_eq!((pair.both("A"), pair.both("C")), ("5".into(), "4S 6".into()));
}

const REMOVING: &str = "\n[accounts.x.sync]\nremove_folders = \"both\"\n";

impl Pair {
    /// Has doveadm do something to folders.
    fn folders_there(&self, verb: &str, names: &[&str]) {
        self.user.doveadm(&[&["mailbox", verb, "-u", &self.user.name], names].concat());
    }

    fn all_there(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.user.doveadm(&["mailbox", "list", "-u", &self.user.name]).lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    fn changes(&self, args: &[&str], expected: &str) -> Vec<String> {
        let outcome = self.run(args).expect(0);
        assert_eq!(counts(&outcome), expected, "{}", outcome.stderr);
        assert_eq!(
            (&outcome.summary_of("x")["bytes_in"], &outcome.summary_of("x")["bytes_out"]),
            (&0.into(), &0.into())
        );
        let text = |e: &serde_json::Value, key: &str| e[key].as_str().unwrap_or_default().to_owned();
        (outcome.events().iter())
            .filter(|e| e["event"] == "folder_change")
            .map(|e| ["side", "action", "folder", "to"].map(|key| text(e, key)).join(" ").trim_end().to_owned())
            .collect()
    }
}

/// Two folders with a message each, and one that stays.
fn with_folders() -> Pair {
    let pair = Pair::of(3, REMOVING);
    pair.add_here("A", 10);
    pair.add_here("A", 11);
    pair.add_here("B", 20);
    assert_eq!(pair.sync(), "uploaded 3");
    pair.is_idle();
    pair
}

#[test]
fn a_removed_folder_is_removed_on_the_other_side() {
    let pair = with_folders();
    fs::remove_dir_all(pair.path("A")).unwrap();
    pair.folders_there("delete", &["B"]);
    assert_eq!(
        pair.changes(&["--dry-run"], "deleted_local 1, deleted_remote 2"),
        ["remote would_remove A", "local would_remove B"]
    );
    assert_eq!((pair.all_there(), pair.here("B").len()), (vec!["A".to_owned(), "INBOX".to_owned()], 1));
    assert_eq!(pair.changes(&[], "deleted_local 1, deleted_remote 2"), ["remote remove A", "local remove B"]);
    assert_eq!(pair.all_there(), ["INBOX"]);
    assert!(!pair.path("A").exists() && !pair.path("B").exists());
    pair.is_idle();
    // The names are free again.
    pair.add_here("A", 12);
    pair.user.deliver("B", &[message(21)]);
    assert_eq!(pair.sync(), "fetched 1, uploaded 1");
    assert_eq!((pair.both("A"), pair.both("B")), ("12S".to_owned(), "21".to_owned()));
    pair.is_idle();
}

#[test]
fn a_removed_folder_stays_where_it_holds_more() {
    let pair = with_folders();
    fs::remove_dir_all(pair.path("A")).unwrap();
    pair.user.deliver("A", &[message(12)]);
    pair.folders_there("delete", &["B"]);
    pair.add_here("B", 21);
    for _ in 0..2 {
        let outcome = pair.run(&[]).expect(2);
        assert_eq!(counts(&outcome), "");
        for told in [
            "A was removed here; it stays on the server, for 1 message",
            "B was removed on the server; it stays here, for 1 message",
        ] {
            assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
        }
        assert_eq!((pair.user.messages("A").len(), pair.here("B").len()), (3, 2));
    }
}

#[test]
fn messages_moved_out_of_a_folder_before_it_was_removed_are_moved() {
    let pair = with_folders();
    for n in [10, 11] {
        let file = pair.file("A", n);
        fs::rename(&file, pair.path("INBOX").join("cur").join(file.file_name().unwrap())).unwrap();
    }
    fs::remove_dir_all(pair.path("A")).unwrap();
    pair.user.doveadm(&["move", "-u", &pair.user.name, "INBOX", "mailbox", "B", "all"]);
    pair.folders_there("delete", &["B"]);
    assert_eq!(pair.changes(&[], "moved_local 1, moved_remote 2"), ["remote remove A", "local remove B"]);
    assert_eq!(pair.both("INBOX"), "1 2 3 10S 11S 20S");
    pair.is_idle();
}

#[test]
fn the_messages_of_a_removed_folder_count_for_the_guard() {
    let pair = Pair::of(1, REMOVING);
    pair.user.deliver("A", &(100..125).map(message).collect::<Vec<_>>());
    assert_eq!(pair.sync(), "fetched 25");
    fs::remove_dir_all(pair.path("A")).unwrap();
    let stopped = pair.run(&[]).expect(3);
    assert!(stopped.stderr.contains("25 of 25 messages in A"), "{}", stopped.stderr);
    assert_eq!(pair.user.messages("A").len(), 25);
    assert_eq!(pair.changes(&["--allow-delete", "25"], "deleted_remote 25"), ["remote remove A"]);
    assert_eq!(pair.all_there(), ["INBOX"]);
    pair.is_idle();
}

#[test]
fn a_folder_that_is_gone_on_both_sides_is_forgotten() {
    let pair = Pair::of(1, "");
    pair.add_here("A", 2);
    assert_eq!(pair.sync(), "uploaded 1");
    fs::remove_dir_all(pair.path("A")).unwrap();
    pair.folders_there("delete", &["A"]);
    pair.is_idle();
    pair.user.deliver("A", &[message(3)]);
    assert_eq!(pair.sync(), "fetched 1");
    assert_eq!(pair.both("A"), "3");
}

#[test]
fn a_folder_renamed_on_the_server_is_renamed_here() {
    let pair = with_folders();
    pair.user.deliver("A/sub", &[message(30)]);
    assert_eq!(pair.sync(), "fetched 1");
    let files = |folder: &str| pair.here(folder).into_iter().map(|m| m.file_name).collect::<Vec<_>>();
    let (before, sub) = (files("A"), files("A/sub"));
    pair.folders_there("rename", &["A", "Other/name"]);
    assert_eq!(pair.changes(&["--dry-run"], ""), ["local would_rename A Other/name"]);
    assert!(pair.path("A").exists());
    assert_eq!(pair.changes(&[], ""), ["local rename A Other/name"]);
    assert_eq!((files("Other/name"), files("Other/name/sub")), (before, sub));
    assert!(!pair.path("A").exists());
    assert_eq!(pair.both("Other/name"), "10S 11S");
    pair.is_idle();
    // What changed meanwhile comes along.
    pair.folders_there("rename", &["B", "C"]);
    pair.user.deliver("C", &[message(21)]);
    let file = pair.file("B", 20);
    fs::rename(&file, file.to_str().unwrap().replace(":2,S", ":2,FS")).unwrap();
    assert_eq!(pair.sync(), "fetched 1, flags_remote 1");
    assert_eq!(pair.both("C"), "20FS 21");
    pair.is_idle();
}

#[test]
fn a_rename_brings_in_no_folder_that_is_not_subscribed_to() {
    let pair = Pair::with(&format!("{REMOVING}subscribed = true\n"));
    for (folder, n) in [("A", 2), ("B", 3)] {
        pair.user.deliver(folder, &[message(n)]);
    }
    pair.folders_there("subscribe", &["A"]);
    pair.folders_there("unsubscribe", &["B"]);
    assert_eq!(pair.sync(), "fetched 1");
    pair.folders_there("rename", &["A", "Z"]);
    pair.folders_there("subscribe", &["Z"]);
    assert_eq!(pair.sync(), "");
    assert_eq!((pair.both("Z"), pair.path("A").exists(), pair.path("B").exists()), ("2".into(), false, false));
}

#[test]
fn folders_that_swap_their_names_on_the_server_swap_their_mail_here() {
    for sync in ["", REMOVING] {
        let pair = Pair::with(sync);
        pair.user.deliver("A", &[message(1), message(2)]);
        pair.user.deliver("B", &[message(3), message(4), message(5)]);
        assert_eq!(pair.sync(), "fetched 5");
        [["A", "C"], ["B", "A"], ["C", "B"]].iter().for_each(|names| pair.folders_there("rename", names));
        pair.user.deliver("A", &[message(6)]);
        fs::remove_file(pair.file("B", 5)).unwrap();
        assert_eq!(pair.sync(), "fetched 2, moved_local 4");
        assert_eq!((pair.both("A"), pair.both("B")), ("3 4 5 6".to_owned(), "1 2".to_owned()));
        pair.is_idle();
    }
}

#[test]
fn an_empty_folder_renamed_on_the_server_is_renamed_here() {
    let pair = with_folders();
    pair.folders_there("create", &["Empty", "Other"]);
    assert_eq!(pair.sync(), "");
    fs::write(pair.path("Empty").join("note-of-a-reader"), "stays").unwrap();
    pair.folders_there("rename", &["Empty", "Void"]);
    assert_eq!(pair.changes(&["--dry-run"], ""), ["local would_rename Empty Void"]);
    assert_eq!(pair.changes(&["--exit-code"], ""), ["local rename Empty Void"]);
    assert!(pair.path("Void").join("note-of-a-reader").is_file() && !pair.path("Empty").exists());
    pair.is_idle();
    // One that was made anew is none that was renamed.
    pair.folders_there("delete", &["Other"]);
    pair.folders_there("create", &["Another"]);
    assert_eq!(pair.changes(&[], ""), ["local create Another", "local remove Other"]);
    assert!(pair.path("Another").exists());
    pair.is_idle();
}

#[test]
fn changes_to_folders_are_news() {
    let pair = Pair::of(1, REMOVING);
    pair.run(&["--exit-code"]).expect(1);
    let changed = |args: &[&str]| {
        let outcome = pair.run(&[&["--exit-code"], args].concat()).expect(0);
        assert_eq!(counts(&outcome), "");
        outcome.summary_of("x")["folders"].as_u64().unwrap()
    };
    pair.folders_there("create", &["There"]);
    for part in ["tmp", "new", "cur"] {
        fs::create_dir_all(pair.path("Here").join(part)).unwrap();
    }
    assert_eq!((changed(&["--dry-run"]), changed(&[])), (2, 2));
    pair.run(&["--exit-code"]).expect(1);
    pair.folders_there("rename", &["There", "Yonder"]);
    fs::remove_dir_all(pair.path("Here")).unwrap();
    assert_eq!((changed(&["--dry-run"]), changed(&[])), (2, 2));
    pair.run(&["--exit-code"]).expect(1);
    pair.folders_there("delete", &["Yonder"]);
    let said = pair.ferry.run(&["sync", "-v"]).expect(0).stdout;
    assert_eq!(said, "x: 1 folder changed\n");
}

#[test]
fn a_folder_renamed_here_is_renamed_on_the_server() {
    let pair = with_folders();
    pair.add_here("A/sub", 30);
    assert_eq!(pair.sync(), "uploaded 1");
    fs::rename(pair.path("A"), pair.path("Z")).unwrap();
    assert_eq!(pair.changes(&["--dry-run"], ""), ["remote would_rename A Z"]);
    assert_eq!(pair.all_there(), ["A", "A/sub", "B", "INBOX"]);
    assert_eq!(pair.changes(&[], ""), ["remote rename A Z"]);
    assert_eq!(pair.all_there(), ["B", "INBOX", "Z", "Z/sub"]);
    assert_eq!((pair.both("Z"), pair.both("Z/sub")), ("10S 11S".to_owned(), "30S".to_owned()));
    pair.is_idle();
}

#[test]
fn a_folder_renamed_on_both_sides_is_known_again() {
    let pair = with_folders();
    fs::rename(pair.path("A"), pair.path("Z")).unwrap();
    pair.folders_there("rename", &["A", "Z"]);
    assert_eq!(pair.changes(&[], ""), [""; 0]);
    assert_eq!(pair.both("Z"), "10S 11S");
    pair.is_idle();
}

#[test]
fn a_folder_renamed_on_the_server_whose_name_a_new_one_took_is_renamed_here() {
    let pair = with_folders();
    pair.user.deliver("A/sub", &[message(30)]);
    assert_eq!(pair.sync(), "fetched 1");
    pair.folders_there("rename", &["A", "Old"]);
    pair.user.deliver("A", &[message(12)]);
    pair.user.deliver("A/sub", &[message(31)]);
    assert_eq!(pair.changes(&["--dry-run"], ""), ["local would_rename A Old"]);
    let files = |folder: &str| pair.here(folder).into_iter().map(|m| m.file_name).collect::<Vec<_>>();
    let before = files("A");
    assert_eq!(pair.sync(), "fetched 2");
    assert_eq!(files("Old"), before);
    let all = ["A", "A/sub", "Old", "Old/sub"].map(|folder| pair.both(folder));
    assert_eq!(all, ["12", "31", "10S 11S", "30"]);
    pair.is_idle();
}

#[test]
fn a_rename_that_may_not_travel_copies_and_keeps() {
    let pair = Pair::of(1, "");
    pair.add_here("A", 10);
    assert_eq!(pair.sync(), "uploaded 1");
    pair.folders_there("rename", &["A", "B"]);
    let outcome = pair.run(&[]).expect(0);
    assert_eq!(counts(&outcome), "fetched 1");
    assert!(outcome.stderr.contains("A was removed on the server"), "{}", outcome.stderr);
    assert_eq!((pair.here("A").len(), pair.both("B")), (1, "10S".to_owned()));
}
