//! A folder as one side of a sync.

use super::*;
use crate::error::{Kind, Scope};
use crate::imap::Folder;
use crate::mail::{Change, Flags, FolderName, Key, Keyword, Marks};
use crate::retrieve::Retriever;
use crate::store::{Holds, Mailbox};

pub fn inbox() -> Folder {
    Folder::new(FolderName::inbox(), b"INBOX".to_vec())
}

pub fn key(uid: u32) -> Key {
    Key::of_uid(uid)
}

fn keys(uids: &[u32]) -> Vec<Key> {
    uids.iter().map(|uid| key(*uid)).collect()
}

pub fn marks(letters: &str, keywords: &[&str]) -> Marks {
    let keywords = keywords.iter().map(|k| Keyword::new(k).unwrap()).collect();
    Marks { flags: Flags::from_letters(letters), keywords }
}

pub const SELECT: (&str, &str) = (
    "SELECT",
    "* FLAGS (\\Seen \\Deleted)\r\n* 3 EXISTS\r\n* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] x\r\n\
     * OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 10] x\r\n* OK [HIGHESTMODSEQ 5000000000]\r\n{tag} OK [READ-WRITE] x\r\n",
);

/// Answers of one kind, and what came of a call: its outcome, and the commands that it sent.
macro_rules! called {
    ($capabilities:expr, $script:expr, |$folder:ident| $call:expr) => {{
        let script: Vec<(&'static str, &'static str)> = [&$script[..], &[SELECT]].concat();
        let (pipe, task) = scripted($capabilities, &script);
        let mut imap = logged_in(pipe).await.unwrap();
        let mut $folder = imap.mailbox(&inbox(), true).await.unwrap();
        let outcome = $call.await;
        drop(imap);
        (outcome, heard(task).await.split_off(1))
    }};
}

#[tokio::test]
async fn opening_tells_what_the_folder_can_hold() {
    let everything = Holds { marks: marks("PST", &["$Junk", "x"]), room: usize::MAX, ..Holds::default() };
    for (permanent, writable, expected) in [
        ("* OK [PERMANENTFLAGS (\\Seen \\Deleted $Junk x \\*)] y\r\n", true, everything),
        (
            "* OK [PERMANENTFLAGS (\\Seen \\Recent)] y\r\n",
            true,
            Holds { marks: marks("S", &[]), room: 0, ..Holds::default() },
        ),
        ("* OK [PERMANENTFLAGS ()] y\r\n", true, Holds::default()),
        (
            "* OK [PERMANENTFLAGS (\\Seen a]b)] y\r\n",
            true,
            Holds { marks: marks("S", &[]), room: 0, ..Holds::default() },
        ),
        ("", true, Holds { marks: marks("FS", &["old"]), room: 0, ..Holds::default() }),
        // Nothing is kept of what is only looked at; what could be kept is guessed.
        (
            "* OK [PERMANENTFLAGS ()] y\r\n",
            false,
            Holds { marks: marks("FS", &["old"]), room: usize::MAX, ..Holds::default() },
        ),
    ] {
        let (pipe, _) = serve("* OK hi\r\n", usize::MAX, move |tag, command| match basics(tag, command) {
            Some(text) => text.into(),
            None => {
                format!("* FLAGS (\\Seen \\Flagged old)\r\n{permanent}* 0 EXISTS\r\n{tag} OK [READ-WRITE] x\r\n").into()
            }
        });
        let mut imap = logged_in(pipe).await.unwrap();
        let folder = imap.mailbox(&inbox(), writable).await.unwrap();
        assert_eq!((folder.holds(), folder.is_read_only()), (&expected, !writable), "{permanent}");
        assert_eq!((folder.uidvalidity(), folder.uidnext(), folder.highestmodseq()), (None, None, None));
    }
}

#[tokio::test]
async fn changes_are_counted_where_the_server_can() {
    for (capabilities, command) in
        [("IMAP4rev1 CONDSTORE", "SELECT \"INBOX\" (CONDSTORE)"), ("IMAP4rev1", "SELECT \"INBOX\"")]
    {
        let (pipe, task) = scripted(capabilities, &[SELECT]);
        let mut imap = logged_in(pipe).await.unwrap();
        let folder = imap.mailbox(&inbox(), true).await.unwrap();
        assert_eq!(
            (folder.uidvalidity(), folder.uidnext(), folder.highestmodseq(), folder.is_read_only()),
            (Some(7), Some(10), Some(5_000_000_000), false)
        );
        assert_eq!(folder.source().scope, "imap me@mail.example UIDVALIDITY=7");
        drop(imap);
        assert_eq!(heard(task).await, [command]);
    }
}

const ROWS: &str = "* 1 FETCH (UID 2 FLAGS (\\Seen Work) RFC822.SIZE 10)\r\n* 2 FETCH (FLAGS () UID 4)\r\n\
                    * 3 FETCH (UID 9 RFC822.SIZE 30)\r\n* 3 FETCH (UID 9 FLAGS (\\Deleted))\r\n";

#[tokio::test]
async fn a_snapshot_shows_marks_and_sizes() {
    let answer = format!("{ROWS}{{tag}} OK x\r\n").leak();
    let (snapshot, commands) = called!("IMAP4rev1", [("UID FETCH", &*answer)], |folder| folder.snapshot());
    let snapshot = snapshot.unwrap();
    let expected = [
        (key(2), marks("S", &["work"]), Some(10)),
        (key(4), marks("", &[]), None),
        (key(9), marks("T", &[]), Some(30)),
    ];
    assert_eq!(snapshot.messages, expected.into_iter().collect());
    assert_eq!((snapshot.notes.len(), snapshot.cut_short), (0, false));
    assert_eq!(commands, ["UID FETCH 1:* (UID FLAGS RFC822.SIZE)"]);
}

#[tokio::test]
async fn what_a_listing_lacks_is_told() {
    for (rows, lacking, notes) in [
        ("* 1 FETCH (UID 2 FLAGS ())\r\n* 2 FETCH (UID 3 FLAGS ())\r\n", true, 1),
        // One row makes no sense, even if another one came meanwhile.
        (
            "* 1 FETCH (UID 2 FLAGS ())\r\n* 2 FETCH (UID x)\r\n* 4 EXISTS\r\n* 4 FETCH (UID 4 FLAGS ())\r\n* 3 FETCH (UID 3 FLAGS ())\r\n",
            true,
            1,
        ),
        (
            "* 4 EXISTS\r\n* 1 FETCH (UID 2 FLAGS ())\r\n* 2 FETCH (UID 3 FLAGS ())\r\n* 3 FETCH (UID 4 FLAGS ())\r\n",
            false,
            0,
        ),
    ] {
        let answer = format!("{rows}{{tag}} OK x\r\n").leak();
        let (snapshot, _) = called!("IMAP4rev1", [("UID FETCH", &*answer)], |folder| folder.snapshot());
        let snapshot = snapshot.unwrap();
        assert_eq!((snapshot.cut_short, snapshot.notes.len()), (lacking, notes), "{rows}: {:?}", snapshot.notes);
    }
}

#[tokio::test]
async fn a_listing_under_which_messages_go_is_asked_for_again() {
    let moving = "* 1 FETCH (UID 2 FLAGS ())\r\n* 2 FETCH (UID 4 FLAGS ())\r\n* 1 EXPUNGE\r\n{tag} OK x\r\n";
    let still = "* 1 FETCH (UID 4 FLAGS ())\r\n* 2 FETCH (UID 9 FLAGS ())\r\n{tag} OK x\r\n";
    let (snapshot, commands) =
        called!("IMAP4rev1", [("UID FETCH", moving), ("UID FETCH", still)], |folder| folder.snapshot());
    let snapshot = snapshot.unwrap();
    assert_eq!((snapshot.messages.len(), snapshot.cut_short, commands.len()), (2, false, 2));
    let (snapshot, commands) = called!("IMAP4rev1", [("UID FETCH", moving)], |folder| folder.snapshot());
    let snapshot = snapshot.unwrap();
    // All three expunges leave none to be listed.
    assert_eq!((snapshot.cut_short, snapshot.notes.len(), commands.len()), (true, 1, 3));
}

#[tokio::test]
async fn a_message_without_flags_is_an_error_and_never_one_that_has_none() {
    let rows =
        "* 1 FETCH (UID 2 FLAGS ())\r\n* 2 FETCH (UID 3 FLAGS NIL)\r\n* 3 FETCH (UID 4 FLAGS ())\r\n{tag} OK x\r\n";
    let (snapshot, _) = called!("IMAP4rev1", [("UID FETCH", rows)], |folder| folder.snapshot());
    let error = snapshot.unwrap_err();
    assert_eq!((error.kind(), error.scope()), (Kind::Protocol, Scope::Folder));
    assert!(error.to_string().contains("message 3 of INBOX is listed without its flags"), "{error}");
}

#[tokio::test]
async fn a_second_snapshot_looks_for_news_first() {
    let rows = [
        (
            "UID FETCH",
            "* 1 FETCH (UID 2 FLAGS ())\r\n* 2 FETCH (UID 3 FLAGS ())\r\n* 3 FETCH (UID 4 FLAGS ())\r\n{tag} OK x\r\n",
        ),
        ("NOOP", "* 3 EXPUNGE\r\n* 2 EXPUNGE\r\n* 1 EXPUNGE\r\n* 0 EXISTS\r\n{tag} OK x\r\n"),
    ];
    let (both, commands) = called!("IMAP4rev1", rows, |folder| async {
        (folder.snapshot().await.unwrap().messages.len(), folder.snapshot().await.unwrap())
    });
    assert_eq!((both.0, both.1.messages.len(), both.1.cut_short), (3, 0, false));
    assert_eq!(commands, ["UID FETCH 1:* (UID FLAGS RFC822.SIZE)", "NOOP"]);
}

#[tokio::test]
async fn equal_changes_are_one_command() {
    let change = |add: Marks, remove: Marks| Change { add, remove };
    let edits = [
        (key(1), change(marks("S", &[]), marks("", &[]))),
        (key(3), change(marks("S", &[]), marks("F", &["work"]))),
        (key(2), change(marks("S", &[]), marks("", &[]))),
        (key(9), change(marks("P", &["$Junk"]), marks("", &[]))),
        (Key::new("no uid"), change(marks("S", &[]), marks("", &[]))),
        (key(5), Change::default()),
    ];
    let there = "* 1 FETCH (UID 1 FLAGS (\\Seen x))\r\n* 2 FETCH (UID 3)\r\n* 4 FETCH (UID 5 FLAGS ())\r\n* 5 FETCH (UID 9 FLAGS ($FORWARDED))\r\n{tag} OK x\r\n";
    let ((gone, unkept), commands) = called!("IMAP4rev1", [("UID FETCH", there)], |folder| async {
        (folder.edit(&edits).await, folder.take_unkept())
    });
    assert_eq!((gone.unwrap(), unkept), (vec![key(2), Key::new("no uid")], [(key(9), marks("", &["$Junk"]))].into()));
    assert_eq!(
        commands,
        [
            "UID STORE 9 +FLAGS.SILENT ($Forwarded $Junk)",
            "UID STORE 1:3 +FLAGS.SILENT (\\Seen)",
            "UID STORE 3 -FLAGS.SILENT (\\Flagged work)",
            "NOOP",
            "UID FETCH 1:3,5,9 (UID FLAGS)",
        ]
    );
    let refusal = [("UID STORE", "{tag} NO [LIMIT] too many keywords\r\n")];
    let (refused, _) = called!("IMAP4rev1", refusal, |folder| folder.edit(&edits));
    assert_eq!(refused.unwrap_err().scope(), Scope::Folder);
}

#[tokio::test]
async fn nothing_asked_for_is_nothing_done() {
    let (done, commands) = called!("IMAP4rev1", [], |folder| async {
        assert_eq!(folder.edit(&[]).await.unwrap(), []);
        assert_eq!(folder.remove(&[]).await.unwrap(), []);
        assert_eq!(folder.relocate(&[], &FolderName::inbox()).await.unwrap(), []);
        assert!(folder.identify(&[]).await.unwrap().is_empty());
        folder.append(std::iter::empty()).await.unwrap()
    });
    assert_eq!((done.len(), commands.len()), (0, 0), "{commands:?}");
}

#[tokio::test]
async fn removal_says_what_may_still_be_there() {
    let mark = "UID STORE 2,4 +FLAGS.SILENT (\\Deleted)";
    let (expunge, look) = ("UID EXPUNGE 2,4", "UID FETCH 2,4 (UID)");
    let set = "UID SEARCH RETURN (ALL) DELETED";
    for (capabilities, script, left, notes, commands) in [
        ("IMAP4rev1 UIDPLUS", vec![], vec![], 0, vec![mark, expunge, "NOOP", look]),
        // It says OK and does nothing.
        (
            "IMAP4rev1 UIDPLUS",
            vec![("UID FETCH", "* 2 FETCH (UID 4)\r\n{tag} OK x\r\n")],
            vec![4],
            0,
            vec![mark, expunge, "NOOP", look],
        ),
        (
            "IMAP4rev1",
            vec![("UID SEARCH", "* SEARCH 2 4\r\n{tag} OK x\r\n")],
            vec![],
            0,
            vec![mark, "UID SEARCH DELETED", "EXPUNGE", "NOOP", look],
        ),
        (
            "IMAP4rev1 ESEARCH",
            vec![("UID SEARCH", "* ESEARCH (TAG \"{tag}\") UID ALL 4,2\r\n{tag} OK x\r\n")],
            vec![],
            0,
            vec![mark, set, "EXPUNGE", "NOOP", look],
        ),
        // It tells the numbers of messages, or refuses what it offers, or knows of it but by name.
        (
            "IMAP4rev1 ESEARCH",
            vec![("UID SEARCH", "* ESEARCH (TAG \"{tag}\") ALL 4,2\r\n{tag} OK x\r\n")],
            vec![2, 4],
            1,
            vec![mark, set, "NOOP", look],
        ),
        (
            "IMAP4rev1 ESEARCH",
            vec![("UID SEARCH RETURN", "{tag} BAD eh\r\n"), ("UID SEARCH", "* SEARCH 4 2\r\n{tag} OK x\r\n")],
            vec![],
            0,
            vec![mark, set, "UID SEARCH DELETED", "EXPUNGE", "NOOP", look],
        ),
        (
            "IMAP4rev1 ESEARCH",
            vec![("UID SEARCH RETURN", "{tag} OK eh\r\n"), ("UID SEARCH", "* SEARCH 4 2\r\n{tag} OK x\r\n")],
            vec![],
            0,
            vec![mark, set, "UID SEARCH DELETED", "EXPUNGE", "NOOP", look],
        ),
        (
            "IMAP4rev1",
            vec![("UID SEARCH", "* SEARCH 2 4 9\r\n{tag} OK x\r\n")],
            vec![2, 4],
            1,
            vec![mark, "UID SEARCH DELETED", "NOOP", look],
        ),
    ] {
        let ((found, told), heard) = called!(capabilities, script, |folder| async {
            (folder.remove(&keys(&[4, 2])).await.unwrap(), folder.take_notes().len())
        });
        assert_eq!((found, told), (keys(&left), notes), "{capabilities} {script:?}");
        assert_eq!(heard, commands);
    }
}

const TREE: (&str, &str) = ("LIST", "* LIST () \"/\" INBOX\r\n* LIST () \"/\" \"Pr\u{fc}f\"\r\n{tag} OK x\r\n");
const TARGET: (&str, &str) = ("STATUS", "* STATUS \"b\" (UIDVALIDITY 5)\r\n{tag} OK x\r\n");

#[tokio::test]
async fn new_keys_are_believed_only_for_the_folder_that_was_meant() {
    let wanted = keys(&[4, 2, 9]);
    for (moved, target, expected) in [
        ("* OK [COPYUID 5 2,4,9 11:13] x\r\n{tag} OK x\r\n", TARGET.1, [Some(12), Some(11), Some(13)]),
        ("* OK [COPYUID 5 2,9 11:12] x\r\n{tag} OK x\r\n", TARGET.1, [None, Some(11), Some(12)]),
        ("{tag} OK [COPYUID 5 2,4,9 11:13] x\r\n", TARGET.1, [Some(12), Some(11), Some(13)]),
        ("* OK [COPYUID 7 2,4,9 11:13] x\r\n{tag} OK x\r\n", TARGET.1, [None; 3]),
        ("* OK [COPYUID 5 2,4,9 11:13] x\r\n{tag} OK x\r\n", "{tag} NO x\r\n", [None; 3]),
        ("* OK [COPYUID 5 1:99999 1:99999] x\r\n{tag} OK x\r\n", TARGET.1, [None; 3]),
        ("{tag} OK x\r\n", TARGET.1, [None; 3]),
    ] {
        let script = [TREE, ("STATUS", target), ("UID MOVE", moved)];
        let (keys, commands) =
            called!("IMAP4rev1 MOVE", script, |folder| folder.relocate(&wanted, &FolderName::parse("b").unwrap()));
        assert_eq!(keys.unwrap(), expected.map(|uid| uid.map(key)), "{moved}{target}");
        let expected = ["LIST \"\" \"*\"", "STATUS \"b\" (UIDVALIDITY)", "UID MOVE 2,4,9 \"b\""];
        assert_eq!(commands, expected);
    }
}

#[tokio::test]
async fn without_move_messages_are_copied_then_removed() {
    let copied = "{tag} OK [COPYUID 5 2 11] x\r\n";
    let script = [TREE, TARGET, ("UID COPY", copied)];
    let to = FolderName::parse("b").unwrap();
    let (found, commands) = called!("IMAP4rev1 UIDPLUS", script, |folder| folder.relocate(&keys(&[2, 4]), &to));
    assert_eq!(found.unwrap(), [Some(key(11)), None]);
    // Only what was copied goes.
    let expected =
        ["UID COPY 2,4 \"b\"", "UID STORE 2 +FLAGS.SILENT (\\Deleted)", "UID EXPUNGE 2", "NOOP", "UID FETCH 2 (UID)"];
    assert_eq!(commands[2..], expected);

    let script = [TREE, TARGET, ("UID COPY", "{tag} NO [TRYCREATE] no such folder\r\n")];
    let (refused, commands) = called!("IMAP4rev1 UIDPLUS", script, |folder| folder.relocate(&keys(&[2, 4]), &to));
    // Nothing is told of them, so they are gone.
    assert_eq!((refused.unwrap(), commands.len()), (vec![None, None], 5));
}

#[tokio::test]
async fn a_move_that_fails_for_those_that_are_gone_goes_on_with_the_others() {
    let script = [
        TREE,
        TARGET,
        ("UID MOVE 2,4,9", "* OK [COPYUID 5 9 13] x\r\n{tag} NO [EXPUNGEISSUED] some are gone\r\n"),
        ("UID MOVE 4", "* OK [COPYUID 5 4 14] x\r\n{tag} OK x\r\n"),
        ("UID FETCH", "* 1 FETCH (UID 4)\r\n{tag} OK x\r\n"),
    ];
    let to = FolderName::parse("b").unwrap();
    let (found, commands) = called!("IMAP4rev1 MOVE", script, |folder| folder.relocate(&keys(&[2, 4, 9]), &to));
    assert_eq!(found.unwrap(), [None, Some(key(14)), Some(key(13))]);
    let expected = ["UID MOVE 2,4,9 \"b\"", "NOOP", "UID FETCH 2,4,9 (UID)", "UID MOVE 4 \"b\""];
    assert_eq!(commands[2..], expected);
    // Where all of them are there, it is a refusal.
    let script = [TREE, TARGET, ("UID MOVE", "{tag} NO x\r\n"), ("UID FETCH", "* 1 FETCH (UID 4)\r\n{tag} OK x\r\n")];
    let (refused, commands) = called!("IMAP4rev1 MOVE", script, |folder| folder.relocate(&keys(&[4]), &to));
    assert_eq!((refused.unwrap_err().scope(), commands.len()), (Scope::Folder, 5));
}

#[tokio::test]
async fn a_read_only_folder_is_left_as_it_is() {
    let (pipe, task) = scripted("IMAP4rev1 MOVE", &[("SELECT", "* 3 EXISTS\r\n{tag} OK [READ-ONLY] x\r\n")]);
    let mut imap = logged_in(pipe).await.unwrap();
    let mut folder = imap.mailbox(&inbox(), true).await.unwrap();
    let change = Change { add: marks("S", &[]), remove: marks("", &[]) };
    let errors = [
        folder.edit(&[(key(1), change)]).await.unwrap_err(),
        folder.remove(&keys(&[1])).await.unwrap_err(),
        folder.relocate(&keys(&[1]), &FolderName::parse("b").unwrap()).await.unwrap_err(),
    ];
    assert!(folder.is_read_only() && errors.iter().all(|e| e.scope() == Scope::Folder));
    drop(imap);
    assert_eq!(heard(task).await, ["SELECT \"INBOX\""]);
}

#[tokio::test]
async fn what_arrived_since_is_listed() {
    let rows =
        "* 2 FETCH (UID 8 RFC822.SIZE 1)\r\n* 3 FETCH (UID 11 RFC822.SIZE 5)\r\n* 4 FETCH (UID 10)\r\n{tag} OK x\r\n";
    let (found, commands) = called!("IMAP4rev1", [("UID FETCH", rows)], |folder| folder.arrived_since(10));
    assert_eq!(found.unwrap(), [(key(10), None), (key(11), Some(5))]);
    assert_eq!(commands, ["UID FETCH 10:* (UID RFC822.SIZE)"], "it was opened just now");
    // What is not understood could be the very message.
    let rows = "* 2 FETCH (UID x)\r\n{tag} OK x\r\n";
    let (found, _) = called!("IMAP4rev1", [("UID FETCH", rows)], |folder| folder.arrived_since(10));
    assert_eq!(found.unwrap_err().kind(), Kind::Protocol);
}

#[tokio::test]
async fn one_open_folder_downloads_as_well() {
    let script = [
        (
            "UID FETCH 1:*",
            "* 1 FETCH (UID 2 FLAGS () RFC822.SIZE 3)\r\n* 2 FETCH (UID 3 FLAGS () RFC822.SIZE 3)\r\n* 3 FETCH (UID 4 FLAGS () RFC822.SIZE 3)\r\n{tag} OK x\r\n",
        ),
        ("UID FETCH 3", "* 2 FETCH (UID 3 FLAGS () BODY[] {3}\r\nabc)\r\n{tag} OK x\r\n"),
    ];
    let (arrived, commands) = called!("IMAP4rev1", script, |folder| async {
        folder.snapshot().await.unwrap();
        folder.expect_sizes([(Handle(3), Some(3))]);
        let mut arrived = Arrived::default();
        folder.retrieve(&[Handle(3)], &mut arrived).await.unwrap();
        arrived
    });
    assert_eq!(arrived.whole[0].2, b"abc");
    assert_eq!(commands[1..], ["UID FETCH 3 (UID INTERNALDATE FLAGS BODY.PEEK[])"]);
}

#[tokio::test]
async fn dates_are_asked_for_some_messages_alone() {
    let script = [(
        "UID FETCH 3,7",
        "* 1 FETCH (UID 3 INTERNALDATE \" 1-Jan-1970 00:00:01 +0000\")\r\n* 2 FETCH (UID 4 INTERNALDATE \" 1-Jan-1970 00:00:02 +0000\")\r\n\
         * 3 FETCH (UID 7 INTERNALDATE NIL)\r\n{tag} OK x\r\n",
    )];
    let (found, said) = called!("IMAP4rev1", script, |folder| folder.received_at(&keys(&[3, 7])));
    assert_eq!(found.unwrap(), [(key(3), 1)].into());
    assert_eq!(said, ["UID FETCH 3,7 (UID INTERNALDATE)"]);
}
