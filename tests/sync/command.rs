//! `mailferry sync` on the command line: which accounts, what is refused, and what POP3 accounts get.

use crate::support::dovecot::Dovecot;
use crate::support::endpoint::Security;
use crate::support::mail;
use crate::support::run::Ferry;
use crate::support::server::{Protocol, Script, Server};
use crate::support::stored::maildir_bytes;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};

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
        assert!(stderr.contains(" was there last time and is gone\n  Mount its disk"), "{stderr}");
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
