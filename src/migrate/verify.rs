//! Whether every message that was to go stands in the target: a pure comparison of the ledger with what is found there.

use crate::mail::Content;
use crate::retrieve::Pool;
use crate::state::Row;
use std::hash::Hash;

/// What a look at the target showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// Messages of the source that are to stand there.
    pub expected: u64,
    /// Of these, not found.
    pub missing: u64,
    /// By the digests of all bytes, not by header and size.
    pub by_content: bool,
}

/// How many of these messages of the source do not stand in the target, octet by octet. A message found there stands for one.
pub fn missing_contents(source: &[Content], found: &[Content]) -> usize {
    let mut free = vec![true; found.len()];
    let mut by_digest = places(found, |c| c.digest);
    source.iter().filter(|c| !by_digest.take_free(&c.digest, &mut free)).count()
}

/// The rows whose messages do not stand in the target. A message found there stands for one row: one of the same digest, or
/// else one of the same header and size.
pub fn missing<'r>(rows: &'r [Row], found: &[Content]) -> Vec<&'r Row> {
    let mut free = vec![true; found.len()];
    let mut open: Vec<&Row> = rows.iter().collect();
    let mut by_digest = places(found, |c| c.digest);
    open.retain(|row| !by_digest.take_free(&row.digest, &mut free));
    let mut by_inferred = places(found, |c| c.inferred().map_or(c.digest, |i| i.digest));
    open.retain(|row| row.inferred().is_none_or(|digest| !by_inferred.take_free(&digest, &mut free)));
    let mut by_traits = places(found, |c| (c.fingerprint, c.wire_size));
    open.retain(|row| !by_traits.take_free(&(row.fingerprint, row.wire_size), &mut free));
    open
}

fn places<K: Eq + Hash>(found: &[Content], key: impl Fn(&Content) -> K) -> Pool<K, usize> {
    Pool::new(found.iter().enumerate().map(|(at, content)| (key(content), at)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Digest, Fingerprint};
    use crate::state::{RowId, Status};

    fn print(n: u8) -> Fingerprint {
        Fingerprint::of_header(format!("Message-ID: <{n}>\n\n").as_bytes())
    }

    fn content(n: u8, size: u64, digest: u8) -> Content {
        Content::known(size, Digest([digest; 32]), print(n))
    }

    fn row(id: i64, content: Content) -> Row {
        Row {
            id: RowId(id),
            key: None,
            listed_size: None,
            wire_size: content.wire_size,
            digest: content.digest,
            fingerprint: content.fingerprint,
            status: Status::Delivered,
            first_seen: 0,
            missing_since: None,
        }
    }

    #[test]
    fn each_message_found_stands_for_one() {
        let inferred = |n, size| content(n, size, 0).inferred().unwrap();
        let weak = |digest| Content { fingerprint: Fingerprint::of_header(b"Subject: x\n\n"), ..content(1, 5, digest) };
        for (contents, found, expected, otherwise) in [
            (vec![content(1, 10, 1)], vec![content(1, 10, 1)], vec![], 0),
            (vec![content(1, 10, 1), content(1, 10, 1)], vec![content(1, 10, 1)], vec![2], 1),
            (vec![content(1, 10, 1)], vec![inferred(1, 10)], vec![], 1),
            (vec![content(1, 10, 1)], vec![inferred(1, 11)], vec![1], 1),
            (vec![content(1, 10, 1)], vec![content(1, 10, 2)], vec![], 1),
            (vec![inferred(1, 10)], vec![content(1, 10, 2)], vec![], 1),
            // The one of equal content is not taken for another.
            (vec![content(1, 10, 1), content(1, 10, 2)], vec![content(1, 10, 2), content(1, 10, 3)], vec![], 1),
            (vec![weak(1), weak(2)], vec![weak(2), weak(3)], vec![], 1),
        ] {
            assert_eq!(missing_contents(&contents, &found), otherwise, "{contents:?} {found:?}");
            let rows: Vec<Row> = (1..).zip(contents).map(|(id, c)| row(id, c)).collect();
            let ids: Vec<i64> = missing(&rows, &found).iter().map(|r| r.id.0).collect();
            assert_eq!(ids, expected, "{rows:?} {found:?}");
        }
    }
}
