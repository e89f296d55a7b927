//! Maildir.

/// A Maildir.
pub struct Maildir {}
