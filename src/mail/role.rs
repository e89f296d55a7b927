//! What a folder is for.

/// What a folder is for (SPECIAL-USE, RFC 6154).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Every message of the account.
    All,
    /// Where mail is kept that is done with.
    Archive,
    /// Unfinished messages.
    Drafts,
    /// Every flagged message of the account.
    Flagged,
    /// Every message of the account that the server takes for important (RFC 8457).
    Important,
    /// Unwanted mail.
    Junk,
    /// Copies of sent messages.
    Sent,
    /// Deleted messages.
    Trash,
}

impl Role {
    /// The roles as users write them. Behind the `@` stands what is behind the `\` of the LIST attribute.
    pub const WORDS: [(&str, Role); 8] = [
        ("@all", Role::All),
        ("@archive", Role::Archive),
        ("@drafts", Role::Drafts),
        ("@flagged", Role::Flagged),
        ("@important", Role::Important),
        ("@junk", Role::Junk),
        ("@sent", Role::Sent),
        ("@trash", Role::Trash),
    ];

    /// Whether folders of this role only show messages that stand in other folders.
    pub fn is_view(self) -> bool {
        matches!(self, Role::All | Role::Flagged | Role::Important)
    }

    /// The role of a word such as `@sent`, in any case.
    pub fn of_word(word: &str) -> Option<Role> {
        word.strip_prefix('@').and_then(|name| Role::named(name.as_bytes()))
    }

    /// The role that a LIST attribute tells, such as `\Sent`, in any case.
    pub fn of_attribute(attribute: &[u8]) -> Option<Role> {
        attribute.strip_prefix(b"\\").and_then(Role::named)
    }

    fn named(name: &[u8]) -> Option<Role> {
        let is_it = |word: &str| word.as_bytes().get(1..).is_some_and(|w| w.eq_ignore_ascii_case(name));
        Role::WORDS.iter().find(|(word, _)| is_it(word)).map(|(_, role)| *role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_known_by_word_and_attribute() {
        for (word, role) in Role::WORDS {
            assert_eq!(
                (Role::of_word(word), Role::of_attribute(&[b"\\", &word.as_bytes()[1..]].concat())),
                (Some(role), Some(role))
            );
        }
        assert_eq!((Role::of_word("@SENT"), Role::of_attribute(b"\\sent")), (Some(Role::Sent), Some(Role::Sent)));
        for neither in ["", "@", "sent", "\\Sent", "@\\Sent", "@sent "] {
            assert_eq!(Role::of_word(neither), None, "{neither}");
        }
        assert_eq!((Role::of_attribute(b"\\Noselect"), Role::of_attribute(b"@sent")), (None, None));
    }
}
