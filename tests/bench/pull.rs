//! `cargo bench --bench pull`: whole programs side by side on one machine, pulling from one Dovecot over TLS.
//!
//! It prints ratios: the median over pairs of runs, ours divided by the peer's. The peers are mbsync and mpop with their
//! defaults (mpop with pipelining), every store durable. Each run writes into a fresh folder, and nothing is removed before
//! the end: ext4 is slow to create files where many have just been deleted.
//!
//! `MAILFERRY_BENCH_MESSAGES` (20000) and `MAILFERRY_BENCH_RUNS` (5) set the size.
#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

#[path = "pairs.rs"]
mod pairs;
#[path = "../support/mod.rs"]
mod support;

use pairs::{compare, number, print_head};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use support::dovecot::{Dovecot, Storage, User};
use support::endpoint::Security;
use support::mail;
use support::run::{Ferry, Outcome, Running};
use support::server::Protocol;

fn main() {
    // `cargo test --all-targets` runs benches too, with no arguments.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let bench = Bench {
        dovecot: Dovecot::shared(),
        user: Dovecot::shared().user_with(Storage::Sdbox, &[]),
        work: Ferry::new(),
        messages: number("MAILFERRY_BENCH_MESSAGES", 20_000),
        runs: number("MAILFERRY_BENCH_RUNS", 5),
    };
    bench.user.deliver("INBOX", &mail::ordinary(bench.messages));
    println!("{} messages of 13 kB on average, TLS, loopback; {} pairs of runs", bench.messages, bench.runs);
    print_head();
    compare("first pull, IMAP / mbsync", bench.runs, |n| bench.ours(n, Protocol::Imap), |n| bench.mbsync(n));
    compare("nothing new, IMAP / mbsync", bench.runs, |_| bench.ours(0, Protocol::Imap), |_| bench.mbsync(0));
    compare("first pull, POP3 / mpop", bench.runs, |n| bench.ours(n, Protocol::Pop3), |n| bench.mpop(n));
    compare("nothing new, POP3 / mpop", bench.runs, |_| bench.ours(0, Protocol::Pop3), |_| bench.mpop(0));
    bench.user.deliver("INBOX", &[mail::large(50 << 20)]);
    for protocol in [Protocol::Imap, Protocol::Pop3] {
        let peak = bench.ours(bench.runs + 1, protocol).peak_kib.unwrap_or(0);
        println!("with a message of 50 MiB more, {protocol:?}: peak {:.1} MiB", peak as f64 / 1024.0);
    }
}

struct Bench {
    dovecot: &'static Dovecot,
    user: User<'static>,
    work: Ferry,
    messages: usize,
    runs: usize,
}

impl Bench {
    fn ours(&self, n: usize, protocol: Protocol) -> Outcome {
        let name = format!("{protocol:?}-{n}");
        if !self.work.store(&name).exists() {
            self.work.account(&name, &self.user.endpoint(protocol, Security::Implicit), "");
            // The same mechanism as the peers: SCRAM would have the server compute for both.
            let config = fs::read_to_string(self.work.config_file()).unwrap();
            let plain = format!("[accounts.{name}]\nauth = \"plain\"");
            self.work.configure(&config.replace(&format!("[accounts.{name}]"), &plain));
        }
        let mut command = self.work.command(&["pull", &name]);
        // What the machine trusts, as in daily use.
        command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
        Running::start(command).wait().expect(0)
    }

    fn mbsync(&self, n: usize) -> Outcome {
        let folder = self.work.path(&format!("mbsync-{n}"));
        let rc = self.work.path(&format!("mbsyncrc-{n}"));
        if !folder.exists() {
            fs::create_dir(&folder).unwrap();
            let (dir, ca) = (folder.display(), self.dovecot.ca_file());
            let text = format!(
                "IMAPAccount a\nHost localhost\nPort {}\nUser {}\nPass {}\nSSLType IMAPS\nCertificateFile {}\n\n\
                 IMAPStore far\nAccount a\n\nMaildirStore near\nPath {dir}/\nInbox {dir}/INBOX\nSubFolders Verbatim\n\n\
                 Channel c\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Near\nSync Pull\nSyncState *\n",
                self.dovecot.imaps_port,
                self.user.name,
                self.user.password,
                ca.display()
            );
            fs::write(&rc, text).unwrap();
        }
        let mut command = Command::new("mbsync");
        command.args(["-q", "-c"]).arg(rc).arg("c");
        Running::start(command).wait().expect(0)
    }

    fn mpop(&self, n: usize) -> Outcome {
        let folder = self.work.path(&format!("mpop-{n}"));
        let rc = self.work.path(&format!("mpoprc-{n}"));
        if !folder.exists() {
            for part in ["cur", "new", "tmp"] {
                fs::create_dir_all(folder.join(part)).unwrap();
            }
            let text = format!(
                "account a\nhost localhost\nport {}\ntls on\ntls_starttls off\ntls_trust_file {}\nuser {}\npassword {}\n\
                 auth plain\nkeep on\npipelining on\ndelivery maildir {}\nuidls_file {}\nreceived_header off\n",
                self.dovecot.pop3s_port,
                self.dovecot.ca_file().display(),
                self.user.name,
                self.user.password,
                folder.display(),
                self.work.path(&format!("uidls-{n}")).display()
            );
            fs::write(&rc, text).unwrap();
            fs::set_permissions(&rc, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let mut command = Command::new("mpop");
        command.arg("-q").arg("-C").arg(rc).arg("a");
        Running::start(command).wait().expect(0)
    }
}
