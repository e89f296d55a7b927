//! A message of 50 MB among small ones: every byte of it, in little memory.

use crate::faults::{Trial, each};
use crate::support::endpoint::Security;
use crate::support::mail::large;
use crate::support::server::Protocol;

/// Peak memory of a debug build in KiB, of which 18 MiB are the program itself. `tests/bench/pull.rs` tells that of a release.
const MEMORY: u64 = 38 * 1024;

#[test]
fn fifty_megabytes() {
    let message = large(50_000_000);
    let rows = [(Protocol::Pop3, "mbox", Security::Implicit), (Protocol::Imap, "maildir", Security::Clear)];
    each(rows.map(|row| (format!("{row:?}"), row)), |(protocol, kind, security)| {
        let mut trial = Trial::of(*protocol).keep(false);
        trial.script.mailbox.folder_mut("INBOX").add(message.clone());
        trial.kind = kind;
        trial.security = *security;
        let run = trial.ends(0);
        let peak = run.peak_kib.expect("its peak memory");
        assert!(peak < MEMORY, "{peak} KiB");
    });
}
