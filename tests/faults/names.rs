//! Names that servers give to messages and that are not what they should be.

use super::{BOTH, Stage, Trial, each, post};
use crate::support::mail::message;
use crate::support::server::{At, Effect, Fault, Mailbox, Protocol, Sizes, Uidls};
use crate::support::stored::assert_same_mail;

/// A POP3 server with UIDLs of some shape.
fn named(uidls: Uidls, keep: bool) -> Trial {
    Trial::of(Protocol::Pop3).keep(keep).scripted(|s| s.mailbox.uidls = uidls)
}

/// Changes the mail on the server, and what is expected with it.
fn arrive(stage: &mut Stage, bytes: Vec<u8>) {
    stage.server.mailbox().folder_mut("INBOX").add(bytes.clone());
    stage.all.push(bytes);
}

/// Changes what a server says of its mail after a good run: nothing comes twice, new mail comes once.
#[track_caller]
fn survives(trial: Trial, change: impl Fn(&mut Mailbox)) {
    let mut stage = trial.start();
    stage.pull().expect(0);
    stage.is_done();
    change(&mut stage.server.mailbox());
    stage.pull().expect(0);
    stage.is_done();
    arrive(&mut stage, message(71, "arrived later\r\n"));
    change(&mut stage.server.mailbox());
    let counts = stage.pull().expect(0).summary_of("a");
    assert_eq!(counts["fetched"], 1, "{counts}");
    stage.heals();
    stage.is_tidy();
}

#[test]
fn every_shape_of_uidl() {
    let shapes = [
        Uidls::Sound,
        Uidls::Shared(vec![2, 3, 5]),
        Uidls::Shared(vec![1, 2, 3, 4, 5, 6]),
        Uidls::MissingFor(vec![1, 4]),
        Uidls::MissingFor(vec![1, 2, 3, 4, 5, 6]),
        Uidls::Long,
        Uidls::EightBit,
        Uidls::Generation(1),
        Uidls::Position,
    ];
    let rows = shapes.into_iter().flat_map(|s| [(s.clone(), true), (s, false)]);
    each(rows.map(|(s, keep)| (format!("{s:?}, keep = {keep}"), (s, keep))), |(shape, keep)| {
        named(shape.clone(), *keep).ends(0);
        survives(named(shape.clone(), *keep), |_| ());
        // A lost session in between.
        let cut = if *keep { At::Inside { uid: 4, byte: 99 } } else { At::received("QUIT") };
        named(shape.clone(), *keep).fault(Fault::drop(cut)).ends(75);
    });
}

#[test]
fn all_uidls_change() {
    let next = |m: &mut Mailbox| {
        let Uidls::Generation(g) = m.uidls else { panic!("{:?}", m.uidls) };
        m.uidls = Uidls::Generation(g + 1);
    };
    for keep in [true, false] {
        survives(named(Uidls::Generation(1), keep), next);
    }
    // No header is to be had apart: known by content alone, which is fetched for that, once.
    let blind = named(Uidls::Generation(1), true).scripted(|s| s.without.push("TOP".to_owned()));
    survives(blind, next);
}

#[test]
fn uidls_change_between_a_lost_quit_and_the_next_run() {
    let stage = named(Uidls::Generation(1), false).fault(Fault::drop(At::received("QUIT"))).start();
    stage.pull().expect(75);
    stage.server.mailbox().uidls = Uidls::Generation(2);
    let counts = stage.pull().expect(0).summary_of("a");
    assert_eq!((&counts["fetched"], &counts["deleted_remote"]), (&0.into(), &6.into()), "{counts}");
    stage.heals();
}

#[test]
fn a_uidl_is_given_to_another_message_after_a_deletion() {
    for keep in [true, false] {
        let mut stage = named(Uidls::Position, keep).start();
        stage.pull().expect(0);
        // Somebody else deletes the first two: every name moves on.
        if keep {
            let gone = stage.server.mailbox().folder_mut("INBOX").messages.drain(..2).count();
            let kept = stage.all.split_off(gone);
            let stored = stage.all.clone();
            stage.all = kept;
            arrive(&mut stage, message(72, "under an old name\r\n"));
            stage.ferry.run(&["pull", "--json"]).expect(0);
            let expected = [stored, stage.all.clone()].concat();
            assert_same_mail(&stage.stored(), &expected);
            stage.ferry.run(&["pull", "--json"]).expect(0);
            assert_same_mail(&stage.stored(), &expected);
        } else {
            for n in 0..3 {
                arrive(&mut stage, message(80 + n, &format!("again number one, {n}\r\n")));
                stage.pull().expect(0);
                stage.is_done();
            }
            stage.heals();
        }
    }
}

#[test]
fn a_uidl_is_given_to_a_message_of_the_same_size() {
    // Name and size agree with a message that was deleted, and so does the header where the server confirmed the deletion.
    for (lost_quit, first) in [(false, 0), (true, 75)] {
        let twin = |n: usize| message(if lost_quit { 50 + n } else { 50 }, &format!("number {n}\r\n"));
        let mut stage = named(Uidls::Position, false)
            .scripted(|s| {
                s.mailbox.folder_mut("INBOX").messages.clear();
                s.mailbox.folder_mut("INBOX").add(twin(1));
                if lost_quit {
                    s.faults.push(Fault::drop(At::done("QUIT")));
                }
            })
            .start();
        stage.pull().expect(first);
        arrive(&mut stage, twin(2));
        stage.pull().expect(0);
        stage.is_done();
        stage.heals();
    }
}

#[test]
fn kept_names_go_to_other_messages_of_the_same_size() {
    let twin = |n: usize| message(n, "all of one size\r\n");
    for faults in [vec![], vec![Fault::drop(At::Inside { uid: 41, byte: 99 })]] {
        let stage = named(Uidls::Position, true)
            .scripted(|s| {
                s.mailbox.folder_mut("INBOX").messages.clear();
                s.mailbox.folder_mut("INBOX").uidnext = 1;
                for n in 10..50 {
                    s.mailbox.folder_mut("INBOX").add(twin(n));
                }
            })
            .start();
        stage.pull().expect(0);
        // A clean run looks at six of them, and a server that will not let it is left alone.
        for refusals in [vec![], vec![Fault::refuse("TOP", "not today")]] {
            refusals.into_iter().for_each(|fault| stage.server.fault(fault));
            stage.server.clear_log();
            stage.pull().expect(0);
            assert_eq!(stage.server.log().count("TOP"), 6);
        }
        stage.server.heal();
        // Somebody else deletes the first two, and every name moves on.
        stage.server.mailbox().folder_mut("INBOX").messages.drain(..2);
        stage.server.mailbox().folder_mut("INBOX").add(twin(99));
        let cut = !faults.is_empty();
        faults.into_iter().for_each(|fault| stage.server.fault(fault));
        let all: Vec<Vec<u8>> = (10..50).chain([99]).map(twin).collect();
        let pull = |code| stage.ferry.run(&["pull", "--json"]).expect(code).summary_of("a");
        if cut {
            assert_eq!(pull(75)["had"], 38);
        }
        stage.server.clear_log();
        let counts = pull(0);
        assert_eq!((&counts["fetched"], &counts["had"]), (&1.into(), &38.into()), "{counts}");
        let log = stage.server.log();
        // After the cut the names of the 38 are known again.
        assert_eq!((log.count("TOP"), log.retrieved), (if cut { 7 } else { 39 }, 1));
        assert_same_mail(&stage.stored(), &all);
        assert_eq!(pull(0)["fetched"], 0);
        assert_same_mail(&stage.stored(), &all);
    }
}

#[test]
fn a_poll_asks_for_the_size_of_all_messages_together() {
    let mut stage = named(Uidls::Position, true).start();
    stage.pull().expect(0);
    let polled = |stage: &Stage, listed: usize| {
        stage.server.clear_log();
        let counts = stage.ferry.run(&["pull", "--json"]).expect(0).summary_of("a");
        assert_eq!((stage.server.log().count("STAT"), stage.server.log().count("LIST")), (1, listed));
        (counts["had"].as_u64().unwrap(), counts["fetched"].as_u64().unwrap())
    };
    // The first poll that finds nothing seals the folder, the second one finds the seal.
    let idles = |stage: &Stage, had: u64| (0..2).for_each(|_| assert_eq!(polled(stage, 0), (had, 0)));
    idles(&stage, 6);
    // So does one that only tells; the sizes that it tells are known from before.
    stage.server.clear_log();
    let told = stage.ferry.run(&["pull", "--dry-run", "--json"]).expect(0).events();
    assert_eq!((stage.server.log().count("STAT"), stage.server.log().count("LIST")), (1, 0));
    let sizes: Vec<_> = told.iter().filter(|e| e["action"] == "had").map(|e| e["bytes"].as_u64()).collect();
    let stated: Vec<_> = stage.all.iter().map(|m| Some(m.len() as u64)).collect();
    assert_eq!(sizes, stated);
    arrive(&mut stage, message(73, "one more\r\n"));
    assert_eq!(polled(&stage, 1), (6, 1));
    // Every name is known, but they were given to messages of other sizes.
    stage.server.mailbox().folder_mut("INBOX").messages.remove(0);
    arrive(&mut stage, message(74, "under an old name\r\n"));
    assert_eq!(polled(&stage, 1), (6, 1));
    assert_same_mail(&stage.stored(), &stage.all);
    idles(&stage, 7);
    // To messages that have as many octets together: the headers tell.
    let swapped = [message(75, "of one size\r\n"), message(76, "of one size\r\n")];
    stage.server.mailbox().folder_mut("INBOX").messages.clear();
    arrive(&mut stage, swapped[0].clone());
    assert_eq!(polled(&stage, 1), (0, 1));
    idles(&stage, 1);
    stage.server.mailbox().folder_mut("INBOX").messages.clear();
    arrive(&mut stage, swapped[1].clone());
    assert_eq!(polled(&stage, 1), (0, 1));
    assert_same_mail(&stage.stored(), &stage.all);
    idles(&stage, 1);
    // A server that does not tell is asked for each of them.
    stage.server.fault(Fault::refuse("STAT", "what?"));
    assert_eq!(polled(&stage, 1), (1, 0));
}

#[test]
fn uidvalidity_changes() {
    for keep in [true, false] {
        survives(Trial::of(Protocol::Imap).keep(keep), |m| m.folder_mut("INBOX").renumber());
    }
    // After a run that was cut, with some delivered and some not.
    let stage = Trial::of(Protocol::Imap).fault(Fault::drop(At::Inside { uid: 4, byte: 99 })).start();
    stage.pull().expect(75);
    stage.server.mailbox().folder_mut("INBOX").renumber();
    let counts = stage.pull().expect(0).summary_of("a");
    assert_eq!((&counts["had"], &counts["fetched"]), (&3.into(), &3.into()), "{counts}");
    stage.heals();
    // Marked as deleted, not removed, and then renumbered.
    let stage = Trial::of(Protocol::Imap).keep(false).fault(Fault::drop(At::received("UID EXPUNGE"))).start();
    stage.pull().expect(75);
    stage.server.mailbox().folder_mut("INBOX").renumber();
    stage.heals();
}

#[test]
fn twins_are_two_messages() {
    for protocol in BOTH {
        for keep in [true, false] {
            let twins = |s: &mut crate::support::server::Script| {
                let inbox = s.mailbox.folder_mut("INBOX");
                for bytes in post(2).into_iter().cycle().take(4) {
                    inbox.add(bytes);
                }
            };
            Trial::of(protocol).keep(keep).scripted(twins).ends(0);
            let cut = Fault::drop(At::Inside { uid: 8, byte: 40 });
            let trial = Trial::of(protocol).keep(keep).scripted(twins).fault(cut);
            trial.scripted(|s| s.mailbox.uidls = Uidls::Shared((1..=10).collect())).ends(75);
            survives(Trial::of(protocol).keep(keep).scripted(twins), |m| {
                m.uidls = match m.uidls {
                    Uidls::Generation(g) => Uidls::Generation(g + 1),
                    _ => Uidls::Generation(1),
                };
                m.folder_mut("INBOX").renumber();
            });
        }
    }
}

#[test]
fn two_folders_read_the_same() {
    let list = "* LIST () \"/\" INBOX\r\n* LIST () \"/\" \"Entw\u{fc}rfe\"\r\n* LIST () \"/\" \"Entw&APw-rfe\"\r\n{tag} OK done\r\n";
    let fault = Fault::new(At::received("LIST"), Effect::say(list)).always();
    let mut trial = Trial::of(Protocol::Imap).fault(fault);
    trial.script.mailbox.folder_mut("Entw\u{fc}rfe").add(message(90, "a draft\r\n"));
    let stage = trial.start();
    let config = std::fs::read_to_string(stage.ferry.config_file()).unwrap();
    stage.ferry.configure(&format!("{config}folders = [\"*\"]\n"));
    for (fetched, had) in [(7, 0), (0, 7)] {
        let run = stage.pull().expect(2);
        let counts = run.summary_of("a");
        assert_eq!((&counts["fetched"], &counts["had"]), (&fetched.into(), &had.into()), "{counts}");
        let expected = "warning: a: two folders on the server read as Entw\u{fc}rfe: \u{201c}Entw&APw-rfe\u{201d} is pulled, \
                        \u{201c}Entw\\xc3\\xbcrfe\u{201d} is left. Rename one of them on the server.\n";
        assert_eq!(run.stderr, expected);
    }
}

#[test]
fn the_state_is_lost() {
    for protocol in BOTH {
        for keep in [true, false] {
            for kind in ["maildir", "mbox"] {
                let mut trial = Trial::of(protocol).keep(keep).fault(Fault::drop(At::Inside { uid: 5, byte: 99 }));
                trial.kind = kind;
                let stage = trial.start();
                stage.pull().expect(75);
                std::fs::remove_dir_all(stage.ferry.state_dir()).unwrap();
                stage.pull().expect(0);
                stage.is_done();
                std::fs::remove_dir_all(stage.ferry.state_dir()).unwrap();
                stage.heals();
            }
        }
    }
}

#[test]
fn sizes_that_lie() {
    let rows =
        BOTH.into_iter().flat_map(|p| [Sizes::Constant(0), Sizes::Constant(77), Sizes::Times(9)].map(|s| (p, s)));
    let rows = rows.flat_map(|(p, s)| [true, false].map(|keep| (p, s, keep)));
    each(rows.map(|row| (format!("{row:?}"), row)), |(protocol, sizes, keep)| {
        let trial = || Trial::of(*protocol).keep(*keep).scripted(|s| s.mailbox.sizes = *sizes);
        trial().ends(0);
        let end = if *protocol == Protocol::Pop3 { "QUIT" } else { "UID EXPUNGE" };
        trial().keep(false).fault(Fault::drop(At::received(end))).ends(75);
        trial().fault(Fault::drop(At::Inside { uid: 4, byte: 99 })).ends(75);
        // The truth comes out later.
        survives(trial(), |m| m.sizes = Sizes::True);
    });
}
