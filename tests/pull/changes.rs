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

/// A store that is empty and another one than the last: the ledger's word has nothing deleted on the server.
#[test]
fn a_store_made_anew_gets_what_the_server_still_has() {
    let messages = mail::ordinary(3);
    for protocol in PROTOCOLS {
        for kind in ["maildir", "mbox"] {
            let user = user_with(&messages);
            let ferry = Ferry::new();
            let configure = |keep: &str| {
                let keep = format!("\n[accounts.x.pull]\nkeep = {keep}\n");
                ferry.configure("");
                ferry.account_with("x", &user.endpoint(protocol, Security::Implicit), kind, &ferry.store("x"), &keep);
            };
            configure("\"30d\"");
            let here = || match kind {
                "mbox" => mbox(&inbox(&ferry, protocol)),
                _ => inbox_bytes(&ferry, protocol),
            };
            assert_eq!(pull(&ferry, &[]), "listed 3, fetched 3");
            // Gone, told, and made as advised; or made at once, where nothing tells it from a store.
            for told in [true, false] {
                let path = if told { ferry.store("x") } else { inbox(&ferry, protocol) };
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.unwrap();
                if told {
                    assert!(ferry.run(&["pull"]).expect(74).stderr.contains("is gone\n"));
                }
                match (kind, protocol) {
                    ("mbox", Protocol::Pop3) => drop(fs::File::create(&path).unwrap()),
                    _ if told => fs::create_dir(&path).unwrap(),
                    ("mbox", _) => fs::write(ferry.store("x").join("Other"), "").unwrap(),
                    _ => fs::create_dir_all(path.join("cur")).unwrap(),
                }
                configure(if told { "\"30d\"" } else { "false" });
                assert_eq!(pull(&ferry, &["--dry-run"]), "listed 3, fetched 3", "{protocol:?} {kind} {told}");
                let outcome = ferry.run(&["pull", "--json"]).expect(0);
                let deleted = if told { "" } else { ", deleted_remote 3" };
                assert_eq!(
                    counts(&outcome, "x"),
                    format!("listed 3, fetched 3{deleted}"),
                    "{protocol:?} {kind} {told}"
                );
                assert!(outcome.stderr.contains("INBOX: the store was made anew"), "{}", outcome.stderr);
                assert_same_mail(&here(), &stored(protocol, &messages));
            }
            assert_eq!(pull(&ferry, &[]), "");
        }
    }
}

#[test]
fn what_is_taken_out_of_a_store_does_not_come_again() {
    let messages = mail::ordinary(3);
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let ferry = home_of(&user, protocol, "");
        assert_eq!(pull(&ferry, &[]), "listed 3, fetched 3");
        for file in maildir(&inbox(&ferry, protocol)) {
            fs::remove_file(inbox(&ferry, protocol).join(file.place).join(file.file_name)).unwrap();
        }
        assert_eq!(pull(&ferry, &[]), "listed 3, had 3");
        // Nor from one that was copied to another disk, as long as something known stands in it.
        user.deliver("INBOX", &mail::ordinary(4)[3..]);
        assert_eq!(pull(&ferry, &[]), "listed 4, had 3, fetched 1");
        fs::rename(ferry.store("x"), ferry.path("away")).unwrap();
        let copied = std::process::Command::new("cp").arg("-a").args([ferry.path("away"), ferry.store("x")]).status();
        assert!(copied.unwrap().success());
        assert_eq!(pull(&ferry, &[]), "listed 4, had 4");
    }
}

#[test]
fn an_empty_mount_point_is_no_store() {
    for protocol in PROTOCOLS {
        let user = user_with(&mail::ordinary(2));
        let ferry = home_of(&user, protocol, "\n[accounts.x.pull]\nkeep = \"1s\"\n");
        assert_eq!(pull(&ferry, &[]), "listed 2, fetched 2");
        fs::rename(ferry.store("x"), ferry.path("disk")).unwrap();
        fs::create_dir(ferry.store("x")).unwrap();
        for _ in 0..2 {
            let outcome = ferry.run(&["pull", "--json"]).expect(74);
            assert!(outcome.stderr.contains("held mail last time and is an empty folder now\n"), "{}", outcome.stderr);
            assert_eq!((left(&user).len(), fs::read_dir(ferry.store("x")).unwrap().count()), (2, 0));
        }
        fs::remove_dir(ferry.store("x")).unwrap();
        fs::rename(ferry.path("disk"), ferry.store("x")).unwrap();
        let back = ferry.run(&["pull", "--json"]).expect(0);
        assert_eq!(back.summary_of("x")["had"], 2);
    }
}
