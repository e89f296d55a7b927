//! Whether anything changed at a source, told without the size of each message.

use super::past::Past;
use super::pull::{belied, fingerprints};
use super::select::compare;
use super::{Job, Listed, Listing, Retriever};
use crate::error::Result;
use std::collections::BTreeMap;

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

impl Job {
    /// Whether nothing is to be done at all: every message is known by name, they have as many octets together as when they
    /// came, and the [witnesses](super::select::Comparison::witnesses) bear their names out.
    pub(super) async fn finds_nothing<R: Retriever>(
        &self,
        retriever: &mut R,
        glance: &Glance,
        past: &Past,
    ) -> Result<bool> {
        let abilities = retriever.abilities();
        let comparison = compare(&glance.messages, &past.rows, self.basis(past, abilities));
        if comparison.octets_listed() != Some(glance.octets) {
            return Ok(false);
        }
        let mut witnesses = comparison.witnesses();
        if !past.failed_before.is_empty() || !comparison.plan(&BTreeMap::new(), &past.failed_before).is_idle() {
            return Ok(false);
        }
        if !abilities.headers_apart {
            return Ok(true);
        }
        witnesses.sort_unstable_by_key(|(handle, _)| *handle);
        let asked: Vec<_> = witnesses.iter().map(|(handle, _)| *handle).collect();
        let prints = fingerprints(retriever, &asked).await?;
        Ok(!belied(&witnesses, &prints))
    }
}
