//! mbox, as mboxrd: one file a folder, messages one after the other.
//!
//! A batch is kept aside until it is published, then appended in one go under the locks that other mail programs heed,
//! and made durable. The ledger holds, for each message, where in the file its record was going to stand, its length,
//! its From_ line and the digest of its content.
//!
//! Why a crash loses and doubles nothing: a record counts as delivered only when it is found whole, by its digest. What
//! a crash leaves is the beginning of the batch at the end of the file. Such a beginning is cut away only when it is
//! proven to be ours: it stands where the ledger says, begins with the very From_ line, and reaches no further than the
//! recorded length and no further than the next From_ line, which may be somebody else's mail, delivered after the crash. Nobody's bytes are ever moved: an unfinished record in the middle of the file is
//! overwritten with line ends, which belong to no message (at the very start of the file its From_ line has to stay, an
//! empty message). Anything else is left alone, and the message fetched again.

mod draft;
mod foreign;
mod from_line;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod quote;
mod reader;
mod settle;
#[cfg(test)]
mod tests;

use super::lock::Lock;
use super::{Identification, LineEndings, Place, Prepared, Refusal, Store, directory};
use crate::error::{Error, Kind, Result};
use crate::mail::{Content, Digest, Envelope, Marks};
pub use draft::{MboxDraft, MboxStaged};
pub use foreign::{MboxFile, MboxRecord};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long other programs' locks are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Octets gathered before they are appended.
const BUFFER: usize = 256 * 1024;

/// An mbox file.
#[derive(Debug)]
pub struct Mbox {
    /// Free of symbolic links.
    path: PathBuf,
    line_endings: LineEndings,
    patience: Duration,
}

/// A batch and the lock on the mbox it will be appended to.
pub struct MboxPrepared {
    lock: Lock,
    /// Octets in the mbox.
    size: u64,
    /// Line ends that finish what stands at the end of the mbox.
    padding: Vec<u8>,
    batch: Vec<MboxStaged>,
    places: Vec<Place>,
    /// None on any: an mbox keeps no marks.
    marks: Vec<Marks>,
}

impl Prepared for MboxPrepared {
    fn places(&self) -> &[Place] {
        &self.places
    }

    fn marks(&self) -> &[Marks] {
        &self.marks
    }
}

impl Mbox {
    /// Where it stands.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens an mbox, and makes it, with the directories above it, where it is missing.
    pub fn open(path: impl AsRef<Path>, line_endings: LineEndings) -> Result<Mbox> {
        let path = path.as_ref();
        let shown = path.display();
        match fs::metadata(path) {
            Ok(meta) if meta.is_file() => {}
            Ok(_) => return Err(no_mbox(path, "is a directory or a device")),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                create(path).map_err(|e| directory::cannot_create(format!("cannot create the mbox {shown}"), e))?;
            }
            Err(e) => return Err(Error::local_io(format!("cannot use {shown}"), e).folder()),
        }
        let path = fs::canonicalize(path).map_err(|e| Error::local_io(format!("cannot use {shown}"), e).folder())?;
        let mbox = Mbox { path, line_endings, patience: PATIENCE };
        let lock = mbox.lock()?;
        match begins_as_mbox(lock.file()) {
            Ok(true) => Ok(mbox),
            Ok(false) => Err(no_mbox(&mbox.path, "does not begin with a \u{201c}From \u{201d} line")),
            Err(e) => Err(mbox.failed("read", e)),
        }
    }

    /// The mbox at a path as it stands, if one does; nothing is made.
    pub fn standing(path: impl AsRef<Path>, line_endings: LineEndings) -> Result<Option<Mbox>> {
        let path = path.as_ref();
        if !path.exists() {
            return Ok(None);
        }
        let real = fs::canonicalize(path);
        let path = real.map_err(|e| Error::local_io(format!("cannot use {}", path.display()), e).folder())?;
        Ok(Some(Mbox { path, line_endings, patience: PATIENCE }))
    }

    fn lock(&self) -> Result<Lock> {
        Lock::take(&self.path, self.patience)
    }

    fn failed(&self, act: &str, cause: io::Error) -> Error {
        Error::local_io(format!("cannot {act} {}", self.path.display()), cause)
    }
}

impl Store for Mbox {
    type Draft = MboxDraft;
    type Prepared = MboxPrepared;

    fn draft(&self, envelope: &Envelope) -> Result<MboxDraft> {
        Ok(MboxDraft::new(&self.path, self.line_endings, envelope))
    }

    /// Holds the locks until the batch is published or dropped. What makes it durable is publishing.
    fn prepare(&self, batch: Vec<MboxStaged>) -> Result<MboxPrepared> {
        let lock = self.lock()?;
        let size = size(lock.file()).map_err(|e| self.failed("read", e))?;
        let tail = tail(lock.file(), size).map_err(|e| self.failed("read", e))?;
        let padding = draft::line_end(self.line_endings).repeat(missing_line_ends(&tail));
        let mut at = size + padding.len() as u64;
        let mut places = Vec::with_capacity(batch.len());
        for staged in &batch {
            places.push(Site { at, length: staged.length, from_line: &staged.from_line }.to_place());
            at += staged.length;
        }
        let marks = vec![Marks::default(); batch.len()];
        Ok(MboxPrepared { lock, size, padding, batch, places, marks })
    }

    fn publish(&self, prepared: MboxPrepared) -> Result<Vec<Refusal>> {
        let MboxPrepared { lock, size: before, padding, batch, .. } = prepared;
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let file = lock.file();
        let grown = size(file).map_err(|e| self.failed("read", e))? != before;
        if grown {
            let what = format!("{} was changed by a program that heeds no lock", self.path.display());
            let remedy = "Run again; nothing was written and nothing deleted on the server.";
            return Err(Error::new(Kind::TryLater, what, remedy).folder());
        }
        match append(file, &padding, batch) {
            Ok(()) => Ok(Vec::new()),
            Err(e) => {
                // What is left after a failure here, `settle` removes.
                let _ = file.set_len(before).and_then(|()| file.sync_all());
                Err(self.failed("append to", e))
            }
        }
    }

    fn settle(&self, arriving: &[(Place, Digest)], delivered: &[(Place, Digest)]) -> Result<Vec<bool>> {
        let lock = self.lock()?;
        settle::settle(lock.file(), arriving, delivered).map_err(|e| self.failed("mend", e))
    }

    fn identity(&self) -> Result<Option<Identification>> {
        let found = directory::identify(&self.path, &self.path);
        Ok(Some(found.map_err(|e| self.failed("use", e).folder())?))
    }

    fn gate(&self, source: &str) -> Option<PathBuf> {
        let source = format!("{}\0{source}", self.path.display());
        Some(directory::parent(&self.path).join(directory::gate_name(&source)))
    }

    fn scan(&self) -> Result<Vec<Content>> {
        let lock = self.lock()?;
        let mut contents = Vec::new();
        size(lock.file())
            .and_then(|size| reader::records(lock.file(), 0, size, |record| contents.push(record.content)))
            .map_err(|e| self.failed("read", e))?;
        Ok(contents)
    }
}

/// Where a record stands, as a [`Place`] says it: `OFFSET+LENGTH FROM_LINE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Site<'a> {
    at: u64,
    length: u64,
    /// Without its line end.
    from_line: &'a str,
}

impl<'a> Site<'a> {
    fn to_place(self) -> Place {
        Place(format!("{}+{} {}", self.at, self.length, self.from_line))
    }

    /// `None` where it is no place in an mbox (the store was another one then).
    fn of(place: &'a Place) -> Option<Site<'a>> {
        let (range, from_line) = place.0.split_once(' ')?;
        let (at, length) = range.split_once('+')?;
        let site = Site { at: at.parse().ok()?, length: length.parse().ok()?, from_line };
        (from_line.starts_with("From ") && site.at.checked_add(site.length).is_some()).then_some(site)
    }

    /// The offset behind the record.
    fn end(self) -> u64 {
        self.at.saturating_add(self.length)
    }
}

fn no_mbox(path: &Path, why: &str) -> Error {
    let what = format!("{} is no mbox: it {why}", path.display());
    Error::new(Kind::Data, what, "Name another path, or move it away; nothing was deleted on the server.").folder()
}

fn create(path: &Path) -> io::Result<()> {
    let parent = directory::parent(path);
    directory::make(parent)?;
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => directory::sync(parent),
        // Another account that shares it was faster.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e),
    }
}

fn size(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.len())
}

/// Whether the first line, blank ones apart, is a From_ line or the beginning of one. An empty file is an empty mbox.
fn begins_as_mbox(file: &File) -> io::Result<bool> {
    let mut start = Vec::new();
    let mut blank = true;
    reader::chunks(file, 0, size(file)?, |chunk| {
        let text = if blank { chunk.iter().position(|b| !matches!(b, b'\r' | b'\n')) } else { Some(0) };
        blank = text.is_none();
        let wanted = quote::FROM.len().saturating_sub(start.len());
        start.extend(chunk.iter().skip(text.unwrap_or(chunk.len())).take(wanted));
    })?;
    Ok(quote::FROM.starts_with(&start))
}

/// The last octets of a file, up to four.
fn tail(file: &File, size: u64) -> io::Result<Vec<u8>> {
    let length = size.min(4);
    let mut tail = vec![0; length as usize];
    file.read_exact_at(&mut tail, size - length)?;
    Ok(tail)
}

/// How many line ends a file wants that ends so, before a From_ line may follow: its own, and one for a blank line.
fn missing_line_ends(tail: &[u8]) -> usize {
    let Some(line) = tail.strip_suffix(b"\n") else { return if tail.is_empty() { 0 } else { 2 } };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    usize::from(!line.is_empty() && !line.ends_with(b"\n"))
}

/// Appends a batch and makes it durable.
fn append(file: &File, padding: &[u8], batch: Vec<MboxStaged>) -> io::Result<()> {
    // Never over what a program writes that heeds no lock.
    rustix::fs::fcntl_setfl(file, rustix::fs::OFlags::APPEND)?;
    let mut out = BufWriter::with_capacity(BUFFER, file);
    let written = out.write_all(padding).and_then(|()| {
        batch.into_iter().try_for_each(|staged| {
            crate::fault::point();
            staged.write_to(&mut out)
        })
    });
    // On failure what is buffered must not follow when the writer is dropped.
    match written.and_then(|()| out.flush()) {
        Ok(()) => {
            crate::fault::point();
            file.sync_all()
        }
        Err(e) => {
            let _ = out.into_parts();
            Err(e)
        }
    }
}
