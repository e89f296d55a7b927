//! Several accounts in one run, and several runs on one account.

use super::*;
use crate::support::mail;
use crate::support::run::Running;
use crate::support::server::{At, Effect, Fault, Script, Server, closed_port};
use crate::support::stored::assert_same_mail;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::thread::sleep;
use std::time::{Duration, Instant};

#[test]
fn one_account_that_fails_hinders_no_other() {
    let messages = mail::ordinary(3);
    let (ada, eve) = (user_with(&messages), user_with(&messages[..1]));
    for jobs in ["8", "1"] {
        let ferry = Ferry::new();
        let mut wrong = eve.endpoint(Protocol::Imap, Security::Implicit);
        wrong.password = "not-it".to_owned();
        let mut nobody = eve.endpoint(Protocol::Pop3, Security::Implicit);
        nobody.port = closed_port();
        ferry.account("wrong", &wrong, "");
        ferry.account("nobody", &nobody, "");
        ferry.account("ada", &ada.endpoint(Protocol::Imap, Security::Implicit), "");
        ferry.account("eve", &eve.endpoint(Protocol::Pop3, Security::Implicit), "");
        let outcome = ferry.run(&["pull", "--json", "--jobs", jobs]).expect(77);

        let summary = outcome.summary();
        let each: Vec<_> =
            summary["accounts"].as_array().unwrap().iter().map(|a| (&a["account"], &a["exit"])).collect();
        // In the order of the configuration.
        let mut exits: Vec<_> = each.iter().map(|(a, e)| (a.as_str().unwrap(), e.as_u64().unwrap())).collect();
        exits.sort();
        assert_eq!(exits, [("ada", 0), ("eve", 0), ("nobody", 75), ("wrong", 77)]);
        assert_eq!(summary["exit"], 77);
        assert_eq!(
            (counts(&outcome, "ada"), counts(&outcome, "eve")),
            ("listed 3, fetched 3".into(), "listed 1, fetched 1".into())
        );
        assert_eq!((counts(&outcome, "wrong"), counts(&outcome, "nobody")), (String::new(), String::new()));
        assert_same_mail(&maildir_bytes(&ferry.store("ada").join("INBOX")), &stored(Protocol::Imap, &messages));
        assert_same_mail(&maildir_bytes(&ferry.store("eve")), &stored(Protocol::Pop3, &messages[..1]));
        for account in ["wrong", "nobody"] {
            let told = outcome.stderr.matches(&format!("error: {account}: ")).count();
            assert_eq!(told, 1, "{}", outcome.stderr);
        }
        let errors: Vec<_> = outcome.events().into_iter().filter(|e| e["event"] == "error").collect();
        assert_eq!(errors.len(), 2);
        assert!(errors.iter().all(|e| e["remedy"].as_str().is_some_and(|r| r.ends_with('.'))), "{errors:?}");
    }
}

#[test]
fn named_accounts_are_pulled_and_no_others() {
    let user = user_with(&mail::ordinary(1));
    let ferry = Ferry::new();
    for name in ["a", "b", "c"] {
        ferry.account(name, &user.endpoint(Protocol::Pop3, Security::Implicit), "");
    }
    ferry.run(&["pull", "a", "c"]).expect(0);
    assert!(ferry.store("a").exists() && !ferry.store("b").exists() && ferry.store("c").exists());
    let outcome = ferry.run(&["pull", "b", "nope"]).expect(64);
    assert!(outcome.stderr.contains("nope"), "{}", outcome.stderr);
    assert!(!ferry.store("b").exists(), "a mistake is found before anything is done");
}

#[test]
fn accounts_may_share_a_mailbox() {
    let (ada, eve) = (user_with(&mail::ordinary(3)), user_with(&[mail::message(77, "of eve\r\n")]));
    for kind in ["maildir", "mbox"] {
        let ferry = Ferry::new();
        let shared = ferry.path("shared");
        ferry.account_with("a", &ada.endpoint(Protocol::Pop3, Security::Implicit), kind, &shared, "");
        ferry.account_with("e", &eve.endpoint(Protocol::Pop3, Security::Implicit), kind, &shared, "");
        ferry.run(&["pull"]).expect(0);
        let found = if kind == "mbox" { crate::support::stored::mbox(&shared) } else { maildir_bytes(&shared) };
        let expected = [mail::ordinary(3), vec![mail::message(77, "of eve\r\n")]].concat();
        assert_same_mail(&found, &stored(Protocol::Pop3, &expected));
        let outcome = ferry.run(&["pull", "--json"]).expect(0);
        assert_eq!(
            (counts(&outcome, "a"), counts(&outcome, "e")),
            ("listed 3, had 3".into(), "listed 1, had 1".into())
        );
    }
}

#[test]
fn of_two_runs_at_once_the_second_leaves_or_waits() {
    let messages = mail::ordinary(3);
    let fault = Fault::new(At::received("RETR"), Effect::Pause(Duration::from_millis(1200)));
    let server = Server::start(Script::holding(messages.clone()).fault(fault));
    let ferry = Ferry::new();
    ferry.account("x", &server.endpoint(Protocol::Pop3, Security::Implicit), "");
    let first = ferry.spawn(&["pull", "--json"]);
    while server.log().count("RETR") == 0 {
        sleep(Duration::from_millis(5));
    }
    let second = ferry.run(&["pull", "--json"]).expect(75);
    assert_eq!(second.summary_of("x")["exit"], 75);
    assert!(second.stderr.contains("another run (process "), "{}", second.stderr);
    let third = ferry.run(&["pull", "--json", "--wait", "60"]).expect(0);
    assert_eq!(counts(&third, "x"), "listed 3, had 3", "it waited for the first");
    assert_eq!(counts(&first.wait().expect(0), "x"), "listed 3, fetched 3");
    assert_same_mail(&maildir_bytes(&ferry.store("x")), &stored(Protocol::Pop3, &messages));
    assert_eq!(server.log().logins, 2, "the second did not even log in");
}

/// Two runs that know nothing of each other, for they keep their state apart, and one store.
#[test]
fn runs_with_other_states_wait_for_each_other_at_the_store() {
    let messages = mail::ordinary(3);
    for kind in ["maildir", "mbox"] {
        let fault = Fault::new(At::received("RETR"), Effect::Pause(Duration::from_millis(1200)));
        let server = Server::start(Script::holding(messages.clone()).fault(fault));
        let ferry = Ferry::new();
        ferry.account_with("x", &server.endpoint(Protocol::Pop3, Security::Implicit), kind, &ferry.store("x"), "");
        let first = ferry.spawn(&["pull", "--json"]);
        while server.log().count("RETR") == 0 {
            sleep(Duration::from_millis(5));
        }
        let other = ferry.path("other");
        let pull = ["pull", "--json", "--state-dir", other.to_str().unwrap()];
        let second = ferry.run(&pull).expect(75);
        let holder = format!("is working on the store {}", ferry.store("x").display());
        assert!(second.stderr.contains(&holder), "{}", second.stderr);
        let third = ferry.run(&[&pull[..], &["--wait", "60"]].concat()).expect(0);
        assert_eq!(counts(&third, "x"), "listed 3, had 3, adopted 3");
        assert_eq!(counts(&first.wait().expect(0), "x"), "listed 3, fetched 3");
        let left = tree(&ferry.path("mail"));
        assert!(left.keys().all(|path| !path.to_string_lossy().contains(".mailferry")), "{:?}", left.keys());
    }
}

#[test]
fn waiting_for_a_lock_has_an_end_and_a_dead_process_holds_none() {
    let user = user_with(&mail::ordinary(1));
    let ferry = home_of(&user, Protocol::Pop3, "");
    fs::create_dir_all(ferry.state_dir().join("accounts")).unwrap();
    let path = ferry.state_dir().join("accounts/x.lock");
    fs::write(&path, "999999").unwrap();
    let lock = File::open(&path).unwrap();
    flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    let begun = Instant::now();
    ferry.run(&["pull", "--wait", "1"]).expect(75);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    // To look costs no lock.
    assert_eq!(counts(&ferry.run(&["pull", "--dry-run", "--json"]).expect(0), "x"), "listed 1, fetched 1");
    drop(lock);
    assert_eq!(pull(&ferry, &[]), "listed 1, fetched 1");
}

#[test]
fn the_keyring_is_asked_for_the_password() {
    let user = user_with(&mail::ordinary(1));
    let ferry = Ferry::new();
    let endpoint = user.endpoint(Protocol::Imap, Security::Implicit);
    let account = endpoint.account("x", "maildir", &ferry.store("x"));
    let value = format!("{{ value = \"{}\" }}", endpoint.password);
    assert!(account.contains(&value));
    ferry.configure(&account.replace(&value, "{ keyring = true }"));

    // A stand-in for secret-tool that knows one password.
    let (programs, tool) = (ferry.path("bin"), ferry.path("bin").join("secret-tool"));
    fs::create_dir(&programs).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let pull = || {
        let mut command = ferry.command(&["pull", "--json"]);
        command.env("PATH", &path);
        Running::start(command).wait()
    };
    // Written by another process: one that is forked here meanwhile would keep it open, and it could not be run.
    let knows = |name: &str| {
        let write =
            "printf '#!/bin/sh\n[ \"$*\" = \"%s\" ] && printf %%s \"%s\"\n' \"$1\" \"$2\" > \"$3\" && chmod 700 \"$3\"";
        let known = format!("lookup service mailferry username {name}");
        let mut shell = std::process::Command::new("sh");
        let written = shell.args(["-c", write, "sh", &known, &endpoint.password]).arg(&tool).status();
        assert!(written.unwrap().success());
    };
    knows("somebody else");
    let refused = pull().expect(78);
    let remedy = format!("secret-tool store --label=mailferry service mailferry username {}", endpoint.user);
    assert!(refused.stderr.contains(&remedy), "{}", refused.stderr);
    knows(&endpoint.user);
    assert_eq!(counts(&pull().expect(0), "x"), "listed 1, fetched 1");
}
