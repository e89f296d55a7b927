//! What is to be done with every message of a listing: a pure function of listing, ledger and policy, in two steps.
//!
//! [`compare`] knows messages by name. [`Comparison::plan`] recognises others by fingerprint, and decides.
//!
//! A name alone never has a message deleted that was not fetched in the same session: POP3 servers give names twice, so
//! such a message is first compared with what is here, like one whose name is unknown. And a few of those whose names
//! are trusted are [witnesses](Comparison::witnesses): one that is another message now has all names given up.

use super::pairing::{by_fingerprint, worth_asking};
use super::sizes::falls_short;
use super::witness::{self, Witness};
use super::{Handle, Key, Listed, Policy};
use crate::mail::Fingerprint;
use crate::state::{Paired, Row, RowId, Status};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What the decisions rest on besides listing and ledger.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// The server has given messages new names, and an earlier run did not come to the end of recognising them.
    pub in_doubt: bool,
    /// The sizes that the server states are worth something; see [`Sizes`](super::Sizes).
    pub sizes_believed: bool,
    /// Names cannot be given twice; see [`Abilities::firm_keys`](super::Abilities::firm_keys).
    pub firm_keys: bool,
    /// A message that stood in the store before the first run is known by its content alone, not by header and size.
    pub by_content: bool,
    /// What the owner wants.
    pub policy: &'a Policy,
    /// Seconds since 1970 UTC.
    pub now: i64,
}

impl Basis<'_> {
    fn is_due(&self, row: &Row) -> bool {
        let may_be_cut = self.sizes_believed && falls_short(row.listed_size, row.wire_size);
        self.policy.keep.is_due(row.first_seen, self.now) && !may_be_cut
    }

    /// Whether header and size are too little: it was found in the store, and paired with nothing of the server's yet.
    fn needs_content(&self, row: &Row) -> bool {
        self.by_content && row.key.is_none() && row.listed_size.is_none()
    }
}

/// A listing held against the ledger.
#[derive(Debug)]
pub struct Comparison<'a> {
    basis: Basis<'a>,
    rows: &'a [Row],
    /// Messages known by name, each with its row.
    known: Vec<(&'a Listed, &'a Row)>,
    /// For each row, whether it is that of a message known by name.
    taken: Vec<bool>,
    /// Messages not known by name, in the order of the listing.
    unknown: Vec<&'a Listed>,
    /// What an unknown message may turn out to be.
    candidates: Vec<&'a Row>,
    in_doubt: bool,
}

/// Holds a listing against the ledger by name.
pub fn compare<'a>(listing: &'a [Listed], rows: &'a [Row], basis: Basis<'a>) -> Comparison<'a> {
    let certain = |l: &Listed, r: &Row| {
        basis.firm_keys || (r.status == Status::Delivered && sizes_agree(l, r) && !basis.is_due(r))
    };
    let mut by_name = ByName::new(rows);
    let mut doubtful = HashSet::new();
    let (mut known, mut unknown, mut taken) = (Vec::new(), Vec::new(), vec![false; rows.len()]);
    let mut given_again = false;
    for listed in listing {
        match by_name.find(listed).and_then(|i| Some((rows.get(i)?, taken.get_mut(i)?))) {
            Some((row, taken)) if certain(listed, row) => {
                known.push((listed, row));
                *taken = true;
            }
            Some((row, _)) => {
                given_again |= !sizes_agree(listed, row);
                doubtful.insert(row.id);
                unknown.push(listed);
            }
            None => unknown.push(listed),
        }
    }
    // Names that fail put every message in doubt that was there last time: all are new, or one was given to another message.
    let all_new = known.is_empty() && doubtful.is_empty() && !unknown.is_empty();
    let renamed = all_new || given_again;
    let names_fail = basis.in_doubt || renamed || listing.iter().any(|l| l.key.is_none());
    let candidates: Vec<&Row> = (rows.iter().zip(&taken))
        .filter(|(_, taken)| !**taken)
        .map(|(row, _)| row)
        .filter(|r| doubtful.contains(&r.id) || (r.missing_since.is_none() && (names_fail || r.key.is_none())))
        .collect();
    // Rows without a name stay candidates by themselves.
    let in_doubt = basis.in_doubt || (renamed && candidates.iter().any(|r| r.key.is_some()));
    Comparison { basis, rows, known, taken, unknown, candidates, in_doubt }
}

/// Rows by name. A listing mostly comes in the order of the rows, so the next one is looked at first.
struct ByName<'a> {
    rows: &'a [Row],
    next: usize,
    index: Option<HashMap<&'a Key, usize>>,
}

impl<'a> ByName<'a> {
    fn new(rows: &'a [Row]) -> ByName<'a> {
        ByName { rows, next: 0, index: None }
    }

    fn find(&mut self, listed: &Listed) -> Option<usize> {
        let key = listed.key.as_ref()?;
        let found = match self.rows.get(self.next) {
            Some(row) if row.key.as_ref() == Some(key) => self.next,
            _ => {
                let rows = self.rows;
                let index = self.index.get_or_insert_with(|| {
                    rows.iter().enumerate().filter_map(|(i, row)| Some((row.key.as_ref()?, i))).collect()
                });
                *index.get(key)?
            }
        };
        self.next = found + 1;
        Some(found)
    }
}

fn sizes_agree(listed: &Listed, row: &Row) -> bool {
    match (listed.size, row.listed_size) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

/// Whether the server accepted the deletion, or a listing confirmed it.
fn is_deleted(row: &Row) -> bool {
    row.status == Status::Deleted || (row.status == Status::DeleteSent && row.missing_since.is_some())
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
    /// To be fetched, oldest first; those that failed before come last, and the ones that failed least often first.
    pub fetch: Vec<&'a Listed>,
    /// Larger than the policy allows.
    pub too_large: Vec<&'a Listed>,
    /// Here, and to leave the server.
    pub delete: Vec<Had>,
    /// Rows to be given the names that the server uses now.
    pub rekey: Vec<Paired>,
    /// What a fetched message may still turn out to be, by content.
    pub suspects: Vec<&'a Row>,
    /// Those of them whose header and size one of the fetched messages has, or may have.
    pub alike: HashSet<RowId>,
    /// Rows that the listing lacks.
    pub missing: Vec<RowId>,
    /// Rows that it has again.
    pub back: Vec<RowId>,
    /// Names fail until this plan has been carried out to its end.
    pub in_doubt: bool,
}

impl<'a> Plan<'a> {
    /// Whether there is nothing to do, and nothing to write down.
    pub fn is_idle(&self) -> bool {
        let Plan { had: _, fetch, too_large, delete, rekey, suspects, alike: _, missing, back, in_doubt } = self;
        let counts =
            [fetch.len(), too_large.len(), delete.len(), rekey.len(), suspects.len(), missing.len(), back.len()];
        counts == [0; 7] && !in_doubt
    }

    /// The one for a listing in which there is nothing to do.
    pub fn idle(listing: &[Listed]) -> Plan<'a> {
        Plan { had: listing.len(), ..Plan::default() }
    }
}

impl<'a> Comparison<'a> {
    /// The messages whose fingerprints may tell what they are.
    pub fn worth_asking(&self) -> Vec<Handle> {
        worth_asking(self.unknown.iter().copied(), &self.candidates).iter().map(|l| l.handle).collect()
    }

    /// Octets of the messages known by name, as the server stated them when they came; `None` where it did not for all.
    pub fn octets_listed(&self) -> Option<u64> {
        self.known.iter().try_fold(0_u64, |sum, (_, row)| sum.checked_add(row.listed_size?))
    }

    /// When the first of the messages known by name is due to leave the server.
    pub fn next_due(&self) -> Option<i64> {
        self.known.iter().filter_map(|(_, row)| self.basis.policy.keep.due(row.first_seen)).min()
    }

    /// A few messages known by name. None where names cannot be given twice.
    pub fn witnesses(&self) -> Vec<Witness> {
        if self.basis.firm_keys {
            return Vec::new();
        }
        let able = self.known.iter().filter(|(_, r)| witness::is_able(r.fingerprint));
        let able: Vec<_> = able.map(|(l, r)| (l.handle, r.fingerprint)).collect();
        witness::choose(able.len(), self.basis.now).filter_map(|i| able.get(i).copied()).collect()
    }

    /// Decides, with the fingerprints that were to be had.
    pub fn plan(self, prints: &BTreeMap<Handle, Fingerprint>, failed_before: &HashMap<Key, u32>) -> Plan<'a> {
        let basis = self.basis;
        let asked: Vec<_> = self.unknown.iter().map(|l| (*l, prints.get(&l.handle).copied())).collect();
        // What the server said it deleted is another message now, unless all of the content agrees.
        let trusted = |row: &Row, same_name: bool| !is_deleted(row) && (same_name || !basis.is_due(row));
        let pairs = by_fingerprint(&asked, &self.candidates, trusted);

        let mut plan = Plan { in_doubt: self.in_doubt, ..Plan::default() };
        let mut present = HashSet::new();
        for (listed, row) in &self.known {
            plan.had += 1;
            if basis.is_due(row) {
                plan.delete.push(Had { handle: listed.handle, row: row.id });
            }
            if row.missing_since.is_some() {
                plan.back.push(row.id);
            }
        }
        let mut free: Vec<Option<&Row>> = self.candidates.into_iter().map(Some).collect();
        let (mut again, mut headless) = (Vec::new(), HashSet::new());
        for (listed, pair) in self.unknown.iter().zip(pairs) {
            let alike = pair.and_then(|i| *free.get(i)?).filter(|row| basis.needs_content(row));
            plan.alike.extend(alike.map(|row| row.id));
            headless.extend(listed.size.filter(|_| !prints.contains_key(&listed.handle)));
            match pair.filter(|_| alike.is_none()).and_then(|i| free.get_mut(i)?.take()) {
                Some(row) => {
                    present.insert(row.id);
                    plan.had += 1;
                    if basis.is_due(row) {
                        plan.delete.push(Had { handle: listed.handle, row: row.id });
                    }
                    plan.rekey.push(Paired { row: row.id, key: listed.key.clone(), listed_size: listed.size });
                }
                None if listed.size > basis.policy.max_size.or(Some(u64::MAX)) => plan.too_large.push(listed),
                None => match listed.key.as_ref().and_then(|k| failed_before.get(k)) {
                    Some(tries) => again.push((*tries, *listed)),
                    None => plan.fetch.push(listed),
                },
            }
        }
        // A message that ends every run in which it is asked for must not keep back one that failed less often.
        again.sort_by_key(|(tries, _)| *tries);
        plan.fetch.extend(again.into_iter().map(|(_, listed)| listed));
        plan.suspects = free.into_iter().flatten().collect();
        for row in &plan.suspects {
            plan.alike.extend((basis.needs_content(row) && headless.contains(&row.wire_size)).then_some(row.id));
            present.insert(row.id);
        }
        // A deletion that the server accepted is confirmed by the first listing that lacks the message.
        plan.missing = (self.rows.iter().zip(&self.taken))
            .filter(|(r, taken)| !**taken && !present.contains(&r.id))
            .map(|(r, _)| r)
            .filter(|r| r.missing_since.is_none() || r.status == Status::DeleteSent)
            .map(|r| r.id)
            .collect();
        plan
    }
}

#[cfg(test)]
mod tests;
