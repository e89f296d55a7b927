//! Sessions against a scripted other end.

mod listing;

use super::*;
use crate::mail::FolderName;
use crate::pop3::script::{Pipe, login, play, say, server};
use crate::retrieve::{Key, Listed};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// What became of one message.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Whole(u32, String),
    Refused(u32, String),
}

/// Keeps all it is given, or fails after so many octets.
#[derive(Default)]
struct Inbox {
    fates: Vec<Fate>,
    begun: Option<(u32, Option<u64>, Vec<u8>)>,
    full_at: Option<usize>,
}

impl Intake for Inbox {
    async fn begin(&mut self, handle: Handle, envelope: Envelope) -> Result<()> {
        assert!(self.begun.is_none());
        self.begun = Some((handle.0, envelope.size, Vec::new()));
        Ok(())
    }

    async fn chunk(&mut self, bytes: &[u8]) -> Result<()> {
        let (_, _, message) = self.begun.as_mut().unwrap();
        message.extend_from_slice(bytes);
        match self.full_at {
            Some(n) if message.len() > n => Err(Error::new(Kind::LocalIo, "disk full", "Free some space.")),
            _ => Ok(()),
        }
    }

    async fn end(&mut self) -> Result<()> {
        let (number, _, message) = self.begun.take().unwrap();
        self.fates.push(Fate::Whole(number, String::from_utf8_lossy(&message).into_owned()));
        Ok(())
    }

    async fn refused(&mut self, handle: Handle, reason: String) -> Result<()> {
        assert!(self.begun.is_none());
        self.fates.push(Fate::Refused(handle.0, reason));
        Ok(())
    }

    async fn gone(&mut self, handle: Handle) -> Result<()> {
        panic!("POP3 cannot tell that message {} is gone", handle.0)
    }
}

fn whole(number: u32, message: &str) -> Fate {
    Fate::Whole(number, message.to_owned())
}

fn handles(numbers: impl IntoIterator<Item = u32>) -> Vec<Handle> {
    numbers.into_iter().map(Handle).collect()
}

/// Everything up to the TRANSACTION state, on a server with these capabilities, or without CAPA.
fn logged_in(capabilities: Option<&str>) -> String {
    let capa = match capabilities {
        Some(all) => format!("S: +OK\nS: {}\nS: .", all.replace(' ', "\nS: ").replace('_', " ")),
        None => "S: -ERR".to_owned(),
    };
    format!("S: +OK\nC: CAPA\nS: -ERR\nC: USER me\nS: +OK\nC: PASS secret\nS: +OK\nC: CAPA\n{capa}\n")
}

async fn session(capabilities: Option<&str>, talk: &str) -> (Pop3<Pipe>, JoinHandle<String>) {
    session_with(&server(), capabilities, talk).await
}

async fn session_with(server: &Server, capabilities: Option<&str>, talk: &str) -> (Pop3<Pipe>, JoinHandle<String>) {
    let (pipe, peer) = play(&(logged_in(capabilities) + talk));
    let session = Pop3::start(Pipe::clear(pipe), server, &login(), AuthChoice::UserPass).await.unwrap();
    (session, peer)
}

const FULL: Option<&str> = Some("TOP UIDL PIPELINING");

#[tokio::test]
async fn what_the_ledger_is_filed_under() {
    let (pipe, _peer) = play(&logged_in(Some("LOGIN-DELAY_60 EXPIRE_7")));
    let server = Server { host: "MX.Example".to_owned(), ..server() };
    let s = Pop3::start(Pipe::clear(pipe), &server, &login(), AuthChoice::UserPass).await.unwrap();
    assert_eq!(s.source(), &SourceId { folder: FolderName::inbox(), scope: "pop3 me@mx.example".to_owned() });
    assert_eq!(s.login_delay(), Some(Duration::from_secs(60)));
    assert_eq!(s.abilities(), Abilities { headers_apart: false, firm_keys: false });
}

#[tokio::test]
async fn a_whole_session_pipelined() {
    let (mut s, peer) = session(
        FULL,
        "C: UIDL
         C: LIST
         S: +OK
         S: 1 aaa
         S: 2 bbb
         S: 3 ccc
         S: .
         S: +OK 3 messages
         S: 1 11
         S: 2 22
         S: 3 33
         S: .
         C: RETR 1
         C: RETR 2
         C: RETR 3
         S: +OK
         S: one
         S: .
         S: +OK
         S: ..
         S: ...two
         S: .
         S: +OK
         S: .
         C: DELE 1
         C: DELE 3
         S: +OK
         S: +OK
         C: QUIT
         S: +OK bye",
    )
    .await;
    let listing = s.list().await.unwrap();
    let rows: Vec<_> =
        listing.messages.iter().map(|m| (m.handle.0, m.key.clone().unwrap().to_string(), m.size)).collect();
    assert_eq!(rows, [(1, "aaa".into(), Some(11)), (2, "bbb".into(), Some(22)), (3, "ccc".into(), Some(33))]);
    assert_eq!(listing.notes, Vec::<String>::new());
    let mut inbox = Inbox::default();
    s.retrieve(&handles(1..=3), &mut inbox).await.unwrap();
    assert_eq!(inbox.fates, [whole(1, "one\r\n"), whole(2, ".\r\n..two\r\n"), whole(3, "")]);
    s.dispose(&handles([1, 3])).await.unwrap();
    assert_eq!(s.finish().await.unwrap(), Finished::default());
    assert_eq!(peer.await.unwrap(), "");
}

#[tokio::test]
async fn lock_step_where_pipelining_is_not_offered() {
    for (capabilities, pipelining) in [(None, true), (Some("TOP UIDL"), true), (FULL, false)] {
        let server = Server { pipelining, ..server() };
        let (mut s, peer) = session_with(
            &server,
            capabilities,
            "C: UIDL
             S: +OK
             S: 1 a
             S: 2 b
             S: .
             C: LIST
             S: +OK
             S: 1 3
             S: 2 3
             S: .
             C: RETR 2
             S: +OK
             S: x
             S: .
             C: RETR 1
             S: -ERR no such message
             C: NOOP
             S: +OK
             C: DELE 2
             S: +OK
             C: DELE 1
             S: -ERR \x07gone
             C: QUIT
             S: +OK",
        )
        .await;
        s.list().await.unwrap();
        let mut inbox = Inbox::default();
        s.retrieve(&handles([2, 1]), &mut inbox).await.unwrap();
        let reason = "the server refuses it: \u{201c}no such message\u{201d}";
        assert_eq!(inbox.fates, [whole(2, "x\r\n"), Fate::Refused(1, reason.to_owned())]);
        s.dispose(&handles([2, 1])).await.unwrap();
        let finished = s.finish().await.unwrap();
        assert_eq!(finished.notes, ["mx.example refused to delete 1 message: \u{201c}gone\u{201d}"]);
        assert_eq!(finished.left, handles([1]).into_iter().collect());
        assert_eq!(peer.await.unwrap(), "");
    }
}

#[tokio::test]
async fn the_window_follows_the_stated_sizes() {
    let (mut s, peer) = session(
        FULL,
        "C: UIDL
         C: LIST
         S: -ERR
         S: +OK
         S: 1 3000000
         S: 2 2000000
         S: 3 9000000
         S: 4 1
         S: .
         C: RETR 1
         S: +OK
         S: a
         S: .
         C: RETR 2
         S: +OK
         S: b
         S: .
         C: RETR 3
         S: +OK
         S: c
         S: .
         C: RETR 4
         S: +OK
         S: d
         S: .",
    )
    .await;
    let listing = s.list().await.unwrap();
    assert!(listing.messages.iter().all(|m| m.key.is_none() && m.size.is_some()));
    let mut inbox = Inbox::default();
    s.retrieve(&handles(1..=4), &mut inbox).await.unwrap();
    assert_eq!(inbox.fates.len(), 4);
    drop(s);
    assert_eq!(peer.await.unwrap(), "");
}

#[tokio::test]
async fn at_most_a_thousand_commands_are_under_way() {
    let mut talk = String::new();
    let commands =
        |range: std::ops::RangeInclusive<u32>| -> String { range.map(|n| format!("C: DELE {n}\n")).collect() };
    talk += &commands(1..=1000);
    talk += &"S: +OK\n".repeat(500);
    talk += &commands(1001..=1500);
    talk += &"S: +OK\n".repeat(1000);
    let (mut s, peer) = session(FULL, &talk).await;
    s.dispose(&handles(1..=1500)).await.unwrap();
    assert_eq!(s.deletions.marked.len(), 1500);
    drop(s);
    assert_eq!(peer.await.unwrap(), "");
}

#[tokio::test]
async fn a_refusal_in_the_middle_leaves_the_others_alone() {
    let (mut s, _peer) = session(
        FULL,
        "C: RETR 1
         C: RETR 2
         C: RETR 3
         S: +OK
         S: a
         S: .
         S: -ERR [SYS/PERM] damaged
         S: +OK
         S: c
         S: .",
    )
    .await;
    let mut inbox = Inbox::default();
    s.retrieve(&handles(1..=3), &mut inbox).await.unwrap();
    let reason = "the server refuses it: \u{201c}[SYS/PERM] damaged\u{201d}";
    assert_eq!(inbox.fates, [whole(1, "a\r\n"), Fate::Refused(2, reason.to_owned()), whole(3, "c\r\n")]);
}

#[tokio::test]
async fn the_farewell_of_a_server_is_not_held_against_a_message() {
    for talk in ["C: RETR 1\nC: RETR 2\nS: -ERR idle for too long", "C: RETR 1\nC: RETR 2\nS: -ERR\nS: -ERR\nC: NOOP"] {
        let (mut s, _peer) = session(FULL, talk).await;
        let mut inbox = Inbox::default();
        let e = s.retrieve(&handles(1..=2), &mut inbox).await.unwrap_err();
        assert_eq!(e.kind(), Kind::TryLater);
        assert!(!inbox.fates.iter().any(|f| matches!(f, Fate::Refused(2, _))));
        assert_eq!(inbox.fates.len(), usize::from(talk.contains("NOOP")));
    }
}

/// Greeting to TRANSACTION state on a server without CAPA, then these octets, whatever the client says.
async fn fed(octets: &[u8]) -> Pop3<Pipe> {
    fed_by("-ERR\r\n", octets).await
}

/// By a server that answers so to CAPA.
async fn fed_by(capa: &str, octets: &[u8]) -> Pop3<Pipe> {
    let all = [format!("+OK\r\n-ERR\r\n+OK\r\n+OK\r\n{capa}").as_bytes(), octets].concat();
    Pop3::start(Pipe::clear(say(&all)), &server(), &login(), AuthChoice::UserPass).await.unwrap()
}

#[tokio::test]
async fn octets_come_as_they_are() {
    let line = "x".repeat(20_000);
    let odd = format!("From me\r\n{line}\r\n\0\u{e9}\n.\nbare\r.\r\r\nno dot\r\n");
    let mut s = fed(format!("+OK\r\n{odd}.\r\n").as_bytes()).await;
    let mut inbox = Inbox::default();
    s.retrieve(&handles([1]), &mut inbox).await.unwrap();
    assert_eq!(inbox.fates, [whole(1, &odd)]);
}

#[tokio::test]
async fn a_server_that_ends_lines_with_lf_is_understood() {
    let mut s = fed(b"+OK\na\n..b\n.\n").await;
    let mut inbox = Inbox::default();
    s.retrieve(&handles([1]), &mut inbox).await.unwrap();
    assert_eq!(inbox.fates, [whole(1, "a\n.b\n")]);
}

#[tokio::test]
async fn an_endless_message_is_given_up() {
    for stated in [Some(10), None] {
        let mut s = fed(&[b"+OK\r\n".as_slice(), &b"spam\r\n".repeat(50_000)].concat()).await;
        s.limits = Limits { over: 1000, unstated: 1020 };
        s.sizes.extend(stated.map(|size| (Handle(1), size)));
        let mut inbox = Inbox::default();
        let e = s.retrieve(&handles([1]), &mut inbox).await.unwrap_err();
        assert_eq!((e.kind(), e.to_string().as_str()), (Kind::Protocol, "mx.example sent a message without end"));
        let (number, size, message) = inbox.begun.unwrap();
        assert_eq!((number, size), (1, stated));
        assert!(message.len() <= 1020, "{}", message.len());
    }
    assert_eq!(Limits::USUAL.of(Some(10)), 20 + (64 << 20));
    assert_eq!(Limits::USUAL.of(Some(u64::MAX)), u64::MAX);
    assert_eq!(Limits::USUAL.of(None), 1 << 30);
}

#[tokio::test]
async fn nothing_more_is_said_after_the_store_failed() {
    let (mut s, peer) =
        session(FULL, "C: DELE 9\nS: +OK\nC: RETR 1\nC: RETR 2\nS: +OK\nS: abc\nS: .\nS: +OK\nS: .").await;
    s.dispose(&handles([9])).await.unwrap();
    let mut inbox = Inbox { full_at: Some(2), ..Inbox::default() };
    let e = s.retrieve(&handles(1..=2), &mut inbox).await.unwrap_err();
    assert_eq!(e.to_string(), "disk full");
    assert_eq!(s.list().await.unwrap_err().kind(), Kind::TryLater);
    let e = s.finish().await.unwrap_err();
    assert_eq!(e.kind(), Kind::TryLater);
    assert_eq!(
        e.to_string(),
        "mx.example may not have deleted 1 message as asked: the session with mx.example broke off earlier"
    );
    assert_eq!(peer.await.unwrap(), "", "no QUIT, which would delete");
}

#[tokio::test]
async fn how_a_session_may_end() {
    let lost = Err(Kind::TryLater);
    for (talk, deleted, outcome) in [
        ("C: QUIT\nS: +OK", false, Ok(0)),
        ("C: QUIT\nS: -ERR", false, Ok(0)),
        ("C: QUIT", false, Ok(0)),
        ("", false, Ok(0)),
        ("C: DELE 1\nS: +OK\nC: QUIT\nS: +OK", true, Ok(0)),
        ("C: DELE 1\nS: +OK\nC: QUIT\nS: -ERR some were not", true, Ok(1)),
        ("C: DELE 1\nS: -ERR\nC: QUIT\nS: -ERR", true, Ok(1)),
        ("C: DELE 1\nS: -ERR\nC: QUIT", true, Ok(1)),
        ("C: DELE 1\nS: +OK\nC: QUIT", true, lost),
        ("C: DELE 1\nS: +OK", true, lost),
        ("C: DELE 1\nS: +OK\nC: QUIT\nS: what", true, Err(Kind::Protocol)),
    ] {
        let (mut s, _peer) = session(FULL, talk).await;
        if deleted {
            s.dispose(&handles([1])).await.unwrap();
        }
        let finished = s.finish().await.map(|f| f.notes.len()).map_err(|e| e.kind());
        assert_eq!(finished, outcome, "{talk}");
    }
}

#[tokio::test]
async fn a_link_that_drops_anywhere_is_an_error_and_never_a_message() {
    for pipelining in ["", "PIPELINING\r\n"] {
        let head = format!(
            "+OK hi\r\n-ERR\r\n+OK\r\n+OK\r\n+OK\r\n{pipelining}.\r\n+OK\r\n1 a\r\n2 b\r\n.\r\n+OK\r\n1 3\r\n2 5\r\n.\r\n"
        );
        let first = format!("{head}+OK\r\na\r\n.\r\n");
        let second = format!("{first}+OK\r\n..b\r\n\r\n.\r\n");
        let all = format!("{second}+OK\r\n+OK bye\r\n");
        for cut in 0..=all.len() {
            let mut inbox = Inbox::default();
            let run = async {
                let pipe = Pipe::clear(say(&all.as_bytes()[..cut]));
                let mut s = Pop3::start(pipe, &server(), &login(), AuthChoice::UserPass).await?;
                assert_eq!(s.list().await?.messages.len(), 2);
                s.retrieve(&handles(1..=2), &mut inbox).await?;
                s.dispose(&handles([1])).await?;
                s.finish().await
            };
            let outcome = timeout(Duration::from_secs(10), run).await.expect("no hang");
            if cut == all.len() {
                assert_eq!(outcome.unwrap(), Finished::default());
            } else {
                assert_eq!(outcome.unwrap_err().kind(), Kind::TryLater, "cut at {cut}");
            }
            let mut complete = Vec::new();
            complete.extend((cut >= first.len()).then(|| whole(1, "a\r\n")));
            complete.extend((cut >= second.len()).then(|| whole(2, ".b\r\n\r\n")));
            assert_eq!(inbox.fates, complete, "cut at {cut}");
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_a_server_says_the_session_ends(
        logged_in: bool,
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "+OK\r\n", "+OK\n", "-ERR\r\n", "+ \r\n", "+OK\r\n.\r\n", "1 5\r\n", "2 \u{ff}\r\n", ".\r\n", "..\r\n",
                "+OK\r\nPIPELINING\r\nTOP\r\n.\r\n", "+OK\r\n1 5\r\n.\r\n", "x\r\n", "\n", "\r", "\0", "", "-ERR [SYS/TEMP]\r\n",
            ]),
            0..40,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut inbox = Inbox::default();
        let run = async {
            let before = if logged_in { "+OK\r\n-ERR\r\n+OK\r\n+OK\r\n-ERR\r\n" } else { "" };
            let pipe = Pipe::clear(say(format!("{before}{}", words.concat()).as_bytes()));
            let mut s = Pop3::start(pipe, &server(), &login(), AuthChoice::UserPass).await?;
            s.list().await?;
            s.fingerprints(&handles(1..=2)).await?;
            s.retrieve(&handles(1..=2), &mut inbox).await?;
            s.dispose(&handles(1..=2)).await?;
            s.finish().await
        };
        let outcome = runtime.block_on(async { timeout(Duration::from_secs(10), run).await.expect("no hang") });
        match outcome {
            Ok(_) => proptest::prop_assert_eq!(inbox.fates.len(), 2),
            Err(e) => proptest::prop_assert!(matches!(e.kind(), Kind::TryLater | Kind::Protocol | Kind::Login)),
        }
    }
}
