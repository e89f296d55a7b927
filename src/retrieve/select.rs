//! What is to be done with every message of a listing: a pure function of listing, ledger and policy, in three steps.
//!
//! [`compare`] knows messages by name. [`Comparison::pair`] recognises others by fingerprint. [`Comparison::plan`] decides.
//!
//! A name alone never has a message deleted that was not fetched in the same session: POP3 servers give names twice, so
//! such a message is first compared with what is here, like one whose name is unknown.

use super::pairing::{Candidate, Origin, by_fingerprint};
use super::{Handle, Keep, Key, Listed, Policy};
use crate::mail::Fingerprint;
use crate::state::{Paired, Row, RowId, Status};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What the decisions rest on besides listing and ledger.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// The ledger's names are of the scope that the server is in now.
    pub scope_holds: bool,
    /// Names cannot be given twice; see [`Abilities::firm_keys`](super::Abilities::firm_keys).
    pub firm_keys: bool,
    /// What the owner wants.
    pub policy: &'a Policy,
    /// Seconds since 1970 UTC.
    pub now: i64,
}

impl Basis<'_> {
    /// Whether a message first seen then is to leave the server now.
    pub fn is_due(&self, first_seen: i64) -> bool {
        match self.policy.keep {
            Keep::Always => false,
            Keep::Never => true,
            Keep::For(time) => self.now.saturating_sub(first_seen) >= i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        }
    }
}

/// A listing held against the ledger.
#[derive(Debug)]
pub struct Comparison<'a> {
    basis: Basis<'a>,
    rows: &'a [Row],
    /// Messages known by name, each with its row.
    known: Vec<(&'a Listed, &'a Row)>,
    /// Messages not known by name, in the order of the listing.
    pub unknown: Vec<&'a Listed>,
    /// What an unknown message may turn out to be.
    pub candidates: Vec<Candidate>,
}

/// Holds a listing against the ledger by name.
pub fn compare<'a>(listing: &'a [Listed], rows: &'a [Row], basis: Basis<'a>) -> Comparison<'a> {
    let by_key: HashMap<&Key, &Row> = match basis.scope_holds {
        true => rows.iter().filter_map(|r| Some((r.key.as_ref()?, r))).collect(),
        false => HashMap::new(),
    };
    let named = |l: &Listed| l.key.as_ref().and_then(|k| by_key.get(k).copied());
    let certain = |l: &Listed, r: &Row| {
        basis.firm_keys || (r.status == Status::Delivered && sizes_agree(l, r) && !basis.is_due(r.first_seen))
    };
    let mut doubtful = HashSet::new();
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for listed in listing {
        match named(listed) {
            Some(row) if certain(listed, row) => known.push((listed, row)),
            Some(row) => {
                doubtful.insert(row.id);
                unknown.push(listed);
            }
            None => unknown.push(listed),
        }
    }
    let taken: HashSet<RowId> = known.iter().map(|(_, r)| r.id).collect();
    // Names that fail altogether put every message in doubt that was there last time.
    let all_new = known.is_empty() && doubtful.is_empty() && !unknown.is_empty();
    let names_fail = !basis.scope_holds || all_new || listing.iter().any(|l| l.key.is_none());
    let candidates = rows
        .iter()
        .filter(|r| !taken.contains(&r.id))
        .filter(|r| doubtful.contains(&r.id) || (r.missing_since.is_none() && (names_fail || r.key.is_none())))
        .map(Candidate::of_row)
        .collect();
    Comparison { basis, rows, known, unknown, candidates }
}

fn sizes_agree(listed: &Listed, row: &Row) -> bool {
    match (listed.size, row.listed_size) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

/// A message on the server that is here already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Had {
    /// How to ask for it.
    pub handle: Handle,
    /// Its row.
    pub row: RowId,
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// How many of the listed messages are here already.
    pub had: usize,
    /// To be fetched, oldest first; those that failed before come last.
    pub fetch: Vec<&'a Listed>,
    /// Larger than the policy allows.
    pub too_large: Vec<&'a Listed>,
    /// Here, and to leave the server.
    pub delete: Vec<Had>,
    /// Rows to be given the names that the server uses now.
    pub rekey: Vec<Paired>,
    /// Messages recognised in the store that the ledger does not know yet.
    pub adopt: Vec<(&'a Listed, Candidate)>,
    /// What a fetched message may still turn out to be, by content.
    pub suspects: Vec<Candidate>,
    /// Rows that the listing lacks.
    pub missing: Vec<RowId>,
    /// Rows that it has again.
    pub back: Vec<RowId>,
}

impl<'a> Comparison<'a> {
    /// Decides, with the fingerprints that were to be had.
    pub fn plan(self, prints: &BTreeMap<Handle, Fingerprint>, failed_before: &HashSet<Key>) -> Plan<'a> {
        let rows: HashMap<RowId, &Row> = self.rows.iter().map(|r| (r.id, r)).collect();
        let due = |origin: Origin| match origin {
            Origin::Row(id) => rows.get(&id).is_some_and(|r| self.basis.is_due(r.first_seen)),
            Origin::Stored => self.basis.is_due(self.basis.now),
        };
        let asked: Vec<_> = self.unknown.iter().map(|l| (*l, prints.get(&l.handle).copied())).collect();
        let pairs = by_fingerprint(&asked, &self.candidates, |c| !due(c.origin));

        let mut plan = Plan::default();
        let mut present = HashSet::new();
        for (listed, row) in &self.known {
            present.insert(row.id);
            plan.had += 1;
            if self.basis.is_due(row.first_seen) {
                plan.delete.push(Had { handle: listed.handle, row: row.id });
            }
            if row.missing_since.is_some() {
                plan.back.push(row.id);
            }
        }
        let mut free: Vec<Option<Candidate>> = self.candidates.into_iter().map(Some).collect();
        let mut again = Vec::new();
        for (listed, pair) in self.unknown.iter().zip(pairs) {
            match pair.and_then(|i| free.get_mut(i)?.take()) {
                Some(candidate) => {
                    plan.had += 1;
                    match candidate.origin {
                        Origin::Row(row) => {
                            present.insert(row);
                            if due(candidate.origin) {
                                plan.delete.push(Had { handle: listed.handle, row });
                            }
                            plan.rekey.push(Paired { row, key: listed.key.clone(), listed_size: listed.size });
                        }
                        Origin::Stored => plan.adopt.push((listed, candidate)),
                    }
                }
                None if listed.size > self.basis.policy.max_size.or(Some(u64::MAX)) => plan.too_large.push(listed),
                None if listed.key.as_ref().is_some_and(|k| failed_before.contains(k)) => again.push(*listed),
                None => plan.fetch.push(listed),
            }
        }
        plan.fetch.append(&mut again);
        plan.suspects = free.into_iter().flatten().collect();
        let suspected: HashSet<Origin> = plan.suspects.iter().map(|c| c.origin).collect();
        plan.missing = (self.rows.iter())
            .filter(|r| !present.contains(&r.id) && !suspected.contains(&Origin::Row(r.id)))
            .filter(|r| r.missing_since.is_none() || r.status == Status::DeleteSent)
            .map(|r| r.id)
            .collect();
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Digest;
    use std::time::Duration;

    const DAY: i64 = 86_400;

    /// Message `n`, known to the ledger as `key`, of `size` octets, first seen on day `seen`.
    fn row(n: u8, key: Option<&str>, size: u64, status: Status, seen: i64) -> Row {
        Row {
            id: RowId(n.into()),
            key: key.map(|k| Key(k.into())),
            listed_size: Some(size),
            wire_size: size,
            digest: Digest([n; 32]),
            fingerprint: print(n),
            status,
            first_seen: seen * DAY,
            missing_since: None,
        }
    }

    fn print(n: u8) -> Fingerprint {
        Fingerprint::of_header(format!("Message-ID: <{n}>\n\n").as_bytes())
    }

    fn listed(handle: u32, key: Option<&str>, size: u64) -> Listed {
        Listed { handle: Handle(handle), key: key.map(|k| Key(k.into())), size: Some(size) }
    }

    /// One line that says everything about a plan.
    fn plan(rows: &[Row], listing: &[Listed], policy: Keep, prints: &[(u32, u8)], held: bool, firm: bool) -> String {
        let policy = Policy { keep: policy, folders: Vec::new(), max_size: Some(1000) };
        let basis = Basis { scope_holds: held, firm_keys: firm, policy: &policy, now: 100 * DAY };
        let prints = prints.iter().map(|(h, n)| (Handle(*h), print(*n))).collect();
        let failed = HashSet::from([Key(b"failed".to_vec())]);
        let plan = compare(listing, rows, basis).plan(&prints, &failed);
        let handles = |v: &[&Listed]| v.iter().map(|l| l.handle.0.to_string()).collect::<Vec<_>>().join(",");
        let ids = |v: Vec<i64>| v.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        [
            ("had", plan.had.to_string()),
            ("fetch", handles(&plan.fetch)),
            ("large", handles(&plan.too_large)),
            ("delete", ids(plan.delete.iter().map(|h| h.row.0).collect())),
            ("rekey", ids(plan.rekey.iter().map(|p| p.row.0).collect())),
            ("suspect", ids(plan.suspects.iter().filter_map(|c| c.row()).map(|r| r.0).collect())),
            ("missing", ids(plan.missing.iter().map(|r| r.0).collect())),
            ("back", ids(plan.back.iter().map(|r| r.0).collect())),
        ]
        .iter()
        .filter(|(_, v)| !v.is_empty() && v != "0")
        .map(|(k, v)| format!("{k} {v}"))
        .collect::<Vec<_>>()
        .join("; ")
    }

    #[test]
    fn names_that_hold() {
        use Status::{DeleteSent, Delivered};
        let a = || row(1, Some("a"), 10, Delivered, 90);
        let b = || row(2, Some("b"), 20, Delivered, 50);
        let keep = Keep::Always;
        let is = |rows: &[Row], listing: &[Listed], keep, prints: &[(u32, u8)], expected: &str| {
            assert_eq!(plan(rows, listing, keep, prints, true, false), expected);
        };
        is(&[], &[listed(1, Some("a"), 10)], keep, &[], "fetch 1");
        is(&[a(), b()], &[listed(1, Some("a"), 10), listed(2, Some("c"), 30)], keep, &[], "had 1; fetch 2; missing 2");
        is(&[a()], &[listed(1, Some("a"), 10), listed(2, Some("big"), 1001)], keep, &[], "had 1; large 2");
        let again = [listed(1, Some("failed"), 5), listed(2, Some("n"), 5), listed(3, Some("a"), 10)];
        is(&[a()], &again, keep, &[], "had 1; fetch 2,1");
        let gone = Row { missing_since: Some(1), ..a() };
        is(&[gone], &[listed(1, Some("a"), 10)], keep, &[], "had 1; back 1");
        // A name given to another message: the size tells, or the fingerprint.
        let reused = [listed(1, Some("a"), 11), listed(2, Some("b"), 20)];
        is(&[a(), b()], &reused, keep, &[(1, 9)], "had 1; fetch 1; suspect 1");
        let pending = row(1, Some("a"), 10, DeleteSent, 90);
        is(
            &[pending.clone(), b()],
            &[listed(1, Some("a"), 10), listed(2, Some("b"), 20)],
            keep,
            &[(1, 9)],
            "had 1; fetch 1; suspect 1",
        );
        // The same message again after a lost QUIT.
        is(
            std::slice::from_ref(&pending),
            &[listed(1, Some("a"), 10)],
            Keep::Never,
            &[(1, 1)],
            "had 1; delete 1; rekey 1",
        );
        // Its deletion is confirmed by a listing without it.
        is(&[pending, b()], &[listed(2, Some("b"), 20)], keep, &[], "had 1; missing 1");
    }

    #[test]
    fn what_is_due_is_recognised_before_it_is_deleted() {
        let old = row(1, Some("a"), 10, Status::Delivered, 50);
        let young = row(2, Some("b"), 20, Status::Delivered, 99);
        let month = Keep::For(Duration::from_secs(30 * 86_400));
        let listing = [listed(1, Some("a"), 10), listed(2, Some("b"), 20)];
        let rows = [old, young];
        assert_eq!(plan(&rows, &listing, month, &[(1, 1)], true, false), "had 2; delete 1; rekey 1");
        assert_eq!(plan(&rows, &listing, month, &[(1, 9)], true, false), "had 1; fetch 1; suspect 1");
        assert_eq!(plan(&rows, &listing, month, &[], true, false), "had 1; fetch 1; suspect 1");
        assert_eq!(plan(&rows, &listing, month, &[], true, true), "had 2; delete 1");
        assert_eq!(plan(&rows, &listing, Keep::Never, &[(1, 1), (2, 2)], true, false), "had 2; delete 1,2; rekey 1,2");
    }

    #[test]
    fn names_that_fail() {
        let rows = [row(1, Some("a"), 10, Status::Delivered, 90), row(2, Some("b"), 20, Status::Delivered, 90)];
        let changed = [listed(1, Some("x"), 10), listed(2, Some("y"), 20), listed(3, Some("z"), 30)];
        let prints = [(1, 1), (2, 2), (3, 3)];
        // All UIDLs changed, or the scope did.
        assert_eq!(plan(&rows, &changed, Keep::Always, &prints, true, false), "had 2; fetch 3; rekey 1,2");
        assert_eq!(plan(&rows, &changed, Keep::Always, &prints, false, true), "had 2; fetch 3; rekey 1,2");
        // Under new names only the content allows a deletion.
        assert_eq!(plan(&rows, &changed, Keep::Never, &prints, true, false), "fetch 1,2,3; suspect 1,2");
        // Only some are new: the others' names hold, so what is missing is gone.
        let mixed = [listed(1, Some("a"), 10), listed(2, Some("y"), 20)];
        assert_eq!(plan(&rows, &mixed, Keep::Always, &[(2, 2)], true, false), "had 1; fetch 2; missing 2");
        // No UIDL, or one UIDL twice.
        let nameless = [listed(1, None, 10), listed(2, None, 20), listed(3, None, 20)];
        assert_eq!(
            plan(&rows, &nameless, Keep::Always, &[(1, 1), (2, 2), (3, 2)], true, false),
            "had 2; fetch 3; rekey 1,2"
        );
        assert_eq!(plan(&rows, &nameless, Keep::Always, &[], true, false), "fetch 1,2,3; suspect 1,2");
        // A message whose deletion the server accepted is not what a new one turns out to be.
        let accepted = Row { missing_since: Some(1), ..row(1, Some("a"), 10, Status::DeleteSent, 90) };
        assert_eq!(
            plan(std::slice::from_ref(&accepted), &[listed(1, Some("n"), 10)], Keep::Never, &[(1, 1)], true, false),
            "fetch 1; missing 1"
        );
    }
}
