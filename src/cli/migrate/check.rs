//! The look at what stands in the target of a folder, once its messages have been carried.

use super::carriage::{Carriage, Stop};
use super::target::Standing;
use crate::error::Result;
use crate::event::Counts;
use crate::mail::{Content, FolderName, Key};
use crate::migrate::{At, Checked, Found, Learned, Verified, by_content, by_header};
use crate::state::{Finding, Row, RowId};
use std::collections::HashMap;
use tokio::task::block_in_place;

/// What a check showed.
#[derive(Default)]
pub struct Shown {
    /// For the report; `None` where there was no look at the target.
    pub verified: Option<Verified>,
    /// Messages that were found in the target once, and are not there any longer.
    pub removed: u64,
}

/// What the ledger knows of a folder of the source.
#[derive(Default)]
struct Known {
    rows: Vec<Row>,
    before: HashMap<RowId, Finding>,
    /// What stands in the target for messages of other folders.
    taken: Vec<(At, Content)>,
}

impl Known {
    /// What messages hold that an earlier check found in the folder of this UIDVALIDITY, by what they are called there; without
    /// one, nobody knows what its names stand for now.
    fn places(&self, uidvalidity: Option<u32>, compared: bool) -> impl Fn((u32, u64)) -> Option<Content> {
        let place = |row: &Row| self.stands(row, compared).filter(|at| at.uidvalidity == uidvalidity)?.uid;
        let mut places: Vec<((u32, u64), &Row)> = match uidvalidity {
            Some(_) => self.rows.iter().filter_map(|row| Some((place(row)?, row))).collect(),
            None => Vec::new(),
        };
        places.sort_unstable_by_key(|(place, _)| *place);
        move |wanted| {
            let at = places.binary_search_by_key(&wanted, |(place, _)| *place).ok()?;
            places.get(at).map(|(_, row)| row.content())
        }
    }

    /// Where an earlier check found a message; `compared` asks for those found octet by octet alone.
    fn stands(&self, row: &Row, compared: bool) -> Option<At> {
        match self.before.get(&row.id) {
            Some(Finding::Stands { at, compared: was }) if *was || !compared => Some(At::of_text(at)),
            _ => None,
        }
    }
}

impl Carriage {
    /// Messages of the source that were compared with the target before, and that need not be read again, by name: each with
    /// the size that the source states.
    pub fn compared(&self, folder: &FolderName, uidvalidity: Option<u32>) -> Result<HashMap<Key, (u64, Content)>> {
        let known = self.recall(folder)?;
        let compared = known.rows.iter().filter_map(|row| {
            known.stands(row, true).filter(|at| at.uidvalidity == uidvalidity)?;
            Some((row.key.clone()?, (row.listed_size?, row.content())))
        });
        Ok(compared.collect())
    }

    /// Whether every message of the source stands in the target: octet by octet where they were learned, else by header and
    /// size. What stands there for a message of another folder stands for none of this one.
    pub fn check<S: Standing>(
        &self,
        stop: &Stop,
        learned: Option<&Learned>,
        counts: &Counts,
        store: &S,
    ) -> Result<Shown> {
        let mut known = self.recall(&stop.label())?;
        for other in self.ahead(stop) {
            let other = self.recall(&other)?;
            let taken = other.rows.iter().filter_map(|row| Some((other.stands(row, false)?, row.content())));
            known.taken.extend(taken);
        }
        let (checked, expected) = match learned {
            Some(learned) => octet_by_octet(&known, learned, counts, store)?,
            None => (header_by_header(&known, store)?, known.rows.len() as u64),
        };
        let is_whole = learned.is_some();
        let news = checked.news(is_whole, &known.before);
        if !news.is_empty() {
            self.job.ledger().set_findings(&news)?;
        }
        let removed = checked.removed.len() as u64;
        let expected = expected.saturating_sub(removed);
        let verified = Verified { expected, missing: checked.missing, by_content: is_whole };
        Ok(Shown { verified: Some(verified), removed })
    }

    /// What is known without a look: which messages the last check did not find any longer.
    pub fn unchecked(&self, folder: &FolderName) -> Result<Shown> {
        let ledger = self.job.ledger();
        let Some(folder) = ledger.folder(&folder.to_string())? else { return Ok(Shown::default()) };
        let findings = ledger.findings(folder.id)?;
        let removed = findings.values().filter(|finding| **finding == Finding::Removed).count() as u64;
        Ok(Shown { verified: None, removed })
    }

    fn recall(&self, folder: &FolderName) -> Result<Known> {
        let ledger = self.job.ledger();
        let Some(folder) = ledger.folder(&folder.to_string())? else { return Ok(Known::default()) };
        let mut rows = ledger.rows(folder.id)?;
        rows.retain(Row::is_of_source);
        Ok(Known { rows, before: ledger.findings(folder.id)?, taken: Vec::new() })
    }
}

fn octet_by_octet<S: Standing>(known: &Known, learned: &Learned, counts: &Counts, store: &S) -> Result<(Checked, u64)> {
    let found = look(store, true, known)?;
    let all = learned.contents.len() as u64 + learned.unread;
    // What the target refused has failed, and is told as that.
    let expected = (counts.had + counts.fetched).min(all);
    let mut checked = by_content(&learned.contents, &known.rows, &found, &known.before);
    checked.missing = (checked.missing + learned.unread).saturating_sub(all - expected);
    Ok((checked, expected))
}

fn header_by_header<S: Standing>(known: &Known, store: &S) -> Result<Checked> {
    let checked = by_header(&known.rows, &look(store, false, known)?, &known.before);
    if checked.missing == 0 {
        return Ok(checked);
    }
    // A server may state wrong sizes: the octets decide.
    Ok(by_header(&known.rows, &look(store, true, known)?, &known.before))
}

fn look<S: Standing>(store: &S, whole: bool, known: &Known) -> Result<Found> {
    let uidvalidity = store.uidvalidity();
    let places = known.places(uidvalidity, whole);
    let messages = block_in_place(|| store.standing(whole, places))?;
    Ok(Found { uidvalidity, messages }.without(&known.taken))
}
