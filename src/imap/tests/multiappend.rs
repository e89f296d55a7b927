//! Several messages in one APPEND (RFC 3502).

use super::append::*;
use super::mailbox::{SELECT, inbox, key, marks};
use super::*;
use crate::error::{Error, Kind};
use crate::imap::Appended;
use crate::store::Outgoing;

const MANY: &str = "IMAP4rev1 LITERAL+ MULTIAPPEND";

#[tokio::test]
async fn small_messages_share_a_command() {
    let messages = || {
        let first = Outgoing { marks: marks("FS", &["work"]), received_at: Some(60), ..outgoing(1, b"a\r\n") };
        let third = Outgoing { marks: marks("S", &[]), ..outgoing(3, b"c") };
        vec![Ok(first), Ok(outgoing(2, b"{3}\r\n")), Ok(third)]
    };
    for (told, expected) in [
        ("[APPENDUID 7 5:7]", "m1=5 m2=6 m3=7"),
        ("[APPENDUID 7 5,6,9]", "m1=5 m2=6 m3=9"),
        ("[APPENDUID 7 5:6]", "m1? m2? m3?"),
        ("[APPENDUID 7 5:8]", "m1? m2? m3?"),
        ("[APPENDUID 7 5]", "m1? m2? m3?"),
        ("[APPENDUID 8 5:7]", "m1? m2? m3?"),
        ("[APPENDUID 7 5,5,6]", "m1? m2? m3?"),
        ("[APPENDUID 7 7,6,5]", "m1? m2? m3?"),
        ("", "m1? m2? m3?"),
    ] {
        let answer = format!("{{tag}} OK {told} x\r\n").leak();
        let (done, commands) = added(MANY, &[("APPEND", answer)], messages()).await;
        assert_eq!(fates(&done.unwrap()), expected, "{told}");
        let dated = "(\\Flagged \\Seen work) \" 1-Jan-1970 00:01:00 +0000\"";
        assert_eq!(
            commands,
            [format!("APPEND \"INBOX\" {dated} {{3+}}\r\na\r\n {{5+}}\r\n{{3}}\r\n (\\Seen) {{1+}}\r\nc")]
        );
    }
}

#[tokio::test]
async fn a_command_is_shared_only_where_the_server_takes_it() {
    for (capabilities, count) in [("IMAP4rev1 LITERAL- MULTIAPPEND", 2), ("IMAP4rev1 MULTIAPPEND", 2), (MANY, 1)] {
        let messages = vec![Ok(outgoing(1, b"a")), Ok(outgoing(2, b"b"))];
        let (done, commands) = added(capabilities, &[], messages).await;
        assert_eq!((fates(&done.unwrap()), commands.len()), ("m1? m2?".into(), count), "{capabilities}");
    }
}

#[tokio::test]
async fn large_and_empty_messages_go_alone_and_commands_are_bounded() {
    let sizes = [1, 2, 262_145, 3, 0, 4, 5, 262_144, 262_144, 262_144, 262_144, 6];
    let messages = sizes.iter().enumerate().map(|(n, size)| Ok(outgoing(n as u32, &vec![b'x'; *size]))).collect();
    let (done, commands) = added(MANY, &[], messages).await;
    assert!(done.unwrap().iter().all(|(_, fate)| *fate == Appended::Somewhere));
    let carried = |command: &String| command.matches("+}").count();
    assert_eq!(commands.iter().map(carried).collect::<Vec<_>>(), [2, 1, 1, 1, 5, 2]);
    let messages = (0..130).map(|n| Ok(outgoing(n, b"x"))).collect();
    let (_, commands) = added(MANY, &[], messages).await;
    assert_eq!(commands.iter().map(carried).collect::<Vec<_>>(), [64, 64, 2]);
}

#[tokio::test]
async fn one_refused_message_does_not_take_its_group_along() {
    for refusal in ["NO [TOOBIG] x", "NO [APPENDUID 7 1:3] x", "BAD what"] {
        let answer = move |tag: &str, command: &str| match command {
            c if c.starts_with("LOGIN") => format!("{tag} OK [CAPABILITY {MANY}] x\r\n"),
            c if c.starts_with("SELECT") => SELECT.1.replace("{tag}", tag),
            c if c.contains("+}\r\na {") || c.ends_with("+}\r\nb") => format!("{tag} {refusal}\r\n"),
            c if c.ends_with('a') => format!("{tag} OK [APPENDUID 7 11] x\r\n"),
            c if c.ends_with('c') => format!("{tag} OK [APPENDUID 7 12] x\r\n"),
            _ => format!("{tag} OK x\r\n"),
        };
        let (pipe, task) = serve("* OK hi\r\n", usize::MAX, move |t, c| answer(t, c).into());
        let mut imap = logged_in(pipe).await.unwrap();
        let mut folder = imap.mailbox(&inbox(), true).await.unwrap();
        let with_date = Outgoing { received_at: Some(60), marks: marks("S", &[]), ..outgoing(3, b"c") };
        let messages = [outgoing(1, b"a"), outgoing(2, b"b"), with_date];
        let done = folder.append(messages.into_iter().map(Ok)).await.unwrap();
        let named = done.into_iter().map(|(k, a)| (k.to_string(), a)).collect();
        assert_eq!(fates(&named), "m1=11 m2! m3=12", "{refusal}");
        // It was that message: others go together again.
        let done = folder.append([Ok(outgoing(4, b"d")), Ok(outgoing(5, b"e"))].into_iter()).await.unwrap();
        assert_eq!(done.len(), 2);
        drop(imap);
        let commands: Vec<String> = task.await.unwrap().into_iter().filter(|c| c.starts_with("APPEND")).collect();
        let dated = "(\\Seen) \" 1-Jan-1970 00:01:00 +0000\"";
        assert_eq!(
            commands,
            [
                format!("APPEND \"INBOX\" {{1+}}\r\na {{1+}}\r\nb {dated} {{1+}}\r\nc"),
                "APPEND \"INBOX\" {1+}\r\na".into(),
                "APPEND \"INBOX\" {1+}\r\nb".into(),
                format!("APPEND \"INBOX\" {dated} {{1+}}\r\nc"),
                "APPEND \"INBOX\" {1+}\r\nd {1+}\r\ne".into(),
            ]
        );
    }
}

#[tokio::test]
async fn a_full_folder_refuses_each_message_of_all_groups() {
    let messages = (0..2000).map(|n| Ok(outgoing(n, b"x"))).collect();
    let (done, commands) = added(MANY, &[("APPEND", "{tag} NO [OVERQUOTA] full\r\n")], messages).await;
    let done = done.unwrap();
    let keys: std::collections::BTreeSet<_> = done.iter().map(|(key, _)| key).collect();
    assert_eq!((done.len(), keys.len()), (2000, 2000));
    assert!(done.iter().all(|(_, a)| matches!(a, Appended::Refused(why) if why.contains("full"))));
    assert!(commands.len() <= 8 + 512 + 10, "{}", commands.len());
}

#[tokio::test]
async fn what_cannot_be_read_is_left_out_of_a_group() {
    let grown = Outgoing { size: 1, ..outgoing(2, b"ab") };
    let failing = Outgoing { size: 3, body: Box::new(Failing), ..outgoing(3, b"") };
    let messages = [outgoing(1, b"a"), grown, failing, outgoing(4, b"d")].map(Ok).into();
    let (done, commands) = added(MANY, &[("APPEND", "{tag} OK [APPENDUID 7 5:6] x\r\n")], messages).await;
    assert_eq!(fates(&done.unwrap()), "m2! m3! m1=5 m4=6");
    assert_eq!(commands, ["APPEND \"INBOX\" {1+}\r\na {1+}\r\nd"]);
}

#[tokio::test]
async fn a_connection_cut_at_any_byte_of_the_answers_to_groups_is_an_error() {
    // The first group is refused, its messages arrive one by one.
    let answers = |tag: &str, command: &str| match command {
        c if c.starts_with("APPEND") && c.contains("a {") => format!("{tag} NO [LIMIT] x\r\n"),
        c if c.starts_with("APPEND") => {
            format!("{tag} OK [APPENDUID 7 {}] x\r\n", u32::from(c.as_bytes()[c.len() - 1]))
        }
        c if c.starts_with("SELECT") => SELECT.1.replace("{tag}", tag),
        _ => format!("{tag} OK [CAPABILITY {MANY}] x\r\n"),
    };
    let upload = |budget| async move {
        let (pipe, _) = serve("* OK hi\r\n", budget, move |t, c| answers(t, c).into());
        let mut imap = logged_in(pipe).await?;
        let mut folder = imap.mailbox(&inbox(), true).await?;
        let done = folder.append([Ok(outgoing(1, b"a")), Ok(outgoing(2, b"b"))].into_iter()).await?;
        Ok::<_, Error>(done.into_iter().map(|(_, fate)| fate).collect::<Vec<_>>())
    };
    let total: usize = "* OK hi\r\n".len()
        + [("A0002", "LOGIN"), ("A0003", "CAPABILITY"), ("A0004", "SELECT"), ("A0005", "APPEND a {")]
            .into_iter()
            .chain([("A0006", "APPEND a"), ("A0007", "APPEND b")])
            .map(|(tag, command)| answers(tag, command).len())
            .sum::<usize>();
    for budget in 0..total {
        assert_eq!(upload(budget).await.unwrap_err().kind(), Kind::TryLater, "cut after {budget} octets");
    }
    assert_eq!(upload(total).await.unwrap(), [Appended::As(key(97)), Appended::As(key(98))]);
}
