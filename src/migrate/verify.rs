//! Whether every message that was to go stands in the target: a pure comparison of the ledger with what is found there.

use super::At;
use crate::mail::Content;
use crate::retrieve::Pool;
use crate::state::{Finding, Row, RowId};
use std::collections::{HashMap, HashSet};
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

/// What the target has, as a check found it.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// UIDVALIDITY of the folder.
    pub uidvalidity: Option<u32>,
    /// Each message.
    pub messages: Vec<(At, Content)>,
}

impl Found {
    /// Without what stands for other messages: each takes what stands at its place, or where it has none, what has its content.
    #[must_use]
    pub fn without(mut self, taken: &[(At, Content)]) -> Found {
        let (placed, others): (Vec<_>, Vec<_>) = taken.iter().partition(|(at, _)| at.uid.is_some());
        let placed: HashSet<At> = placed.iter().map(|(at, _)| *at).collect();
        let mut others = Pool::new(others.iter().map(|(_, content)| (content.digest, ())));
        self.messages.retain(|(at, content)| !placed.contains(at) && others.take(&content.digest).is_none());
        self
    }
}

/// What became of the messages that were to go.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Found, each at its place.
    pub stand: Vec<(RowId, At)>,
    /// Not found, though an earlier check did: removed in the target since.
    pub removed: Vec<RowId>,
    /// Not found now, and never before; or in a folder that another one has taken the place of.
    pub missing: u64,
}

/// What the target has, to be taken once each.
struct Free<'f> {
    messages: &'f [(At, Content)],
    free: Vec<bool>,
}

impl<'f> Free<'f> {
    fn new(found: &'f Found) -> Free<'f> {
        Free { messages: &found.messages, free: vec![true; found.messages.len()] }
    }

    fn pool<K: Eq + Hash>(&self, key: impl Fn(&Content) -> K) -> Pool<K, usize> {
        let is_free = |at: &usize| self.free.get(*at).copied().unwrap_or_default();
        let messages = self.messages.iter().enumerate().filter(|(at, _)| is_free(at));
        Pool::new(messages.map(|(at, (_, content))| (key(content), at)))
    }

    fn take<K: Eq + Hash>(&mut self, pool: &mut Pool<K, usize>, key: &K) -> Option<&'f (At, Content)> {
        self.messages.get(pool.take_free(key, &mut self.free)?)
    }
}

/// Finds what stands for a row.
type Take<'t> = dyn for<'f> FnMut(&mut Free<'f>, &Row) -> Option<&'f (At, Content)> + 't;

/// Holds the rows against what was found: a message found there stands for one row, one of the same digest, or else one of the
/// same header and size. `before` is what earlier checks found.
pub fn by_header(rows: &[Row], found: &Found, before: &HashMap<RowId, Finding>) -> Checked {
    let (mut free, mut checked) = (Free::new(found), Checked::default());
    let mut open: Vec<&Row> = rows.iter().collect();
    let mut stand = |open: &mut Vec<&Row>, free: &mut Free<'_>, take: &mut Take<'_>| {
        open.retain(|row| match take(free, row) {
            Some((at, _)) => {
                checked.stand.push((row.id, *at));
                false
            }
            None => true,
        });
    };
    // One pool after the other, for they are large.
    let mut by_digest = free.pool(|c| c.digest);
    stand(&mut open, &mut free, &mut |free, row| free.take(&mut by_digest, &row.digest));
    drop(by_digest);
    if !open.is_empty() {
        let mut by_inferred = free.pool(|c| c.inferred().map_or(c.digest, |i| i.digest));
        stand(&mut open, &mut free, &mut |free, row| free.take(&mut by_inferred, &row.inferred()?));
    }
    if !open.is_empty() {
        let mut by_traits = free.pool(|c| (c.fingerprint, c.wire_size));
        stand(&mut open, &mut free, &mut |free, row| free.take(&mut by_traits, &(row.fingerprint, row.wire_size)));
    }
    for row in open {
        match was_there(before.get(&row.id), found) {
            true => checked.removed.push(row.id),
            false => checked.missing += 1,
        }
    }
    checked
}

/// Holds the messages of the source, octet by octet, against what was found. A message found there stands for one of them; one
/// that the target has no longer was removed only if nothing of its header and size is left there, which would be a damaged one.
pub fn by_content(source: &[Content], rows: &[Row], found: &Found, before: &HashMap<RowId, Finding>) -> Checked {
    let (mut free, mut checked) = (Free::new(found), Checked::default());
    let mut by_digest = free.pool(|c| c.digest);
    let (mut stand, mut open) = (Vec::new(), Vec::new());
    for content in source {
        match free.take(&mut by_digest, &content.digest) {
            Some((at, _)) => stand.push((content.digest, *at)),
            None => open.push(content),
        }
    }
    let mut stand = Pool::new(stand.into_iter());
    let mut absent = Vec::new();
    for row in rows {
        match stand.take(&row.digest) {
            Some(at) => checked.stand.push((row.id, at)),
            None => absent.push(row),
        }
    }
    absent.retain(|row| was_there(before.get(&row.id), found));
    let mut absent = Pool::new(absent.into_iter().map(|row| (row.digest, row.id)));
    let mut by_traits = free.pool(|c| (c.fingerprint, c.wire_size));
    for content in open {
        let is_damaged = free.take(&mut by_traits, &(content.fingerprint, content.wire_size)).is_some();
        match absent.take(&content.digest).filter(|_| !is_damaged) {
            Some(row) => checked.removed.push(row),
            None => checked.missing += 1,
        }
    }
    checked
}

/// Whether an earlier check found a message in the very folder that was looked at now.
fn was_there(before: Option<&Finding>, found: &Found) -> bool {
    match before {
        Some(Finding::Removed) => true,
        Some(Finding::Stands { at, .. }) => !At::of_text(at).is_elsewhere(found.uidvalidity),
        None => false,
    }
}

impl Checked {
    /// What the ledger has to learn of it.
    pub fn news(&self, by_content: bool, before: &HashMap<RowId, Finding>) -> Vec<(RowId, Finding)> {
        let stands = self.stand.iter().map(|(row, at)| {
            let at = at.to_text();
            // What was compared is so for as long as it is the same message.
            let known = matches!(before.get(row), Some(Finding::Stands { at: known, compared: true }) if *known == at);
            (*row, Finding::Stands { compared: by_content || (known && !at.is_empty()), at })
        });
        let removed = self.removed.iter().map(|row| (*row, Finding::Removed));
        stands.chain(removed).filter(|(row, finding)| before.get(row) != Some(finding)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Digest, Fingerprint};
    use crate::state::Status;

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

    fn at(uid: u32) -> At {
        At { uidvalidity: Some(7), uid: Some((uid, 10)) }
    }

    fn found(contents: &[Content]) -> Found {
        Found { uidvalidity: Some(7), messages: (1..).map(at).zip(contents.iter().copied()).collect() }
    }

    fn rows(contents: &[Content]) -> Vec<Row> {
        (1..).zip(contents).map(|(id, c)| row(id, *c)).collect()
    }

    #[test]
    fn each_message_found_stands_for_one() {
        let inferred = |n, size| content(n, size, 0).inferred().unwrap();
        let weak = |digest| Content { fingerprint: Fingerprint::of_header(b"Subject: x\n\n"), ..content(1, 5, digest) };
        for (contents, there, expected, otherwise) in [
            (vec![content(1, 10, 1)], vec![content(1, 10, 1)], 0, 0),
            (vec![content(1, 10, 1), content(1, 10, 1)], vec![content(1, 10, 1)], 1, 1),
            (vec![content(1, 10, 1)], vec![inferred(1, 10)], 0, 1),
            (vec![content(1, 10, 1)], vec![inferred(1, 11)], 1, 1),
            (vec![content(1, 10, 1)], vec![content(1, 10, 2)], 0, 1),
            (vec![inferred(1, 10)], vec![content(1, 10, 2)], 0, 1),
            // The one of equal content is not taken for another.
            (vec![content(1, 10, 1), content(1, 10, 2)], vec![content(1, 10, 2), content(1, 10, 3)], 0, 1),
            (vec![weak(1), weak(2)], vec![weak(2), weak(3)], 0, 1),
        ] {
            let (rows, found, before) = (rows(&contents), found(&there), HashMap::new());
            assert_eq!(by_content(&contents, &rows, &found, &before).missing, otherwise, "{contents:?} {found:?}");
            let checked = by_header(&rows, &found, &before);
            assert_eq!((checked.missing, checked.stand.len()), (expected, rows.len() - expected as usize), "{rows:?}");
        }
    }

    #[test]
    fn what_was_there_once_was_removed_since() {
        let contents = [content(1, 10, 1), content(2, 10, 2), content(3, 10, 3), content(4, 10, 4)];
        let (rows, there) = (rows(&contents), found(&contents[..1]));
        let stands = |uidvalidity: u32| Finding::Stands { at: format!("{uidvalidity}:9+10"), compared: true };
        // The second was seen in this folder, the third in one that stood there before it, the fourth never.
        let mut before = HashMap::from([(RowId(1), stands(7)), (RowId(2), stands(7)), (RowId(3), stands(6))]);
        for checked in [by_header(&rows, &there, &before), by_content(&contents, &rows, &there, &before)] {
            assert_eq!((checked.stand, checked.removed, checked.missing), (vec![(RowId(1), at(1))], vec![RowId(2)], 2));
        }
        // What is removed stays removed, whatever folder it was; and it may come back.
        before.extend([(RowId(2), Finding::Removed), (RowId(3), Finding::Removed)]);
        let there = Found { uidvalidity: Some(8), ..found(&contents[..2]) };
        let checked = by_header(&rows, &there, &before);
        assert_eq!((checked.stand.len(), checked.removed, checked.missing), (2, vec![RowId(3)], 1));
        // A damaged one stands there: that is not a removal.
        let damaged = found(&[content(2, 10, 9)]);
        let before = HashMap::from([(RowId(1), stands(7)), (RowId(2), stands(7))]);
        let checked = by_content(&contents[..2], &rows[..2], &damaged, &before);
        assert_eq!((checked.removed, checked.missing), (vec![RowId(1)], 1));
    }

    #[test]
    fn what_stands_for_messages_of_another_folder_stands_for_none_of_this_one() {
        let twins = [content(1, 10, 1), content(1, 10, 1), content(2, 10, 2)];
        let (rows, nowhere) =
            (rows(&twins[..1]), Found { uidvalidity: None, messages: vec![(At::default(), twins[0])] });
        for (found, taken, missing) in [
            (found(&twins), vec![(at(1), twins[0])], 0),
            (found(&twins), vec![(at(1), twins[0]), (at(2), twins[0])], 1),
            (found(&twins), vec![(At { uidvalidity: Some(6), uid: Some((1, 10)) }, twins[0]), (at(2), twins[0])], 0),
            (nowhere.clone(), vec![(At::default(), twins[2])], 0),
            (nowhere, vec![(At::default(), twins[0])], 1),
        ] {
            let left = found.without(&taken);
            assert_eq!(by_header(&rows, &left, &HashMap::new()).missing, missing, "{taken:?}");
            assert_eq!(by_content(&twins[..1], &rows, &left, &HashMap::new()).missing, missing, "{taken:?}");
        }
    }

    #[test]
    fn the_ledger_learns_what_changed() {
        let stands = |at: &str, compared| Finding::Stands { at: at.to_owned(), compared };
        let checked =
            Checked { stand: vec![(RowId(1), at(1)), (RowId(2), at(2))], removed: vec![RowId(3)], missing: 0 };
        let before = HashMap::from([(RowId(1), stands("7:1+10", true)), (RowId(2), stands("7:9+10", true))]);
        let by_header = [(RowId(2), stands("7:2+10", false)), (RowId(3), Finding::Removed)];
        assert_eq!(checked.news(false, &before), by_header);
        let by_content = [(RowId(2), stands("7:2+10", true)), (RowId(3), Finding::Removed)];
        assert_eq!(checked.news(true, &before), by_content);
        // Where nothing is known of its place, it is never taken for compared by header alone.
        let nowhere = Checked { stand: vec![(RowId(1), At::default())], ..Checked::default() };
        let before = HashMap::from([(RowId(1), stands("", true))]);
        assert_eq!(nowhere.news(false, &before), [(RowId(1), stands("", false))]);
    }
}
