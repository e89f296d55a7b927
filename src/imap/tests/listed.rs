//! Folders that are opened and listed in one.

use super::mailbox::inbox;
use super::*;
use crate::imap::{Folder, Inbox};
use crate::mail::FolderName;
use crate::retrieve::Retriever;

const EXAMINED: (&str, &str) = ("EXAMINE", "* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n{tag} OK x\r\n");
const TWO: (&str, &str) =
    ("UID FETCH", "* 1 FETCH (UID 8 RFC822.SIZE 30)\r\n* 2 FETCH (UID 9 RFC822.SIZE 40)\r\n{tag} OK x\r\n");
const REFUSED: (&str, &str) = ("UID FETCH", "{tag} BAD x\r\n");

/// Messages and notes of a listing, or the error, and what was asked.
async fn listed(folder: &Folder, script: &[(&'static str, &'static str)]) -> (String, Vec<String>) {
    let (pipe, task) = scripted("IMAP4rev1", script);
    let mut imap = logged_in(pipe).await.unwrap();
    let listing = async { imap.open_listed(folder, false).await?.list().await };
    let told = match listing.await {
        Ok(l) => {
            format!("{:?} {}", l.messages.iter().map(|m| (m.handle.0, m.size)).collect::<Vec<_>>(), l.notes.concat())
        }
        Err(e) => e.to_string(),
    };
    drop(imap);
    (told, heard(task).await)
}

#[tokio::test]
async fn a_folder_is_listed_as_it_is_opened() {
    const NEWS: (&str, &str) =
        ("UID FETCH", "* 2 FETCH (UID 9 RFC822.SIZE 40)\r\n* 3 EXISTS\r\n* 1 EXPUNGE\r\n{tag} OK x\r\n");
    const LESS: (&str, &str) = ("UID FETCH", "* 2 FETCH (UID 9)\r\n* 3 EXISTS\r\n{tag} OK x\r\n");
    const EMPTY: (&str, &str) = ("EXAMINE", "* 0 EXISTS\r\n{tag} OK x\r\n");
    const CLOSED: (&str, &str) = ("EXAMINE", "{tag} NO [UNAVAILABLE] later\r\n");
    for (script, expected, asked) in [
        (&[EXAMINED, TWO][..], "[(8, Some(30)), (9, Some(40))] ", 2),
        // Mail that comes and goes meanwhile.
        (&[EXAMINED, NEWS], "[(9, Some(40))] ", 2),
        (
            &[EXAMINED, LESS],
            "[(9, None)] INBOX: the server says that it holds 2 messages but lists only 1 of them; the others stay there.",
            2,
        ),
        (&[EMPTY, REFUSED], "[] ", 2),
        // One that takes no command before the first has ended is asked again.
        (&[EXAMINED, REFUSED, TWO], "[(8, Some(30)), (9, Some(40))] ", 3),
        (&[EXAMINED, REFUSED], "mail.example refused to list the messages of INBOX: \u{201c}x\u{201d}", 3),
        (&[CLOSED, REFUSED], "mail.example refused to open the folder INBOX: \u{201c}later\u{201d}", 2),
        (&[CLOSED, TWO], "mail.example refused to open the folder INBOX: \u{201c}later\u{201d}", 2),
    ] {
        let (told, commands) = listed(&inbox(), script).await;
        assert_eq!((told.as_str(), commands.len()), (expected, asked), "{commands:?}");
    }
}

#[tokio::test]
async fn a_name_that_goes_as_a_literal_is_sent_first() {
    let folder = Folder::new(FolderName::inbox(), b"Stra\xdfe".to_vec());
    let (told, commands) = listed(&folder, &[EXAMINED, TWO]).await;
    assert_eq!(told, "[(8, Some(30)), (9, Some(40))] ");
    assert_eq!((commands.len(), commands[1].as_str()), (2, "UID FETCH 1:* (UID RFC822.SIZE)"));
}

#[tokio::test]
async fn the_inbox_is_opened_along_with_the_list_of_folders() {
    const LIST: (&str, &str) = ("LIST", "* LIST () \"/\" inbox\r\n* LIST () \"/\" Sent\r\n{tag} OK x\r\n");
    const SELECTED: (&str, &str) = ("SELECT", "* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n{tag} OK [READ-WRITE] x\r\n");
    const CLOSED: (&str, &str) = ("EXAMINE", "{tag} NO [UNAVAILABLE] later\r\n");
    let sent = Folder::new(FolderName::parse("Sent").unwrap(), b"Sent".to_vec());
    let (listed, changed) = (Inbox::Listed, Inbox::Open { writable: true });
    for (along, folder, writable, examined, more) in [
        (listed, inbox(), false, EXAMINED, &[][..]),
        (changed, inbox(), true, EXAMINED, &["UID FETCH"]),
        // It was opened in vain.
        (listed, sent.clone(), false, EXAMINED, &["EXAMINE", "UID FETCH"]),
        (listed, inbox(), true, EXAMINED, &["SELECT", "UID FETCH"]),
        (changed, sent, false, EXAMINED, &["EXAMINE", "UID FETCH"]),
        (listed, inbox(), false, CLOSED, &["EXAMINE", "UID FETCH"]),
    ] {
        let (pipe, task) = scripted("IMAP4rev1", &[LIST, SELECTED, examined, TWO]);
        let mut imap = logged_in(pipe).await.unwrap();
        let tree = imap.tree_and_inbox(true, along).await.unwrap();
        assert_eq!(tree.folders().map(|f| f.name.to_string()).collect::<Vec<_>>(), ["INBOX", "Sent"]);
        let open = async { imap.open_listed(&folder, writable).await?.list().await };
        let found = open.await.map(|l| l.messages.len()).ok();
        assert_eq!(found, (examined != CLOSED).then_some(2));
        drop(imap);
        let commands = heard(task).await;
        let (first, others) = commands.split_at(if along == listed { 4 } else { 3 });
        assert!(first[2].ends_with(" INBOX"), "{commands:?}");
        let starts: Vec<bool> = others.iter().zip(more).map(|(command, start)| command.starts_with(start)).collect();
        assert_eq!(starts, vec![true; more.len()], "{commands:?}");
        assert_eq!(others.len(), more.len(), "{commands:?}");
    }
}
