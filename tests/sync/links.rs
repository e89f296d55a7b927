//! Links that break, and several of them at once.

use super::*;
use crate::support::cutter::Way;
use crate::support::run::Running;
use crate::support::server::{At, Effect, Fault, Script, Server};
use rustix::process::Signal;
use std::sync::OnceLock;
use std::time::Duration;

/// Something to do in each direction; what comes of it.
fn busy(pair: &Pair) -> (&'static str, [&'static str; 2]) {
    pair.user.deliver("INBOX", &(1..=6).map(message).collect::<Vec<_>>());
    pair.add_here("Archive", 20);
    pair.sync();
    pair.user.deliver("INBOX", &[message(7), message(8)]);
    pair.add_here("INBOX", 9);
    pair.mark_here(1, "F");
    fs::remove_file(pair.file("INBOX", 2)).unwrap();
    let moved = pair.file("INBOX", 3);
    fs::rename(&moved, pair.path("Archive").join("cur").join(moved.file_name().unwrap())).unwrap();
    let counted = "fetched 2, uploaded 1, flags_remote 1, deleted_remote 1, moved_remote 1";
    (counted, ["1F 4 5 6 7 8 9S", "3 20S"])
}

fn warnings(outcome: &Outcome) -> Vec<String> {
    let events = outcome.events();
    events.iter().filter(|e| e["event"] == "warning").map(|e| e["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_link_that_is_cut_once_heals_in_the_same_run() {
    for command in ["LIST", "SELECT", "FETCH", "APPEND", "STORE", "EXPUNGE", "MOVE"] {
        let (pair, cutter) = Pair::with_cutter();
        let (counted, [inbox, archive]) = busy(&pair);
        cutter.connections();
        cutter.arm_before(command);
        let run = pair.run(&[]).expect(0);
        assert!(!cutter.disarm(), "{command} was never sent");
        assert_eq!(cutter.connections(), (2, 1), "{command}");
        assert_eq!(counts(&run), counted, "{command}");
        let told = warnings(&run);
        assert!(told.len() == 1 && told[0].contains("; trying again in 0."), "{command}: {told:?}");
        assert_eq!(run.stderr, "", "{command}");
        assert_eq!((pair.both("INBOX").as_str(), pair.both("Archive").as_str()), (inbox, archive), "{command}");
        pair.is_idle();
    }
}

#[test]
fn octets_of_a_cut_message_are_none_of_it() {
    let (pair, cutter) = Pair::with_cutter();
    let large = |n: usize| [message(n), b"line by line\r\n".repeat(20_000)].concat();
    pair.user.deliver("INBOX", &[message(1), large(2), message(3)]);
    for octets in [100_000, 200_000] {
        cutter.arm(Way::ToClient, octets);
        pair.run(&[]).expect(0);
    }
    assert_eq!(pair.both("INBOX"), "1 2 3");
    pair.is_idle();
}

#[test]
fn a_link_that_stays_cut_ends_the_run_and_the_next_heals() {
    let (pair, cutter) = Pair::with_cutter();
    let (_, [inbox, archive]) = busy(&pair);
    cutter.connections();
    cutter.arm_before("APPEND");
    cutter.stay_cut();
    let run = pair.run(&[]).expect(75);
    // What was fetched before was no try in vain.
    assert_eq!(cutter.connections(), (4, 1));
    assert_eq!((warnings(&run).len(), run.stderr.matches("error: x: ").count()), (3, 1), "{}", run.stderr);
    assert_eq!(counts(&run), "fetched 2");
    cutter.disarm();
    pair.run(&[]).expect(0);
    assert_eq!((pair.both("INBOX").as_str(), pair.both("Archive").as_str()), (inbox, archive));
    pair.is_idle();
}

#[test]
fn a_server_that_was_never_reached_is_not_tried_again() {
    let (pair, cutter) = Pair::with_cutter();
    cutter.arm(Way::ToClient, 10);
    let run = pair.run(&[]).expect(75);
    assert_eq!((cutter.connections(), warnings(&run)), ((1, 1), vec![]));
    assert_eq!(pair.ferry.run(&["sync"]).expect(0).stderr, "");
}

#[test]
fn a_log_in_that_is_refused_is_not_tried_again() {
    let server = Server::start(Script::holding(mail::ordinary(4)));
    let ferry = Ferry::new();
    ferry.account("x", &server.endpoint(Protocol::Imap, Security::Implicit), "");
    server.fault(Fault::drop(At::Inside { uid: 2, byte: 50 }));
    server.fault(Fault::refuse("log-in", "[AUTHENTICATIONFAILED] no").nth(2));
    let run = ferry.run(&["sync", "--json"]).expect(77);
    assert_eq!(server.log().logins, 1);
    assert_eq!(run.stderr.matches("error: x: ").count(), 1, "{}", run.stderr);
    server.heal();
    let healed = ferry.run(&["sync", "--json"]).expect(0);
    let fetched = |run: &Outcome| run.summary_of("x")["fetched"].as_u64().unwrap();
    assert_eq!(fetched(&run) + fetched(&healed), 4);
    assert_eq!(maildir(&ferry.store("x").join("INBOX")).len(), 4);
}

#[test]
fn a_farewell_silence_and_a_stated_pause_are_waited_out() {
    let throttled = "{tag} BAD Request is throttled. Suggested Backoff Time: 1100 milliseconds\r\n";
    for (effect, told) in [
        (Effect::say("* BYE [UNAVAILABLE] down for a moment\r\n"), "down for a moment\u{201d}; trying again in 0."),
        (Effect::Pause(Duration::from_secs(3)), "no answer from "),
        (Effect::say(throttled), "; trying again in 1."),
    ] {
        let server = Server::start(Script::holding(mail::ordinary(3)));
        let ferry = Ferry::new();
        ferry.account("x", &server.endpoint(Protocol::Imap, Security::Implicit), "");
        let config = fs::read_to_string(ferry.config_file()).unwrap();
        ferry.configure(&config.replace("protocol =", "timeout = \"1s\"\nprotocol ="));
        server.fault(Fault::new(At::received("UID FETCH"), effect).nth(2));
        let run = ferry.run(&["sync", "--json"]).expect(0);
        let warned = warnings(&run);
        assert!(warned.len() == 1 && warned[0].contains(told), "{told}: {warned:?}");
        assert_eq!((run.stderr.as_str(), server.log().logins), ("", 2), "{told}");
        assert_eq!(run.summary_of("x")["fetched"], 3);
        assert_eq!(maildir(&ferry.store("x").join("INBOX")).len(), 3);
    }
}

#[test]
fn a_pause_ends_when_the_run_is_to_stop_and_one_that_is_too_long_is_not_made() {
    for (minutes, code) in [(5, 143), (11, 75)] {
        let server = Server::start(Script::holding(mail::ordinary(3)));
        let ferry = Ferry::new();
        ferry.account("x", &server.endpoint(Protocol::Imap, Security::Implicit), "");
        let throttled = format!("{{tag}} NO [THROTTLED] Suggested Backoff Time: {} milliseconds\r\n", minutes * 60_000);
        server.fault(Fault::new(At::received("UID FETCH"), Effect::say(throttled)).nth(2));
        let mut command = ferry.command(&["sync"]);
        command.env("MAILFERRY_FAULT_PAUSE", "100000");
        let run = Running::start(command);
        while code == 143 && server.log().count("UID FETCH") < 2 {
            std::thread::sleep(Duration::from_millis(5));
        }
        if code == 143 {
            run.signal(Signal::TERM);
        }
        let ended = run.wait().expect(code);
        assert!(ended.took < Duration::from_secs(60));
        assert_eq!(ended.stderr.matches("error: x: ").count(), 1, "{}", ended.stderr);
        assert_eq!((server.log().logins, server.inbox().len()), (1, 3));
        ferry.run(&["sync"]).expect(0);
        assert_eq!(maildir(&ferry.store("x").join("INBOX")).len(), 3);
    }
}

#[test]
fn a_message_that_breaks_every_connection_keeps_no_other_back() {
    let mut script = Script::holding(mail::ordinary(4));
    script.mailbox.folder_mut("Other").add(mail::ordinary(1).remove(0));
    let server = Server::start(script);
    let ferry = Ferry::new();
    ferry.account("x", &server.endpoint(Protocol::Imap, Security::Implicit), "");
    server.fault(Fault::drop(At::Inside { uid: 2, byte: 50 }).always());
    for (fetched, logins) in [(4, 3), (0, 3)] {
        server.clear_log();
        let run = ferry.run(&["sync", "--json"]).expect(2);
        let summary = run.summary_of("x");
        assert_eq!((&summary["fetched"], &summary["failed"]), (&fetched.into(), &1.into()));
        assert!(run.stderr.contains("INBOX: message 2 was not fetched: the connection broke"), "{}", run.stderr);
        assert_eq!(server.log().logins, logins);
    }
    server.heal();
    assert_eq!(ferry.run(&["sync", "--json"]).expect(0).summary_of("x")["fetched"], 1);
    assert_eq!(maildir(&ferry.store("x").join("INBOX")).len(), 4);
}

#[test]
fn what_is_left_alone_is_told_once() {
    let (pair, cutter) = Pair::behind_cutter(Dovecot::shared(), "\n[accounts.x.sync]\nmax_size = \"1 kB\"\n");
    let large = [message(1), b"line by line\r\n".repeat(200)].concat();
    pair.user.deliver("INBOX", &[large, message(2)]);
    cutter.arm_before("BODY.PEEK[])");
    let run = pair.run(&[]).expect(0);
    assert!(!cutter.disarm());
    assert_eq!(counts(&run), "fetched 1, skipped 1");
    assert_eq!(run.events().iter().filter(|e| e["action"] == "skip").count(), 1);
}

#[test]
fn what_was_looked_at_before_a_cut_is_not_looked_at_again() {
    let (pair, cutter) = Pair::behind_cutter(Dovecot::shared(), "\n[accounts.x.sync]\nconnections = 1\n");
    let folders: Vec<String> = (0..40).map(|n| format!("F{n:02}")).collect();
    folders.iter().enumerate().for_each(|(n, folder)| pair.add_here(folder, n));
    pair.sync();
    folders.iter().for_each(|folder| pair.rest(folder));
    pair.is_idle();
    let received = || {
        let before = cutter.received();
        pair.is_idle();
        cutter.received() - before
    };
    let little = received();
    // Where something else is wanted, all folders are looked at.
    pair.reconfigure("connections = 1", "connections = 1\nmax_size = \"1 MB\"");
    let all = received();
    pair.reconfigure("1 MB", "2 MB");
    cutter.arm(Way::ToClient, usize::try_from(all * 9 / 10).unwrap());
    let again = received();
    assert!(!cutter.disarm());
    assert!(again < all + 3 * little, "{again} octets, {all} without a cut, {little} without a look");
}

#[test]
fn an_adoption_goes_on_over_another_link() {
    let (pair, cutter) = Pair::with_cutter();
    pair.user.deliver("INBOX", &[message(1), message(2)]);
    pair.add_here("INBOX", 1);
    pair.add_here("INBOX", 3);
    cutter.arm_before("BODY.PEEK[HEADER");
    let adopted = pair.ferry.run(&["adopt", "x", "--json"]).expect(0);
    assert!(!cutter.disarm());
    assert_eq!((counts(&adopted).as_str(), warnings(&adopted).len()), ("adopted 1, skipped 2, listed 2", 1));
    assert_eq!(pair.sync(), "fetched 1, uploaded 1, flags_remote 1");
}

/// So many folders on both sides, with a message each, of which both sides are to know.
fn many(pair: &Pair, folders: usize) {
    for n in 0..folders {
        match n % 2 {
            0 => pair.user.deliver(&format!("F{n:02}"), &[message(n)]),
            _ => pair.add_here(&format!("F{n:02}"), n),
        }
    }
}

fn are_alike(pair: &Pair, folders: usize) {
    for n in 0..folders {
        assert_eq!(pair.both(&format!("F{n:02}")).trim_end_matches('S'), n.to_string());
    }
}

#[test]
fn several_connections_are_opened_for_work_alone() {
    for (more, most) in
        [("", 4), ("\n[accounts.x.sync]\nconnections = 2\n", 2), ("\n[accounts.x.sync]\nconnections = 1\n", 1)]
    {
        let (pair, cutter) = Pair::behind_cutter(Dovecot::shared(), more);
        many(&pair, 40);
        assert_eq!(pair.sync(), "fetched 20, uploaded 20");
        let (all, at_once) = cutter.connections();
        assert!(all <= most && at_once <= most && (most == 1 || at_once > 1), "{all}, {at_once} of {most}");
        are_alike(&pair, 40);
        pair.user.deliver("F01", &[message(99)]);
        assert_eq!(pair.sync(), "fetched 1");
        pair.is_idle();
    }
}

#[test]
fn a_run_with_little_to_do_needs_one_connection() {
    let (pair, cutter) = Pair::behind_cutter(Dovecot::shared(), "");
    many(&pair, 6);
    assert_eq!(pair.sync(), "fetched 3, uploaded 3");
    assert_eq!(cutter.connections(), (1, 1));
    pair.is_idle();
    assert_eq!(cutter.connections(), (1, 1));
}

#[test]
fn a_server_that_takes_fewer_connections_is_worked_with_quietly() {
    static SERVER: OnceLock<Dovecot> = OnceLock::new();
    let server = SERVER.get_or_init(|| Dovecot::start("mail_max_userip_connections = 2\n"));
    let (pair, cutter) = Pair::behind_cutter(server, "");
    many(&pair, 40);
    let run = pair.run(&[]).expect(0);
    assert_eq!((counts(&run).as_str(), run.stderr.as_str(), warnings(&run)), ("fetched 20, uploaded 20", "", vec![]));
    assert!(cutter.connections().0 > 2);
    are_alike(&pair, 40);
}

#[test]
fn one_of_several_links_that_breaks_takes_nothing_along() {
    for (way, octets) in
        [(Way::ToClient, 9_000), (Way::ToClient, 14_000), (Way::ToServer, 5_000), (Way::ToServer, 8_000)]
    {
        let (pair, cutter) = Pair::behind_cutter(Dovecot::shared(), "");
        many(&pair, 40);
        cutter.arm(way, octets);
        let run = pair.run(&[]).expect(0);
        assert!(!cutter.disarm(), "{octets} octets never went {way:?}");
        assert_eq!(counts(&run), "fetched 20, uploaded 20", "{octets} {way:?}");
        // One that breaks before it is let in is missed by nobody.
        assert!(run.stderr.is_empty() && warnings(&run).len() <= 1, "{octets} {way:?}: {}", run.stderr);
        are_alike(&pair, 40);
        pair.is_idle();
    }
}

#[test]
fn what_one_folder_meets_here_harms_no_other() {
    let pair = Pair::with("");
    many(&pair, 40);
    fs::create_dir_all(pair.path("F06")).unwrap();
    fs::write(pair.path("F06").join("cur"), "no folder").unwrap();
    let run = pair.run(&[]);
    assert!(matches!(run.code, Some(73 | 74)), "{:?}: {}", run.code, run.stderr);
    fs::remove_file(pair.path("F06").join("cur")).unwrap();
    pair.run(&[]).expect(0);
    are_alike(&pair, 40);
    pair.is_idle();
}
