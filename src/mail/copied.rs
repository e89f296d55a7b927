//! Copies into which another program wrote: what it inserted, and what the message was before.
//!
//! mbsync marks each copy it makes with a field of its own; getmail, fetchmail and mpop put trace fields on top of what
//! they retrieve; whoever reads an mbox keeps its marks in fields of its messages. Such copies are here, and the server has
//! the messages as they were.

use super::{Beginning, Content, Digest, Digester};
use std::ops::Range;

/// Octets on the wire of the field that mbsync writes into a copy: `X-TUID`, twelve characters.
pub const TUID_OCTETS: u64 = 22;

/// What a message was before another program wrote into the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Original {
    /// Octets with CRLF at every line end.
    pub wire_size: u64,
    /// The digest of its content, where that was read.
    pub digest: Option<Digest>,
}

impl Original {
    /// The message of which a server has a copy of that size, as far as its header tells.
    pub fn behind(header: &[u8], wire_size: u64) -> Option<Original> {
        let octets: usize = inserted(header).into_iter().map(|range| range.len()).sum();
        let wire_size = wire_size.checked_sub(octets as u64)?;
        (octets > 0).then_some(Original { wire_size, digest: None })
    }
}

/// Fields that carriers of mail put on top of a message.
const TRACE: [&[u8]; 5] = [b"return-path", b"delivered-to", b"x-original-to", b"envelope-to", b"received"];

/// How those who retrieve mail name themselves in the Received field that they add.
const RETRIEVERS: [&[u8]; 3] = [b" getmail", b"(fetchmail-", b"(mpop-"];

/// Fields in which those who read an mbox keep what they know of its messages.
const MARKS: [&[u8]; 8] = [
    b"status",
    b"x-status",
    b"x-keywords",
    b"x-uid",
    b"x-imap",
    b"x-imapbase",
    b"x-mozilla-status",
    b"x-mozilla-status2",
];

/// What other programs inserted into a header, in order.
fn inserted(header: &[u8]) -> Vec<Range<usize>> {
    let fields = fields(header);
    let named = |field: &Range<usize>, name: &[u8]| {
        let text = header.get(field.clone()).unwrap_or_default();
        text.get(..name.len()).is_some_and(|t| t.eq_ignore_ascii_case(name)) && text.get(name.len()) == Some(&b':')
    };
    let says = |field: &Range<usize>, words: &[u8]| {
        memchr::memmem::find(header.get(field.clone()).unwrap_or_default(), words).is_some()
    };
    let trace: Vec<_> = fields.iter().take_while(|field| TRACE.iter().any(|name| named(field, name))).collect();
    let retrieved = |field: &&&Range<usize>| named(field, b"received") && RETRIEVERS.iter().any(|r| says(field, r));
    let last = trace.iter().rposition(|field| retrieved(&field));
    let mut out = Vec::new();
    if let Some(on_top) = last.and_then(|last| trace.get(..=last)) {
        // getmail takes the Return-Path out of the message and puts it on top.
        let moved = |at: usize, field: &Range<usize>| {
            at == 0
                && named(field, b"return-path")
                && on_top.iter().any(|f| says(f, b" getmail"))
                && !says(field, b"<unknown>")
        };
        out.extend(
            on_top.iter().enumerate().filter(|(at, field)| !moved(*at, field)).map(|(_, field)| (*field).clone()),
        );
    }
    let behind = fields.get(out.len()..).unwrap_or_default();
    // A length is written beside the marks; alone, it may be the message's own.
    let is_marked = behind.iter().any(|field| MARKS.iter().any(|name| named(field, name)));
    let is_inserted = |field: &&Range<usize>| {
        named(field, b"x-tuid")
            || MARKS.iter().any(|name| named(field, name))
            || is_marked && named(field, b"content-length")
    };
    out.extend(behind.iter().filter(is_inserted).cloned());
    out
}

/// The fields of a header, each with its folded lines.
fn fields(header: &[u8]) -> Vec<Range<usize>> {
    let mut fields: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    for line in header.split_inclusive(|b| *b == b'\n') {
        let end = at + line.len();
        match (line.first(), fields.last_mut()) {
            _ if line.trim_ascii_end().is_empty() => break,
            (Some(b' ' | b'\t'), Some(field)) => field.end = end,
            _ => fields.push(at..end),
        }
        at = end;
    }
    fields
}

/// Computes [`Content`] of a copy that stands in a store, with its [original](Content::original).
pub struct CopyDigester {
    copy: Digester,
    original: Reading,
}

enum Reading {
    /// As long as its header goes on.
    Header(Beginning),
    /// Nobody wrote into it.
    AsItIs,
    Without(Box<Digester>),
}

impl Default for CopyDigester {
    fn default() -> CopyDigester {
        CopyDigester { copy: Digester::default(), original: Reading::Header(Beginning::default()) }
    }
}

impl CopyDigester {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.copy.update(bytes);
        match &mut self.original {
            Reading::Header(header) => {
                if header.take(bytes) {
                    self.original = Reading::of(header.as_bytes());
                }
            }
            Reading::AsItIs => {}
            Reading::Without(digester) => drop(digester.update(bytes)),
        }
    }

    /// What all the bytes tell.
    pub fn finish(self) -> Content {
        let original = match self.original {
            Reading::Header(header) => Reading::of(header.as_bytes()),
            decided => decided,
        };
        let original = match original {
            Reading::Without(digester) => Some(digester.finish().1),
            _ => None,
        };
        let original = original.map(|c| Original { wire_size: c.wire_size, digest: Some(c.digest) });
        Content { original, ..self.copy.finish().1 }
    }
}

impl Reading {
    fn of(beginning: &[u8]) -> Reading {
        let inserted = inserted(beginning);
        if inserted.is_empty() {
            return Reading::AsItIs;
        }
        let mut digester = Box::<Digester>::default();
        let mut at = 0;
        for Range { start, end } in inserted {
            digester.update(beginning.get(at..start).unwrap_or_default());
            at = end;
        }
        digester.update(beginning.get(at..).unwrap_or_default());
        Reading::Without(digester)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn content(copy: &[u8], piece: usize) -> Content {
        let mut digester = CopyDigester::default();
        copy.chunks(piece.max(1)).for_each(|bytes| digester.update(bytes));
        digester.finish()
    }

    const MAIL: &str = "Received: from a\n\tby b; x\nMessage-ID: <1>\nSubject: x\n\nbody\nX-TUID: no\n";

    #[test]
    fn what_programs_write_into_their_copies_is_told_from_the_message() {
        let original = content(MAIL.as_bytes(), 99);
        assert_eq!(original.original, None);
        let with_path = "Return-Path: <a@b>\n".to_owned() + MAIL;
        for (copy, before) in [
            (MAIL.replacen("\n\n", "\nX-TUID: abcdefghijkl\n\n", 1), MAIL),
            ("Received: from s (s [::1])\n\tby h (mpop-1.4.18) with POP3\n\tfor <u>; x\n".to_owned() + MAIL, MAIL),
            ("Return-Path: <u>\nDelivered-To: u\nReceived: by h (Postfix); x\nReceived: from s by h (fetchmail-6.4)\n".to_owned() + MAIL, MAIL),
            ("Return-Path: <unknown>\nReceived: from s by h with POP3 getmail6 msgid:1; x\n".to_owned() + MAIL, MAIL),
            ("Return-Path: <a@b>\nDelivered-To: u\nReceived: from s by h with POP3 getmail6; x\n".to_owned() + MAIL, with_path.as_str()),
            (MAIL.replacen("\n\n", "\nStatus: RO\nX-Status: F\n\n", 1), MAIL),
            ("X-IMAPbase: 1 2\nX-UID: 1\nStatus: RO\nContent-Length: 17\nX-Keywords: a\n b\n".to_owned() + MAIL, MAIL),
        ] {
            let (before, crlf) = (content(before.as_bytes(), 7), copy.replace('\n', "\r\n"));
            for (bytes, piece) in [(copy.as_bytes(), 1), (copy.as_bytes(), 1000), (crlf.as_bytes(), 13)] {
                let found = content(bytes, piece).original.unwrap();
                assert_eq!(found, Original { wire_size: before.wire_size, digest: Some(before.digest) }, "{copy}");
            }
        }
    }

    #[test]
    fn fields_that_the_message_had_are_its_own() {
        for mail in [
            "Received: from a by b (Postfix)\nDelivered-To: x\n\n",
            "Subject: x\nReceived: from s by h (mpop-1.4)\n\n",
            "X-TUID-Like: x\n\n",
            "Content-Length: 5\nDelivery-Status: x\n\nbody\n",
            "From: a\n\nX-TUID: abcdefghijkl\n",
            "",
        ] {
            assert_eq!(content(mail.as_bytes(), 5).original, None, "{mail}");
        }
    }

    #[test]
    fn a_copy_on_a_server_is_known_by_its_header() {
        let header = b"Message-ID: <1>\r\nX-TUID: abcdefghijkl\r\n\r\n";
        assert_eq!(Original::behind(header, 100), Some(Original { wire_size: 100 - TUID_OCTETS, digest: None }));
        assert_eq!(Original::behind(header, 5), None);
        assert_eq!(Original::behind(b"Message-ID: <1>\r\n\r\n", 100), None);
    }

    proptest! {
        #[test]
        fn however_it_is_cut_the_copy_counts_as_it_is(text in "([A-Za-z:\r\n -]|X-TUID: |\\(mpop-){0,60}", piece in 1..9usize) {
            let mut plain = Digester::default();
            plain.update(text.as_bytes());
            let plain = plain.finish().1;
            let copy = content(text.as_bytes(), piece);
            prop_assert_eq!(Content { original: None, ..copy }, plain);
            prop_assert_eq!(copy.original, content(text.as_bytes(), 999).original);
            prop_assert!(copy.original.is_none_or(|o| o.wire_size < copy.wire_size));
        }
    }
}
