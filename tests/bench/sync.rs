//! `cargo bench --bench sync`: whole programs side by side on one machine, syncing one mailbox of one Dovecot over TLS.
//!
//! It prints ratios: the median over pairs of runs, ours divided by mbsync's with its defaults. `MAILFERRY_BENCH_MESSAGES`
//! (20000), `MAILFERRY_BENCH_FOLDERS` (101) and `MAILFERRY_BENCH_RUNS` (3) set the size.
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
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use support::dovecot::{Dovecot, Storage, User};
use support::endpoint::{Endpoint, Security};
use support::mail;
use support::run::{Ferry, Outcome, Running};
use support::server::Protocol;
use support::stored::maildir;

fn main() {
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let (messages, runs) = (number("MAILFERRY_BENCH_MESSAGES", 20_000), number("MAILFERRY_BENCH_RUNS", 3));
    let folders = number("MAILFERRY_BENCH_FOLDERS", 101);
    let dovecot = Dovecot::shared();
    println!("{messages} messages of 13 kB on average, {folders} folders, TLS, loopback; {runs} pairs of runs");
    print_head();

    let bench = Bench::new(dovecot, 0);
    bench.user.deliver("INBOX", &mail::ordinary(messages));
    compare("first sync", runs, |n| bench.ours(n), |n| bench.mbsync(n));
    bench.settle();
    compare("nothing to do, one folder", runs, |_| bench.ours(0), |_| bench.mbsync(0));
    let turn = Cell::new(0);
    let mark = |root: PathBuf| {
        turn.set(turn.get() + 1);
        mark(&root.join("INBOX"), 200, turn.get());
    };
    compare(
        "200 flag changes here",
        runs,
        |_| {
            mark(bench.root("ours", 0));
            bench.ours(0)
        },
        |_| {
            mark(bench.root("mbsync", 0));
            bench.mbsync(0)
        },
    );

    for round_trip in [0, 40] {
        let upload = Bench::new(dovecot, round_trip);
        let peer = Bench::new(dovecot, round_trip);
        let fill = |bench: &Bench, who: &str, n: usize| {
            let inbox = bench.root(who, n).join("INBOX");
            for part in ["tmp", "new", "cur"] {
                fs::create_dir_all(inbox.join(part)).unwrap();
            }
            for (i, bytes) in mail::ordinary(2_000).iter().enumerate() {
                fs::write(inbox.join(format!("cur/{n}.{i}.host:2,S")), mail::with_lf(bytes)).unwrap();
            }
        };
        compare(
            &format!("2000 messages to the server, {round_trip} ms round trip"),
            1,
            |n| {
                upload.empty();
                fill(&upload, "ours", n);
                upload.ours(n)
            },
            |n| {
                peer.empty();
                fill(&peer, "mbsync", n);
                peer.mbsync(n)
            },
        );
    }

    // As with any server elsewhere, the line is compressed.
    static COMPRESSING: OnceLock<Dovecot> = OnceLock::new();
    let compressing = COMPRESSING.get_or_init(|| Dovecot::start("protocol imap {\n mail_plugins = imap_zlib\n}"));
    let bench = Bench::new(compressing, 40);
    for n in 1..folders {
        bench.user.deliver(&format!("Folder {n:03}"), &mail::ordinary(5));
    }
    bench.user.deliver("INBOX", &mail::ordinary(5));
    bench.ours(0);
    bench.mbsync(0);
    bench.settle();
    compare("nothing to do, all folders, 40 ms round trip", runs, |_| bench.ours(0), |_| bench.mbsync(0));
    let before = bench.received();
    bench.ours(0);
    println!(
        "octets from the server in a run with nothing to do, TLS and log-in included: {}",
        bench.received() - before
    );
    for (folders, compress) in [(folders, true), (folders, false), (1, false)] {
        let octets = after_log_in(compressing, folders, compress);
        let how = if compress { "compressed" } else { "not compressed" };
        println!("of these after TLS and log-in, {folders} folders, {how}: {octets}");
    }
}

/// Octets that come after log-in in a run with nothing to do, on a line that is not encrypted.
fn after_log_in(dovecot: &Dovecot, folders: usize, compress: bool) -> u64 {
    let user = dovecot.user_with(Storage::Sdbox, &[]);
    for n in 1..folders {
        user.deliver(&format!("Folder {n:03}"), &mail::ordinary(5));
    }
    let line = Delay::start(dovecot.imap_port, Duration::from_millis(1));
    let endpoint = Endpoint { port: line.port, ..user.endpoint(Protocol::Imap, Security::Clear) };
    let ferry = Ferry::new();
    ferry.account("a", &endpoint, "");
    let config = fs::read_to_string(ferry.config_file()).unwrap();
    ferry.configure(&config.replace("[accounts.a]", &format!("[accounts.a]\ncompress = {compress}")));
    ferry.run(&["sync"]).expect(0);
    std::thread::sleep(Duration::from_secs(3));
    ferry.run(&["sync"]).expect(0);
    let before = line.received_after_log_in();
    ferry.run(&["sync"]).expect(0);
    line.received_after_log_in() - before
}

/// A user, behind a slow line if need be.
struct Bench {
    dovecot: &'static Dovecot,
    user: User<'static>,
    work: Ferry,
    line: Option<Delay>,
}

impl Bench {
    fn new(dovecot: &'static Dovecot, round_trip: u64) -> Bench {
        let user = dovecot.user_with(Storage::Sdbox, &[]);
        // Where nothing is to be delayed, nothing stands between.
        let line = (round_trip > 0).then(|| Delay::start(dovecot.imaps_port, Duration::from_millis(round_trip / 2)));
        Bench { dovecot, user, work: Ferry::new(), line }
    }

    fn port(&self) -> u16 {
        self.line.as_ref().map_or(self.dovecot.imaps_port, |line| line.port)
    }

    /// Octets that came over the slow line so far.
    fn received(&self) -> u64 {
        self.line.as_ref().unwrap().received()
    }

    fn root(&self, who: &str, n: usize) -> PathBuf {
        self.work.path(&format!("{who}-{n}"))
    }

    /// Lets folder times grow so old that they are believed, and writes that down.
    fn settle(&self) {
        std::thread::sleep(Duration::from_secs(3));
        self.ours(0);
    }

    /// Empties the server's inbox.
    fn empty(&self) {
        self.user.doveadm(&["expunge", "-u", &self.user.name, "mailbox", "INBOX", "all"]);
    }

    fn ours(&self, n: usize) -> Outcome {
        let name = format!("a{n}");
        let config = fs::read_to_string(self.work.config_file()).unwrap_or_default();
        if !config.contains(&format!("[accounts.{name}]")) {
            let mut endpoint = self.user.endpoint(Protocol::Imap, Security::Implicit);
            endpoint.port = self.port();
            self.work.account_with(&name, &endpoint, "maildir", &self.root("ours", n), "");
            let config = fs::read_to_string(self.work.config_file()).unwrap();
            let head = format!("[accounts.{name}]");
            let options = format!("auth = \"plain\"\ncompress = {}", self.line.is_some());
            self.work.configure(&config.replace(&head, &format!("{head}\n{options}")));
        }
        let mut command = self.work.command(&["sync", &name]);
        command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
        Running::start(command).wait().expect(0)
    }

    fn mbsync(&self, n: usize) -> Outcome {
        let (root, rc) = (self.root("mbsync", n), self.work.path(&format!("mbsyncrc-{n}")));
        fs::create_dir_all(&root).unwrap();
        let text = format!(
            "IMAPAccount a\nHost localhost\nPort {}\nUser {}\nPass {}\nSSLType IMAPS\nCertificateFile {}\n\n\
             IMAPStore far\nAccount a\n\nMaildirStore near\nPath {dir}/\nInbox {dir}/INBOX\nSubFolders Verbatim\n\n\
             Channel c\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n",
            self.port(),
            self.user.name,
            self.user.password,
            self.dovecot.ca_file().display(),
            dir = root.display(),
        );
        fs::write(&rc, text).unwrap();
        let mut command = Command::new("mbsync");
        command.args(["-q", "-c"]).arg(rc).arg("c");
        Running::start(command).wait().expect(0)
    }
}

/// Gives the first messages of a Maildir other flags, as a mail reader does.
fn mark(folder: &Path, count: usize, turn: usize) {
    let flags = ["S", "FS", "", "F"][turn % 4];
    for stored in maildir(folder).into_iter().take(count) {
        let base = stored.file_name.split(':').next().unwrap();
        let to = folder.join("cur").join(format!("{base}:2,{flags}"));
        fs::rename(folder.join(stored.place).join(&stored.file_name), to).unwrap();
    }
}
