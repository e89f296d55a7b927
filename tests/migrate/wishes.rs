//! Which messages and folders go, and where.

use super::*;
use std::time::{Duration, SystemTime};

#[test]
fn what_the_target_has_is_not_copied() {
    let letters = mail::ordinary(6);
    let mut twins = letters.clone();
    twins.push(letters[0].clone());
    let from = user_with(&twins);
    for end in [End::pop3, End::imap] {
        let to = user_with(&letters[..3]);
        let ferry = Ferry::new();
        assert_eq!(migrate(&ferry, &end(&from), &End::imap(&to), &[]), "listed 7, had 3, fetched 4");
        assert_same_mail(&held(&to, "INBOX"), &stored(&twins));
        // Nor is it when the state is lost.
        fs::remove_dir_all(ferry.state_dir()).unwrap();
        assert_eq!(migrate(&ferry, &end(&from), &End::imap(&to), &[]), "listed 7, had 7");
        assert_eq!(held(&to, "INBOX").len(), 7);
    }
}

#[test]
fn equal_messages_go_once_where_asked() {
    let mut letters = mail::ordinary(3);
    letters.extend_from_within(..2);
    // Equal in header and size, not in content.
    letters.push(String::from_utf8(letters[0].clone()).unwrap().replace("ferry", "FERRY").into_bytes());
    let from = user_with(&letters);
    for end in [End::pop3, End::imap] {
        let to = Dovecot::shared().user();
        let outcome = run(&Ferry::new(), &end(&from), &End::imap(&to), &["--dedupe"]).expect(0);
        assert_eq!(counts(&outcome), "listed 6, fetched 4, skipped 2");
        assert_eq!(report(&outcome)[0]["skipped"]["a duplicate in the source"], 2);
        assert_same_mail(&held(&to, "INBOX"), &stored(&[&letters[..3], &letters[5..]].concat()));
    }
}

#[test]
fn a_dry_run_changes_nothing_and_says_the_same() {
    let (from, to) = (user_with(&mail::ordinary(4)), user_with(&mail::ordinary(1)));
    from.deliver("New", &[mail::message(9, "x\r\n"), mail::large(3_000)]);
    let ferry = Ferry::new();
    let args = ["--max-size", "2500"];
    let dry = run(&ferry, &End::imap(&from), &End::imap(&to), &[&args[..], &["--dry-run"]].concat()).expect(0);
    assert_eq!(
        (held(&to, "INBOX").len(), to.doveadm(&["mailbox", "list", "-u", &to.name]).contains("New")),
        (1, false)
    );
    assert!(!ferry.state_dir().exists());
    let done = run(&ferry, &End::imap(&from), &End::imap(&to), &args).expect(0);
    assert_eq!(counts(&dry), counts(&done));
    let folders = |outcome: &Outcome| -> Vec<String> {
        let line = |f: &Value| format!("{} {} {} {}", f["from"], f["to"], f["copied"], f["skipped"]);
        report(outcome).iter().map(line).collect()
    };
    assert_eq!(folders(&dry), folders(&done));
}

#[test]
fn dates_and_sizes_choose() {
    let from = Dovecot::shared().user();
    for (n, seconds) in [(1, 1_000_000_000), (2, 1_500_000_000), (3, 1_600_000_000)] {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        from.deliver_as("INBOX", &mail::message(n, "x\r\n"), "", time);
    }
    for (args, expected, reasons) in [
        (&["--since", "2017-07-14"][..], "listed 3, fetched 2, skipped 1", &["older than --since"][..]),
        (
            &["--since", "2017-07-15", "--before", "2020-09-13"],
            "listed 3, skipped 3",
            &["older than --since", "not older than --before"],
        ),
        (&["--before", "2020-09-14"], "listed 3, fetched 3", &[]),
        (&["--max-size", "100"], "listed 3, skipped 3", &["larger than --max-size"]),
    ] {
        let to = Dovecot::shared().user();
        let outcome = run(&Ferry::new(), &End::imap(&from), &End::imap(&to), args).expect(0);
        assert_eq!(counts(&outcome), expected, "{args:?}");
        assert_eq!(outcome.stderr, "", "what was wished for is no problem");
        let mut told: Vec<String> = report(&outcome)[0]["skipped"].as_object().unwrap().keys().cloned().collect();
        told.sort_by(|a, b| b.cmp(a));
        assert_eq!(told, reasons, "{args:?}");
    }
}

#[test]
fn headers_tell_the_dates_of_pop3() {
    let of = |n: usize, field: &str| format!("Message-ID: <{n}@x>\r\n{field}Subject: {n}\r\n\r\ntext\r\n").into_bytes();
    let received = "Received: from a by b; 1 Mar 2020 10:00:00 +0000\r\nDate: 1 Mar 2001 10:00:00 +0000\r\n";
    let letters = [of(1, received), of(2, "Date: 1 Mar 2001 10:00:00 +0000\r\n"), of(3, "")];
    let from = user_with(&letters);
    let to = Dovecot::shared().user();
    let outcome = run(&Ferry::new(), &End::pop3(&from), &End::imap(&to), &["--since", "2019-01-01"]).expect(0);
    assert_eq!(counts(&outcome), "listed 3, fetched 2, skipped 1");
    assert_eq!(report(&outcome)[0]["skipped"]["older than --since"], 1);
    // One that tells no date goes.
    assert_same_mail(&held(&to, "INBOX"), &stored(&[letters[0].clone(), letters[2].clone()]));
}

#[test]
fn what_two_folders_bring_into_one_stays_two() {
    let (from, to) = (Dovecot::shared().user(), Dovecot::shared().user());
    let letter = mail::message(40, "one\r\n");
    from.deliver("A", std::slice::from_ref(&letter));
    from.deliver("B", std::slice::from_ref(&letter));
    let args = ["--map", "A=B", "--folders", "A", "--folders", "B"];
    for counted in ["listed 2, fetched 2", "listed 2, had 2"] {
        // Each time without what the last run knew.
        assert_eq!(migrate(&Ferry::new(), &End::imap(&from), &End::imap(&to), &args), counted);
        assert_same_mail(&held(&to, "B"), &stored(&[letter.clone(), letter.clone()]));
    }
}

#[test]
fn folders_go_where_they_are_told() {
    let from = user_with(&mail::ordinary(1));
    for (folder, n) in [("Work/old", 20), ("Work/new", 21), ("Spam", 22), ("Play", 23)] {
        from.deliver(folder, &[mail::message(n, "x\r\n")]);
    }
    let ferry = Ferry::new();
    let to = Dovecot::shared().user();
    let args = ["--folders", "*", "--folders", "!Spam", "--map", "Work=Job/2024", "--map", "INBOX=Old"];
    assert_eq!(migrate(&ferry, &End::imap(&from), &End::imap(&to), &args), "listed 4, fetched 4");
    for (folder, there) in
        [("Work/old", "Job/2024/old"), ("Work/new", "Job/2024/new"), ("INBOX", "Old"), ("Play", "Play")]
    {
        assert_same_mail(&held(&to, there), &held(&from, folder));
    }
    assert!(!to.doveadm(&["mailbox", "list", "-u", &to.name]).contains("Spam"));

    let to = Dovecot::shared().user();
    let outcome =
        run(&ferry, &End::imap(&from), &End::imap(&to), &["--into", "Arch/x", "--folders", "!Work/*"]).expect(0);
    assert_eq!(counts(&outcome), "listed 3, fetched 3");
    for (folder, there) in [("INBOX", "Arch/x"), ("Spam", "Arch/x/Spam"), ("Play", "Arch/x/Play")] {
        assert_same_mail(&held(&to, there), &held(&from, folder));
    }
    // The same folder into another one is another migration of it.
    assert_eq!(
        migrate(&ferry, &End::imap(&from).folder("Play"), &End::imap(&to).folder("Else"), &[]),
        "listed 1, fetched 1"
    );
    assert_same_mail(&held(&to, "Else"), &held(&from, "Play"));
}

#[test]
fn two_folders_may_go_into_one() {
    let (from, to) = (Dovecot::shared().user(), Dovecot::shared().user());
    from.deliver("A", &[mail::message(1, "x\r\n"), mail::message(2, "x\r\n")]);
    from.deliver("B", &[mail::message(2, "x\r\n"), mail::message(3, "x\r\n")]);
    let args = ["--map", "A=C", "--map", "B=C", "--verify=content", "--folders", "A", "--folders", "B"];
    let ferry = Ferry::new();
    // What came from one is not what the other has.
    assert_eq!(migrate(&ferry, &End::imap(&from), &End::imap(&to), &args), "listed 4, fetched 4");
    assert_eq!(migrate(&ferry, &End::imap(&from), &End::imap(&to), &args), "listed 4, had 4");
    assert_eq!(held(&to, "C").len(), 4);
}

#[test]
fn a_server_with_another_separator_and_a_prefix() {
    let dotted = Dovecot::start("namespace inbox {\n  inbox = yes\n  separator = .\n  prefix = INBOX.\n}\n");
    let from = user_with(&mail::ordinary(2));
    from.deliver("a/b", &[mail::message(7, "x\r\n")]);
    from.deliver("v1 2", &[mail::message(8, "x\r\n")]);
    let to = dotted.user();
    let ferry = Ferry::new();
    let cas = [from.endpoint(Protocol::Imap, Security::Implicit).ca_file, dotted.ca_file()];
    let both: Vec<u8> = cas.iter().flat_map(|file| fs::read(file).unwrap()).collect();
    fs::write(ferry.path("ca.pem"), both).unwrap();
    let mut ends = (End::imap(&from), End::imap(&to));
    ends.0.ca_file = Some(ferry.path("ca.pem").display().to_string());
    assert_eq!(migrate(&ferry, &ends.0, &ends.1, &[]), "listed 4, fetched 4");
    assert_same_mail(&held(&to, "a/b"), &held(&from, "a/b"));
    // What separates names there stands in none.
    let slashed = Dovecot::start("mail_location = maildir:~/Maildir:LAYOUT=fs\n");
    let author = slashed.user();
    author.doveadm(&["mailbox", "create", "-u", &author.name, "v1.2/a.b"]);
    let file = author.maildir().join("v1.2/a.b/cur/1700000000.M1.x:2,");
    fs::write(&file, with_lf(&mail::message(5, "x\r\n"))).unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let ca = [fs::read(ends.0.ca_file.clone().unwrap()).unwrap(), fs::read(slashed.ca_file()).unwrap()].concat();
    fs::write(ferry.path("ca.pem"), ca).unwrap();
    let source = End { ca_file: ends.0.ca_file.clone(), ..End::imap(&author) };
    let heir = dotted.user();
    for told in ["listed 1, fetched 1", "listed 1, had 1"] {
        assert_eq!(migrate(&ferry, &source, &End::imap(&heir), &[]), told);
    }
    assert_same_mail(&held(&heir, "v1_2/a_b"), &stored(&[mail::message(5, "x\r\n")]));
    // And back.
    let back = Dovecot::shared().user();
    ends.1.ca_file.clone_from(&ends.0.ca_file);
    assert_eq!(migrate(&ferry, &ends.1, &End::imap(&back), &[]), "listed 4, fetched 4");
    assert_same_mail(&held(&back, "a/b"), &held(&from, "a/b"));
}
