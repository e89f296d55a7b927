//! Local trouble: 73 where something cannot be created, 74 where it cannot be used; nothing is deleted on the server.

use super::*;
use crate::support::run::Running;
use crate::support::stored::{assert_same_mail, maildir_bytes};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// A run that permission bits bind, also where the tests run as root.
fn bound(ferry: &Ferry, args: &[&str]) -> Outcome {
    let plain = ferry.command(args);
    if !rustix::process::geteuid().is_root() {
        return Running::start(plain).wait();
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-dac_override,-dac_read_search"]).arg(plain.get_program()).args(plain.get_args());
    command.env_clear().current_dir(ferry.path(""));
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Running::start(command).wait()
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A server, and a home whose account `x` pulls all mail off it into a store of some kind at a path below the home.
fn leaving(protocol: Protocol, kind: &str, store: &str) -> (Server, Ferry) {
    let server = server();
    let ferry = Ferry::new();
    let endpoint = server.endpoint(protocol, Security::Implicit);
    ferry.account_with("x", &endpoint, kind, &ferry.path(store), "\n[accounts.x.pull]\nkeep = false\n");
    (server, ferry)
}

/// Fails unless the run ended so, telling of a path below the home, and the server still has everything.
#[track_caller]
fn assert_refused(server: &Server, ferry: &Ferry, code: i32, path: &str) {
    let outcome = bound(ferry, &["pull", "--json"]).expect(code);
    assert!(outcome.stderr.contains(&ferry.path(path).display().to_string()), "{}", outcome.stderr);
    assert_told(&outcome, "x: ");
    let entry = outcome.summary_of("x");
    assert_eq!((&entry["exit"], &entry["deleted_remote"], &entry["fetched"]), (&code.into(), &0.into(), &0.into()));
    assert_eq!(server.inbox(), mail::ordinary(3));
}

/// Once the cause is gone, everything comes, once.
#[track_caller]
fn assert_healed(server: &Server, ferry: &Ferry, maildir: &str) {
    bound(ferry, &["pull"]).expect(0);
    let expected: Vec<Vec<u8>> = mail::ordinary(3).iter().map(|m| mail::with_lf(m)).collect();
    assert_same_mail(&maildir_bytes(&ferry.path(maildir)), &expected);
    assert_eq!(server.inbox(), [[0; 0]; 0]);
}

#[test]
fn a_maildir_that_may_not_be_written_is_74() {
    for (protocol, inbox) in [(Protocol::Pop3, "mail"), (Protocol::Imap, "mail/INBOX")] {
        for part in ["tmp", "new", "cur"] {
            for mode in [0o500, 0] {
                let (server, ferry) = leaving(protocol, "maildir", "mail");
                for part in ["tmp", "new", "cur"] {
                    fs::create_dir_all(ferry.path(inbox).join(part)).unwrap();
                }
                chmod(&ferry.path(inbox).join(part), mode);
                assert_refused(&server, &ferry, 74, &format!("{inbox}/{part}"));
                chmod(&ferry.path(inbox).join(part), 0o700);
                assert_healed(&server, &ferry, inbox);
            }
        }
    }
}

#[test]
fn a_store_that_cannot_be_created_is_73() {
    for protocol in PROTOCOLS {
        for kind in ["maildir", "mbox"] {
            // Below a file.
            let (server, ferry) = leaving(protocol, kind, "file/mail");
            fs::write(ferry.path("file"), "").unwrap();
            assert_refused(&server, &ferry, 73, "file/mail");
            // Where nothing may be created.
            let (server, ferry) = leaving(protocol, kind, "closed/mail");
            fs::create_dir(ferry.path("closed")).unwrap();
            chmod(&ferry.path("closed"), 0o500);
            assert_refused(&server, &ferry, 73, "closed/mail");
            chmod(&ferry.path("closed"), 0o700);
            bound(&ferry, &["pull"]).expect(0);
            assert_eq!(server.inbox(), [[0; 0]; 0]);
        }
    }
}

#[test]
fn an_mbox_that_may_not_be_used_is_74() {
    for (protocol, inbox) in [(Protocol::Pop3, "mail"), (Protocol::Imap, "mail/INBOX")] {
        for mode in [0o400, 0o200, 0] {
            let (server, ferry) = leaving(protocol, "mbox", "mail");
            fs::create_dir_all(ferry.path(inbox).parent().unwrap()).unwrap();
            fs::write(ferry.path(inbox), "").unwrap();
            chmod(&ferry.path(inbox), mode);
            assert_refused(&server, &ferry, 74, inbox);
        }
    }
}

#[test]
fn what_is_no_store_is_left_alone() {
    let (server, ferry) = leaving(Protocol::Pop3, "maildir", "mail");
    fs::create_dir(ferry.path("mail")).unwrap();
    fs::write(ferry.path("mail/cur"), "mine").unwrap();
    assert_refused(&server, &ferry, 74, "mail");
    assert_eq!(fs::read(ferry.path("mail/cur")).unwrap(), b"mine");

    let (server, ferry) = leaving(Protocol::Pop3, "mbox", "mail");
    fs::write(ferry.path("mail"), "Dear diary\n").unwrap();
    assert_refused(&server, &ferry, 65, "mail");
    assert_eq!(fs::read(ferry.path("mail")).unwrap(), b"Dear diary\n");

    let (server, ferry) = leaving(Protocol::Pop3, "mbox", "mail");
    fs::create_dir(ferry.path("mail")).unwrap();
    assert_refused(&server, &ferry, 65, "mail");
}

#[test]
fn a_state_that_cannot_be_kept_stops_the_run_before_any_mail() {
    let (server, ferry) = leaving(Protocol::Pop3, "maildir", "mail");
    fs::write(ferry.state_dir(), "a file").unwrap();
    assert_refused(&server, &ferry, 73, "state/accounts");
    assert_eq!(server.log().connections, 0);
    fs::remove_file(ferry.state_dir()).unwrap();

    // A database that is none.
    fs::create_dir_all(ferry.state_dir().join("accounts")).unwrap();
    let database = ferry.state_dir().join("accounts/x.sqlite");
    fs::write(&database, "no database at all, but long enough to be looked at as one, surely".repeat(20)).unwrap();
    assert_refused(&server, &ferry, 74, "state/accounts/x.sqlite");
    // The remedy works.
    fs::rename(&database, ferry.path("away")).unwrap();
    assert_healed(&server, &ferry, "mail");
}
