//! What a server calls a message.

/// What a server calls a message for as long as the scope stands: the UIDL, or the UID in decimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub Vec<u8>);

impl std::fmt::Display for Key {
    /// The key as text, odd bytes replaced.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        String::from_utf8_lossy(&self.0).chars().map(|c| if c.is_control() { '?' } else { c }).try_for_each(|c| {
            use std::fmt::Write;
            f.write_char(c)
        })
    }
}
