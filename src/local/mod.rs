//! Mail on this machine as a source: a folder of a Maildir, and an mbox that any program may have written.
//!
//! Neither is ever written to, except that what is disposed of in a Maildir is removed.

mod maildir;
mod mbox;
mod status;
mod tree;

pub use maildir::MaildirSource;
pub use mbox::MboxSource;
pub use tree::{LocalTree, maildirs, mboxes};

use crate::mail::{Envelope, Marks, arrival_date};

/// What is known of a message by the start of it; `fallback` is when it arrived where its header does not tell.
fn envelope(start: &[u8], marks: Marks, size: Option<u64>, fallback: Option<i64>, now: i64) -> Envelope {
    Envelope { marks, received_at: arrival_date(start, now).or(fallback), size }
}
