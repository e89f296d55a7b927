//! A message on its way into a Maildir: a file in `tmp`.

use crate::error::{Error, Result};
use crate::mail::{Content, Digester, Envelope, Marks};
use crate::store::{Draft, LineEndings};
use std::fs::{File, FileTimes, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A file in `tmp`, removed when dropped.
pub(super) struct TmpFile(Option<PathBuf>);

impl TmpFile {
    pub(super) fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// Lets the file stand.
    pub(super) fn keep(mut self) -> PathBuf {
        self.0.take().unwrap_or_default()
    }
}

impl Drop for TmpFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // A file that stays behind is removed by a later `open`.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A message being written into `tmp`.
pub struct MaildirDraft {
    file: File,
    staged: MaildirStaged,
    line_endings: LineEndings,
    received_at: Option<i64>,
    digester: Digester,
}

/// A whole message in `tmp`. Not open: a batch of many accounts is more than a process may have open.
pub struct MaildirStaged {
    pub(super) tmp: TmpFile,
    pub(super) name: String,
    pub(super) marks: Marks,
}

impl MaildirDraft {
    pub(super) fn create(dir: &Path, name: String, line_endings: LineEndings, envelope: &Envelope) -> Result<Self> {
        let path = dir.join(&name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|e| Error::local_io(format!("cannot create {}", path.display()), e))?;
        Ok(MaildirDraft {
            file,
            staged: MaildirStaged { tmp: TmpFile(Some(path)), name, marks: envelope.marks.clone() },
            line_endings,
            received_at: envelope.received_at,
            digester: Digester::default(),
        })
    }
}

impl Draft for MaildirDraft {
    type Staged = MaildirStaged;

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let lf = self.digester.update(bytes);
        put(&self.file, if self.line_endings == LineEndings::Lf { lf } else { bytes }, &self.staged)
    }

    fn finish(self) -> Result<(MaildirStaged, Content)> {
        let (rest, content) = self.digester.finish();
        if self.line_endings == LineEndings::Lf {
            put(&self.file, rest, &self.staged)?;
        }
        if let Some(time) = self.received_at.and_then(system_time) {
            let set = self.file.set_times(FileTimes::new().set_modified(time));
            set.map_err(|e| self.staged.failed("set the time of", e))?;
        }
        Ok((self.staged, content))
    }
}

fn put(mut file: &File, bytes: &[u8], staged: &MaildirStaged) -> Result<()> {
    file.write_all(bytes).map_err(|e| staged.failed("write", e))
}

impl MaildirStaged {
    /// Makes bytes and time durable.
    pub(super) fn sync(&self) -> Result<()> {
        let synced = File::open(self.tmp.path()).and_then(|file| file.sync_all());
        synced.map_err(|e| self.failed("make durable", e))
    }

    fn failed(&self, act: &str, cause: std::io::Error) -> Error {
        Error::local_io(format!("cannot {act} {}", self.tmp.path().display()), cause)
    }
}

fn system_time(seconds: i64) -> Option<SystemTime> {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}
