//! IMAP without faults, and servers that lack something.

use super::{connect, exchange, line, secure, talk};
use crate::support::server::{Script, Server};
use std::io::Write;

const ONE: &str = "Subject: one\r\nX: a\r\n b\r\nDate: now\r\n\r\nfirst\r\n";
const TWO: &str = "Subject: two\r\n\r\nno end";

/// What the server says between log-in and LOGOUT.
fn session(server: &Server, commands: &[&str]) -> String {
    let all = [&["a LOGIN ada s3cret-Pa55"], commands, &["z LOGOUT"]].concat();
    let said = exchange(server.imap_port, &all);
    let (_, after) = said.split_once("welcome\r\n").unwrap_or_else(|| panic!("no log-in: {said}"));
    after.strip_suffix("* BYE until next time\r\nz OK bye\r\n").unwrap_or_else(|| panic!("no end: {after}")).to_owned()
}

#[test]
fn fetch_gives_what_is_asked_for() {
    let server = Server::start(Script::holding([ONE, TWO]));
    server.mailbox().folder_mut("INBOX").messages[1].flag("\\Flagged").flag("\\Seen");
    assert_eq!(
        session(
            &server,
            &[
                "b EXAMINE INBOX",
                "c UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)",
                "d UID FETCH 2 BODY.PEEK[]",
                "e UID FETCH 2 (BODY.PEEK[]<3.5> UID)",
                "f UID FETCH 2 (BODY.PEEK[]<20.500>)",
                "g UID FETCH 1 (BODY.PEEK[HEADER])",
                "h UID FETCH 1 (BODY.PEEK[HEADER.FIELDS (X \"subject\")])",
                "i UID FETCH 7 (FLAGS)",
                "j FETCH 1 (BODY.PEEK[TEXT])",
                "k STORE 1 +FLAGS (\\Seen)",
            ]
        ),
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* OK [PERMANENTFLAGS ()] these stay\r\n* 2 EXISTS\r\n* 0 RECENT\r\n\
         * OK [UIDVALIDITY 1700000000] valid\r\n* OK [UIDNEXT 3] next\r\nb OK [READ-ONLY] open\r\n\
         * 1 FETCH (UID 1 FLAGS () INTERNALDATE \"01-Mar-2024 00:01:00 +0100\" RFC822.SIZE 44)\r\n\
         * 2 FETCH (UID 2 FLAGS (\\Flagged \\Seen) INTERNALDATE \"01-Mar-2024 00:02:00 +0100\" RFC822.SIZE 22)\r\nc OK fetched\r\n\
         * 2 FETCH (UID 2 BODY[] {22}\r\nSubject: two\r\n\r\nno end)\r\nd OK fetched\r\n\
         * 2 FETCH (UID 2 BODY[]<3> {5}\r\nject:)\r\ne OK fetched\r\n\
         * 2 FETCH (UID 2 BODY[]<20> {2}\r\nnd)\r\nf OK fetched\r\n\
         * 1 FETCH (UID 1 BODY[HEADER] {37}\r\nSubject: one\r\nX: a\r\n b\r\nDate: now\r\n\r\n)\r\ng OK fetched\r\n\
         * 1 FETCH (UID 1 BODY[HEADER.FIELDS (X subject)] {26}\r\nSubject: one\r\nX: a\r\n b\r\n\r\n)\r\nh OK fetched\r\n\
         i OK fetched\r\n\
         * 1 FETCH (BODY[TEXT] {7}\r\nfirst\r\n)\r\nj OK fetched\r\n\
         k NO [READ-ONLY] the folder is open for reading only\r\n"
    );
    assert_eq!(server.log().retrieved, 1);
    session(&server, &["b SELECT INBOX", "c UID FETCH 1 (BODY[])"]);
    assert!(server.mailbox().folder("INBOX").unwrap().messages[0].flags.contains("\\Seen"));
}

#[test]
fn deletions_by_uid_leave_others_marked() {
    let server = Server::start(Script::holding([ONE, TWO, ONE, TWO]));
    let said = session(
        &server,
        &[
            "b SELECT inbox",
            "c UID STORE 2,4 +FLAGS.SILENT (\\Deleted)",
            "d UID STORE 3 +FLAGS (\\Deleted)",
            "e UID SEARCH DELETED UID 2:3",
            "f UID EXPUNGE 2:3",
            "g UID SEARCH ALL",
            "h UNSELECT",
        ],
    );
    let (_, said) = said.split_once("open\r\n").unwrap();
    assert_eq!(
        said,
        "c OK stored\r\n* 3 FETCH (UID 3 FLAGS (\\Deleted))\r\nd OK fetched\r\n* SEARCH 2 3\r\ne OK searched\r\n\
         * 2 EXPUNGE\r\n* 2 EXPUNGE\r\nf OK expunged\r\n* SEARCH 1 4\r\ng OK searched\r\nh OK left as it was\r\n"
    );
    assert_eq!(server.inbox().len(), 2);
    session(&server, &["b SELECT INBOX", "c CLOSE"]);
    assert_eq!(server.inbox(), [ONE.as_bytes()]);
}

#[test]
fn folders_have_names_in_any_script() {
    let mut script = Script::holding([ONE]);
    script.mailbox.separator = '.';
    script.mailbox.folder_mut("Entwürfe").attributes.push("\\Drafts".to_owned());
    script.mailbox.folder_mut("Lists").attributes.push("\\Noselect".to_owned());
    script.mailbox.folder_mut("Lists.rust & co").add(TWO);
    let server = Server::start(script);
    let said = session(
        &server,
        &[
            "b LIST \"\" *",
            "c LIST \"\" %",
            "d LIST \"\" \"\"",
            "e STATUS \"Lists.rust &- co\" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)",
            "f SELECT Lists",
            "g EXAMINE Entw&APw-rfe",
            "h STATUS Nowhere (MESSAGES)",
        ],
    );
    let expected = "* LIST () \".\" \"INBOX\"\r\n* LIST (\\Drafts) \".\" \"Entw&APw-rfe\"\r\n* LIST (\\Noselect) \".\" \"Lists\"\r\n\
         * LIST () \".\" \"Lists.rust &- co\"\r\nb OK all listed\r\n\
         * LIST () \".\" \"INBOX\"\r\n* LIST (\\Drafts) \".\" \"Entw&APw-rfe\"\r\n* LIST (\\Noselect) \".\" \"Lists\"\r\nc OK all listed\r\n\
         * LIST (\\Noselect) \".\" \"\"\r\nd OK all listed\r\n\
         * STATUS \"Lists.rust &- co\" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1700000000 UNSEEN 1)\r\ne OK that is how it stands\r\n\
         f NO [NONEXISTENT] no such folder\r\n";
    assert!(said.starts_with(expected), "{said}");
    assert!(said.ends_with("g OK [READ-ONLY] open\r\nh NO [NONEXISTENT] no such folder\r\n"), "{said}");
}

#[test]
fn every_way_to_log_in() {
    let server = Server::start(Script::holding([ONE]));
    let welcome = |lines: &[&str]| {
        exchange(server.imap_port, lines)
            .contains("a OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID UIDPLUS UNSELECT] welcome")
    };
    assert!(welcome(&["a AUTHENTICATE PLAIN AGFkYQBzM2NyZXQtUGE1NQ==", "z LOGOUT"]));
    assert!(welcome(&["a AUTHENTICATE PLAIN", "AGFkYQBzM2NyZXQtUGE1NQ==", "z LOGOUT"]));
    assert!(welcome(&["a LOGIN {3+}", "ada {11+}", "s3cret-Pa55", "z LOGOUT"]));
    assert!(welcome(&["a LOGIN {3}", "ada {11}", "s3cret-Pa55", "z LOGOUT"]));
    assert_eq!((server.log().logins, server.log().heard.last().unwrap().text.as_str()), (4, "z LOGOUT"));
    let wrong = exchange(server.imap_port, &["a LOGIN ada wrong", "b SELECT INBOX", "z LOGOUT"]);
    assert!(wrong.contains("a NO [AUTHENTICATIONFAILED] wrong user or password\r\nb NO log in first\r\n"), "{wrong}");
}

#[test]
fn starttls_changes_what_is_offered() {
    let server = Server::start(Script::holding([ONE]).without("LOGIN"));
    let mut clear = connect(server.imap_port);
    assert_eq!(
        line(&mut clear),
        "* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID UIDPLUS UNSELECT AUTH=PLAIN STARTTLS LOGINDISABLED] ready"
    );
    clear.write_all(b"a STARTTLS\r\n").unwrap();
    assert_eq!(line(&mut clear), "a OK begin TLS");
    let mut tls = secure(server.ca_file(), clear).unwrap();
    let said = talk(&mut tls, &["b CAPABILITY", "c LOGIN ada s3cret-Pa55", "z LOGOUT"]);
    assert!(said.contains(" AUTH=PLAIN LOGINDISABLED\r\n") && said.contains("c NO not possible now\r\n"), "{said}");
    assert!(!server.overheard_password());
}

#[test]
fn capabilities_can_be_taken_away() {
    let script = Script::holding([ONE])
        .without("UIDPLUS")
        .without("UNSELECT")
        .without("ID")
        .without("LITERAL+")
        .without("STARTTLS");
    let server = Server::start(script);
    let said = session(&server, &["b SELECT INBOX", "c UID EXPUNGE 1", "d UNSELECT", "e ID NIL", "f NOOP {1+}", "g"]);
    let (_, said) = said.split_once("open\r\n").unwrap();
    let bad = "BAD not offered here\r\n";
    assert!(said.starts_with(&format!("c {bad}d {bad}e {bad}")), "{said}");
    exchange(server.imap_port, &["a LOGIN {3+}", "ada s3cret-Pa55", "z LOGOUT"]);
    assert!(server.log().violations[0].contains("literal with +"));
}

#[test]
fn uidvalidity_changes_and_changes_of_the_folder_are_told() {
    let server = Server::start(Script::holding([ONE, TWO]));
    let mut stream = connect(server.imap_port);
    line(&mut stream);
    stream.write_all(b"a LOGIN ada s3cret-Pa55\r\nb SELECT INBOX\r\n").unwrap();
    while !line(&mut stream).starts_with("b ") {}
    server.mailbox().folder_mut("INBOX").messages.remove(0);
    server.mailbox().folder_mut("INBOX").add(ONE);
    let said = talk(&mut stream, &["c NOOP", "z LOGOUT"]);
    assert!(said.starts_with("* 1 EXPUNGE\r\n* 2 EXISTS\r\nc OK"), "{said}");
    server.mailbox().folder_mut("INBOX").renumber();
    let said = session(&server, &["b EXAMINE INBOX", "c UID SEARCH ALL"]);
    assert!(
        said.contains("UIDVALIDITY 1700000001] valid\r\n* OK [UIDNEXT 1003]")
            && said.contains("* SEARCH 1001 1002\r\n"),
        "{said}"
    );
}
