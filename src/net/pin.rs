//! A certificate known by its digest.

use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// SHA-256 of a certificate (DER). Read from 64 hexadecimal digits, in any case, with or without colons, as
/// `openssl x509 -fingerprint -sha256` prints them; shown in lower case without colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin(pub [u8; 32]);

impl Pin {
    /// The pin of a certificate.
    pub fn of(der: &[u8]) -> Pin {
        Pin(Sha256::digest(der).into())
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl FromStr for Pin {
    type Err = String;

    fn from_str(text: &str) -> Result<Pin, String> {
        let mut digits = Vec::with_capacity(64);
        for c in text.trim().chars().filter(|c| *c != ':') {
            match c.to_digit(16) {
                Some(digit) => digits.push(digit as u8),
                None => return Err(format!("“{}” is not a hexadecimal digit", c.escape_debug())),
            }
        }
        let bytes: Vec<u8> =
            digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
        match bytes.try_into() {
            Ok(bytes) if digits.len() == 64 => Ok(Pin(bytes)),
            _ => Err(format!("a SHA-256 has 64 hexadecimal digits, this has {}", digits.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn is_the_digest_of_the_certificate() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Pin::of(b"abc").to_string(), abc);
    }

    #[test]
    fn refuses_what_is_not_a_digest() {
        let e = |text: &str| text.parse::<Pin>().unwrap_err();
        assert_eq!(e(""), "a SHA-256 has 64 hexadecimal digits, this has 0");
        assert_eq!(e(&"a".repeat(63)), "a SHA-256 has 64 hexadecimal digits, this has 63");
        assert_eq!(e(&"a".repeat(40)), "a SHA-256 has 64 hexadecimal digits, this has 40");
        assert_eq!(e("sha256"), "“s” is not a hexadecimal digit");
    }

    proptest! {
        #[test]
        fn reads_what_it_shows(bytes: [u8; 32]) {
            let pin = Pin(bytes);
            let colons = bytes.map(|b| format!("{b:02X}")).join(":");
            prop_assert_eq!(pin.to_string().parse(), Ok(pin));
            prop_assert_eq!(colons.parse(), Ok(pin));
        }

        #[test]
        fn never_panics(text: String) {
            prop_assert!(text.parse::<Pin>().is_err());
        }
    }
}
