//! What tells one message from another: the digest of its bytes, and the fingerprint of its headers.

use super::{Original, ToLf};
use std::fmt;

/// BLAKE3 of a message's content: CRs before an LF do not count, nor do CRs and LFs at the very end, so that the same
/// message gives the same digest on the wire, in an LF or CRLF Maildir and in an mbox.
///
/// All the CRs, because a store that turns CR CR LF into CR LF leaves what looks like an ordinary line end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(8).try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// What the bytes of one message tell about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Octets as received or stored.
    pub octets: u64,
    /// Octets with CRLF at every line end: what a server reports as the size (RFC822.SIZE, LIST).
    pub wire_size: u64,
    /// The digest of the content.
    pub digest: Digest,
    /// The fingerprint of the header.
    pub fingerprint: Fingerprint,
    /// What it was before another program wrote into this copy, where one did and that was looked for.
    pub original: Option<Original>,
}

impl Content {
    /// What is known of a message whose stored form does not matter: its octets are those on the wire.
    pub fn known(wire_size: u64, digest: Digest, fingerprint: Fingerprint) -> Content {
        Content { octets: wire_size, wire_size, digest, fingerprint, original: None }
    }

    /// What stands in for the digest of a message that was not read: its header and size, which tell it apart from others
    /// unless the fingerprint is [weak](Fingerprint::is_weak). No message has such a digest by itself.
    pub fn inferred_from(fingerprint: Fingerprint, wire_size: u64) -> Option<Content> {
        if fingerprint.is_weak() {
            return None;
        }
        let mut hash = blake3::Hasher::new_derive_key("mailferry inferred digest");
        hash.update(&fingerprint.0).update(&wire_size.to_be_bytes());
        Some(Content::known(wire_size, Digest(hash.finalize().into()), fingerprint))
    }

    /// The same message as it is known where only its header and size are.
    pub fn inferred(&self) -> Option<Content> {
        Content::inferred_from(self.fingerprint, self.wire_size)
    }
}

/// Computes [`Content`] while a message's bytes pass by, from the wire or from a store.
#[derive(Default)]
pub struct Digester {
    lf: ToLf,
    hash: blake3::Hasher,
    header: HeaderScan,
    octets: u64,
    canonical: u64,
    lines: u64,
    /// LFs, then CRs, not hashed yet: they count only by what follows.
    pending: (u64, u64),
    buffer: Vec<u8>,
}

impl Digester {
    /// Takes the next bytes and gives them back with LF line ends, ready for an LF store.
    pub fn update(&mut self, bytes: &[u8]) -> &[u8] {
        self.octets += bytes.len() as u64;
        self.buffer.clear();
        self.lf.convert(bytes, &mut self.buffer);
        self.absorb();
        &self.buffer
    }

    /// The rest that [`update`](Self::update) held back, and what all the bytes tell.
    pub fn finish(mut self) -> (&'static [u8], Content) {
        let tail = self.lf.finish();
        self.buffer.clear();
        self.buffer.extend_from_slice(tail);
        self.absorb();
        let content = Content {
            octets: self.octets,
            wire_size: self.canonical + self.lines,
            digest: Digest(self.hash.finalize().into()),
            fingerprint: self.header.finish(),
            original: None,
        };
        (tail, content)
    }

    fn absorb(&mut self) {
        self.canonical += self.buffer.len() as u64;
        self.lines += memchr::memchr_iter(b'\n', &self.buffer).count() as u64;
        self.header.update(&self.buffer);
        let mut rest = self.buffer.as_slice();
        while !rest.is_empty() {
            let run = rest.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(rest.len());
            let (ends, after) = rest.split_at(run);
            for end in ends {
                self.pending = match (end, self.pending) {
                    (b'\n', (lfs, _)) => (lfs + 1, 0),
                    (_, (lfs, crs)) => (lfs, crs + 1),
                };
            }
            if after.is_empty() {
                return;
            }
            let (lfs, crs) = std::mem::take(&mut self.pending);
            for (end, times) in [(b"\n", lfs), (b"\r", crs)] {
                for _ in 0..times {
                    self.hash.update(end);
                }
            }
            let (text, _) = after.split_at(memchr::memchr(b'\r', after).unwrap_or(after.len()));
            let kept = text.iter().rposition(|b| *b != b'\n').map_or(0, |i| i + 1);
            self.hash.update(text.get(..kept).unwrap_or_default());
            rest = after.get(kept..).unwrap_or_default();
        }
    }
}

/// Hash of the header fields that no server rewrites: Message-ID, Date, From, Subject.
///
/// Two messages of equal fingerprint and size are taken for the same one where nothing better is known (a server without
/// UIDL, changed UIDVALIDITY, lost state). Folding, white space and line ends do not count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// The fingerprint of a header, with or without the body behind it.
    pub fn of_header(bytes: &[u8]) -> Fingerprint {
        let mut scan = HeaderScan::default();
        scan.update(bytes);
        scan.finish()
    }

    /// Whether the header had neither Message-ID nor Date, so that only the content can tell.
    pub fn is_weak(&self) -> bool {
        self.0[0] & 1 == 0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(6).try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// Octets of a header that are looked at before a scan gives up: enough for any real header, and a bound for what is none.
pub const HEADER_LIMIT: usize = 256 * 1024;

/// The fields of a fingerprint, in the order they are hashed.
const FIELDS: [&[u8]; 4] = [b"message-id", b"date", b"from", b"subject"];

/// Collects the fields of a [`Fingerprint`] from chunks of a message cut anywhere.
#[derive(Default)]
pub struct HeaderScan {
    line: Vec<u8>,
    field: Option<usize>,
    values: [Option<Vec<u8>>; 4],
    seen: usize,
    done: bool,
}

impl HeaderScan {
    /// The next bytes; everything after the header is passed over.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !self.done {
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                self.push(bytes);
                return;
            };
            let (head, tail) = bytes.split_at(end + 1);
            self.push(head);
            self.end_line();
            bytes = tail;
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.seen += bytes.len();
        if self.seen > HEADER_LIMIT {
            self.done = true;
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = line.trim_ascii_end();
        if text.is_empty() {
            self.done = true;
        } else if line.starts_with(b" ") || line.starts_with(b"\t") {
            if let Some(value) = self.field.and_then(|i| self.values.get_mut(i)).and_then(Option::as_mut) {
                append_words(value, text);
            }
        } else {
            self.field = memchr::memchr(b':', text).and_then(|colon| {
                let (name, value) = text.split_at(colon);
                let i = FIELDS.iter().position(|f| name.trim_ascii_end().eq_ignore_ascii_case(f))?;
                let slot = self.values.get_mut(i).filter(|v| v.is_none())?;
                append_words(slot.insert(Vec::with_capacity(value.len())), value.get(1..).unwrap_or_default());
                Some(i)
            });
        }
        self.line = line;
        self.line.clear();
    }

    /// The fingerprint of what was seen.
    pub fn finish(mut self) -> Fingerprint {
        if !self.done && !self.line.is_empty() {
            self.end_line();
        }
        let mut hash = blake3::Hasher::new();
        for value in &self.values {
            hash.update(&(value.as_ref().map_or(0, |v| v.len() + 1) as u64).to_be_bytes());
            hash.update(value.as_deref().unwrap_or_default());
        }
        let mut print = [0; 16];
        hash.finalize_xof().fill(&mut print);
        let strong = self.values.iter().take(2).any(|v| v.as_ref().is_some_and(|v| !v.is_empty()));
        print[0] = (print[0] & !1) | u8::from(strong);
        Fingerprint(print)
    }
}

/// Appends the words of `text`, each after one blank, so that folding and spacing leave no trace.
fn append_words(value: &mut Vec<u8>, text: &[u8]) {
    for word in text.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty()) {
        if !value.is_empty() {
            value.push(b' ');
        }
        value.extend_from_slice(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn content_of(chunks: &[&[u8]]) -> Content {
        let mut d = Digester::default();
        for c in chunks {
            d.update(c);
        }
        d.finish().1
    }

    #[test]
    fn the_digest_is_the_same_on_the_wire_and_in_every_store() {
        let wire = content_of(&[b"a: b\r\n\r\nx\ry\r\n\r\n"]);
        for stored in [&b"a: b\n\nx\ry\n\n"[..], b"a: b\n\nx\ry\n", b"a: b\n\nx\ry"] {
            assert_eq!(content_of(&[stored]).digest, wire.digest);
        }
        assert_ne!(content_of(&[b"a: b\n\nx\ny\n"]).digest, wire.digest);
        assert_eq!(content_of(&[b"a: b\n\nx\ry\n\n"]).wire_size, wire.octets);
        let (held, lone) = {
            let mut d = Digester::default();
            d.update(b"x\r");
            d.finish()
        };
        assert_eq!((held, lone.wire_size), (&b"\r"[..], 2));
    }

    #[test]
    fn only_carriage_returns_before_a_line_feed_or_at_the_end_do_not_count() {
        let digest = |text: &[u8]| content_of(&[text]).digest;
        for same in [&b"a\r\r\nb\r"[..], b"a\r\nb\r\r\n\r\n\r", b"a\nb\r\n"] {
            assert_eq!(digest(same), digest(b"a\nb"));
        }
        for other in [&b"a\r\rb"[..], b"a\rb", b"ab", b"a\n\nb", b"a\n\rb", b"\ra\nb", b"\na\nb"] {
            assert_ne!(digest(other), digest(b"a\nb"));
        }
    }

    const MAIL: &[u8] =
        b"Received: by x\r\nMessage-ID: <1@x>\r\nSubject: a\r\n  b\r\nDate: Mon\r\nFrom: me\r\n\r\nSubject: body\r\n";

    #[test]
    fn folding_line_ends_and_other_fields_do_not_count() {
        let same = b"from:  me\nSUBJECT: a b\nmessage-id : <1@x>\nX: y\nDate:\n Mon\n\n";
        assert_eq!(Fingerprint::of_header(MAIL), Fingerprint::of_header(same));
        assert!(!Fingerprint::of_header(MAIL).is_weak());
    }

    #[test]
    fn each_field_counts_and_absent_is_not_empty() {
        let base = Fingerprint::of_header(b"Message-ID: 1\n\n");
        for other in [&b"Message-ID: 2\n\n"[..], b"Message-ID: 1\nSubject:\n\n", b"Date: 1\n\n"] {
            assert_ne!(base, Fingerprint::of_header(other));
        }
    }

    #[test]
    fn without_message_id_and_date_it_is_weak() {
        for mail in [&b""[..], b"\r\nbody", b"Subject: hi\r\n\r\n", b"no header at all"] {
            assert!(Fingerprint::of_header(mail).is_weak());
        }
    }

    #[test]
    fn a_digest_is_inferred_from_a_strong_header_and_the_size() {
        let content = content_of(&[MAIL]);
        let inferred = Content::inferred_from(content.fingerprint, MAIL.len() as u64);
        assert_eq!(content.inferred(), inferred);
        assert_ne!(inferred.unwrap().digest, content.digest);
        assert_ne!(inferred, Content::inferred_from(content.fingerprint, 1));
        assert_eq!(content_of(&[b"Subject: x\n\n"]).inferred(), None);
    }

    #[test]
    fn an_endless_header_is_bounded() {
        let mut scan = HeaderScan::default();
        (0..100).for_each(|_| scan.update(&[b'x'; 10_000]));
        assert!(scan.line.capacity() <= 2 * HEADER_LIMIT);
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(cut in 0..MAIL.len()) {
            let content = content_of(&[&MAIL[..cut], &MAIL[cut..]]);
            prop_assert_eq!(content, content_of(&[MAIL]));
            prop_assert_eq!(content.fingerprint, Fingerprint::of_header(MAIL));
            prop_assert_eq!(content.wire_size, MAIL.len() as u64);
        }

        #[test]
        fn what_a_store_makes_of_it_has_the_same_digest(text in "[ab\r\n]{0,16}", cut in 0..16usize) {
            let wire = text.as_bytes();
            let cut = cut.min(wire.len());
            let content = content_of(&[&wire[..cut], &wire[cut..]]);
            let lf = text.replace("\r\n", "\n");
            prop_assert_eq!(content_of(&[lf.as_bytes()]).digest, content.digest);
            prop_assert_eq!(content_of(&[lf.as_bytes(), b"\n\n"]).digest, content.digest);
            prop_assert_eq!(content_of(&[wire, b"\r\n"]).digest, content.digest);
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Fingerprint::of_header(&bytes);
        }
    }
}
