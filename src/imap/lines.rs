//! The connections to a server that folders are delivered over: one, and more while batches wait for one.

use super::session::Link;
use super::{Access, Connection, Imap};
use crate::error::{Error, Result, Scope};
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// A line that nothing was done on for so long is not trusted any more: servers end those.
const STALE: Duration = Duration::from_secs(120);

/// So many messages are worth a batch of their own beside others.
const LANE: usize = 100;
/// So many batches are under way at once, where there may be two lines;
const LANES: usize = 4;
/// and so many lines take them, or half of those that there may be: each costs the server a log-in and processes of its own.
const FEW: usize = 2;
/// A server that takes so long for a batch may work faster on all of them.
const SLOW: Duration = Duration::from_millis(500);

type Opening<S> = Pin<Box<dyn Future<Output = Result<Imap<S>>> + Send>>;

/// The connections, shared by all that deliver to the server.
pub struct Lines<S: Link> {
    opener: Box<dyn Fn() -> Opening<S> + Send + Sync>,
    /// Octets that the server takes in one message.
    limit: Option<u64>,
    pool: Mutex<Pool<S>>,
    changed: Notify,
}

struct Pool<S: Link> {
    idle: Vec<Line<S>>,
    /// Lines that are idle, lent, or being opened.
    count: usize,
    /// Lines being opened, and who waits for one.
    opening: usize,
    waiting: usize,
    most: usize,
    /// A batch took long: all lines are wanted.
    slow: bool,
    /// Why the only line could not be opened.
    failed: Option<Error>,
}

/// A connection, logged in.
pub struct Line<S: Link> {
    /// The connection.
    pub imap: Imap<S>,
    /// The folder that is open, by its name on the wire, and whether to be changed.
    pub open: Option<(Vec<u8>, bool)>,
    /// Nothing was asked since that folder was opened.
    pub fresh: bool,
    since: Instant,
}

impl<S: Link> fmt::Debug for Lines<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("count", &self.lock().count).finish_non_exhaustive()
    }
}

impl Lines<crate::net::Stream> {
    /// Begins with a connection; there are never more than `most` at once.
    pub fn new(first: Connection, access: &Access, most: usize) -> Arc<Self> {
        let access = access.clone();
        let opener = move || {
            let access = access.clone();
            let opening: Opening<crate::net::Stream> = Box::pin(async move { access.open().await });
            opening
        };
        Lines::with(first, Box::new(opener), most)
    }
}

impl<S: Link + 'static> Lines<S> {
    pub(super) fn with(
        first: Imap<S>,
        opener: Box<dyn Fn() -> Opening<S> + Send + Sync>,
        most: usize,
    ) -> Arc<Lines<S>> {
        let limit = first.append_limit();
        let first = Line { imap: first, open: None, fresh: false, since: Instant::now() };
        let pool =
            Pool { idle: vec![first], count: 1, opening: 0, waiting: 0, most: most.max(1), slow: false, failed: None };
        Arc::new(Lines { opener, limit, pool: Mutex::new(pool), changed: Notify::new() })
    }

    /// How many octets a message may have, where the server tells (APPENDLIMIT, RFC 7889).
    pub fn append_limit(&self) -> Option<u64> {
        self.limit
    }

    /// A line for work on a folder, to be [given back](Self::give_back). Where all are lent, another one is opened, unless one comes back earlier; a server that does not let more in is worked with over those that it did.
    pub async fn take(self: &Arc<Self>, wire: &[u8]) -> Result<Line<S>> {
        self.take_of(|_| usize::MAX, wire).await
    }

    /// The same, beside lines that are at work on this folder already: these few may be enough.
    pub async fn take_further(self: &Arc<Self>, wire: &[u8]) -> Result<Line<S>> {
        self.take_of(Pool::enough, wire).await
    }

    /// Whether a line is idle, or may be opened, though others are at work on the same folder.
    pub fn has_more(&self) -> bool {
        let pool = self.lock();
        !pool.idle.is_empty() || (pool.slow && pool.count < pool.most)
    }

    /// A batch took so long.
    pub fn took(&self, time: Duration) {
        if time > SLOW {
            self.lock().slow = true;
        }
    }

    async fn take_of(self: &Arc<Self>, enough: fn(&Pool<S>) -> usize, wire: &[u8]) -> Result<Line<S>> {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            {
                let mut pool = self.lock();
                if let Some(line) = pool.fitting(wire) {
                    return Ok(line);
                }
                if let Some(e) = pool.failed.take() {
                    return Err(e);
                }
                if pool.count < pool.most.min(enough(&pool)) && pool.opening <= pool.waiting {
                    self.open_further(&mut pool);
                }
                pool.waiting += 1;
            }
            changed.await;
            self.lock().waiting -= 1;
        }
    }

    /// Gives a line back for others to use, unless the error that the work on it ended with says that it is of no more use.
    pub fn give_back<T>(&self, line: Line<S>, done: &Result<T>) {
        let mut pool = self.lock();
        match done {
            Err(e) if e.scope() == Scope::Account || e.pause().is_some() => pool.count -= 1,
            _ => pool.idle.push(Line { since: Instant::now(), ..line }),
        }
        drop(pool);
        self.changed.notify_waiters();
    }

    /// So many messages are going to come: the lines that these are worth are opened meanwhile. Gives how many batches may be
    /// under way at once; where there is one line, one, for they keep their order.
    pub fn expect(self: &Arc<Self>, messages: usize) -> usize {
        let mut pool = self.lock();
        let most = if pool.most > 1 { pool.most.max(LANES) } else { 1 };
        let lanes = most.min(messages / crate::fault::batch(LANE)).max(1);
        while pool.count < lanes.min(pool.most).min(pool.enough()) {
            self.open_further(&mut pool);
        }
        lanes
    }

    fn open_further(self: &Arc<Self>, pool: &mut Pool<S>) {
        pool.count += 1;
        pool.opening += 1;
        tokio::spawn(Arc::clone(self).open_one());
    }

    async fn open_one(self: Arc<Self>) {
        let opened = (self.opener)().await;
        let mut pool = self.lock();
        pool.opening -= 1;
        match opened {
            Ok(imap) => pool.idle.push(Line { imap, open: None, fresh: false, since: Instant::now() }),
            Err(e) => {
                pool.count -= 1;
                match pool.count {
                    0 => pool.failed = Some(e),
                    some => pool.most = some,
                }
            }
        }
        drop(pool);
        self.changed.notify_waiters();
    }

    /// Takes leave on all lines that are not lent; the tasks end as the server answers.
    pub fn leave(&self) -> JoinSet<()> {
        let mut pool = self.lock();
        pool.count -= pool.idle.len();
        pool.idle.drain(..).map(|line| line.imap.logout()).collect()
    }
}

impl<S: Link> Lines<S> {
    fn lock(&self) -> MutexGuard<'_, Pool<S>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Link> Pool<S> {
    /// How many lines are enough for one folder.
    fn enough(&self) -> usize {
        if self.slow { usize::MAX } else { FEW.max(self.most / 2) }
    }

    /// An idle line: one with the folder open, else one with none.
    fn fitting(&mut self, wire: &[u8]) -> Option<Line<S>> {
        let before = self.idle.len();
        self.idle.retain(|line| line.since.elapsed() < STALE);
        self.count -= before - self.idle.len();
        let is_open = |line: &Line<S>| line.open.as_ref().is_some_and(|(open, _)| open == wire);
        let at = self.idle.iter().position(is_open).or_else(|| self.idle.iter().position(|l| l.open.is_none()));
        (!self.idle.is_empty()).then(|| self.idle.swap_remove(at.unwrap_or(0)))
    }
}
