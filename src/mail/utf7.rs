//! Modified UTF-7, the old wire form of mailbox names (RFC 3501 section 5.1.3).

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

const CODEC: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// The wire form of a name.
pub fn encode_utf7(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut shifted: Vec<u8> = Vec::new();
    let close = |out: &mut String, shifted: &mut Vec<u8>| {
        if !shifted.is_empty() {
            out.push('&');
            out.push_str(&CODEC.encode(&*shifted));
            out.push('-');
            shifted.clear();
        }
    };
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            close(&mut out, &mut shifted);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            let mut units = [0u16; 2];
            shifted.extend(c.encode_utf16(&mut units).iter().flat_map(|u| u.to_be_bytes()));
        }
    }
    close(&mut out, &mut shifted);
    out
}

/// The name behind a wire form, or `None` where it is not valid modified UTF-7.
pub fn decode_utf7(wire: &str) -> Option<String> {
    let mut out = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some((plain, after)) = rest.split_once('&') {
        out.push_str(plain);
        let (coded, tail) = after.split_once('-')?;
        if coded.is_empty() {
            out.push('&');
        } else {
            let bytes = CODEC.decode(coded).ok()?;
            let (pairs, odd) = bytes.as_chunks::<2>();
            if !odd.is_empty() {
                return None;
            }
            let units = pairs.iter().map(|p| u16::from_be_bytes(*p));
            for c in char::decode_utf16(units) {
                out.push(c.ok()?);
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_names() {
        for (name, wire) in [
            ("INBOX", "INBOX"),
            ("A&B", "A&-B"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("台北/日本語", "&U,BTFw-/&ZeVnLIqe-"),
            ("😀", "&2D3eAA-"),
        ] {
            assert_eq!(encode_utf7(name), wire);
            assert_eq!(decode_utf7(wire).as_deref(), Some(name));
        }
    }

    #[test]
    fn broken_names_are_none() {
        for wire in ["&", "&AAA", "&A-", "&!!-", "&2D0-"] {
            assert_eq!(decode_utf7(wire), None, "{wire}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(name in "\\PC*") {
            prop_assert_eq!(decode_utf7(&encode_utf7(&name)), Some(name));
        }

        #[test]
        fn never_panics(wire in ".*") {
            let _ = decode_utf7(&wire);
        }
    }
}
