//! The locks of an mbox: the ones other mail programs heed, and one among ourselves.
//!
//! Other programs heed a `fcntl` lock on the file, or a file `PATH.lock` beside it, or both; so both are held. The
//! kernel releases the first when a process dies; of the second it is told by the process number inside whether its
//! maker still lives. Neither keeps two threads of one process apart, and a `fcntl` lock goes when the process closes
//! *any* descriptor of the file: hence the gate, which every use of an mbox in this process passes.

use super::directory;
use crate::error::{Error, Kind, Result};
use rustix::fs::FlockOperation;
use rustix::process::{Pid, test_kill_process};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Age after which a dot-lock is dead that does not say which process of this machine made it.
const DOT_LOCK_LIFE: Duration = Duration::from_secs(600);

/// An mbox, open and locked.
#[derive(Debug)]
pub(super) struct Lock {
    // Dropped in this order.
    _dot: Option<DotLock>,
    file: File,
    _gate: Gate,
}

impl Lock {
    /// Opens and locks an existing mbox, waiting no longer than `patience` for others. `path` must be free of symbolic links.
    pub(super) fn take(path: &Path, patience: Duration) -> Result<Lock> {
        patiently(path, patience, || Lock::attempt(path))
    }

    /// The mbox.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// One attempt; `None` when another holds one of the locks. Never waits for one while it holds another.
    fn attempt(path: &Path) -> io::Result<Option<Lock>> {
        let Some(gate) = Gate::enter(path) else { return Ok(None) };
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => return Ok(None),
            Err(e) => return Err(e.into()),
        }
        // A mail program may have put another file in its place before the lock was ours.
        if identity(&file.metadata()?) != identity(&fs::metadata(path)?) {
            return Ok(None);
        }
        Ok(match DotLock::take(path)? {
            Dot::Held => None,
            Dot::Taken(dot) => Some(Lock { _dot: Some(dot), file, _gate: gate }),
            Dot::Impossible => Some(Lock { _dot: None, file, _gate: gate }),
        })
    }
}

/// Attempts until something is had, waiting no longer than `patience`.
fn patiently<T>(path: &Path, patience: Duration, mut attempt: impl FnMut() -> io::Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        let failed = |e| Error::local_io(format!("cannot lock {}", path.display()), e).folder();
        if let Some(lock) = attempt().map_err(failed)? {
            return Ok(lock);
        }
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            let what = format!("cannot lock {}: another program holds the lock", path.display());
            let lock = dot_lock_path(path);
            let mut remedy = "Run again when that program is done.".to_owned();
            if lock.exists() {
                remedy += &format!(" If no mail program is running, remove {}.", lock.display());
            }
            return Err(Error::new(Kind::TryLater, what, remedy).folder());
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

fn identity(meta: &fs::Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// The right of one thread of this process to use an mbox.
#[derive(Debug)]
struct Gate(PathBuf);

static GATES: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn gates() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    GATES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate {
    fn enter(path: &Path) -> Option<Gate> {
        gates().insert(path.to_owned()).then(|| Gate(path.to_owned()))
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        gates().remove(&self.0);
    }
}

/// The file `PATH.lock`; removed when dropped, if it is still the same one.
#[derive(Debug)]
pub(super) struct DotLock {
    path: PathBuf,
    identity: (u64, u64),
}

enum Dot {
    Taken(DotLock),
    /// Another program has it.
    Held,
    /// No file can be made there: the `fcntl` lock has to do.
    Impossible,
}

impl DotLock {
    /// Waits for `PATH.lock`, no longer than `patience`; `None` where no such file can be made. Not to be called twice at once
    /// for one path.
    pub(super) fn wait(path: &Path, patience: Duration) -> Result<Option<DotLock>> {
        patiently(path, patience, || {
            Ok(match DotLock::take(path)? {
                Dot::Taken(lock) => Some(Some(lock)),
                Dot::Impossible => Some(None),
                Dot::Held => None,
            })
        })
    }

    /// Only called by one at a time (an mbox: with the `fcntl` lock held), so that no two of us remove a dead one and make their own at once.
    fn take(mailbox: &Path) -> io::Result<Dot> {
        let path = dot_lock_path(mailbox);
        if let Some(dead) = is_dead(&path)? {
            if !dead {
                return Ok(Dot::Held);
            }
            match fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Ok(Dot::Held),
                _ => {}
            }
        }
        // Made under another name and linked, so that it is never seen without its content.
        let temporary = directory::parent(mailbox).join(format!(".mailferry-lock-{:016x}", rand::random::<u64>()));
        let made = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&temporary);
        let mut file = match made {
            Ok(file) => file,
            Err(e) if matches!(e.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
                return Ok(Dot::Impossible);
            }
            Err(e) => return Err(e),
        };
        let written = write!(file, "{}:{}", std::process::id(), host()).and_then(|()| file.metadata());
        let linked = written.as_ref().map(|_| fs::hard_link(&temporary, &path));
        let _ = fs::remove_file(&temporary);
        match linked {
            Ok(Ok(())) => Ok(Dot::Taken(DotLock { path, identity: identity(&written?) })),
            Ok(Err(e)) if e.kind() == io::ErrorKind::AlreadyExists => Ok(Dot::Held),
            Ok(Err(_)) => Ok(Dot::Impossible),
            Err(_) => written.map(|_| Dot::Impossible),
        }
    }
}

impl Drop for DotLock {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|meta| identity(&meta) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn dot_lock_path(mailbox: &Path) -> PathBuf {
    let mut path = OsString::from(mailbox);
    path.push(".lock");
    path.into()
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Whether a dot-lock outlived its maker; `None` when there is none.
fn is_dead(path: &Path) -> io::Result<Option<bool>> {
    let read = || -> io::Result<bool> {
        let mut content = Vec::new();
        let file = File::open(path)?;
        let age = file.metadata()?.modified()?.elapsed().unwrap_or_default();
        file.take(300).read_to_end(&mut content)?;
        Ok(match maker(&content, &host()) {
            // The gate and the `fcntl` lock are ours: this process does not hold it, one with the same number did.
            Some(pid) if pid == std::process::id() => true,
            Some(pid) => !lives(pid),
            None => age > DOT_LOCK_LIFE,
        })
    };
    match read() {
        Ok(dead) => Ok(Some(dead)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// The process of this machine that a dot-lock names: `PID`, or `PID:HOST` as Dovecot writes it.
fn maker(content: &[u8], host: &str) -> Option<u32> {
    let text = std::str::from_utf8(content).ok()?.trim();
    let pid = match text.split_once(':') {
        Some((pid, there)) if there == host => pid,
        Some(_) => return None,
        None => text,
    };
    pid.parse().ok().filter(|pid| *pid > 0)
}

fn lives(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    const AT_ONCE: Duration = Duration::ZERO;

    fn mailbox() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("box");
        fs::write(&path, "").unwrap();
        (root, path)
    }

    #[test]
    fn two_of_one_process_exclude_each_other() {
        let (_root, path) = mailbox();
        let first = Lock::take(&path, AT_ONCE).unwrap();
        let e = Lock::take(&path, Duration::from_millis(1)).unwrap_err();
        assert_eq!(e.kind(), Kind::TryLater);
        assert!(e.remedy().contains("box.lock"), "{}", e.remedy());
        drop(first);
        Lock::take(&path, AT_ONCE).unwrap();
    }

    #[test]
    fn the_dot_lock_stands_only_while_the_lock_is_held() {
        let (root, path) = mailbox();
        let lock = Lock::take(&path, AT_ONCE).unwrap();
        let content = fs::read_to_string(dot_lock_path(&path)).unwrap();
        assert_eq!(content, format!("{}:{}", std::process::id(), host()));
        drop(lock);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_dot_lock_of_another_program_is_waited_for_and_a_dead_one_removed() {
        let (_root, path) = mailbox();
        let dead = u32::MAX >> 1;
        let (young, old) = (Duration::ZERO, DOT_LOCK_LIFE + Duration::from_secs(9));
        for (content, age, free) in [
            ("1".to_owned(), old, false),
            (format!("1:{}", host()), old, false),
            (dead.to_string(), young, true),
            (format!("{dead}:{}", host()), young, true),
            (format!("{}:{}", std::process::id(), host()), young, true),
            (format!("{dead}:elsewhere.example"), young, false),
            (format!("{dead}:elsewhere.example"), old, true),
            (String::new(), young, false),
            ("0".to_owned(), old, true),
        ] {
            fs::write(dot_lock_path(&path), &content).unwrap();
            let file = File::options().write(true).open(dot_lock_path(&path)).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
            assert_eq!(Lock::take(&path, AT_ONCE).is_ok(), free, "{content:?} {age:?}");
            assert_eq!(dot_lock_path(&path).exists(), !free, "{content:?} {age:?}");
            let _ = fs::remove_file(dot_lock_path(&path));
        }
    }

    #[test]
    fn a_dot_lock_that_replaced_ours_is_left_alone() {
        let (_root, path) = mailbox();
        let lock = Lock::take(&path, AT_ONCE).unwrap();
        fs::write(path.with_extension("new"), "1").unwrap();
        fs::rename(path.with_extension("new"), dot_lock_path(&path)).unwrap();
        drop(lock);
        assert_eq!(fs::read(dot_lock_path(&path)).unwrap(), b"1");
    }

    #[test]
    fn a_vanished_mailbox_is_no_lock_to_wait_for() {
        let (_root, path) = mailbox();
        fs::remove_file(&path).unwrap();
        assert_eq!(Lock::take(&path, Duration::from_secs(60)).unwrap_err().kind(), Kind::LocalIo);
    }
}
