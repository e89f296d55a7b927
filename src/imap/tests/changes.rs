//! A snapshot made of what is known and of what changed since.

use super::mailbox::{inbox, marks};
use super::*;
use crate::imap::Baseline;
use crate::mail::Key;
use crate::store::Messages;

const FULL: (&str, &str) = (
    "UID FETCH 1:* (UID FLAGS RFC822.SIZE)",
    "* 1 FETCH (UID 2 FLAGS (\\Seen) RFC822.SIZE 9)\r\n* 2 FETCH (UID 3 FLAGS () RFC822.SIZE 9)\r\n\
     * 3 FETCH (UID 4 FLAGS () RFC822.SIZE 9)\r\n{tag} OK x\r\n",
);
const ALL: &str = "UID FETCH 1:* (UID FLAGS RFC822.SIZE)";
const RESYNC: &str = "CONDSTORE QRESYNC ENABLE";

/// A folder of three messages at this HIGHESTMODSEQ.
fn select(modseq: &str) -> String {
    format!("* FLAGS (\\Seen)\r\n* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n{modseq}{{tag}} OK [READ-WRITE] x\r\n")
}

/// Messages 1 to 3 were there at 50, and of 9 the marks are not known where it is `doubtful`.
fn known(doubtful: &[u32]) -> Baseline {
    let message = |uid: u32| (Key::of_uid(uid), marks("F", &[]), None);
    Baseline { modseq: 50, messages: (1..=3).map(message).collect(), doubtful: doubtful.iter().copied().collect() }
}

fn shown(messages: &Messages) -> String {
    let one = |(key, seen): (&Key, crate::store::Seen<'_>)| format!("{key}{}", seen.marks.flags.letters());
    messages.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// What comes out, and the commands behind SELECT.
async fn since(
    capabilities: &str,
    modseq: &str,
    known: &Baseline,
    script: &[(&'static str, &'static str)],
) -> (String, Vec<String>) {
    let select = select(modseq).leak();
    let script: Vec<(&'static str, &'static str)> =
        [script, &[("SELECT", select), ("ENABLE", "* ENABLED QRESYNC\r\n{tag} OK x\r\n"), FULL]].concat();
    let (pipe, task) = scripted(&format!("IMAP4rev1 {capabilities}").leak()[..], &script);
    let mut imap = logged_in(pipe).await.unwrap();
    let mut folder = imap.mailbox(&inbox(), true).await.unwrap();
    let snapshot = folder.snapshot_since(known.clone()).await.unwrap();
    // Where EXISTS has risen to 4, one is known to be lacking.
    assert_eq!(snapshot.cut_short, script.iter().any(|(_, answer)| answer.starts_with("* 4 EXISTS\r\n{tag}")));
    drop(imap);
    let commands = heard(task).await;
    let first = commands.iter().position(|c| c.starts_with("SELECT")).unwrap() + 1;
    (shown(&snapshot.messages), commands[first..].to_vec())
}

const ASK: &str = "UID FETCH 1:* (UID FLAGS RFC822.SIZE) (CHANGEDSINCE 50)";
const ASK_ALL: &str = "UID FETCH 1:* (UID FLAGS RFC822.SIZE) (CHANGEDSINCE 50 VANISHED)";
const NEWER: &str = "* OK [HIGHESTMODSEQ 60] x\r\n";
const SEARCH: &str = "UID SEARCH ALL";

#[tokio::test]
async fn what_changed_is_put_onto_what_was_known() {
    let told = "* 3 FETCH (UID 4 FLAGS (\\Seen) RFC822.SIZE 7 MODSEQ (55))\r\n* 2 FETCH (UID 2 FLAGS () MODSEQ (60))\r\n{tag} OK x\r\n";
    let with_vanished: &str = format!("* VANISHED (EARLIER) 1,7:9\r\n{told}").leak();
    let gone_now: &str = format!("* VANISHED 1\r\n* 3 EXISTS\r\n{told}").leak();
    let expunged: &str = format!("* 4 EXISTS\r\n* 1 EXPUNGE\r\n{told}").leak();
    let none = "{tag} OK x\r\n";
    let found = "* SEARCH 4 3 2\r\n{tag} OK x\r\n";
    for (offers, modseq, script, expected, commands) in [
        (RESYNC, NEWER, vec![(ASK_ALL, with_vanished)], "2 3F 4S", vec![ASK_ALL]),
        (RESYNC, NEWER, vec![(ASK_ALL, gone_now)], "2 3F 4S", vec![ASK_ALL]),
        ("CONDSTORE", NEWER, vec![(ASK, told), (SEARCH, found)], "2 3F 4S", vec![ASK, SEARCH]),
        ("CONDSTORE", NEWER, vec![(ASK, expunged), (SEARCH, found)], "2 3F 4S", vec![ASK, SEARCH]),
        // As many as there are: nothing was removed.
        ("CONDSTORE", NEWER, vec![(ASK, none)], "1F 2F 3F", vec![ASK]),
        // The server offers QRESYNC and does not enable it.
        (RESYNC, NEWER, vec![("ENABLE", "{tag} OK x\r\n"), (ASK, none)], "1F 2F 3F", vec![ASK]),
        // Nothing has changed at all.
        (RESYNC, "* OK [HIGHESTMODSEQ 50] x\r\n", vec![], "1F 2F 3F", vec![]),
    ] {
        let (shown, asked) = since(offers, modseq, &known(&[]), &script).await;
        assert_eq!(
            (&*shown, asked),
            (expected, commands.iter().map(|c| (*c).to_owned()).collect()),
            "{offers} {script:?}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_true_has_everything_listed() {
    let all = "2S 3 4";
    let none = "{tag} OK x\r\n";
    for (offers, modseq, script) in [
        // No HIGHESTMODSEQ, or an older one.
        (RESYNC, "* OK [NOMODSEQ] x\r\n", vec![]),
        (RESYNC, "", vec![]),
        (RESYNC, "* OK [HIGHESTMODSEQ 49] x\r\n", vec![]),
        // Too many or too few come out.
        (RESYNC, NEWER, vec![(ASK_ALL, "* VANISHED (EARLIER) 2\r\n{tag} OK x\r\n")]),
        (RESYNC, NEWER, vec![(ASK_ALL, "* 4 FETCH (UID 9 FLAGS ())\r\n{tag} OK x\r\n")]),
        ("CONDSTORE", NEWER, vec![(ASK, "* 4 EXISTS\r\n{tag} OK x\r\n")]),
        (
            "CONDSTORE",
            NEWER,
            vec![(ASK, "* 4 FETCH (UID 9 FLAGS ())\r\n{tag} OK x\r\n"), (SEARCH, "* SEARCH 1 2\r\n{tag} OK x\r\n")],
        ),
        // New without flags; refusals; nonsense.
        (RESYNC, NEWER, vec![(ASK_ALL, "* VANISHED (EARLIER) 1\r\n* 3 FETCH (UID 4)\r\n{tag} OK x\r\n")]),
        (RESYNC, NEWER, vec![(ASK_ALL, "{tag} BAD what?\r\n")]),
        (RESYNC, NEWER, vec![(ASK_ALL, "* VANISHED (EARLIER) 1:*\r\n{tag} OK x\r\n")]),
        ("CONDSTORE", NEWER, vec![(ASK, "* 4 FETCH (UID 9 FLAGS ())\r\n{tag} OK x\r\n"), (SEARCH, "{tag} NO x\r\n")]),
    ] {
        let script: Vec<_> = script.into_iter().chain([("UID FETCH 1:* (UID FLAGS RFC822.SIZE) (", none)]).collect();
        let (shown, asked) = since(offers, modseq, &known(&[]), &script).await;
        assert_eq!((&*shown, asked.last().map(String::as_str)), (all, Some(ALL)), "{offers} {modseq} {script:?}");
    }
}

#[tokio::test]
async fn marks_that_are_not_known_are_asked_for() {
    let ask = "UID FETCH 8:9 (UID FLAGS RFC822.SIZE)";
    let mut known = known(&[8, 9]);
    known.messages = [(Key::of_uid(1), marks("F", &[]), None)].into_iter().collect();
    let told = "* 2 FETCH (UID 8 FLAGS (\\Seen))\r\n* 3 FETCH (UID 9 FLAGS ())\r\n{tag} OK x\r\n";
    let (shown, asked) = since(RESYNC, "* OK [HIGHESTMODSEQ 50] x\r\n", &known, &[(ask, told)]).await;
    assert_eq!((&*shown, asked), ("1F 8S 9", vec![ask.to_owned()]));
    // Not told, and there all the same.
    let (shown, asked) = since(RESYNC, "* OK [HIGHESTMODSEQ 50] x\r\n", &known, &[(ask, "{tag} OK x\r\n")]).await;
    assert_eq!((&*shown, asked), ("2S 3 4", vec![ask.to_owned(), ALL.to_owned()]));
}

#[tokio::test]
async fn qresync_is_enabled_once_and_before_any_folder_is_open() {
    let select: &str = select(NEWER).leak();
    let (pipe, task) = scripted("IMAP4rev1 CONDSTORE QRESYNC ENABLE", &[("SELECT", select), ("EXAMINE", select)]);
    let mut imap = logged_in(pipe).await.unwrap();
    imap.mailbox(&inbox(), true).await.unwrap();
    imap.mailbox(&inbox(), false).await.unwrap();
    drop(imap);
    let (one, other) = ("SELECT \"INBOX\" (CONDSTORE)", "EXAMINE \"INBOX\" (CONDSTORE)");
    assert_eq!(heard(task).await, ["ENABLE QRESYNC", one, other]);
    // Pulls have no need of it, and behind an open folder it is too late.
    let (pipe, task) = scripted("IMAP4rev1 CONDSTORE QRESYNC ENABLE", &[("SELECT", select), ("EXAMINE", select)]);
    let mut imap = logged_in(pipe).await.unwrap();
    imap.open_folder(&inbox(), false).await.unwrap();
    imap.mailbox(&inbox(), true).await.unwrap();
    drop(imap);
    assert_eq!(heard(task).await, ["EXAMINE \"INBOX\"", one]);
}
