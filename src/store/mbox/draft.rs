//! A message on its way into an mbox: quoted, in memory while it is small.

use super::from_line::from_line;
use super::quote::Quoter;
use crate::error::{Error, Result};
use crate::mail::{Content, Digester, Envelope};
use crate::store::{Draft, LineEndings, directory, unnamed_file};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

/// Octets held in memory before the rest of a message goes to a temporary file.
pub(super) const MEMORY: usize = 1024 * 1024;

/// Octets gathered before they are written to the temporary file.
const BUFFER: usize = 128 * 1024;

/// A message being quoted.
pub struct MboxDraft {
    mailbox: PathBuf,
    line_endings: LineEndings,
    received_at: Option<i64>,
    digester: Digester,
    quoter: Quoter,
    spool: Option<Spool>,
    /// What is not in the spool.
    memory: Vec<u8>,
}

/// The head of a large message, in a file without a name.
struct Spool {
    file: File,
    length: u64,
    from_line: String,
    last: Option<u8>,
}

/// A whole record, ready to be appended.
pub struct MboxStaged {
    /// Without its line end.
    pub(super) from_line: String,
    /// Octets of the record, From_ line and blank line included.
    pub(super) length: u64,
    line_end: &'static [u8],
    spool: Option<File>,
    memory: Vec<u8>,
}

impl MboxDraft {
    pub(super) fn new(mailbox: &Path, line_endings: LineEndings, envelope: &Envelope) -> MboxDraft {
        let size = envelope.size.and_then(|s| usize::try_from(s).ok()).unwrap_or(0);
        MboxDraft {
            mailbox: mailbox.to_owned(),
            line_endings,
            received_at: envelope.received_at,
            digester: Digester::default(),
            quoter: Quoter::default(),
            spool: None,
            memory: Vec::with_capacity(size.min(MEMORY)),
        }
    }

    fn spool(&mut self) -> io::Result<()> {
        let spool = match &mut self.spool {
            Some(spool) => spool,
            none => none.insert(Spool {
                file: unnamed_file(directory::parent(&self.mailbox))?,
                length: 0,
                from_line: from_line(&self.memory, self.received_at),
                last: None,
            }),
        };
        spool.file.write_all(&self.memory)?;
        spool.length += self.memory.len() as u64;
        spool.last = self.memory.last().copied();
        self.memory.clear();
        self.memory.shrink_to(BUFFER);
        Ok(())
    }
}

impl Draft for MboxDraft {
    type Staged = MboxStaged;

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let lf = self.digester.update(bytes);
        let bytes = if self.line_endings == LineEndings::Lf { lf } else { bytes };
        self.quoter.quote(bytes, &mut self.memory);
        let limit = if self.spool.is_some() { BUFFER } else { MEMORY };
        if self.memory.len() > limit {
            let spooled = self.spool();
            return spooled.map_err(|e| {
                Error::local_io(format!("cannot write a temporary file beside {}", self.mailbox.display()), e)
            });
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(MboxStaged, Content)> {
        let (rest, content) = self.digester.finish();
        if self.line_endings == LineEndings::Lf {
            self.quoter.quote(rest, &mut self.memory);
        }
        self.memory.extend_from_slice(self.quoter.finish());
        let line_end = line_end(self.line_endings);
        let last = self.memory.last().copied().or(self.spool.as_ref().and_then(|s| s.last));
        if last.is_some_and(|b| b != b'\n') {
            self.memory.extend_from_slice(line_end);
        }
        self.memory.extend_from_slice(line_end);
        let (from_line, spooled, spool) = match self.spool {
            Some(spool) => (spool.from_line, spool.length, Some(spool.file)),
            None => (from_line(&self.memory, self.received_at), 0, None),
        };
        let length = (from_line.len() + line_end.len() + self.memory.len()) as u64 + spooled;
        Ok((MboxStaged { from_line, length, line_end, spool, memory: self.memory }, content))
    }
}

impl MboxStaged {
    /// Writes the whole record.
    pub(super) fn write_to(self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(self.from_line.as_bytes())?;
        out.write_all(self.line_end)?;
        if let Some(mut spool) = self.spool {
            spool.rewind()?;
            io::copy(&mut spool, out)?;
        }
        out.write_all(&self.memory)
    }
}

/// What ends a line in an mbox of ours.
pub(super) fn line_end(line_endings: LineEndings) -> &'static [u8] {
    match line_endings {
        LineEndings::Lf => b"\n",
        LineEndings::Crlf => b"\r\n",
    }
}
