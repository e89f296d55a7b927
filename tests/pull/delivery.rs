//! What arrives, and what it looks like in the store.

use super::*;
use crate::support::mail::{self, with_lf};
use crate::support::stored::{assert_same_mail, maildir, mbox, unfinished};
use mail_parser::mailbox::mbox::MessageIterator;
use std::fs::{self, File};
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

/// Messages as an mbox can hold them: the last line always has an end.
fn ended(message: Vec<u8>, line_end: &[u8]) -> Vec<u8> {
    let whole = message.is_empty() || message.ends_with(b"\n");
    if whole { message } else { [message.as_slice(), line_end].concat() }
}

/// The messages of an mbox as Python reads them, in order.
fn mbox_in_python(path: &Path) -> Vec<Vec<u8>> {
    let script = "import mailbox, sys\nbox = mailbox.mbox(sys.argv[1], create=False)\n\
                  for key in box.keys(): print(box.get_bytes(key).hex())";
    let out = Command::new("python3").args(["-c", script]).arg(path).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let lines = String::from_utf8(out.stdout).unwrap();
    // Python leaves the quoting of From lines to the reader.
    lines.lines().map(|l| unquoted(&l.as_bytes().chunks(2).map(byte).collect::<Vec<u8>>())).collect()
}

fn unquoted(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in message.split_inclusive(|b| *b == b'\n') {
        let quotes = line.iter().take_while(|b| **b == b'>').count();
        let quoted = quotes > 0 && line[quotes..].starts_with(b"From ");
        out.extend_from_slice(&line[usize::from(quoted)..]);
    }
    out
}

/// The same with the reader of the crate mail-parser, which leaves the blank line behind each message to its user.
fn mbox_in_mail_parser(path: &Path) -> Vec<Vec<u8>> {
    let messages = MessageIterator::new(BufReader::new(File::open(path).unwrap()));
    messages.map(|m| m.unwrap().unwrap_contents().strip_suffix(b"\n").unwrap().to_vec()).collect()
}

#[test]
fn nasty_mail_arrives_byte_identical_in_maildirs_of_both_kinds() {
    let messages = mail::nasty_bytes();
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let wire: Vec<Vec<u8>> = messages.iter().map(|m| Dovecot::sends(protocol, m)).collect();
        for (ends, expected) in [("lf", stored(protocol, &messages)), ("crlf", wire)] {
            let ferry = home_of(&user, protocol, &format!("line_endings = \"{ends}\"\n"));
            assert_eq!(pull(&ferry, &[]), "listed 23, fetched 23");
            assert_same_mail(&inbox_bytes(&ferry, protocol), &expected);
            assert_eq!(unfinished(&inbox(&ferry, protocol)), 0);
        }
        assert_same_mail(&left(&user), &messages.iter().map(|m| with_lf(m)).collect::<Vec<_>>());
    }
}

#[test]
fn nasty_mail_arrives_byte_identical_in_an_mbox_whoever_reads_it() {
    let messages = mail::nasty_bytes();
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let endpoint = user.endpoint(protocol, Security::Starttls);
        for ends in ["lf", "crlf"] {
            let ferry = Ferry::new();
            ferry.account_with("x", &endpoint, "mbox", &ferry.store("x"), &format!("line_endings = \"{ends}\"\n"));
            assert_eq!(pull(&ferry, &[]), "listed 23, fetched 23");
            let path = inbox(&ferry, protocol);
            if ends == "crlf" {
                let wire = messages.iter().map(|m| ended(Dovecot::sends(protocol, m), b"\r\n"));
                assert_eq!(mbox(&path), wire.collect::<Vec<_>>());
                continue;
            }
            let expected: Vec<Vec<u8>> = stored(protocol, &messages).into_iter().map(|m| ended(m, b"\n")).collect();
            assert_same_mail(&mbox(&path), &expected);
            assert_eq!(mbox(&path), expected, "in the order of the server");
            assert_same_mail(&mbox_in_python(&path), &expected);
            assert_same_mail(&mbox_in_mail_parser(&path), &expected);
            let beside: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|f| f.unwrap().path()).collect();
            assert_eq!(beside, [path], "no lock and no spool is left");
        }
    }
}

#[test]
fn a_second_run_brings_nothing_and_is_quiet() {
    let messages = mail::ordinary(4);
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        for kind in ["maildir", "mbox"] {
            let ferry = Ferry::new();
            ferry.account_with("x", &user.endpoint(protocol, Security::Implicit), kind, &ferry.store("x"), "");
            // Something new is no reason for 1.
            let first = ferry.run(&["pull", "--exit-code"]).expect(0);
            assert_eq!((first.stdout.as_str(), first.stderr.as_str()), ("", ""), "nobody watches");
            let store = tree(&ferry.store("x"));
            let found = match kind {
                "mbox" => mbox(&inbox(&ferry, protocol)),
                _ => inbox_bytes(&ferry, protocol),
            };
            assert_same_mail(&found, &stored(protocol, &messages));

            let second = ferry.run(&["pull"]).expect(0);
            assert_eq!((second.stdout.as_str(), second.stderr.as_str()), ("", ""));
            assert_eq!(pull(&ferry, &[]), "listed 4, had 4");
            ferry.run(&["pull", "--exit-code"]).expect(1);
            assert_unchanged(&store, &tree(&ferry.store("x")));
        }
        assert_same_mail(&left(&user), &stored(protocol, &messages));
    }
}

#[test]
fn flags_and_dates_come_along_over_imap() {
    let user = Dovecot::shared().user();
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let table = [("", 1), ("S", 1_000_000_000), ("FRS", 1_700_000_123), ("DT", 1_234_567_890), ("", 951_782_400)];
    for (i, (flags, seconds)) in table.iter().enumerate() {
        user.deliver_as("INBOX", &mail::message(i, "text\r\n"), flags, at(*seconds));
    }
    let ferry = home_of(&user, Protocol::Imap, "");
    assert_eq!(pull(&ferry, &[]), "listed 5, fetched 5");
    let mut found: Vec<_> =
        maildir(&inbox(&ferry, Protocol::Imap)).into_iter().map(|m| (m.flags, m.time, m.place)).collect();
    let place = |flags: &str| if flags.is_empty() { "new" } else { "cur" };
    let mut expected: Vec<_> = table.iter().map(|(f, s)| ((*f).to_owned(), at(*s), place(f))).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(user.flags("INBOX"), ["", "\\Seen", "\\Answered \\Flagged \\Seen", "\\Deleted \\Draft", ""]);

    let other = Ferry::new();
    other.account_with("x", &user.endpoint(Protocol::Imap, Security::Implicit), "mbox", &other.store("x"), "");
    assert_eq!(pull(&other, &[]), "listed 5, fetched 5");
    let text = fs::read(inbox(&other, Protocol::Imap)).unwrap();
    let from_lines: Vec<String> = text
        .split(|b| *b == b'\n')
        .filter(|l| l.starts_with(b"From "))
        .map(|l| String::from_utf8_lossy(l).splitn(3, ' ').nth(2).unwrap().to_owned())
        .collect();
    let dates = [
        "Thu Jan  1 00:00:01 1970",
        "Sun Sep  9 01:46:40 2001",
        "Tue Nov 14 22:15:23 2023",
        "Fri Feb 13 23:31:30 2009",
        "Tue Feb 29 00:00:00 2000",
    ];
    assert_eq!(from_lines, dates);
}

#[test]
fn over_pop3_all_mail_is_new_and_just_arrived() {
    let user = Dovecot::shared().user();
    user.deliver_as("INBOX", &mail::message(1, "text\r\n"), "S", SystemTime::UNIX_EPOCH);
    let ferry = home_of(&user, Protocol::Pop3, "");
    let before = SystemTime::now() - Duration::from_secs(5);
    assert_eq!(pull(&ferry, &[]), "listed 1, fetched 1");
    let found = maildir(&ferry.store("x"));
    assert_eq!((found[0].place, found[0].flags.as_str()), ("new", ""));
    assert!(found[0].time > before, "{:?}", found[0].time);
}

#[test]
fn mail_is_for_its_owner_alone() {
    let user = user_with(&mail::ordinary(1));
    let endpoint = user.endpoint(Protocol::Pop3, Security::Implicit);
    let ferry = Ferry::new();
    ferry.account("x", &endpoint, "");
    ferry.account_with("y", &endpoint, "mbox", &ferry.store("y"), "");
    ferry.run(&["pull"]).expect(0);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let message = ferry.store("x").join("new").join(&maildir(&ferry.store("x"))[0].file_name);
    for (path, expected) in [
        (ferry.store("x"), 0o700),
        (message, 0o600),
        (ferry.store("y"), 0o600),
        (ferry.state_dir().join("accounts"), 0o700),
    ] {
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
}

#[test]
fn many_and_large_messages_arrive() {
    // More than one batch, and more than one part.
    let mut messages: Vec<Vec<u8>> = (0..300).map(|n| mail::message(n, "a line\r\n")).collect();
    messages.insert(150, mail::large(1_300_000));
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let ferry = home_of(&user, protocol, "");
        assert_eq!(pull(&ferry, &[]), "listed 301, fetched 301");
        assert_same_mail(&inbox_bytes(&ferry, protocol), &stored(protocol, &messages));
        assert_eq!(pull(&ferry, &[]), "listed 301, had 301");
    }
}
