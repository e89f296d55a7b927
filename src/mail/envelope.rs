//! What is known of a message before its bytes come.

use super::Marks;

/// What is known of a message before its bytes come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Flags and keywords, where the protocol has them.
    pub marks: Marks,
    /// INTERNALDATE in seconds since 1970 UTC, where the protocol has it.
    pub received_at: Option<i64>,
    /// Octets to expect; a hint only.
    pub size: Option<u64>,
}
