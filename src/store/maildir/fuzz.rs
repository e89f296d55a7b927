//! Whatever other programs may leave in a Maildir, for fuzzing.

use super::info::Parts;
use super::keywords::Keywords;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// A file name on the first line, and a `dovecot-keywords` file behind it.
pub fn names(data: &[u8]) {
    let end = data.iter().position(|b| *b == b'\n').unwrap_or(data.len());
    let (name, file) = data.split_at(end);
    let parts = Parts::of(OsStr::from_bytes(name));
    assert!(name.starts_with(parts.base), "a base of another name");
    let again = parts.name(parts.base, parts.letters);
    assert_eq!(Parts::of(OsStr::from_bytes(&again)).letters, parts.letters, "letters change");
    let keywords = Keywords::parse(file.to_vec());
    let marks = keywords.marks(parts.letters);
    assert_eq!(keywords.marks(keywords.letters(&marks)), marks, "marks change");
    assert!(keywords.holds(parts.letters).room <= 26, "more letters than there are");
}
