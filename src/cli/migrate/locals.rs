//! The folders of a local source.

use super::carriage::{Carriage, Route, Stop};
use super::ends::{From, To};
use super::pass::{places, stops};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::local::{self, LocalTree, MaildirSource, MboxSource};
use crate::migrate::Site;
use crate::store::{Layout, Spec};
use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;

/// A local source.
enum Files {
    Maildirs(Spec, LocalTree),
    Mboxes(LocalTree),
}

/// Folders that are still to be carried; those that go into one folder, one after the other.
type Queue = Mutex<VecDeque<Vec<Stop>>>;

/// Carries all folders of a local source; into a server several at once, for there they wait for its answers.
pub async fn through(carriage: &Arc<Carriage>) -> Result<()> {
    let Some(files) = Files::of(&carriage.migration.from)? else { return Ok(()) };
    let files = Arc::new(files);
    files.tree().notes.iter().for_each(|note| carriage.tell(Event::Warning(note)));
    let stops = stops(carriage, places(files.tree().folders.keys())).await;
    carriage.set_out(Route { stops: stops.clone(), sites: files.sites() }).await?;
    let groups = grouped(stops);
    let most = match &carriage.migration.to {
        To::Server(_) => carriage.migration.plan.connections.min(groups.len()),
        To::Store(_) => 1,
    };
    let queue = Arc::new(Queue::new(groups.into()));
    let mut carriers = JoinSet::new();
    for _ in 0..most {
        carriers.spawn(carry(Arc::clone(carriage), Arc::clone(&files), Arc::clone(&queue)));
    }
    let mut ended = Ok(());
    while let Some(joined) = carriers.join_next().await {
        let done = joined.unwrap_or_else(|e| resume_unwind(e.into_panic()));
        if let Err(earlier) = std::mem::replace(&mut ended, done) {
            carriage.problem(earlier);
        }
    }
    ended
}

async fn carry(carriage: Arc<Carriage>, files: Arc<Files>, queue: Arc<Queue>) -> Result<()> {
    let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    while let Some(group) = take() {
        for stop in group {
            if carriage.job.interrupt.is_raised() {
                return Ok(());
            }
            if let Err(e) = files.carry(&carriage, &stop).await {
                // It reaches beyond the folder.
                queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
                return Err(e);
            }
        }
    }
    Ok(())
}

fn grouped(stops: Vec<Stop>) -> Vec<Vec<Stop>> {
    let mut groups: Vec<Vec<Stop>> = Vec::new();
    for stop in stops {
        match groups.iter_mut().find(|group| group.iter().any(|other| other.to == stop.to)) {
            Some(group) => group.push(stop),
            None => groups.push(vec![stop]),
        }
    }
    groups
}

impl Files {
    /// `None` of a server.
    fn of(from: &From) -> Result<Option<Files>> {
        Ok(match from {
            From::Maildir(spec) => {
                let (spec, tree) = local::maildirs(spec)?;
                Some(Files::Maildirs(spec, tree))
            }
            From::Mbox(path) => Some(Files::Mboxes(local::mboxes(path)?)),
            From::Server(_) => None,
        })
    }

    fn tree(&self) -> &LocalTree {
        match self {
            Files::Maildirs(_, tree) | Files::Mboxes(tree) => tree,
        }
    }

    /// Where the folders really are, as far as any of them may be one of the target's.
    fn sites(&self) -> Vec<Site> {
        match self {
            Files::Maildirs(_, tree) => tree.folders.values().map(|path| Site::of(path)).collect(),
            Files::Mboxes(_) => Vec::new(),
        }
    }

    async fn carry(&self, carriage: &Carriage, stop: &Stop) -> Result<()> {
        let Some(path) = self.tree().folders.get(&stop.from) else { return Ok(()) };
        match self {
            Files::Maildirs(spec, _) => {
                let spec = Spec { layout: Layout::Single, path: path.clone(), ..spec.clone() };
                let opening = async {
                    let known = carriage.known(stop)?;
                    MaildirSource::open(&spec, &stop.from, known, carriage.job.now).map(Some).map_err(Error::folder)
                };
                Box::pin(carriage.folder(stop, opening)).await
            }
            Files::Mboxes(_) => {
                let opening =
                    async { MboxSource::open(path, &stop.from, carriage.job.now).map(Some).map_err(Error::folder) };
                Box::pin(carriage.folder(stop, opening)).await
            }
        }
    }
}
