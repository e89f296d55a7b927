//! System flags, as IMAP names them (RFC 9051 section 2.3.2) and as Maildir letters.

use std::fmt;

/// A set of system flags.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Flags(u8);

/// Each flag: its bit's place, Maildir letter and IMAP name, in the order of the letters.
const TABLE: [(char, &str); 6] = [
    ('D', "\\Draft"),
    ('F', "\\Flagged"),
    ('P', "$Forwarded"),
    ('R', "\\Answered"),
    ('S', "\\Seen"),
    ('T', "\\Deleted"),
];

impl Flags {
    /// No flag at all.
    pub const NONE: Flags = Flags(0);
    /// `\Seen`, letter `S`.
    pub const SEEN: Flags = Flags(1 << 4);
    /// `\Deleted`, letter `T`.
    pub const DELETED: Flags = Flags(1 << 5);

    /// The flag of an IMAP name in any case, or of none.
    pub fn from_imap(name: &str) -> Flags {
        TABLE.iter().position(|(_, n)| n.eq_ignore_ascii_case(name)).map_or(Flags::NONE, |i| Flags(1 << i))
    }

    /// The IMAP names of the flags.
    pub fn imap_names(self) -> impl Iterator<Item = &'static str> {
        TABLE.iter().enumerate().filter(move |(i, _)| self.0 & (1 << i) != 0).map(|(_, (_, name))| *name)
    }

    /// The flags among the letters of a Maildir info part; other letters are passed over.
    pub fn from_letters(letters: &str) -> Flags {
        letters
            .chars()
            .filter_map(|c| TABLE.iter().position(|(l, _)| *l == c))
            .fold(Flags::NONE, |f, i| f | Flags(1 << i))
    }

    /// The letters of a Maildir info part, in ASCII order.
    pub fn letters(self) -> String {
        TABLE.iter().enumerate().filter(|(i, _)| self.0 & (1 << i) != 0).map(|(_, (l, _))| *l).collect()
    }

    /// Whether every flag of `other` is set.
    pub fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether no flag is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl std::ops::BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl std::ops::BitAnd for Flags {
    type Output = Flags;
    fn bitand(self, other: Flags) -> Flags {
        Flags(self.0 & other.0)
    }
}

impl std::ops::Sub for Flags {
    type Output = Flags;
    fn sub(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags({})", self.letters())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_names_agree() {
        let f = Flags::from_imap("\\seen") | Flags::from_imap("\\Answered") | Flags::from_imap("$forwarded");
        assert_eq!(f.letters(), "PRS");
        assert_eq!(f.imap_names().collect::<Vec<_>>(), ["$Forwarded", "\\Answered", "\\Seen"]);
        assert_eq!(Flags::from_letters("SRPx"), f);
        assert!(f.contains(Flags::SEEN) && !f.contains(Flags::DELETED));
        assert_eq!(Flags::from_imap("\\Recent"), Flags::NONE);
    }
}
