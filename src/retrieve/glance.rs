//! Whether anything changed at a source, told without the size of each message.

use super::past::Past;
use super::pull::fingerprints;
use super::select::compare;
use super::witness::{self, Witness};
use super::{Abilities, Job, Key, Listed, Listing, Policy, Retriever};
use crate::error::Result;
use std::collections::BTreeMap;
use std::fmt;

/// What is there by name alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// The messages, oldest first, without their sizes.
    pub messages: Vec<Listed>,
    /// Octets of all of them together.
    pub octets: u64,
    /// As in a [`Listing`](super::Listing).
    pub notes: Vec<String>,
}

/// What a first look at the source gives.
pub enum Seen {
    Listing(Listing),
    /// Of a source that is known.
    Glance(Glance),
}

pub async fn look<R: Retriever>(retriever: &mut R, is_known: bool) -> Result<Seen> {
    if is_known && let Some(glance) = retriever.glance().await? {
        return Ok(Seen::Glance(glance));
    }
    retriever.list().await.map(Seen::Listing)
}

/// Stands for a source in which there is nothing to do, until something changes here or there.
#[derive(Debug, PartialEq, Eq)]
struct Seal {
    /// Hash of what is there and of what the owner wants.
    hash: String,
    /// When a message is due to leave the server, in seconds since 1970 UTC.
    until: Option<i64>,
}

impl Seal {
    fn of(glance: &Glance, policy: &Policy, until: Option<i64>) -> Seal {
        let mut hash = blake3::Hasher::new();
        // Another version may find something to do.
        hash.update(format!("{}\n{policy:?}\n{}\n", env!("CARGO_PKG_VERSION"), glance.octets).as_bytes());
        for listed in &glance.messages {
            let name = listed.key.as_ref().map(Key::as_bytes).unwrap_or_default();
            hash.update(&(name.len() as u64).to_le_bytes()).update(name);
        }
        Seal { hash: hash.finalize().to_string(), until }
    }

    fn parse(text: &str) -> Option<Seal> {
        let (hash, until) = text.split_once(' ')?;
        let until = if until == "-" { None } else { Some(until.parse().ok()?) };
        Some(Seal { hash: hash.to_owned(), until })
    }

    fn holds(&self, glance: &Glance, policy: &Policy, now: i64) -> bool {
        self.until.is_none_or(|until| now < until) && *self == Seal::of(glance, policy, self.until)
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            Some(until) => write!(f, "{} {until}", self.hash),
            None => write!(f, "{} -", self.hash),
        }
    }
}

/// What shows that nothing is to be done, if the headers bear it out.
struct Nothing {
    witnesses: Vec<Witness>,
    /// To be put on the folder.
    seal: Option<Seal>,
}

impl Job {
    /// Whether nothing is to be done in a folder that is known. `past` is what is known of it, unless it is sealed.
    pub(super) async fn finds_nothing<R: Retriever>(
        &self,
        retriever: &mut R,
        glance: &Glance,
        past: Option<&Past>,
    ) -> Result<bool> {
        let (folder, abilities) = (retriever.source().folder.to_string(), retriever.abilities());
        let found = match past {
            Some(past) => self.nothing(abilities, glance, past),
            None => self.still_nothing(abilities, glance, &folder)?,
        };
        let Some(Nothing { mut witnesses, seal }) = found else { return Ok(false) };
        if abilities.headers_apart {
            witnesses.sort_unstable_by_key(|(handle, _)| *handle);
            let asked: Vec<_> = witnesses.iter().map(|(handle, _)| *handle).collect();
            if witness::belie(&witnesses, &fingerprints(retriever, &asked).await?) {
                return Ok(false);
            }
        }
        if let Some(seal) = seal {
            self.ledger().set_seal(&folder, Some(&seal.to_string()))?;
        }
        Ok(true)
    }

    /// Every message is known by name, and together they have as many octets as when they came.
    fn nothing(&self, abilities: Abilities, glance: &Glance, past: &Past) -> Option<Nothing> {
        let comparison = compare(&glance.messages, &past.rows, self.basis(past, abilities));
        if comparison.octets_listed() != Some(glance.octets) || !past.failed_before.is_empty() {
            return None;
        }
        let (witnesses, until) = (comparison.witnesses(), comparison.next_due());
        let idle = comparison.plan(&BTreeMap::new(), &past.failed_before).is_idle();
        idle.then(|| Nothing { witnesses, seal: Some(Seal::of(glance, &self.policy, until)) })
    }

    /// The seal holds. One that does not is taken off.
    fn still_nothing(&self, abilities: Abilities, glance: &Glance, name: &str) -> Result<Option<Nothing>> {
        let mut ledger = self.ledger();
        let (seal, folder) = (ledger.seal(name)?, ledger.folder(name)?);
        let seal = seal.as_deref().and_then(Seal::parse);
        let (true, Some(folder)) = (seal.is_some_and(|seal| seal.holds(glance, &self.policy, self.now)), folder) else {
            ledger.set_seal(name, None)?;
            return Ok(None);
        };
        let mut witnesses = Vec::new();
        let count = if abilities.firm_keys { 0 } else { glance.messages.len() };
        for listed in witness::choose(count, self.now).filter_map(|at| glance.messages.get(at)) {
            let print = listed.key.as_ref().map(|key| ledger.fingerprint(folder.id, key)).transpose()?.flatten();
            witnesses.extend(print.filter(|print| witness::is_able(*print)).map(|print| (listed.handle, print)));
        }
        Ok(Some(Nothing { witnesses, seal: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieve::{Handle, Keep};
    use std::time::Duration;

    #[test]
    fn a_seal_holds_for_the_same_mail_the_same_wishes_and_its_time() {
        let glance = |names: &[&str], octets| {
            let messages =
                (1..).zip(names).map(|(n, name)| Listed { handle: Handle(n), key: Some(Key::new(name)), size: None });
            Glance { messages: messages.collect(), octets, notes: Vec::new() }
        };
        let policy = |keep, max_size| Policy { keep, folders: Vec::new(), max_size };
        let always = policy(Keep::Always, None);
        for until in [None, Some(50)] {
            let seal = Seal::of(&glance(&["a", "bc"], 9), &always, until);
            let seal = Seal::parse(&seal.to_string()).unwrap();
            for (names, octets, policy, now, holds) in [
                (&["a", "bc"][..], 9, &always, 49, true),
                (&["a", "bc"], 9, &always, 50, until.is_none()),
                (&["ab", "c"], 9, &always, 49, false),
                (&["bc", "a"], 9, &always, 49, false),
                (&["a"], 9, &always, 49, false),
                (&["a", "bc"], 8, &always, 49, false),
                (&["a", "bc"], 9, &policy(Keep::For(Duration::from_secs(9)), None), 49, false),
                (&["a", "bc"], 9, &policy(Keep::Always, Some(5)), 49, false),
            ] {
                assert_eq!(
                    seal.holds(&glance(names, octets), policy, now),
                    holds,
                    "{names:?} {octets} {policy:?} {now}"
                );
            }
        }
        assert_eq!(Seal::parse("0123 later"), None);
    }
}
