//! An mbox that some other program wrote: mboxo, mboxrd, mboxcl or mboxcl2, with LF or CRLF, with or without the blank
//! line before a From_ line, read as it stands.
//!
//! A line that begins `From ` parts two messages where it holds a date and the next line could be the start of a header.
//! A Content-Length is believed where it leads exactly to such a line, dated or not, or to the end of the file. Where what it
//! covers holds lines that begin `From ` unquoted, the file is taken for mboxcl2, in which nothing is quoted.

use super::from_line;
use super::quote::{FROM, Unquoter};
use super::{reader, size};
use crate::error::{Error, Kind, Result};
use crate::mail::{HEADER_LIMIT, ToCrlf};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Octets of a header that are read at first.
const HEADER: usize = 4 * 1024;

/// Octets of a From_ line and the line behind it.
const LINES: usize = 1024;

/// An mbox to be read.
#[derive(Debug)]
pub struct MboxFile {
    file: File,
    path: PathBuf,
    /// Octets and time of change when it was opened.
    seen: (u64, i64, i64),
}

/// A message of an [`MboxFile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MboxRecord {
    start: u64,
    end: u64,
    quoted: bool,
    /// What its From_ line says of the time it was put there, in seconds since 1970 UTC.
    pub dated: Option<i64>,
}

impl MboxFile {
    /// Opens it; it is never written to.
    pub fn open(path: &Path) -> Result<MboxFile> {
        let opened = File::open(path).and_then(|file| Ok((state(&file)?, file)));
        let (seen, file) =
            opened.map_err(|e| Error::local_io(format!("cannot read {}", path.display()), e).folder())?;
        Ok(MboxFile { file, path: path.to_owned(), seen })
    }

    /// Whether a file reads like an mbox: it begins with a From_ line, or is empty.
    pub fn is_one(path: &Path) -> bool {
        File::open(path).is_ok_and(|file| super::begins_as_mbox(&file).unwrap_or(false))
    }

    /// When it was last changed, in seconds since 1970 UTC.
    pub fn changed_at(&self) -> i64 {
        self.seen.1
    }

    /// Its messages, in their order.
    pub fn records(&self) -> Result<Vec<MboxRecord>> {
        let found = self.find().map_err(|e| self.failed(e))?;
        found.ok_or_else(|| {
            let what =
                format!("{} is no mbox: it does not begin with a \u{201c}From \u{201d} line", self.path.display());
            Error::new(Kind::Data, what, "Name another path.").folder()
        })
    }

    /// Hands on a message in pieces, as on the wire: unquoted, with CRLF line ends. One piece at least, and the first holds
    /// the header, unless that is very long.
    pub fn pieces(&self, record: &MboxRecord) -> MboxPieces<'_> {
        MboxPieces {
            file: self,
            at: record.start,
            end: record.end,
            unquoter: record.quoted.then(Unquoter::default),
            crlf: ToCrlf::default(),
            done: false,
        }
    }

    /// An error where it was changed since it was opened.
    pub fn check_unchanged(&self) -> Result<()> {
        let now = std::fs::metadata(&self.path).map(|meta| state_of(&meta)).map_err(|e| self.failed(e))?;
        if now == self.seen {
            return Ok(());
        }
        let what = format!("{} was changed while it was read", self.path.display());
        Err(Error::new(Kind::TryLater, what, "Close the mail program that uses it, then run again.").folder())
    }

    fn failed(&self, e: io::Error) -> Error {
        Error::local_io(format!("cannot read {}", self.path.display()), e).folder()
    }

    /// `None` where it does not begin as an mbox does.
    fn find(&self) -> io::Result<Option<Vec<MboxRecord>>> {
        let length = size(&self.file)?;
        if !super::begins_as_mbox(&self.file)? {
            return Ok(None);
        }
        let lines = from_lines(&self.file, length)?;
        let mut records = Vec::new();
        let Some(first) = lines.first() else { return Ok(Some(records)) };
        let undated = !from_line::is_dated(&self.read(*first, LINES)?);
        let mut quoted = true;
        let mut next = 0;
        while let Some(at) = lines.get(next).copied() {
            let head = self.read(at, LINES)?;
            let line = memchr::memchr(b'\n', &head).map_or(head.len(), |end| end + 1);
            let start = at + line as u64;
            let told = self.by_length(start, length, &lines)?;
            let after = match told {
                Some((_, behind)) => lines.partition_point(|line| *line < behind),
                None => self.next_separator(&lines, next + 1, undated)?,
            };
            let end = match (told, lines.get(after)) {
                (Some((end, _)), _) => end,
                (None, behind) => self.without_blank_line(start, behind.copied().unwrap_or(length))?,
            };
            // Lines that nobody quoted, though the length says that they are of the message.
            quoted &= told.is_none() || after == next + 1;
            records.push(MboxRecord { start, end, quoted: true, dated: from_line::date(&head) });
            next = after;
        }
        records.iter_mut().for_each(|record| record.quoted = quoted);
        Ok(Some(records))
    }

    /// The index of the next line that parts two messages.
    fn next_separator(&self, lines: &[u64], from: usize, undated: bool) -> io::Result<usize> {
        for (index, at) in lines.iter().enumerate().skip(from) {
            let head = self.read(*at, LINES)?;
            let is_dated = from_line::is_dated(&head);
            let behind = memchr::memchr(b'\n', &head).and_then(|end| head.get(end + 1..));
            let fits = match behind {
                Some(behind) => starts_header(behind) || (is_dated && is_blank(behind)),
                None => true,
            };
            if fits && (is_dated || (undated && self.follows_blank_line(*at)?)) {
                return Ok(index);
            }
        }
        Ok(lines.len())
    }

    /// Where the message of a header ends by its Content-Length, and where what follows begins; `None` where it has none, or
    /// one that cannot be right.
    fn by_length(&self, start: u64, length: u64, lines: &[u64]) -> io::Result<Option<(u64, u64)>> {
        let mut header = self.read(start, HEADER)?;
        if header_length(&header).is_none() && header.len() == HEADER {
            header = self.read(start, HEADER_LIMIT)?;
        }
        let Some(end) = header_length(&header) else { return Ok(None) };
        let Some(octets) = content_length(header.get(..end).unwrap_or_default()) else { return Ok(None) };
        let Some(end) = (start + end as u64).checked_add(octets).filter(|end| *end <= length) else { return Ok(None) };
        let behind = self.read(end, 4)?;
        let blanks = behind.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let next = end + blanks as u64;
        let is_end = next == length || lines.binary_search(&next).is_ok();
        Ok(is_end.then_some((end, next)))
    }

    /// The end of a message without the blank line that is of no message.
    fn without_blank_line(&self, start: u64, end: u64) -> io::Result<u64> {
        let from = end.saturating_sub(4).max(start.saturating_sub(2));
        let tail = self.read(from, usize::try_from(end - from).unwrap_or_default())?;
        let blank = [&b"\n\r\n"[..], b"\n\n"].iter().find(|blank| tail.ends_with(blank)).map_or(0, |b| b.len() - 1);
        Ok(end.saturating_sub(blank as u64).max(start))
    }

    fn follows_blank_line(&self, at: u64) -> io::Result<bool> {
        let from = at.saturating_sub(4);
        let tail = self.read(from, usize::try_from(at - from).unwrap_or_default())?;
        Ok(at == 0 || tail.ends_with(b"\n\n") || tail.ends_with(b"\n\r\n"))
    }

    /// Octets at an offset, as many as there are.
    fn read(&self, at: u64, count: usize) -> io::Result<Vec<u8>> {
        let mut octets = Vec::with_capacity(count.min(HEADER));
        reader::chunks(&self.file, at, at.saturating_add(count as u64), |chunk| octets.extend_from_slice(chunk))?;
        Ok(octets)
    }
}

/// The pieces of a message of an [`MboxFile`].
pub struct MboxPieces<'f> {
    file: &'f MboxFile,
    at: u64,
    end: u64,
    unquoter: Option<Unquoter>,
    crlf: ToCrlf,
    done: bool,
}

impl Iterator for MboxPieces<'_> {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Result<Vec<u8>>> {
        if self.done {
            return None;
        }
        let wanted = usize::try_from(self.end - self.at).map_or(LARGEST, |left| left.min(LARGEST));
        let raw = match self.file.read(self.at, wanted) {
            Ok(raw) if raw.len() == wanted => raw,
            read => {
                self.done = true;
                let short = || io::ErrorKind::UnexpectedEof.into();
                return Some(Err(self.file.failed(read.err().unwrap_or_else(short))));
            }
        };
        self.at += wanted as u64;
        self.done = self.at == self.end;
        let mut text = Vec::with_capacity(raw.len());
        match &mut self.unquoter {
            Some(unquoter) => {
                unquoter.unquote(&raw, &mut text);
                if self.done {
                    unquoter.finish(&mut text);
                }
            }
            None => text = raw,
        }
        let mut wire = Vec::with_capacity(text.len() + text.len() / 32);
        self.crlf.convert(&text, &mut wire);
        Some(Ok(wire))
    }
}

/// Octets of a piece before its line ends are converted.
const LARGEST: usize = 64 * 1024;

fn state(file: &File) -> io::Result<(u64, i64, i64)> {
    file.metadata().map(|meta| state_of(&meta))
}

fn state_of(meta: &std::fs::Metadata) -> (u64, i64, i64) {
    (meta.len(), meta.mtime(), meta.mtime_nsec())
}

/// Where lines begin `From `.
fn from_lines(file: &File, length: u64) -> io::Result<Vec<u64>> {
    let finder = memchr::memmem::Finder::new(FROM);
    let (mut found, mut window, mut start) = (Vec::new(), vec![b'\n'], 0u64);
    // The window begins one octet before `start`.
    reader::chunks(file, 0, length, |chunk| {
        window.extend_from_slice(chunk);
        for hit in finder.find_iter(&window) {
            if hit > 0 && window.get(hit - 1) == Some(&b'\n') {
                found.push(start + hit as u64 - 1);
            }
        }
        let passed = window.len().saturating_sub(FROM.len());
        window.drain(..passed);
        start += passed as u64;
    })?;
    found.dedup();
    Ok(found)
}

/// Whether text could be the start of a header: a field's name and a colon, or a From_ line that somebody quoted.
fn starts_header(text: &[u8]) -> bool {
    let name = text.iter().take_while(|b| b.is_ascii_graphic() && **b != b':').count();
    let rest = text.get(name..).unwrap_or_default().trim_ascii_start();
    (name > 0 && rest.first() == Some(&b':')) || text.starts_with(b">From ")
}

fn is_blank(text: &[u8]) -> bool {
    text.is_empty() || text.starts_with(b"\n") || text.starts_with(b"\r\n")
}

/// The length of a header with the blank line behind it.
fn header_length(text: &[u8]) -> Option<usize> {
    let ends = memchr::memchr_iter(b'\n', text);
    ends.into_iter().find_map(|at| {
        let behind = text.get(at + 1..)?;
        if behind.starts_with(b"\n") { Some(at + 2) } else { behind.starts_with(b"\r\n").then_some(at + 3) }
    })
}

fn content_length(header: &[u8]) -> Option<u64> {
    let field = |line: &[u8]| {
        let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
        name.eq_ignore_ascii_case(b"content-length").then(|| value.get(1..).unwrap_or_default().trim_ascii().to_vec())
    };
    let value = header.split(|b| *b == b'\n').find_map(field)?;
    std::str::from_utf8(&value).ok().filter(|v| v.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn messages(mbox: &str) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("box");
        std::fs::write(&path, mbox).unwrap();
        let file = MboxFile::open(&path).unwrap();
        let records = file.records().unwrap();
        let text = |r: &MboxRecord| file.pieces(r).map(Result::unwrap).collect::<Vec<_>>().concat();
        records.iter().map(|r| String::from_utf8(text(r)).unwrap()).collect()
    }

    const A: &str = "From a@b Sat Feb  3 04:05:06 2001";

    #[test]
    fn every_kind_is_read() {
        for (what, mbox, expected) in [
            ("empty", String::new(), &[][..]),
            (
                "mboxrd",
                format!("{A}\nS: 1\n\n>From x\n>>From y\n\n{A}\nS: 2\n\nz\n\n"),
                &["S: 1\r\n\r\nFrom x\r\n>From y\r\n", "S: 2\r\n\r\nz\r\n"],
            ),
            (
                "CRLF",
                format!("{A}\r\nS: 1\r\n\r\nx\r\n\r\n{A}\r\nS: 2\r\n\r\n\r\n"),
                &["S: 1\r\n\r\nx\r\n", "S: 2\r\n\r\n"],
            ),
            ("no blank line", format!("{A}\nS: 1\n\nx\n{A}\nS: 2\n\nz"), &["S: 1\r\n\r\nx\r\n", "S: 2\r\n\r\nz"]),
            (
                "unquoted prose",
                format!("{A}\nS: 1\n\nx\n\nFrom here on\nnote: all\n\n{A}\nS: 2\n\nz\n"),
                &["S: 1\r\n\r\nx\r\n\r\nFrom here on\r\nnote: all\r\n", "S: 2\r\n\r\nz\r\n"],
            ),
            (
                "a dated line in prose",
                format!("{A}\nS: 1\n\nx\n\n{A}\nno header\n"),
                &["S: 1\r\n\r\nx\r\n\r\nFrom a@b Sat Feb  3 04:05:06 2001\r\nno header\r\n"],
            ),
            (
                "mboxcl2",
                format!("{A}\nS: 1\nContent-Length: {}\n\nx\n\n{A}\nS: no\n>From x\n\n{A}\nS: 2\n\nz\n", A.len() + 18),
                &[],
            ),
            (
                "mboxcl",
                format!("{A}\nS: 1\nContent-Length: 8\n\n>From x\n\n{A}\nS: 2\n\nz\n"),
                &["S: 1\r\nContent-Length: 8\r\n\r\nFrom x\r\n", "S: 2\r\n\r\nz\r\n"],
            ),
            (
                "a wrong length",
                format!("{A}\nS: 1\nContent-Length: 3\n\nlonger\n\n{A}\nS: 2\nContent-Length: 999\n\nz\n"),
                &["S: 1\r\nContent-Length: 3\r\n\r\nlonger\r\n", "S: 2\r\nContent-Length: 999\r\n\r\nz\r\n"],
            ),
            (
                "no dates at all",
                "From nobody\nS: 1\n\nx\nFrom y\nZ: z\n\nFrom nobody\nS: 2\n\nz\n".to_owned(),
                &["S: 1\r\n\r\nx\r\nFrom y\r\nZ: z\r\n", "S: 2\r\n\r\nz\r\n"],
            ),
            ("empty messages", format!("{A}\n\n{A}\n\n\n{A}\n"), &["", "\r\n", ""]),
        ] {
            let found = messages(&mbox);
            if what == "mboxcl2" {
                let first =
                    format!("S: 1\r\nContent-Length: {}\r\n\r\nx\r\n\r\n{A}\r\nS: no\r\n>From x\r\n", A.len() + 18);
                assert_eq!(found, [first, "S: 2\r\n\r\nz\r\n".to_owned()]);
                continue;
            }
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn what_is_no_mbox_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("box");
        std::fs::write(&path, "Subject: x\n\n").unwrap();
        assert!(!MboxFile::is_one(&path));
        assert_eq!(MboxFile::open(&path).unwrap().records().unwrap_err().kind(), Kind::Data);
        std::fs::write(&path, format!("\n\n{A}\nS: 1\n\n")).unwrap();
        assert!(MboxFile::is_one(&path));
        let file = MboxFile::open(&path).unwrap();
        assert_eq!(file.records().unwrap()[0].dated, Some(981_173_106));
        file.check_unchanged().unwrap();
        std::fs::write(&path, "other").unwrap();
        assert_eq!(file.check_unchanged().unwrap_err().kind(), Kind::TryLater);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(text in "(From a Sat Feb  3 04:05 2001|From |>|Content-Length: [0-9]|x: |\r?\n){0,30}") {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("box");
            std::fs::write(&path, &text).unwrap();
            let file = MboxFile::open(&path).unwrap();
            if let Ok(records) = file.records() {
                for pair in records.windows(2) {
                    prop_assert!(pair[0].end <= pair[1].start);
                }
                prop_assert!(records.iter().all(|r| r.start <= r.end && r.end <= text.len() as u64));
                prop_assert!(records.iter().all(|r| file.pieces(r).all(|p| p.is_ok())));
            }
        }
    }
}
