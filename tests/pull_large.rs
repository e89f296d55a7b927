//! A message of 50 MB among small ones: every byte of it, in little memory.

use crate::faults::{BOTH, Trial, each};
use crate::support::endpoint::Security;
use crate::support::mail::large;

/// Peak memory, in KiB.
const MEMORY: u64 = 32 * 1024;

#[test]
fn fifty_megabytes() {
    let message = large(50_000_000);
    let rows = BOTH.into_iter().flat_map(|p| [(p, "maildir", Security::Clear), (p, "mbox", Security::Implicit)]);
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
