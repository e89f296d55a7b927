//! One run an account at a time.

use crate::error::{Error, Kind, Result};
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The right to work on an account. The kernel takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// To be removed with the lock.
    passing: Option<PathBuf>,
}

/// How often a waiting run looks again.
const PAUSE: Duration = Duration::from_millis(100);

impl Lock {
    /// Takes the lock, waiting for another run for at most `wait`. The folder is made where it is missing.
    pub async fn take(path: &Path, account: &str, wait: Duration) -> Result<Lock> {
        Lock::acquire(path, &format!("account {account}"), wait).await
    }

    /// The same, of a file that stands only while somebody has the lock on it, or waits for it. `None` where no such file can be made.
    pub async fn pass(path: &Path, what: &str, wait: Duration) -> Result<Option<Lock>> {
        loop {
            match Lock::acquire(path, what, wait).await {
                Ok(mut lock) if lock.stands_at(path) => {
                    lock.passing = Some(path.to_owned());
                    return Ok(Some(lock));
                }
                // The run that had it took the file away.
                Ok(_) => {}
                Err(e) if e.kind() == Kind::TryLater => return Err(e),
                Err(_) => return Ok(None),
            }
        }
    }

    fn stands_at(&self, path: &Path) -> bool {
        let identity = |meta: Metadata| (meta.dev(), meta.ino());
        let (ours, there) = (self.file.metadata().map(identity), path.metadata().map(identity));
        ours.is_ok_and(|ours| there.is_ok_and(|there| ours == there))
    }

    async fn acquire(path: &Path, what: &str, wait: Duration) -> Result<Lock> {
        let failed = |e| Error::local_io(format!("cannot use the lock file {}", path.display()), e);
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| {
                Error::new(
                    Kind::CannotCreate,
                    format!("cannot create the state folder {}", folder.display()),
                    "Make its parent writable, or name another one with --state-dir.",
                )
                .because(e)
            })?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        let until = Instant::now().checked_add(wait);
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) if until.is_none_or(|until| Instant::now() < until) => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let mut pid = String::new();
                    let _ = file.read_to_string(&mut pid);
                    let holder =
                        if pid.trim().is_empty() { String::new() } else { format!(" (process {})", pid.trim()) };
                    return Err(Error::new(
                        Kind::TryLater,
                        format!("another run{holder} is working on {what}"),
                        "Run again when it is done, or wait for it with --wait SECS.",
                    ));
                }
                Err(e) => return Err(failed(e.into())),
            }
        }
        // The number is for the message above only; that it cannot be written is no reason to stop.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Lock { file, passing: None })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While the lock is held, so that nobody holds one on a file that is gone.
        if let Some(path) = &self.passing {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_passing_lock_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let pass = |wait| Lock::pass(&path, "the store x", wait);
        let first = pass(Duration::ZERO).await.unwrap().unwrap();
        let refused = pass(Duration::ZERO).await.unwrap_err();
        assert!(refused.to_string().ends_with(" is working on the store x"), "{refused}");
        let waiting = pass(Duration::from_secs(30));
        let release = async {
            tokio::task::yield_now().await;
            drop(first);
        };
        let (second, ()) = tokio::join!(waiting, release);
        let second = second.unwrap().unwrap();
        assert!(second.stands_at(&path));
        drop(second);
        assert!(!path.exists());
        // Where no file can stand, there is no lock.
        std::fs::write(dir.path().join("file"), "").unwrap();
        assert!(Lock::pass(&dir.path().join("file/run"), "x", Duration::ZERO).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_second_run_is_told_at_once_and_a_waiting_one_gets_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("accounts/a.lock");
        let first = Lock::take(&path, "a", Duration::ZERO).await.unwrap();
        let refused = Lock::take(&path, "a", Duration::ZERO).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::TryLater);
        assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
        let waiting = Lock::take(&path, "a", Duration::MAX);
        let release = async {
            tokio::task::yield_now().await;
            drop(first);
        };
        let (second, ()) = tokio::join!(waiting, release);
        second.unwrap();
    }
}
