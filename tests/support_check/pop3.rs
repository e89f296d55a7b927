//! POP3 without faults, and servers that lack or twist something.

use super::{connect, exchange, line, secure, talk};
use crate::support::certificate::Certificate;
use crate::support::server::{Script, Server, Sizes, Uidls};

const ONE: &str = "Subject: one\r\n\r\nfirst\r\n.dot\r\n";
const TWO: &str = "Subject: two\r\n\r\nno end";
const LOG_IN: [&str; 2] = ["USER ada", "PASS s3cret-Pa55"];

/// What the server says after greeting and log-in.
fn session(server: &Server, commands: &[&str]) -> String {
    let all = [LOG_IN.as_slice(), commands, &["QUIT"]].concat();
    let said = exchange(server.pop3_port, &all);
    said.splitn(4, "\r\n").nth(3).unwrap().to_owned()
}

#[test]
fn a_whole_session() {
    let server = Server::start(Script::holding([ONE, TWO]));
    assert_eq!(
        session(
            &server,
            &["STAT", "LIST", "UIDL", "UIDL 2", "RETR 1", "RETR 2", "TOP 1 1", "RETR 3", "DELE 1", "LIST", "DELE 1"]
        ),
        "+OK 2 53\r\n\
         +OK\r\n1 29\r\n2 24\r\n.\r\n\
         +OK\r\n1 uid-000001\r\n2 uid-000002\r\n.\r\n\
         +OK 2 uid-000002\r\n\
         +OK here it is\r\nSubject: one\r\n\r\nfirst\r\n..dot\r\n.\r\n\
         +OK here it is\r\nSubject: two\r\n\r\nno end\r\n.\r\n\
         +OK the top\r\nSubject: one\r\n\r\nfirst\r\n.\r\n\
         -ERR no such message\r\n\
         +OK marked\r\n\
         +OK\r\n2 24\r\n.\r\n\
         -ERR no such message\r\n\
         +OK bye, 1 deleted\r\n"
    );
    assert_eq!(server.inbox(), [TWO.as_bytes()]);
    let log = server.log();
    assert_eq!((log.connections, log.logins, log.retrieved, log.count("RETR")), (1, 1, 2, 3));
    assert_eq!(log.violations, [""; 0]);
    assert!(server.overheard_password());
}

#[test]
fn deletions_count_only_after_quit() {
    let server = Server::start(Script::holding([ONE, TWO]));
    let mut stream = connect(server.pop3_port);
    for command in ["USER ada", "PASS s3cret-Pa55", "DELE 1", "DELE 2", "RSET", "DELE 2"] {
        assert!(line(&mut stream).starts_with("+OK"));
        std::io::Write::write_all(&mut stream, format!("{command}\r\n").as_bytes()).unwrap();
    }
    assert_eq!(line(&mut stream), "+OK marked");
    drop(stream);
    assert_eq!(server.inbox().len(), 2);
    assert!(session(&server, &["DELE 1", "RSET", "DELE 2"]).ends_with("+OK bye, 1 deleted\r\n"));
    assert_eq!(server.inbox(), [ONE.as_bytes()]);
}

#[test]
fn capabilities_can_be_taken_away() {
    let all = Server::start(Script::holding([ONE]));
    assert_eq!(
        exchange(all.pop3_port, &["CAPA", "QUIT"]).lines().collect::<Vec<_>>()[1..],
        [
            "+OK what I can",
            "TOP",
            "UIDL",
            "PIPELINING",
            "USER",
            "RESP-CODES",
            "AUTH-RESP-CODE",
            "SASL PLAIN",
            "STLS",
            ".",
            "+OK bye, 0 deleted"
        ]
    );
    let mut script =
        Script::holding([ONE]).without("UIDL").without("TOP").without("PIPELINING").without("STLS").without("APOP");
    script.pop3_extra = vec!["LOGIN-DELAY 60".to_owned()];
    let some = Server::start(script);
    let said = exchange(some.pop3_port, &["CAPA", "STLS", "USER ada", "PASS s3cret-Pa55", "UIDL", "TOP 1 0", "QUIT"]);
    assert_eq!(
        said,
        "+OK ready here I am\r\n\
         +OK what I can\r\nUSER\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nSASL PLAIN\r\nLOGIN-DELAY 60\r\n.\r\n\
         -ERR unknown command STLS\r\n+OK and the password?\r\n+OK 1 messages\r\n\
         -ERR unknown command UIDL\r\n-ERR unknown command TOP\r\n+OK bye, 0 deleted\r\n"
    );
    assert!(some.log().violations[0].contains("PIPELINING is not offered"));
    let none = Server::start(Script::holding([ONE]).without("CAPA"));
    assert!(exchange(none.pop3_port, &["CAPA", "QUIT"]).contains("-ERR unknown command CAPA"));
}

#[test]
fn every_way_to_log_in() {
    let server = Server::start(Script::holding([ONE]));
    // MD5 of "<1896.697170952@mail.example.org>s3cret-Pa55", as md5sum computes it.
    let digest = "073aa8a6eb347bd34f5e1837b171f536";
    let right = |lines: &[&str]| exchange(server.pop3_port, lines).contains("+OK 1 messages");
    assert!(right(&["AUTH PLAIN AGFkYQBzM2NyZXQtUGE1NQ==", "QUIT"]));
    assert!(right(&["AUTH PLAIN", "AGFkYQBzM2NyZXQtUGE1NQ==", "QUIT"]));
    assert!(right(&[&format!("APOP ada {digest}"), "QUIT"]));
    assert!(server.knows_password());
    server.clear_log();
    assert!(!right(&["APOP ada 00000000000000000000000000000000", "QUIT"]));
    assert!(!right(&["USER ada", "PASS wrong", "QUIT"]));
    assert!(!right(&["USER eve", "PASS wrong", "QUIT"]));
    assert!(!server.knows_password());
    assert_eq!(server.log().logins, 0);
}

#[test]
fn tls_both_ways_and_each_bad_certificate() {
    let server = Server::start(Script::holding([ONE]));
    let mut tls = secure(server.ca_file(), connect(server.pop3s_port)).unwrap();
    assert!(talk(&mut tls, &["USER ada", "PASS s3cret-Pa55", "QUIT"]).ends_with("+OK bye, 0 deleted\r\n"));

    let mut clear = connect(server.pop3_port);
    line(&mut clear);
    std::io::Write::write_all(&mut clear, b"STLS\r\n").unwrap();
    assert_eq!(line(&mut clear), "+OK begin TLS");
    let mut tls = secure(server.ca_file(), clear).unwrap();
    let said = talk(&mut tls, &["STLS", "USER ada", "PASS s3cret-Pa55", "QUIT"]);
    assert!(
        said.starts_with("-ERR STLS is not possible now\r\n") && said.ends_with("+OK bye, 0 deleted\r\n"),
        "{said}"
    );
    assert!(server.knows_password() && !server.overheard_password());

    for bad in [Certificate::SelfSigned, Certificate::Expired, Certificate::WrongName] {
        let server = Server::start(Script::holding([ONE]).certificate(bad));
        let refusal = secure(server.ca_file(), connect(server.pop3s_port)).unwrap_err();
        assert!(refusal.contains("certificate"), "{bad:?}: {refusal}");
    }
}

#[test]
fn uidls_of_every_shape() {
    let server = Server::start(Script::holding([ONE, TWO, ONE]));
    let uidl = |shape: Uidls| {
        server.mailbox().uidls = shape;
        let said = session(&server, &["UIDL"]);
        said.lines().skip(1).take_while(|l| *l != ".").map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(uidl(Uidls::Shared(vec![1, 3])), ["1 shared", "2 uid-000002", "3 shared"]);
    assert_eq!(uidl(Uidls::MissingFor(vec![2])), ["1 uid-000001", "3 uid-000003"]);
    assert!(uidl(Uidls::Long).iter().all(|l| l.len() == 82 && !l[2..].contains(' ')));
    assert_eq!(uidl(Uidls::EightBit)[0], "1 \u{fc}\u{e4}\u{ff}-uid-000001");
    assert_ne!(uidl(Uidls::Generation(1)), uidl(Uidls::Generation(2)));
    assert_eq!(uidl(Uidls::Position), ["1 1", "2 2", "3 3"]);
    session(&server, &["DELE 1"]);
    assert_eq!(uidl(Uidls::Position), ["1 1", "2 2"]);
}

#[test]
fn sizes_that_lie() {
    let server = Server::start(Script::holding([ONE, TWO]));
    server.mailbox().sizes = Sizes::Times(10);
    assert!(session(&server, &["STAT", "LIST 1"]).starts_with("+OK 2 530\r\n+OK 1 290\r\n"));
    server.mailbox().sizes = Sizes::Constant(0);
    assert!(session(&server, &["STAT", "LIST"]).starts_with("+OK 2 0\r\n+OK\r\n1 0\r\n2 0\r\n.\r\n"));
}
