//! Recognising messages of one folder that the ledger does not know by their keys: on the first sync of two filled sides,
//! after a lost state or a changed UIDVALIDITY, or because a mail program named a file anew.

use super::compare::{Comparison, Open, Unpaired};
use super::traits::{Traits, matched};
use crate::mail::{Content, Flags, Key, Marks, Side, Sides};
use crate::state::{Adoption, RowId};
use std::collections::HashSet;

/// What was recognised, to be written to the ledger before anything is planned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairing {
    /// Rows whose message stands on a side under another key.
    pub renamed: Sides<Vec<(RowId, Key)>>,
    /// Messages of both sides that are the same.
    pub adoptions: Vec<Adoption>,
    /// How many messages might be one of several whose contents differ: they are copied, and recognised by content.
    pub ambiguous: u64,
}

impl Pairing {
    /// Whether nothing was recognised.
    pub fn is_empty(&self) -> bool {
        self.adoptions.is_empty() && self.renamed.remote.is_empty() && self.renamed.local.is_empty()
    }
}

/// Recognises what stands in the folder under keys that the ledger does not know. `synced`: a sync of it has come to its end
/// before; what is new since is no message that is marked as deleted on the other side, even if it is equal: somebody put it
/// there, while that one is about to go.
pub fn pair(comparison: &Comparison, synced: bool) -> Pairing {
    let mut pairing = Pairing::default();
    let mut free = Sides::of(|side| comparison.unpaired.on(side).iter().collect::<Vec<&Unpaired>>());
    for side in Side::BOTH {
        let seekers: Vec<&Open> = comparison.open.iter().filter(|o| o.seeks_on(side)).collect();
        let (unknown, mut rest): (Vec<_>, Vec<_>) = free.on(side).iter().copied().partition(|u| u.row.is_none());
        let traits: Vec<Option<&Traits>> = seekers.iter().map(|o| o.traits.as_deref()).collect();
        let matches = matched(&traits, &traits_of(&unknown, &[]));
        let renamed = pairing.renamed.on_mut(side);
        let mut taken = vec![false; unknown.len()];
        for (seeker, found) in matches.pairs {
            if let (Some(open), Some(message), Some(taken)) =
                (seekers.get(seeker), unknown.get(found), taken.get_mut(found))
            {
                renamed.push((open.pair.row, message.key.clone()));
                *taken = true;
            }
        }
        rest.extend(unknown.iter().zip(taken).filter(|(_, taken)| !taken).map(|(u, _)| *u));
        *free.on_mut(side) = rest;
    }
    // What is marked as deleted is paired with what is left, and copies that other programs wrote into after those that
    // are as the message was.
    let any = |is: fn(&Unpaired) -> bool| free.remote.iter().chain(&free.local).any(|u| is(u));
    let (some_deleted, some_copied) = (any(Unpaired::is_deleted), any(Unpaired::is_written_into));
    let passes = [(false, false), (true, false), (false, true), (true, true)].into_iter();
    let passes = passes.filter(|(with_deleted, originals)| some_deleted >= *with_deleted && some_copied >= *originals);
    for (with_deleted, originals) in passes {
        let able = Sides::of(|side| {
            let wanted = |u: &&&Unpaired| match with_deleted {
                false => !u.is_deleted(),
                true => !synced || u.is_deleted() || u.row.is_some(),
            };
            free.on(side).iter().filter(wanted).copied().collect::<Vec<_>>()
        });
        let original = |u: &&Unpaired| u.traits.as_ref()?.of_original();
        let originals = Sides::of(|side| match originals {
            true => able.on(side).iter().map(original).collect(),
            false => Vec::new(),
        });
        let traits = Sides::of(|side| traits_of(able.on(side), originals.on(side)));
        let matches = matched(&traits.remote, &traits.local);
        pairing.ambiguous = matches.ambiguous;
        for (remote, local) in matches.pairs {
            let (Some(remote), Some(local)) = (able.remote.get(remote), able.local.get(local)) else { continue };
            let Some(adoption) = adoption(Sides { remote, local }) else { continue };
            pairing.adoptions.push(adoption);
        }
        let adopted = Sides::of(|side| pairing.adoptions.iter().map(|a| a.keys.on(side)).collect::<HashSet<_>>());
        for side in Side::BOTH {
            free.on_mut(side).retain(|u| !adopted.on(side).contains(&u.key));
        }
    }
    for (side, free) in [(Side::Remote, &free.remote), (Side::Local, &free.local)] {
        pairing.renamed.on_mut(side).extend(renamed_while_deleted(comparison, free));
    }
    pairing
}

/// Messages that were given another name on this side, while the other side has lost them: what is true there holds for them
/// as if they still had their old one. Only where their content was read, and tells them from all others.
fn renamed_while_deleted(comparison: &Comparison, free: &[&Unpaired]) -> Vec<(RowId, Key)> {
    let seekers: Vec<&Open> = comparison.open.iter().filter(|o| o.is_astray()).collect();
    let is_sure = |traits: &&Traits| traits.digest.is_some() && !traits.fingerprint.is_weak();
    let unknown: Vec<&Unpaired> = free.iter().copied().filter(|u| u.row.is_none()).collect();
    let traits: Vec<Option<&Traits>> = seekers.iter().map(|o| o.traits.as_deref().filter(is_sure)).collect();
    let found: Vec<Option<&Traits>> = unknown.iter().map(|u| u.traits.as_deref().filter(is_sure)).collect();
    let pairs = matched(&traits, &found).pairs.into_iter();
    pairs.filter_map(|(seeker, at)| Some((seekers.get(seeker)?.pair.row, unknown.get(at)?.key.clone()))).collect()
}

/// What tells the messages from others: by what they were originally, as far as that is given.
fn traits_of<'a>(unpaired: &[&'a Unpaired], originals: &'a [Option<Traits>]) -> Vec<Option<&'a Traits>> {
    let original = |at: usize| originals.get(at).and_then(Option::as_ref);
    unpaired.iter().enumerate().map(|(at, u)| original(at).or(u.traits.as_deref())).collect()
}

/// The pair of two messages; `None` where the content of neither was read.
fn adoption(same: Sides<&Unpaired>) -> Option<Adoption> {
    let traits = [&same.local.traits, &same.remote.traits].into_iter().flatten().find(|t| t.digest.is_some())?;
    let wire_size = traits.size.or(same.remote.size)?;
    let known = [&same.local.row, &same.remote.row].into_iter().flatten().next();
    let agreed = known.map_or_else(|| same.remote.marks.common(&same.local.marks), |row| row.1.clone());
    // A mark that says deleted was set before the two were known to be one, and is not to travel.
    let deleted = Marks::of((same.remote.marks.flags | same.local.marks.flags) & Flags::DELETED);
    Some(Adoption {
        rows: same.map(|u| u.row.as_ref().map(|row| row.0)),
        keys: same.map(|u| u.key.clone()),
        agreed: agreed.with(&deleted),
        listed_size: same.remote.size,
        content: Content::known(wire_size, traits.digest?, traits.fingerprint),
    })
}
