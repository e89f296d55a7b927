//! What stays on the server, and what is too large to come.

use super::*;
use crate::support::mail::{self, with_lf};
use crate::support::stored::assert_same_mail;
use rusqlite::Connection;

fn keep(value: &str) -> String {
    format!("\n[accounts.x.pull]\nkeep = {value}\n")
}

/// Lets days pass for the messages with these row numbers.
fn age(ferry: &Ferry, days: i64, rows: &[i64]) {
    let db = Connection::open(ferry.state_dir().join("accounts/x.sqlite")).unwrap();
    for row in rows {
        let changed =
            db.execute("UPDATE message SET first_seen = first_seen - ?1 WHERE id = ?2", [days * 86_400, *row]);
        assert_eq!(changed.unwrap(), 1);
    }
}

#[test]
fn what_is_kept_stays_whatever_its_age() {
    let messages = mail::ordinary(3);
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let ferry = home_of(&user, protocol, &keep("true"));
        assert_eq!(pull(&ferry, &[]), "listed 3, fetched 3");
        age(&ferry, 9999, &[1, 2, 3]);
        assert_eq!(pull(&ferry, &[]), "listed 3, had 3");
        assert_same_mail(&left(&user), &stored(protocol, &messages));
    }
}

#[test]
fn what_is_not_kept_leaves_the_server_once_it_is_here() {
    let messages = mail::ordinary(5);
    for protocol in PROTOCOLS {
        let user = user_with(&messages[..4]);
        let ferry = home_of(&user, protocol, &keep("false"));
        assert_eq!(pull(&ferry, &[]), "listed 4, fetched 4, deleted_remote 4");
        assert_same_mail(&left(&user), &[]);
        assert_same_mail(&inbox_bytes(&ferry, protocol), &stored(protocol, &messages[..4]));
        assert_eq!(pull(&ferry, &[]), "");
        ferry.run(&["pull", "--exit-code"]).expect(1);
        user.deliver("INBOX", &messages[4..]);
        assert_eq!(pull(&ferry, &[]), "listed 1, fetched 1, deleted_remote 1");
        assert_same_mail(&inbox_bytes(&ferry, protocol), &stored(protocol, &messages));
    }
}

#[test]
fn who_stops_keeping_has_what_is_here_deleted_there() {
    let messages = mail::ordinary(3);
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let ferry = home_of(&user, protocol, &keep("true"));
        assert_eq!(pull(&ferry, &[]), "listed 3, fetched 3");
        reconfigure(&ferry, &user, protocol, &keep("false"));
        let told = pull(&ferry, &[]);
        // POP3 servers may give a name twice, so what is due is recognised by its header first.
        let recognised = if protocol == Protocol::Pop3 { "adopted 3, " } else { "" };
        assert_eq!(told, format!("listed 3, had 3, {recognised}deleted_remote 3"));
        assert_same_mail(&left(&user), &[]);
        assert_same_mail(&inbox_bytes(&ferry, protocol), &stored(protocol, &messages));
    }
}

#[test]
fn messages_leave_the_server_when_their_time_is_up() {
    let messages = mail::ordinary(5);
    for protocol in PROTOCOLS {
        let user = user_with(&messages[..4]);
        let ferry = home_of(&user, protocol, &keep("\"30d\""));
        assert_eq!(pull(&ferry, &[]), "listed 4, fetched 4");
        age(&ferry, 29, &[1, 2, 3]);
        assert_eq!(pull(&ferry, &[]), "listed 4, had 4");
        assert_eq!(left(&user).len(), 4);
        age(&ferry, 1, &[1, 3]);
        user.deliver("INBOX", &messages[4..]);
        let told = pull(&ferry, &[]);
        let recognised = if protocol == Protocol::Pop3 { "adopted 2, " } else { "" };
        assert_eq!(told, format!("listed 5, had 4, fetched 1, {recognised}deleted_remote 2"));
        let expected: Vec<Vec<u8>> = [1, 3, 4].map(|i| with_lf(&messages[i])).to_vec();
        assert_same_mail(&left(&user), &expected);
        assert_eq!(pull(&ferry, &[]), "listed 3, had 3");
        assert_same_mail(&inbox_bytes(&ferry, protocol), &stored(protocol, &messages));
    }
}

#[test]
fn what_is_too_large_is_skipped_told_and_left() {
    let messages = [mail::message(1, "small\r\n"), mail::large(60_000), mail::message(3, "small\r\n")];
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let limit = |size: &str| format!("\n[accounts.x.pull]\nkeep = false\nmax_size = \"{size}\"\n");
        let ferry = home_of(&user, protocol, &limit("50 kB"));
        let outcome = ferry.run(&["pull", "--json"]).expect(0);
        assert_eq!(counts(&outcome, "x"), "listed 3, fetched 2, skipped 1, deleted_remote 2");
        let skipped: Vec<_> = outcome.events().into_iter().filter(|e| e["action"] == "skipped").collect();
        assert_eq!(skipped.len(), 1);
        assert_eq!((&skipped[0]["reason"], &skipped[0]["server"]), (&"larger than max_size".into(), &"keep".into()));
        assert_eq!(skipped[0]["bytes"], messages[1].len());
        assert_same_mail(&left(&user), &stored(protocol, &messages[1..2]));

        // In text too, in every run.
        let outcome = ferry.run(&["pull"]).expect(0);
        assert!(outcome.stderr.starts_with("warning: x INBOX "), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(": skipped, larger than max_size; server: keep\n"), "{}", outcome.stderr);

        reconfigure(&ferry, &user, protocol, &limit("60 MiB"));
        assert_eq!(pull(&ferry, &[]), "listed 1, fetched 1, deleted_remote 1");
        assert_same_mail(&inbox_bytes(&ferry, protocol), &stored(protocol, &messages));
        assert_same_mail(&left(&user), &[]);
    }
}

#[test]
fn deletions_that_others_marked_over_imap_stay_marked() {
    let messages = mail::ordinary(3);
    let user = user_with(&messages[..1]);
    user.deliver_as("INBOX", &mail::large(60_000), "T", SystemTime::now());
    user.deliver("INBOX", &messages[1..]);
    let more = "\n[accounts.x.pull]\nkeep = false\nmax_size = \"50 kB\"\n";
    let ferry = home_of(&user, Protocol::Imap, more);
    assert_eq!(pull(&ferry, &[]), "listed 4, fetched 3, skipped 1, deleted_remote 3");
    assert_eq!(user.flags("INBOX"), ["\\Deleted"]);
}
