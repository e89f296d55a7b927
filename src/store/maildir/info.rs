//! The info part of a message's name: `:2,` and letters.

use super::name;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

/// A set of ASCII letters (and whatever else stands among them).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Letters(u128);

impl Letters {
    fn bit(letter: u8) -> u128 {
        1u128.checked_shl(letter.into()).unwrap_or_default()
    }

    /// Whether the letter is set.
    pub(super) fn contains(self, letter: u8) -> bool {
        self.0 & Letters::bit(letter) != 0
    }

    /// Those here or there.
    pub(super) fn with(self, other: Letters) -> Letters {
        Letters(self.0 | other.0)
    }

    /// Those here and not there.
    pub(super) fn without(self, other: Letters) -> Letters {
        Letters(self.0 & !other.0)
    }

    /// Whether none is set.
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each, in ASCII order.
    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        (0..128).filter(move |letter| self.contains(*letter))
    }
}

impl FromIterator<u8> for Letters {
    fn from_iter<I: IntoIterator<Item = u8>>(letters: I) -> Letters {
        Letters(letters.into_iter().fold(0, |set, letter| set | Letters::bit(letter)))
    }
}

/// In ASCII order, as the rules of Maildir want them.
impl fmt::Display for Letters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|letter| write!(f, "{}", char::from(letter)))
    }
}

impl fmt::Debug for Letters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Letters({self})")
    }
}

/// A message's name, taken apart. An info part of another kind than `2,` counts as none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) base: &'a [u8],
    pub(super) letters: Letters,
    /// What follows the letters, from a comma on: other programs' own (Dovecot), kept as it is.
    tail: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(super) fn of(name: &'a OsStr) -> Parts<'a> {
        let base = name::base(name);
        let info = name.as_bytes().get(base.len()..).and_then(|info| info.strip_prefix(b":2,")).unwrap_or_default();
        let end = info.iter().position(|b| *b == b',' || !b.is_ascii()).unwrap_or(info.len());
        let (letters, tail) = info.split_at(end);
        Parts { base, letters: letters.iter().copied().collect(), tail }
    }

    /// The name of the same message under another base name and other letters.
    pub(super) fn name(&self, base: &[u8], letters: Letters) -> Vec<u8> {
        [base, b":2,", letters.to_string().as_bytes(), self.tail].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(name: &[u8], base: &[u8], add: &[u8]) -> Vec<u8> {
        let parts = Parts::of(OsStr::from_bytes(name));
        parts.name(base, parts.letters.with(add.iter().copied().collect()))
    }

    #[test]
    fn letters_come_in_order_and_once() {
        let letters: Letters = b"SFFaTb".iter().copied().collect();
        assert_eq!(letters.to_string(), "FSTab");
        assert_eq!(letters.without(b"Fx".iter().copied().collect()).to_string(), "STab");
        assert!(letters.contains(b'a') && !letters.contains(b'c') && !letters.contains(0xe9));
    }

    #[test]
    fn what_others_wrote_is_kept() {
        for (before, after) in [
            (&b"1.x"[..], &b"1.x:2,F"[..]),
            (b"1.x:2,", b"1.x:2,F"),
            (b"1.x:2,S", b"1.x:2,FS"),
            (b"1.x:2,SQa,S=12", b"1.x:2,FQSa,S=12"),
            (b"1.x:2,S\xc3\xa9", b"1.x:2,FS\xc3\xa9"),
            (b"1.x:1,abc", b"1.x:2,F"),
            (b"1,S=5,W=6:2,S", b"1,S=5,W=6:2,FS"),
        ] {
            assert_eq!(changed(before, name::base(OsStr::from_bytes(before)), b"F"), after);
        }
        assert_eq!(changed(b"1.x:2,S,t", b"2.y", b""), b"2.y:2,S,t");
    }
}
