//! What a server, or a Maildir, calls a message.

/// What a server calls a message for as long as the scope stands: the UIDL, or the UID in decimal. On this machine, the unique
/// part of a Maildir file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub Vec<u8>);

impl Key {
    /// The key of a message on an IMAP server.
    pub fn of_uid(uid: u32) -> Key {
        Key(uid.to_string().into_bytes())
    }

    /// The UID that it is; `None` where it is none.
    pub fn uid(&self) -> Option<u32> {
        std::str::from_utf8(&self.0).ok()?.parse().ok().filter(|uid| *uid > 0)
    }
}

impl std::fmt::Display for Key {
    /// The key as text, odd bytes replaced.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        String::from_utf8_lossy(&self.0).chars().map(|c| if c.is_control() { '?' } else { c }).try_for_each(|c| {
            use std::fmt::Write;
            f.write_char(c)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_a_positive_number_of_32_bits() {
        assert_eq!(Key::of_uid(u32::MAX).uid(), Some(u32::MAX));
        for none in ["", "0", "-1", "x", "1.a", "4294967296", " 1"] {
            assert_eq!(Key(none.into()).uid(), None, "{none}");
        }
    }
}
