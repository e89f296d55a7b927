//! The command line: which accounts, what is refused, what POP3 accounts get, and what is said.

use super::*;
use crate::support::server::{Script, Server};
use crate::support::stored::maildir_bytes;
use rustix::fs::{FlockOperation, flock};
use std::collections::BTreeSet;
use std::fs::File;

#[test]
fn pop3_accounts_are_pulled() {
    let user = Dovecot::shared().user();
    user.deliver("INBOX", &mail::ordinary(3));
    let ferry = Ferry::new();
    let small = "\n[accounts.x.pull]\nmax_size = \"20 kB\"\nkeep = false\n";
    ferry.account("x", &user.endpoint(Protocol::Pop3, Security::Implicit), small);

    let rehearsed = ferry.run(&["sync", "--dry-run"]).expect(0).stdout;
    let lines: Vec<&str> = rehearsed.lines().collect();
    assert_eq!(lines.iter().filter(|l| l.ends_with(": would fetch; server: delete")).count(), 2, "{rehearsed}");
    assert_eq!(lines[3], "x: 2 messages to copy here, 1 skipped");
    assert!(!ferry.state_dir().exists() && !ferry.store("x").exists());

    let outcome = ferry.run(&["sync", "--json", "--exit-code"]).expect(0);
    assert_eq!(outcome.events()[0]["command"], "sync");
    let entry = outcome.summary_of("x");
    let counts = ["fetched", "skipped", "deleted_remote", "uploaded"].map(|n| entry[n].as_u64().unwrap());
    assert_eq!(counts, [2, 1, 2, 0]);
    assert_eq!(maildir_bytes(&ferry.store("x")).len(), 2);
    // One state serves both commands.
    assert_eq!(ferry.run(&["sync", "x", "-v"]).expect(0).stdout, "x: nothing to do, 1 message skipped\n");
    ferry.run(&["sync", "--exit-code"]).expect(1);
    assert_eq!(ferry.run(&["pull", "--json"]).expect(0).summary_of("x")["skipped"], 1);
    assert!(ferry.run(&["status"]).expect(0).stdout.contains("INBOX: 2 messages pulled"));
}

#[test]
fn an_mbox_cannot_be_synced_and_hinders_no_other_account() {
    let server = Server::start(Script::holding(mail::ordinary(1)));
    let ferry = Ferry::new();
    ferry.account_with("box", &server.endpoint(Protocol::Imap, Security::Implicit), "mbox", &ferry.path("box"), "");
    let user = Dovecot::shared().user();
    user.deliver("INBOX", &mail::ordinary(2));
    ferry.account("pop", &user.endpoint(Protocol::Pop3, Security::Implicit), "");
    let outcome = ferry.run(&["sync", "--json"]).expect(78);
    assert_eq!(
        (outcome.summary_of("box")["exit"].clone(), outcome.summary_of("pop")["exit"].clone()),
        (78.into(), 0.into())
    );
    assert_eq!(outcome.summary_of("pop")["fetched"], 2);
    assert_eq!(
        outcome.stderr,
        "error: box: the store is an mbox, and two ways need a Maildir\n  Write `kind = \"maildir\"` and another `path` under \
         `[accounts.box.store]`, or run: mailferry pull box\n"
    );
    assert_eq!(server.log().logins, 0);
    assert!(!ferry.path("box").exists());
}

#[test]
fn a_store_that_is_gone_stops_the_sync_before_the_log_in() {
    let server = Server::start(Script::holding(mail::ordinary(2)));
    let ferry = Ferry::new();
    ferry.account("x", &server.endpoint(Protocol::Imap, Security::Implicit), "");
    ferry.run(&["pull"]).expect(0);
    fs::rename(ferry.store("x"), ferry.path("unmounted")).unwrap();
    for args in [&["sync"][..], &["sync", "--dry-run"], &["sync", "--allow-delete", "99"]] {
        let stderr = ferry.run(args).expect(3).stderr;
        assert!(stderr.contains(" was there last time and is gone; nothing was deleted\n  Mount its disk"), "{stderr}");
    }
    assert_eq!((server.log().logins, server.inbox().len()), (1, 2));
    assert!(!ferry.store("x").exists());
}

#[test]
fn a_refused_log_in_and_a_lock_end_the_account() {
    let user = Dovecot::shared().user();
    let ferry = Ferry::new();
    let mut wrong = user.endpoint(Protocol::Imap, Security::Implicit);
    wrong.password = "not-it".to_owned();
    ferry.account("x", &wrong, "");
    let outcome = ferry.run(&["sync", "-v"]).expect(77);
    assert_eq!(outcome.stdout, "x: nothing done\n");
    assert_eq!(outcome.stderr.matches("error: x: ").count(), 1, "{}", outcome.stderr);
    assert!(ferry.run(&["status"]).expect(0).stdout.ends_with(" s, exit 77\n"));

    let lock = File::open(ferry.state_dir().join("accounts/x.lock")).unwrap();
    flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    let refused = ferry.run(&["sync"]).expect(75);
    assert!(refused.stderr.contains("another run"), "{}", refused.stderr);
}

#[test]
fn what_names_no_account_is_refused() {
    let ferry = Ferry::new();
    ferry.run(&["sync"]).expect(78);
    let user = Dovecot::shared().user();
    ferry.account("x", &user.endpoint(Protocol::Pop3, Security::Implicit), "");
    for (args, said) in [
        (&["sync", "nope"][..], "no account is named `nope`"),
        (&["sync", "imaps://me:hunter2@h.example"], "a URL is not the name of an account"),
        (&["sync", "--allow-delete", "all"], "invalid value 'all'"),
        (&["sync", "--allow-delete", "-1"], "-1"),
        (&["pull", "--allow-delete", "1"], "--allow-delete"),
    ] {
        let stderr = ferry.run(args).expect(64).stderr;
        assert!(stderr.contains(said) && !stderr.contains("hunter2"), "{args:?}: {stderr}");
    }
    assert!(!ferry.state_dir().exists());
}

/// Deeds of `--json`: folder, side, action, key and reason, and what else belongs to them.
fn deeds(outcome: &Outcome) -> Vec<String> {
    let all = outcome.events().into_iter().filter(|e| e["event"] == "message" && e["side"].is_string());
    let told = all.map(|e| {
        let word = |name: &str| e[name].as_str().unwrap_or_else(|| panic!("no {name} in {e}")).to_owned();
        let more: String = ["add", "remove", "to"].iter().filter_map(|n| Some(format!(" {n}={}", e.get(n)?))).collect();
        assert_eq!(word("account"), "x");
        format!("{} {}: {} {}: {}{more}", word("folder"), word("side"), word("action"), word("key"), word("reason"))
    });
    told.collect()
}

#[test]
fn what_would_be_done_is_told_and_then_done() {
    let pair = Pair::of(4, "");
    pair.mark_here(1, "S");
    pair.there(&["flags add", "\\Flagged"], 2);
    fs::remove_file(pair.file("INBOX", 3)).unwrap();
    pair.add_here("INBOX", 7);
    pair.user.deliver("INBOX", &[message(8)]);
    let key = |n: usize| {
        let file = pair.file("INBOX", n);
        file.file_name().unwrap().to_str().unwrap().split(':').next().unwrap().to_owned()
    };
    let (two, before) = (key(2), pair.here("INBOX").len());

    let told = pair.ferry.run(&["sync", "--dry-run"]).expect(0);
    let mut lines: Vec<&str> = told.stdout.lines().collect();
    assert_eq!(
        lines.pop().unwrap(),
        "x: 1 message to copy here, 1 to copy to the server, 1 to mark here, 1 to mark on the server, 1 to delete on the \
         server"
    );
    lines.sort_unstable();
    let local = format!("x INBOX local: would mark {two} +\\Flagged “message 002”: marks changed on the server");
    let mut expected = [
        "x INBOX local: would copy 5 “message 008”: new on the server",
        &local,
        "x INBOX remote: would copy 7.reader.host “message 007”: new here",
        "x INBOX remote: would delete 3 “message 003”: removed here",
        "x INBOX remote: would mark 1 +\\Seen “message 001”: marks changed here",
    ];
    expected.sort_unstable();
    assert_eq!(lines, expected);
    assert_eq!(told.stderr, "");

    let told = pair.run(&["--dry-run"]).expect(0);
    let mut would = deeds(&told);
    would.sort_unstable();
    let about: BTreeSet<_> = (told.events().into_iter().filter(|e| e["event"] == "message"))
        .map(|e| format!("{} {}", e["key"].as_str().unwrap(), e["subject"].as_str().unwrap()))
        .collect();
    let key_and_number = [("5", 8), (&two, 2), ("7.reader.host", 7), ("3", 3), ("1", 1)];
    assert_eq!(about, key_and_number.map(|(key, n)| format!("{key} message {n:03}")).into());
    let counted = "fetched 1, uploaded 1, flags_local 1, flags_remote 1, deleted_remote 1";
    assert_eq!(counts(&told), counted);
    assert_eq!((pair.here("INBOX").len(), pair.user.messages("INBOX").len()), (before, 5));
    let marked = |side: &str, key: &str, flag: &str, reason: &str| {
        format!("INBOX {side}: would_flags {key}: {reason} add=[\"\\\\{flag}\"] remove=[]")
    };
    let mut expected = vec![
        "INBOX local: would_copy 5: new on the server".to_owned(),
        marked("local", &two, "Flagged", "marks changed on the server"),
        "INBOX remote: would_copy 7.reader.host: new here".to_owned(),
        "INBOX remote: would_delete 3: removed here".to_owned(),
        marked("remote", "1", "Seen", "marks changed here"),
    ];
    expected.sort();
    assert_eq!(would, expected);

    let done = pair.run(&["--exit-code"]).expect(0);
    assert_eq!(counts(&done), counted);
    // What comes down is told by the pipeline of a pull.
    let mut told = deeds(&done);
    told.sort_unstable();
    let expected: Vec<String> =
        expected.iter().filter(|e| !e.contains("local: would_copy")).map(|e| e.replace("would_", "")).collect();
    assert_eq!(told, expected);
    let fetched: Vec<_> =
        done.events().into_iter().filter(|e| e["action"] == "fetched").map(|e| e["key"].clone()).collect();
    assert_eq!(fetched, ["5"]);
    assert_eq!(pair.both("INBOX"), "1S 2F 4 7S 8");
    pair.run(&["--exit-code"]).expect(1);
    assert_eq!(pair.ferry.run(&["sync", "-v"]).expect(0).stdout, "x: nothing to do\n");
    assert!(pair.ferry.run(&["status"]).expect(0).stdout.ends_with("\n  INBOX: 5 messages on both sides\n"));
}

#[test]
fn who_asks_is_told_each_message_and_cron_nothing() {
    let pair = Pair::of(2, "");
    pair.mark_here(1, "S");
    let loud = pair.ferry.run(&["sync", "-vv"]).expect(0);
    assert_eq!(
        (loud.stdout.as_str(), loud.stderr.as_str()),
        ("x: 1 message marked on the server\n", "x INBOX remote: mark 1 +\\Seen: marks changed here\n")
    );
    pair.mark_here(2, "S");
    let quiet = pair.ferry.run(&["sync"]).expect(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    assert_eq!(pair.both("INBOX"), "1S 2S");
}

#[test]
fn the_table_of_the_account_decides() {
    let pair = Pair::of(3, "\n[accounts.x.sync]\nmirror = \"local\"\nfolders = [\"INBOX\"]\n");
    pair.mark_here(1, "S");
    pair.add_here("INBOX", 7);
    pair.add_here("Mine", 8);
    pair.there(&["flags add", "\\Flagged"], 2);
    pair.user.deliver("Theirs", &[message(9)]);
    assert_eq!(pair.sync(), "flags_local 1");
    let flags: Vec<String> = pair.user.messages("INBOX").into_iter().map(|m| m.flags).collect();
    assert_eq!(flags, ["", "F", ""]);
    assert!(!pair.path("Theirs").exists());
    assert_eq!(pair.sync(), "");
}
