//! The program dies, is told to stop, or runs twice at once: nothing is lost, nothing comes twice, and the next run finishes.

use crate::faults::{BOTH, Stage, Trial, each, post};
use crate::support::mail::message;
use crate::support::run::Running;
use crate::support::server::{Protocol, Script, Slow};
use rustix::process::Signal;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// `kill -9`.
const KILLED: Option<i32> = Some(9);

/// Starts a run whose batches have few messages and that may die at a numbered point.
fn start(stage: &Stage, batch: usize, point: Option<u64>) -> Running {
    let mut command = stage.ferry.command(&["pull", "--json"]);
    command.env("MAILFERRY_FAULT_BATCH", batch.to_string());
    command.envs(point.map(|n| ("MAILFERRY_FAULT_POINT", n.to_string())));
    Running::start(command)
}

fn trial(protocol: Protocol, kind: &'static str, keep: bool) -> Trial {
    let mut trial = Trial::of(protocol).keep(keep);
    trial.kind = kind;
    // Two messages are larger than what is written to an mbox at once, so that it can be torn.
    trial.scripted(|s| {
        let inbox = s.mailbox.folder_mut("INBOX");
        inbox.messages.truncate(4);
        inbox.uidnext = 5;
        for n in [50, 51] {
            inbox.add(message(n, &"a long line of a long message\r\n".repeat(10_000)));
        }
    })
}

/// Dies at each point in turn, and gives how many there are.
fn dies_everywhere(make: impl Fn() -> Trial, again: impl Fn(u64) -> Option<u64>) -> u64 {
    for n in 1.. {
        assert!(n < 200, "no end of points");
        let stage = make().start();
        let run = stage.check(start(&stage, 2, Some(n)).wait());
        if run.signal != KILLED {
            run.expect(0);
            stage.heals();
            return n - 1;
        }
        if let Some(second) = again(n) {
            let run = stage.check(start(&stage, 2, Some(second)).wait());
            assert!(run.signal == KILLED || run.code == Some(0), "{run:?}");
        }
        stage.heals();
    }
    unreachable!()
}

#[test]
fn at_every_numbered_point() {
    let all = BOTH.into_iter().flat_map(|p| ["maildir", "mbox"].map(|k| (p, k)));
    let rows = all.flat_map(|(p, k)| [(p, k, true), (p, k, false)]);
    each(rows.map(|row| (format!("{row:?}"), row)), |(protocol, kind, keep)| {
        let points = dies_everywhere(|| trial(*protocol, kind, *keep), |_| None);
        // Three batches of at least four points, and what comes before and after.
        assert!(points >= if *keep { 12 } else { 15 }, "only {points} points");
    });
}

#[test]
fn and_again_while_that_is_settled() {
    for (protocol, kind) in [(Protocol::Pop3, "maildir"), (Protocol::Imap, "mbox")] {
        dies_everywhere(|| trial(protocol, kind, false), |n| Some(1 + n % 4));
    }
}

/// Messages without names, and names that changed, while the program dies.
#[test]
fn while_names_fail() {
    use crate::support::server::Uidls;
    let rows = [Uidls::Shared((1..=6).collect()), Uidls::Position, Uidls::MissingFor((1..=6).collect())];
    each(rows.map(|u| (format!("{u:?}"), u)), |uidls| {
        dies_everywhere(
            || Trial::of(Protocol::Pop3).keep(false).scripted(|s| s.mailbox.uidls = uidls.clone()),
            |_| None,
        );
    });
}

#[test]
fn while_a_new_uidvalidity_is_matched() {
    for n in 1.. {
        let stage = Trial::of(Protocol::Imap).start();
        stage.pull().expect(0);
        stage.server.mailbox().folder_mut("INBOX").renumber();
        let run = stage.check(start(&stage, 2, Some(n)).wait());
        stage.heals();
        if run.signal != KILLED {
            assert!(n > 1, "no point at all");
            return;
        }
    }
}

fn slow(protocol: Protocol, kind: &'static str, keep: bool, messages: usize) -> Stage {
    let mut trial = Trial::of(protocol).keep(keep);
    trial.kind = kind;
    trial.script = Script::holding(post(messages));
    trial.script.slow = Some(Slow { chunk: 600, delay: Duration::from_millis(10) });
    trial.start()
}

#[test]
fn at_random_moments() {
    let rows =
        [(Protocol::Pop3, "maildir"), (Protocol::Imap, "maildir"), (Protocol::Pop3, "mbox"), (Protocol::Imap, "mbox")];
    each(rows.map(|row| (format!("{row:?}"), row)), |(protocol, kind)| {
        let stage = slow(*protocol, kind, false, 60);
        let mut random = 0x2545_f491_4f6c_dd1d_u64 ^ kind.len() as u64;
        for _ in 0..6 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut run = start(&stage, 5, None);
            let until = Instant::now() + Duration::from_millis(50 + random % 500);
            while run.is_running() && Instant::now() < until {
                sleep(Duration::from_millis(1));
            }
            stage.check(run.kill());
        }
        stage.heals();
    });
}

/// Waits until something happened in a run.
#[track_caller]
fn until(what: &str, happened: impl Fn() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < Duration::from_secs(20), "never {what}");
        sleep(Duration::from_millis(3));
    }
}

#[test]
fn a_signal_saves_what_is_whole() {
    let rows = BOTH.into_iter().flat_map(|p| [(p, Signal::TERM, 143), (p, Signal::INT, 130)]);
    each(rows.map(|row| (format!("{row:?}"), row)), |(protocol, signal, code)| {
        let stage = slow(*protocol, "maildir", false, 60);
        let run = start(&stage, 5, None);
        until("delivered", || stage.stored().len() > 5);
        run.signal(*signal);
        let first = stage.check(run.wait()).expect(*code);
        let fetched = first.summary_of("a")["fetched"].as_u64().unwrap();
        assert!((5..60).contains(&fetched), "{fetched} of 60");
        assert_eq!(stage.stored().len() as u64, fetched, "what is whole is here");
        assert_eq!(stage.server.inbox().len(), 60, "nothing leaves an unfinished run");
        stage.is_tidy();
        let second = stage.pull().expect(0);
        assert_eq!(second.summary_of("a")["fetched"].as_u64().unwrap(), 60 - fetched);
        stage.heals();
    });
}

#[test]
fn a_signal_while_nothing_comes() {
    use crate::support::server::{At, Effect, Fault};
    for (protocol, command) in [(Protocol::Pop3, "UIDL"), (Protocol::Imap, "UID FETCH")] {
        let silent = Fault::new(At::received(command), Effect::Pause(Duration::from_secs(5)));
        let stage = Trial::of(protocol).fault(silent).start();
        let run = start(&stage, 5, None);
        until("asked", || stage.server.log().count(command) > 0);
        run.signal(Signal::TERM);
        let run = stage.check(run.wait()).expect(143);
        assert!(run.took < Duration::from_secs(3), "{:?}", run.took);
        stage.heals();
    }
}

/// The first signal waits for a lock with the run; the second does not.
#[test]
fn two_signals_leave_at_once() {
    let mut trial = Trial::of(Protocol::Pop3);
    trial.kind = "mbox";
    let stage = trial.start();
    stage.pull().expect(0);
    let lock = stage.ferry.path("mail").join("a.lock");
    fs::write(&lock, std::process::id().to_string()).unwrap();
    stage.server.clear_log();
    let mut run = start(&stage, 5, None);
    sleep(Duration::from_millis(500));
    run.signal(Signal::INT);
    sleep(Duration::from_millis(500));
    assert!(run.is_running(), "it waits for the lock");
    run.signal(Signal::INT);
    let run = run.wait();
    assert_eq!(run.code, Some(130), "{run:?}");
    assert!(run.took < Duration::from_secs(4), "{:?}", run.took);
    assert!(lock.exists(), "the lock is another's");
    fs::remove_file(&lock).unwrap();
    stage.heals();
}

#[test]
fn two_runs_at_once() {
    each(BOTH.map(|p| (format!("{p:?}"), p)), |protocol| {
        let stage = slow(*protocol, "maildir", true, 30);
        let first = start(&stage, 5, None);
        until("delivered", || !stage.stored().is_empty());
        let second = stage.ferry.run(&["pull", "--json"]).expect(75);
        assert!(second.took < Duration::from_secs(2), "{:?}", second.took);
        assert!(second.stderr.contains("another run") && second.stderr.contains("--wait"), "{}", second.stderr);
        assert_eq!(stage.server.log().connections, 1, "the server does not notice");
        let third = stage.ferry.run(&["pull", "--json", "--wait", "60"]).expect(0);
        assert_eq!(third.summary_of("a")["fetched"], 0, "{}", third.stdout);
        assert_eq!(third.summary_of("a")["had"], 30);
        first.wait().expect(0);
        stage.heals();
    });
}
