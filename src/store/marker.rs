//! A file in the root of a store that tells it from an empty mount point, and from another store.

use super::directory;
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The file's name.
const FILE: &str = ".mailferry";

/// Octets of it that are read.
const LIMIT: u64 = 1024;

/// The mark of a store: random, and the same for as long as the store stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker(pub String);

/// What stands where a store is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The store.
    Present,
    /// Not even its root.
    Missing,
    /// A root without a marker: a mount point without its disk, or a store that was emptied or never marked.
    Unmarked,
    /// Another store.
    Foreign,
}

impl Marker {
    /// What stands at a root.
    pub fn standing(&self, root: &Path) -> Result<Standing> {
        Ok(match Marker::of(root)? {
            Some(found) if found == *self => Standing::Present,
            Some(_) => Standing::Foreign,
            None if root.is_dir() => Standing::Unmarked,
            None => Standing::Missing,
        })
    }

    /// The marker at a root; an empty one where the file does not hold any.
    pub fn of(root: &Path) -> Result<Option<Marker>> {
        let path = root.join(FILE);
        let mut content = Vec::new();
        match File::open(&path).and_then(|file| file.take(LIMIT).read_to_end(&mut content)) {
            Ok(_) => {
                let text = String::from_utf8_lossy(&content);
                let line = text.lines().map(str::trim).find(|line| !line.starts_with('#')).unwrap_or_default();
                Ok(Some(Marker(line.to_owned())))
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(Error::local_io(format!("cannot read {}", path.display()), e)),
        }
    }

    /// Marks the store at a root, making what is missing of it, durably; a marker that is there already stays.
    pub fn make(root: &Path) -> Result<Marker> {
        if let Some(found) = Marker::of(root)?.filter(|found| !found.0.is_empty()) {
            return Ok(found);
        }
        let cannot = |e| directory::cannot_create(format!("cannot mark the store {}", root.display()), e);
        directory::make(root).map_err(cannot)?;
        let marker = Marker(format!("{:032x}", rand::random::<u128>()));
        let text = "# By this file mailferry knows that the store is there. Without it nothing is deleted.";
        directory::replace(&root.join(FILE), format!("{}\n{text}\n", marker.0).as_bytes()).map_err(cannot)?;
        Ok(marker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_known_by_its_marker() {
        let root = tempfile::tempdir().unwrap();
        let store = root.path().join("deep/store");
        let marker = Marker::make(&store).unwrap();
        assert_eq!(Marker::make(&store).unwrap(), marker);
        assert_eq!(marker.0.len(), 32);
        assert_eq!(Marker::of(&store).unwrap(), Some(marker.clone()));
        assert_eq!(marker.standing(&store).unwrap(), Standing::Present);

        std::fs::write(root.path().join("file"), "").unwrap();
        for nothing in ["none", "file", "file/below"] {
            assert_eq!(marker.standing(&root.path().join(nothing)).unwrap(), Standing::Missing, "{nothing}");
        }
        assert_eq!(marker.standing(root.path()).unwrap(), Standing::Unmarked);
        let other = Marker::make(root.path()).unwrap();
        assert_ne!(other, marker);
        assert_eq!(marker.standing(root.path()).unwrap(), Standing::Foreign);
    }

    #[test]
    fn a_garbled_marker_is_foreign_and_an_empty_one_is_made_again() {
        let root = tempfile::tempdir().unwrap();
        let marker = Marker::make(root.path()).unwrap();
        let file = root.path().join(FILE);
        for garbage in [&b"\xff\xfe"[..], b"", b"# only words\n"] {
            std::fs::write(&file, garbage).unwrap();
            assert_eq!(marker.standing(root.path()).unwrap(), Standing::Foreign);
        }
        assert_eq!(Marker::make(root.path()).unwrap().0.len(), 32);
        std::fs::write(&file, format!("  {}  \r\n", marker.0)).unwrap();
        assert_eq!(marker.standing(root.path()).unwrap(), Standing::Present);
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert!(marker.standing(root.path()).is_err());
    }
}
