//! `mailferry adopt`: a Maildir that another tool kept is taken over as it is.

use super::*;
use std::time::{Duration, SystemTime};

impl Pair {
    /// Puts a message here as a tool would have named it.
    fn kept_by(&self, folder: &str, name: &str, bytes: &[u8]) {
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(self.path(folder).join(part)).unwrap();
        }
        let part = if name.contains(':') { "cur" } else { "new" };
        fs::write(self.path(folder).join(part).join(name), mail::with_lf(bytes)).unwrap();
    }

    fn adopt(&self, args: &[&str]) -> Outcome {
        self.ferry.run(&[&["adopt", "x", "--json"], args].concat()).expect(0)
    }

    fn files(&self) -> Vec<(String, SystemTime)> {
        let of = |folder| self.here(folder).into_iter().map(|m| (format!("{}/{}", m.place, m.file_name), m.time));
        of("INBOX").chain(of("Lists/rust")).collect()
    }
}

/// What two folders hold on the server, and some marks.
fn on_the_server() -> Pair {
    let pair = Pair::with("");
    pair.user.deliver_as("INBOX", &message(1), "S", SystemTime::UNIX_EPOCH);
    pair.user.deliver_as("INBOX", &message(2), "FS", SystemTime::UNIX_EPOCH);
    pair.user.deliver("INBOX", &[message(3)]);
    pair.user.deliver("Lists/rust", &[message(4), message(5)]);
    pair
}

fn is_taken_over(pair: &Pair) {
    let (files, flags) = (pair.files(), pair.user.flags("INBOX"));
    assert_eq!(counts(&pair.adopt(&["--dry-run"])), "adopted 5, listed 5");
    let outcome = pair.adopt(&[]);
    assert_eq!(counts(&outcome), "adopted 5, listed 5");
    assert_eq!(outcome.summary_of("x")["bytes_in"], 0);
    assert_eq!(counts(&pair.adopt(&[])), "listed 5", "a second time there is nothing to adopt");
    let synced = pair.run(&[]).expect(0);
    assert_eq!(counts(&synced), "", "a sync after it has nothing to do");
    assert_eq!((&synced.summary_of("x")["bytes_in"], &synced.summary_of("x")["bytes_out"]), (&0.into(), &0.into()));
    assert_eq!((pair.files(), pair.user.flags("INBOX")), (files, flags), "nothing was touched");
    assert_eq!((pair.both("INBOX"), pair.both("Lists/rust")), ("1S 2FS 3".to_owned(), "4 5".to_owned()));
    // From now on it is synced like any other.
    std::thread::sleep(Duration::from_millis(10));
    fs::remove_file(pair.file("INBOX", 1)).unwrap();
    pair.mark_here(3, "S");
    assert_eq!(pair.sync(), "flags_remote 1, deleted_remote 1");
    assert_eq!(pair.both("INBOX"), "2FS 3S");
    pair.is_idle();
}

#[test]
fn one_that_mbsync_kept() {
    let pair = on_the_server();
    pair.kept_by("INBOX", "1700000001.1234_1.host,U=1:2,S", &message(1));
    pair.kept_by("INBOX", "1700000002.1234_2.host,U=2:2,FS", &message(2));
    pair.kept_by("INBOX", "1700000003.1234_3.host,U=3", &message(3));
    pair.kept_by("Lists/rust", "1700000004.1234_4.host,U=1:2,", &message(4));
    pair.kept_by("Lists/rust", "1700000005.1234_5.host,U=2", &message(5));
    for (folder, n) in [("INBOX", 3), ("Lists/rust", 2)] {
        let state =
            format!("FarUidValidity 1700000000\nNearUidValidity 1\nMaxPulledUid {n}\nMaxPushedUid {n}\n\n1 1 S\n");
        fs::write(pair.path(folder).join(".mbsyncstate"), state).unwrap();
        fs::write(pair.path(folder).join(".uidvalidity"), format!("1\n{n}\n")).unwrap();
    }
    is_taken_over(&pair);
    assert!(pair.path("INBOX").join(".mbsyncstate").is_file());
}

/// The copy of a message into which mbsync wrote.
fn marked(message: &[u8], tuid: &str) -> Vec<u8> {
    let at = message.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 2;
    [&message[..at], format!("X-TUID: {tuid}\r\n").as_bytes(), &message[at..]].concat()
}

#[test]
fn copies_that_mbsync_marked_are_known_on_either_side() {
    let pair = Pair::with("");
    let there = [message(1), message(2), message(2), marked(&message(3), "ThereThereTh"), message(4)];
    pair.user.deliver("INBOX", &there);
    let here = [
        marked(&message(1), "abcdefghijkl"),
        marked(&message(2), "HereHereHere"),
        marked(&message(2), "OtherOtherOt"),
        message(3),
        message(4),
    ];
    for (n, bytes) in here.iter().enumerate() {
        pair.kept_by("INBOX", &format!("170000000{n}.1234_{n}.host,U={n}:2,"), bytes);
    }
    assert_eq!(counts(&pair.adopt(&[])), "adopted 5, listed 5");
    pair.is_idle();
    let bytes = |mut stored: Vec<Stored>| {
        stored.sort_by(|a, b| a.bytes.cmp(&b.bytes));
        stored.into_iter().map(|m| m.bytes).collect::<Vec<_>>()
    };
    let sorted = |all: &[Vec<u8>]| {
        let mut all: Vec<_> = all.iter().map(|m| mail::with_lf(m)).collect();
        all.sort();
        all
    };
    assert_eq!((bytes(pair.here("INBOX")), bytes(pair.user.messages("INBOX"))), (sorted(&here), sorted(&there)));
    // State lost: the same again, and what is deleted here is deleted there.
    fs::remove_dir_all(pair.ferry.state_dir()).unwrap();
    assert_eq!(pair.sync(), "adopted 5");
    fs::remove_file(pair.file("INBOX", 3)).unwrap();
    assert_eq!(pair.sync(), "deleted_remote 1");
    assert_eq!(pair.user.messages("INBOX").len(), 4);
}

#[test]
fn one_that_offlineimap_kept() {
    let pair = on_the_server();
    for (folder, n, uid, flags) in [
        ("INBOX", 1, 1, "S"),
        ("INBOX", 2, 2, "FS"),
        ("INBOX", 3, 3, ""),
        ("Lists/rust", 4, 1, ""),
        ("Lists/rust", 5, 2, ""),
    ] {
        let name = format!("170000000{n}_0.77.host,U={uid},FMD5=7e33429f656f1e6e9d79b29c3f82c57e:2,{flags}");
        pair.kept_by(folder, &name, &message(n));
    }
    is_taken_over(&pair);
}

#[test]
fn what_is_on_one_side_alone_is_left_to_a_sync() {
    let pair = Pair::with("");
    pair.user.deliver("INBOX", &[message(1), message(2)]);
    pair.user.deliver("There", &[message(3)]);
    pair.kept_by("INBOX", "1.x.host,U=1:2,", &message(1));
    pair.kept_by("INBOX", "4.x.host,U=9:2,S", &message(4));
    pair.kept_by("Here", "5.x.host,U=1:2,", &message(5));
    let outcome = pair.adopt(&[]);
    assert_eq!(counts(&outcome), "adopted 1, skipped 2, listed 2");
    let notes: Vec<String> = (outcome.events().iter())
        .filter(|e| e["event"] == "note")
        .map(|e| e["message"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        notes,
        [
            "the folder Here is here alone",
            "the folder There is on the server alone",
            "INBOX: 1 on the server alone, 1 here alone; mailferry sync x copies them"
        ]
    );
    assert_eq!((pair.here("INBOX").len(), pair.here("There").len(), pair.user.messages("INBOX").len()), (2, 0, 2));
    assert_eq!(pair.sync(), "fetched 2, uploaded 2");
    assert_eq!(pair.both("INBOX"), "1 2 4S");
    pair.is_idle();
}

#[test]
fn there_has_to_be_a_maildir() {
    let pair = Pair::with("");
    let refused = pair.ferry.run(&["adopt", "x"]).expect(73);
    assert!(refused.stderr.contains("there is no Maildir at"), "{}", refused.stderr);
    assert!(!pair.ferry.store("x").exists());
    pair.ferry.run(&["adopt"]).expect(64);
}
