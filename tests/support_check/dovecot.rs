//! The real server can be started, filled and looked into.

use super::{connect, line, secure, talk};
use crate::support::dovecot::{Dovecot, Storage};
use crate::support::mail;
use crate::support::stored::assert_same_mail;
use std::io::Write;
use std::time::{Duration, SystemTime};

#[test]
fn users_are_apart_and_mail_is_found_again() {
    let dovecot = Dovecot::shared();
    let (ada, eve) = (dovecot.user(), dovecot.user());
    let messages = mail::ordinary(20);
    ada.deliver("INBOX", &messages);
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    ada.deliver_as("Lists/rust", &messages[0], "FS", long_ago);
    let session = |commands: &[&str]| {
        let mut stream = connect(dovecot.imap_port);
        line(&mut stream);
        let log_in = format!("a LOGIN {} {}", ada.name, ada.password);
        talk(&mut stream, &[&[log_in.as_str()], commands, &["z LOGOUT"]].concat())
    };
    let said = session(&[
        "b SELECT INBOX",
        "c FETCH 20 (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])",
        "d EXAMINE Lists/rust",
        "e FETCH 1 (FLAGS INTERNALDATE)",
    ]);
    // In a session of their own: behind a FETCH of content in one go, Dovecot 2.3.19 answers OK and expunges nothing.
    session(&["b SELECT INBOX", "c UID STORE 2 +FLAGS (\\Deleted)", "d UID EXPUNGE 2"]);
    assert!(
        said.contains("* 20 EXISTS")
            && said.contains("UID 20 BODY[HEADER.FIELDS (SUBJECT)] {23}\r\nSubject: message 20\r\n"),
        "{said}"
    );
    assert!(
        said.contains("FLAGS (\\Flagged \\Seen \\Recent)") && said.contains("\"09-Sep-2001 01:46:40 +0000\""),
        "{said}"
    );
    let left: Vec<Vec<u8>> = ada.messages("INBOX").into_iter().map(|m| m.bytes).collect();
    let expected: Vec<Vec<u8>> =
        messages.iter().enumerate().filter(|(i, _)| *i != 1).map(|(_, m)| mail::with_lf(m)).collect();
    assert_same_mail(&left, &expected);
    assert_eq!(ada.flags("Lists/rust"), ["\\Flagged \\Seen"]);
    assert_eq!(eve.messages("INBOX"), []);
}

#[test]
fn settings_differ_by_user_and_by_server() {
    let dovecot = Dovecot::start("imap_capability = IMAP4rev1 LITERAL+\n");
    let user = dovecot.user_with(Storage::Sdbox, &[("imap_capability", "IMAP4rev1"), ("pop3_uidl_format", "%u.%v")]);
    user.deliver("INBOX", &mail::ordinary(3));
    assert_eq!(user.flags("INBOX"), ["", "", ""]);
    let mut stream = connect(dovecot.imap_port);
    assert!(line(&mut stream).starts_with("* OK [CAPABILITY IMAP4rev1 LITERAL+ STARTTLS "));
    stream.write_all(format!("a LOGIN {} {}\r\n", user.name, user.password).as_bytes()).unwrap();
    assert_eq!(line(&mut stream), "a OK [CAPABILITY IMAP4rev1] Logged in");

    let mut stream = connect(dovecot.pop3_port);
    line(&mut stream);
    stream.write_all(b"STLS\r\n").unwrap();
    assert!(line(&mut stream).starts_with("+OK"));
    let mut tls = secure(&dovecot.ca_file(), stream).unwrap();
    let user_line = format!("USER {}", user.name);
    let said = talk(&mut tls, &[&user_line, &format!("PASS {}", user.password), "UIDL", "QUIT"]);
    assert!(said.contains("\r\n1 1.") && said.contains("\r\n3 3."), "{said}");
}
