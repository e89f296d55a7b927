//! Where OpenSSL looks for the system's roots.
//!
//! OpenSSL parses the whole bundle of the system's roots at every connection, and once more where `SSL_CERT_FILE` is set:
//! most of the CPU time of a poll that finds nothing new. Where a hashed directory (`openssl rehash`) holds the same
//! roots, it opens only the one that a server needs. So a bundle that adds nothing to such a directory is hidden from it.

use openssl_probe::{ENV_CERT_FILE, probe};
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

/// A file without certificates, which OpenSSL skips.
const NOTHING: &str = "/dev/null";

/// `SSL_CERT_FILE` as our caller set it, once it was replaced.
static INHERITED: OnceLock<Option<OsString>> = OnceLock::new();

/// Hides a bundle of roots that a hashed directory holds too. What is trusted stays the same.
///
/// Trap: changes the environment, so only `main` may call it, before the first thread starts. What other programs are to
/// see is [`for_children`].
#[allow(unsafe_code)]
pub fn hide_bundle() {
    let found = probe();
    let Some(bundle) = found.cert_file else { return };
    if found.cert_dir.iter().any(|directory| adds_nothing(&bundle, directory)) {
        let inherited = INHERITED.get_or_init(|| std::env::var_os(ENV_CERT_FILE));
        debug_assert!(inherited.as_deref() != Some(NOTHING.as_ref()));
        // SAFETY: no other thread exists yet that could read the environment meanwhile.
        unsafe { std::env::set_var(ENV_CERT_FILE, NOTHING) };
    }
}

/// The variable that [`hide_bundle`] replaced, and what it was before.
pub fn for_children() -> Option<(&'static str, Option<&'static OsString>)> {
    INHERITED.get().map(|inherited| (ENV_CERT_FILE, inherited.as_ref()))
}

/// Whether every certificate of the bundle stands under its hash in the directory too.
fn adds_nothing(bundle: &Path, directory: &Path) -> bool {
    let (Ok(bundle), Ok(entries)) = (fs::read(bundle), fs::read_dir(directory)) else { return false };
    let hashed = entries.flatten().filter(|e| e.file_name().to_str().is_some_and(is_hash));
    let files: Vec<Vec<u8>> = hashed.filter_map(|e| fs::read(e.path()).ok()).collect();
    let known: HashSet<&[u8]> = files.iter().flat_map(|pem| certificates(pem)).collect();
    let mut bundled = certificates(&bundle).peekable();
    bundled.peek().is_some() && bundled.all(|certificate| known.contains(certificate))
}

/// A name as `openssl rehash` gives it: the hash of the subject, and a number.
fn is_hash(name: &str) -> bool {
    name.split_once('.').is_some_and(|(hash, number)| {
        hash.len() == 8
            && hash.bytes().all(|b| b.is_ascii_hexdigit())
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// The certificates of a PEM file, without their first and last lines.
fn certificates(pem: &[u8]) -> impl Iterator<Item = &[u8]> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const END: &[u8] = b"-----END ";
    let begins = memchr::memmem::find_iter(pem, BEGIN).collect::<Vec<_>>();
    begins.into_iter().filter_map(move |at| {
        let block = pem.get(at..)?;
        let body = block.get(memchr::memchr(b'\n', block)?..)?;
        Some(body.get(..memchr::memmem::find(body, END)?)?.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(body: &str) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn only_a_directory_that_holds_all_stands_in_for_a_bundle() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let bundle = path("bundle.crt");
        fs::write(&bundle, pem("AAAA\nBBBB") + "\n# a comment\n" + &pem("CCCC")).unwrap();
        let covered = || adds_nothing(&bundle, directory.path());
        assert!(!covered());

        fs::write(path("a.pem"), pem("AAAA\nBBBB")).unwrap();
        fs::write(path("c.pem"), pem("CCCC")).unwrap();
        assert!(!covered(), "OpenSSL finds certificates by their hash only");

        fs::write(path("0123abcd.0"), pem("AAAA\nBBBB")).unwrap();
        assert!(!covered(), "one is missing");
        std::os::unix::fs::symlink("c.pem", path("89abcdef.12")).unwrap();
        assert!(covered());

        fs::write(&bundle, pem("CCCC") + &pem("DDDD")).unwrap();
        assert!(!covered(), "one was added by hand");
        fs::write(&bundle, "").unwrap();
        assert!(!covered(), "what cannot be read as certificates is left alone");
        assert!(!adds_nothing(&path("none"), directory.path()));
        assert!(!adds_nothing(&bundle, &path("none")));
    }

    #[test]
    fn a_hash_is_eight_digits_and_a_number() {
        for (name, hash) in [
            ("0123abcd.0", true),
            ("89abcdef.12", true),
            ("0123abcd", false),
            ("0123abcd.", false),
            ("0123abcd.r0", false),
            ("0123abc.0", false),
            ("0123abcx.0", false),
            ("ca.pem", false),
        ] {
            assert_eq!(is_hash(name), hash, "{name}");
        }
    }
}
