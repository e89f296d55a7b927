//! What stands in a store already when a folder is pulled into it for the first time.

use super::pairing::Pool;
use super::pull::Job;
use super::select::Plan;
use crate::error::Result;
use crate::mail::{Content, Digest};
use crate::state::Row;
use crate::store::Store;
use std::collections::HashSet;

impl Job {
    /// What a fetched message may turn out to be. Where one of equal header and size is fetched, the store's is read first: its
    /// header may be all that is known of it.
    pub(super) fn suspects<S: Store>(&self, plan: &Plan<'_>, store: &S) -> Result<Vec<Row>> {
        let mut suspects: Vec<Row> = plan.suspects.iter().map(|row| (*row).clone()).collect();
        let is_unread = |row: &&Row| plan.alike.contains(&row.id) && row.inferred() == Some(row.digest);
        let unread: HashSet<Digest> = suspects.iter().filter(is_unread).map(|row| row.digest).collect();
        if unread.is_empty() {
            return Ok(suspects);
        }
        let mut read = Pool::new(store.behind(&unread)?.into_iter());
        let mut learned = Vec::new();
        // One that is no longer there is nothing that could be recognised.
        suspects.retain_mut(|row| match read.take(&row.digest) {
            Some(content) => {
                learned.push((row.id, content.digest));
                row.digest = content.digest;
                true
            }
            None => !unread.contains(&row.digest),
        });
        self.ledger().learn(&learned)?;
        crate::fault::point();
        Ok(suspects)
    }

    /// What stands in the store, but for what came from the folders [beside](Job::beside) this one.
    pub(super) fn without_others(&self, stored: Vec<Content>) -> Result<Vec<Content>> {
        let mut others = Vec::new();
        for name in &self.beside {
            let ledger = self.ledger();
            let Some(folder) = ledger.folder(name)? else { continue };
            others.extend(ledger.rows(folder.id)?.into_iter().filter(Row::is_of_source));
        }
        Ok(without(stored, &others))
    }
}

/// The contents for which none of the rows stands: each row stands for one, of equal content if there is one, else of equal
/// header and size.
fn without(stored: Vec<Content>, others: &[Row]) -> Vec<Content> {
    let mut free = vec![true; stored.len()];
    let mut open: Vec<&Row> = others.iter().collect();
    let mut by_digest = Pool::new(stored.iter().enumerate().map(|(at, c)| (c.digest, at)));
    open.retain(|row| by_digest.take_free(&row.digest, &mut free).is_none());
    let mut by_traits = Pool::new(stored.iter().enumerate().map(|(at, c)| ((c.fingerprint, c.wire_size), at)));
    open.retain(|row| by_traits.take_free(&(row.fingerprint, row.wire_size), &mut free).is_none());
    stored.into_iter().zip(free).filter(|(_, free)| *free).map(|(content, _)| content).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Fingerprint, Key};
    use crate::retrieve::select::{Basis, compare};
    use crate::retrieve::{Handle, Keep, Listed, Policy};
    use crate::state::{RowId, Status};
    use std::collections::HashMap;

    fn content(n: u8, digest: u8) -> Content {
        let fingerprint = Fingerprint::of_header(format!("Message-ID: <{n}>\n\n").as_bytes());
        Content::known(10, Digest([digest; 32]), fingerprint)
    }

    fn row(content: Content) -> Row {
        Row {
            id: RowId(1),
            key: None,
            listed_size: Some(10),
            wire_size: content.wire_size,
            digest: content.digest,
            fingerprint: content.fingerprint,
            status: Status::Delivered,
            first_seen: 0,
            missing_since: None,
        }
    }

    #[test]
    fn header_and_size_are_too_little_for_what_the_store_had() {
        let policy = Policy { keep: Keep::Always, folders: Vec::new(), max_size: None };
        let basis =
            Basis { in_doubt: false, sizes_believed: true, firm_keys: true, by_content: true, policy: &policy, now: 0 };
        let own = |n: u8| Row { id: RowId(n.into()), listed_size: None, ..row(content(n, n)) };
        let listing = [(1, "a", 10), (2, "b", 10), (3, "c", 30)];
        let listing =
            listing.map(|(n, key, size)| Listed { handle: Handle(n), key: Some(Key::new(key)), size: Some(size) });
        for (rows, prints, fetched, alike) in [
            // Two messages of one header and size, and one such in the store: which of them it is, only its content tells.
            (vec![own(1)], &[(1, 1), (2, 1), (3, 3)][..], &[1, 2, 3][..], &[1][..]),
            (vec![own(1), own(9)], &[(1, 1), (2, 2), (3, 3)], &[1, 2, 3], &[1]),
            // Without headers, the size has to do.
            (vec![own(1), Row { wire_size: 11, ..own(9) }], &[], &[1, 2, 3], &[1]),
            // What was paired once is known.
            (vec![Row { listed_size: Some(10), ..own(1) }], &[(1, 1), (2, 2), (3, 3)], &[2, 3], &[]),
        ] {
            let prints = prints.iter().map(|(h, n)| (Handle(*h), content(*n, 0).fingerprint)).collect();
            let plan = compare(&listing, &rows, basis).plan(&prints, &HashMap::new());
            assert_eq!(plan.fetch.iter().map(|l| l.handle.0).collect::<Vec<_>>(), fetched, "{rows:?}");
            assert_eq!(plan.alike, alike.iter().map(|n| RowId(*n)).collect(), "{rows:?}");
        }
    }

    #[test]
    fn what_is_anothers_is_left_out() {
        let inferred = content(1, 0).inferred().unwrap();
        for (stored, others, left) in [
            (vec![content(1, 1), content(1, 1)], vec![content(1, 1)], vec![content(1, 1)]),
            (vec![content(1, 1), content(2, 2)], vec![content(2, 2), content(3, 3)], vec![content(1, 1)]),
            (vec![inferred], vec![content(1, 7)], vec![]),
            // The one of equal content first, whatever the order.
            (vec![content(1, 1), content(1, 2)], vec![content(1, 2)], vec![content(1, 1)]),
            (vec![content(1, 1), content(1, 2)], vec![content(1, 3), content(1, 1)], vec![]),
        ] {
            let rows: Vec<Row> = others.into_iter().map(row).collect();
            assert_eq!(without(stored.clone(), &rows), left, "{stored:?} {rows:?}");
        }
    }
}
