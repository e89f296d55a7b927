//! The sync of one account, from the folders to the last deletion.

use super::execute::{Done, Errand};
use super::folders::{self, Fate};
use super::observe::Observed;
use super::rename::Trees;
use super::{Folder, Limit, Plan, Policy, Sought, Tally, judge, plan};
use crate::error::{Error, Kind, Result, Scope};
use crate::event::{Counts, Event};
use crate::imap::{self, Imap, Link};
use crate::mail::{FolderName, FolderPattern, Side};
use crate::retrieve;
use crate::store::{Marker, Spec, Standing};
use std::collections::BTreeSet;

/// What the sync of an account works with.
#[derive(Clone)]
pub struct Job {
    /// Account, ledger, observer, interrupt and time; its policy is the one for downloads: everything is kept.
    pub carrier: retrieve::Job,
    /// The store on this machine, a Maildir.
    pub store: Spec,
    /// Which folders; `@sent` and the like stand for what the server says of its folders.
    pub folders: Vec<FolderPattern>,
    /// What travels, and where to.
    pub policy: Policy,
    /// How many deletions pass without a question.
    pub limit: Limit,
    /// Whatever the limit says, so many deletions are meant.
    pub allow_delete: Option<u64>,
    /// Nothing is changed, only told; the ledger is a copy then.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Ended {
    /// What was done.
    pub counts: Counts,
    /// What ended the work on folders, or on the account, early.
    pub problems: Vec<Error>,
}

/// The fact under which the marker of the store is remembered.
const MARKER: &str = "marker";

/// How often the account is gone through again where some of it has to be planned anew.
const ROUNDS: usize = 3;

impl Job {
    /// Syncs all folders.
    pub async fn run<S: Link>(&self, imap: &mut Imap<S>) -> Ended {
        let mut ended = Ended::default();
        for _ in 0..ROUNDS {
            match self.round(imap, &mut ended).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(e) => {
                    ended.problems.push(e);
                    break;
                }
            }
        }
        ended
    }

    /// Goes through the account; whether some of it has to be planned again.
    async fn round<S: Link>(&self, imap: &mut Imap<S>, ended: &mut Ended) -> Result<bool> {
        self.store_stands()?;
        let tree = imap.tree(false).await?;
        self.settle_intents(imap, &tree).await?;
        let here = self.store.tree()?;
        here.notes.iter().for_each(|note| self.tell(Event::Warning(note)));
        let patterns = folders::resolved(&self.folders, &tree);
        let policy = Policy { trash: folders::trash(self.policy.trash.as_ref(), &tree)?, ..self.policy.clone() };
        let (here, known) = (here.folders.into_keys().collect(), self.known()?);
        let mut trees = Trees { there: tree, here, known };
        self.follow_renames(imap, &mut trees, &patterns).await?;
        let Trees { there: tree, here, known } = trees;
        let chosen = folders::choose(&tree, &here, &known, &patterns, &policy);

        let (mut observed, mut tallies) = (Vec::new(), Vec::new());
        for (name, fate) in chosen {
            if self.carrier.interrupt.is_raised() {
                return Ok(false);
            }
            match &fate {
                Fate::Left(note) => {
                    self.tell(Event::Warning(note));
                    continue;
                }
                Fate::Gone => {
                    self.forget(&name)?;
                    continue;
                }
                Fate::Sync | Fate::CreateRemote | Fate::Remove(_) => {}
            }
            match self.look(imap, &tree, &name, &fate, &mut ended.counts).await {
                Ok(Ok(look)) => observed.push(look),
                Ok(Err(unchanged)) => tallies.push(unchanged),
                Err(e) if e.scope() == Scope::Folder => ended.problems.push(e),
                Err(e) => return Err(e),
            }
        }
        self.seek_moves(imap, &mut observed).await?;
        observed.iter().for_each(|look| self.tell_unstorable(look));
        let removing = folders::removing(&policy);
        let of = |o: &'_ Observed| if o.removal.is_some() { &removing } else { &policy };
        let seen: Vec<Folder<'_>> = observed.iter().map(|o| o.folder(of(o))).collect();
        let mut plans = plan(&seen, self.carrier.now);
        for (look, plan) in observed.iter_mut().zip(&mut plans) {
            if let Some(side) = look.removal
                && let Some(note) = folders::keep_what_is_left(plan, &look.comparison, &look.name, side)
            {
                self.tell(Event::Warning(&note));
                look.stays = true;
            }
        }
        tallies.extend(plans.iter().map(|p| p.tally.clone()));
        if let Err(stop) = judge(&tallies, self.limit, self.allow_delete) {
            return Err(Error::new(Kind::Guard, stop.to_string(), stop.remedy(&self.carrier.account)));
        }
        if self.dry_run {
            for (look, plan) in observed.iter().zip(&plans) {
                self.rehearse(look, plan, &mut ended.counts);
                self.rehearse_removal(look);
            }
            return Ok(false);
        }
        observed.iter_mut().for_each(|look| look.comparison.planned());
        self.execute(imap, &observed, &plans, ended).await
    }

    async fn execute<S: Link>(
        &self,
        imap: &mut Imap<S>,
        observed: &[Observed],
        plans: &[Plan],
        ended: &mut Ended,
    ) -> Result<bool> {
        let mut again = false;
        for (look, plan) in observed.iter().zip(plans) {
            if self.carrier.interrupt.is_raised() {
                return Ok(false);
            }
            self.report_skipped(look, plan, &mut ended.counts);
            let errand = Errand { job: self, look, all: observed };
            let done = match look.removal {
                None => errand.run(imap, plan, &mut ended.counts).await,
                Some(side) => {
                    let removed = errand.remove_folder(imap, plan, side, &mut ended.counts).await;
                    removed.map(|()| Done::default())
                }
            };
            match done {
                Ok(done) => {
                    again |= done.again;
                    if done.whole {
                        let facts = look.facts_after(plan, done.again);
                        self.carrier.ledger().set_facts(look.id, &facts)?;
                        crate::fault::point();
                    }
                }
                Err(e) if e.scope() == Scope::Folder => ended.problems.push(e),
                Err(e) => return Err(e),
            }
        }
        Ok(again)
    }

    /// Creates what is missing of a folder, and holds its sides against each other; a folder in which nothing has changed
    /// is not opened, and only counts for the guard.
    async fn look<S: Link>(
        &self,
        imap: &mut Imap<S>,
        tree: &imap::Tree,
        name: &FolderName,
        fate: &Fate,
        counts: &mut Counts,
    ) -> Result<std::result::Result<Observed, Tally>> {
        let remote = match tree.get(name) {
            Some(folder) => Some(folder.clone()),
            None if *fate == Fate::CreateRemote && !self.dry_run => Some(imap.create_folder(name).await?),
            None => None,
        };
        if let Fate::Remove(side) = fate {
            return Observed::of(self, imap, name, remote, Some(*side), counts).await.map(Ok);
        }
        if let Some(status) = remote.as_ref().and_then(|f| f.status)
            && let Some(pairs) = self.unchanged(name, &status)?
        {
            return Ok(Err(Tally::unchanged(name.to_string(), pairs)));
        }
        Observed::of(self, imap, name, remote, None, counts).await.map(Ok)
    }

    /// What vanished from one folder may have come up in another: the messages that it could be are looked at.
    async fn seek_moves<S: Link>(&self, imap: &mut Imap<S>, observed: &mut [Observed]) -> Result<()> {
        let seeks = |o: &Observed| o.comparison.open.iter().any(|open| open.seeks_on(Side::Remote));
        if observed.len() < 2 || !observed.iter().any(seeks) {
            return Ok(());
        }
        let mut sought = Sought::default();
        observed.iter().for_each(|o| sought.add(&o.comparison, Side::Remote));
        for look in observed.iter_mut() {
            look.identify_remote(imap, &sought).await?;
        }
        Ok(())
    }

    /// The store's root has to be the one that was synced before: an unmounted disk is no wish to delete everything.
    pub(super) fn store_stands(&self) -> Result<()> {
        let root = &self.store.path;
        let expected = self.carrier.ledger().fact(MARKER)?.map(Marker);
        let standing = expected.as_ref().map(|marker| marker.standing(root)).transpose()?;
        let shown = root.display();
        let what = match standing {
            Some(Standing::Present) => return Ok(()),
            None if self.dry_run => return Ok(()),
            None => {
                let marker = Marker::make(root)?;
                return self.carrier.ledger().set_fact(MARKER, &marker.0);
            }
            Some(Standing::Missing) => format!("the store {shown} was synced before and is gone"),
            Some(Standing::Unmarked) => {
                format!("{shown} is not the store that was synced before: it has no .mailferry")
            }
            Some(Standing::Foreign) => format!("{shown} is another store than the one that was synced before"),
        };
        Err(Error::new(
            Kind::Guard,
            format!("{what}; nothing was deleted"),
            "Mount its disk, or bring the store back. To start anew with what is there, move the account's state file away \
             (docs/state.md): what both sides have is recognised.",
        ))
    }

    /// The folders that were synced before.
    pub(super) fn known(&self) -> Result<BTreeSet<FolderName>> {
        let names = self.carrier.ledger().synced_folders()?;
        Ok(names.iter().filter_map(|name| FolderName::parse(name)).collect())
    }

    pub(super) fn tell(&self, event: Event<'_>) {
        self.carrier.observer.event(&self.carrier.account, event);
    }
}
