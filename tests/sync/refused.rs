//! What one side cannot take: the rest goes on, nothing is deleted, and nothing goes back and forth.

use super::*;
use crate::disk::Room;
use crate::support::run::Running;
use crate::support::server::{Script, Server};
use std::sync::OnceLock;

/// Keywords `k00` to `kN`.
fn keywords(n: usize) -> String {
    (0..n).map(|n| format!("k{n:02}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn more_keywords_than_letters_come_to_rest() {
    let pair = Pair::of(3, "");
    pair.there(&["flags add", &keywords(30)], 1);
    let outcome = pair.run(&[]).expect(0);
    assert_eq!(counts(&outcome), "flags_local 1");
    assert!(outcome.stderr.contains("the Maildir can hold only 26 of these keywords: k00, k01"), "{}", outcome.stderr);
    pair.is_idle();
    pair.there(&["flags add", "\\Flagged k29 k05"], 2);
    pair.sync();
    pair.is_idle();
    pair.mark_here(3, "F");
    assert_eq!(pair.sync(), "flags_remote 1");
    pair.is_idle();
    let there = pair.user.flags("INBOX");
    assert_eq!(there.iter().map(|f| f.split(' ').count()).collect::<Vec<_>>(), [30, 3, 1], "{there:?}");
    assert_eq!(pair.here("INBOX").iter().map(|m| m.flags.len()).max(), Some(26));
}

#[test]
fn keywords_that_imap_has_no_name_for_are_told_once() {
    let pair = Pair::of(2, "");
    let names = pair.path("INBOX").join("dovecot-keywords");
    fs::write(&names, "0 two words\n1 \u{dc}n\u{ef}\n2 fine\n3 not used\n").unwrap();
    pair.mark_here(1, "Sabc");
    let first = pair.run(&[]).expect(0);
    assert_eq!(counts(&first), "flags_remote 1");
    let told = "warning: x: INBOX: IMAP has no keyword \u{201c}two words\u{201d}, \u{201c}\u{dc}n\u{ef}\u{201d}; it stays here. ";
    assert!(first.stderr.starts_with(told) && first.stderr.contains(names.to_str().unwrap()), "{}", first.stderr);
    pair.mark_here(2, "F");
    let second = pair.run(&[]).expect(0);
    assert_eq!((counts(&second).as_str(), second.stderr.as_str()), ("flags_remote 1", ""));
    assert_eq!(pair.here("INBOX").iter().find(|m| number(m) == 1).unwrap().flags, "Sabc");
    pair.is_idle();
}

#[test]
fn keywords_that_the_server_does_not_keep_stay_here_and_come_to_rest() {
    let mut script = Script::holding(vec![message(1), message(2)]);
    script.mailbox.keeps_keywords = false;
    let server = Server::start(script);
    let ferry = Ferry::new();
    ferry.account("x", &server.endpoint(Protocol::Imap, Security::Implicit), "");
    let sync = || ferry.run(&["sync", "--json"]).expect(0);
    assert_eq!(counts(&sync()), "fetched 2");
    let inbox = ferry.store("x").join("INBOX");
    fs::write(inbox.join("dovecot-keywords"), "0 work\n").unwrap();
    let mark = |n: usize, letters: &str| {
        let found = maildir(&inbox).into_iter().find(|m| number(m) == n).unwrap();
        let base = found.file_name.split(':').next().unwrap().to_owned();
        let from = inbox.join(found.place).join(&found.file_name);
        fs::rename(from, inbox.join("cur").join(format!("{base}:2,{letters}"))).unwrap();
    };
    mark(1, "Sa");
    let told = sync();
    assert_eq!(counts(&told), "flags_remote 1");
    assert_eq!(told.stderr, "warning: x: INBOX: the server says OK to work, and does not keep it; it stays here\n");
    for _ in 0..2 {
        let idle = sync();
        assert_eq!((counts(&idle).as_str(), idle.stderr.as_str()), ("", ""));
    }
    mark(2, "Fa");
    assert_eq!((counts(&sync()).as_str(), counts(&sync()).as_str()), ("flags_remote 1", ""));
    // Nor does it keep what a message that is added to it has.
    fs::write(inbox.join("dovecot-keywords"), "0 work\n1 home\n").unwrap();
    fs::write(inbox.join("cur").join("3.reader.host:2,Sab"), mail::with_lf(&message(3))).unwrap();
    let told = sync();
    assert_eq!(counts(&told), "uploaded 1");
    assert_eq!(told.stderr, "warning: x: INBOX: the server says OK to home, and does not keep it; it stays here\n");
    assert_eq!((counts(&sync()).as_str(), counts(&sync()).as_str()), ("", ""));
    let here: Vec<_> = maildir(&inbox).iter().map(|m| (number(m), m.flags.clone())).collect();
    for (n, flags) in [(1, "Sa"), (2, "Fa"), (3, "Sab")] {
        assert!(here.contains(&(n, flags.into())), "{here:?}");
    }
}

/// A server with access control lists.
fn guarded(rights: &str) -> Pair {
    static SERVER: OnceLock<Dovecot> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        Dovecot::start(
            "mail_plugins = acl\nprotocol imap {\n mail_plugins = acl imap_acl\n}\nplugin {\n acl = vfile\n}\n",
        )
    });
    let (user, ferry) = (server.user(), Ferry::new());
    ferry.account("x", &user.endpoint(Protocol::Imap, Security::Implicit), "");
    user.deliver("INBOX", &[message(1), message(2), message(3)]);
    fs::write(user.maildir().join("dovecot-acl"), format!("owner {rights}\n")).unwrap();
    Pair { user, ferry }
}

#[test]
fn marks_that_the_server_does_not_keep_stay_here() {
    // Without `w`: PERMANENTFLAGS (\Seen \Deleted).
    let pair = guarded("lrsteik");
    assert_eq!(pair.sync(), "fetched 3");
    fs::write(pair.path("INBOX").join("dovecot-keywords"), "0 work\n").unwrap();
    pair.mark_here(1, "FSa");
    pair.mark_here(2, "Ra");
    pair.add_here("INBOX", 4);
    let file = pair.file("INBOX", 4);
    fs::rename(&file, file.with_file_name("four:2,FSa")).unwrap();
    assert_eq!(pair.sync(), "uploaded 1, flags_remote 1");
    pair.is_idle();
    let here: Vec<(usize, String)> = pair.here("INBOX").iter().map(|m| (number(m), m.flags.clone())).collect();
    for expected in [(1, "FSa"), (2, "Ra"), (3, ""), (4, "FSa")] {
        assert!(here.contains(&(expected.0, expected.1.to_owned())), "{here:?}");
    }
    pair.mark_here(1, "F");
    assert_eq!(pair.sync(), "flags_remote 1");
    pair.is_idle();
}

#[test]
fn a_folder_that_may_only_be_read_is_still_read() {
    let pair = guarded("lr");
    assert_eq!(pair.sync(), "fetched 3");
    pair.mark_here(1, "F");
    fs::remove_file(pair.file("INBOX", 2)).unwrap();
    pair.add_here("INBOX", 5);
    pair.add_here("Other", 6);
    let run = pair.run(&[]);
    assert!(!matches!(run.code, Some(0) | None), "{}", run.stderr);
    assert_eq!(pair.user.messages("INBOX").len(), 3);
    assert_eq!(pair.user.messages("Other").len(), 1, "the other folder goes on: {}", run.stderr);
    assert_eq!(pair.here("INBOX").len(), 3);
}

#[test]
fn what_exceeds_the_quota_stays_here_and_the_rest_goes_on() {
    static SERVER: OnceLock<Dovecot> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        Dovecot::start(
            "mail_plugins = quota\nprotocol imap {\n mail_plugins = quota imap_quota\n}\nplugin {\n quota = maildir:User\n \
             quota_rule = *:messages=5\n quota_max_mail_size = 10k\n}\n",
        )
    });
    let (user, ferry) = (server.user(), Ferry::new());
    ferry.account("x", &user.endpoint(Protocol::Imap, Security::Implicit), "");
    user.deliver("INBOX", &[message(1), message(2)]);
    let pair = Pair { user, ferry };
    assert_eq!(pair.sync(), "fetched 2");
    let large = [mail::with_lf(&message(3)), vec![b'x'; 20_000], b"\n".to_vec()].concat();
    fs::write(pair.path("INBOX").join("cur").join("large:2,S"), large).unwrap();
    pair.add_here("INBOX", 4);
    pair.mark_here(1, "F");
    for expected in ["uploaded 1, flags_remote 1, failed 1", "failed 1"] {
        assert_eq!(counts(&pair.run(&[]).expect(2)), expected);
        assert_eq!((pair.here("INBOX").len(), pair.user.messages("INBOX").len()), (4, 3));
    }
    for n in 5..=8 {
        pair.add_here("INBOX", n);
    }
    pair.there(&["flags add", "\\Answered"], 2);
    assert_eq!(counts(&pair.run(&[]).expect(2)), "uploaded 2, flags_local 1, failed 3");
    fs::remove_file(pair.file("INBOX", 3)).unwrap();
    fs::remove_file(pair.file("INBOX", 1)).unwrap();
    fs::remove_file(pair.file("INBOX", 2)).unwrap();
    // The deletions that make room come last.
    assert_eq!(counts(&pair.run(&[]).expect(2)), "deleted_remote 2, failed 2");
    assert_eq!(pair.sync(), "uploaded 2");
    pair.is_idle();
    assert_eq!(pair.both("INBOX"), "4S 5S 6S 7S 8S");
}

#[test]
fn what_cannot_travel_from_here_is_told_and_ends_with_2_until_it_is_mended() {
    let pair = Pair::of(2, "");
    for (n, folder) in [(3, "%41"), (4, "inbox"), (5, ".dots"), (6, "Work/.inner")] {
        pair.add_here(folder, n);
    }
    pair.add_here("Plain", 7);
    let cur = pair.path("Plain/cur");
    fs::write(cur.join("7.reader.host:2,F"), mail::with_lf(&message(8))).unwrap();
    std::os::unix::fs::symlink("no.file:2,S", cur.join("no.file:2,S")).unwrap();
    let told = ["%41", "inbox", ".dots", "Work/.inner", "7.reader.host", "no.file"];
    for (args, expected) in
        [(&["--dry-run"][..], "uploaded 2"), (&[], "uploaded 1, failed 1"), (&[], "failed 1"), (&[], "failed 1")]
    {
        let run = pair.run(args).expect(2);
        assert_eq!(
            (counts(&run), run.summary_of("x")["left"].as_u64()),
            (expected.to_owned(), Some(5)),
            "{}",
            run.stderr
        );
        let lines = run.stderr.lines().count();
        assert_eq!(lines, told.len() - usize::from(!args.is_empty()), "{}", run.stderr);
        assert!(told[..lines].iter().all(|name| run.stderr.contains(name)), "{}", run.stderr);
    }
    for folder in ["%41", "inbox", ".dots", "Work/.inner"] {
        fs::remove_dir_all(pair.path(folder)).unwrap();
    }
    fs::remove_file(cur.join("no.file:2,S")).unwrap();
    fs::rename(cur.join("7.reader.host:2,F"), cur.join("8.reader.host:2,F")).unwrap();
    pair.run(&[]).expect(0);
    assert_eq!(pair.both("INBOX"), "1 2");
    assert_eq!(pair.user.messages("Plain").len(), 2);
    pair.is_idle();
}

#[test]
fn a_store_that_cannot_be_written_harms_nothing() {
    for (part, code) in [("mail", 74), ("state", 74)] {
        let pair = Pair::of(4, "");
        pair.add_here("Archive", 9);
        pair.sync();
        pair.user.deliver("INBOX", &[message(5)]);
        pair.there(&["expunge"], 1);
        pair.there(&["flags add", "\\Flagged"], 2);
        pair.there(&["move", "Archive"], 3);
        pair.mark_here(4, "R");
        let room = Room::new(&pair.ferry.path("elsewhere"), 64);
        let path = pair.ferry.path(part);
        let path = path.display();
        room.shell(format!("mount --bind '{path}' '{path}' && mount -o remount,bind,ro '{path}'"));
        for _ in 0..2 {
            let run = Running::start(room.command(&pair.ferry.command(&["sync", "--json"]))).wait().expect(code);
            assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
            assert_eq!((pair.user.messages("INBOX").len(), pair.user.messages("Archive").len()), (3, 2), "{part}");
        }
        drop(room);
        pair.run(&[]).expect(0);
        assert_eq!((pair.both("INBOX"), pair.both("Archive")), ("2F 4R 5".to_owned(), "3 9S".to_owned()), "{part}");
        pair.is_idle();
    }
}

#[test]
fn a_full_disk_harms_nothing() {
    for part in ["mail", "state"] {
        let pair = Pair::with("");
        let disk = pair.ferry.path(part);
        let room = Room::new(&disk, 300);
        let sync = || Running::start(room.command(&pair.ferry.command(&["sync", "--json"]))).wait();
        pair.user.deliver("INBOX", &(1..=4).map(message).collect::<Vec<_>>());
        sync().expect(0);
        let large = |n: usize| [message(n), b"fills the disk, line by line\r\n".repeat(2000)].concat();
        pair.user.deliver("INBOX", &(5..=10).map(large).collect::<Vec<_>>());
        pair.there(&["flags add", "\\Flagged"], 2);
        if part == "state" {
            room.shell(format!("dd if=/dev/zero of='{}/ballast' 2>/dev/null || true", disk.display()));
        }
        let mut fetched = 0;
        for _ in 0..2 {
            let run = sync();
            assert_eq!(run.code, Some(74), "{part}: {}", run.stderr);
            assert_eq!(pair.user.messages("INBOX").len(), 10);
            fetched += run.summary_of("x")["fetched"].as_u64().unwrap();
        }
        // What fits is kept, and not fetched again.
        assert_eq!(fetched > 0, part == "mail", "{part}: {fetched}");
        room.shell(format!("rm -f '{0}/ballast'; mount -o remount,size=50m '{0}'", disk.display()));
        let rest = sync().expect(0);
        assert_eq!(fetched + rest.summary_of("x")["fetched"].as_u64().unwrap(), 6, "{part}");
        let idle = sync().expect(0);
        assert_eq!(counts(&idle), "", "{part}");
        let shown = pair.ferry.path("shown");
        room.shell(format!("cp -a '{}' '{}'", pair.ferry.store("x").join("INBOX").display(), shown.display()));
        let (here, there) = (maildir(&shown), pair.user.messages("INBOX"));
        let all = |stored: Vec<Stored>| {
            let mut all: Vec<_> = stored.into_iter().map(|m| (m.bytes, m.flags)).collect();
            all.sort();
            all
        };
        assert!(all(here) == all(there), "{part}: the sides differ");
    }
}
