//! Makes the files of a batch durable.
//!
//! Either each file by itself, several at a time, so that the file system shares its journal commits between them; or all
//! at once with the file system they are on, which takes a third less of a pull's time. The latter only where it keeps
//! the promise: a kernel that reports failed writes to `syncfs`, and a file system that answers for them itself.

use super::MaildirStaged;
use crate::error::{Error, Result};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Files made durable side by side.
const SIDE_BY_SIDE: usize = 8;
/// Fewer files than this are not worth the whole file system.
const MANY: usize = 32;
/// A file system that takes longer for one batch has other programs' bytes to write too: wait for ours alone then.
const BUSY: Duration = Duration::from_secs(1);

/// How the files of one Maildir are made durable.
#[derive(Debug, Default)]
pub(super) struct Durability {
    busy: AtomicBool,
}

impl Durability {
    /// Returns when bytes and times of the batch, all of it in `directory`, are durable.
    pub(super) fn ensure(&self, directory: &Path, batch: &[MaildirStaged]) -> Result<()> {
        if batch.len() >= MANY && !self.busy.load(Ordering::Relaxed) {
            let begun = Instant::now();
            if whole_file_system(directory)? {
                self.busy.store(begun.elapsed() > BUSY, Ordering::Relaxed);
                return Ok(());
            }
        }
        each(batch)
    }
}

/// Syncs the file system of a directory; `false` where that would prove nothing.
#[cfg(target_os = "linux")]
fn whole_file_system(directory: &Path) -> Result<bool> {
    let sync = || -> std::io::Result<bool> {
        let open = File::open(directory)?;
        #[allow(clippy::useless_conversion, reason = "narrower on 32-bit machines")]
        let known = FILE_SYSTEMS.contains(&rustix::fs::fstatfs(&open)?.f_type.into());
        let system = rustix::system::uname();
        if known && reports_failures(&system.release().to_string_lossy()) {
            rustix::fs::syncfs(&open)?;
            return Ok(true);
        }
        Ok(false)
    };
    sync().map_err(|e| Error::local_io(format!("cannot make durable {}", directory.display()), e))
}

#[cfg(not(target_os = "linux"))]
fn whole_file_system(_: &Path) -> Result<bool> {
    Ok(false)
}

/// ext2 to ext4, XFS, btrfs (statfs(2)).
#[cfg(target_os = "linux")]
const FILE_SYSTEMS: [i64; 3] = [0xef53, 0x5846_5342, 0x9123_683e];

/// Since Linux 5.8 syncfs(2) fails when a write did.
#[cfg(target_os = "linux")]
fn reports_failures(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|n| n.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(5), Some(8))
}

/// Syncs each file.
fn each(batch: &[MaildirStaged]) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        while let Some(staged) = batch.get(next.fetch_add(1, Ordering::Relaxed)) {
            staged.sync()?;
        }
        Ok(())
    };
    if batch.len() <= 2 {
        return work();
    }
    std::thread::scope(|scope| {
        let mut workers = Vec::new();
        for _ in 1..SIDE_BY_SIDE.min(batch.len()) {
            // A thread that cannot be had is one less.
            workers.extend(std::thread::Builder::new().stack_size(64 * 1024).spawn_scoped(scope, work));
        }
        let mut result = work();
        for worker in workers {
            let done = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            result = result.and(done);
        }
        result
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_kernels_that_report_failed_writes_are_believed() {
        for (release, reports) in [
            ("5.7.19", false),
            ("5.8.0-rc1", true),
            ("5.10.0-28-amd64", true),
            ("6.1.0", true),
            ("10.0", true),
            ("4.19.0", false),
            ("4.20", false),
            ("odd", false),
            ("", false),
        ] {
            assert_eq!(reports_failures(release), reports, "{release}");
        }
    }
}
