//! The link dies before or after each step of a session, once, on a server that keeps and on one that is emptied.

use super::{Trial, each};
use crate::support::endpoint::Security;
use crate::support::server::{At, Call, Effect, Fault, Protocol};

/// What keeps a run from ending well; 75 where it is cut short, 0 where nothing hung on what was lost.
struct Codes {
    keep: i32,
    delete: i32,
}

const CUT: Codes = Codes { keep: 75, delete: 75 };
const HARMLESS: Codes = Codes { keep: 0, delete: 0 };
/// Only deletions hang on it.
const DELETING: Codes = Codes { keep: 0, delete: 75 };

fn run(protocol: Protocol, rows: Vec<(Fault, Codes)>) {
    let rows = rows.into_iter().flat_map(|(fault, Codes { keep, delete })| {
        [(true, keep), (false, delete)].map(|(keep, code)| {
            (
                format!("{protocol:?}, keep = {keep}, {:?} at {:?} from {}", fault.effect, fault.at, fault.first),
                (fault.clone(), keep, code),
            )
        })
    });
    each(rows, |(fault, keep, code)| {
        Trial::of(protocol).keep(*keep).fault(fault.clone()).ends(*code);
    });
}

#[test]
fn pop3_before_and_after_every_reply() {
    let mut rows = Vec::new();
    for (call, occasion) in
        [("connect", 1), ("CAPA", 1), ("APOP", 1), ("log-in", 1), ("CAPA", 2), ("UIDL", 1), ("LIST", 1)]
    {
        rows.push((Fault::drop(At::received(call)).nth(occasion), CUT));
        if call != "connect" && call != "log-in" {
            rows.push((Fault::drop(At::done(call)).nth(occasion), CUT));
            rows.push((Fault::drop(At::answered(call)).nth(occasion), CUT));
        }
    }
    for uid in [1, 4, 6] {
        let retr = || Call::of("RETR", uid);
        rows.push((Fault::drop(At::Received(retr())), CUT));
        rows.push((Fault::drop(At::Inside { uid, byte: 150 }), CUT));
        rows.push((Fault::new(At::Inside { uid, byte: 150 }, Effect::Close), CUT));
        let last = if uid == 6 { DELETING } else { CUT };
        rows.push((Fault::drop(At::Answered(retr())), last));
    }
    run(Protocol::Pop3, rows);
}

#[test]
fn pop3_in_the_middle_of_deleting() {
    let mut rows = Vec::new();
    for uid in [1, 4, 6] {
        for at in [At::Received, At::Done, At::Answered] {
            rows.push((Fault::drop(at(Call::of("DELE", uid))), DELETING));
        }
    }
    // Nothing was committed; all was committed and not told; all was told.
    rows.push((Fault::drop(At::received("QUIT")), DELETING));
    rows.push((Fault::drop(At::done("QUIT")), DELETING));
    rows.push((Fault::drop(At::answered("QUIT")), HARMLESS));
    run(Protocol::Pop3, rows);
}

#[test]
fn imap_before_and_after_every_reply() {
    let mut rows = Vec::new();
    for (call, occasion) in
        [("connect", 1), ("AUTHENTICATE", 1), ("log-in", 1), ("ID", 1), ("UID FETCH", 1), ("UID FETCH", 2)]
    {
        rows.push((Fault::drop(At::received(call)).nth(occasion), CUT));
        if call != "connect" && call != "log-in" {
            rows.push((Fault::drop(At::done(call)).nth(occasion), CUT));
        }
    }
    for uid in [1, 4, 6] {
        let fetch = || Call::of("UID FETCH", uid);
        rows.push((Fault::drop(At::Received(fetch())), CUT));
        rows.push((Fault::drop(At::Answered(fetch())), CUT));
        rows.push((Fault::drop(At::Inside { uid, byte: 150 }), CUT));
        rows.push((Fault::new(At::Inside { uid, byte: 150 }, Effect::Close), CUT));
    }
    // Everything is done before LOGOUT.
    rows.push((Fault::drop(At::received("LOGOUT")), HARMLESS));
    rows.push((Fault::drop(At::done("LOGOUT")), HARMLESS));
    rows.push((Fault::drop(At::answered("LOGOUT")), HARMLESS));
    run(Protocol::Imap, rows);
}

#[test]
fn imap_in_the_middle_of_deleting() {
    let cut = |at: At| (Fault::drop(at), DELETING);
    let mut rows = Vec::new();
    for command in ["SELECT", "UID STORE", "UID EXPUNGE"] {
        rows.extend([cut(At::received(command)), cut(At::done(command))]);
    }
    rows.push(cut(At::answered("UID STORE")));
    rows.push((Fault::drop(At::answered("UID EXPUNGE")), HARMLESS));
    run(Protocol::Imap, rows);
}

#[test]
fn without_pipelining_or_uidplus() {
    let pop3 = [At::answered("DELE"), At::received("QUIT"), At::Inside { uid: 3, byte: 200 }];
    let imap = [At::answered("UID STORE"), At::received("EXPUNGE"), At::done("EXPUNGE"), At::received("UID SEARCH")];
    let rows = pop3.map(|at| (Protocol::Pop3, at)).into_iter().chain(imap.map(|at| (Protocol::Imap, at)));
    each(rows.map(|row| (format!("{row:?}"), row)), |(protocol, at)| {
        let lacking =
            |s: &mut crate::support::server::Script| s.without.extend(["PIPELINING".into(), "UIDPLUS".into()]);
        Trial::of(*protocol).keep(false).scripted(lacking).fault(Fault::drop(at.clone())).ends(75);
    });
}

#[test]
fn twice_in_a_row() {
    for (protocol, again) in [(Protocol::Pop3, "QUIT"), (Protocol::Imap, "UID EXPUNGE")] {
        let stage = Trial::of(protocol)
            .keep(false)
            .fault(Fault::drop(At::Inside { uid: 3, byte: 99 }))
            .fault(Fault::drop(At::received(again)))
            .start();
        stage.pull().expect(75);
        stage.pull().expect(75);
        stage.heals();
    }
}

#[test]
fn under_tls_as_in_the_clear() {
    let rows = [
        (Protocol::Pop3, Security::Implicit, At::Inside { uid: 4, byte: 60 }),
        (Protocol::Pop3, Security::Starttls, At::received("QUIT")),
        (Protocol::Imap, Security::Implicit, At::Inside { uid: 4, byte: 60 }),
        (Protocol::Imap, Security::Starttls, At::answered("UID STORE")),
    ];
    each(rows.map(|row| (format!("{row:?}"), row)), |(protocol, security, at)| {
        for effect in [Effect::Drop, Effect::Close] {
            let mut trial = Trial::of(*protocol).keep(false).fault(Fault::new(at.clone(), effect));
            trial.security = *security;
            trial.ends(75);
        }
    });
}
