//! Whether a folder of the source and one of the target are two: names do not tell. Two addresses may lead to one server, POP3
//! and IMAP to one mailbox, a symbolic link to one directory, and a server may serve the directory that is the other end.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Where a folder really is, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// On a server, under this UIDVALIDITY, which a folder has whatever the name of the server.
    Server(u32),
    /// On this machine, in this inode. Of its device nothing is said, for a file system may be mounted twice.
    Local(u64),
    /// In a POP3 mailbox, or on a server without UIDVALIDITY.
    Unknown,
}

impl Site {
    /// Of a directory or file.
    pub fn of(path: &Path) -> Site {
        fs::metadata(path).map_or(Site::Unknown, |meta| Site::Local(meta.ino()))
    }

    /// Of a folder of a server.
    pub fn on_server(uidvalidity: Option<u32>) -> Site {
        uidvalidity.map_or(Site::Unknown, Site::Server)
    }

    /// Whether the two are certainly not one.
    pub fn is_apart_from(self, other: Site) -> bool {
        match (self, other) {
            (Site::Server(a), Site::Server(b)) => a != b,
            (Site::Local(a), Site::Local(b)) => a != b,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_proves_anything() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir(path("a")).unwrap();
        fs::create_dir(path("b")).unwrap();
        std::os::unix::fs::symlink(path("a"), path("link")).unwrap();
        let (a, b, link) = (Site::of(&path("a")), Site::of(&path("b")), Site::of(&path("link")));
        for (one, other, apart) in [
            (a, b, true),
            (a, link, false),
            (a, Site::of(&path("b/../a")), false),
            (Site::Server(1), Site::Server(2), true),
            (Site::Server(1), Site::Server(1), false),
            (Site::Server(1), a, false),
            (Site::Unknown, Site::Unknown, false),
            (Site::on_server(None), Site::Server(1), false),
            (Site::of(&path("none")), a, false),
        ] {
            assert_eq!((one.is_apart_from(other), other.is_apart_from(one)), (apart, apart), "{one:?} {other:?}");
        }
    }
}
