//! `mailferry migrate` as a user runs it, with a real Dovecot on one end or on both.

mod admin;
mod arrival;
mod batch;
mod checks;
mod crash;
mod ends;
mod jobs;
mod lanes;
mod mboxes;
mod wishes;

use crate::support::dovecot::{Dovecot, User};
use crate::support::endpoint::{Endpoint, Security};
use crate::support::mail::{self, with_lf};
use crate::support::run::{Ferry, Outcome, Running};
use crate::support::server::Protocol;
use crate::support::stored::{assert_same_mail, maildir, maildir_bytes, mbox};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// An end of a migration.
struct End {
    text: String,
    password: Option<String>,
    ca_file: Option<String>,
}

impl End {
    fn of(endpoint: &Endpoint) -> End {
        End {
            text: endpoint.url(),
            password: Some(endpoint.password.clone()),
            ca_file: Some(endpoint.ca_file.display().to_string()),
        }
    }

    fn pop3(user: &User<'_>) -> End {
        End::of(&user.endpoint(Protocol::Pop3, Security::Implicit))
    }

    fn imap(user: &User<'_>) -> End {
        End::of(&user.endpoint(Protocol::Imap, Security::Implicit))
    }

    fn path(kind: &str, path: &Path) -> End {
        End { text: format!("{kind}:{}", path.display()), password: None, ca_file: None }
    }

    fn maildir(path: &Path) -> End {
        End::path("maildir", path)
    }

    fn mbox(path: &Path) -> End {
        End::path("mbox", path)
    }

    /// A folder of it.
    fn folder(mut self, folder: &str) -> End {
        self.text = format!("{}/{folder}", self.text);
        self
    }
}

fn command(ferry: &Ferry, from: &End, to: &End, args: &[&str]) -> Command {
    let mut line = vec!["migrate".to_owned(), from.text.clone(), to.text.clone(), "--json".to_owned()];
    for (end, option) in [(from, "--from-password-command"), (to, "--to-password-command")] {
        if let Some(password) = &end.password {
            line.extend([option.to_owned(), format!("echo {password}")]);
        }
    }
    if let Some(file) = from.ca_file.as_ref().or(to.ca_file.as_ref()) {
        line.extend(["--ca-file".to_owned(), file.clone()]);
    }
    line.extend(args.iter().map(|a| (*a).to_owned()));
    ferry.command(&line.iter().map(String::as_str).collect::<Vec<_>>())
}

fn run(ferry: &Ferry, from: &End, to: &End, args: &[&str]) -> Outcome {
    Running::start(command(ferry, from, to, args)).wait()
}

/// Runs it to a good end, and gives the counts that are not 0.
#[track_caller]
fn migrate(ferry: &Ferry, from: &End, to: &End, args: &[&str]) -> String {
    counts(&run(ferry, from, to, args).expect(0))
}

/// The folders of the report; each of them balances.
#[track_caller]
fn report(outcome: &Outcome) -> Vec<Value> {
    let event = outcome.events().into_iter().find(|e| e["event"] == "migration");
    let event = event.unwrap_or_else(|| panic!("no report: {}\n{}", outcome.stdout, outcome.stderr));
    let folders = event["folders"].as_array().unwrap().clone();
    for folder in &folders {
        let sum = |name: &str| folder[name].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
        let number = |name: &str| folder[name].as_u64().unwrap();
        let parts = number("copied") + number("there") + sum("skipped") + sum("failed");
        assert_eq!(number("listed"), parts, "it does not balance: {folder}");
    }
    folders
}

/// The counts that are not 0, all folders together.
#[track_caller]
fn counts(outcome: &Outcome) -> String {
    report(outcome);
    let summary = outcome.summary();
    let entry = &summary["accounts"][0];
    let names = ["listed", "had", "fetched", "skipped", "failed", "deleted_remote"];
    let told = names.iter().filter_map(|name| {
        let n = entry[*name].as_u64().unwrap();
        (n > 0).then(|| format!("{name} {n}"))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// A user of the shared server with these messages in the inbox.
fn user_with(messages: &[Vec<u8>]) -> User<'static> {
    let user = Dovecot::shared().user();
    user.deliver("INBOX", messages);
    user
}

/// What a folder of a user holds.
fn held(user: &User<'_>, folder: &str) -> Vec<Vec<u8>> {
    user.messages(folder).into_iter().map(|m| m.bytes).collect()
}

fn stored(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    messages.iter().map(|m| with_lf(m)).collect()
}
