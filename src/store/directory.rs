//! Directories: made where missing, and made durable.

use crate::error::{Error, Kind};
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Makes a directory and those above it (mode 0700) where they are missing, durably.
pub(super) fn make(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            make(parent(path))?;
            return make(path);
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        Err(e) => return Err(e),
    }
    sync(parent(path))
}

/// Makes the entries of a directory durable.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The directory a path lies in; `.` for a bare name.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        Some(_) => Path::new("."),
        None => path,
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
    }

    #[test]
    fn a_bare_name_lies_in_the_current_directory() {
        assert_eq!(parent(Path::new("box")), Path::new("."));
        assert_eq!(parent(Path::new("a/box")), Path::new("a"));
        assert_eq!(parent(Path::new("/")), Path::new("/"));
    }
}
