//! The link dies after so many bytes, at places all over a session, and goes on dying.

use super::{Stage, Trial, each};
use crate::support::server::{At, Fault, Protocol};
use crate::support::stored::assert_same_mail;

/// How many bytes the server sends in a run without faults.
fn length(trial: Trial) -> u64 {
    let stage = trial.start();
    stage.pull().expect(0);
    stage.server.log().bytes_sent
}

/// Cuts the session of a run after every `stride` bytes, in one trial each.
fn sweep(trial: Trial, stride: usize) {
    let all = length(trial.clone());
    assert!(all > 15 * stride as u64, "{all} bytes");
    let rows = (0..=all).step_by(stride).map(|n| (format!("after {n} of {all} bytes"), n));
    each(rows, |n| {
        let stage = trial.clone().fault(Fault::drop(At::Sent(*n))).start();
        cut(&stage);
        stage.heals();
    });
}

/// A run that is cut says so, unless it had done everything by then.
fn cut(stage: &Stage) {
    match stage.pull().code {
        Some(0) => stage.is_done(),
        code => assert_eq!(code, Some(75)),
    }
}

#[test]
fn pop3_kept() {
    sweep(Trial::of(Protocol::Pop3), 127);
}

#[test]
fn pop3_deleted() {
    sweep(Trial::of(Protocol::Pop3).keep(false), 97);
}

#[test]
fn imap_kept() {
    sweep(Trial::of(Protocol::Imap), 127);
}

#[test]
fn imap_deleted() {
    sweep(Trial::of(Protocol::Imap).keep(false), 97);
}

#[test]
fn mbox_deleted() {
    for protocol in super::BOTH {
        let mut trial = Trial::of(protocol).keep(false);
        trial.kind = "mbox";
        sweep(trial, 173);
    }
}

/// Every connection dies a little later than the one before: what each brought stays, and nothing comes twice.
#[test]
fn a_line_that_never_lasts() {
    each(super::BOTH.map(|p| (format!("{p:?}"), p)), |protocol| {
        let all = length(Trial::of(*protocol));
        let mut trial = Trial::of(*protocol);
        // Each fault counts the connections that live as long as it lets them.
        for n in (1100..all).step_by(400) {
            trial = trial.fault(Fault::drop(At::Sent(n)));
        }
        let stage = trial.start();
        let mut before = 0;
        while stage.pull().code == Some(75) {
            let now = stage.stored().len();
            assert!(now >= before);
            before = now;
        }
        assert_same_mail(&stage.stored(), &stage.expected());
        stage.heals();
        let retrieved = stage.server.log().retrieved;
        assert_eq!(retrieved, 0);
    });
}
