//! Servers that refuse: one message, a command, the log-in, the connection.

use super::{BOTH, Trial, each};
use crate::support::run::Outcome;
use crate::support::server::{At, Call, Effect, Fault, Protocol};

fn command(protocol: Protocol, pop3: &'static str, imap: &'static str) -> &'static str {
    if protocol == Protocol::Pop3 { pop3 } else { imap }
}

/// The first complaint of a run.
fn error(run: &Outcome) -> serde_json::Value {
    run.events().into_iter().find(|e| e["event"] == "error").unwrap_or_else(|| panic!("no error: {}", run.stdout))
}

#[test]
fn one_message_of_many_is_left_and_comes_later() {
    let rows = BOTH.into_iter().flat_map(|p| [1, 3, 6].map(|uid| (p, uid)));
    let rows = rows.flat_map(|(p, uid)| [true, false].map(|keep| (p, uid, keep)));
    each(rows.map(|row| (format!("{row:?}"), row)), |(protocol, uid, keep)| {
        let fetch = command(*protocol, "RETR", "UID FETCH");
        let fault = Fault::refuse(Call::of(fetch, *uid), "[SYS/PERM] damaged");
        let stage = Trial::of(*protocol).keep(*keep).fault(fault).start();
        for round in 1..=2 {
            let run = stage.pull().expect(2);
            let counts = run.summary_of("a");
            let arrived = if round == 1 { 5 } else { 0 };
            assert_eq!((&counts["failed"], &counts["fetched"]), (&1.into(), &arrived.into()), "{counts}");
            let refused: Vec<_> = run.events().into_iter().filter(|e| e["action"] == "failed").collect();
            assert_eq!(refused.len(), 1, "{}", run.stdout);
            assert!(refused[0]["reason"].as_str().unwrap().contains("damaged"), "{}", refused[0]);
            let status = stage.ferry.run(&["status", "--json"]).expect(0).events();
            let quarantined = &status[0]["folders"][0]["quarantined"];
            assert_eq!((quarantined.as_array().map(Vec::len), &quarantined[0]["tries"]), (Some(1), &round.into()));
            let left = if *keep { 6 } else { 1 };
            assert_eq!(stage.server.inbox().len(), left);
        }
        stage.heals();
        stage.is_tidy();
        let status = stage.ferry.run(&["status", "--json"]).expect(0).events();
        assert_eq!(status[0]["folders"][0]["quarantined"], serde_json::json!([]), "out of quarantine");
    });
}

/// A server that lost the content of a message is not to lose the message, too.
#[test]
fn a_message_of_which_much_is_missing_is_left() {
    let pop3 =
        ["+OK\r\n.\r\n", "+OK\r\n\r\n.\r\n", "+OK\r\nMessage-ID: <4>\r\n.\r\n"].map(|say| (Protocol::Pop3, 3, say));
    let rows = pop3.into_iter().chain([(Protocol::Pop3, 1, "+OK\r\n.\r\n")]);
    each(rows.map(|row| (format!("{row:?}"), row)), |(protocol, uid, say)| {
        let fault = Fault::new(At::Received(Call::of("RETR", *uid)), Effect::say(*say));
        let run = Trial::of(*protocol).keep(false).fault(fault).ends(2);
        let counts = run.summary_of("a");
        assert_eq!(
            (&counts["fetched"], &counts["failed"], &counts["deleted_remote"]),
            (&5.into(), &1.into(), &5.into())
        );
    });
}

/// Nonsense in place of one message does not keep back those behind it.
#[test]
fn a_message_that_breaks_the_session_comes_last() {
    let fault = Fault::new(At::Received(Call::of("RETR", 3)), Effect::say("WHAT\r\n")).always();
    let stage = Trial::of(Protocol::Pop3).fault(fault).start();
    for fetched in [2, 3] {
        let run = stage.pull().expect(76);
        assert_eq!(run.summary_of("a")["fetched"], fetched);
    }
    stage.heals();
}

#[test]
fn every_message_is_refused() {
    for protocol in BOTH {
        let fetch = command(protocol, "RETR", "UID FETCH");
        let mut trial = Trial::of(protocol).keep(false);
        for uid in 1..=6 {
            trial = trial.fault(Fault::refuse(Call::of(fetch, uid), "not now"));
        }
        let run = trial.ends(2);
        assert_eq!((&run.summary_of("a")["failed"], &run.summary_of("a")["fetched"]), (&6.into(), &0.into()));
    }
}

#[test]
fn the_last_refusal_is_the_farewell_of_a_server_that_hangs_up() {
    let fault = Fault::new(At::Received(Call::of("RETR", 4)), Effect::say("-ERR [SYS/TEMP] going down\r\n"));
    let hang_up = Fault::new(At::Answered(Call::of("RETR", 4)), Effect::Close);
    let stage = Trial::of(Protocol::Pop3).keep(false).fault(fault).fault(hang_up).start();
    stage.pull().expect(75);
    let status = stage.ferry.run(&["status", "--json"]).expect(0).events();
    assert_eq!(status[0]["folders"][0]["quarantined"], serde_json::json!([]), "message 4 is not to blame");
    stage.heals();
}

#[test]
fn pop3_says_why_it_is_closed_for_now() {
    let rows = [
        ("connect", "[SYS/TEMP] too busy", 75),
        ("connect", "[SYS/PERM] mailbox damaged", 75),
        ("connect", "[IN-USE] locked", 75),
        ("connect", "go away", 75),
        ("log-in", "[IN-USE] another session", 75),
        ("log-in", "[LOGIN-DELAY] too often", 75),
        ("log-in", "[SYS/TEMP] disk", 75),
        ("log-in", "[SYS/PERM] broken", 75),
        ("log-in", "mailbox is locked by another session", 75),
        ("log-in", "[AUTH] no", 77),
        ("log-in", "invalid password", 77),
        ("UIDL", "[SYS/TEMP] index", 75),
        ("LIST", "[SYS/TEMP] index", 75),
        ("LIST", "what?", 76),
    ];
    each(rows.map(|row| (format!("{row:?}"), row)), |(at, text, code)| {
        for keep in [true, false] {
            let run = Trial::of(Protocol::Pop3).keep(keep).fault(Fault::refuse(*at, text)).ends(*code);
            assert_eq!(run.summary_of("a")["fetched"], 0);
            let words = text.rsplit(']').next().unwrap().trim();
            let e = error(&run);
            assert!(e["message"].as_str().unwrap().contains(words), "{e}");
            assert!(e["remedy"].as_str().unwrap().len() > 10, "{e}");
        }
    });
}

#[test]
fn imap_says_why_it_is_closed_for_now() {
    let no = |text: &str| Effect::Refuse(text.to_owned());
    let bad = |text: &str| Effect::Reject(text.to_owned());
    let rows = [
        ("connect", no("[UNAVAILABLE] too busy"), 75),
        ("connect", no("go away"), 75),
        ("log-in", no("[AUTHENTICATIONFAILED] no"), 77),
        ("log-in", no("[UNAVAILABLE] back-end is down"), 75),
        ("log-in", no("[INUSE] locked"), 75),
        ("log-in", no("[LIMIT] connections"), 75),
        ("log-in", no("Too many simultaneous connections"), 75),
        ("log-in", no("wrong"), 77),
        ("SELECT", no("[INUSE] locked"), 75),
        ("SELECT", no("[SERVERBUG] oops"), 75),
        ("SELECT", bad("what?"), 76),
        ("SELECT", no("no right to read"), 69),
        ("UID FETCH", no("[UNAVAILABLE] index"), 75),
        ("UID FETCH", bad("what?"), 76),
        ("UID STORE", no("[UNAVAILABLE] index"), 75),
        ("UID STORE", no("no right to delete"), 69),
        ("UID EXPUNGE", no("[UNAVAILABLE] index"), 75),
        ("UID EXPUNGE", bad("what?"), 76),
        ("LOGOUT", bad("stay"), 0),
    ];
    each(rows.map(|row| (format!("{row:?}"), row)), |(at, effect, code)| {
        let fault = Fault::new(At::received(at), effect.clone()).always();
        Trial::of(Protocol::Imap).keep(false).fault(fault).ends(*code);
    });
}

#[test]
fn pop3_refuses_to_delete() {
    // Some stay; the next run asks again.
    let stage =
        Trial::of(Protocol::Pop3).keep(false).fault(Fault::refuse(Call::of("DELE", 2), "[SYS/TEMP] no")).start();
    let run = stage.pull().expect(2);
    assert!(run.stderr.contains("refused to delete 1 message"), "{}", run.stderr);
    let counts = run.summary_of("a");
    assert_eq!((&counts["deleted_remote"], &counts["undeleted_remote"]), (&5.into(), &1.into()), "{counts}");
    assert_eq!(stage.server.inbox().len(), 1);
    stage.heals();

    let stage =
        Trial::of(Protocol::Pop3).keep(false).fault(Fault::refuse("QUIT", "some deleted messages not removed")).start();
    let run = stage.pull().expect(2);
    assert!(run.stderr.contains("may have kept some"), "{}", run.stderr);
    let counts = run.summary_of("a");
    assert_eq!((&counts["deleted_remote"], &counts["undeleted_remote"]), (&0.into(), &6.into()), "{counts}");
    stage.heals();
}

#[test]
fn a_wrong_password_and_a_closed_port() {
    for protocol in BOTH {
        let stage = Trial::of(protocol).start();
        let right = std::fs::read_to_string(stage.ferry.config_file()).unwrap();
        stage.ferry.configure(&right.replace(stage.server.password(), "wrong-Pa55"));
        let run = stage.pull().expect(77);
        assert!(!run.stderr.contains("wrong-Pa55"));
        assert_eq!(stage.server.log().connections, 1, "tried once: more would lock the account");
        let port = crate::support::server::closed_port();
        let lines = right.lines().map(|l| if l.starts_with("port") { format!("port = {port}") } else { l.to_owned() });
        stage.ferry.configure(&lines.collect::<Vec<_>>().join("\n"));
        stage.pull().expect(75);
        stage.ferry.configure(
            &right
                .replace("127.0.0.1", "no-such-host.invalid")
                .replace("tls = \"none\"", "tls = \"none\"\nallow_cleartext = true"),
        );
        stage.pull().expect(75);
        stage.ferry.configure(&right);
        stage.heals();
    }
}

#[test]
fn login_delay_is_obeyed() {
    let trial = Trial::of(Protocol::Pop3).scripted(|s| s.pop3_extra.push("LOGIN-DELAY 2".to_owned()));
    let stage = trial.start();
    stage.pull().expect(0);
    stage.server.clear_log();
    let run = stage.pull().expect(75);
    assert_eq!(stage.server.log().connections, 0, "too early, so the server is left alone");
    let e = error(&run);
    assert!(e["message"].as_str().unwrap().contains("pause between log-ins"), "{e}");
    assert!(e["remedy"].as_str().unwrap().contains("seconds"), "{e}");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    stage.is_idle();
}
