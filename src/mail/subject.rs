//! What a message is about, for people.

use mail_parser::{HeaderName, MessageParser};

/// The subject in a header, decoded (RFC 2047), in one line and without control characters; `None` where there is none.
pub fn subject(header: &[u8]) -> Option<String> {
    let parser = MessageParser::new().header_text(HeaderName::Subject).default_header_ignore();
    let parsed = parser.parse_headers(header)?;
    let words = |text: &str| {
        text.split(|c: char| c.is_whitespace() || c.is_control())
            .filter(|w| !w.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    parsed.subject().map(words).filter(|subject| !subject.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_subject_is_one_decoded_line() {
        for (header, expected) in [
            (&b"From: a@b\r\nSubject: Lunch?\r\n\r\nSubject: no"[..], Some("Lunch?")),
            (b"subject: =?utf-8?q?K=C3=A4se?=\n =?utf-8?b?IHVuZA==?= Brot\n\n", Some("Käse und Brot")),
            (b"Subject: two\r\n\tlines \x1b[31mred\r\n\r\n", Some("two lines [31mred")),
            (b"Subject:   \r\n\r\n", None),
            (b"From: a@b\r\n\r\nbody", None),
            (b"", None),
        ] {
            assert_eq!(subject(header).as_deref(), expected, "{}", header.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_octets_give_a_line_or_nothing(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let header = [b"Subject: ".as_slice(), &octets].concat();
            prop_assert!(subject(&header).is_none_or(|s| !s.is_empty() && !s.contains(|c: char| c.is_control())));
        }
    }
}
