//! A message on its way into a folder of a server: in memory while it is small, else in a file without a name.

use crate::error::{Error, Result};
use crate::mail::{Content, Digester, Envelope, Key, Marks};
use crate::store::{Draft, Outgoing, unnamed_file};
use std::fs::File;
use std::io::{Cursor, Read, Seek, Write};

/// Octets held in memory before all of a message goes to a file.
const MEMORY: usize = 512 * 1024;

/// A message being taken in.
pub struct ImapDraft {
    marks: Marks,
    received_at: Option<i64>,
    digester: Digester,
    memory: Vec<u8>,
    file: Option<File>,
}

/// A whole message, ready to be sent.
pub struct ImapStaged {
    /// The marks that it came with.
    pub(super) marks: Marks,
    /// What its bytes tell.
    pub(super) content: Content,
    received_at: Option<i64>,
    body: Box<dyn Read + Send>,
}

impl ImapDraft {
    pub(super) fn new(envelope: &Envelope) -> ImapDraft {
        let size = envelope.size.and_then(|s| usize::try_from(s).ok()).unwrap_or_default();
        ImapDraft {
            marks: envelope.marks.clone(),
            received_at: envelope.received_at,
            digester: Digester::default(),
            memory: Vec::with_capacity(size.min(MEMORY)),
            file: None,
        }
    }

    fn spill(&mut self) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(unnamed_file(&std::env::temp_dir())?),
        };
        file.write_all(&self.memory)?;
        self.memory.clear();
        Ok(())
    }
}

fn failed(e: std::io::Error) -> Error {
    Error::local_io(format!("cannot use a temporary file in {}", std::env::temp_dir().display()), e)
}

impl Draft for ImapDraft {
    type Staged = ImapStaged;

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.digester.update(bytes);
        self.memory.extend_from_slice(bytes);
        if self.memory.len() > MEMORY { self.spill().map_err(failed) } else { Ok(()) }
    }

    fn finish(mut self) -> Result<(ImapStaged, Content)> {
        if self.file.is_some() {
            self.spill().map_err(failed)?;
        }
        let body: Box<dyn Read + Send> = match self.file {
            Some(mut file) => {
                file.rewind().map_err(failed)?;
                Box::new(file)
            }
            None => Box::new(Cursor::new(self.memory)),
        };
        let (_, content) = self.digester.finish();
        Ok((ImapStaged { marks: self.marks, content, received_at: self.received_at, body }, content))
    }
}

impl ImapStaged {
    /// The message under a key, with the marks that it is to have on the server.
    pub(super) fn outgoing(self, key: Key, marks: Marks) -> Outgoing {
        Outgoing { key, marks, received_at: self.received_at, size: self.content.octets, body: self.body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Flags;

    #[test]
    fn what_was_written_comes_out_whatever_its_size() {
        for size in [0, 1, MEMORY, MEMORY + 1, 3 * MEMORY + 7] {
            let text: Vec<u8> = b"Subject: x\r\n\r\nline\r\n".iter().copied().cycle().take(size).collect();
            let envelope =
                Envelope { marks: Marks::of(Flags::SEEN), received_at: Some(7), size: Some(u64::MAX.wrapping_add(9)) };
            let mut draft = ImapDraft::new(&envelope);
            text.chunks(70_001).for_each(|c| draft.write(c).unwrap());
            let (staged, content) = draft.finish().unwrap();
            assert_eq!((content.octets, staged.marks.clone()), (size as u64, Marks::of(Flags::SEEN)));
            let mut outgoing = staged.outgoing(Key::new("1"), Marks::default());
            let mut read = Vec::new();
            outgoing.body.read_to_end(&mut read).unwrap();
            assert!(read == text, "{size}");
            assert_eq!((outgoing.size, outgoing.received_at), (size as u64, Some(7)));
        }
    }
}
