//! Folders and their messages.

use super::*;
use crate::error::{Kind, Scope};
use crate::mail::{Fingerprint, FolderPattern, Marks};
use crate::retrieve::{Finished, Key, Retriever};
use std::sync::{Arc, Mutex};

const INBOX: &str = "INBOX";

fn pattern(text: &str) -> FolderPattern {
    FolderPattern::parse(text).unwrap()
}

/// What a test does to the answers of a [`Store`].
type Twist = Box<dyn FnMut(&str, &str, Vec<u8>) -> Vec<u8> + Send>;

/// Lists a folder of the store, retrieves all of it and disposes of `dispose`. Gives what arrived, the commands from
/// SELECT on, the store as it is then, and how it ended.
async fn pulled(store: Store, dispose: &[u32], mut twist: Twist) -> (Arrived, Vec<String>, Store, Result<Finished>) {
    let shared = Arc::new(Mutex::new(store));
    let at_server = shared.clone();
    let (pipe, task) = serve("* OK hi\r\n", usize::MAX, move |tag, command| {
        let out = at_server.lock().unwrap().answer(tag, command);
        twist(tag, command, out)
    });
    let mut arrived = Arrived::default();
    let mut imap = logged_in(pipe).await.unwrap();
    let folder = imap.folders(&[pattern(INBOX)]).await.unwrap().remove(0);
    let result = async {
        let mut folder = imap.open_folder(&folder, !dispose.is_empty()).await?;
        let handles: Vec<_> = folder.list().await?.messages.iter().map(|m| m.handle).collect();
        folder.retrieve(&handles, &mut arrived).await?;
        folder.dispose(&dispose.iter().map(|uid| Handle(*uid)).collect::<Vec<_>>()).await?;
        folder.finish().await
    };
    let result = result.await;
    drop(imap);
    let store = shared.lock().unwrap().clone();
    let commands = task.await.unwrap();
    let from = commands.iter().position(|c| c.starts_with("SELECT") || c.starts_with("EXAMINE")).unwrap();
    (arrived, commands[from..].to_vec(), store, result)
}

fn straight() -> Twist {
    Box::new(|_, _, out| out)
}

/// Puts text in the place of other text in answers to commands that contain `to`.
fn replacing(to: &'static str, old: &'static str, new: &'static str) -> Twist {
    Box::new(move |_, command, out| {
        if !command.contains(to) {
            return out;
        }
        String::from_utf8(out).unwrap().replace(old, new).into_bytes()
    })
}

/// Bytes that look like an answer in places and differ from part to part.
fn large(n: usize) -> Vec<u8> {
    (0..n).map(|i| b"abcdefg\r\n)0123"[(i + i / 70_000) % 14]).collect()
}

#[tokio::test]
async fn a_folder_is_pulled_without_a_change() {
    let mut store = Store::of(&[(3, b"one\r\n"), (4, b""), (4_294_967_295, b"three\r\n)\r\n")]);
    store.messages[0].flags = "\\Seen $Forwarded odd%flag".into();
    let (arrived, commands, _, result) = pulled(store, &[], straight()).await;
    assert_eq!(result.unwrap(), Finished::default());
    let got: Vec<_> =
        arrived.whole.iter().map(|(uid, e, b)| (*uid, e.marks.flags.letters(), e.received_at, &b[..])).collect();
    assert_eq!(
        got,
        [
            (3, "PS".into(), Some(60), &b"one\r\n"[..]),
            (4, String::new(), Some(60), b""),
            (u32::MAX, String::new(), Some(60), b"three\r\n)\r\n"),
        ]
    );
    assert_eq!(
        commands,
        [
            "EXAMINE \"INBOX\"",
            "UID FETCH 1:* (UID RFC822.SIZE)",
            "UID FETCH 3:4,4294967295 (UID INTERNALDATE FLAGS BODY.PEEK[])",
        ]
    );
}

#[tokio::test]
async fn an_empty_folder_is_not_listed() {
    let (arrived, commands, _, result) = pulled(Store::of(&[]), &[], straight()).await;
    result.unwrap();
    assert_eq!((arrived.uids(), commands), (vec![], vec!["EXAMINE \"INBOX\"".to_owned()]));
}

#[tokio::test]
async fn names_hold_as_long_as_uidvalidity() {
    for (code, scope, firm) in [
        ("[UIDVALIDITY 7]", "imap me@mail.example UIDVALIDITY=7", true),
        ("[UIDVALIDITY 0]", "imap me@mail.example", false),
        ("[UIDVALIDITY x]", "imap me@mail.example", false),
        ("[UNSEEN 1]", "imap me@mail.example", false),
        ("[UIDVALIDITY 7]\r\n* NO [UIDNOTSTICKY]", "imap me@mail.example UIDVALIDITY=7", false),
    ] {
        let mut store = Store::of(&[(5, b"x")]);
        let mut twist = replacing("EXAMINE", "[UIDVALIDITY 7]", code);
        let (pipe, _) = serve("* OK hi\r\n", usize::MAX, move |tag, command| {
            let out = store.answer(tag, command);
            twist(tag, command, out)
        });
        let mut imap = logged_in(pipe).await.unwrap();
        let folder = imap.folders(&[pattern(INBOX)]).await.unwrap().remove(0);
        let mut folder = imap.open_folder(&folder, false).await.unwrap();
        assert_eq!((folder.source().scope.as_str(), folder.abilities().firm_keys), (scope, firm), "{code}");
        let listing = folder.list().await.unwrap();
        assert_eq!(listing.messages[0].key, firm.then(|| Key::new("5")), "{code}");
    }
}

#[tokio::test]
async fn a_listing_takes_what_servers_put_into_it() {
    let rows = "* 2 FETCH (UID 9 RFC822.SIZE 30)\r\n* 1 FETCH (FLAGS (\\Seen))\r\n* 9 EXISTS\r\n* OK [ALERT] \u{fc}\r\n\
                * 1 FETCH (UID 8)\r\n* 1 EXPUNGE\r\n* 3 FETCH (UID 9 FLAGS ())\r\n* 4 FETCH (UID nine)\r\n\
                * VANISHED 1:4\r\nTAG OK x\r\n";
    let mut store = Store::of(&[(7, b""), (8, b""), (9, b""), (10, b"")]);
    let (pipe, _) = serve("* OK hi\r\n", usize::MAX, move |tag, command| match command {
        c if c.contains("RFC822.SIZE") => rows.replace("TAG", tag).into(),
        _ => store.answer(tag, command),
    });
    let mut imap = logged_in(pipe).await.unwrap();
    let folder = imap.folders(&[pattern(INBOX)]).await.unwrap().remove(0);
    let listing = imap.open_folder(&folder, false).await.unwrap().list().await.unwrap();
    let messages: Vec<_> = listing.messages.iter().map(|m| (m.handle.0, m.size)).collect();
    assert_eq!(messages, [(8, None), (9, Some(30))]);
    assert_eq!(listing.notes.len(), 2, "{:?}", listing.notes);
    assert!(listing.notes[0].contains("holds 3 messages but lists only 2"), "{:?}", listing.notes);
}

#[tokio::test]
async fn fingerprints_leave_out_what_is_refused() {
    let mut store = Store::of(&[(1, b"Message-ID: <1>\r\n\r\n"), (2, b"x\r\n"), (3, b"Message-ID: <3>\r\n\r\n")]);
    let (pipe, _) = serve("* OK hi\r\n", usize::MAX, move |tag, command| match command.split(' ').nth(2) {
        Some(set) if command.contains("HEADER.FIELDS") && contains(set, 2) => format!("{tag} NO x\r\n").into(),
        _ => store.answer(tag, command),
    });
    let mut imap = logged_in(pipe).await.unwrap();
    let folder = imap.folders(&[pattern(INBOX)]).await.unwrap().remove(0);
    let mut folder = imap.open_folder(&folder, false).await.unwrap();
    let found = folder.fingerprints(&[Handle(1), Handle(2), Handle(3)]).await.unwrap();
    let expected = [(Handle(1), &b"Message-ID: <1>\r\n\r\n"[..]), (Handle(3), b"Message-ID: <3>\r\n\r\n")];
    assert_eq!(found, expected.into_iter().map(|(h, b)| (h, Fingerprint::of_header(b))).collect());
}

#[tokio::test]
async fn large_messages_come_in_parts_and_in_their_turn() {
    let body = large(3_000_000);
    let store = Store::of(&[(1, b"a"), (2, &body), (3, b"c"), (4, &body[..2 << 20])]);
    let (arrived, commands, _, result) = pulled(store, &[], straight()).await;
    result.unwrap();
    assert_eq!(arrived.uids(), [1, 2, 3, 4]);
    assert!(arrived.whole[1].2 == body && arrived.whole[3].2 == body[..2 << 20]);
    assert!(arrived.largest_chunk <= 512 << 10);
    assert!(commands.contains(&"UID FETCH 2 (UID BODY.PEEK[]<524288.524288>)".to_owned()));
    let parts = |uid: u32| commands.iter().filter(|c| c.starts_with(&format!("UID FETCH {uid} "))).count();
    assert_eq!((parts(2), parts(4)), (6, 5));
}

#[tokio::test]
async fn sizes_that_lie_neither_truncate_nor_loop() {
    for (real, announced) in [
        (3_000_000, Some(100)),       // larger than a literal may be: read as NIL first
        (3_000_000, Some(2_000_000)), // more than announced
        (600_000, Some(9_000_000)),   // less
        (1_200_000, Some(1_048_576)),
        (0, Some(5_000_000)),
        (10, Some(0)),
    ] {
        let body = large(real);
        let mut store = Store::of(&[(1, &body)]);
        store.messages[0].size = announced;
        let (arrived, commands, _, result) = pulled(store, &[], straight()).await;
        result.unwrap();
        assert!(arrived.whole.len() == 1 && arrived.whole[0].2 == body, "{real} as {announced:?}");
        assert!(commands.len() < 30, "{commands:?}");
    }
}

#[tokio::test]
async fn a_server_that_knows_no_parts_is_told_from_one_that_does() {
    let ignoring = |limit: usize| -> Twist {
        Box::new(move |tag, command, out| {
            if !command.contains("BODY.PEEK[]<") {
                return out;
            }
            let body = large(limit);
            let head = format!("* 1 FETCH (UID 1 FLAGS () BODY[] {{{limit}}}\r\n");
            [head.as_bytes(), &body, format!(")\r\n{tag} OK x\r\n").as_bytes()].concat()
        })
    };
    for (size, whole) in [(1_500_000, true), (3_000_000, false)] {
        let store = Store::of(&[(1, &large(size))]);
        let (arrived, ..) = pulled(store, &[], ignoring(size)).await;
        assert_eq!((arrived.whole.len(), arrived.refused.len()), if whole { (1, 0) } else { (0, 1) });
        assert!(arrived.whole.iter().all(|w| w.2 == large(size)));
    }
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_a_message_leaves_the_others() {
    let body = large(3_000_000);
    let store = Store::of(&[(1, &body), (2, b"b")]);
    let twist: Twist = Box::new(|tag, command, out| match command.contains("<1048576.") {
        true => format!("{tag} NO [SERVERBUG] disk\r\n").into_bytes(),
        false => out,
    });
    let (arrived, _, _, result) = pulled(store, &[], twist).await;
    result.unwrap();
    assert_eq!(arrived.uids(), [2]);
    assert!(arrived.refused[0].1.contains("\u{201c}disk\u{201d}"), "{:?}", arrived.refused);
}

#[tokio::test]
async fn a_folder_that_is_not_counted_is_not_taken_for_empty() {
    let twist = replacing("EXAMINE", "* 1 EXISTS\r\n", "");
    let (_, _, _, result) = pulled(Store::of(&[(1, b"a")]), &[], twist).await;
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.scope()), (Kind::Protocol, Scope::Folder));
}

#[tokio::test]
async fn culprits_of_a_refused_set_are_found_one_by_one() {
    let store = Store::of(&[(1, b"a"), (2, b"b"), (3, b"c")]);
    let twist: Twist = Box::new(|tag, command, out| match command.split(' ').nth(2) {
        Some(set) if command.contains("BODY.PEEK") && contains(set, 2) => {
            let sent = if contains(set, 1) { "* 1 FETCH (UID 1 FLAGS () BODY[] {1}\r\na)\r\n" } else { "" };
            format!("{sent}{tag} NO [UNAVAILABLE] broken\r\n").into_bytes()
        }
        _ => out,
    });
    let (arrived, _, _, result) = pulled(store, &[], twist).await;
    result.unwrap();
    assert_eq!(arrived.uids(), [1, 3]);
    assert_eq!(arrived.refused[0].0, 2);
}

#[tokio::test]
async fn a_server_that_refuses_everything_is_left_for_later() {
    for (refusal, outcome) in
        [("NO [LIMIT] slow down", Some(Kind::TryLater)), ("BAD eh", Some(Kind::Protocol)), ("NO x", None)]
    {
        let bodies: Vec<(u32, &[u8])> = (1..=30).map(|uid| (uid, &b"x"[..])).collect();
        let twist: Twist = Box::new(move |tag, command, out| match command.contains("BODY.PEEK") {
            true => format!("{tag} {refusal}\r\n").into_bytes(),
            false => out,
        });
        let (arrived, _, _, result) = pulled(Store::of(&bodies), &[], twist).await;
        assert_eq!(result.as_ref().err().map(|e| (e.kind(), e.scope())), outcome.map(|k| (k, Scope::Folder)));
        assert_eq!(arrived.refused.len(), if outcome.is_some() { 9 } else { 30 });
    }
}

#[tokio::test]
async fn what_is_missing_from_an_answer_is_asked_for_again_or_refused() {
    let one = || Store::of(&[(1, b"body\r\n")]);
    for (to, old, new, expected) in [
        // Flags that do not come along are asked for apart.
        ("BODY.PEEK", "FLAGS ()", "X 1", Some(("", Some(60)))),
        ("BODY.PEEK", "FLAGS ()", "FLAGS NIL", Some(("", Some(60)))),
        ("FLAGS", "FLAGS ()", "X 1", None),
        ("FLAGS", "FLAGS ()", "FLAGS (\\Seen % \"\\*)", Some(("S", Some(60)))),
        // A date is worth nothing if it keeps the message from coming.
        ("BODY.PEEK", "\" 1-Jan-1970 00:01:00 +0000\"", "NIL", Some(("", None))),
        ("BODY.PEEK", "\" 1-Jan-1970 00:01:00 +0000\"", "\"never\"", Some(("", None))),
        ("INTERNALDATE", "INTERNALDATE", "INTERNALDATE )", Some(("", None))),
        ("BODY.PEEK", "{6}\r\nbody\r\n", "NIL", None),
        ("BODY.PEEK", "* 1 FETCH", "* 1 FITCH", None),
        ("BODY.PEEK", "UID 1 ", "", None),
        ("BODY.PEEK", "UID 1 ", "UID 2 ", None),
    ] {
        let (arrived, _, _, result) = pulled(one(), &[], replacing(to, old, new)).await;
        result.unwrap();
        let got = arrived.whole.iter().map(|w| (w.1.marks.flags.letters(), w.1.received_at)).next();
        assert_eq!(got, expected.map(|(f, d)| (f.to_owned(), d)), "{old} as {new}");
        assert!(arrived.whole.iter().all(|w| w.2 == b"body\r\n"));
        assert_eq!(arrived.refused.len(), usize::from(expected.is_none()), "{old} as {new}");
    }
}

#[tokio::test]
async fn a_quoted_body_is_unescaped() {
    let twist = replacing("BODY.PEEK", "{4}\r\na\"\\b", "\"a\\\"\\\\b\"");
    let (arrived, ..) = pulled(Store::of(&[(1, b"a\"\\b")]), &[], twist).await;
    assert_eq!(arrived.whole[0].2, b"a\"\\b");
}

#[tokio::test]
async fn unasked_news_between_messages_are_passed_over() {
    let store = Store::of(&[(1, b"a"), (2, b"b")]);
    let twist: Twist = Box::new(|_, command, out| match command.contains("BODY.PEEK[]") {
        true => {
            let news =
                "* 9 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n* X {2}\r\n)(\r\n";
            [news.as_bytes(), b"* 7 EXPUNGE\r\n* NO [ALERT] full\r\n", &out].concat()
        }
        false => out,
    });
    let (arrived, _, _, result) = pulled(store, &[], twist).await;
    result.unwrap();
    assert_eq!(arrived.uids(), [1, 2]);
    assert!(arrived.whole.iter().all(|w| w.1.marks == Marks::default()));
}

#[tokio::test]
async fn a_message_sent_twice_arrives_once() {
    let twist: Twist = Box::new(|_, command, out| match command.contains("BODY.PEEK[]") {
        true => {
            [b"* 1 FETCH (UID 1 FLAGS () BODY[] {1}\r\na)\r\n* 9 FETCH (UID 9 FLAGS () BODY[] {1}\r\nz)\r\n", &out[..]]
                .concat()
        }
        false => out,
    });
    let (arrived, _, _, result) = pulled(Store::of(&[(1, b"a"), (2, b"b")]), &[], twist).await;
    result.unwrap();
    assert_eq!(arrived.uids(), [1, 2]);
}

#[tokio::test]
async fn only_what_was_disposed_of_is_removed() {
    for (capabilities, dispose, others, left, notes) in [
        ("IMAP4rev1 UIDPLUS", &[1, 3][..], &[4][..], &[2, 4][..], 0),
        ("IMAP4rev2", &[1, 3], &[4], &[2, 4], 0),
        ("IMAP4rev1", &[1, 3], &[], &[2, 4], 0),
        ("IMAP4rev1", &[1, 3], &[4], &[1, 2, 3, 4], 1),
        ("IMAP4rev1", &[], &[4], &[1, 2, 3, 4], 0),
    ] {
        let mut store = Store::of(&[(1, b"a"), (2, b"b"), (3, b"c"), (4, b"d")]);
        store.capabilities = capabilities;
        store.messages.iter_mut().filter(|m| others.contains(&m.uid)).for_each(|m| m.flags.push_str("\\Deleted "));
        let (arrived, commands, store, result) = pulled(store, dispose, straight()).await;
        assert_eq!(arrived.uids(), [1, 2, 3, 4]);
        assert_eq!(result.unwrap().notes.len(), notes);
        assert_eq!(store.messages.iter().map(|m| m.uid).collect::<Vec<_>>(), left, "{capabilities}: {commands:?}");
        assert!(!commands.iter().any(|c| c == "CLOSE"));
        assert_eq!(commands[0], if dispose.is_empty() { "EXAMINE \"INBOX\"" } else { "SELECT \"INBOX\"" });
    }
}

#[tokio::test]
async fn nothing_is_removed_from_a_folder_that_is_read_only() {
    let twist = replacing("SELECT", "READ-WRITE", "READ-ONLY");
    let (_, commands, store, result) = pulled(Store::of(&[(1, b"a")]), &[1], twist).await;
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.scope(), store.messages.len()), (Kind::Unavailable, Scope::Folder, 1));
    assert!(!commands.iter().any(|c| c.contains("STORE")));
}

#[tokio::test]
async fn many_scattered_messages_make_many_short_commands() {
    let uids: Vec<u32> = (1..=400).map(|n| n * 1_000_003).collect();
    let bodies: Vec<(u32, &[u8])> = uids.iter().map(|uid| (*uid, &b"x"[..])).collect();
    let (arrived, commands, store, result) = pulled(Store::of(&bodies), &uids, straight()).await;
    result.unwrap();
    assert_eq!((arrived.uids(), store.messages.len()), (uids, 0));
    assert!(commands.len() > 15 && commands.iter().all(|c| c.len() < 2000));
}

#[tokio::test]
async fn an_error_of_the_store_comes_up_unchanged_and_the_session_lives_on() {
    let bodies: Vec<(u32, Vec<u8>)> = (1..=40).map(|uid| (uid, large(200_000))).collect();
    let mut store = Store::of(&bodies.iter().map(|(u, b)| (*u, &b[..])).collect::<Vec<_>>());
    let (pipe, _) = serve("* OK hi\r\n", usize::MAX, move |tag, command| store.answer(tag, command));
    let mut imap = logged_in(pipe).await.unwrap();
    let inbox = imap.folders(&[pattern(INBOX)]).await.unwrap().remove(0);
    let mut folder = imap.open_folder(&inbox, false).await.unwrap();
    let handles: Vec<_> = folder.list().await.unwrap().messages.iter().map(|m| m.handle).collect();
    let mut arrived = Arrived { full: true, ..Arrived::default() };
    assert_eq!(folder.retrieve(&handles, &mut arrived).await.unwrap_err().kind(), Kind::LocalIo);
    let mut arrived = Arrived::default();
    let mut folder = imap.open_folder(&inbox, false).await.unwrap();
    assert_eq!(folder.list().await.unwrap().messages.len(), 40);
    folder.retrieve(&handles[..1], &mut arrived).await.unwrap();
    assert_eq!(arrived.uids(), [1]);
}

#[tokio::test]
async fn a_missing_folder_is_told_with_close_names() {
    let mut store = Store::of(&[]);
    let (pipe, task) = serve("* OK hi\r\n", usize::MAX, move |tag, command| store.answer(tag, command));
    let mut imap = logged_in(pipe).await.unwrap();
    let folders = imap.folders(&[pattern("rust"), pattern("Lists/ruts"), pattern("Lists")]).await.unwrap();
    let mut errors = Vec::new();
    for folder in &folders {
        errors.push(imap.open_folder(folder, false).await.err().unwrap());
    }
    drop(imap);
    let told: Vec<_> = errors.iter().map(|e| (e.kind(), e.scope(), e.remedy().contains("Lists/rust"))).collect();
    let (unselectable, typo, short) = (told[0], told[1], told[2]);
    assert_eq!(typo, (Kind::Config, Scope::Folder, true));
    assert_eq!(short, (Kind::Config, Scope::Folder, true));
    assert_eq!((unselectable.0, unselectable.1), (Kind::Config, Scope::Folder));
    let commands = task.await.unwrap();
    assert!(commands.contains(&"EXAMINE \"Lists/ruts\"".to_owned()), "{commands:?}");
}

#[tokio::test]
async fn a_name_that_is_no_text_goes_back_as_it_came() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let (near, far) = tokio::io::duplex(4096);
    let seen = sent.clone();
    let task = tokio::spawn(async move {
        let mut far = BufReader::new(far);
        far.write_all(b"* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n").await.unwrap();
        for reply in
            [&b"* LIST () \"/\" \"Stra\xdfe\"\r\nA0002 OK x\r\n"[..], b"+ go\r\n", b"* 0 EXISTS\r\nA0003 OK x\r\n"]
        {
            let mut line = Vec::new();
            far.read_until(b'\n', &mut line).await.unwrap();
            seen.lock().unwrap().push(line);
            far.write_all(reply).await.unwrap();
        }
    });
    let pipe = Pipe { inner: near, encrypted: true };
    let mut imap = Imap::over(pipe, &server(TlsMode::None), &me(), AuthChoice::Auto).await.unwrap();
    let folder = imap.folders(&[pattern("Stra*")]).await.unwrap().remove(0);
    imap.open_folder(&folder, false).await.unwrap();
    task.await.unwrap();
    assert_eq!(sent.lock().unwrap()[1..], [b"A0003 EXAMINE {6}\r\n".to_vec(), b"Stra\xdfe\r\n".to_vec()]);
}
