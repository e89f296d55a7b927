//! Between two runs mail arrives on the server, and people read, move and delete.

use super::*;
use crate::support::mail;
use crate::support::server::{At, Effect, Fault, Script, Server};
use crate::support::stored::{assert_same_mail, maildir, mbox};
use std::fs;
use std::thread::sleep;
use std::time::Duration;

#[test]
fn only_what_is_new_comes() {
    let messages = mail::ordinary(9);
    for protocol in PROTOCOLS {
        let user = user_with(&messages[..4]);
        let ferry = home_of(&user, protocol, "");
        assert_eq!(pull(&ferry, &[]), "listed 4, fetched 4");
        let before = maildir(&inbox(&ferry, protocol));
        user.deliver("INBOX", &messages[4..7]);
        assert_eq!(pull(&ferry, &[]), "listed 7, had 4, fetched 3");
        // Some go there, others come.
        user.doveadm(&["expunge", "-u", &user.name, "mailbox", "INBOX", "uid", "2:3"]);
        user.deliver("INBOX", &messages[7..]);
        assert_eq!(pull(&ferry, &[]), "listed 7, had 5, fetched 2");
        assert_eq!(pull(&ferry, &[]), "listed 7, had 7");
        let after = maildir(&inbox(&ferry, protocol));
        assert_same_mail(&after.iter().map(|m| m.bytes.clone()).collect::<Vec<_>>(), &stored(protocol, &messages));
        assert!(before.iter().all(|m| after.contains(m)), "what was there is as it was");
    }
}

#[test]
fn what_another_client_removes_before_it_is_fetched_is_skipped() {
    let messages = mail::ordinary(4);
    // The first UID FETCH lists; the second brings the messages, and the server takes its time to begin.
    let waits = Fault::new(At::received("UID FETCH"), Effect::Pause(Duration::from_secs(1))).nth(2);
    let server = Server::start(Script::holding(messages.clone()).fault(waits));
    let ferry = Ferry::new();
    ferry.account("x", &server.endpoint(Protocol::Imap, Security::Implicit), "\n[accounts.x.pull]\nkeep = false\n");
    let run = ferry.spawn(&["pull", "--json"]);
    while server.log().count("UID FETCH") < 2 {
        sleep(Duration::from_millis(2));
    }
    server.mailbox().folder_mut("INBOX").messages.drain(1..3);
    let outcome = run.wait().expect(0);
    assert_eq!(counts(&outcome, "x"), "listed 4, fetched 2, skipped 2, deleted_remote 2");
    let skipped: Vec<_> = outcome.events().into_iter().filter(|e| e["action"] == "skipped").collect();
    assert_eq!(skipped.iter().map(|e| e["key"].as_str().unwrap()).collect::<Vec<_>>(), ["2", "3"]);
    assert!(skipped.iter().all(|e| e["reason"] == "gone"), "{skipped:?}");
    assert_eq!(outcome.stderr, "");
    assert_eq!(pull(&ferry, &[]), "");
    assert_same_mail(&inbox_bytes(&ferry, Protocol::Imap), &[&messages[0], &messages[3]].map(|m| mail::with_lf(m)));
}

#[test]
fn what_a_reader_did_here_is_respected() {
    let messages = mail::ordinary(6);
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let ferry = home_of(&user, protocol, "");
        assert_eq!(pull(&ferry, &[]), "listed 6, fetched 6");
        let inbox = inbox(&ferry, protocol);
        let names: Vec<String> = maildir(&inbox).into_iter().map(|m| m.file_name).collect();
        let elsewhere = ferry.path("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let new = |n: usize| inbox.join("new").join(&names[n]);
        // Read, flagged and renamed, deleted, filed away, changed.
        fs::rename(new(0), inbox.join(format!("cur/{}:2,S", names[0]))).unwrap();
        fs::rename(new(1), inbox.join("cur/1.other-name.host:2,FS")).unwrap();
        fs::remove_file(new(2)).unwrap();
        fs::rename(new(3), elsewhere.join("mail")).unwrap();
        fs::write(new(4), "changed").unwrap();
        let store = tree(&ferry.store("x"));
        assert_eq!(pull(&ferry, &[]), "listed 6, had 6");
        assert_unchanged(&store, &tree(&ferry.store("x")));
        assert_eq!(left(&user).len(), 6);
    }
}

#[test]
fn an_mbox_goes_on_where_others_have_written() {
    let messages = mail::ordinary(3);
    for protocol in PROTOCOLS {
        let user = user_with(&messages[..1]);
        let ferry = Ferry::new();
        ferry.account_with("x", &user.endpoint(protocol, Security::Implicit), "mbox", &ferry.store("x"), "");
        assert_eq!(pull(&ferry, &[]), "listed 1, fetched 1");
        let path = inbox(&ferry, protocol);
        // A reader rewrites the file: the old mail is gone, other mail stands there, without a blank line at the end.
        fs::write(&path, "From me Fri Mar  1 00:00:00 2024\nSubject: mine\n\nno blank line follows\n").unwrap();
        user.deliver("INBOX", &messages[1..]);
        assert_eq!(pull(&ferry, &[]), "listed 3, had 1, fetched 2");
        let mine = b"Subject: mine\n\nno blank line follows\n".to_vec();
        assert_eq!(mbox(&path), [vec![mine], stored(protocol, &messages[1..])].concat());
    }
}

#[test]
fn another_path_does_not_fetch_old_mail_again() {
    let messages = mail::ordinary(3);
    let user = user_with(&messages[..2]);
    let ferry = home_of(&user, Protocol::Imap, "");
    assert_eq!(pull(&ferry, &[]), "listed 2, fetched 2");
    user.deliver("INBOX", &messages[2..]);
    ferry.configure("");
    let other = ferry.path("other");
    ferry.account_with("x", &user.endpoint(Protocol::Imap, Security::Implicit), "maildir", &other, "");
    assert_eq!(pull(&ferry, &[]), "listed 3, had 2, fetched 1");
    assert_eq!(maildir_bytes(&other.join("INBOX")), stored(Protocol::Imap, &messages[2..]));
}

#[test]
fn a_store_that_is_gone_is_a_disk_that_is_not_mounted() {
    let messages = mail::ordinary(2);
    for protocol in PROTOCOLS {
        let user = user_with(&messages[..1]);
        let ferry = home_of(&user, protocol, "\n[accounts.x.pull]\nkeep = \"1s\"\n");
        assert_eq!(pull(&ferry, &[]), "listed 1, fetched 1");
        user.deliver("INBOX", &messages[1..]);
        fs::rename(ferry.store("x"), ferry.path("unmounted")).unwrap();
        let outcome = ferry.run(&["pull"]).expect(74);
        let gone = format!("error: x: the store {} was there last time and is gone\n", ferry.store("x").display());
        assert!(outcome.stderr.starts_with(&gone), "{}", outcome.stderr);
        assert!(!ferry.store("x").exists());
        assert_eq!(left(&user).len(), 2);
        fs::rename(ferry.path("unmounted"), ferry.store("x")).unwrap();
        ferry.run(&["pull"]).expect(0);
        assert_same_mail(&inbox_bytes(&ferry, protocol), &stored(protocol, &messages));
    }
}
