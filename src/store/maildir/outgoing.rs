//! A message's file as it goes to a server: with CRLF line ends, and its size known beforehand.

use crate::mail::{Key, Marks, ToCrlf};
use crate::store::Outgoing;
use memchr::memchr_iter;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Files up to this size are read once; larger ones twice, the first time to measure them.
const SMALL: u64 = 256 * 1024;

/// Octets read at a time.
const BUFFER: usize = 64 * 1024;

/// Opens a message's file; it can be read whole even if it is renamed or removed meanwhile.
pub(super) fn open(path: &Path, key: Key, marks: Marks) -> io::Result<Outgoing> {
    let mut file = File::open(path)?;
    let meta = file.metadata()?;
    let (size, body): (u64, Box<dyn Read + Send>) = if meta.len() <= SMALL {
        let mut content = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or_default());
        file.read_to_end(&mut content)?;
        let wire = to_crlf(&content);
        (wire.len() as u64, Box::new(Cursor::new(wire)))
    } else {
        let size = io::copy(&mut Crlf::new(&file), &mut io::sink())?;
        file.rewind()?;
        (size, Box::new(Crlf::new(file)))
    };
    Ok(Outgoing { key, marks, received_at: Some(meta.mtime()), size, body })
}

fn to_crlf(text: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(text.len() + memchr_iter(b'\n', text).count());
    ToCrlf::default().convert(text, &mut wire);
    wire
}

/// Reads text with each LF turned into CRLF; what is CRLF already stays.
struct Crlf<R> {
    text: BufReader<R>,
    crlf: ToCrlf,
    wire: Vec<u8>,
    given: usize,
}

impl<R: Read> Crlf<R> {
    fn new(text: R) -> Crlf<R> {
        Crlf { text: BufReader::with_capacity(BUFFER, text), crlf: ToCrlf::default(), wire: Vec::new(), given: 0 }
    }
}

impl<R: Read> Read for Crlf<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.given == self.wire.len() {
            let text = self.text.fill_buf()?;
            self.wire.clear();
            self.given = 0;
            self.crlf.convert(text, &mut self.wire);
            let read = text.len();
            self.text.consume(read);
        }
        let n = self.wire.get(self.given..).unwrap_or_default().read(into)?;
        self.given += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Digester, Flags};
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn sent(content: &[u8]) -> (Outgoing, Vec<u8>) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("1");
        std::fs::write(&path, content).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        let mut outgoing = open(&path, Key::new("1"), Marks::of(Flags::SEEN)).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut body = Vec::new();
        outgoing.body.read_to_end(&mut body).unwrap();
        (outgoing, body)
    }

    #[test]
    fn every_line_ends_in_crlf_and_the_size_is_right() {
        for (stored, wire) in [
            (&b""[..], &b""[..]),
            (b"\n", b"\r\n"),
            (b"a\n\nb\r\nc\rd\n\r", b"a\r\n\r\nb\r\nc\rd\r\n\r"),
            (b"a\r\r\n\0\xff", b"a\r\r\n\0\xff"),
        ] {
            let (outgoing, body) = sent(stored);
            assert_eq!((body.as_slice(), outgoing.size), (wire, wire.len() as u64));
            assert_eq!((outgoing.key, outgoing.received_at), (Key::new("1"), Some(1_000_000_000)));
            assert_eq!(outgoing.marks, Marks::of(Flags::SEEN));
        }
    }

    #[test]
    fn a_large_file_is_not_held_in_memory_and_comes_out_the_same() {
        let line = format!("{}\r\n{}\n", "x".repeat(70), "y".repeat(BUFFER - 73));
        let large = line.repeat(9);
        let (outgoing, body) = sent(large.as_bytes());
        assert!(large.len() as u64 > SMALL);
        assert_eq!((outgoing.size, body), (large.len() as u64 + 9, to_crlf(large.as_bytes())));
    }

    /// Gives few bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(into.len());
            self.0.read(&mut into[..n])
        }
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter_and_sizes_are_as_elsewhere(text in "[a\r\n]{0,24}", step in 1..5usize) {
            let mut wire = Vec::new();
            Crlf::new(Drip(text.as_bytes(), step)).read_to_end(&mut wire).unwrap();
            prop_assert_eq!(&wire, &to_crlf(text.as_bytes()));
            let mut digester = Digester::default();
            digester.update(text.as_bytes());
            prop_assert_eq!(digester.finish().1.wire_size, wire.len() as u64);
        }
    }
}
