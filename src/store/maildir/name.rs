//! File names that no two deliveries share.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A new unique name by the rules of Maildir, without an info part: `SECONDS.M…P…Q…R….HOST`, where M is microseconds, P the
/// process, Q a count within it and R 64 random bits.
pub(super) fn unique(host: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!(
        "{}.M{}P{}Q{}R{:016x}.{host}",
        now.as_secs(),
        now.subsec_micros(),
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed),
        rand::random::<u64>(),
    )
}

/// The name of this machine as it may stand in a file name.
pub(super) fn host() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().replace('/', "\\057").replace(':', "\\072")
}

/// Whether a name is one of [`unique`], of any process and machine.
pub(super) fn is_ours(name: &OsStr) -> bool {
    let mut parts = name.to_str().unwrap_or_default().splitn(3, '.');
    let (Some(seconds), Some(middle), Some(_)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let fields = || {
        let (micros, rest) = middle.strip_prefix('M')?.split_once('P')?;
        let (process, rest) = rest.split_once('Q')?;
        let (count, random) = rest.split_once('R')?;
        Some(number(micros) && number(process) && number(count) && is_hex64(random))
    };
    number(seconds) && fields() == Some(true)
}

fn is_hex64(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A message's name without its info part, which every mail reader may change.
pub(super) fn base(name: &OsStr) -> &[u8] {
    name.as_bytes().split(|b| *b == b':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_known_again() {
        let names: BTreeSet<_> = (0..1000).map(|_| unique("host.example")).collect();
        assert_eq!(names.len(), 1000);
        assert!(
            names
                .iter()
                .all(|n| is_ours(n.as_ref()) && base(n.as_ref()) == n.as_bytes() && n.ends_with(".host.example"))
        );
        assert!(!host().contains(['/', ':']));
    }

    #[test]
    fn names_of_others_are_not_ours() {
        for name in [
            "1700000000.M1P2Q3.host",
            "1700000000.M1P2Q3R0a1b.host",
            "1700000000.1234_5.host",
            "1700000000.M1P2Q3R0123456789ABCDEF.host",
            "x.M1P2Q3R0123456789abcdef.host",
            "1700000000.M1PQ3R0123456789abcdef.host",
            "1700000000.M1P2Q3R0123456789abcdef",
            "",
        ] {
            assert!(!is_ours(name.as_ref()), "{name}");
        }
        assert!(is_ours("1700000000.M1P2Q3R0123456789abcdef.h".as_ref()));
    }

    #[test]
    fn the_info_part_is_not_of_the_base() {
        assert_eq!(base("1.x.host:2,FS".as_ref()), b"1.x.host");
        assert_eq!(base("1.x.host:2,:a".as_ref()), b"1.x.host");
    }
}
