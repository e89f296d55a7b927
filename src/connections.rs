//! The connections of a run to its server: one, and more for as long as there is work for them.

use crate::error::{Error, Result, Scope};
use crate::event::Counts;
use crate::imap::{Access, Connection};
use crate::interrupt::Interrupt;
use crate::patience::is_setback;
use std::collections::VecDeque;
use std::future::Future;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// So many round trips of work are worth a connection of their own.
const WORTH: usize = 16;

/// Work on one folder that has nothing to do with the work on others.
pub trait Work: Send + Sync + 'static {
    /// What to work on.
    type Item: Send + 'static;
    /// What came of it.
    type Done: Send + 'static;

    /// Does it over a connection, and counts what was done, with or without an error.
    fn on(
        &self,
        imap: &mut Connection,
        item: Self::Item,
        counts: &mut Counts,
    ) -> impl Future<Output = Result<Self::Done>> + Send;
}

/// How many connections so much work is worth: each item has its own, in round trips.
pub fn worth(loads: impl IntoIterator<Item = u64>, most: usize) -> usize {
    let (mut items, mut all) = (0, 0_u64);
    for load in loads {
        (items, all) = (items + 1, all.saturating_add(load));
    }
    usize::try_from(all).unwrap_or(usize::MAX).div_euclid(crate::fault::batch(WORTH)).min(items).min(most).max(1)
}

/// The connections.
pub struct Connections {
    access: Arc<Access>,
    interrupt: Interrupt,
    most: usize,
    /// Those that are open, the first one first.
    idle: Vec<Connection>,
    /// Those that take leave.
    leaving: JoinSet<()>,
    /// The server has let this run in.
    was_open: bool,
}

impl Connections {
    /// None yet, and never more than `most` at once.
    pub fn new(access: &Access, interrupt: &Interrupt, most: usize) -> Connections {
        let (access, interrupt) = (Arc::new(access.clone()), interrupt.clone());
        Connections { access, interrupt, most: most.max(1), idle: Vec::new(), leaving: JoinSet::new(), was_open: false }
    }

    /// The one for what has to be done one after the other; opened where there is none. `None` when told to stop.
    pub async fn first(&mut self) -> Result<Option<&mut Connection>> {
        if self.idle.is_empty() {
            let Some(opened) = self.interrupt.unless_raised(self.access.open()).await? else { return Ok(None) };
            self.idle.push(opened);
            self.was_open = true;
        }
        Ok(self.idle.first_mut())
    }

    /// How many there may be.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Whether the server has let this run in before.
    pub fn was_open(&self) -> bool {
        self.was_open
    }

    /// Gives up all of them, without another word.
    pub fn give_up(&mut self) {
        self.idle.clear();
    }

    /// Takes leave on all but the first: no server lets connections stand idle for long.
    pub fn keep_first(&mut self) {
        for imap in self.idle.drain(1.min(self.idle.len())..) {
            self.leaving.spawn(imap.logout());
        }
    }

    /// Takes leave of the server; the tasks end as it answers.
    pub fn leave(mut self) -> JoinSet<()> {
        for imap in self.idle {
            self.leaving.spawn(imap.logout());
        }
        self.leaving
    }

    /// Takes leave of the server, and waits for its answers.
    pub async fn log_out(self) {
        self.leave().join_all().await;
    }

    /// Does work on all items, over as many connections; those that are not open yet are opened while the others are at
    /// work. Gives what came of each item, in their order; `None` where it was not worked on, which happens after an error
    /// that ends more than a folder, and when told to stop.
    ///
    /// A server that does not take another connection, or ends one that is not the first, is not asked for as many again.
    pub async fn each<W: Work>(
        &mut self,
        work: W,
        items: Vec<W::Item>,
        wanted: usize,
        counts: &mut Counts,
    ) -> Result<Vec<Option<Result<W::Done>>>> {
        if items.is_empty() || self.first().await?.is_none() {
            return Ok(items.iter().map(|_| None).collect());
        }
        let queue = Arc::new(Queue::new(work, items, &self.interrupt));
        let mut serving = JoinSet::new();
        let (access, mut open) = (&self.access, std::mem::take(&mut self.idle).into_iter());
        for number in 0..wanted.clamp(1, self.most) {
            let (queue, access, imap) = (Arc::clone(&queue), Arc::clone(access), open.next());
            serving.spawn(async move { (number, queue.serve(imap, &access).await) });
        }
        let mut ends: Vec<(usize, Served)> = Vec::new();
        while let Some(joined) = serving.join_next().await {
            match joined {
                Ok(end) => ends.push(end),
                Err(e) if e.is_panic() => resume_unwind(e.into_panic()),
                Err(_) => {}
            }
        }
        ends.sort_by_key(|(number, _)| *number);
        let is_refused = ends.iter().any(|(_, served)| matches!(served, Served::Refused));
        let is_cut = ends.iter().any(|(_, served)| matches!(served, Served::Lost));
        let first_stands = matches!(ends.first(), Some((_, Served::Free(_))));
        self.idle = ends.into_iter().filter_map(|(_, served)| served.free()).chain(open).collect();
        if is_refused || (is_cut && first_stands) {
            self.most = self.idle.len().max(1);
        }
        let mut state = queue.lock();
        *counts += state.counts;
        Ok(std::mem::take(&mut state.done))
    }
}

/// How the work over one connection ended.
enum Served {
    /// Nothing is left for it.
    Free(Box<Connection>),
    /// It broke.
    Lost,
    /// It was not let in.
    Refused,
    /// Before it was let in, nothing was left for it.
    Unneeded,
}

impl Served {
    fn free(self) -> Option<Connection> {
        if let Served::Free(imap) = self { Some(*imap) } else { None }
    }
}

/// What all connections work on.
struct Queue<W: Work> {
    work: W,
    interrupt: Interrupt,
    /// Items that nobody works on yet.
    waiting: watch::Sender<usize>,
    state: Mutex<State<W>>,
}

struct State<W: Work> {
    items: VecDeque<(usize, W::Item)>,
    done: Vec<Option<Result<W::Done>>>,
    counts: Counts,
}

impl<W: Work> Queue<W> {
    fn new(work: W, items: Vec<W::Item>, interrupt: &Interrupt) -> Queue<W> {
        let done = items.iter().map(|_| None).collect();
        let waiting = watch::Sender::new(items.len());
        let state = State { items: items.into_iter().enumerate().collect(), done, counts: Counts::default() };
        Queue { work, interrupt: interrupt.clone(), waiting, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<(usize, W::Item)> {
        let mut state = self.lock();
        if self.interrupt.is_raised() {
            state.items.clear();
        }
        let next = state.items.pop_front();
        self.waiting.send_replace(state.items.len());
        next
    }

    /// Nobody begins anything any more.
    fn close(&self) {
        self.lock().items.clear();
        self.waiting.send_replace(0);
    }

    /// Works over a connection, which is opened if need be, until nothing is left to be begun.
    async fn serve(&self, open: Option<Connection>, access: &Access) -> Served {
        let mut imap = match open {
            Some(imap) => imap,
            None => {
                let mut waiting = self.waiting.subscribe();
                tokio::select! {
                    biased;
                    _ = waiting.wait_for(|n| *n == 0) => return Served::Unneeded,
                    opened = access.open() => match opened {
                        Ok(imap) => imap,
                        Err(_) => return Served::Refused,
                    },
                }
            }
        };
        while let Some((number, item)) = self.next() {
            let mut counts = Counts::default();
            let done = self.work.on(&mut imap, item, &mut counts).await;
            let lost = done.as_ref().err().filter(|e| ends_all(e)).map(is_setback);
            let mut state = self.lock();
            state.counts += counts;
            if let Some(slot) = state.done.get_mut(number) {
                *slot = Some(done);
            }
            drop(state);
            match lost {
                None => {}
                // The others go on: what they do has not to be done again.
                Some(true) => return Served::Lost,
                Some(false) => {
                    self.close();
                    return Served::Lost;
                }
            }
        }
        Served::Free(Box::new(imap))
    }
}

/// Whether an error ends more than the work on its folder.
pub fn ends_all(e: &Error) -> bool {
    e.scope() == Scope::Account || is_setback(e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_opened_for_work_that_is_worth_it() {
        for (loads, most, expected) in [
            (vec![], 4, 1),
            (vec![1000], 4, 1),
            (vec![3, 3, 3], 4, 1),
            (vec![3; 11], 4, 2),
            (vec![3; 100], 4, 4),
            (vec![3; 100], 1, 1),
            (vec![40, 40], 4, 2),
            (vec![u64::MAX, u64::MAX, 1], 9, 3),
        ] {
            assert_eq!(worth(loads.clone(), most), expected, "{loads:?} {most}");
        }
    }
}
