//! `mailferry sync` as a user runs it, against a real Dovecot.

mod adopt;
mod age;
mod beside;
mod changes;
mod command;
mod crash;
mod cut;
mod evidence;
mod folders;
mod footing;
mod guard;
mod healing;
mod links;
mod model;
mod overtaken;
mod random;
mod refused;
mod resync;
mod variants;

use crate::support::cutter::Cutter;
use crate::support::dovecot::{Dovecot, User};
use crate::support::endpoint::{Endpoint, Security};
use crate::support::mail;
use crate::support::run::{Ferry, Outcome};
use crate::support::server::Protocol;
use crate::support::stored::{Stored, maildir, subject};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// An account, called `x`, with its Maildir here and its mailbox on a server.
struct Pair {
    user: User<'static>,
    ferry: Ferry,
}

impl Pair {
    /// Nothing on either side; `more` is TOML behind the store section.
    fn with(more: &str) -> Pair {
        let (user, ferry) = (variants::dovecot().user(), Ferry::new());
        ferry.account("x", &user.endpoint(Protocol::Imap, Security::Implicit), more);
        Pair { user, ferry }.optioned()
    }

    /// Nothing on either side of a wire without TLS that can be cut.
    fn with_cutter() -> (Pair, Cutter) {
        Pair::behind_cutter(variants::dovecot(), "")
    }

    fn behind_cutter(dovecot: &'static Dovecot, more: &str) -> (Pair, Cutter) {
        let (user, ferry) = (dovecot.user(), Ferry::new());
        let endpoint = user.endpoint(Protocol::Imap, Security::Clear);
        let cutter = Cutter::before(endpoint.port);
        ferry.account("x", &Endpoint { port: cutter.port, ..endpoint }, more);
        (Pair { user, ferry }.optioned(), cutter)
    }

    fn optioned(self) -> Pair {
        let written = fs::read_to_string(self.ferry.config_file()).unwrap();
        let store = "\n[accounts.x.store]\n";
        self.ferry.configure(&written.replace(store, &format!("{}{store}", variants::option())));
        self
    }

    /// Messages 1 to `n` in the inbox of both sides, synced.
    fn of(n: usize, more: &str) -> Pair {
        let pair = Pair::with(more);
        pair.user.deliver("INBOX", &(1..=n).map(message).collect::<Vec<_>>());
        assert_eq!(pair.sync(), format!("fetched {n}"));
        pair
    }

    fn run(&self, args: &[&str]) -> Outcome {
        self.ferry.run(&[&["sync", "--json"], args].concat())
    }

    /// Syncs, and gives the counts that are not 0.
    fn sync(&self) -> String {
        counts(&self.run(&[]).expect(0))
    }

    /// The folder here.
    fn path(&self, folder: &str) -> PathBuf {
        self.ferry.store("x").join(folder)
    }

    fn here(&self, folder: &str) -> Vec<Stored> {
        maildir(&self.path(folder))
    }

    /// The file of message `n` in a folder here.
    fn file(&self, folder: &str, n: usize) -> PathBuf {
        let found = self.here(folder).into_iter().find(|m| number(m) == n);
        let found = found.unwrap_or_else(|| panic!("message {n} is not in {folder}"));
        self.path(folder).join(found.place).join(found.file_name)
    }

    /// Gives message `n` in the inbox here these letters, as a mail reader does.
    fn mark_here(&self, n: usize, letters: &str) {
        self.mark_in("INBOX", n, letters);
    }

    /// The same in any folder.
    fn mark_in(&self, folder: &str, n: usize, letters: &str) {
        let file = self.file(folder, n);
        let name = file.file_name().unwrap().to_str().unwrap().split(':').next().unwrap().to_owned();
        fs::rename(&file, self.path(folder).join("cur").join(format!("{name}:2,{letters}"))).unwrap();
    }

    /// Puts message `n` into a folder here, as a mail reader does.
    fn add_here(&self, folder: &str, n: usize) {
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(self.path(folder).join(part)).unwrap();
        }
        fs::write(self.path(folder).join("cur").join(format!("{n}.reader.host:2,S")), mail::with_lf(&message(n)))
            .unwrap();
    }

    /// Lets a folder here look as if nothing had happened in it for an hour. Its times cannot be set back, for a rename shows
    /// in both of them; but those to come are believed like those long past.
    fn rest(&self, folder: &str) {
        let now = SystemTime::now();
        for part in ["cur", "new"].map(|part| fs::File::open(self.path(folder).join(part)).unwrap()) {
            // What rests already stays as it is.
            if part.metadata().unwrap().modified().unwrap() <= now {
                part.set_modified(now + std::time::Duration::from_secs(3600)).unwrap();
            }
        }
    }

    /// Replaces text in the configuration.
    fn reconfigure(&self, from: &str, to: &str) {
        let config = fs::read_to_string(self.ferry.config_file()).unwrap();
        assert!(config.contains(from), "{config}");
        self.ferry.configure(&config.replace(from, to));
    }

    /// Has doveadm do something to message `n` of the server's inbox.
    fn there(&self, command: &[&str], n: usize) {
        self.there_in("INBOX", command, n);
    }

    /// The same in any folder.
    fn there_in(&self, folder: &str, command: &[&str], n: usize) {
        let (verb, rest) = command.split_first().unwrap();
        let verb: Vec<&str> = verb.split(' ').collect();
        let subject = format!("message {n:03}");
        let query = ["mailbox", folder, "HEADER", "Subject", &subject];
        self.user.doveadm(&[&verb[..], &["-u", &self.user.name], rest, &query].concat());
    }

    /// What both sides of a folder hold: each message's number with its letters, which have to agree, bytes too.
    fn both(&self, folder: &str) -> String {
        let list = |stored: Vec<Stored>| {
            let mut all: Vec<(usize, String, Vec<u8>)> =
                stored.into_iter().map(|m| (number(&m), m.flags, m.bytes)).collect();
            all.sort();
            all
        };
        let (here, there) = (list(self.here(folder)), list(self.user.messages(folder)));
        assert_eq!(here, there, "the sides of {folder} differ");
        here.iter().map(|(n, flags, _)| format!("{n}{flags}")).collect::<Vec<_>>().join(" ")
    }

    /// The next run has nothing to do.
    fn is_idle(&self) {
        assert_eq!(self.sync(), "", "a run right after a clean one");
    }
}

/// Message `n`: its subject is `message N`, and no other's holds that.
fn message(n: usize) -> Vec<u8> {
    let n = format!("{n:03}");
    format!("From: a@example.org\r\nMessage-ID: <{n}@sync>\r\nSubject: message {n}\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\nbody {n}\r\n")
        .into_bytes()
}

fn number(stored: &Stored) -> usize {
    subject(&stored.bytes).unwrap().strip_prefix("message ").unwrap().trim().parse().unwrap()
}

/// The counts of a summary that are not 0, but for octets.
fn counts(outcome: &Outcome) -> String {
    const NAMES: [&str; 13] = [
        "fetched",
        "uploaded",
        "flags_local",
        "flags_remote",
        "deleted_local",
        "deleted_remote",
        "moved_local",
        "moved_remote",
        "adopted",
        "skipped",
        "failed",
        "undeleted_remote",
        "listed",
    ];
    let summary = outcome.summary_of("x");
    let told = NAMES.iter().filter_map(|name| {
        let n = summary[name].as_u64().unwrap_or_else(|| panic!("no {name} in {summary}"));
        (n > 0).then(|| format!("{name} {n}"))
    });
    told.collect::<Vec<_>>().join(", ")
}
