//! The body of a multi-line reply (RFC 1939 section 3): where it ends, and which dots do not belong to it.

use memchr::memmem;

/// Takes a body apart from chunks cut anywhere, without copying.
///
/// A line begins behind CRLF only, so that a lone LF in a message can neither end it nor lose a dot. A server that ended
/// its status line with LF alone uses LF everywhere; for that one a line begins behind LF.
#[derive(Debug)]
pub(super) struct Body {
    at: At,
    bare_lf: bool,
}

/// Where in the body the next octet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    LineStart,
    Text,
    /// Behind a CR that was passed on.
    Cr,
    /// Behind a dot at the start of a line, which is held back.
    Dot,
    /// Behind a dot and a CR, both held back.
    DotCr,
}

/// What one step through a chunk gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step<'a> {
    /// Octets of the message.
    pub piece: &'a [u8],
    /// Octets of the chunk that are done with.
    pub used: usize,
    /// The body has ended; the rest of the chunk belongs to the next reply.
    pub ended: bool,
}

impl Body {
    /// A body behind a status line that ended with LF alone, or as it should.
    pub fn new(bare_lf: bool) -> Body {
        Body { at: At::LineStart, bare_lf }
    }

    /// Goes on. To be called until the chunk is used up or the body has ended.
    pub fn step<'a>(&mut self, chunk: &'a [u8]) -> Step<'a> {
        let Some(first) = chunk.first() else {
            return Step { piece: b"", used: 0, ended: false };
        };
        match (self.at, first) {
            (At::LineStart, b'.') => self.hold(At::Dot),
            (At::Dot, b'\r') => self.hold(At::DotCr),
            (At::Dot, b'\n') if self.bare_lf => Step { piece: b"", used: 1, ended: true },
            (At::DotCr, b'\n') => Step { piece: b"", used: 1, ended: true },
            (At::DotCr, _) => {
                self.at = At::Cr;
                Step { piece: b"\r", used: 0, ended: false }
            }
            (At::Cr, b'\n') => {
                self.at = At::LineStart;
                Step { piece: b"\n", used: 1, ended: false }
            }
            _ => self.text(chunk),
        }
    }

    fn hold(&mut self, at: At) -> Step<'static> {
        self.at = at;
        Step { piece: b"", used: 1, ended: false }
    }

    /// All up to the next line that begins with a dot.
    fn text<'a>(&mut self, chunk: &'a [u8]) -> Step<'a> {
        let line_end: &[u8] = if self.bare_lf { b"\n" } else { b"\r\n" };
        let dotted: &[u8] = if self.bare_lf { b"\n." } else { b"\r\n." };
        let used = memmem::find(chunk, dotted).map_or(chunk.len(), |i| i + line_end.len());
        let piece = chunk.get(..used).unwrap_or(chunk);
        self.at = if piece.ends_with(line_end) {
            At::LineStart
        } else if piece.ends_with(b"\r") {
            At::Cr
        } else {
            At::Text
        };
        Step { piece, used, ended: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The message, and what stands behind it; `None` where the body does not end.
    fn decoded(chunks: &[&[u8]], bare_lf: bool) -> Option<(Vec<u8>, Vec<u8>)> {
        let (mut body, mut message, mut rest, mut ended) = (Body::new(bare_lf), Vec::new(), Vec::new(), false);
        for chunk in chunks {
            let mut chunk = *chunk;
            while !chunk.is_empty() && !ended {
                let step = body.step(chunk);
                message.extend_from_slice(step.piece);
                chunk = &chunk[step.used..];
                ended = step.ended;
            }
            rest.extend_from_slice(chunk);
        }
        ended.then_some((message, rest))
    }

    /// The same by whole lines.
    fn reference(bytes: &[u8], bare_lf: bool) -> Option<(Vec<u8>, Vec<u8>)> {
        let end: &[u8] = if bare_lf { b"\n" } else { b"\r\n" };
        let (mut message, mut rest) = (Vec::new(), bytes);
        loop {
            let length = memmem::find(rest, end)? + end.len();
            let (line, behind) = rest.split_at(length);
            if line == b".\r\n" || bare_lf && line == b".\n" {
                return Some((message, behind.to_vec()));
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            rest = behind;
        }
    }

    #[test]
    fn bodies() {
        for (wire, message) in [
            (&b".\r\n"[..], Some(&b""[..])),
            (b"a\r\n.\r\n", Some(b"a\r\n")),
            (b"..\r\n...\r\n.x\r\n.\r\n", Some(b".\r\n..\r\nx\r\n")),
            (b"a\n.\nb\r\n.\r\n", Some(b"a\n.\nb\r\n")),
            (b"a\n..\r\n.\r\n", Some(b"a\n..\r\n")),
            (b"a\r.\r\n.\r\n", Some(b"a\r.\r\n")),
            (b"a\r\r\n.\r\n", Some(b"a\r\r\n")),
            (b".\ra\r\n.\r\n", Some(b"\ra\r\n")),
            (b".\r\r\n.\r\n", Some(b"\r\r\n")),
            (b"\0\xff\xfe\r\n.\r\n", Some(b"\0\xff\xfe\r\n")),
            (b"a\r\n.\n.\r\n", None),
            (b"a\r\n.", None),
            (b"a", None),
            (b"a.\r\n", None),
        ] {
            let got = decoded(&[wire], false).map(|(m, _)| m);
            assert_eq!(got.as_deref(), message, "{}", wire.escape_ascii());
        }
    }

    #[test]
    fn bodies_of_a_server_that_ends_lines_with_lf() {
        for (wire, message) in [
            (&b".\n"[..], Some(&b""[..])),
            (b"a\n..b\r\n.\n", Some(b"a\n.b\r\n")),
            (b"a\r\n.\r\n", Some(b"a\r\n")),
            (b"a\r.\n.\n", Some(b"a\r.\n")),
            (b"a\n.", None),
        ] {
            let got = decoded(&[wire], true).map(|(m, _)| m);
            assert_eq!(got.as_deref(), message, "{}", wire.escape_ascii());
        }
    }

    #[test]
    fn what_follows_is_left_alone() {
        let (message, rest) = decoded(&[b"a\r\n.\r\n+OK\r\n.\r\n"], false).unwrap();
        assert_eq!((message.as_slice(), rest.as_slice()), (&b"a\r\n"[..], &b"+OK\r\n.\r\n"[..]));
    }

    #[test]
    fn a_long_line_is_one_piece() {
        let line = [&[b'x'; 20_000][..], b"\r\n.\r\n"].concat();
        assert_eq!(Body::new(false).step(&line).used, 20_002);
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            wire in proptest::collection::vec(proptest::sample::select(&b"\r\n..ab\0"[..]), 0..40),
            cuts in proptest::collection::vec(0usize..40, 0..6),
            bare_lf: bool,
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(wire.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut last = 0;
            for cut in cuts {
                chunks.push(&wire[last..cut]);
                last = cut;
            }
            chunks.push(&wire[last..]);
            prop_assert_eq!(decoded(&chunks, bare_lf), reference(&wire, bare_lf));
        }

        #[test]
        fn a_stuffed_message_comes_back(lines in proptest::collection::vec("[.a\n]{0,6}", 0..6), cut in 0usize..60) {
            let message: String = lines.iter().map(|l| format!("{l}\r\n")).collect();
            let dot = |l: &String| if l.starts_with('.') { "." } else { "" };
            let mut wire: String = lines.iter().map(|l| format!("{}{l}\r\n", dot(l))).collect();
            wire.push_str(".\r\n");
            let (head, tail) = wire.as_bytes().split_at(cut.min(wire.len()));
            prop_assert_eq!(decoded(&[head, tail], false), Some((message.into_bytes(), Vec::new())));
        }
    }
}
