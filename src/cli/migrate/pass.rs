//! One pass over all folders of a migration.

use super::Migration;
use super::ends::{From, Remote, To};
use super::run::Run;
use super::target::{Checked, Target};
use crate::config::Protocol;
use crate::credentials::Login;
use crate::error::{Error, Kind, Result, Scope};
use crate::event::{Event, Observer};
use crate::imap::{self, Imap, ImapTarget};
use crate::local::{self, MaildirSource, MboxSource};
use crate::mail::{FolderName, FolderPattern, Key, Role};
use crate::migrate::{Balance, Collector, FolderReport, Place, Sieve, Verified, label, missing, targets};
use crate::net::Stream;
use crate::pop3;
use crate::retrieve::{Job, Keep, Outcome, Retriever, SourceId};
use crate::state::{Row, Status};
use crate::store::{Maildir, Mbox, Spec, StoreKind};
use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use tokio::task::block_in_place;

/// A pass, and what has come of it so far.
pub struct Pass<'r> {
    run: &'r Run,
    job: Job,
    collector: Arc<Collector>,
    /// Each folder that was gone through.
    pub done: Vec<FolderReport>,
    /// What ended the work on folders, or on all of it, early.
    pub problems: Vec<Error>,
}

/// A folder on its way.
struct Stop {
    from: FolderName,
    to: FolderName,
    subscribed: Option<bool>,
}

impl Stop {
    fn label(&self) -> FolderName {
        label(&self.from, &self.to)
    }
}

impl<'r> Pass<'r> {
    /// A pass that works with this ledger.
    pub fn new(run: &'r Run, job: &Job) -> Pass<'r> {
        let collector = Arc::new(Collector::new(Arc::clone(&job.observer)));
        let job = Job { observer: Arc::<Collector>::clone(&collector), ..job.clone() };
        Pass { run, job, collector, done: Vec::new(), problems: Vec::new() }
    }

    /// Goes through the folders. What ends more than a folder is the last problem.
    pub async fn go(&mut self) {
        if let Err(e) = self.through().await {
            self.problems.push(e);
        }
    }

    fn is_removing(&self) -> bool {
        self.job.policy.keep == Keep::Never
    }

    async fn through(&mut self) -> Result<()> {
        let run = self.run;
        let interrupt = self.job.interrupt.clone();
        // One after the other, for they may ask somebody.
        let Some(logins) = interrupt.unless_raised(self.logins()).await? else { return Ok(()) };
        let (session, target) = tokio::try_join!(
            interrupt.unless_raised(self.imap_source(logins.0.as_ref())),
            interrupt.unless_raised(self.target(logins.1.as_ref()))
        )?;
        let (Some(session), Some(mut target)) = (session, target) else { return Ok(()) };
        // Boxed, for together these futures would not fit the stack of a thread.
        match &run.migration.from {
            From::Server(remote) => match (session, &logins.0) {
                (Some(session), _) => Box::pin(self.imap(session, &mut target)).await?,
                (None, Some(login)) => Box::pin(self.pop3(remote, login, &mut target)).await?,
                (None, None) => {}
            },
            From::Maildir(spec) => Box::pin(self.maildirs(spec, &mut target)).await?,
            From::Mbox(path) => {
                let tree = local::mboxes(path)?;
                tree.notes.iter().for_each(|note| self.tell(Event::Warning(note)));
                for stop in self.stops(places(tree.folders.keys()), &target) {
                    let Some(path) = tree.folders.get(&stop.from) else { continue };
                    let source = MboxSource::open(path, &stop.from, self.job.now);
                    self.local(&stop, source, &mut target).await?;
                }
            }
        }
        if let Target::Imap(line, _) = target
            && let Ok(line) = Arc::try_unwrap(line)
        {
            line.into_inner().logout().await;
        }
        Ok(())
    }

    /// User and password for each end that is a server.
    async fn logins(&self) -> Result<(Option<Login>, Option<Login>)> {
        let Migration { from, to, .. } = &self.run.migration;
        let from = if let From::Server(remote) = from { Some(remote.login().await?) } else { None };
        let to = if let To::Server(remote) = to { Some(remote.login().await?) } else { None };
        Ok((from, to))
    }

    async fn target(&self, login: Option<&Login>) -> Result<Target> {
        match (&self.run.migration.to, login) {
            (To::Store(spec), _) => Ok(Target::Local(spec.clone())),
            (To::Server(remote), login) => {
                let login = login.ok_or_else(|| Error::new(Kind::Usage, "no log-in is known", "Report this."))?;
                let mut imap = Box::pin(imap::open(&remote.server, login, remote.auth)).await?;
                let tree = imap.tree(true).await?;
                Ok(Target::Imap(Arc::new(tokio::sync::Mutex::new(imap)), Box::new(tree)))
            }
        }
    }

    /// The source, logged in, where it is an IMAP server.
    async fn imap_source(&self, login: Option<&Login>) -> Result<Option<Imap<Stream>>> {
        match (&self.run.migration.from, login) {
            (From::Server(remote), Some(login)) if remote.protocol == Protocol::Imap => {
                Box::pin(imap::open(&remote.server, login, remote.auth)).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn pop3(&mut self, remote: &Remote, login: &Login, target: &mut Target) -> Result<()> {
        let inbox = FolderName::inbox();
        let Some(stop) = self.stops(places([&inbox]), target).pop() else { return Ok(()) };
        let interrupt = self.job.interrupt.clone();
        let source = pop3::source(&remote.server, &login.user);
        let opening = Box::pin(pop3::open(&remote.server, login, remote.auth));
        self.folder(&stop, &source, interrupt.unless_raised(opening), target).await
    }

    async fn imap(&mut self, mut session: Imap<Stream>, target: &mut Target) -> Result<()> {
        let tree = session.tree(true).await?;
        let named = |f: &imap::Folder| self.plan_names(&f.name);
        // A view of what other folders hold.
        let folders: Vec<imap::Folder> = (tree.select(&self.run.migration.plan.folders).into_iter())
            .filter(|f| !matches!(f.role, Some(Role::Flagged | Role::Important)) || named(f))
            .collect();
        if let Some(all) = folders.iter().find(|f| f.role == Some(Role::All) && folders.len() > 1 && !named(f)) {
            let note = format!(
                "{0} is a view of all messages of the account, and is copied like the others. To leave it out, add: --folders '!{0}'",
                all.name
            );
            self.tell(Event::Warning(&note));
        }
        let places = folders.iter().map(|f| Place { name: f.name.clone(), role: f.role }).collect();
        for (stop, folder) in self.stops(places, target).into_iter().zip(&folders) {
            if self.job.interrupt.is_raised() {
                return Ok(());
            }
            let stop = Stop { subscribed: folder.subscribed, ..stop };
            for twin in &folder.twins {
                let what = format!(
                    "two folders of the source read as {}; \u{201c}{}\u{201d} is left",
                    folder.name,
                    twin.escape_ascii()
                );
                self.problems
                    .push(Error::new(Kind::Unavailable, what, "Rename one of them there, then run again.").folder());
            }
            let opened = match session.open_folder(folder, self.is_removing()).await {
                Ok(opened) => opened,
                Err(e) => {
                    self.ended_early(&stop, e)?;
                    continue;
                }
            };
            let source = opened.source().clone();
            self.folder(&stop, &source, async { Ok(Some(opened)) }, target).await?;
        }
        session.logout().await;
        Ok(())
    }

    /// Whether a folder is named outright.
    fn plan_names(&self, name: &FolderName) -> bool {
        let literal = |p: &FolderPattern| p.is_literal() && p.as_str() == name.to_string();
        self.run.migration.plan.folders.iter().any(literal)
    }

    async fn maildirs(&mut self, spec: &Spec, target: &mut Target) -> Result<()> {
        let (spec, tree) = local::maildirs(spec)?;
        tree.notes.iter().for_each(|note| self.tell(Event::Warning(note)));
        for stop in self.stops(places(tree.folders.keys()), target) {
            let known = self.known(&stop)?;
            let source = MaildirSource::open(&spec, &stop.from, known, self.job.now);
            self.local(&stop, source, target).await?;
        }
        Ok(())
    }

    /// What the ledger knows of a folder, by name.
    fn known(&self, stop: &Stop) -> Result<HashSet<Key>> {
        let ledger = self.job.ledger();
        let Some(folder) = ledger.folder(&stop.label().to_string())? else { return Ok(HashSet::new()) };
        Ok(ledger.rows(folder.id)?.into_iter().filter_map(|row| row.key).collect())
    }

    async fn local<R: Retriever>(&mut self, stop: &Stop, source: Result<R>, target: &mut Target) -> Result<()> {
        if self.job.interrupt.is_raised() {
            return Ok(());
        }
        match source {
            Ok(source) => {
                let id = source.source().clone();
                self.folder(stop, &id, async { Ok(Some(source)) }, target).await
            }
            Err(e) => self.ended_early(stop, e),
        }
    }

    /// The folders that are wanted, each with its target.
    fn stops(&self, mut source: Vec<Place>, target: &Target) -> Vec<Stop> {
        let plan = &self.run.migration.plan;
        source.retain(|place| FolderPattern::selects(&plan.folders, &place.name));
        let to = targets(&source, &target.places(), &plan.mapping);
        let stop = |(place, to): (Place, FolderName)| Stop { from: place.name, to, subscribed: None };
        source.into_iter().zip(to).map(stop).collect()
    }

    /// Takes a folder from its source to its target. An error reaches beyond the folder.
    async fn folder<R: Retriever>(
        &mut self,
        stop: &Stop,
        source: &SourceId,
        connecting: impl Future<Output = Result<Option<R>>>,
        target: &mut Target,
    ) -> Result<()> {
        let dry = self.run.is_dry();
        let done = match target {
            Target::Imap(line, tree) => {
                let limit = line.lock().await.append_limit();
                let folder = match tree.get(&stop.to).cloned() {
                    Some(folder) => {
                        if stop.subscribed == Some(true) && folder.subscribed == Some(false) && !dry {
                            line.lock().await.subscribe(&folder, true).await?;
                        }
                        Ok(Some(folder))
                    }
                    None if dry => Ok(None),
                    None => self.create(line, tree, stop).await.map(Some),
                };
                let store = match folder {
                    Ok(Some(folder)) => ImapTarget::open(line, &folder, !dry).await.map(Some),
                    Ok(None) => Ok(None),
                    Err(e) => Err(e),
                };
                match store {
                    Ok(store) => Box::pin(self.carry(stop, source, connecting, store, limit)).await,
                    Err(e) => Err(e),
                }
            }
            Target::Local(spec) => Box::pin(self.carry_to(spec, stop, source, connecting)).await,
        };
        done.or_else(|e| self.ended_early(stop, e))
    }

    async fn carry_to<R: Retriever>(
        &mut self,
        spec: &Spec,
        stop: &Stop,
        source: &SourceId,
        connecting: impl Future<Output = Result<Option<R>>>,
    ) -> Result<()> {
        let (path, ends) = (spec.standing_path(&stop.to)?, spec.line_endings);
        match (spec.kind, self.run.is_dry()) {
            (StoreKind::Maildir, dry) => {
                let store = if dry { Maildir::standing(path, ends) } else { Some(Maildir::open(path, ends)?) };
                self.carry(stop, source, connecting, store, None).await
            }
            (StoreKind::Mbox, dry) => {
                let store = if dry { Mbox::standing(path, ends)? } else { Some(Mbox::open(path, ends)?) };
                self.carry(stop, source, connecting, store, None).await
            }
        }
    }

    async fn create(&self, line: &imap::Line<Stream>, tree: &mut imap::Tree, stop: &Stop) -> Result<imap::Folder> {
        let mut imap = line.lock().await;
        let folder = imap.create_folder(&stop.to).await?;
        if stop.subscribed == Some(false) {
            imap.subscribe(&folder, false).await?;
        }
        tree.add(folder.clone());
        Ok(folder)
    }

    /// The pull itself, then the look at what stands in the target.
    async fn carry<R: Retriever, S: Checked>(
        &mut self,
        stop: &Stop,
        source: &SourceId,
        connecting: impl Future<Output = Result<Option<R>>>,
        store: Option<S>,
        limit: Option<u64>,
    ) -> Result<()> {
        let label = stop.label();
        let id = SourceId { folder: label.clone(), scope: source.scope.clone() };
        let told: (String, Arc<dyn Observer>) = (self.job.account.clone(), Arc::<Collector>::clone(&self.collector));
        let wishes = self.run.migration.plan.wishes.clone();
        let now = self.job.now;
        let sieved =
            async move { Ok(connecting.await?.map(|inner| Sieve::new(inner, label, wishes, limit, told, now))) };
        let (outcome, store) = match store {
            store if self.run.is_dry() => (Box::pin(self.job.rehearse(&id, sieved, store)).await, None),
            Some(store) => {
                let store = Arc::new(store);
                (Box::pin(self.job.pull(&id, sieved, Arc::clone(&store))).await, Some(store))
            }
            None => return Ok(()),
        };
        let Outcome { counts, error } = outcome;
        let verified = match &store {
            Some(store) => {
                store.take_notes().iter().for_each(|note| self.tell(Event::Warning(note)));
                let stopped = error.is_some() || self.job.interrupt.is_raised() || self.is_removing();
                let by_content = self.run.migration.plan.by_content.filter(|_| !stopped);
                by_content.map(|by_content| self.verify(&id, &**store, by_content)).transpose()
            }
            None => Ok(None),
        };
        let reason = error.as_ref().map(ToString::to_string);
        let balance = Balance::of(&counts, self.collector.take(&id.folder.to_string()), reason);
        let (verified, failed) = match verified {
            Ok(verified) => (verified, None),
            Err(e) => (None, Some(e)),
        };
        self.done.push(FolderReport { from: stop.from.clone(), to: stop.to.clone(), balance, verified });
        match error.or(failed) {
            Some(e) => Err(e),
            None => Ok(()),
        }
    }

    /// Whether every message of the source stands in the target.
    fn verify<S: Checked>(&self, id: &SourceId, store: &S, by_content: bool) -> Result<Verified> {
        let rows = {
            let ledger = self.job.ledger();
            let folder = ledger.folder(&id.folder.to_string())?;
            folder.map_or(Ok(Vec::new()), |folder| ledger.rows(folder.id))?
        };
        // Rows without a name and a listed size are the target's own.
        let is_expected = |row: &Row| {
            let listed = row.key.is_some() || row.listed_size.is_some();
            row.status == Status::Delivered && row.missing_since.is_none() && listed
        };
        let rows: Vec<Row> = rows.into_iter().filter(is_expected).collect();
        let mut found = block_in_place(|| store.contents(by_content))?;
        let mut lost = missing(&rows, &found, by_content).len();
        if lost > 0 && !by_content {
            // A server may state wrong sizes: the octets decide.
            found = block_in_place(|| store.contents(true))?;
            lost = missing(&rows, &found, false).len();
        }
        Ok(Verified { expected: rows.len() as u64, missing: lost as u64, by_content })
    }

    /// An error that ends a folder alone is kept; any other is handed on.
    fn ended_early(&mut self, stop: &Stop, e: Error) -> Result<()> {
        let known = self.done.iter().any(|f| f.from == stop.from);
        if !known {
            let (from, to) = (stop.from.clone(), stop.to.clone());
            self.done.push(FolderReport { from, to, balance: Balance::default(), verified: None });
        }
        if e.scope() == Scope::Account {
            return Err(e);
        }
        self.problems.push(e);
        Ok(())
    }

    fn tell(&self, event: Event<'_>) {
        self.job.observer.event(&self.job.account, event);
    }
}

fn places<'n>(names: impl IntoIterator<Item = &'n FolderName>) -> Vec<Place> {
    names.into_iter().map(|name| Place { name: name.clone(), role: None }).collect()
}
