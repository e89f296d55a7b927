//! One run an account at a time.

use crate::error::{Error, Kind, Result};
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// The right to work on an account. The kernel takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// How often a waiting run looks again.
const PAUSE: Duration = Duration::from_millis(100);

impl Lock {
    /// Takes the lock, waiting for another run for at most `wait`. The folder is made where it is missing.
    pub async fn take(path: &Path, account: &str, wait: Duration) -> Result<Lock> {
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
        let until = Instant::now() + wait;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let mut pid = String::new();
                    let _ = file.read_to_string(&mut pid);
                    let holder =
                        if pid.trim().is_empty() { String::new() } else { format!(" (process {})", pid.trim()) };
                    return Err(Error::new(
                        Kind::TryLater,
                        format!("another run{holder} is working on account {account}"),
                        "Run again when it is done, or wait for it with --wait SECS.",
                    ));
                }
                Err(e) => return Err(failed(e.into())),
            }
        }
        // The number is for the message above only; that it cannot be written is no reason to stop.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Lock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_run_is_told_at_once_and_a_waiting_one_gets_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("accounts/a.lock");
        let first = Lock::take(&path, "a", Duration::ZERO).await.unwrap();
        let refused = Lock::take(&path, "a", Duration::ZERO).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::TryLater);
        assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
        let waiting = Lock::take(&path, "a", Duration::from_secs(30));
        let release = async {
            tokio::task::yield_now().await;
            drop(first);
        };
        let (second, ()) = tokio::join!(waiting, release);
        second.unwrap();
    }
}
