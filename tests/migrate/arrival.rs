//! What arrives: flags, keywords, dates, subscriptions, large messages.

use super::*;
use std::time::{Duration, SystemTime};

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn arrivals(user: &User<'_>, folder: &str) -> Vec<u64> {
    let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    user.messages(folder).iter().map(|m| seconds(m.time)).collect()
}

/// Folders in four scripts, with names that hold what other servers part names by; each mail with its date and flags.
#[test]
fn flags_dates_and_keywords_of_imap() {
    let (from, to) = (Dovecot::shared().user(), Dovecot::shared().user());
    let today = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let dates = [805_000_000, 1_000_000_000, 1_600_000_000, today];
    let flags = ["", "S", "DFRS", "T"];
    for (n, (date, flags)) in dates.into_iter().zip(flags).enumerate() {
        from.deliver_as("INBOX", &mail::message(n, "x\r\n"), flags, at(date));
    }
    // Greek, Cyrillic, Arabic, Chinese; and Latin with signs that mean something elsewhere.
    let folders = [
        "&A5UDuwO7A6wDtA-",
        "&BBAEQARFBDgEMg-/2024",
        "&BkUGRAZB-",
        "&U,BTFw-/&ZeVnLIqe-",
        "a&-b",
        "50% \\ ~x",
        "v1:2;3",
    ];
    for (n, folder) in folders.iter().enumerate() {
        from.deliver_as(folder, &mail::message(10 + n, "x\r\n"), "FS", at(dates[n % 3]));
    }
    let keywords: Vec<String> = (0..20).map(|n| format!("word{n}")).collect();
    let all = keywords.join(" ");
    from.doveadm(&["flags", "add", "-u", &from.name, &all, "mailbox", "INBOX", "HEADER", "Subject", "message 1"]);
    let ferry = Ferry::new();
    assert_eq!(migrate(&ferry, &End::imap(&from), &End::imap(&to), &[]), "listed 11, fetched 11");
    assert_eq!(arrivals(&to, "INBOX"), dates);
    assert_eq!(to.messages("INBOX").iter().map(|m| m.flags.replace(char::is_lowercase, "")).collect::<Vec<_>>(), flags);
    for (n, folder) in folders.iter().enumerate() {
        assert_same_mail(&held(&to, folder), &held(&from, folder));
        assert_eq!(
            (arrivals(&to, folder), to.messages(folder)[0].flags.as_str()),
            (vec![dates[n % 3]], "FS"),
            "{folder}"
        );
    }
    let mut expected = from.flags("INBOX");
    let mut found = to.flags("INBOX");
    let sorted = |flags: &mut Vec<String>| {
        flags.iter_mut().for_each(|f| {
            let mut words: Vec<&str> = f.split(' ').collect();
            words.sort_unstable();
            *f = words.join(" ");
        });
    };
    sorted(&mut expected);
    sorted(&mut found);
    assert_eq!(found, expected);
    assert!(found[1].contains("word19"), "{found:?}");
}

#[test]
fn dates_of_what_has_none_come_from_its_header() {
    let with =
        |header: &str, n: usize| format!("{header}Message-ID: <{n}@x>\r\nSubject: {n}\r\n\r\ntext\r\n").into_bytes();
    let received = "Received: from a by b;\r\n\tFri, 1 Mar 2002 10:00:00 +0100\r\n";
    let letters = [
        with(&format!("{received}Date: 2 Mar 2002 00:00:00 +0000\r\n"), 1),
        with("Date: 2 Mar 1999 00:00:00 +0000\r\n", 2),
        with("", 3),
    ];
    let expected = [1_014_973_200, 920_332_800];
    let from = user_with(&letters);
    let ferry = Ferry::new();
    let to = Dovecot::shared().user();
    migrate(&ferry, &End::pop3(&from), &End::imap(&to), &[]);
    assert_eq!(arrivals(&to, "INBOX")[..2], expected);
    // From a POP3 mailbox into files as well.
    migrate(&ferry, &End::pop3(&from), &End::maildir(&ferry.path("m")), &[]);
    let mut times: Vec<SystemTime> = maildir(&ferry.path("m")).iter().map(|m| m.time).collect();
    times.sort();
    assert_eq!(times[..2], [at(expected[1]), at(expected[0])]);

    // Of what lies on a disk, the time of the file is the last resort.
    let file = ferry.path("n/cur/1600000000.c.d:2,S");
    for part in ["tmp", "new", "cur"] {
        fs::create_dir_all(ferry.path("n").join(part)).unwrap();
    }
    for (letter, name) in letters.iter().zip(["1000000000.a.b:2,", "1500000000.b.c:2,", "1600000000.c.d:2,S"]) {
        fs::write(ferry.path("n/cur").join(name), with_lf(letter)).unwrap();
    }
    fs::File::options().write(true).open(&file).unwrap().set_modified(at(1_234_567_890)).unwrap();
    let to = Dovecot::shared().user();
    migrate(&ferry, &End::maildir(&ferry.path("n")), &End::imap(&to), &[]);
    assert_eq!(arrivals(&to, "INBOX"), [expected[0], expected[1], 1_234_567_890]);

    let mut text = b"From a@b Fri Feb 13 23:31:30 2009\nStatus: RO\n".to_vec();
    text.extend(with_lf(&letters[2]));
    fs::write(ferry.path("box"), text).unwrap();
    let to = Dovecot::shared().user();
    migrate(&ferry, &End::mbox(&ferry.path("box")), &End::imap(&to), &[]);
    assert_eq!((arrivals(&to, "INBOX"), to.messages("INBOX")[0].flags.as_str()), (vec![1_234_567_890], "S"));
}

#[test]
fn seen_is_what_is_asked_for() {
    let (from, to) = (user_with(&mail::ordinary(2)), Dovecot::shared().user());
    migrate(&Ferry::new(), &End::pop3(&from), &End::imap(&to), &["--seen"]);
    assert!(to.messages("INBOX").iter().all(|m| m.flags == "S"));
}

#[test]
fn flags_stay_behind_where_asked() {
    let from = Dovecot::shared().user();
    for (n, flags) in [(1, "FS"), (2, "")] {
        from.deliver_as("INBOX", &mail::message(n, "x\r\n"), flags, SystemTime::now());
    }
    let (ferry, to) = (Ferry::new(), Dovecot::shared().user());
    migrate(&ferry, &End::imap(&from), &End::imap(&to), &["--no-flags"]);
    assert!(to.messages("INBOX").iter().all(|m| m.flags.is_empty()));
    // An mbox has no place for them, and what is deleted is not to lose them.
    let file = End::mbox(&ferry.path("box"));
    run(&ferry, &End::imap(&from), &file, &["--delete-source"]).expect(64);
    let outcome = run(&ferry, &End::imap(&from), &file, &["--delete-source", "--no-flags"]).expect(0);
    assert_eq!(counts(&outcome), "listed 2, fetched 2, deleted_remote 2");
    assert_eq!(outcome.stderr, "");
}

#[test]
fn subscriptions_are_those_of_the_source() {
    let (from, to) = (Dovecot::shared().user(), Dovecot::shared().user());
    for folder in ["A", "B", "C"] {
        from.deliver(folder, &mail::ordinary(1));
    }
    to.deliver("C", &[]);
    for folder in ["A", "C"] {
        from.doveadm(&["mailbox", "subscribe", "-u", &from.name, folder]);
    }
    migrate(&Ferry::new(), &End::imap(&from), &End::imap(&to), &[]);
    let listed = to.doveadm(&["mailbox", "list", "-s", "-u", &to.name]);
    let mut subscribed: Vec<&str> = listed.lines().collect();
    subscribed.sort_unstable();
    assert_eq!(subscribed, ["A", "C"]);
}

#[test]
fn large_messages_need_no_memory() {
    let letters = [mail::large(50 << 20), mail::message(2, "small\r\n")];
    let (from, to) = (user_with(&letters), Dovecot::shared().user());
    let outcome = run(&Ferry::new(), &End::imap(&from), &End::imap(&to), &[]).expect(0);
    assert_eq!(counts(&outcome), "listed 2, fetched 2");
    assert_same_mail(&held(&to, "INBOX"), &stored(&letters));
    assert!(outcome.peak_kib.unwrap() < 48 << 10, "{:?} KiB", outcome.peak_kib);
}
