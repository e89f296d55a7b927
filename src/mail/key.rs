//! What a server, or a Maildir, calls a message.

use std::cmp::Ordering;

/// What a server calls a message for as long as the scope stands: the UIDL, or the UID in decimal. On this machine, the unique
/// part of a Maildir file name. Ordered as messages came: UIDs by number, names by what they begin with, the time.
///
/// Small, for there may be very many of them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key(Bytes);

/// The bytes of a key, always in the first form that can hold them.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Bytes {
    /// So many of these, such as a UID below ten million.
    Short(u8, [u8; SHORT]),
    Long(Box<[u8]>),
}

const SHORT: usize = 7;

impl Key {
    /// The key of these bytes.
    pub fn new(bytes: impl AsRef<[u8]>) -> Key {
        let bytes = bytes.as_ref();
        let mut short = [0; SHORT];
        Key(match short.get_mut(..bytes.len()) {
            Some(head) => {
                head.copy_from_slice(bytes);
                Bytes::Short(bytes.len() as u8, short)
            }
            None => Bytes::Long(bytes.into()),
        })
    }

    /// The key of a message on an IMAP server.
    pub fn of_uid(uid: u32) -> Key {
        Key::new(uid.to_string())
    }

    /// The UID that it is; `None` where it is none.
    pub fn uid(&self) -> Option<u32> {
        std::str::from_utf8(self.as_bytes()).ok()?.parse().ok().filter(|uid| *uid > 0)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Short(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Bytes::Long(bytes) => bytes,
        }
    }

    fn rank(&self) -> (usize, &[u8]) {
        let bytes = self.as_bytes();
        (if bytes.iter().all(u8::is_ascii_digit) { bytes.len() } else { 0 }, bytes)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({self})")
    }
}

impl std::fmt::Display for Key {
    /// The key as text, odd bytes replaced.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        String::from_utf8_lossy(self.as_bytes()).chars().map(|c| if c.is_control() { '?' } else { c }).try_for_each(
            |c| {
                use std::fmt::Write;
                f.write_char(c)
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_a_positive_number_of_32_bits() {
        assert_eq!(Key::of_uid(u32::MAX).uid(), Some(u32::MAX));
        for none in ["", "0", "-1", "x", "1.a", "4294967296", " 1"] {
            assert_eq!(Key::new(none).uid(), None, "{none}");
        }
    }

    #[test]
    fn bytes_of_any_length_stay_what_they_are_and_are_small() {
        assert_eq!(size_of::<Key>(), 16);
        for bytes in [&b""[..], b"1", b"1234567", b"12345678", b"\xff\0", b"1700000000.M1P1.host"] {
            assert_eq!(Key::new(bytes).as_bytes(), bytes);
        }
    }

    #[test]
    fn uids_are_ordered_by_number_and_names_by_their_bytes() {
        let ordered = ["1.b", "10.a", "9.a", "x", "9", "10", "123456789"].map(Key::new);
        assert!(ordered.is_sorted());
        assert_ne!(Key::new("07"), Key::new("7"));
    }
}
