//! Pulling one folder: settle, list, select, retrieve into the store, give up what the policy gives up.

use super::delivery::{Delivered, Delivery, Desk};
use super::glance::{Seen, look};
use super::pairing::may_be;
use super::past::Past;
use super::select::{Basis, Had, Plan, compare};
use super::{Abilities, Handle, Listed, Listing, Policy, Retriever, SourceId, witness};
use crate::error::{Error, Result};
use crate::event::{Action, Counts, Event, Observer, Outlook};
use crate::interrupt::Interrupt;
use crate::mail::{Fingerprint, Key};
use crate::state::{FolderId, Ledger, Row};
use crate::store::{Place, Store};
use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::spawn_blocking;

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
    /// What the store had before the first run is known by its content alone, not by header and size.
    pub by_content: bool,
    /// Folders of the ledger that go into the same store: what the store has of them is nothing else.
    pub beside: Vec<String>,
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

impl Outcome {
    fn new(mut counts: Counts, done: Result<()>) -> Outcome {
        counts.failed = counts.listed.saturating_sub(counts.had + counts.fetched + counts.skipped);
        Outcome { counts, error: done.err() }
    }
}

impl Job {
    /// Brings every new message of the source into the store, exactly once, and deletes on the server what is due.
    /// `connecting` opens the source, or gives up (`None`) when told to stop.
    pub async fn pull<R: Retriever, S: Store>(
        &self,
        source: &SourceId,
        connecting: impl Future<Output = Result<Option<R>>>,
        store: Arc<S>,
    ) -> Outcome {
        let mut counts = Counts::default();
        let done = self.pull_counting(source, connecting, store, &mut counts).await;
        Outcome::new(counts, done)
    }

    /// Reports what a pull would do, message by message. Changes nothing as long as the ledger is a copy; `store` is the
    /// store where it stands already.
    pub async fn rehearse<R: Retriever, S: Store>(
        &self,
        source: &SourceId,
        connecting: impl Future<Output = Result<Option<R>>>,
        store: Option<S>,
    ) -> Outcome {
        let mut counts = Counts::default();
        let work = async {
            self.acquaint(&source.folder.to_string(), store.as_ref())?;
            let Some((mut retriever, seen, past)) = self.look_and_recall(source, connecting).await? else {
                return Ok(());
            };
            let Some((mut listing, idle)) = self.examine(&mut retriever, seen, past.as_ref(), &mut counts).await?
            else {
                return Ok(());
            };
            let past = past.map_or_else(|| self.past(source, store.as_ref()), Ok)?;
            let plan = match idle {
                true => {
                    past.tell_sizes(&mut listing);
                    Plan::idle(&listing)
                }
                false => self.plan(&mut retriever, &listing, &past).await?,
            };
            self.announce(&retriever, &plan, &mut counts);
            self.report_plan(&retriever, &listing, &plan);
            counts.fetched = plan.fetch.len() as u64;
            retriever.finish().await.map(drop)
        };
        let done = work.await;
        Outcome::new(counts, done)
    }

    async fn pull_counting<R: Retriever, S: Store>(
        &self,
        source: &SourceId,
        connecting: impl Future<Output = Result<Option<R>>>,
        store: Arc<S>,
        counts: &mut Counts,
    ) -> Result<()> {
        let folder_name = source.folder.to_string();
        self.settle(&folder_name, &*store)?;
        self.acquaint(&folder_name, Some(&*store))?;
        let Some((mut retriever, seen, past)) = self.look_and_recall(source, connecting).await? else {
            return Ok(());
        };
        let examined = self.examine(&mut retriever, seen, past.as_ref(), counts).await?;
        let Some((listing, idle)) = examined else { return Ok(()) };
        if idle {
            self.announce(&retriever, &Plan::idle(&listing), counts);
            return self.dispose(retriever, Vec::new(), counts).await;
        }
        let past = past.map_or_else(|| self.past(source, Some(&*store)), Ok)?;
        let planning = self.plan(&mut retriever, &listing, &past);
        let Some(plan) = self.interrupt.unless_raised(planning).await? else { return Ok(()) };
        self.announce(&retriever, &plan, counts);
        self.record(&past, &plan)?;

        let wanted: Vec<Handle> = plan.fetch.iter().map(|l| l.handle).collect();
        let (suspects, sizes) = (self.suspects(&plan, &*store)?, past.sizes);
        let desk = Desk { job: self.clone(), folder: folder_name.clone(), folder_id: past.folder.id, store, sizes };
        let mut delivery = Delivery::start(desk, &plan.fetch, suspects);
        let retrieved = match wanted.is_empty() {
            true => Some(Ok(())),
            false => self.interrupt.unless_raised(retriever.retrieve(&wanted, &mut delivery)).await.transpose(),
        };
        let (delivered, stored) = delivery.finish().await;
        counts.fetched += delivered.fetched;
        counts.had += delivered.recognised.len() as u64;
        counts.adopted += delivered.recognised.len() as u64;
        counts.bytes_in += delivered.bytes;
        for (listed, reason) in &delivered.refused {
            self.message(&folder_name, listed, Action::Refused(reason), false);
        }
        counts.skipped += delivered.gone.len() as u64;
        for listed in &delivered.gone {
            self.message(&folder_name, listed, Action::Gone, false);
        }
        stored?;
        self.quarantine(past.folder.id, &delivered, retrieved.as_ref())?;
        match retrieved {
            None => return Ok(()), // interrupted in the middle of an answer: the connection is of no more use
            Some(result) => result?,
        }

        self.release(&past, &delivered)?;
        self.mark_missing(&past, &plan, &delivered)?;
        let mut leaving = plan.delete;
        leaving.extend(delivered.leaving);
        match (delivered.sizes.are_believed(), delivered.short.len() as u64) {
            (false, _) => leaving.extend(delivered.short),
            (true, 0) => {}
            (true, short) => {
                counts.undeleted_remote += short;
                self.warn(&format!(
                    "{folder_name}: shorter than the server said, hence not deleted there, though due: {short} of the \
                     messages that came. Compare them with what the server has."
                ));
            }
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
            let accepted: Vec<_> =
                leaving.iter().filter(|h| !finished.left.contains(&h.handle)).map(|h| h.row).collect();
            self.ledger().delete_accepted(&accepted, self.now)?;
            counts.deleted_remote += accepted.len() as u64;
            counts.undeleted_remote += (rows.len() - accepted.len()) as u64;
            finished.notes.iter().for_each(|note| self.warn(note));
            return Ok(());
        }
        retriever.finish().await?.notes.iter().for_each(|note| self.warn(note));
        Ok(())
    }

    /// Settles what an interrupted run left on its way.
    pub fn settle<S: Store>(&self, folder_name: &str, store: &S) -> Result<()> {
        let Some(folder) = self.ledger().folder(folder_name)? else { return Ok(()) };
        let unsettled = self.ledger().unsettled(folder.id)?;
        if unsettled.is_empty() {
            return Ok(());
        }
        let arriving: Vec<_> = unsettled.iter().map(|(_, place, digest)| (Place(place.clone()), *digest)).collect();
        let delivered = self.ledger().delivered_like_unsettled(folder.id)?;
        let delivered: Vec<_> = delivered.into_iter().map(|(place, digest)| (Place(place), digest)).collect();
        let stands = store.settle(&arriving, &delivered)?;
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

    /// Connects and looks, and meanwhile reads what is known of the folder if it was pulled before from this very source,
    /// unless a seal may make that needless; `None` when told to stop.
    async fn look_and_recall<R: Retriever>(
        &self,
        source: &SourceId,
        connecting: impl Future<Output = Result<Option<R>>>,
    ) -> Result<Option<(R, Seen, Option<Past>)>> {
        let name = source.folder.to_string();
        let known = self.ledger().folder(&name)?.filter(|folder| folder.scope == source.scope);
        let (job, is_known) = (self.clone(), known.is_some());
        let unsealed = if self.ledger().seal(&name)?.is_some() { None } else { known };
        let recalling = unsealed.map(|folder| spawn_blocking(move || job.read(folder)));
        let looking = async {
            let Some(mut retriever) = connecting.await? else { return Ok(None) };
            let seen = self.interrupt.unless_raised(look(&mut retriever, is_known)).await?;
            Ok(seen.map(|seen| (retriever, seen)))
        };
        let looked = looking.await;
        let past = match recalling {
            Some(recalling) => Some(recalling.await.unwrap_or_else(|died| resume_unwind(died.into_panic()))),
            None => None,
        };
        Ok(match looked? {
            Some((retriever, seen)) => Some((retriever, seen, past.transpose()?)),
            None => None,
        })
    }

    /// What is there, counted, and whether nothing is to be done with it: then sizes may be missing. `None` when told to stop.
    async fn examine<R: Retriever>(
        &self,
        retriever: &mut R,
        seen: Seen,
        past: Option<&Past>,
        counts: &mut Counts,
    ) -> Result<Option<(Vec<Listed>, bool)>> {
        let looking = async {
            match seen {
                Seen::Listing(listing) => Ok((listing, false)),
                Seen::Glance(glance) => match self.finds_nothing(retriever, &glance, past).await? {
                    true => Ok((Listing { messages: glance.messages, notes: glance.notes }, true)),
                    false => Ok((retriever.complete(glance).await?, false)),
                },
            }
        };
        let examined = self.interrupt.unless_raised(looking).await?;
        Ok(examined.map(|(listing, idle)| (self.listed(listing, counts), idle)))
    }

    /// Counts and tells what a listing says.
    fn listed(&self, listing: Listing, counts: &mut Counts) -> Vec<Listed> {
        listing.notes.iter().for_each(|note| self.tell(Event::Note(note)));
        counts.listed += listing.messages.len() as u64;
        listing.messages
    }

    /// Decides, once it has asked for the fingerprints that the decision needs, and of the witnesses. Where one of these
    /// belies its name, no name of the folder holds any longer, and every message is recognised anew.
    async fn plan<'a, R: Retriever>(
        &'a self,
        retriever: &mut R,
        listing: &'a [Listed],
        past: &'a Past,
    ) -> Result<Plan<'a>> {
        let abilities = retriever.abilities();
        let basis = self.basis(past, abilities);
        let mut comparison = compare(listing, &past.rows, basis);
        let mut prints = BTreeMap::new();
        if abilities.headers_apart {
            let (mut asked, witnesses) = (comparison.worth_asking(), comparison.witnesses());
            asked.extend(witnesses.iter().map(|(handle, _)| handle));
            asked.sort_unstable();
            prints = fingerprints(retriever, &asked).await?;
            if witness::belie(&witnesses, &prints) {
                self.ledger().void_keys(past.folder.id)?;
                crate::fault::point();
                comparison = compare(listing, past.without_keys(), basis);
                let mut others = comparison.worth_asking();
                others.retain(|handle| !prints.contains_key(handle));
                prints.append(&mut fingerprints(retriever, &others).await?);
            }
        }
        Ok(comparison.plan(&prints, &past.failed_before))
    }

    /// What decisions rest on.
    pub(super) fn basis(&self, past: &Past, abilities: Abilities) -> Basis<'_> {
        Basis {
            in_doubt: past.folder.in_doubt,
            sizes_believed: past.sizes.are_believed(),
            firm_keys: abilities.firm_keys,
            by_content: self.by_content,
            policy: &self.policy,
            now: self.now,
        }
    }

    /// Reports the outlook and counts what is settled before the fetch.
    fn announce<R: Retriever>(&self, retriever: &R, plan: &Plan<'_>, counts: &mut Counts) {
        counts.had += plan.had as u64;
        counts.adopted += plan.rekey.len() as u64;
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
            let leaves = delete.contains(&listed.handle) || (fetched && self.policy.keep.is_due(self.now, self.now));
            self.message(folder, listed, action, leaves);
        }
    }

    /// Writes down what was recognised, and first, that names fail: until all is recognised they must not be trusted.
    fn record(&self, past: &Past, plan: &Plan<'_>) -> Result<()> {
        if plan.in_doubt && !past.folder.in_doubt {
            self.ledger().set_in_doubt(past.folder.id, true)?;
            crate::fault::point();
        }
        if !plan.rekey.is_empty() {
            self.ledger().rekey(past.folder.id, &plan.rekey)?;
            crate::fault::point();
        }
        Ok(())
    }

    /// Puts what was refused into quarantine, and the message in which the retrieval failed: next time it comes last.
    fn quarantine(&self, folder: FolderId, delivered: &Delivered, retrieved: Option<&Result<()>>) -> Result<()> {
        let mut bad: Vec<(Key, String)> =
            delivered.refused.iter().filter_map(|(l, reason)| Some((l.key.clone()?, reason.clone()))).collect();
        if let (Some(Listed { key: Some(key), .. }), Some(Err(e))) = (&delivered.cut_off, retrieved) {
            bad.push((key.clone(), e.to_string()));
        }
        if bad.is_empty() { Ok(()) } else { self.ledger().quarantine(folder, &bad, self.now) }
    }

    /// Lets out of quarantine what arrived or is gone.
    fn release(&self, past: &Past, delivered: &Delivered) -> Result<()> {
        let still: HashSet<&Key> = delivered.refused.iter().filter_map(|(l, _)| l.key.as_ref()).collect();
        let out: Vec<Key> = past.failed_before.keys().filter(|k| !still.contains(k)).cloned().collect();
        if out.is_empty() { Ok(()) } else { self.ledger().release(past.folder.id, &out) }
    }

    /// Writes down which rows the listing lacked. A row that a message left on the server may still turn out to be is
    /// not one of them, and while there is one, names stay in doubt.
    fn mark_missing(&self, past: &Past, plan: &Plan<'_>, delivered: &Delivered) -> Result<()> {
        let recognised: HashSet<_> = delivered.recognised.iter().collect();
        let left: Vec<&Listed> =
            plan.too_large.iter().copied().chain(delivered.refused.iter().map(|(l, _)| l)).collect();
        let (open, gone): (Vec<&Row>, Vec<&Row>) = (plan.suspects.iter())
            .filter(|row| !recognised.contains(&row.id))
            .partition(|row| left.iter().any(|listed| may_be(listed, row)));
        let missing: Vec<_> = plan.missing.iter().copied().chain(gone.iter().map(|row| row.id)).collect();
        self.ledger().mark_missing(&missing, &plan.back, self.now, FORGET_AFTER)?;
        crate::fault::point();
        if plan.in_doubt && open.is_empty() {
            self.ledger().set_in_doubt(past.folder.id, false)?;
        }
        Ok(())
    }

    /// The ledger; a thread that panicked has left it as its last commit did.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: Event<'_>) {
        self.observer.event(&self.account, event);
    }

    pub(super) fn warn(&self, note: &str) {
        self.tell(Event::Warning(note));
    }

    fn message(&self, folder: &str, listed: &Listed, action: Action<'_>, deleted: bool) {
        self.tell(Event::Message { folder, key: listed.key.as_ref(), bytes: listed.size, action, deleted });
    }
}

pub(super) async fn fingerprints<R: Retriever>(
    retriever: &mut R,
    asked: &[Handle],
) -> Result<BTreeMap<Handle, Fingerprint>> {
    if asked.is_empty() { Ok(BTreeMap::new()) } else { retriever.fingerprints(asked).await }
}
