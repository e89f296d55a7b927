//! Servers without this or that capability.

use super::{Trial, each};
use crate::support::mail::message;
use crate::support::server::{At, Call, Fault, Protocol, Script};

#[test]
fn pop3_without_this_or_that() {
    let rows: [&[&str]; 12] = [
        &["UIDL"],
        &["TOP"],
        &["UIDL", "TOP"],
        &["CAPA"],
        &["CAPA", "UIDL"],
        &["CAPA", "TOP"],
        &["CAPA", "UIDL", "TOP"],
        &["PIPELINING"],
        &["PIPELINING", "UIDL"],
        &["SASL", "APOP"],
        &["USER", "APOP"],
        &["CAPA", "UIDL", "TOP", "PIPELINING", "SASL", "APOP", "STLS"],
    ];
    let rows = rows.into_iter().flat_map(|without| [(without, true), (without, false)]);
    each(rows.map(|row| (format!("{row:?}"), row)), |(without, keep)| {
        let lacks = |name: &str| without.contains(&name);
        let trial = || {
            let mut trial = Trial::of(Protocol::Pop3).keep(*keep);
            trial.blind = lacks("UIDL") && lacks("TOP");
            trial.scripted(|s| s.without = without.iter().map(|w| (*w).to_owned()).collect())
        };
        trial().ends(0);
        let cut = if *keep { At::Inside { uid: 4, byte: 99 } } else { At::received("QUIT") };
        let mut stage = trial().fault(Fault::drop(cut)).start();
        stage.pull().expect(75);
        stage.pull().expect(0);
        let later = message(70, "arrived later\r\n");
        stage.server.mailbox().folder_mut("INBOX").add(later.clone());
        stage.all.push(later);
        stage.pull().expect(0);
        stage.heals();
    });
}

#[test]
fn imap_without_this_or_that() {
    let rows: [&[&str]; 7] = [
        &["UIDPLUS"],
        &["LITERAL+", "SASL-IR"],
        &["ID"],
        &["UNSELECT"],
        &["AUTH=PLAIN"],
        &["LOGIN"],
        &["UIDPLUS", "LITERAL+", "SASL-IR", "ID", "UNSELECT", "AUTH=PLAIN", "STARTTLS"],
    ];
    let rows = rows.into_iter().flat_map(|without| [(without, true), (without, false)]);
    each(rows.map(|row| (format!("{row:?}"), row)), |(without, keep)| {
        let trial = || {
            let trial = Trial::of(Protocol::Imap).keep(*keep);
            trial.scripted(|s| s.without = without.iter().map(|w| (*w).to_owned()).collect())
        };
        trial().ends(0);
        trial().fault(Fault::drop(At::Inside { uid: 4, byte: 99 })).ends(75);
    });
}

#[test]
fn no_way_to_log_in() {
    let imap = Trial::of(Protocol::Imap).scripted(|s| s.without = vec!["LOGIN".to_owned(), "AUTH=PLAIN".to_owned()]);
    let stage = imap.start();
    stage.pull().expect(69);
    assert!(!stage.server.knows_password());
}

/// Without UIDPLUS a plain EXPUNGE would remove what others marked.
#[test]
fn without_uidplus_others_deletions_stay() {
    // The marked one is none of those that are to go, for it cannot be fetched.
    let refused = Fault::refuse(Call::of("UID FETCH", 7), "damaged");
    let marked = |s: &mut Script| {
        s.without.push("UIDPLUS".to_owned());
        s.mailbox.folder_mut("INBOX").add(message(60, "marked by somebody else\r\n")).flag("\\Deleted");
    };
    let stage = Trial::of(Protocol::Imap).keep(false).scripted(marked).fault(refused).start();
    let run = stage.pull().expect(2);
    assert!(run.stderr.contains("marked as deleted on the server but not removed"), "{}", run.stderr);
    let counts = run.summary_of("a");
    assert_eq!((&counts["deleted_remote"], &counts["undeleted_remote"]), (&0.into(), &6.into()), "{counts}");
    assert_eq!(stage.server.inbox().len(), 7);
    assert_eq!(stage.server.log().count("EXPUNGE"), 0);
    stage.heals();
}
