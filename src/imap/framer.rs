//! Cuts server output into whole responses: lines, with the literals inside them (RFC 9051 section 4.3).

use memchr::{memchr, memrchr};
use std::fmt;
use std::io;

/// Octets a response may have outside its literals; the longest honest ones list message numbers.
const LINE_LIMIT: usize = 8 << 20;
/// Octets of literals that one response may keep in memory; a literal beyond it is passed over and reads as NIL.
pub const LITERAL_LIMIT: usize = 2 << 20;
/// Literals one response may have.
const LITERALS: usize = 64;

/// One response, cut at its line ends and literals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// All lines. Where a literal stood, its `{n}` and a CRLF stay and the text goes on behind them; there is no other
    /// CRLF, and none at the end. A literal that was passed over left `NIL` in its place.
    pub text: Vec<u8>,
    /// The literals, in order.
    pub literals: Vec<Vec<u8>>,
}

impl Frame {
    /// How many octets it has.
    pub fn octets(&self) -> usize {
        self.text.len() + self.literals.iter().map(Vec::len).sum::<usize>()
    }
}

/// Server output that no response can be made of; what follows it on the connection is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Garbled {
    /// A line without end.
    EndlessLine,
    /// An answer without end.
    EndlessAnswer,
    /// A literal of an impossible size, or too many of them.
    Literals,
    /// A line that is no response at all, or none that belongs here.
    NoResponse(Vec<u8>),
    /// A folder opened without EXISTS.
    Uncounted,
    /// A listing in which parts make no sense, where all of it is needed.
    Unlisted,
    /// Octets that were to be deflated, and are not.
    Inflated,
}

impl fmt::Display for Garbled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Garbled::EndlessLine => f.write_str("it sent a line without end"),
            Garbled::EndlessAnswer => f.write_str("it sent an answer without end"),
            Garbled::Literals => f.write_str("it announced an impossible amount of data"),
            Garbled::Uncounted => f.write_str("it opened a folder without saying how many messages are in it"),
            Garbled::Unlisted => f.write_str("parts of its list of messages make no sense"),
            Garbled::Inflated => {
                f.write_str("it agreed to compress, and what it sends is not compressed as it should be")
            }
            Garbled::NoResponse(line) => write!(f, "it sent {}", crate::error::quoted(line)),
        }
    }
}

impl std::error::Error for Garbled {}

impl Garbled {
    /// As a failure to read.
    pub fn into_io(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, self)
    }
}

/// Takes bytes cut anywhere and gives whole responses.
#[derive(Debug, Default)]
pub struct Framer {
    frame: Frame,
    state: State,
    kept: usize,
    /// Octets of blank lines since the last response.
    blank: usize,
    /// Where the line now being read starts in the text.
    line: usize,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Line,
    Keeping(usize),
    Skipping(u64),
}

impl Framer {
    /// Takes bytes up to the end of the next response: how many, and that response once it is whole. Blank lines are
    /// passed over, and a bare LF ends a line too.
    pub fn feed(&mut self, input: &[u8]) -> Result<(usize, Option<Frame>), Garbled> {
        let mut rest = input;
        while !rest.is_empty() {
            match self.state {
                State::Keeping(left) => {
                    let (data, after) = rest.split_at(left.min(rest.len()));
                    if let Some(literal) = self.frame.literals.last_mut() {
                        literal.extend_from_slice(data);
                    }
                    rest = after;
                    self.state = if data.len() == left { State::Line } else { State::Keeping(left - data.len()) };
                }
                State::Skipping(left) => {
                    let here = usize::try_from(left).map_or(rest.len(), |l| l.min(rest.len()));
                    rest = rest.get(here..).unwrap_or_default();
                    let left = left - here as u64;
                    self.state = if left == 0 { State::Line } else { State::Skipping(left) };
                }
                State::Line => {
                    let end = memchr(b'\n', rest).map(|at| at + 1);
                    let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
                    if self.frame.text.len() + piece.len() > LINE_LIMIT {
                        return Err(Garbled::EndlessLine);
                    }
                    self.frame.text.extend_from_slice(piece);
                    rest = after;
                    if end.is_some() && self.end_line()? {
                        return Ok((input.len() - rest.len(), Some(self.whole())));
                    }
                }
            }
        }
        Ok((input.len(), None))
    }

    /// What has come of a response that is not whole yet.
    pub fn begun(&self) -> &[u8] {
        &self.frame.text
    }

    /// Ends a line; whether the response ends with it.
    fn end_line(&mut self) -> Result<bool, Garbled> {
        let text = &mut self.frame.text;
        let read = text.len();
        text.pop();
        if text.last() == Some(&b'\r') {
            text.pop();
        }
        if text.iter().all(u8::is_ascii_whitespace) {
            text.clear();
            self.blank += read;
            return if self.blank > LINE_LIMIT { Err(Garbled::EndlessLine) } else { Ok(false) };
        }
        let Some((at, size)) = text.get(self.line..).and_then(literal_header).filter(|_| holds_literals(text)) else {
            return Ok(true);
        };
        if size > u64::from(u32::MAX) || self.frame.literals.len() >= LITERALS {
            return Err(Garbled::Literals);
        }
        match usize::try_from(size).ok().filter(|n| self.kept + n <= LITERAL_LIMIT) {
            Some(n) => {
                self.kept += n;
                self.frame.literals.push(Vec::with_capacity(n));
                text.extend_from_slice(b"\r\n");
                self.state = if n == 0 { State::Line } else { State::Keeping(n) };
            }
            None => {
                text.truncate(self.line + at);
                text.extend_from_slice(b"NIL");
                self.state = State::Skipping(size);
            }
        }
        self.line = text.len();
        Ok(false)
    }

    fn whole(&mut self) -> Frame {
        (self.kept, self.blank, self.line) = (0, 0, 0);
        std::mem::take(&mut self.frame)
    }
}

/// The literal header at the end of a line: where it starts, and the size it announces.
fn literal_header(line: &[u8]) -> Option<(usize, u64)> {
    let inner = line.strip_suffix(b"}")?;
    let open = memrchr(b'{', inner)?;
    let digits = inner.get(open + 1..).filter(|d| d.len() <= 19 && d.iter().all(u8::is_ascii_digit))?;
    Some((open, std::str::from_utf8(digits).ok()?.parse().ok()?))
}

/// Whether a response may hold literals: data does; the text of a status, a completion or a continuation does not, and
/// may well end in `{1}`.
fn holds_literals(text: &[u8]) -> bool {
    let Some(data) = text.strip_prefix(b"*") else { return false };
    let word = data.trim_ascii_start().split(|b| *b == b' ').next().unwrap_or_default();
    !["OK", "NO", "BAD", "BYE", "PREAUTH"].iter().any(|s| word.eq_ignore_ascii_case(s.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All frames of a stream that comes in pieces of the given size.
    fn frames(bytes: &[u8], piece: usize) -> Result<Vec<Frame>, Garbled> {
        let (mut framer, mut all) = (Framer::default(), Vec::new());
        for mut chunk in bytes.chunks(piece.max(1)) {
            while !chunk.is_empty() {
                let (used, frame) = framer.feed(chunk)?;
                all.extend(frame);
                chunk = &chunk[used..];
            }
        }
        Ok(all)
    }

    fn frame(text: &[u8], literals: &[&[u8]]) -> Frame {
        Frame { text: text.into(), literals: literals.iter().map(|l| l.to_vec()).collect() }
    }

    #[test]
    fn lines_and_literals() {
        let wire = b"* OK hi {3}\r\n\r\n* 1 FETCH (BODY[] {4}\r\na\r\nb X {0}\r\n)\n  \nA1 OK {2}\r\n+ {9}\r\n";
        let expected = [
            frame(b"* OK hi {3}", &[]),
            frame(b"* 1 FETCH (BODY[] {4}\r\n X {0}\r\n)", &[b"a\r\nb", b""]),
            frame(b"A1 OK {2}", &[]),
            frame(b"+ {9}", &[]),
        ];
        assert_eq!(frames(wire, wire.len()).unwrap(), expected);
    }

    #[test]
    fn a_literal_that_is_too_large_reads_as_nil_and_is_not_kept() {
        let mut wire = b"* 1 FETCH (BODY[] {3000000}\r\n".to_vec();
        wire.extend_from_slice(&vec![b'x'; 3_000_000]);
        wire.extend_from_slice(b" UID 7 BODY[1] {2}\r\nok)\r\n");
        assert_eq!(frames(&wire, 9999).unwrap(), [frame(b"* 1 FETCH (BODY[] NIL UID 7 BODY[1] {2}\r\n)", &[b"ok"])]);
    }

    #[test]
    fn what_has_no_end_is_refused_in_bounded_memory() {
        assert_eq!(frames(&vec![b'x'; LINE_LIMIT + 1], 65536), Err(Garbled::EndlessLine));
        assert_eq!(
            frames(&[&[b' '; 4095][..], b"\n"].concat().repeat(LINE_LIMIT / 4096 + 1), 65536),
            Err(Garbled::EndlessLine)
        );
        assert_eq!(frames(b"* 1 FETCH {99999999999}\r\n", 99), Err(Garbled::Literals));
        let many = b"* X ".iter().copied().chain(b"{0}\r\n".repeat(LITERALS + 1)).collect::<Vec<_>>();
        assert_eq!(frames(&many, 999), Err(Garbled::Literals));
    }

    #[test]
    fn braces_that_are_no_literal_end_the_line() {
        for line in ["* LIST {}", "* LIST {x}", "* LIST {-1}", "* LIST {99999999999999999999}", "* LIST 1}", "{3}"] {
            assert_eq!(frames(format!("{line}\r\n").as_bytes(), 99).unwrap(), [frame(line.as_bytes(), &[])]);
        }
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(parts in prop::collection::vec("(\\* |A1 OK|[a-z({}) \r\n]|\\{[0-9]\\}\r\n){0,12}", 0..6), piece in 1..40usize) {
            let wire = parts.concat();
            prop_assert_eq!(frames(wire.as_bytes(), piece), frames(wire.as_bytes(), wire.len()));
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let whole: usize = frames(&bytes, 7).map_or(0, |all| all.iter().map(|f| f.text.len()).sum());
            prop_assert!(whole <= bytes.len() * 2);
        }
    }
}
