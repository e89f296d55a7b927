//! Each fault of a script fires where and as often as it says.

use super::{connect, exchange, line, secure, talk};
use crate::support::server::{At, Call, Effect, Fault, Script, Server, Slow};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const MAIL: &str = "Subject: x\r\n\r\n.body\r\n";
const HELLO: &str = "+OK ready <1896.697170952@mail.example.org>\r\n+OK and the password?\r\n+OK 3 messages\r\n";

fn holding(faults: impl IntoIterator<Item = Fault>) -> Server {
    let mut script = Script::holding([MAIL; 3]);
    script.faults.extend(faults);
    Server::start(script)
}

/// What POP3 says after the log-in.
fn pop3(server: &Server, commands: &[&str]) -> String {
    let all = [&["USER ada", "PASS s3cret-Pa55"], commands].concat();
    let said = exchange(server.pop3_port, &all);
    said.strip_prefix(HELLO).unwrap_or_else(|| panic!("no log-in: {said}")).to_owned()
}

/// What IMAP says after EXAMINE.
fn imap(server: &Server, commands: &[&str]) -> String {
    let all = [&["a LOGIN ada s3cret-Pa55", "b SELECT INBOX"], commands].concat();
    let said = exchange(server.imap_port, &all);
    said.split_once("open\r\n").unwrap_or_else(|| panic!("no folder: {said}")).1.to_owned()
}

#[test]
fn a_link_drops_after_so_many_bytes_and_only_once() {
    let server = holding([Fault::drop(At::Sent(100))]);
    let commands = ["USER ada", "PASS s3cret-Pa55", "RETR 1", "RETR 2", "QUIT"];
    assert_eq!(exchange(server.pop3_port, &commands).len(), 100);
    assert!(exchange(server.pop3_port, &commands).ends_with("+OK bye, 0 deleted\r\n"));
    assert_eq!(exchange(holding([Fault::drop(At::Sent(0))]).pop3_port, &commands), "");
}

#[test]
fn a_link_drops_inside_a_message() {
    let server = holding([Fault::drop(At::Inside { uid: 2, byte: 16 })]);
    let first = "+OK here it is\r\nSubject: x\r\n\r\n..body\r\n.\r\n";
    assert_eq!(
        pop3(&server, &["RETR 1", "RETR 2", "RETR 3"]),
        format!("{first}+OK here it is\r\nSubject: x\r\n\r\n..")
    );
    assert!(pop3(&server, &["RETR 2", "QUIT"]).starts_with(first));

    let server = holding([Fault::drop(At::Inside { uid: 2, byte: 16 }).always()]);
    let said = imap(&server, &["c UID FETCH 1:3 (BODY.PEEK[])"]);
    assert!(said.ends_with("* 2 FETCH (UID 2 BODY[] {21}\r\nSubject: x\r\n\r\n.b"), "{said}");
    let said = imap(&server, &["c UID FETCH 2 (BODY.PEEK[]<0.10>)", "d UID FETCH 2 (BODY.PEEK[]<10.10>)"]);
    assert!(said.ends_with("c OK fetched\r\n* 2 FETCH (UID 2 BODY[]<10> {10}\r\n\r\n\r\n.b"), "{said:?}");
}

#[test]
fn quit_is_lost_before_or_after_it_counts() {
    let before = holding([Fault::drop(At::received("QUIT"))]);
    assert_eq!(pop3(&before, &["DELE 1", "QUIT"]), "+OK marked\r\n");
    assert_eq!(before.inbox().len(), 3);
    assert_eq!(pop3(&before, &["DELE 1", "QUIT"]), "+OK marked\r\n+OK bye, 1 deleted\r\n");

    let after = holding([Fault::drop(At::done("QUIT"))]);
    assert_eq!(pop3(&after, &["DELE 1", "QUIT"]), "+OK marked\r\n");
    assert_eq!(after.inbox().len(), 2);

    let refused = holding([Fault::refuse("QUIT", "some deleted messages not removed")]);
    assert_eq!(pop3(&refused, &["DELE 1", "QUIT"]), "+OK marked\r\n-ERR some deleted messages not removed\r\n");
    assert_eq!(refused.inbox().len(), 3);
}

#[test]
fn a_link_drops_at_the_nth_command() {
    let server = holding([Fault::drop(At::answered("DELE")).nth(2)]);
    assert_eq!(pop3(&server, &["DELE 1", "DELE 2", "DELE 3", "QUIT"]), "+OK marked\r\n+OK marked\r\n");
    assert_eq!(server.inbox().len(), 3);
    let server = holding([Fault::drop(At::Done(Call::of("RETR", 3)))]);
    assert!(!pop3(&server, &["RETR 3"]).contains("here it is"));
    let server = holding([Fault::drop(At::done("UID STORE"))]);
    assert_eq!(imap(&server, &["c UID STORE 1 +FLAGS.SILENT (\\Deleted)"]), "");
    assert!(server.mailbox().folder("INBOX").unwrap().messages[0].flags.contains("\\Deleted"));
}

#[test]
fn one_message_of_many_is_refused() {
    let server = holding([Fault::refuse(Call::of("RETR", 2), "[SYS/PERM] damaged")]);
    let good = "+OK here it is\r\nSubject: x\r\n\r\n..body\r\n.\r\n";
    let expected = format!("{good}-ERR [SYS/PERM] damaged\r\n{good}+OK bye, 0 deleted\r\n");
    assert_eq!(pop3(&server, &["RETR 1", "RETR 2", "RETR 3", "QUIT"]), expected);
    assert_eq!(pop3(&server, &["RETR 2", "QUIT"]), "-ERR [SYS/PERM] damaged\r\n+OK bye, 0 deleted\r\n");

    let server = holding([Fault::refuse(Call::of("UID FETCH", 2), "damaged")]);
    let said = imap(&server, &["c UID FETCH 1:3 (FLAGS)", "d UID FETCH 1:3 (BODY.PEEK[])", "z LOGOUT"]);
    assert!(said.contains("c OK fetched\r\n") && said.contains("d NO damaged\r\n"), "{said}");
    let bodies: Vec<&str> = said.lines().filter(|l| l.contains("BODY[]")).collect();
    assert_eq!(bodies, ["* 1 FETCH (UID 1 BODY[] {21}", "* 3 FETCH (UID 3 BODY[] {21}"]);
}

#[test]
fn replies_are_replaced() {
    let server = holding([
        Fault::new(At::received("STAT"), Effect::say("whatever\r\n")),
        Fault::new(At::done("DELE"), Effect::say("+OKAY?\r\n")),
        Fault::new(At::answered("NOOP"), Effect::say("+OK one too many\r\n")),
        Fault::new(At::Sent(0), Effect::say("\0")),
    ]);
    let all = ["USER ada", "PASS s3cret-Pa55", "STAT", "DELE 1", "NOOP", "STAT", "QUIT"];
    assert_eq!(
        exchange(server.pop3_port, &all),
        format!("\0{HELLO}whatever\r\n+OKAY?\r\n+OK\r\n+OK one too many\r\n+OK 2 42\r\n+OK bye, 1 deleted\r\n")
    );
    let server = holding([
        Fault::new(At::received("UID SEARCH"), Effect::say("* SEARCH 9 9\r\n{tag} OK so\r\n")),
        Fault::new(At::received("NOOP"), Effect::Reject("what?".to_owned())),
        Fault::refuse("UID FETCH", "[UNAVAILABLE] later"),
    ]);
    assert_eq!(
        imap(&server, &["x7 UID SEARCH ALL", "d NOOP", "e UID FETCH 1 (FLAGS)", "f NOOP", "z LOGOUT"]),
        "* SEARCH 9 9\r\nx7 OK so\r\nd BAD what?\r\ne NO [UNAVAILABLE] later\r\nf OK nothing done\r\n* BYE until next time\r\nz OK bye\r\n"
    );
}

#[test]
fn greetings_and_log_ins_are_refused() {
    let server = holding([Fault::refuse("connect", "[SYS/TEMP] too busy")]);
    assert_eq!(exchange(server.pop3_port, &[]), "-ERR [SYS/TEMP] too busy\r\n");
    assert_eq!(exchange(server.imap_port, &[]), "* BYE [SYS/TEMP] too busy\r\n");
    server.heal();
    server.fault(Fault::new(At::received("log-in"), Effect::Refuse("[IN-USE] locked".to_owned())));
    let commands = ["AUTH PLAIN AGFkYQBzM2NyZXQtUGE1NQ==", "USER ada", "PASS s3cret-Pa55", "QUIT"];
    let said = exchange(server.pop3_port, &commands);
    assert!(
        said.ends_with("-ERR [IN-USE] locked\r\n+OK and the password?\r\n+OK 3 messages\r\n+OK bye, 0 deleted\r\n"),
        "{said}"
    );
    let mut script = Script::holding([MAIL]);
    script.preauth = true;
    let said = exchange(Server::start(script).imap_port, &["a STARTTLS", "b SELECT INBOX", "z LOGOUT"]);
    assert!(said.starts_with("* PREAUTH ") && said.contains("a BAD") && said.contains("b OK"), "{said}");
}

#[test]
fn text_is_injected_behind_stls() {
    let server = holding([
        Fault::new(At::answered("STLS"), Effect::say("+OK injected\r\n")),
        Fault::new(At::answered("STARTTLS"), Effect::say("* OK injected\r\n")),
    ]);
    let mut stream = connect(server.pop3_port);
    line(&mut stream);
    stream.write_all(b"STLS\r\n").unwrap();
    let mut both = [0; 64];
    let n = stream.read(&mut both).unwrap();
    assert_eq!(&both[..n], b"+OK begin TLS\r\n+OK injected\r\n");
    let mut stream = connect(server.imap_port);
    line(&mut stream);
    stream.write_all(b"a STARTTLS\r\n").unwrap();
    let n = stream.read(&mut both).unwrap();
    assert_eq!(&both[..n], b"a OK begin TLS\r\n* OK injected\r\n");
}

#[test]
fn endless_lines_end_when_the_client_goes() {
    let endless = |start: &str, repeat: &str| Effect::Endless { start: start.into(), repeat: repeat.into() };
    let server = holding([
        Fault::new(At::received("UIDL"), endless("+OK\r\n1 ", "x")),
        Fault::new(At::Inside { uid: 1, byte: 10 }, endless("", "more\r\n")),
    ]);
    for (command, expected) in [("UIDL", "+OK\r\n1 xxx"), ("RETR 1", "+OK here it is\r\nSubject: xmore\r\nmore\r\n")] {
        let mut stream = connect(server.pop3_port);
        stream.write_all(format!("USER ada\r\nPASS s3cret-Pa55\r\n{command}\r\n").as_bytes()).unwrap();
        let mut much = vec![0; 3_000_000];
        stream.read_exact(&mut much).unwrap();
        let text = String::from_utf8(much).unwrap();
        assert!(text[HELLO.len()..].starts_with(expected), "{}", &text[..200]);
    }
}

#[test]
fn slow_lines_and_pauses_take_their_time() {
    let mut script = Script::holding([MAIL]);
    script.slow = Some(Slow { chunk: 20, delay: Duration::from_millis(5) });
    script.faults.push(Fault::new(At::received("QUIT"), Effect::Pause(Duration::from_millis(60))));
    let server = Server::start(script);
    let start = Instant::now();
    let said = exchange(server.pop3_port, &["QUIT"]);
    assert!(start.elapsed() >= Duration::from_millis(60 + 4 * 5), "{said} took {:?}", start.elapsed());
    assert_eq!(server.log().bytes_sent, said.len() as u64);
}

/// Counts what is read below TLS.
#[derive(Debug)]
struct Counted(TcpStream, usize);

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = self.0.read(into)?;
        self.1 += n;
        Ok(n)
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn an_early_close_takes_leave_of_tls_and_a_drop_does_not() {
    let server = holding([Fault::new(At::received("STAT"), Effect::Close), Fault::drop(At::received("LIST"))]);
    let [closed, dropped] = ["STAT", "LIST"].map(|command| {
        let mut tls = secure(server.ca_file(), Counted(connect(server.pop3s_port), 0)).unwrap();
        assert_eq!(talk(&mut tls, &["USER ada", "PASS s3cret-Pa55", command]), HELLO);
        tls.get_ref().1
    });
    assert!(closed > dropped, "close_notify is missing: {closed} bytes, and {dropped} after a drop");
}

#[test]
fn thousands_of_messages_are_served() {
    let server = Server::start(Script::holding((0..2000).map(|_| vec![b'x'; 13_000])));
    let retr: String = (1..=2000).map(|n| format!("RETR {n}\r\n")).collect();
    let pop3 = format!("USER ada\r\nPASS s3cret-Pa55\r\n{retr}QUIT\r\n");
    let imap = "a LOGIN ada s3cret-Pa55\r\nb EXAMINE INBOX\r\nc UID FETCH 1:* (BODY.PEEK[])\r\nz LOGOUT\r\n";
    for (port, said) in [(server.pop3_port, pop3.as_str()), (server.imap_port, imap)] {
        let mut stream = connect(port);
        stream.write_all(said.as_bytes()).unwrap();
        assert!(std::io::copy(&mut stream, &mut std::io::sink()).unwrap() > 26_000_000);
    }
    assert_eq!(server.log().retrieved, 4000);
}
