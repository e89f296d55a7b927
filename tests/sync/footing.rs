//! A folder is not what it was, or a sync did not come to its end: nothing is deleted for that, and no side is left behind.

use super::*;
use crate::support::cutter::Way;
use std::os::unix::fs::symlink;
use std::process::Command;

const PARTS: [&str; 3] = ["tmp", "new", "cur"];

/// The inbox with message 1, and A with 10 to 12, synced.
fn with_a() -> Pair {
    let pair = Pair::with("");
    pair.user.deliver("INBOX", &[message(1)]);
    pair.user.deliver("A", &[message(10), message(11), message(12)]);
    assert_eq!(pair.sync(), "fetched 4");
    pair
}

fn make(folder: &Path) {
    PARTS.iter().for_each(|part| fs::create_dir_all(folder.join(part)).unwrap());
}

#[test]
fn a_folder_that_was_missing_and_is_back_gets_its_mail_again() {
    let pair = with_a();
    fs::remove_dir_all(pair.path("A")).unwrap();
    let first = pair.run(&[]).expect(0);
    assert!(first.stderr.contains("Create the folder again, and its mail is copied into it"), "{}", first.stderr);
    assert_eq!(pair.run(&[]).expect(0).stderr, "", "told once");
    make(&pair.path("A"));
    assert_eq!(pair.changes_of_dry_run(), 3);
    assert_eq!(pair.sync(), "fetched 3");
    assert_eq!(pair.both("A"), "10 11 12");
    pair.is_idle();
    // Made anew between two runs; then it stands, and what goes from it goes.
    fs::remove_dir_all(pair.path("A")).unwrap();
    make(&pair.path("A"));
    assert_eq!(pair.sync(), "fetched 3");
    fs::remove_file(pair.file("A", 11)).unwrap();
    assert_eq!(pair.sync(), "deleted_remote 1");
    assert_eq!(pair.both("A"), "10 12");
}

#[test]
fn what_lies_in_a_part_of_a_folder_that_is_gone_was_not_deleted() {
    let pair = with_a();
    pair.mark_here(1, "S");
    assert_eq!(pair.sync(), "flags_remote 1");
    for part in PARTS {
        fs::remove_dir_all(pair.path("A").join(part)).unwrap();
        pair.sync();
        assert_eq!(pair.both("A"), "10 11 12", "{part}");
    }
    // There always is an inbox.
    fs::remove_dir_all(pair.path("INBOX")).unwrap();
    pair.user.deliver("INBOX", &[message(2)]);
    assert_eq!(pair.sync(), "fetched 2");
    assert_eq!(pair.both("INBOX"), "1S 2");
    pair.is_idle();
}

#[test]
fn a_folder_that_the_server_lost_and_has_again_gets_its_mail_again() {
    let pair = with_a();
    pair.doveadm("delete", "A");
    let outcome = pair.run(&[]).expect(0);
    assert!(outcome.stderr.contains("A was removed on the server"), "{}", outcome.stderr);
    pair.doveadm("create", "A");
    assert_eq!(pair.sync(), "uploaded 3");
    assert_eq!(pair.both("A"), "10 11 12");
}

#[test]
fn what_changed_after_a_pull_is_the_same_on_both_sides_after_a_sync() {
    let pair = Pair::with("");
    pair.user.deliver("INBOX", &(1..=4).map(message).collect::<Vec<_>>());
    pair.user.deliver("A", &[message(10)]);
    pair.ferry.run(&["pull"]).expect(0);
    fs::remove_file(pair.file("INBOX", 1)).unwrap();
    make(&pair.path("A"));
    fs::rename(pair.file("INBOX", 2), pair.path("A").join("cur/moved:2,S")).unwrap();
    pair.there(&["expunge"], 3);
    assert_eq!(pair.sync(), "fetched 2, uploaded 1, flags_remote 1, moved_remote 1");
    assert_eq!((pair.both("INBOX"), pair.both("A")), ("1 3 4".to_owned(), "2S 10".to_owned()));
    pair.is_idle();
}

#[test]
fn a_first_sync_that_was_cut_off_leaves_no_side_behind() {
    let (pair, cutter) = Pair::with_cutter();
    let large = |n| [message(n), vec![b'x'; 4000], b"\r\n".to_vec()].concat();
    pair.user.deliver("INBOX", &(1..=600).map(large).collect::<Vec<_>>());
    pair.user.deliver("A", &[message(700)]);
    cutter.arm(Way::ToClient, 1_600_000);
    cutter.stay_cut();
    pair.run(&[]);
    assert!(!cutter.disarm());
    let here: Vec<usize> = pair.here("INBOX").iter().map(number).collect();
    let [first, second, ..] = here[..] else { panic!("nothing came before the cut") };
    assert!(here.len() < 600);
    fs::remove_file(pair.file("INBOX", first)).unwrap();
    make(&pair.path("A"));
    fs::rename(pair.file("INBOX", second), pair.path("A").join("cur/moved:2,S")).unwrap();
    pair.run(&[]).expect(0);
    pair.is_idle();
    assert_eq!(pair.both("INBOX").split(' ').count(), 599);
    assert_eq!(pair.both("A"), format!("{second}S 700"));
}

/// The inbox with messages 1 to 4, restored on the server to a time before 10 and 11 came.
fn restored() -> Pair {
    let pair = Pair::of(4, "");
    let (mailbox, backup) = (pair.user.maildir(), pair.ferry.path("backup"));
    let copy = |from: &Path, to: &Path| {
        assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    };
    copy(&mailbox, &backup);
    pair.user.deliver("INBOX", &[message(10), message(11)]);
    assert_eq!(pair.sync(), "fetched 2");
    fs::remove_dir_all(&mailbox).unwrap();
    copy(&backup, &mailbox);
    pair
}

#[test]
fn a_server_restored_from_a_backup_gets_what_it_lost() {
    let pair = restored();
    let outcome = pair.run(&[]).expect(0);
    assert_eq!(counts(&outcome), "uploaded 2, adopted 4");
    assert!(outcome.stderr.contains("restore from a backup"), "{}", outcome.stderr);
    assert_eq!(pair.both("INBOX"), "1 2 3 4 10 11");
    pair.is_idle();
}

#[test]
fn messages_that_got_the_uids_of_others_are_found_out() {
    let pair = restored();
    let longer = |n| [message(n), b"more\r\n".to_vec()].concat();
    pair.user.deliver("INBOX", &[longer(20), longer(21), message(22)]);
    assert_eq!(pair.sync(), "fetched 3, uploaded 2, adopted 4");
    assert_eq!(pair.both("INBOX"), "1 2 3 4 10 11 20 21 22");
    pair.is_idle();
}

#[test]
fn no_message_is_deleted_by_the_uid_of_another() {
    let pair = restored();
    pair.user.deliver("INBOX", &[message(20), message(21)]);
    fs::remove_file(pair.file("INBOX", 10)).unwrap();
    if pair.run(&[]).code != Some(0) {
        pair.run(&[]).expect(0);
    }
    assert_eq!(pair.both("INBOX"), "1 2 3 4 11 20 21");
}

#[test]
fn folders_that_another_tool_named_in_modified_utf_7_are_known() {
    let pair = Pair::with("");
    pair.doveadm("create", "Ärger/Größe");
    pair.doveadm("create", "A&B");
    pair.user.deliver("INBOX", &[message(1)]);
    for folder in ["INBOX", "&AMQ-rger", "&AMQ-rger/Gr&APYA3w-e", "A&-B"] {
        make(&pair.path(folder));
    }
    fs::write(pair.path("&AMQ-rger/Gr&APYA3w-e/cur/1.x,U=1:2,S"), mail::with_lf(&message(5))).unwrap();
    let there = || pair.user.doveadm(&["mailbox", "list", "-u", &pair.user.name]);
    let before = there();
    assert_eq!(pair.sync(), "fetched 1, uploaded 1");
    assert!(there().lines().all(|folder| before.contains(folder) || folder == "Ärger"), "{}", there());
    assert!(!pair.path("Ärger").exists() && !pair.path("A&B").exists());
    pair.is_idle();
}

#[test]
fn marks_of_a_message_that_a_run_saw_in_two_folders_stay_with_it() {
    let pair = Pair::of(2, "");
    pair.doveadm("create", "B");
    pair.there(&["copy", "B"], 1);
    assert_eq!(pair.sync(), "fetched 1");
    pair.mark_here(1, "F");
    pair.there(&["expunge"], 1);
    assert_eq!(pair.sync(), "flags_remote 1, deleted_local 1");
    assert_eq!((pair.both("INBOX"), pair.both("B")), ("2".to_owned(), "1F".to_owned()));
    pair.is_idle();
}

#[test]
fn a_trash_that_the_server_has_not_is_made() {
    let pair = Pair::of(2, "\n[accounts.x.sync]\ntrash = \"Bin\"\n");
    fs::remove_file(pair.file("INBOX", 1)).unwrap();
    assert_eq!(pair.sync(), "fetched 1, moved_remote 1");
    pair.is_idle();
    assert_eq!((pair.both("INBOX"), pair.both("Bin")), ("2".to_owned(), "1".to_owned()));
}

#[test]
fn what_the_trash_has_no_letter_for_stays_and_does_not_come_back() {
    let pair = Pair::with("\n[accounts.x.sync]\ntrash = \"Trash\"\n");
    pair.user.deliver("INBOX", &[message(1), message(2), message(3)]);
    pair.there(&["flags add", "late"], 1);
    pair.there(&["flags add", "late"], 2);
    pair.add_here("Trash", 9);
    let names: String = (0..26).map(|n| format!("{n} full{n}\n")).collect();
    fs::write(pair.path("Trash").join("dovecot-keywords"), &names).unwrap();
    let letters: String = ('a'..='z').collect();
    fs::rename(pair.file("Trash", 9), pair.path("Trash").join("cur").join(format!("9.all:2,S{letters}"))).unwrap();
    pair.sync();
    pair.there(&["expunge"], 1);
    let marked = pair.file("INBOX", 2);
    fs::rename(&marked, PathBuf::from(format!("{}T", marked.display()))).unwrap();
    for _ in 0..2 {
        let run = pair.run(&[]).expect(2);
        assert_eq!(
            (run.summary_of("x")["failed"].as_u64(), run.summary_of("x")["uploaded"].as_u64()),
            (Some(2), Some(0))
        );
        assert!(run.stderr.contains("is to go to Trash and stays where it is here"), "{}", run.stderr);
        let here: Vec<usize> = pair.here("INBOX").iter().map(number).collect();
        assert_eq!((here.len(), pair.user.messages("INBOX").len()), (3, 1));
    }
    // As the warning says.
    fs::remove_file(pair.file("Trash", 9)).unwrap();
    fs::write(pair.path("Trash").join("dovecot-keywords"), names.replace("0 full0\n", "")).unwrap();
    pair.run(&[]).expect(0);
    pair.is_idle();
    assert_eq!(pair.both("INBOX"), "3");
}

#[test]
fn a_store_that_another_account_has_by_a_link_is_refused() {
    let pair = Pair::with("");
    symlink(pair.ferry.store("x"), pair.ferry.path("link")).unwrap();
    fs::create_dir_all(pair.ferry.store("x")).unwrap();
    let endpoint = pair.user.endpoint(Protocol::Imap, Security::Implicit);
    pair.ferry.account_with("y", &endpoint, "maildir", &pair.ferry.path("link"), "");
    let outcome = pair.ferry.run(&["config", "check"]).expect(78);
    let said = outcome.stdout + &outcome.stderr;
    assert!(said.contains("its store is also the store of `x`"), "{said}");
}

impl Pair {
    fn doveadm(&self, verb: &str, folder: &str) {
        self.user.doveadm(&["mailbox", verb, "-u", &self.user.name, folder]);
    }

    /// How many messages a dry run would bring here.
    fn changes_of_dry_run(&self) -> u64 {
        self.run(&["--dry-run"]).expect(0).summary_of("x")["fetched"].as_u64().unwrap()
    }
}
