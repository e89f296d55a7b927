//! A folder's way from its source to its target, and the look at what stands there then.

use super::Migration;
use super::check::Shown;
use super::pass::Passed;
use super::run::Run;
use super::target::{Opened, Standing, Target};
use crate::cli::report::messages;
use crate::connections::Work;
use crate::error::{Error, Result, Scope};
use crate::event::{Counts, Event, Observer};
use crate::imap::{self, Connection};
use crate::mail::{FolderName, Key};
use crate::migrate::{
    Balance, Collector, FolderReport, Hashing, Leaving, Lesson, Sample, Sieve, Site, Verified, label,
};
use crate::retrieve::{Job, Keep, Outcome, Retriever, SourceId};
use crate::state::Finding;
use crate::store::Here;
use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::task::JoinSet;

/// A folder on its way.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Its place among the folders of the source.
    pub at: usize,
    /// In the source.
    pub from: FolderName,
    /// In the target.
    pub to: FolderName,
    /// Whether the user subscribed to it, where the source tells.
    pub subscribed: Option<bool>,
}

impl Stop {
    /// What the ledger calls it.
    pub fn label(&self) -> FolderName {
        label(&self.from, &self.to)
    }
}

/// What it takes to carry folders, several at once.
pub struct Carriage {
    /// What is wanted.
    pub migration: Arc<Migration>,
    /// Nothing is changed, only told.
    pub dry_run: bool,
    /// The pull that each folder is.
    pub job: Job,
    /// What the pulls tell.
    pub collector: Arc<Collector>,
    /// Where it all goes.
    pub target: Target,
    /// How fast the source is, where that is to be found out.
    pub sample: Option<Arc<Sample>>,
    /// The folders that are wanted.
    route: OnceLock<Route>,
    come: Mutex<Come>,
}

/// The folders of a pass.
#[derive(Debug)]
pub struct Route {
    /// Each with its target.
    pub stops: Vec<Stop>,
    /// Where the folders of the source really are.
    pub sites: Vec<Site>,
}

/// What has come of it so far.
#[derive(Default)]
struct Come {
    done: Vec<(usize, FolderReport)>,
    problems: Vec<Error>,
    kept: u64,
}

/// The folders of an IMAP server as work for its connections: those that go into one folder, one after the other.
pub struct Folders(pub Arc<Carriage>);

impl Work for Folders {
    type Item = Vec<(Stop, imap::Folder)>;
    type Done = ();

    async fn on(&self, imap: &mut Connection, group: Self::Item, _: &mut Counts) -> Result<()> {
        for (stop, folder) in group {
            if self.0.job.interrupt.is_raised() {
                return Ok(());
            }
            let opening = async { imap.open_listed(&folder, self.0.is_removing()).await.map(Some) };
            Box::pin(self.0.folder(&stop, opening)).await?;
        }
        Ok(())
    }
}

impl Carriage {
    /// For a run, with nothing carried yet.
    pub fn new(run: &Run, job: Job, collector: Arc<Collector>, target: Target) -> Carriage {
        let (migration, dry_run) = (Arc::clone(&run.migration), run.is_dry());
        let sample = run.sample.clone();
        Carriage { migration, dry_run, job, collector, target, sample, route: OnceLock::new(), come: Mutex::default() }
    }

    /// Whether what was copied is to leave the source.
    pub fn is_removing(&self) -> bool {
        self.job.policy.keep == Keep::Never
    }

    /// What has come of it.
    pub fn take(&self) -> Passed {
        let Come { mut done, problems, kept } = std::mem::take(&mut *self.come());
        done.sort_by_key(|(at, _)| *at);
        let done = done.into_iter().map(|(_, report)| report).collect();
        Passed { done, problems, kept, leaving: JoinSet::new() }
    }

    /// Readies the target for folders that hold so many messages: for those of which nothing was carried yet.
    pub fn expect<'s>(&self, folders: impl Iterator<Item = (&'s Stop, u64)>) -> Result<()> {
        let mut new = 0;
        for (stop, messages) in folders {
            if self.job.ledger().folder(&stop.label().to_string())?.is_none() {
                new += messages;
            }
        }
        if !self.dry_run && !self.is_removing() {
            self.target.expect(new);
        }
        Ok(())
    }

    /// Sets out for these folders. Of one that is gone from the target, all that an earlier check found there is gone with it.
    pub async fn set_out(&self, route: Route) -> Result<()> {
        for stop in &route.stops {
            if self.target.lacks(&stop.to).await {
                self.removed_whole(stop)?;
            }
        }
        let _ = self.route.set(route);
        Ok(())
    }

    fn removed_whole(&self, stop: &Stop) -> Result<()> {
        let removed = {
            let mut ledger = self.job.ledger();
            let Some(folder) = ledger.folder(&stop.label().to_string())? else { return Ok(()) };
            let stood = ledger.findings(folder.id)?.into_iter().filter(|(_, finding)| *finding != Finding::Removed);
            let removed: Vec<_> = stood.map(|(row, _)| (row, Finding::Removed)).collect();
            ledger.set_findings(&removed)?;
            removed.len() as u64
        };
        if removed > 0 {
            self.tell(Event::Warning(&format!(
                "{} was removed at the target since the last check; not copied again: {} of {}. To have them copied, move the state of this \
                 migration away and run again: what is there is recognised.",
                stop.to,
                messages(removed),
                stop.from
            )));
        }
        Ok(())
    }

    /// Where a folder of the source really is, as its scope tells; known once it was gone through.
    pub fn site(&self, stop: &Stop) -> Result<Site> {
        let folder = self.job.ledger().folder(&stop.label().to_string())?;
        Ok(folder.map_or(Site::Unknown, |folder| Site::on_server(imap::uidvalidity_in(&folder.scope))))
    }

    /// What may leave a folder of the source: what the check found in the target, and was put there for it. What stood there
    /// before may be the very same message under another name of the folder, unless the target is certainly none of the folders
    /// of the source.
    fn leaving(&self, stop: &Stop, target: Site) -> Result<Leaving> {
        let (mut leaving, before) = {
            let ledger = self.job.ledger();
            let Some(folder) = ledger.folder(&stop.label().to_string())? else { return Ok(Leaving::default()) };
            let leaving = Leaving { keys: ledger.standing(folder.id)?, nameless: !ledger.lacks_nameless(folder.id)? };
            (leaving, ledger.stood_before(folder.id)?)
        };
        if !self.are_all(|site| site.is_apart_from(target)) {
            leaving.keys.retain(|key| !before.contains(key));
            self.come().kept += before.len() as u64;
        }
        Ok(leaving)
    }

    /// Tells a rehearsal what would stay in the source for certain, though the target has it: what that had before, where nothing
    /// is ever going to tell the two apart.
    fn foresee_leaving(&self, stop: &Stop, target: Site) -> Result<()> {
        let is_to_be_seen =
            |site: Site| site == Site::Unknown && self.migration.from.is_imap() && matches!(target, Site::Server(_));
        if self.are_all(|site| site.is_apart_from(target) || is_to_be_seen(site)) {
            return Ok(());
        }
        let mut brought = self.known(stop)?;
        let ledger = self.job.ledger();
        let label = stop.label().to_string();
        if let Some(folder) = ledger.folder(&label)? {
            let before = ledger.stood_before(folder.id)?;
            brought.retain(|key| !before.contains(key));
        }
        self.collector.only_brought(&label, brought);
        Ok(())
    }

    /// Whether all folders of the source are such; never where none is known.
    fn are_all(&self, such: impl Fn(Site) -> bool) -> bool {
        let sites = self.route.get().map(|route| route.sites.as_slice()).unwrap_or_default();
        !sites.is_empty() && sites.iter().all(|site| such(*site))
    }

    /// The folders that go into the same one, by what the ledger calls them.
    fn beside(&self, stop: &Stop) -> Vec<String> {
        self.neighbours(stop).map(|other| other.label().to_string()).collect()
    }

    /// Those of them that were carried before it.
    pub fn ahead<'s>(&'s self, stop: &'s Stop) -> impl Iterator<Item = FolderName> + 's {
        self.neighbours(stop).filter(|other| other.at < stop.at).map(Stop::label)
    }

    fn neighbours<'s>(&'s self, stop: &'s Stop) -> impl Iterator<Item = &'s Stop> {
        let stops = self.route.get().map(|route| route.stops.iter()).into_iter().flatten();
        stops.filter(|other| other.to == stop.to && other.from != stop.from)
    }

    fn come(&self) -> MutexGuard<'_, Come> {
        self.come.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What ended the work on a folder.
    pub fn problem(&self, e: Error) {
        self.come().problems.push(e);
    }

    /// What the ledger knows of a folder, by name.
    pub fn known(&self, stop: &Stop) -> Result<HashSet<Key>> {
        let ledger = self.job.ledger();
        let Some(folder) = ledger.folder(&stop.label().to_string())? else { return Ok(HashSet::new()) };
        Ok(ledger.rows(folder.id)?.into_iter().filter_map(|row| row.key).collect())
    }

    /// Takes a folder from its source, which is opened along with its target, to there. An error reaches beyond the folder.
    pub async fn folder<R: Retriever>(
        &self,
        stop: &Stop,
        opening: impl Future<Output = Result<Option<R>>>,
    ) -> Result<()> {
        let (source, store) = tokio::join!(opening, self.target.open(stop, self.dry_run));
        let done = async {
            // Trouble with the target is the graver one: it may hold for the folders to come.
            let store = match store {
                Err(e) if e.scope() != Scope::Folder => return Err(e),
                store => store,
            };
            let Some(source) = source? else { return Ok(()) };
            match store {
                Err(e) => Box::pin(self.left(stop, source, e)).await,
                Ok(Opened::Imap(store, limit)) => Box::pin(self.carry(stop, source, store.map(|s| *s), limit)).await,
                Ok(Opened::Here(Here::Maildir(store))) => Box::pin(self.carry(stop, source, store, None)).await,
                Ok(Opened::Here(Here::Mbox(store))) => Box::pin(self.carry(stop, source, store, None)).await,
            }
        };
        done.await.or_else(|e| self.ended_early(stop, e))
    }

    /// Counts the messages of a folder whose target cannot be opened, for all of them have failed.
    async fn left<R: Retriever>(&self, stop: &Stop, mut source: R, e: Error) -> Result<()> {
        let listed = self.job.interrupt.unless_raised(source.list()).await?.map_or(0, |l| l.messages.len() as u64);
        source.finish().await?;
        let failed = [(e.to_string(), listed)].into_iter().filter(|(_, n)| *n > 0).collect();
        self.report(stop, Balance { listed, failed, ..Balance::default() }, None);
        Err(e)
    }

    /// The pull itself, then the look at what stands in the target.
    async fn carry<R: Retriever, S: Standing>(
        &self,
        stop: &Stop,
        source: R,
        store: Option<S>,
        limit: Option<u64>,
    ) -> Result<()> {
        let label = stop.label();
        let id = SourceId { folder: label.clone(), scope: source.source().scope.clone() };
        let told: (String, Arc<dyn Observer>) = (self.job.account.clone(), Arc::<Collector>::clone(&self.collector));
        let wishes = self.migration.plan.wishes.clone();
        let leaving = match &store {
            Some(store) if self.is_removing() => Some(self.leaving(stop, store.site())?),
            _ => None,
        };
        if let Some(store) = store.as_ref().filter(|_| self.dry_run && self.migration.plan.delete_source) {
            self.foresee_leaving(stop, store.site())?;
        }
        let by_content = self.migration.plan.by_content == Some(true) && leaving.is_none() && !self.dry_run;
        let lesson = Lesson::default();
        let hashing = match &store {
            Some(store) if by_content => {
                let compared = self.compared(&label, store.uidvalidity())?;
                Some(Hashing { until: self.job.interrupt.clone(), compared })
            }
            _ => None,
        };
        let sieve = Sieve::new(source, label, wishes, limit, told, self.job.now)
            .sampling(self.sample.clone())
            .learning(Arc::clone(&lesson), hashing)
            .leaving(leaving);
        let sieved = async { Ok(Some(sieve)) };
        let job = Job { beside: self.beside(stop), ..self.job.clone() };
        let (outcome, store) = match store {
            store if self.dry_run => (Box::pin(job.rehearse(&id, sieved, store)).await, None),
            Some(store) => {
                let store = Arc::new(store);
                (Box::pin(job.pull(&id, sieved, Arc::clone(&store))).await, Some(store))
            }
            None => return Ok(()),
        };
        let Outcome { counts, error } = outcome;
        let learned = std::mem::take(&mut *lesson.lock().unwrap_or_else(PoisonError::into_inner));
        if learned.marked > 0 && self.migration.to.keeps_no_flags() {
            let note = format!(
                "{} in {} had flags or keywords, which an mbox does not keep",
                messages(learned.marked),
                stop.from
            );
            self.tell(Event::Warning(&note));
        }
        if let Some(store) = &store {
            store.take_notes().iter().for_each(|note| self.tell(Event::Warning(note)));
        }
        let stopped = error.is_some() || self.job.interrupt.is_raised() || self.is_removing();
        let shown = match (&store, self.migration.plan.by_content.filter(|_| !stopped)) {
            (Some(store), Some(whole)) => self.check(stop, whole.then_some(&learned), &counts, &**store),
            _ => self.unchecked(&id.folder),
        };
        let reason = error.as_ref().map(ToString::to_string);
        let mut balance = Balance::of(&counts, self.collector.take(&id.folder.to_string()), reason);
        let (shown, failed) = match shown {
            Ok(shown) => (shown, None),
            Err(e) => (Shown::default(), Some(e)),
        };
        balance.removed_there(shown.removed);
        self.report(stop, balance, shown.verified);
        match error.or(failed) {
            Some(e) => Err(e),
            None => Ok(()),
        }
    }

    /// An error that ends a folder alone is kept; any other is handed on.
    pub fn ended_early(&self, stop: &Stop, e: Error) -> Result<()> {
        let known = self.come().done.iter().any(|(at, _)| *at == stop.at);
        if !known {
            self.report(stop, Balance::default(), None);
        }
        if e.scope() == Scope::Account {
            return Err(e);
        }
        self.problem(e);
        Ok(())
    }

    fn report(&self, stop: &Stop, balance: Balance, verified: Option<Verified>) {
        let (from, to) = (stop.from.clone(), stop.to.clone());
        self.come().done.push((stop.at, FolderReport { from, to, balance, verified }));
    }

    /// Tells a fact.
    pub fn tell(&self, event: Event<'_>) {
        self.job.observer.event(&self.job.account, event);
    }
}
