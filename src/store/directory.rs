//! Directories and what stands in them: made where missing, put in place, made durable.

use super::Identification;
use crate::error::{Error, Kind};
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Makes a directory and those above it (mode 0700) where they are missing, durably.
pub(super) fn make(path: &Path) -> io::Result<()> {
    let create = || DirBuilder::new().mode(0o700).create(path);
    let made = match create() {
        Err(e) if e.kind() == io::ErrorKind::NotFound && parent(path) != path => {
            make(parent(path))?;
            // Once: in a directory that takes none (of /proc, or one that was removed) it is never found.
            create()
        }
        made => made,
    };
    match made {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        Err(e) => return Err(e),
    }
    sync(parent(path))
}

/// Makes the entries of a directory durable.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Gives a small file its content, durably, at once or not at all; its mode and owner stay, or it becomes one's own, 0600.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = beside(path);
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(old.permissions())?;
            // Only root can give a file away, and nobody else has to.
            let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
        }
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    let written = write();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.and_then(|()| sync(parent(path)))
}

/// What tells a file or directory from another one that stands at its path later. The number of a device would change with
/// each mount, and that of an inode alone is given again.
pub(super) fn identify(path: &Path, file: &Path) -> io::Result<Identification> {
    let meta = fs::metadata(file)?;
    let born = meta.created().ok().and_then(|t| t.duration_since(SystemTime::UNIX_EPOCH).ok());
    let born = format!("{} {}", meta.ino(), born.unwrap_or_default().as_nanos());
    Ok(Identification { path: path.to_owned(), born })
}

/// A file name for the [gate](super::Store::gate) of a source.
pub(super) fn gate_name(source: &str) -> String {
    let hash = blake3::hash(source.as_bytes()).to_hex();
    format!(".mailferry-run-{}", hash.get(..16).unwrap_or_default())
}

fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{:016x}", rand::random::<u64>()));
    name.into()
}

/// Renames a file unless one of the new name is there already ([`io::ErrorKind::AlreadyExists`]).
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // A file system that cannot do it (NFS).
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            done => return Ok(done?),
        }
    }
    match fs::symlink_metadata(to) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
        Err(e) => Err(e),
    }
}

/// The directory a path lies in; `.` for a bare name.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        Some(_) => Path::new("."),
        None => path,
    }
}

/// A file that is gone when it is closed: in the directory, or where temporary files go when that is closed to us.
pub fn unnamed_file(directory: &Path) -> io::Result<File> {
    let name = format!(".mailferry-spool-{:016x}", rand::random::<u64>());
    let open = |path: &Path| -> io::Result<File> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        fs::remove_file(path)?;
        Ok(file)
    };
    match open(&directory.join(&name)) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => open(&std::env::temp_dir().join(&name)),
        result => result,
    }
}

/// A store that was not there and cannot be made; `what` names it.
pub(super) fn cannot_create(what: String, cause: io::Error) -> Error {
    let remedy = match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "Free some space, then run again; nothing was deleted on the server."
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "Choose a path this user may write to, or create it with the right owner; nothing was deleted on the server."
        }
        _ => "Check the path of the store; nothing was deleted on the server.",
    };
    Error::new(Kind::CannotCreate, what, remedy).folder().because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn makes_what_is_missing_and_leaves_what_is_there() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b/c");
        make(&deep).unwrap();
        make(&deep).unwrap();
        assert_eq!(deep.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);

        std::fs::write(root.path().join("file"), "").unwrap();
        assert_eq!(make(&root.path().join("file")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(make(&root.path().join("file/x")).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        // Nothing can be made there, whoever asks.
        #[cfg(target_os = "linux")]
        assert_eq!(make(Path::new("/proc/none/x")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn nothing_is_overwritten_by_a_rename() {
        let root = tempfile::tempdir().unwrap();
        let (a, b) = (root.path().join("a"), root.path().join("b"));
        std::fs::write(&a, "a").unwrap();
        rename_new(&a, &b).unwrap();
        std::fs::write(&a, "other").unwrap();
        assert_eq!(rename_new(&a, &b).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(
            rename_new(&root.path().join("none"), &root.path().join("c")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        assert_eq!((std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap()), (b"other".to_vec(), b"a".to_vec()));
    }

    #[test]
    fn a_file_is_replaced_with_its_mode() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        for (content, mode) in [("one", 0o600), ("two", 0o640)] {
            if mode == 0o640 {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            }
            replace(&path, content.as_bytes()).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), content.as_bytes());
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode);
        }
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_bare_name_lies_in_the_current_directory() {
        assert_eq!(parent(Path::new("box")), Path::new("."));
        assert_eq!(parent(Path::new("a/box")), Path::new("a"));
        assert_eq!(parent(Path::new("/")), Path::new("/"));
    }
}
