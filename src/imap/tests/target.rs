//! A folder as a store to deliver into.

use super::mailbox::{inbox, marks};
use super::*;
use crate::error::{Error, Kind, Result};
use crate::imap::{Imap, ImapTarget, Lines};
use crate::store::{Draft, Place, Prepared, Store as _};
use std::future::Future;
use std::pin::Pin;

const SELECTED: (&str, &str) = (
    "SELECT",
    "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 4000000000] x\r\n\
     * OK [PERMANENTFLAGS (\\Seen \\Flagged old)] x\r\n{tag} OK [READ-WRITE] x\r\n",
);

async fn target(script: &[(&'static str, &'static str)]) -> (Result<ImapTarget<Pipe>>, JoinHandle<Vec<String>>) {
    let (pipe, task) = scripted("IMAP4rev1 LITERAL+", &[script, &[SELECTED]].concat());
    let opener = || -> Pin<Box<dyn Future<Output = Result<Imap<Pipe>>> + Send>> {
        Box::pin(async { Err(Error::new(Kind::TryLater, "too many connections", "r")) })
    };
    let lines = Lines::with(logged_in(pipe).await.unwrap(), Box::new(opener), 1);
    (ImapTarget::open(&lines, &inbox(), true).await, task)
}

fn staged(target: &ImapTarget<Pipe>, n: u32) -> <<ImapTarget<Pipe> as crate::store::Store>::Draft as Draft>::Staged {
    let envelope = Envelope { marks: marks("FP", &["new", "old"]), received_at: Some(60), size: None };
    let mut draft = target.draft(&envelope).unwrap();
    draft.write(format!("Message-ID: <{n}>\r\n\r\n").as_bytes()).unwrap();
    draft.finish().unwrap().0
}

fn asked(commands: &[String], start: &str) -> usize {
    commands.iter().filter(|c| c.starts_with(start)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn places_follow_what_is_there_and_refusals_stand_alone() {
    let script = [
        ("UID FETCH * ", "* 3 FETCH (UID 8)\r\n{tag} OK x\r\n"),
        ("APPEND", "{tag} OK [APPENDUID 7 9] x\r\n"),
        ("APPEND", "{tag} NO [LIMIT] too large\r\n"),
        ("APPEND", "{tag} OK [APPENDUID 7 11] x\r\n"),
        ("APPEND", "{tag} OK x\r\n"),
    ];
    let (target, task) = target(&script).await;
    let target = target.unwrap();
    let prepared = target.prepare((1..=3).map(|n| staged(&target, n)).collect()).unwrap();
    assert!(prepared.places().iter().all(|p| p.0.starts_with("7:9+19 ")), "{:?}", prepared.places());
    assert_eq!(prepared.marks()[0], marks("F", &["old"]));
    let refusals = target.publish(prepared).unwrap();
    assert_eq!(refusals.iter().map(|r| r.at).collect::<Vec<_>>(), [1]);
    assert!(refusals[0].reason.contains("too large"), "{refusals:?}");

    // What APPENDUID told needs no question; what it did not tell does.
    let prepared = target.prepare(vec![staged(&target, 4)]).unwrap();
    assert!(prepared.places()[0].0.starts_with("7:12+19 "), "{:?}", prepared.places());
    assert!(target.publish(prepared).unwrap().is_empty());
    let again = target.prepare(vec![staged(&target, 5)]).unwrap();
    assert!(again.places()[0].0.starts_with("7:9+19 "));
    let notes = target.take_notes();
    assert_eq!(notes, ["INBOX: mail.example cannot keep these flags, which are left out: $Forwarded, new."]);
    assert!(target.take_notes().is_empty());
    drop(target);
    let commands = heard(task).await;
    assert_eq!((asked(&commands, "UID FETCH * "), asked(&commands, "SELECT")), (2, 1));
    let appended = commands.iter().find(|c| c.starts_with("APPEND")).unwrap();
    assert!(
        appended.starts_with("APPEND \"INBOX\" (\\Flagged old) \" 1-Jan-1970 00:01:00 +0000\" {19+}"),
        "{appended}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_is_waited_for() {
    const ONE: &str = "* 4 FETCH (UID 9 RFC822.SIZE 19)\r\n{tag} OK x\r\n";
    let script = [
        ("UID FETCH 9:* ", "* 3 FETCH (UID 8 RFC822.SIZE 19)\r\n{tag} OK x\r\n"),
        ("UID FETCH 9:* ", ONE),
        (
            "UID FETCH 9 ",
            "* 4 FETCH (UID 9 RFC822.SIZE 25 BODY[HEADER.FIELDS (MESSAGE-ID)] {19}\r\nMessage-ID: <1>\r\n\r\n)\r\n{tag} OK x\r\n",
        ),
    ];
    let (target, task) = target(&script).await;
    let target = target.unwrap();
    let place = |n: u32, uidnext: u32| {
        let content = {
            let mut digester = crate::mail::Digester::default();
            digester.update(format!("Message-ID: <{n}>\r\n\r\n").as_bytes());
            digester.finish().1
        };
        let hex: String = content.fingerprint.0.iter().map(|b| format!("{b:02x}")).collect();
        (Place(format!("7:{uidnext}+19 {hex}")), content.digest)
    };
    // Its size is stated wrongly; the other one never came, and a place of another store names nothing here.
    let arriving = [place(1, 9), place(2, 9), (Place("cur/1.a:2,S".into()), place(1, 9).1)];
    assert_eq!(target.settle(&arriving, &[]).unwrap(), [true, false, false]);
    drop(target);
    let commands = heard(task).await;
    // Nothing, one, and once more one.
    assert_eq!(asked(&commands, "UID FETCH 9:* "), 3, "{commands:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_takes_nothing_is_told_at_once() {
    let read_only = [("SELECT", "* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n{tag} OK [READ-ONLY] x\r\n")];
    let (refused, _) = target(&read_only).await;
    let e = refused.unwrap_err();
    assert_eq!(e.kind(), Kind::Unavailable);
    assert!(e.to_string().contains("nothing can be put there"), "{e}");

    let full = [("UID FETCH * ", "{tag} OK x\r\n"), ("APPEND", "{tag} NO [OVERQUOTA] full\r\n")];
    let (target, _task) = target(&full).await;
    let target = target.unwrap();
    let prepared = target.prepare((1..=12).map(|n| staged(&target, n)).collect()).unwrap();
    let e = target.publish(prepared).unwrap_err();
    assert!(e.to_string().contains("takes no message into INBOX"), "{e}");
    assert_eq!(e.kind().exit_code(), 2, "messages were left");
}
