//! Servers that never end, never answer, or answer what nobody asked: every run ends, in bounded time and memory.

use super::{Trial, each};
use crate::support::run::Outcome;
use crate::support::server::{At, Effect, Fault, Protocol};
use std::time::Duration;

/// Peak memory of any run of a debug build, of which 18 MiB are the program itself.
const MEMORY_KIB: u64 = 38 * 1024;
/// The same where the answer is a listing, which is kept in memory up to its bound.
const LISTING_KIB: u64 = 128 * 1024;
/// Longest time of a run whose server talks without end, on a busy machine and without optimisation.
const PATIENCE: Duration = Duration::from_secs(30);

fn endless(start: &str, repeat: &str) -> Effect {
    Effect::Endless { start: start.into(), repeat: repeat.into() }
}

#[track_caller]
fn is_bounded(run: &Outcome, kib: u64) {
    let peak = run.peak_kib.expect("its peak memory");
    assert!(peak < kib, "{peak} KiB");
    assert!(run.took < PATIENCE, "{:?}", run.took);
}

#[track_caller]
fn ends_bounded(protocol: Protocol, kib: u64, rows: Vec<(At, Effect, i32)>) {
    each(rows.into_iter().map(|row| (format!("{row:?}"), row)), |(at, effect, code)| {
        let trial = Trial::of(protocol).keep(false).fault(Fault::new(at.clone(), effect.clone()));
        is_bounded(&trial.ends(*code), kib);
    });
}

#[test]
fn pop3_without_end() {
    let inside = At::Inside { uid: 3, byte: 200 };
    ends_bounded(
        Protocol::Pop3,
        MEMORY_KIB,
        vec![
            (At::received("connect"), endless("", "x"), 76),
            (At::received("connect"), endless("+OK ", "x"), 76),
            (At::received("CAPA"), endless("+OK\r\n", "X"), 76),
            (At::received("CAPA"), endless("+OK\r\n", "X-MORE\r\n"), 76),
            (At::received("UIDL"), endless("+OK\r\n1 ", "x"), 76),
            (At::received("log-in"), endless("-ERR ", "no "), 76),
            (inside.clone(), endless("", "more\r\n"), 76),
            (inside, endless("", "x"), 76),
        ],
    );
}

#[test]
fn imap_without_end() {
    let inside = At::Inside { uid: 3, byte: 200 };
    ends_bounded(
        Protocol::Imap,
        MEMORY_KIB,
        vec![
            (At::received("connect"), endless("", "x"), 76),
            (At::received("connect"), endless("* OK ", "x"), 76),
            (At::received("log-in"), endless("* ", "x "), 76),
            (At::received("SELECT"), endless("* OK [", "x"), 76),
            (At::received("UID FETCH"), endless("* 1 FETCH (UID ", "1"), 76),
            (At::received("UID FETCH"), endless("* 1 FETCH (", "("), 76),
            (inside.clone(), endless("", "more\r\n"), 76),
            (inside, endless("", "x"), 76),
        ],
    );
}

/// One line after the other, each of them sound.
#[test]
fn listings_without_end() {
    ends_bounded(
        Protocol::Pop3,
        LISTING_KIB,
        vec![
            (At::received("UIDL"), endless("+OK\r\n", "1 x\r\n"), 76),
            (At::received("LIST"), endless("+OK\r\n", "1 400\r\n"), 76),
        ],
    );
    ends_bounded(
        Protocol::Imap,
        LISTING_KIB,
        vec![
            (At::received("connect"), endless("* OK hello\r\n", "* OK still here\r\n"), 76),
            (At::received("SELECT"), endless("", "* 6 EXISTS\r\n"), 76),
            (At::received("UID FETCH"), endless("", "* 1 FETCH (UID 1 RFC822.SIZE 400)\r\n"), 76),
            (At::received("UID STORE"), endless("", "* 1 FETCH (UID 1 FLAGS ())\r\n"), 76),
        ],
    );
}

#[test]
fn silence() {
    let long = Effect::Pause(Duration::from_secs(8));
    let pop3 = ["connect", "CAPA", "UIDL", "LIST", "QUIT"].map(|c| (Protocol::Pop3, At::received(c)));
    let imap = ["connect", "SELECT", "UID FETCH", "UID EXPUNGE"].map(|c| (Protocol::Imap, At::received(c)));
    let inside = [Protocol::Pop3, Protocol::Imap].map(|p| (p, At::Inside { uid: 3, byte: 111 }));
    let rows = pop3.into_iter().chain(imap).chain(inside);
    each(rows.map(|row| (format!("{row:?}"), row)), |(protocol, at)| {
        let mut trial = Trial::of(*protocol).keep(false).fault(Fault::new(at.clone(), long.clone()));
        trial.option = "timeout = \"1s\"";
        let run = trial.ends(75);
        assert!(run.stderr.contains("1 second"), "{}", run.stderr);
        assert!((1000..4000).contains(&run.took.as_millis()), "{:?}", run.took);
    });
}

/// A slow line is no silent one.
#[test]
fn slow_but_alive() {
    for protocol in super::BOTH {
        let mut trial = Trial::of(protocol).keep(false);
        trial.option = "timeout = \"1s\"";
        trial.script.slow = Some(crate::support::server::Slow { chunk: 300, delay: Duration::from_millis(100) });
        assert!(trial.ends(0).took > Duration::from_secs(1));
    }
}

#[test]
fn pop3_odd_replies() {
    let say = |text: &str| Effect::say(text);
    let rows = [
        (At::received("connect"), say("220 mail ESMTP\r\n"), 76),
        (At::received("connect"), say("HTTP/1.1 400 Bad Request\r\n\r\n"), 76),
        (At::received("UIDL"), say("* OK\r\n"), 76),
        (At::received("UIDL"), say("+OK\r\none two\r\n.\r\n"), 76),
        (At::received("UIDL"), say("+OK\r\n1 a\r\n1 b\r\n.\r\n"), 76),
        (At::received("LIST"), say("+OK\r\n1 x\r\n.\r\n"), 0),
        (At::received("LIST"), say("+OK\r\n99999999999999999999 1\r\n.\r\n"), 76),
        (At::received("LIST"), say("+OK\r\n1 1\r\n1 2\r\n.\r\n"), 76),
        (At::received("RETR"), say("+OKAY?\r\n"), 76),
        (At::received("QUIT"), say("what?\r\n"), 76),
    ];
    each(rows.map(|row| (format!("{row:?}"), row)), |(at, effect, code)| {
        Trial::of(Protocol::Pop3).keep(false).fault(Fault::new(at.clone(), effect.clone())).ends(*code);
    });
}

#[test]
fn imap_odd_replies() {
    let say = |text: &str| Effect::say(text);
    let rows = [
        (At::received("connect"), say("+OK POP3\r\n"), 76),
        (At::received("connect"), say("* FLAGS ()\r\n"), 76),
        (At::received("SELECT"), say("{tag} MAYBE\r\n"), 76),
        (At::received("SELECT"), say("xyz OK not yours\r\n"), 76),
        (At::received("SELECT"), say("+ go on\r\n"), 76),
        (At::received("UID FETCH"), say("* BYE [UNAVAILABLE] going down\r\n"), 75),
        (At::received("UID FETCH"), say("* 1 FETCH (UID 1 RFC822.SIZE {99999999999}\r\n"), 76),
        (At::received("UID FETCH"), say("* 1 FETCH (UID x RFC822.SIZE y)\r\n{tag} OK done\r\n"), 0),
        (At::received("UID FETCH"), say("{tag} OK nothing for you\r\n"), 0),
    ];
    each(rows.map(|row| (format!("{row:?}"), row)), |(at, effect, code)| {
        Trial::of(Protocol::Imap).keep(false).fault(Fault::new(at.clone(), effect.clone())).ends(*code);
    });
}
