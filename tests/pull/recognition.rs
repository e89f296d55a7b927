//! Names fail or memory is lost, and still every message comes once: lost state, changed UIDVALIDITY, twins.

use super::*;
use crate::support::mail;
use crate::support::stored::{assert_same_mail, maildir};
use std::fs;

/// Ordinary mail and a pair of twins.
fn messages() -> Vec<Vec<u8>> {
    let twin = mail::message(50, "the same twice\r\n");
    [mail::ordinary(4), vec![twin.clone(), twin]].concat()
}

/// Gives a folder another UIDVALIDITY. Dovecot's UIDLs hold it too, so over POP3 they change all at once.
fn renumber(user: &User<'_>) {
    user.doveadm(&["mailbox", "update", "-u", &user.name, "--uid-validity", "1234567", "INBOX"]);
}

#[test]
fn a_lost_state_duplicates_nothing() {
    for protocol in PROTOCOLS {
        let user = user_with(&messages());
        for kind in ["maildir", "mbox"] {
            let ferry = Ferry::new();
            ferry.account_with("x", &user.endpoint(protocol, Security::Implicit), kind, &ferry.store("x"), "");
            assert_eq!(pull(&ferry, &[]), "listed 6, fetched 6");
            let before = tree(&ferry.store("x"));
            fs::remove_dir_all(ferry.state_dir()).unwrap();
            assert_eq!(pull(&ferry, &[]), "listed 6, had 6, adopted 6", "{protocol:?} {kind}");
            assert_eq!(tree(&ferry.store("x")).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
            assert_eq!(pull(&ferry, &[]), "listed 6, had 6", "from now on they are known");
        }
    }
}

#[test]
fn a_lost_state_duplicates_nothing_of_an_mbox_that_a_reader_marked() {
    let messages = mail::ordinary(4);
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let ferry = Ferry::new();
        ferry.account_with("x", &user.endpoint(protocol, Security::Implicit), "mbox", &ferry.store("x"), "");
        assert_eq!(pull(&ferry, &[]), "listed 4, fetched 4");
        let path = inbox(&ferry, protocol);
        let text = String::from_utf8(fs::read(&path).unwrap()).unwrap();
        let marks = "\nStatus: RO\nX-Status: F\nX-UID: 7\nContent-Length: 9\n\n";
        let marked: Vec<_> = text.split("\n\nFrom ").map(|message| message.replacen("\n\n", marks, 1)).collect();
        fs::write(&path, marked.join("\n\nFrom ")).unwrap();
        fs::remove_dir_all(ferry.state_dir()).unwrap();
        assert_eq!(pull(&ferry, &[]), "listed 4, had 4, adopted 4", "{protocol:?}");
    }
}

#[test]
fn without_a_state_only_equal_content_has_a_message_deleted_on_the_server() {
    let messages = messages();
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let ferry = home_of(&user, protocol, "");
        assert_eq!(pull(&ferry, &[]), "listed 6, fetched 6");
        // One is here with the same header and size, but other content.
        let inbox = inbox(&ferry, protocol);
        let changed = maildir(&inbox).remove(0);
        let mut bytes = changed.bytes.clone();
        *bytes.iter_mut().rev().nth(3).unwrap() = b'#';
        fs::write(inbox.join(changed.place).join(&changed.file_name), &bytes).unwrap();
        fs::remove_dir_all(ferry.state_dir()).unwrap();
        reconfigure(&ferry, &user, protocol, "\n[accounts.x.pull]\nkeep = false\n");
        assert_eq!(pull(&ferry, &[]), "listed 6, had 5, fetched 1, adopted 5, deleted_remote 6");
        assert_same_mail(&left(&user), &[]);
        assert_same_mail(&inbox_bytes(&ferry, protocol), &[stored(protocol, &messages), vec![bytes]].concat());
    }
}

#[test]
fn new_numbers_for_all_messages_bring_only_what_is_new() {
    let messages = messages();
    for protocol in PROTOCOLS {
        let user = user_with(&messages[..5]);
        let ferry = home_of(&user, protocol, "");
        assert_eq!(pull(&ferry, &[]), "listed 5, fetched 5");
        renumber(&user);
        assert_eq!(pull(&ferry, &[]), "listed 5, had 5, adopted 5", "{protocol:?}");
        assert_eq!(pull(&ferry, &[]), "listed 5, had 5");
        // The second twin comes, and the numbers change once more.
        user.deliver("INBOX", &messages[5..]);
        user.doveadm(&["mailbox", "update", "-u", &user.name, "--uid-validity", "7654321", "INBOX"]);
        assert_eq!(pull(&ferry, &[]), "listed 6, had 5, fetched 1, adopted 5", "{protocol:?}");
        assert_same_mail(&inbox_bytes(&ferry, protocol), &stored(protocol, &messages));
    }
}

#[test]
fn new_numbers_with_deletion_delete_only_what_is_here() {
    let messages = messages();
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let ferry = home_of(&user, protocol, "");
        assert_eq!(pull(&ferry, &[]), "listed 6, fetched 6");
        renumber(&user);
        user.deliver("INBOX", &[mail::message(60, "new\r\n")]);
        reconfigure(&ferry, &user, protocol, "\n[accounts.x.pull]\nkeep = false\n");
        assert_eq!(pull(&ferry, &[]), "listed 7, had 6, fetched 1, adopted 6, deleted_remote 7");
        assert_same_mail(&left(&user), &[]);
        let expected = [messages.clone(), vec![mail::message(60, "new\r\n")]].concat();
        assert_same_mail(&inbox_bytes(&ferry, protocol), &stored(protocol, &expected));
        assert_eq!(pull(&ferry, &[]), "");
    }
}

#[test]
fn as_many_equal_messages_as_there_are_there_come_here() {
    let twin = mail::message(50, "the same again\r\n");
    for protocol in PROTOCOLS {
        let user = user_with(&[twin.clone(), twin.clone()]);
        let ferry = home_of(&user, protocol, "");
        assert_eq!(pull(&ferry, &[]), "listed 2, fetched 2");
        user.deliver("INBOX", std::slice::from_ref(&twin));
        assert_eq!(pull(&ferry, &[]), "listed 3, had 2, fetched 1");
        fs::remove_dir_all(ferry.state_dir()).unwrap();
        user.deliver("INBOX", std::slice::from_ref(&twin));
        assert_eq!(pull(&ferry, &[]), "listed 4, had 3, fetched 1, adopted 3");
        assert_eq!(inbox_bytes(&ferry, protocol), stored(protocol, &vec![twin.clone(); 4]));
    }
}

#[test]
fn a_maildir_that_another_program_filled_is_completed() {
    let messages = messages();
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let ferry = home_of(&user, protocol, "");
        let inbox = inbox(&ferry, protocol);
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(inbox.join(part)).unwrap();
        }
        let stored = stored(protocol, &messages);
        fs::write(inbox.join("cur/1.getmail.host:2,S"), &stored[1]).unwrap();
        fs::write(inbox.join("new/2.getmail.host"), &stored[4]).unwrap();
        fs::write(inbox.join("new/3.getmail.host"), "Subject: of mine\n\nnever on the server\n").unwrap();
        assert_eq!(pull(&ferry, &[]), "listed 6, had 2, fetched 4, adopted 2");
        let mine = b"Subject: of mine\n\nnever on the server\n".to_vec();
        assert_same_mail(&inbox_bytes(&ferry, protocol), &[stored, vec![mine]].concat());
    }
}

#[test]
fn copies_onto_which_another_program_put_trace_fields_are_known() {
    let messages = messages();
    let traces = [
        "Received: from pop (pop [127.0.0.1])\n\tby host (mpop-1.4.18) with POP3\n\tfor <ada>; Sun, 22 Nov 2026 01:55:41 +0000\n",
        "Received: from pop [127.0.0.1]\n\tby localhost with POP3 (fetchmail-6.4.37)\n\tfor <ada@localhost> (single-drop); Sun, 22 Nov 2026\n",
        "Return-Path: <unknown>\nDelivered-To: ada@host\nReceived: from pop by host with POP3 getmail6 msgid:1; 22 Nov 2026 01:55:41 -0000\n",
    ];
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let ferry = home_of(&user, protocol, "");
        let inbox = inbox(&ferry, protocol);
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(inbox.join(part)).unwrap();
        }
        let stored = stored(protocol, &messages);
        for (n, (trace, message)) in traces.iter().zip(&stored).enumerate() {
            fs::write(inbox.join(format!("cur/{n}.host:2,S")), [trace.as_bytes(), message].concat()).unwrap();
        }
        assert_eq!(pull(&ferry, &[]), "listed 6, had 3, fetched 3, adopted 3");
        assert_eq!(pull(&ferry, &[]), "listed 6, had 6");
    }
}
