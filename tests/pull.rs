//! `mailferry pull` as a user runs it, against a real Dovecot.

mod accounts;
mod changes;
mod delivery;
mod folders;
mod output;
mod recognition;
mod retention;
mod tokens;
mod urls;

use crate::support::dovecot::{Dovecot, User};
use crate::support::endpoint::Security;
use crate::support::run::{Ferry, Outcome};
use crate::support::server::Protocol;
use crate::support::stored::maildir_bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const PROTOCOLS: [Protocol; 2] = [Protocol::Pop3, Protocol::Imap];

/// A user of the shared Dovecot whose inbox holds messages.
fn user_with(messages: &[Vec<u8>]) -> User<'static> {
    let user = Dovecot::shared().user();
    user.deliver("INBOX", messages);
    user
}

/// A home with one account, called `x`, for a user; `more` is TOML that goes on in its store section.
fn home_of(user: &User<'_>, protocol: Protocol, more: &str) -> Ferry {
    let ferry = Ferry::new();
    ferry.account("x", &user.endpoint(protocol, Security::Implicit), more);
    ferry
}

/// Writes the configuration of a home anew, with other keys behind its store section.
fn reconfigure(ferry: &Ferry, user: &User<'_>, protocol: Protocol, more: &str) {
    ferry.configure("");
    ferry.account("x", &user.endpoint(protocol, Security::Implicit), more);
}

/// Where the inbox of account `x` lies.
fn inbox(ferry: &Ferry, protocol: Protocol) -> PathBuf {
    match protocol {
        Protocol::Pop3 => ferry.store("x"),
        Protocol::Imap => ferry.store("x").join("INBOX"),
    }
}

fn inbox_bytes(ferry: &Ferry, protocol: Protocol) -> Vec<Vec<u8>> {
    maildir_bytes(&inbox(ferry, protocol))
}

/// What Dovecot holds in an inbox now, as it stores it.
fn left(user: &User<'_>) -> Vec<Vec<u8>> {
    user.messages("INBOX").into_iter().map(|m| m.bytes).collect()
}

/// Messages as an LF store has them once Dovecot has sent them.
fn stored(protocol: Protocol, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    messages.iter().map(|m| crate::support::mail::with_lf(&Dovecot::sends(protocol, m))).collect()
}

/// Runs `pull --json` with more arguments and gives the counts of account `x`.
#[track_caller]
fn pull(ferry: &Ferry, args: &[&str]) -> String {
    let outcome = ferry.run(&[&["pull", "--json"], args].concat()).expect(0);
    counts(&outcome, "x")
}

/// The counts of an account that are not 0, in words; they have to balance.
#[track_caller]
fn counts(outcome: &Outcome, account: &str) -> String {
    let entry = outcome.summary_of(account);
    let number = |name: &str| entry[name].as_u64().unwrap_or_else(|| panic!("no {name} in {entry}"));
    assert_eq!(
        number("listed"),
        number("fetched") + number("had") + number("skipped") + number("failed"),
        "the counts balance: {entry}"
    );
    for never in
        ["uploaded", "flags_local", "flags_remote", "deleted_local", "moved_local", "moved_remote", "bytes_out"]
    {
        assert_eq!(number(never), 0, "a pull does no such thing: {entry}");
    }
    let dry_run = outcome.events()[0]["dry_run"].as_bool().unwrap();
    assert_eq!(number("bytes_in") > 0, number("fetched") > 0 && !dry_run, "{entry}");
    let names = ["listed", "had", "fetched", "adopted", "skipped", "failed", "deleted_remote"];
    let told: Vec<String> = names.iter().filter(|n| number(n) > 0).map(|n| format!("{n} {}", number(n))).collect();
    told.join(", ")
}

/// Every folder and file below a folder, files with their content and time of change.
type Tree = BTreeMap<PathBuf, (Vec<u8>, SystemTime)>;

fn tree(path: &Path) -> Tree {
    let mut found = BTreeMap::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.insert(path.clone(), (Vec::new(), SystemTime::UNIX_EPOCH));
                folders.push(path);
            } else {
                let time = path.metadata().unwrap().modified().unwrap();
                found.insert(path.clone(), (std::fs::read(&path).unwrap(), time));
            }
        }
    }
    found
}

/// Fails unless both are the same; says which files differ.
#[track_caller]
fn assert_unchanged(before: &Tree, after: &Tree) {
    let paths: BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    let differ: Vec<_> = paths.into_iter().filter(|p| before.get(*p) != after.get(*p)).collect();
    assert!(differ.is_empty(), "{differ:?}");
}
