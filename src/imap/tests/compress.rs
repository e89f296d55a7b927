//! COMPRESS=DEFLATE (RFC 4978), and servers that only say they have it.

use super::*;
use crate::error::Kind;
use crate::imap::deflate::Line;

/// What a server does when it is asked to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Compresses,
    Refuses,
    SendsGarbage,
    HangsUp,
}

/// A server that greets with capabilities; the task gives all commands without their tags.
fn serve(capabilities: &'static str, then: Then) -> (Pipe, JoinHandle<Vec<String>>) {
    let (near, far) = tokio::io::duplex(1 << 20);
    let task = tokio::spawn(async move {
        let (mut line, mut log) = (Line::Plain(far), Vec::new());
        line.write_all(format!("* OK [CAPABILITY {capabilities}] hi\r\n").as_bytes()).await.unwrap();
        loop {
            let mut command = Vec::new();
            while !command.ends_with(b"\r\n") {
                match line.read_u8().await {
                    Ok(octet) => command.push(octet),
                    Err(_) => return log,
                }
            }
            let command = String::from_utf8_lossy(&command).trim_end().to_owned();
            let (tag, rest) = command.split_once(' ').unwrap_or((&command, ""));
            log.push(rest.to_owned());
            let agrees = format!("{tag} OK now\r\n");
            let reply = match (rest, then) {
                ("COMPRESS DEFLATE", Then::Refuses) => format!("{tag} NO [COMPRESSIONACTIVE] x\r\n"),
                ("COMPRESS DEFLATE", Then::SendsGarbage) => format!("{agrees}\u{7}\u{7}\u{7}\u{7}"),
                ("COMPRESS DEFLATE", _) => agrees,
                ("LOGOUT", _) => format!("* BYE bye\r\n{agrees}"),
                _ => format!("* LIST () \"/\" {rest}\r\n{tag} OK [CAPABILITY {capabilities}] x\r\n"),
            };
            if line.write_all(reply.as_bytes()).await.is_err() || line.flush().await.is_err() {
                return log;
            }
            if rest == "COMPRESS DEFLATE" {
                match then {
                    Then::Compresses => line = line.deflated(&[]),
                    Then::HangsUp => return log,
                    _ => {}
                }
            }
        }
    });
    (Pipe { inner: near, encrypted: false }, task)
}

async fn logged_in(
    capabilities: &'static str,
    compress: Option<bool>,
    then: Then,
) -> (Imap<Pipe>, JoinHandle<Vec<String>>) {
    let (pipe, task) = serve(capabilities, then);
    let server = Server { compress, ..server(TlsMode::None) };
    let imap = Imap::over(pipe, &server, &me(), AuthChoice::UserPass).await.unwrap();
    (imap, task)
}

const OFFER: &str = "IMAP4rev1 COMPRESS=DEFLATE";

#[tokio::test]
async fn it_is_asked_for_where_it_is_offered_and_wanted() {
    let [login, compress, list, noop] = ["LOGIN \"me\" \"pass\"", "COMPRESS DEFLATE", "LIST \"\" \"*\"", "NOOP"];
    for (capabilities, wanted, then, commands) in [
        (OFFER, Some(true), Then::Compresses, vec![login, compress, noop, list, "LOGOUT"]),
        (OFFER, Some(true), Then::Refuses, vec![login, compress, list, "LOGOUT"]),
        (OFFER, Some(false), Then::Compresses, vec![login, list, "LOGOUT"]),
        (OFFER, None, Then::Compresses, vec![login, list, "LOGOUT"]),
        ("IMAP4rev1", Some(true), Then::Compresses, vec![login, list, "LOGOUT"]),
    ] {
        let (mut imap, task) = logged_in(capabilities, wanted, then).await;
        assert!(imap.is_understood().await);
        assert_eq!(imap.tree(false).await.unwrap().folders().count(), 1);
        imap.logout().await;
        assert_eq!(task.await.unwrap(), commands, "{capabilities} {wanted:?} {then:?}");
    }
}

#[tokio::test]
async fn it_goes_along_with_the_name() {
    let (mut imap, task) = logged_in("IMAP4rev1 ID COMPRESS=DEFLATE", Some(true), Then::Compresses).await;
    assert!(imap.is_understood().await);
    drop(imap);
    let commands = task.await.unwrap();
    assert!(commands[1].starts_with("ID (") && commands[2..] == ["COMPRESS DEFLATE", "NOOP"], "{commands:?}");
}

#[tokio::test]
async fn who_agrees_and_does_something_else_is_not_understood() {
    for then in [Then::SendsGarbage, Then::HangsUp] {
        let (mut imap, _) = logged_in(OFFER, Some(true), then).await;
        assert!(!imap.is_understood().await);
    }
    let (mut imap, _) = logged_in(OFFER, Some(true), Then::SendsGarbage).await;
    let error = imap.tree(false).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(error.to_string().contains("what it sends is not compressed as it should be"), "{error}");
}
