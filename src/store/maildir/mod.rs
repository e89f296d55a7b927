//! Maildir: one file a message, in `tmp` while it is written, then in `new` or `cur`.
//!
//! Why a crash loses and doubles nothing: a file reaches `new` or `cur` only by a rename, after its bytes are durable and
//! its name is in the ledger. So a name in the ledger stands in `new` or `cur` (delivered, under whatever flags a mail
//! reader gave it since), or in `tmp` (the rename is made up for, when the bytes are the right ones), or nowhere (to be
//! fetched again, or delivered and removed by the user in between; the mail is still on the server, for it is disposed
//! of only after the ledger says delivered). A draft that never got into the ledger is a file in `tmp` that nobody
//! reads; it is removed after 36 hours, as the Maildir rules allow.

mod changes;
mod draft;
mod durable;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod info;
mod keywords;
mod listing;
mod mailbox;
mod name;
mod outgoing;
#[cfg(test)]
mod tests;

use super::lock::DotLock;
use super::{Identification, LineEndings, Place, Prepared, Refusal, Store, directory};
use crate::error::{Error, Kind, Result};
use crate::mail::{Content, CopyDigester, Digest, Envelope, HEADER_LIMIT, Keyword, Marks};
use draft::TmpFile;
pub use draft::{MaildirDraft, MaildirStaged};
use durable::Durability;
use info::Letters;
use keywords::Keywords;
pub use listing::FolderTimes;
pub use mailbox::MaildirFolder;
use std::collections::{BTreeSet, HashSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Age in seconds after which a file in `tmp` may be removed (36 hours).
const TMP_LIFE: i64 = 36 * 3600;

/// How often a message is looked for that does not seem to be there: a listing may miss what a mail reader renames.
const LOOKS: usize = 3;

/// How long to wait for a Dovecot that serves the same Maildir.
const DOVECOT_PATIENCE: Duration = Duration::from_secs(10);

/// The parts of a Maildir that hold messages.
const VISIBLE: [&str; 2] = ["new", "cur"];

/// A Maildir.
#[derive(Debug)]
pub struct Maildir {
    path: PathBuf,
    host: String,
    line_endings: LineEndings,
    durability: Durability,
}

/// A durable batch in `tmp`.
pub struct MaildirPrepared {
    files: Vec<TmpFile>,
    places: Vec<Place>,
    marks: Vec<Marks>,
}

impl Prepared for MaildirPrepared {
    fn places(&self) -> &[Place] {
        &self.places
    }

    fn marks(&self) -> &[Marks] {
        &self.marks
    }
}

impl Maildir {
    /// Where it stands.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a Maildir, makes what is missing of it, and clears away its own forgotten files in `tmp`.
    pub fn open(path: impl Into<PathBuf>, line_endings: LineEndings) -> Result<Maildir> {
        let maildir = Maildir::at(path.into(), line_endings);
        for part in ["tmp", "new", "cur"] {
            let dir = maildir.path.join(part);
            match fs::metadata(&dir) {
                Ok(meta) if meta.is_dir() => {
                    use rustix::fs::Access;
                    rustix::fs::access(&dir, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)
                        .map_err(|e| Error::local_io(format!("cannot use {}", dir.display()), e.into()).folder())?;
                }
                Ok(_) => {
                    let what = format!("{} is no Maildir: its {part} is no directory", maildir.path.display());
                    let remedy = "Name another path, or move that file away; nothing was deleted on the server.";
                    return Err(Error::new(Kind::LocalIo, what, remedy).folder());
                }
                Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    directory::make(&dir).map_err(|e| {
                        directory::cannot_create(format!("cannot create the Maildir {}", maildir.path.display()), e)
                    })?;
                }
                Err(e) => return Err(Error::local_io(format!("cannot use {}", dir.display()), e).folder()),
            }
        }
        maildir.clear_tmp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs().cast_signed()))?;
        Ok(maildir)
    }

    /// The Maildir at a path as it stands, if one does; nothing is made or cleared away.
    pub fn standing(path: impl Into<PathBuf>, line_endings: LineEndings) -> Option<Maildir> {
        let path = path.into();
        Maildir::exists(&path).then(|| Maildir::at(path, line_endings))
    }

    fn at(path: PathBuf, line_endings: LineEndings) -> Maildir {
        Maildir { path, host: name::host(), line_endings, durability: Durability::default() }
    }

    /// Whether a Maildir stands at a path.
    pub fn exists(path: &Path) -> bool {
        VISIBLE.iter().all(|part| path.join(part).is_dir())
    }

    /// Removes our own files from `tmp` that nobody will finish any more at the time `now`.
    fn clear_tmp(&self, now: i64) -> Result<()> {
        for name in self.list("tmp")? {
            let path = self.path.join("tmp").join(&name);
            // The change time, for the modification time is the mail's.
            let is_old = || fs::metadata(&path).is_ok_and(|m| m.ctime() < now - TMP_LIFE);
            if name::is_ours(&name) && is_old() {
                // Another run may be faster.
                let _ = fs::remove_file(&path);
            }
        }
        Ok(())
    }

    /// The names of the files in one part; not those that start with a dot.
    fn list(&self, part: &str) -> Result<Vec<OsString>> {
        let mut names = Vec::new();
        self.each_name(part, |name| names.push(name))?;
        Ok(names)
    }

    fn each_name(&self, part: &str, mut take: impl FnMut(OsString)) -> Result<()> {
        let dir = self.path.join(part);
        let mut read = || -> io::Result<()> {
            for entry in fs::read_dir(&dir)? {
                let entry = entry?;
                let name = entry.file_name();
                if !name.as_bytes().starts_with(b".") && !entry.file_type()?.is_dir() {
                    take(name);
                }
            }
            Ok(())
        };
        read().map_err(|e| Error::local_io(format!("cannot list {}", dir.display()), e))
    }

    /// What the letters of its files stand for.
    fn keywords(&self) -> Result<Keywords> {
        let read = Keywords::read(&self.path);
        read.map_err(|e| {
            Error::local_io(format!("cannot read {}", self.path.join(keywords::FILE).display()), e).folder()
        })
    }

    /// The same, after those of the `wanted` keywords that had no letter were given one, durably, as far as there are letters.
    fn naming(&self, wanted: &BTreeSet<Keyword>) -> Result<Keywords> {
        static NAMING: Mutex<()> = Mutex::new(());
        let known = self.keywords()?;
        if wanted.is_subset(&known.named()) || known.free(Letters::default()).next().is_none() {
            return Ok(known);
        }
        let _naming = NAMING.lock().unwrap_or_else(PoisonError::into_inner);
        // Dovecot names keywords only while it holds this lock.
        let uidlist = self.path.join("dovecot-uidlist");
        let _lock = if uidlist.exists() { DotLock::wait(&uidlist, DOVECOT_PATIENCE)? } else { None };
        let in_use = self.listing()?.letters();
        let mut keywords = self.keywords()?;
        if keywords.name(wanted, in_use) {
            let file = self.path.join(keywords::FILE);
            let written = keywords.write(&self.path);
            written.map_err(|e| Error::local_io(format!("cannot write {}", file.display()), e).folder())?;
        }
        Ok(keywords)
    }

    fn sync_part(&self, part: &str) -> Result<()> {
        let dir = self.path.join(part);
        directory::sync(&dir).map_err(|e| Error::local_io(format!("cannot make durable {}", dir.display()), e))
    }

    fn rename(&self, from: &Path, place: &Place) -> Result<()> {
        let to = self.path.join(&place.0);
        fs::rename(from, &to).map_err(|e| Error::local_io(format!("cannot move {} to {}", from.display(), place.0), e))
    }
}

impl Store for Maildir {
    type Draft = MaildirDraft;
    type Prepared = MaildirPrepared;

    fn draft(&self, envelope: &Envelope) -> Result<MaildirDraft> {
        MaildirDraft::create(&self.path.join("tmp"), name::unique(&self.host), self.line_endings, envelope)
    }

    fn prepare(&self, batch: Vec<MaildirStaged>) -> Result<MaildirPrepared> {
        self.durability.ensure(&self.path.join("tmp"), &batch)?;
        let keywords = self.naming(&batch.iter().flat_map(|staged| &staged.marks.keywords).cloned().collect())?;
        let mut prepared = MaildirPrepared { files: Vec::new(), places: Vec::new(), marks: Vec::new() };
        for staged in batch {
            let letters = keywords.letters(&staged.marks);
            prepared.places.push(Place(match letters.is_empty() {
                true => format!("new/{}", staged.name),
                false => format!("cur/{}:2,{letters}", staged.name),
            }));
            prepared.marks.push(keywords.marks(letters));
            prepared.files.push(staged.tmp);
        }
        Ok(prepared)
    }

    fn publish(&self, prepared: MaildirPrepared) -> Result<Vec<Refusal>> {
        // From here on the ledger answers for the files: after an error, those in `tmp` wait for `settle`.
        let files: Vec<PathBuf> = prepared.files.into_iter().map(TmpFile::keep).collect();
        for (file, place) in files.iter().zip(&prepared.places) {
            self.rename(file, place)?;
            crate::fault::point();
        }
        let touched = |part: &&&str| prepared.places.iter().any(|place| place.0.split('/').next() == Some(**part));
        VISIBLE.iter().filter(touched).try_for_each(|part| self.sync_part(part))?;
        Ok(Vec::new())
    }

    fn settle(&self, arriving: &[(Place, Digest)], _: &[(Place, Digest)]) -> Result<Vec<bool>> {
        let names: Vec<Option<&str>> = arriving.iter().map(|(place, _)| base_of(place)).collect();
        let mut wanted: HashSet<&[u8]> = names.iter().flatten().map(|name| name.as_bytes()).collect();
        let mut stands = vec![false; arriving.len()];
        for _ in 0..LOOKS {
            let there = self.visible(&wanted)?;
            for ((name, (place, digest)), stands) in names.iter().zip(arriving).zip(&mut stands) {
                let Some(name) = name.filter(|name| wanted.contains(name.as_bytes())) else { continue };
                if there.contains(name.as_bytes()) || self.finish(name, place, digest)? {
                    *stands = true;
                    wanted.remove(name.as_bytes());
                }
            }
            if wanted.is_empty() {
                break;
            }
        }
        // Wherever they stand: the run may have ended before it made the renames durable.
        VISIBLE.iter().try_for_each(|part| self.sync_part(part))?;
        Ok(stands)
    }

    fn identity(&self) -> Result<Option<Identification>> {
        let cur = self.path.join("cur");
        let found = directory::identify(&self.path, &cur);
        Ok(Some(found.map_err(|e| Error::local_io(format!("cannot use {}", cur.display()), e).folder())?))
    }

    fn holds_any(&self, known: &[(Option<Place>, Digest)]) -> Result<bool> {
        let names: HashSet<&[u8]> =
            known.iter().filter_map(|(place, _)| Some(base_of(place.as_ref()?)?.as_bytes())).collect();
        if !self.visible(&names)?.is_empty() {
            return Ok(true);
        }
        // Under other names, if so.
        let digests: HashSet<&Digest> = known.iter().map(|(_, digest)| digest).collect();
        Ok(self.scan()?.iter().any(|content| digests.contains(&content.digest)))
    }

    fn gate(&self, source: &str) -> Option<PathBuf> {
        Some(self.path.join("tmp").join(directory::gate_name(source)))
    }

    fn scan(&self) -> Result<Vec<Content>> {
        let mut contents = Vec::new();
        let mut seen: HashSet<Vec<u8>> = HashSet::new();
        let mut vanished: HashSet<OsString> = HashSet::new();
        // A mail reader may rename a file while it is listed or before it is read: once more, until nothing new comes up.
        loop {
            let mut again = false;
            for part in VISIBLE {
                for file in self.list(part)? {
                    if seen.contains(name::base(&file)) {
                        continue;
                    }
                    match content(&self.path.join(part).join(&file))? {
                        Some(found) => {
                            seen.insert(name::base(&file).to_vec());
                            contents.push(found);
                            again = true;
                        }
                        None => again |= vanished.insert(file),
                    }
                }
            }
            if !again {
                return Ok(contents);
            }
        }
    }
}

impl Maildir {
    /// Which of the base names stand in `new` or `cur`.
    fn visible(&self, wanted: &HashSet<&[u8]>) -> Result<HashSet<Vec<u8>>> {
        let mut there = HashSet::new();
        for part in VISIBLE {
            let found = self.list(part)?;
            there.extend(found.iter().map(|n| name::base(n)).filter(|n| wanted.contains(n)).map(<[u8]>::to_vec));
        }
        Ok(there)
    }

    /// Makes up for a rename that a crash prevented; `false` when there is nothing to rename, or not the right bytes.
    fn finish(&self, name: &str, place: &Place, digest: &Digest) -> Result<bool> {
        let tmp = self.path.join("tmp").join(name);
        match content(&tmp)? {
            None => Ok(false),
            Some(found) if found.digest == *digest => {
                self.rename(&tmp, place)?;
                crate::fault::point();
                Ok(true)
            }
            Some(_) => {
                let removed = fs::remove_file(&tmp);
                removed.map_err(|e| Error::local_io(format!("cannot remove {}", tmp.display()), e))?;
                Ok(false)
            }
        }
    }
}

/// The base name in a place; `None` where it is no place in a Maildir (the store was another one then).
fn base_of(place: &Place) -> Option<&str> {
    let (part, name) = place.0.split_once('/')?;
    let base = name.split(':').next()?;
    (VISIBLE.contains(&part) && !base.is_empty() && !base.starts_with('.') && !name.contains('/')).then_some(base)
}

/// What a message's file holds.
fn read(path: &Path) -> io::Result<Content> {
    let mut file = File::open(path)?;
    let mut digester = CopyDigester::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digester.finish()),
            n => digester.update(buffer.get(..n).unwrap_or_default()),
        };
    }
}

/// As much of a message's beginning as a header may take.
fn read_header(path: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    File::open(path)?.take(HEADER_LIMIT as u64).read_to_end(&mut header)?;
    Ok(header)
}

/// The same; `None` when there is no such file.
fn content(path: &Path) -> Result<Option<Content>> {
    match read(path) {
        Ok(content) => Ok(Some(content)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::local_io(format!("cannot read {}", path.display()), e)),
    }
}
