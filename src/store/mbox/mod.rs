//! mbox.

/// An mbox file.
pub struct Mbox {}
