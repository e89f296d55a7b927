//! Whatever breaks, and wherever: never success.

use super::*;
use crate::error::Kind;
use crate::imap::command::Command;
use crate::imap::session::Session;
use crate::mail::FolderPattern;
use crate::retrieve::Retriever;

/// A whole session but for LOGOUT; whether both messages arrived, and the bytes that did.
async fn pull(pipe: Pipe, arrived: &mut Arrived) -> Result<()> {
    let mut imap = logged_in(pipe).await?;
    let folders = imap.folders(&[FolderPattern::parse("*").unwrap()]).await?;
    let mut folder = imap.open_folder(&folders[0], true).await?;
    let handles: Vec<_> = folder.list().await?.messages.iter().map(|m| m.handle).collect();
    folder.fingerprints(&handles).await?;
    folder.retrieve(&handles, arrived).await?;
    folder.dispose(&handles).await?;
    folder.finish().await.map(drop)
}

const BODIES: [(u32, &[u8]); 2] = [(3, b"Subject: a\r\n\r\nx)\r\nA0009 OK\r\n"), (9, b"Subject: b\r\n\r\n")];

#[tokio::test]
async fn a_connection_cut_at_any_byte_is_an_error() {
    let mut store = Store::of(&BODIES);
    let mut total = "* OK hi\r\n".len();
    let counted = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = counted.clone();
    let (pipe, task) = serve("* OK hi\r\n", usize::MAX, move |tag, command| {
        let out = store.answer(tag, command);
        count.fetch_add(out.len(), std::sync::atomic::Ordering::Relaxed);
        out
    });
    let mut arrived = Arrived::default();
    pull(pipe, &mut arrived).await.unwrap();
    assert_eq!((arrived.uids(), task.await.unwrap().len()), (vec![3, 9], 9));
    total += counted.load(std::sync::atomic::Ordering::Relaxed);
    for budget in 0..total {
        let mut store = Store::of(&BODIES);
        let (pipe, _) = serve("* OK hi\r\n", budget, move |tag, command| store.answer(tag, command));
        let mut arrived = Arrived::default();
        let error = pull(pipe, &mut arrived).await.expect_err(&format!("cut after {budget} octets"));
        assert_eq!(error.kind(), Kind::TryLater, "cut after {budget} octets: {error}");
        for (uid, _, bytes) in arrived.whole {
            assert!(BODIES.contains(&(uid, &bytes)), "cut after {budget} octets");
        }
    }
}

#[tokio::test]
async fn a_refusal_of_any_command_is_an_error_or_a_refused_message() {
    for refusal in ["NO x", "NO [UNAVAILABLE] x", "BAD x"] {
        for at in 0..9 {
            let (mut store, mut n) = (Store::of(&BODIES), 0);
            let (pipe, _) = serve("* OK hi\r\n", usize::MAX, move |tag, command| {
                n += 1;
                // From its time on, so that asking again does not help.
                let same = at == 6 && n > at && command.contains("BODY.PEEK[]");
                if n == at + 1 || same { format!("{tag} {refusal}\r\n").into() } else { store.answer(tag, command) }
            });
            let mut arrived = Arrived::default();
            let result = pull(pipe, &mut arrived).await;
            let refused: Vec<u32> = arrived.refused.iter().map(|r| r.0).collect();
            match at {
                // Fingerprints that are refused are asked for again, one by one.
                5 => result.unwrap(),
                6 => assert_eq!((result.is_ok(), refused), (true, vec![3, 9])),
                _ => assert!(result.is_err(), "{refusal} to command {at}"),
            }
        }
    }
}

#[tokio::test]
async fn a_farewell_at_any_command_is_an_error() {
    for (farewell, kind) in [("* BYE shutting down\r\n", Kind::TryLater), ("* BYE [EXPIRED] x\r\n", Kind::Login)] {
        for at in 0..9 {
            let (mut store, mut n) = (Store::of(&BODIES), 0);
            let (pipe, _) = serve("* OK hi\r\n", usize::MAX, move |tag, command| {
                n += 1;
                // Even with an OK behind it.
                if n == at + 1 { format!("{farewell}{tag} OK x\r\n").into() } else { store.answer(tag, command) }
            });
            let error = pull(pipe, &mut Arrived::default()).await.unwrap_err();
            assert_eq!(error.kind(), kind, "at command {at}: {error}");
        }
    }
}

#[tokio::test]
async fn a_server_that_never_ends_a_line_is_given_up() {
    let (pipe, _) = serve("* OK hi\r\n", usize::MAX, |_, _| vec![b'x'; 9 << 20]);
    assert_eq!(pull(pipe, &mut Arrived::default()).await.unwrap_err().kind(), Kind::Protocol);
}

#[tokio::test]
async fn nothing_hangs_on_the_answer_to_logout() {
    for farewell in ["* BYE x\r\nA0003 OK x\r\n", "* BYE x\r\n", "* OK x\r\n", "A0003 NO x\r\n", "x\r\n", ""] {
        let greeting = "* OK [CAPABILITY IMAP4rev1] hi\r\n";
        let inside = "A0002 OK [CAPABILITY IMAP4rev1] in\r\n";
        let budget = greeting.len() + inside.len() + farewell.len();
        let (pipe, task) = serve(greeting, budget, move |_, command| match command {
            // The blank line is beyond the budget, so the server hangs up.
            "LOGOUT" => format!("{farewell}\r\n").into(),
            _ => inside.into(),
        });
        logged_in(pipe).await.unwrap().logout().await;
        assert_eq!(task.await.unwrap(), ["LOGIN \"me\" \"pass\"", "LOGOUT"]);
    }
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let endless = format!("* 1 FETCH (UID 9 X \"{}\")\r\n", "x".repeat(99_000)).into_bytes();
    let (near, mut far) = tokio::io::duplex(1 << 20);
    let feed = tokio::spawn(async move { while far.write_all(&endless).await.is_ok() {} });
    let mut session = Session::over(near, &server(TlsMode::None)).await.unwrap();
    let mut rows = 0;
    let e = session.attempt(Command::new("UID FETCH 1:* (UID)"), |_| rows += 1).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Protocol);
    assert!(e.to_string().ends_with("it sent an answer without end"), "{e}");
    assert!((80..90).contains(&rows), "{rows}");
    drop(session);
    feed.await.unwrap();
}

#[tokio::test]
async fn the_message_on_which_the_session_broke_off_is_told_and_the_order_is_kept() {
    for (body, wanted, whole, open) in [
        (&b"small"[..], [1, 2, 3], &[1][..], 2),
        (b"small", [1, 3, 2], &[1, 3], 2),
        (&[b'x'; (1 << 20) + 1], [1, 3, 2], &[1, 3], 2),
    ] {
        let mut store = Store::of(&[(1, body), (2, body), (3, body)]);
        let (pipe, task) = serve("* OK hi\r\n", usize::MAX, move |tag, command| {
            let mut out = store.answer(tag, command);
            if command.contains("BODY")
                && let Some(at) = memchr::memmem::find(&out, b"FETCH (UID 2")
            {
                // The line is cut in the middle of the message.
                out.truncate(at + 70);
                out.extend_from_slice(b"\r\n* BYE\r\n".repeat(100_000).as_slice());
            }
            out
        });
        let mut imap = logged_in(pipe).await.unwrap();
        let folders = imap.folders(&[FolderPattern::parse("INBOX").unwrap()]).await.unwrap();
        let mut folder = imap.open_folder(&folders[0], false).await.unwrap();
        folder.list().await.unwrap();
        let mut arrived = Arrived::default();
        folder.retrieve(&wanted.map(Handle), &mut arrived).await.unwrap_err();
        assert_eq!((arrived.uids(), arrived.open.map(|o| o.0.0)), (whole.to_vec(), Some(open)));
        drop(imap);
        task.await.unwrap();
    }
}
