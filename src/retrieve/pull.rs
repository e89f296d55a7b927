//! Pulling one folder: settle, list, select, retrieve into the store, give up what the policy gives up.

use super::delivery::{Delivered, Delivery, Desk};
use super::pairing::{Candidate, worth_asking};
use super::select::{Basis, Comparison, Had, Plan, compare};
use super::{Handle, Keep, Listed, Policy, Retriever};
use crate::error::{Error, Result};
use crate::event::{Action, Counts, Event, Observer, Outlook};
use crate::interrupt::Interrupt;
use crate::mail::Key;
use crate::state::{Arrival, FolderId, Ledger, Row};
use crate::store::{Place, Store};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Rows that listings lack are remembered this long, in seconds, in case a listing was cut short.
const FORGET_AFTER: i64 = 90 * 86_400;

/// What the pull of one folder works with.
#[derive(Clone)]
pub struct Job {
    /// The account's name, for the observer.
    pub account: String,
    /// The account's ledger.
    pub ledger: Arc<Mutex<Ledger>>,
    /// What the owner wants.
    pub policy: Policy,
    /// Who is told.
    pub observer: Arc<dyn Observer>,
    /// Says when to stop.
    pub interrupt: Interrupt,
    /// Seconds since 1970 UTC.
    pub now: i64,
}

/// What came of it: the counts hold for what was done, with or without an error.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was done.
    pub counts: Counts,
    /// What ended the work early.
    pub error: Option<Error>,
}

impl Job {
    /// Brings every new message of the source into the store, exactly once, and deletes on the server what is due.
    pub async fn pull<R: Retriever, S: Store>(&self, retriever: R, store: Arc<S>) -> Outcome {
        let mut counts = Counts::default();
        let error = self.pull_counting(retriever, store, &mut counts).await.err();
        counts.failed = counts.listed.saturating_sub(counts.had + counts.fetched + counts.skipped);
        Outcome { counts, error }
    }

    /// Reports what a pull would do, message by message. Changes nothing; `store` is the store where it stands already.
    pub async fn rehearse<R: Retriever, S: Store>(&self, mut retriever: R, store: Option<Arc<S>>) -> Outcome {
        let mut counts = Counts::default();
        let work = async {
            let listing = self.list(&mut retriever, &mut counts).await?;
            let past = self.past(&retriever, store.as_deref())?;
            let plan = self.compare(&mut retriever, &listing, &past).await?;
            self.announce(&retriever, &plan, &mut counts);
            self.report_plan(&retriever, &listing, &plan);
            counts.fetched = plan.fetch.len() as u64;
            retriever.finish().await.map(drop)
        };
        let error = work.await.err();
        Outcome { counts, error }
    }

    async fn pull_counting<R: Retriever, S: Store>(
        &self,
        mut retriever: R,
        store: Arc<S>,
        counts: &mut Counts,
    ) -> Result<()> {
        let folder_name = retriever.source().folder.to_string();
        self.settle(&folder_name, &*store)?;
        let Some(listing) = self.interrupt.unless_raised(self.list(&mut retriever, counts)).await? else {
            return Ok(());
        };
        let past = self.past(&retriever, Some(&*store))?;
        let Some(plan) = self.interrupt.unless_raised(self.compare(&mut retriever, &listing, &past)).await? else {
            return Ok(());
        };
        self.announce(&retriever, &plan, counts);
        let folder = self.record(&retriever, &past, &plan)?;

        let wanted: Vec<Handle> = plan.fetch.iter().map(|l| l.handle).collect();
        let desk = Desk {
            account: self.account.clone(),
            folder: folder_name.clone(),
            folder_id: folder,
            store,
            ledger: Arc::clone(&self.ledger),
            observer: Arc::clone(&self.observer),
            now: self.now,
            delete_at_once: self.policy.keep == Keep::Never,
        };
        let mut delivery = Delivery::start(desk, &plan.fetch, plan.suspects.clone());
        let retrieved = match wanted.is_empty() {
            true => Some(Ok(())),
            false => self.interrupt.unless_raised(retriever.retrieve(&wanted, &mut delivery)).await.transpose(),
        };
        let (delivered, stored) = delivery.finish().await;
        counts.fetched += delivered.fetched.len() as u64;
        counts.had += delivered.recognised.len() as u64;
        counts.adopted += delivered.recognised.len() as u64;
        counts.bytes_in += delivered.bytes;
        self.quarantine(folder, &folder_name, &delivered, retrieved.as_ref())?;
        stored?;
        match retrieved {
            None => return Ok(()), // interrupted in the middle of an answer: the connection is of no more use
            Some(result) => result?,
        }

        self.release(folder, &past, &delivered)?;
        self.mark_missing(&past, &plan, &delivered)?;
        let mut leaving = plan.delete;
        if self.policy.keep == Keep::Never {
            leaving.extend(delivered.fetched);
            leaving.extend(delivered.recognised);
        }
        self.dispose(retriever, leaving, counts).await
    }

    async fn dispose<R: Retriever>(&self, mut retriever: R, leaving: Vec<Had>, counts: &mut Counts) -> Result<()> {
        let rows: Vec<_> = leaving.iter().map(|h| h.row).collect();
        if !leaving.is_empty() && !self.interrupt.is_raised() {
            self.ledger().delete_sent(&rows)?;
            crate::fault::point();
            let mut handles: Vec<Handle> = leaving.iter().map(|h| h.handle).collect();
            handles.sort_unstable();
            retriever.dispose(&handles).await?;
            crate::fault::point();
            let finished = retriever.finish().await?;
            crate::fault::point();
            self.ledger().delete_accepted(&rows, self.now)?;
            counts.deleted_remote += rows.len() as u64;
            finished.notes.iter().for_each(|note| self.warn(note));
            return Ok(());
        }
        retriever.finish().await?.notes.iter().for_each(|note| self.warn(note));
        Ok(())
    }

    /// Settles what an interrupted run left on its way.
    fn settle<S: Store>(&self, folder_name: &str, store: &S) -> Result<()> {
        let Some((folder, _)) = self.ledger().folder(folder_name)? else { return Ok(()) };
        let unsettled = self.ledger().unsettled(folder)?;
        if unsettled.is_empty() {
            return Ok(());
        }
        let arriving: Vec<_> = unsettled.iter().map(|(_, place, digest)| (Place(place.clone()), *digest)).collect();
        let stands = store.settle(&arriving)?;
        crate::fault::point();
        let which = |stood: bool| {
            unsettled
                .iter()
                .zip(&stands)
                .filter(move |(_, s)| **s == stood)
                .map(|((id, ..), _)| *id)
                .collect::<Vec<_>>()
        };
        self.ledger().delivered(&which(true))?;
        self.ledger().never_arrived(&which(false))
    }

    async fn list<R: Retriever>(&self, retriever: &mut R, counts: &mut Counts) -> Result<Vec<Listed>> {
        let listing = retriever.list().await?;
        listing.notes.iter().for_each(|note| self.tell(Event::Note(note)));
        counts.listed += listing.messages.len() as u64;
        Ok(listing.messages)
    }

    /// What is known of the folder from earlier runs; where nothing is, what stands in the store.
    fn past<R: Retriever, S: Store>(&self, retriever: &R, store: Option<&S>) -> Result<Past> {
        let source = retriever.source();
        let known = self.ledger().folder(&source.folder.to_string())?;
        let Some((id, scope)) = known else {
            let stored = store.map_or(Ok(Vec::new()), Store::scan)?;
            return Ok(Past { stored: stored.iter().map(Candidate::of_stored).collect(), ..Past::default() });
        };
        let rows = self.ledger().rows(id)?;
        let failed_before = self.ledger().quarantined(id)?.into_iter().map(|q| q.key).collect();
        Ok(Past { folder: Some(id), scope_holds: scope == source.scope, rows, failed_before, stored: Vec::new() })
    }

    async fn compare<'a, R: Retriever>(
        &'a self,
        retriever: &mut R,
        listing: &'a [Listed],
        past: &'a Past,
    ) -> Result<Plan<'a>> {
        let abilities = retriever.abilities();
        let basis = Basis {
            scope_holds: past.scope_holds,
            firm_keys: abilities.firm_keys,
            policy: &self.policy,
            now: self.now,
        };
        let mut comparison: Comparison<'a> = compare(listing, &past.rows, basis);
        comparison.candidates.extend(past.stored.iter().cloned());
        let asked: Vec<Handle> =
            worth_asking(comparison.unknown.iter().copied(), &comparison.candidates).iter().map(|l| l.handle).collect();
        let prints = match abilities.headers_apart && !asked.is_empty() {
            true => retriever.fingerprints(&asked).await?,
            false => BTreeMap::new(),
        };
        Ok(comparison.plan(&prints, &past.failed_before))
    }

    /// Reports the outlook and counts what is settled before the fetch.
    fn announce<R: Retriever>(&self, retriever: &R, plan: &Plan<'_>, counts: &mut Counts) {
        counts.had += plan.had as u64;
        counts.adopted += (plan.adopt.len() + plan.rekey.len()) as u64;
        counts.skipped += plan.too_large.len() as u64;
        let outlook = Outlook {
            listed: counts.listed,
            had: plan.had as u64,
            fetch: plan.fetch.len() as u64,
            bytes: plan.fetch.iter().filter_map(|l| l.size).fold(0, u64::saturating_add),
            skip: plan.too_large.len() as u64,
            delete: plan.delete.len() as u64,
        };
        let folder = &retriever.source().folder.to_string();
        self.tell(Event::Folder { folder, outlook });
        for listed in &plan.too_large {
            self.message(folder, listed, Action::Skipped("larger than max_size"), false);
        }
    }

    fn report_plan<R: Retriever>(&self, retriever: &R, listing: &[Listed], plan: &Plan<'_>) {
        let folder = &retriever.source().folder.to_string();
        let fetch: HashSet<Handle> = plan.fetch.iter().map(|l| l.handle).collect();
        let skip: HashSet<Handle> = plan.too_large.iter().map(|l| l.handle).collect();
        let delete: HashSet<Handle> = plan.delete.iter().map(|h| h.handle).collect();
        for listed in listing.iter().filter(|l| !skip.contains(&l.handle)) {
            let fetched = fetch.contains(&listed.handle);
            let action = if fetched { Action::WouldFetch } else { Action::Had };
            let leaves = delete.contains(&listed.handle) || (fetched && self.policy.keep == Keep::Never);
            self.message(folder, listed, action, leaves);
        }
    }

    /// Writes down the folder, its scope, and what was recognised.
    fn record<R: Retriever>(&self, retriever: &R, past: &Past, plan: &Plan<'_>) -> Result<FolderId> {
        let source = retriever.source();
        let mut ledger = self.ledger();
        let folder = match past.folder {
            Some(id) if past.scope_holds => id,
            _ => ledger.enter(&source.folder.to_string(), &source.scope)?,
        };
        if !plan.rekey.is_empty() {
            ledger.rekey(folder, &plan.rekey)?;
        }
        if !plan.adopt.is_empty() {
            let found: Vec<Arrival> = plan.adopt.iter().map(|(listed, c)| c.arrival(listed)).collect();
            ledger.adopt(folder, &found, self.now)?;
        }
        Ok(folder)
    }

    /// Puts what was refused into quarantine, and the message in which the retrieval failed: next time it comes last.
    fn quarantine(
        &self,
        folder: FolderId,
        name: &str,
        delivered: &Delivered,
        retrieved: Option<&Result<()>>,
    ) -> Result<()> {
        for (listed, reason) in &delivered.refused {
            self.message(name, listed, Action::Refused(reason), false);
        }
        let mut bad: Vec<(Key, String)> =
            delivered.refused.iter().filter_map(|(l, reason)| Some((l.key.clone()?, reason.clone()))).collect();
        if let (Some(Listed { key: Some(key), .. }), Some(Err(e))) = (&delivered.cut_off, retrieved) {
            bad.push((key.clone(), e.to_string()));
        }
        if bad.is_empty() { Ok(()) } else { self.ledger().quarantine(folder, &bad, self.now) }
    }

    /// Lets out of quarantine what arrived or is gone.
    fn release(&self, folder: FolderId, past: &Past, delivered: &Delivered) -> Result<()> {
        let still: HashSet<&Key> = delivered.refused.iter().filter_map(|(l, _)| l.key.as_ref()).collect();
        let out: Vec<Key> = past.failed_before.iter().filter(|k| !still.contains(k)).cloned().collect();
        if out.is_empty() { Ok(()) } else { self.ledger().release(folder, &out) }
    }

    fn mark_missing(&self, past: &Past, plan: &Plan<'_>, delivered: &Delivered) -> Result<()> {
        let recognised: HashSet<_> = delivered.recognised.iter().map(|h| h.row).collect();
        let mut missing = plan.missing.clone();
        missing.extend(plan.suspects.iter().filter_map(Candidate::row).filter(|r| !recognised.contains(r)));
        debug_assert!(missing.len() <= past.rows.len());
        self.ledger().mark_missing(&missing, &plan.back, self.now, FORGET_AFTER)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: Event<'_>) {
        self.observer.event(&self.account, event);
    }

    fn warn(&self, note: &str) {
        self.tell(Event::Warning(note));
    }

    fn message(&self, folder: &str, listed: &Listed, action: Action<'_>, deleted: bool) {
        self.tell(Event::Message { folder, key: listed.key.as_ref(), bytes: listed.size, action, deleted });
    }
}

/// What is known of a folder before its listing comes.
#[derive(Debug, Default)]
struct Past {
    folder: Option<FolderId>,
    scope_holds: bool,
    rows: Vec<Row>,
    failed_before: HashSet<Key>,
    stored: Vec<Candidate>,
}
