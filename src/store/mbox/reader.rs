//! Reading an mbox: where its messages begin, and what is in them.

use super::from_line;
use super::quote::FROM;
use crate::mail::{Content, CopyDigester};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Octets read at a time.
const CHUNK: usize = 128 * 1024;

/// One message of an mbox.
#[derive(Debug)]
pub(super) struct Record {
    /// Where its From_ line begins.
    pub(super) at: u64,
    /// Where the next one begins, or the file ends.
    pub(super) end: u64,
    /// Its From_ line, without the line end, cut at [`from_line::LIMIT`].
    pub(super) from_line: Vec<u8>,
    /// What is in it.
    pub(super) content: Content,
}

/// Reads the messages between two offsets, the first of which must be the start of a line.
pub(super) fn records(file: &File, from: u64, to: u64, mut each: impl FnMut(Record)) -> io::Result<()> {
    let mut reader = Reader::new(from);
    let mut open: Option<(u64, Vec<u8>, CopyDigester)> = None;
    let mut close = |open: Option<(u64, Vec<u8>, CopyDigester)>, end: u64| {
        if let Some((at, from_line, digester)) = open {
            each(Record { at, end, from_line, content: digester.finish() });
        }
    };
    let mut take = |piece: Piece<'_>| match piece {
        Piece::Start(at, line) => close(open.replace((at, line.to_vec(), CopyDigester::default())), at),
        Piece::Bytes(bytes) => {
            if let Some((_, _, digester)) = &mut open {
                digester.update(bytes);
            }
        }
    };
    chunks(file, from, to, |chunk| reader.feed(chunk, &mut take))?;
    reader.finish(&mut take);
    close(open, reader.offset);
    Ok(())
}

/// Hands on what stands between two offsets, or up to the end of the file.
pub(super) fn chunks(file: &File, mut from: u64, to: u64, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    while from < to {
        let wanted = usize::try_from(to - from).map_or(CHUNK, |left| left.min(CHUNK));
        let got = match file.read_at(buffer.get_mut(..wanted).unwrap_or_default(), from) {
            Ok(0) => return Ok(()),
            Ok(got) => got,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        each(buffer.get(..got).unwrap_or_default());
        from += got as u64;
    }
    Ok(())
}

/// The next place in `from..=limit` where a From_ line begins: at the start of a line; or, with its date, within one that
/// somebody left unfinished. Behind a `>` it is a quoted line. `from` must not be the start of a line.
pub(super) fn next_from_line(file: &File, from: u64, limit: u64) -> io::Result<Option<u64>> {
    // The window keeps the octet before a hit, and a whole From_ line after it.
    const OVERLAP: usize = from_line::LIMIT + 1;
    let finder = memchr::memmem::Finder::new(FROM);
    let mut window: Vec<u8> = Vec::new();
    let mut start = from.saturating_sub(1);
    let mut found = None;
    let mut look = |window: &[u8], start: u64, whole: bool| {
        for hit in finder.find_iter(window) {
            let (before, line) = window.split_at(hit);
            let at = start + hit as u64;
            if found.is_some() || at > limit || (!whole && line.len() < from_line::LIMIT) {
                break;
            }
            found = match before.last() {
                _ if at < from => None,
                Some(b'\n') => Some(at),
                Some(b'>') | None => None,
                Some(_) => from_line::is_dated(line).then_some(at),
            };
        }
        found.is_some()
    };
    let mut done = false;
    chunks(file, start, limit.saturating_add(OVERLAP as u64), |chunk| {
        if done {
            return;
        }
        window.extend_from_slice(chunk);
        done = look(&window, start, false);
        let passed = window.len().saturating_sub(OVERLAP);
        window.drain(..passed);
        start += passed as u64;
    })?;
    if !done {
        look(&window, start, true);
    }
    Ok(found)
}

/// What a [`Reader`] finds.
pub(super) enum Piece<'a> {
    /// A message begins: where, and its From_ line.
    Start(u64, &'a [u8]),
    /// The next bytes of the message, unquoted.
    Bytes(&'a [u8]),
}

/// Parts an mbox into messages and takes the quoting away. Any line that begins `From ` parts, after a blank line or
/// not; the blank line before it is of no message.
pub(super) struct Reader {
    at: At,
    /// Of the next octet.
    offset: u64,
    /// The blank line before the current line, not handed on yet.
    blank: &'static [u8],
    from_line: Vec<u8>,
    out: Vec<u8>,
}

#[derive(Clone, Copy)]
enum At {
    /// At the start of a line that begins at an offset, behind so many `>` and so many octets of `From `.
    Start { line: u64, quotes: u64, matched: usize },
    /// Behind a CR that began a line.
    BlankCr,
    /// Within a line of a message.
    Line,
    /// Within a From_ line that begins at an offset.
    FromLine { line: u64 },
}

impl Reader {
    pub(super) fn new(offset: u64) -> Reader {
        Reader {
            at: At::Start { line: offset, quotes: 0, matched: 0 },
            offset,
            blank: b"",
            from_line: Vec::new(),
            out: Vec::new(),
        }
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8], take: &mut impl FnMut(Piece<'_>)) {
        while !bytes.is_empty() {
            let taken = self.step(bytes, take);
            self.offset += taken as u64;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        take(Piece::Bytes(&self.out));
        self.out.clear();
    }

    /// The end of the file: what was held back, but for a blank line.
    pub(super) fn finish(&mut self, take: &mut impl FnMut(Piece<'_>)) {
        match self.at {
            At::Start { quotes: 0, matched: 0, .. } | At::Line | At::FromLine { .. } => {}
            At::Start { quotes, matched, .. } => self.flush(quotes, FROM.get(..matched).unwrap_or_default(), take),
            At::BlankCr => self.flush(0, b"\r", take),
        }
        take(Piece::Bytes(&self.out));
    }

    /// Looks at the next octets, of which there is one at least; says how many it took.
    fn step(&mut self, bytes: &[u8], take: &mut impl FnMut(Piece<'_>)) -> usize {
        let Some(&next) = bytes.first() else { return 0 };
        let next_line = |end: usize| At::Start { line: self.offset + end as u64 + 1, quotes: 0, matched: 0 };
        match self.at {
            At::Line => match memchr::memchr(b'\n', bytes) {
                Some(end) => {
                    self.at = next_line(end);
                    self.out.extend_from_slice(bytes.get(..=end).unwrap_or_default());
                    end + 1
                }
                None => {
                    self.out.extend_from_slice(bytes);
                    bytes.len()
                }
            },
            At::FromLine { line } => {
                let end = memchr::memchr(b'\n', bytes);
                let room = from_line::LIMIT.saturating_sub(self.from_line.len());
                self.from_line.extend(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default().iter().take(room));
                match end {
                    Some(end) => {
                        self.at = next_line(end);
                        take(Piece::Start(line, self.from_line.trim_ascii_end()));
                        end + 1
                    }
                    None => bytes.len(),
                }
            }
            At::Start { quotes: 0, matched: 0, .. } if next == b'\n' => {
                self.at = next_line(0);
                self.flush(0, b"", take);
                self.blank = b"\n";
                1
            }
            At::Start { quotes: 0, matched: 0, .. } if next == b'\r' => {
                self.at = At::BlankCr;
                1
            }
            At::BlankCr if next == b'\n' => {
                self.at = next_line(0);
                self.flush(0, b"", take);
                self.blank = b"\r\n";
                1
            }
            At::BlankCr => {
                self.at = At::Line;
                self.flush(0, b"\r", take);
                0
            }
            At::Start { line, quotes, matched: 0 } if next == b'>' => {
                self.at = At::Start { line, quotes: quotes + 1, matched: 0 };
                1
            }
            At::Start { line, quotes, matched } if FROM.get(matched) == Some(&next) => {
                let matched = matched + 1;
                if matched < FROM.len() {
                    self.at = At::Start { line, quotes, matched };
                } else if quotes > 0 {
                    self.at = At::Line;
                    self.flush(quotes - 1, FROM, take);
                } else {
                    self.at = At::FromLine { line };
                    take(Piece::Bytes(&self.out));
                    self.out.clear();
                    self.blank = b"";
                    self.from_line.clear();
                    self.from_line.extend_from_slice(FROM);
                }
                1
            }
            At::Start { quotes, matched, .. } => {
                self.at = At::Line;
                self.flush(quotes, FROM.get(..matched).unwrap_or_default(), take);
                0
            }
        }
    }

    /// Lets go of the blank line, so many `>`, and the text behind them.
    fn flush(&mut self, mut quotes: u64, text: &[u8], take: &mut impl FnMut(Piece<'_>)) {
        self.out.extend_from_slice(std::mem::take(&mut self.blank));
        while quotes > 0 {
            let some = usize::try_from(quotes).map_or(CHUNK, |all| all.min(CHUNK));
            self.out.resize(self.out.len() + some, b'>');
            quotes -= some as u64;
            if self.out.len() >= CHUNK {
                take(Piece::Bytes(&self.out));
                self.out.clear();
            }
        }
        self.out.extend_from_slice(text);
    }
}
