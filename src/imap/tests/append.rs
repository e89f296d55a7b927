//! Messages on their way to a server.

use super::mailbox::{SELECT, inbox, key, marks};
use super::*;
use crate::error::{Error, Kind};
use crate::imap::Appended;
use crate::mail::Key;
use crate::retrieve::Retriever;
use crate::store::Outgoing;
use std::future::{Future, poll_fn};
use std::pin::pin;

pub(super) fn outgoing(n: u32, body: &[u8]) -> Outgoing {
    let body = body.to_vec();
    Outgoing {
        key: Key::new(format!("m{n}")),
        marks: marks("", &[]),
        received_at: None,
        size: body.len() as u64,
        body: Box::new(io::Cursor::new(body)),
    }
}

/// Several connections work on threads of their own.
pub(super) fn sendable<F: Future + Send>(work: F) -> F {
    work
}

pub(super) type Results = Vec<(String, Appended)>;

/// Adds messages to a folder of a scripted server. Gives what came of them and the commands from the first on.
pub(super) async fn added(
    capabilities: &'static str,
    script: &[(&'static str, &'static str)],
    messages: Vec<Result<Outgoing>>,
) -> (Result<Results>, Vec<String>) {
    let (pipe, task) = scripted(capabilities, &[script, &[SELECT]].concat());
    let mut imap = logged_in(pipe).await.unwrap();
    let mut folder = imap.mailbox(&inbox(), true).await.unwrap();
    let done = sendable(folder.append(messages.into_iter())).await;
    drop(imap);
    let named = done.map(|done| done.into_iter().map(|(k, a)| (k.to_string(), a)).collect());
    (named, heard(task).await.split_off(1))
}

pub(super) fn fates(results: &Results) -> String {
    let fate = |(key, appended): &(String, Appended)| match appended {
        Appended::As(as_key) => format!("{key}={as_key}"),
        Appended::Somewhere => format!("{key}?"),
        Appended::Refused(_) => format!("{key}!"),
    };
    results.iter().map(fate).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn marks_date_and_bytes_go_along() {
    for (capabilities, plus) in [("IMAP4rev1 LITERAL+", "+"), ("IMAP4rev1 LITERAL-", "+"), ("IMAP4rev1", "")] {
        let first =
            Outgoing { marks: marks("FS", &["work"]), received_at: Some(60), ..outgoing(1, b"a\r\n\r\n{3}\r\n") };
        let messages = vec![Ok(first), Ok(outgoing(2, b"")), Ok(outgoing(3, b"c"))];
        let (done, commands) = added(
            capabilities,
            &[
                ("APPEND", "{tag} OK [APPENDUID 7 11] x\r\n"),
                ("APPEND", "{tag} OK [APPENDUID 7 12] x\r\n"),
                ("APPEND", "{tag} OK [APPENDUID 7 13] x\r\n"),
            ],
            messages,
        )
        .await;
        assert_eq!(fates(&done.unwrap()), "m1=11 m2=12 m3=13", "{capabilities}");
        assert_eq!(
            commands,
            [
                format!(
                    "APPEND \"INBOX\" (\\Flagged \\Seen work) \" 1-Jan-1970 00:01:00 +0000\" {{10{plus}}}\r\na\r\n\r\n{{3}}"
                ),
                format!("APPEND \"INBOX\" {{0{plus}}}"),
                format!("APPEND \"INBOX\" {{1{plus}}}\r\nc"),
            ]
        );
    }
}

#[tokio::test]
async fn a_large_literal_is_asked_for_where_only_small_ones_are_taken_unasked() {
    let large = vec![b'x'; 4097];
    let messages = vec![Ok(outgoing(1, &large[1..])), Ok(outgoing(2, &large)), Ok(outgoing(3, b"c"))];
    let (done, commands) = added("IMAP4rev1 LITERAL-", &[], messages).await;
    assert_eq!(fates(&done.unwrap()), "m1? m2? m3?");
    let sizes: Vec<_> = commands.iter().map(|c| c.split("\r\n").next().unwrap()).collect();
    assert_eq!(sizes, ["APPEND \"INBOX\" {4096+}", "APPEND \"INBOX\" {4097}", "APPEND \"INBOX\" {1+}"]);
}

#[tokio::test]
async fn a_key_is_believed_only_if_it_can_be_one() {
    for (first, second, expected) in [
        ("[APPENDUID 7 11]", "[APPENDUID 7 12]", "m1=11 m2=12"),
        // DavMail swapped the two numbers.
        ("[APPENDUID 11 7]", "", "m1? m2?"),
        ("[APPENDUID 7 11:12]", "[APPENDUID 7 0]", "m1? m2?"),
        ("[APPENDUID 7 11]", "[APPENDUID 7 11]", "m1=11 m2?"),
    ] {
        let script = [first, second].map(|code| ("APPEND", &*format!("* 4 EXISTS\r\n{{tag}} OK {code} x\r\n").leak()));
        let messages = vec![Ok(outgoing(1, b"a")), Ok(outgoing(2, b"b"))];
        let (done, _) = added("IMAP4rev1 LITERAL+", &script, messages).await;
        assert_eq!(fates(&done.unwrap()), expected);
    }
}

#[tokio::test]
async fn one_refusal_leaves_the_others() {
    for capabilities in ["IMAP4rev1 LITERAL+", "IMAP4rev1"] {
        for refusal in ["NO [OVERQUOTA] full", "NO [TOOBIG] x", "BAD what", "NO [TRYCREATE] x"] {
            let answer = format!("{{tag}} {refusal}\r\n").leak();
            let messages = (1..=3).map(|n| Ok(outgoing(n, &n.to_string().into_bytes()))).collect();
            let script = [("APPEND \"INBOX\" {1}\r\n2", &*answer), ("APPEND \"INBOX\" {1+}\r\n2", &*answer)];
            let (done, _) = added(capabilities, &script, messages).await;
            let done = done.unwrap();
            assert_eq!(fates(&done), "m1? m2! m3?", "{capabilities} {refusal}");
            assert!(matches!(&done[1].1, Appended::Refused(why) if why.contains("\u{201c}")), "{done:?}");
        }
    }
}

#[tokio::test]
async fn a_refusal_in_place_of_an_invitation_sends_nothing() {
    let (near, far) = tokio::io::duplex(1 << 16);
    let task = tokio::spawn(async move {
        let mut far = BufReader::new(far).lines();
        let mut heard = Vec::new();
        let replies = [
            "A0002 OK [CAPABILITY IMAP4rev1] x\r\n",
            "* 0 EXISTS\r\nA0003 OK x\r\n",
            "A0004 NO [TOOBIG] x\r\n",
            "+ go\r\n",
            "",
            "A0005 OK x\r\n",
        ];
        far.get_mut().write_all(b"* OK [CAPABILITY IMAP4rev1] hi\r\n").await.unwrap();
        for reply in replies {
            heard.push(far.next_line().await.unwrap().unwrap());
            far.get_mut().write_all(reply.as_bytes()).await.unwrap();
        }
        heard
    });
    let mut imap = logged_in(Pipe { inner: near, encrypted: false }).await.unwrap();
    let mut folder = imap.mailbox(&inbox(), true).await.unwrap();
    let done = folder.append([Ok(outgoing(1, b"a\r\nb")), Ok(outgoing(2, b"c\r\nd"))].into_iter()).await.unwrap();
    assert!(matches!(&*done, [(_, Appended::Refused(_)), (_, Appended::Somewhere)]), "{done:?}");
    assert_eq!(task.await.unwrap()[2..], ["A0004 APPEND \"INBOX\" {4}", "A0005 APPEND \"INBOX\" {4}", "c", "d"]);
}

#[tokio::test]
async fn a_server_that_refuses_everything_is_not_sent_the_rest() {
    for (refusal, stops) in
        [("NO [OVERQUOTA] full", true), ("NO [UNAVAILABLE] x", true), ("BAD x", true), ("NO odd message", false)]
    {
        let answer = format!("{{tag}} {refusal}\r\n").leak();
        let messages = (0..200).map(|n| Ok(outgoing(n, b"x"))).collect();
        let (done, commands) = added("IMAP4rev1", &[("APPEND", answer)], messages).await;
        let done = done.unwrap();
        assert!(done.len() == 200 && done.iter().all(|(_, a)| matches!(a, Appended::Refused(_))));
        assert_eq!(commands.len(), if stops { 11 } else { 200 }, "{refusal}");
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_the_server_hears_of_it() {
    let grown = Outgoing { size: 1, ..outgoing(1, b"ab") };
    let shrunk = Outgoing { size: 3, ..outgoing(2, b"ab") };
    let failing = Outgoing { size: 3, body: Box::new(Failing), ..outgoing(3, b"") };
    let shrunk_much = Outgoing { size: 900_000, ..outgoing(4, b"ab") };
    let limit = outgoing(5, &[b'x'; 1001]);
    let messages = [grown, shrunk, failing, shrunk_much, limit, outgoing(6, &[b'x'; 1000])].map(Ok).into();
    let (done, commands) = added("IMAP4rev1 LITERAL+ APPENDLIMIT=1000", &[], messages).await;
    let done = done.unwrap();
    assert_eq!(fates(&done), "m1! m2! m3! m4! m5! m6?");
    assert!(matches!(&done[4].1, Appended::Refused(why) if why.contains("more than 1000 octets")), "{done:?}");
    assert_eq!(commands.len(), 1);
}

pub(super) struct Failing;

impl io::Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("broken disk"))
    }
}

#[tokio::test]
async fn a_large_message_that_changes_while_it_is_sent_costs_the_connection_and_is_never_whole() {
    let body = vec![b'x'; 700_000];
    let all = body.len() as u64;
    let bodies: [(u64, Box<dyn io::Read + Send>); 3] = [
        (all + 1, Box::new(io::Cursor::new(body.clone()))),
        (all - 1, Box::new(io::Cursor::new(body.clone()))),
        (all + 9, Box::new(io::Read::chain(io::Cursor::new(body), Failing))),
    ];
    for (size, body) in bodies {
        let (pipe, task) = scripted("IMAP4rev1 LITERAL+", &[SELECT]);
        let mut imap = logged_in(pipe).await.unwrap();
        let mut folder = imap.mailbox(&inbox(), true).await.unwrap();
        let message = Outgoing { size, body, ..outgoing(1, b"") };
        let error = folder.append([Ok(outgoing(0, b"a")), Ok(message)].into_iter()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::LocalIo);
        assert!(error.to_string().starts_with("cannot read message m1 of INBOX to the end"), "{error}");
        assert_eq!(folder.list().await.unwrap_err().kind(), Kind::TryLater);
        drop(imap);
        let commands = heard(task).await;
        assert!(commands.iter().all(|c| c.len() < 100), "the large one never came to its end");
    }
}

#[tokio::test]
async fn an_error_of_the_source_comes_up_once_all_that_is_under_way_has_arrived() {
    let broken = || Error::local_io("cannot read x", io::ErrorKind::NotFound.into());
    let messages = vec![Ok(outgoing(1, b"a")), Err(broken()), Ok(outgoing(2, b"b"))];
    let (done, commands) = added("IMAP4rev1 LITERAL+", &[], messages).await;
    assert_eq!((done.unwrap_err().kind(), commands.len()), (Kind::LocalIo, 1));
}

#[tokio::test]
async fn the_window_bounds_what_is_under_way() {
    for (size, count) in [(1, 512), (300_000, 13), (9_000_000, 1)] {
        let (near, far) = tokio::io::duplex(1 << 24);
        let mut far = BufReader::new(far);
        far.write_all(b"* PREAUTH [CAPABILITY IMAP4rev1 LITERAL+] hi\r\n* 0 EXISTS\r\nA0002 OK x\r\n").await.unwrap();
        let pipe = Pipe { inner: near, encrypted: true };
        let mut imap = Imap::over(pipe, &server(TlsMode::None), &me(), AuthChoice::Auto).await.unwrap();
        let mut folder = imap.mailbox(&inbox(), true).await.unwrap();
        let body = vec![b'x'; size];
        let messages = (0..600).map(|n| Ok(outgoing(n, &body)));
        let mut append = pin!(folder.append(messages));
        let waits = poll_fn(|cx| Poll::Ready(append.as_mut().poll(cx).is_pending())).await;
        let mut sent = vec![0; 1 << 24];
        let mut n = 0;
        while let Ok(Ok(m @ 1..)) = tokio::time::timeout(Duration::from_millis(1), far.read(&mut sent[n..])).await {
            n += m;
        }
        let appends = memchr::memmem::find_iter(&sent[..n], b" APPEND ").count();
        assert_eq!((waits, appends), (true, count), "{size}");
    }
}

#[tokio::test]
async fn a_server_that_waits_to_be_read_does_not_stop_the_upload() {
    // Every answer is longer than what fits between the two.
    let (near, far) = tokio::io::duplex(700);
    let task = tokio::spawn(async move {
        let (mut far, mut count) = (BufReader::new(far), 0);
        let mut line = String::new();
        far.write_all(b"* PREAUTH [CAPABILITY IMAP4rev1 LITERAL+] hi\r\n").await.unwrap();
        while far.read_line(&mut line).await.unwrap_or(0) > 0 {
            if let Some((tag, command)) = line.trim_end().split_once(' ').filter(|(tag, _)| tag.starts_with('A')) {
                let news = "* OK and another thing that nobody asked for\r\n".repeat(20);
                let reply = match command.split(' ').next() {
                    Some("SELECT") => format!("* 0 EXISTS\r\n{tag} OK x\r\n"),
                    _ => format!("{news}{tag} OK x\r\n"),
                };
                count += 1;
                far.write_all(reply.as_bytes()).await.unwrap();
            }
            line.clear();
        }
        count
    });
    let pipe = Pipe { inner: near, encrypted: true };
    let mut imap = Imap::over(pipe, &server(TlsMode::None), &me(), AuthChoice::Auto).await.unwrap();
    let mut folder = imap.mailbox(&inbox(), true).await.unwrap();
    let body = b"line\r\n".repeat(500);
    let messages = (0..50).map(|n| Ok(outgoing(n, &body)));
    let done = tokio::time::timeout(Duration::from_secs(20), folder.append(messages)).await.unwrap().unwrap();
    assert_eq!(done.len(), 50);
    drop(imap);
    assert_eq!(task.await.unwrap(), 51);
}

#[tokio::test]
async fn a_farewell_amid_an_upload_is_told() {
    let (near, mut far) = tokio::io::duplex(1000);
    let task = tokio::spawn(async move {
        far.write_all(b"* PREAUTH [CAPABILITY IMAP4rev1 LITERAL+] hi\r\n* 0 EXISTS\r\nA0002 OK x\r\n").await.unwrap();
        let mut some = [0; 500];
        far.read_exact(&mut some).await.unwrap();
        far.write_all(b"* BYE [ALERT] message is far too big\r\n").await.unwrap();
    });
    let pipe = Pipe { inner: near, encrypted: true };
    let mut imap = Imap::over(pipe, &server(TlsMode::None), &me(), AuthChoice::Auto).await.unwrap();
    let mut folder = imap.mailbox(&inbox(), true).await.unwrap();
    let error = folder.append([Ok(outgoing(1, &[b'x'; 90_000]))].into_iter()).await.unwrap_err();
    assert!(error.to_string().contains("message is far too big"), "{error}");
    task.await.unwrap();
}

#[tokio::test]
async fn a_connection_cut_at_any_byte_is_an_error_and_never_an_arrival() {
    let answers = |tag: &str, command: &str| match command.split(' ').next().unwrap() {
        "APPEND" => format!("{tag} OK [APPENDUID 7 11] x\r\n"),
        "SELECT" => SELECT.1.replace("{tag}", tag),
        _ => format!("{tag} OK [CAPABILITY IMAP4rev1] x\r\n"),
    };
    let total = "* OK hi\r\n".len()
        + "A0002 OK [CAPABILITY IMAP4rev1] x\r\nA0003 OK [CAPABILITY IMAP4rev1] x\r\n".len()
        + answers("A0004", "SELECT").len()
        + "+ go on\r\n".len()
        + answers("A0005", "APPEND").len();
    for budget in 0..=total {
        // The invitation is not counted by the server.
        let (pipe, _) = serve("* OK hi\r\n", budget.min(total - "+ go on\r\n".len()), move |t, c| answers(t, c).into());
        let done = async {
            let mut imap = logged_in(pipe).await?;
            let mut folder = imap.mailbox(&inbox(), true).await?;
            folder.append([Ok(outgoing(1, b"a"))].into_iter()).await
        };
        let done = done.await;
        match budget >= total - "+ go on\r\n".len() {
            true => assert_eq!(done.unwrap(), [(Key::new("m1"), Appended::As(key(11)))]),
            false => assert_eq!(done.unwrap_err().kind(), Kind::TryLater, "cut after {budget} octets"),
        }
    }
}

#[tokio::test]
async fn an_upload_that_is_dropped_half_way_leaves_nothing_that_could_be_taken_for_more_of_it() {
    let (near, mut far) = tokio::io::duplex(100_000);
    far.write_all(b"* PREAUTH [CAPABILITY IMAP4rev1 LITERAL+] hi\r\n* 0 EXISTS\r\nA0002 OK x\r\n").await.unwrap();
    let pipe = Pipe { inner: near, encrypted: true };
    let mut imap = Imap::over(pipe, &server(TlsMode::None), &me(), AuthChoice::Auto).await.unwrap();
    let mut folder = imap.mailbox(&inbox(), true).await.unwrap();
    {
        let mut append = pin!(folder.append([Ok(outgoing(1, &[b'x'; 200_000]))].into_iter()));
        assert!(poll_fn(|cx| Poll::Ready(append.as_mut().poll(cx).is_pending())).await);
    }
    assert_eq!(folder.list().await.unwrap().messages, []);
    assert_eq!(folder.arrived_since(1).await.unwrap_err().kind(), Kind::TryLater);
    drop(imap);
    let mut sent = Vec::new();
    far.read_to_end(&mut sent).await.unwrap();
    assert!(sent.ends_with(b"x"));
}
