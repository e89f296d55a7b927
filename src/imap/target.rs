//! A folder of a server as a store to deliver into.
//!
//! Why a crash loses and doubles nothing: before a batch is sent, each of its messages has a place in the ledger, which says
//! that it gets the UID there or a higher one. What came since tells which of them arrived, by header and size. Of ours, what
//! else came since is in the ledger, and what stands for that stands for no other.

use super::convoy::{Convoy, Convoys, Fate, Passenger};
use super::folder::ImapFolder;
use super::folders::Folder;
use super::lines::{Line, Lines};
use super::opening::Opened;
use super::response::Untagged;
use super::session::Link;
use super::spool::{ImapDraft, ImapStaged};
use super::spot::{Spot, whereabouts};
use crate::error::{Error, Kind, Result};
use crate::mail::{Content, Digest, Envelope, Key, Keyword, Marks};
use crate::retrieve::SourceId;
use crate::store::{Mailbox, Place, Prepared, Refusal, Store};
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle as Runtime;
use tokio::task::block_in_place;

/// Octets in a batch: all that are under way are held in memory, and so are the two behind them.
const BATCH: u64 = 2 << 20;
/// Octets in the first one, for nothing is sent before it is whole; each that follows has twice as many.
const FIRST: u64 = 256 << 10;

/// The server may still be at work on what it got before a link broke: looked at again after this time,
const PAUSE: Duration = Duration::from_millis(400);
/// as long as more comes in, but no more often than this.
const LOOKS: usize = 30;

/// Refusals of a whole batch that say the same, so many at least, are taken for a refusal of everything.
const PATIENCE: usize = 10;

/// A folder of a server, delivered into over as many lines as there are. Calls need a runtime of several threads.
#[derive(Debug)]
pub struct ImapTarget<S: Link> {
    there: Arc<There<S>>,
    convoys: Arc<Convoys>,
}

/// The folder, for all that work on it.
#[derive(Debug)]
struct There<S: Link> {
    lines: Arc<Lines<S>>,
    folder: Folder,
    writable: bool,
    host: String,
    source: SourceId,
    opened: Opened,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// UIDNEXT, or one below.
    uidnext: Option<u32>,
    /// The server refused a command with several messages.
    singly: bool,
    /// Keywords of messages that were sent, and that the server has taken on by that.
    taken: BTreeSet<Keyword>,
    /// What the folder cannot hold of the marks that messages came with.
    unstorable: Marks,
}

/// A batch with its places.
pub struct ImapPrepared {
    batch: Vec<ImapStaged>,
    places: Vec<Place>,
    marks: Vec<Marks>,
}

impl Prepared for ImapPrepared {
    fn places(&self) -> &[Place] {
        &self.places
    }

    fn marks(&self) -> &[Marks] {
        &self.marks
    }
}

impl<S: Link + 'static> ImapTarget<S> {
    /// Opens a folder, to be changed or else only to be looked at.
    pub async fn open(lines: &Arc<Lines<S>>, folder: &Folder, writable: bool) -> Result<ImapTarget<S>> {
        let mut line = lines.take(&folder.wire).await?;
        let opened = async {
            let open = line.imap.open_folder(folder, writable).await?;
            if writable {
                open.check_writable("put", "Ask for the right to add messages there, or choose another folder.")?;
            }
            Ok((open.session.server().host.clone(), open.source.clone(), open.opened.clone()))
        };
        let opened = opened.await;
        line.open = opened.is_ok().then(|| (folder.wire.clone(), writable));
        line.fresh = true;
        lines.give_back(line, &opened);
        let (host, source, opened) = opened?;
        let (lines, folder, state) = (Arc::clone(lines), folder.clone(), Mutex::default());
        let there = There { lines, folder, writable, host, source, opened, state };
        Ok(ImapTarget { there: Arc::new(there), convoys: Arc::default() })
    }

    /// What the user should know of the work done so far, in plain words; each once.
    pub fn take_notes(&self) -> Vec<String> {
        let marks = std::mem::take(&mut self.there.state().unstorable);
        let names = marks.imap_names();
        match names.is_empty() {
            true => Vec::new(),
            false => vec![format!(
                "{}: {} cannot keep these flags, which are left out: {}.",
                self.there.source.folder,
                self.there.host,
                names.join(", ")
            )],
        }
    }

    /// UIDVALIDITY of the folder, where the server tells it.
    pub fn uidvalidity(&self) -> Option<u32> {
        self.there.opened.uidvalidity
    }

    /// Works on the folder over a line, and waits for the end of it.
    pub(super) fn on<T>(&self, work: impl AsyncFnOnce(&mut ImapFolder<'_, S>) -> Result<T>) -> Result<T> {
        let There { lines, folder, .. } = &*self.there;
        block_in_place(|| {
            Runtime::current().block_on(async {
                let mut line = lines.take(&folder.wire).await?;
                let done = self.there.over(&mut line, true, work).await;
                lines.give_back(line, &done);
                done
            })
        })
    }

    /// Sends a batch, along with others where these are on their way already, and waits for what becomes of it.
    fn send(&self, messages: Vec<(ImapStaged, Marks)>) -> Result<Fate> {
        let There { lines, folder, .. } = &*self.there;
        let begun = Instant::now();
        let sent = async {
            let (passenger, told) = Passenger::new(messages);
            let alone = if lines.has_more() { Some(passenger) } else { self.convoys.join(passenger) };
            if let Some(first) = alone {
                let line = match self.convoys.is_empty() {
                    true => lines.take(&folder.wire).await?,
                    false => lines.take_further(&folder.wire).await?,
                };
                tokio::spawn(Arc::clone(&self.there).carry(line, self.convoys.depart(first)));
            }
            told.await.map_err(|e| {
                Error::new(Kind::LocalIo, "an upload broke down", "Run again, and report this.").because(e)
            })?
        };
        let fate = block_in_place(|| Runtime::current().block_on(sent));
        lines.took(begun.elapsed());
        fate
    }

    /// The UID that the next message gets, or one below.
    fn uidnext(&self) -> Result<u32> {
        let known = self.there.state().uidnext;
        let uidnext = match known {
            Some(uidnext) => uidnext,
            // Some servers (Yahoo) state one far too high: what is there tells.
            None => self.on(async |folder| Ok(highest(folder).await?.map_or(1, |uid| uid.saturating_add(1))))?,
        };
        self.there.state().uidnext = Some(uidnext);
        Ok(uidnext)
    }
}

impl<S: Link + 'static> There<S> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what goes with a convoy over a line. APPEND needs no folder to be open.
    async fn carry(self: Arc<Self>, mut line: Line<S>, mut convoy: Convoy) {
        let done = self.over(&mut line, false, async |folder| folder.append_from(&mut convoy).await).await;
        self.lines.give_back(line, &done);
        convoy.arrive(done);
    }

    /// Works on the folder over a line: with it open there, or it does not matter which one is.
    async fn over<T>(
        &self,
        line: &mut Line<S>,
        open: bool,
        work: impl AsyncFnOnce(&mut ImapFolder<'_, S>) -> Result<T>,
    ) -> Result<T> {
        let is_open = line.open.as_ref().is_some_and(|(wire, may)| *wire == self.folder.wire && *may == self.writable);
        let fresh = std::mem::take(&mut line.fresh) || !is_open;
        if open && !is_open {
            line.open = None;
            let opened = line.imap.open_folder(&self.folder, self.writable).await?.opened.clone();
            if opened.uidvalidity != self.opened.uidvalidity {
                let what = format!("{}: {} was made anew meanwhile", self.host, self.source.folder);
                return Err(Error::new(Kind::TryLater, what, "Run again.").folder());
            }
            line.open = Some((self.folder.wire.clone(), self.writable));
        }
        let imap = &mut line.imap;
        let mut folder = ImapFolder {
            session: &mut imap.session,
            capabilities: &imap.capabilities,
            tree: &mut imap.tree,
            source: self.source.clone(),
            wire: self.folder.wire.clone(),
            opened: self.opened.clone(),
            rows: None,
            sizes: Vec::new(),
            disposed: BTreeSet::new(),
            fresh,
            singly: self.state().singly,
            notes: Vec::new(),
            unkept: Vec::new(),
        };
        let done = work(&mut folder).await;
        self.state().singly |= folder.singly;
        done
    }
}

/// The highest UID of the folder.
async fn highest<S: Link>(folder: &mut ImapFolder<'_, S>) -> Result<Option<u32>> {
    let doing = format!("look for the last message of {}", folder.source.folder);
    folder.news(&doing).await?;
    if folder.session.counts().exists == 0 {
        return Ok(None);
    }
    let mut last = None;
    let on = |u: Untagged<'_>| {
        if let Untagged::Fetch(row) = u {
            last = last.max(row.uid);
        }
    };
    folder.exec("UID FETCH * (UID)", &doing, on).await?;
    Ok(last)
}

impl<S: Link + 'static> Store for ImapTarget<S> {
    type Draft = ImapDraft;
    type Prepared = ImapPrepared;

    fn draft(&self, envelope: &Envelope) -> Result<ImapDraft> {
        Ok(ImapDraft::new(envelope))
    }

    /// Fixes the places. What makes the batch durable is the server that takes it.
    fn prepare(&self, batch: Vec<ImapStaged>) -> Result<ImapPrepared> {
        let (uidnext, There { opened, .. }) = (self.uidnext()?, &*self.there);
        let spot = |staged: &ImapStaged| Spot {
            uidvalidity: opened.uidvalidity.unwrap_or(0),
            uidnext,
            size: staged.content.wire_size,
            fingerprint: staged.content.fingerprint,
        };
        let places = batch.iter().map(|staged| spot(staged).to_place()).collect();
        let mut state = self.there.state();
        let marks = batch.iter().map(|staged| {
            let storable = opened.holds.storable(&staged.marks, &state.taken);
            state.taken.extend(storable.keywords.difference(&opened.holds.marks.keywords).cloned());
            state.unstorable = state.unstorable.with(&staged.marks.without(&storable));
            storable
        });
        let marks = marks.collect();
        drop(state);
        Ok(ImapPrepared { batch, places, marks })
    }

    fn publish(&self, prepared: ImapPrepared) -> Result<Vec<Refusal>> {
        let ImapPrepared { batch, marks, .. } = prepared;
        let count = batch.len();
        let Fate { last, refusals } = self.send(batch.into_iter().zip(marks).collect())?;
        // Without APPENDUID the highest one is asked for anew.
        let mut state = self.there.state();
        state.uidnext = last.and_then(|uid| state.uidnext.max(Some(uid.saturating_add(1))));
        drop(state);
        match refusals.first() {
            Some(first)
                if refusals.len() >= PATIENCE.max(count) && refusals.iter().all(|r| r.reason == first.reason) =>
            {
                let what =
                    format!("{} takes no message into {}: {}", self.there.host, self.there.source.folder, first.reason);
                let remedy = "Make room there, or ask the server's operator, then run again; what was copied stays.";
                Err(Error::new(Kind::Left, what, remedy).folder())
            }
            _ => Ok(refusals),
        }
    }

    fn settle(&self, arriving: &[(Place, Digest)], delivered: &[(Place, Digest)]) -> Result<Vec<bool>> {
        let spots = |places: &[(Place, Digest)]| -> Vec<Option<Spot>> {
            places.iter().map(|(place, _)| Spot::of(place)).collect()
        };
        // In another scope, UIDs begin anew.
        let same = |spot: &Spot| Some(spot.uidvalidity) == self.uidvalidity();
        let (spots, mut before) = (spots(arriving), spots(delivered));
        before.retain(|spot| spot.as_ref().is_some_and(same));
        let all = spots.iter().chain(&before).flatten();
        let since = all.map(|s| if same(s) { s.uidnext } else { 1 }).min().unwrap_or(1);
        self.on(async |folder| {
            let (mut stand, mut seen) = (vec![false; spots.len()], None);
            for _ in 0..LOOKS {
                let arrived: Vec<Key> = folder.arrived_since(since).await?.into_iter().map(|(key, _)| key).collect();
                let found = folder.identify(&arrived).await?;
                let sought: Vec<_> = before.iter().chain(&spots).map(|s| s.as_ref().map(Spot::traits)).collect();
                let at = whereabouts(&sought, &found, false);
                stand = at.iter().skip(before.len()).map(Option::is_some).collect();
                let count = arrived.len();
                if stand.iter().all(|stands| *stands) || seen.replace(count) == Some(count) {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
            Ok(stand)
        })
    }

    /// Bodies are read only of messages that header and size do not tell from others.
    fn scan(&self) -> Result<Vec<Content>> {
        let standing = self.standing(false, |_| None)?;
        let highest = standing.iter().map(|there| there.uid).max().unwrap_or(0);
        self.there.state().uidnext = Some(highest.saturating_add(1));
        Ok(standing.into_iter().map(|there| there.content).collect())
    }

    fn behind(&self, wanted: &HashSet<Digest>) -> Result<Vec<(Digest, Content)>> {
        self.read_behind(wanted)
    }

    fn lanes(&self, messages: usize) -> usize {
        self.there.lines.expect(messages)
    }

    fn is_elsewhere(&self) -> bool {
        true
    }

    fn batch_octets(&self, before: usize) -> u64 {
        (FIRST << before.min(8)).min(BATCH)
    }
}
