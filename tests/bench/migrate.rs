//! `cargo bench --bench migrate`: whole programs side by side on one machine, from one user of a Dovecot to another over TLS,
//! both behind a line with a round-trip time of 40 ms.
//!
//! It prints ratios: the median over pairs of runs, ours divided by the peer's: mbsync between two IMAP stores; and for POP3,
//! pulling alone and appending alone. `MAILFERRY_BENCH_MESSAGES` (2000) and `MAILFERRY_BENCH_RUNS` (3) set the size.
#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

#[path = "delay.rs"]
mod delay;
#[path = "pairs.rs"]
mod pairs;
#[path = "../support/mod.rs"]
mod support;

use delay::Delay;
use pairs::{compare, number, print_head};
use std::fs;
use std::process::Command;
use std::time::Duration;
use support::dovecot::{Dovecot, Storage, User};
use support::endpoint::Security;
use support::mail;
use support::run::{Ferry, Outcome, Running};
use support::server::Protocol;

const ONE_WAY: Duration = Duration::from_millis(20);

fn main() {
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let (messages, runs) = (number("MAILFERRY_BENCH_MESSAGES", 2_000), number("MAILFERRY_BENCH_RUNS", 3));
    let dovecot = Dovecot::shared();
    let bench = Bench {
        imap: Delay::start(dovecot.imaps_port, ONE_WAY),
        pop3: Delay::start(dovecot.pop3s_port, ONE_WAY),
        from: dovecot.user_with(Storage::Sdbox, &[]),
        work: Ferry::new(),
    };
    bench.from.deliver("INBOX", &mail::ordinary(messages));
    println!("{messages} messages of 13 kB on average, TLS, 40 ms round trip on both ends; {runs} pairs of runs");
    print_head();
    compare("IMAP to IMAP, mbsync", runs, |_| bench.ours(Protocol::Imap), |n| bench.mbsync(n));
    compare("POP3 to IMAP, pulling POP3 alone", runs, |_| bench.ours(Protocol::Pop3), |n| bench.pull(n));
    compare("POP3 to IMAP, appending what was pulled alone", runs, |_| bench.ours(Protocol::Pop3), |n| bench.append(n));
}

struct Bench {
    imap: Delay,
    pop3: Delay,
    from: User<'static>,
    work: Ferry,
}

impl Bench {
    fn port(&self, protocol: Protocol) -> u16 {
        if protocol == Protocol::Imap { self.imap.port } else { self.pop3.port }
    }

    /// A migration to a new user.
    fn ours(&self, protocol: Protocol) -> Outcome {
        let to = Dovecot::shared().user_with(Storage::Sdbox, &[]);
        let mut from = self.from.endpoint(protocol, Security::Implicit);
        from.port = self.port(protocol);
        self.migrate(&from.url(), &from.password, &to)
    }

    /// What was pulled before, to a new user.
    fn append(&self, n: usize) -> Outcome {
        let to = Dovecot::shared().user_with(Storage::Sdbox, &[]);
        self.migrate(&format!("maildir:pulled-{n}"), "", &to)
    }

    fn migrate(&self, from: &str, password: &str, to: &User<'_>) -> Outcome {
        let mut to = to.endpoint(Protocol::Imap, Security::Implicit);
        to.port = self.imap.port;
        let mut command = self.work.command(&["migrate", from, &to.url(), "--no-verify", "-q"]);
        command.args(["--ca-file", &to.ca_file.display().to_string(), "--from-auth", "plain", "--to-auth", "plain"]);
        command.env("MAILFERRY_FROM_PASSWORD", password).env("MAILFERRY_TO_PASSWORD", &to.password);
        command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
        Running::start(command).wait().expect(0)
    }

    /// A pull into a new Maildir.
    fn pull(&self, n: usize) -> Outcome {
        let mut endpoint = self.from.endpoint(Protocol::Pop3, Security::Implicit);
        endpoint.port = self.pop3.port;
        let store = format!("maildir:pulled-{n}");
        let ca = endpoint.ca_file.display().to_string();
        let mut command =
            self.work.command(&["pull", &endpoint.url(), "--to", &store, "--ca-file", &ca, "-q", "--auth", "plain"]);
        command.env("MAILFERRY_PASSWORD", &endpoint.password).env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
        Running::start(command).wait().expect(0)
    }

    fn mbsync(&self, n: usize) -> Outcome {
        let to = Dovecot::shared().user_with(Storage::Sdbox, &[]);
        let state = self.work.path(&format!("mbsync-{n}"));
        fs::create_dir_all(&state).unwrap();
        let account = |name: &str, user: &User<'_>| {
            format!(
                "IMAPAccount {name}\nHost localhost\nPort {}\nUser {}\nPass {}\nSSLType IMAPS\nCertificateFile {}\n\n\
                 IMAPStore {name}\nAccount {name}\n\n",
                self.imap.port,
                user.name,
                user.password,
                Dovecot::shared().ca_file().display()
            )
        };
        let text = format!(
            "{}{}Channel c\nFar :far:\nNear :near:\nPatterns INBOX\nSync Pull\nCreate Near\nCopyArrivalDate yes\nSyncState {}/\n",
            account("far", &self.from),
            account("near", &to),
            state.display()
        );
        let rc = self.work.path(&format!("mbsyncrc-{n}"));
        fs::write(&rc, text).unwrap();
        let mut command = Command::new("mbsync");
        command.args(["-q", "-c"]).arg(rc).arg("c");
        Running::start(command).wait().expect(0)
    }
}
