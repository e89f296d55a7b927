//! From the network into the store: the intake, and behind it one thread that stages messages and those that commit batches:
//! one, or as many as the store has lanes.
//!
//! While a batch is made durable, the next is staged and the one after that is on the line. Memory is bounded by the
//! channels: a few MiB, whatever the size of the messages.

use super::batch::Batch;
use super::pairing::{ByContent, by_content};
use super::select::Had;
use super::sizes::{Sizes, falls_short};
use super::{Handle, Intake, Job, Listed};
use crate::error::{Error, Kind, Result};
use crate::event::{Action, Event};
use crate::mail::{Content, Envelope, Marks};
use crate::state::{Arrival, FolderId, Paired, Row, RowId};
use crate::store::{Draft, Place, Prepared, Store};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver as BatchReceiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{JoinHandle, spawn_blocking};

/// A message is handed to the staging thread in pieces of at most this size,
const PIECE: usize = 64 * 1024;
/// and small messages are handed over together, up to about this size: each load wakes a thread.
const LOAD: usize = 64 * 1024;
/// Room for the last of them.
const MARGIN: usize = 16 * 1024;
/// A load that has waited this long goes when a message ends.
const LOAD_AGE: Duration = Duration::from_millis(20);
/// Loads under way to the staging thread.
const LOADS: usize = 32;

/// What the threads need to know and report to.
pub struct Desk<S: Store> {
    /// What the pull works with.
    pub job: Job,
    /// The folder, for the observer.
    pub folder: String,
    /// The folder, for the ledger.
    pub folder_id: FolderId,
    /// The store.
    pub store: Arc<S>,
    /// How the sizes that the server stated held so far.
    pub sizes: Sizes,
}

impl<S: Store> Desk<S> {
    fn report(&self, listed: &Listed, bytes: u64, action: Action<'_>, deleted: bool) {
        let (folder, key) = (self.folder.as_str(), listed.key.as_ref());
        self.job.observer.event(&self.job.account, Event::Message { folder, key, bytes: Some(bytes), action, deleted });
    }
}

/// What is handed over together: octets, and what they are.
#[derive(Default)]
struct Load {
    octets: Vec<u8>,
    parts: Vec<Part>,
}

enum Part {
    Begin(Listed, Envelope),
    /// As many of the octets.
    Octets(usize),
    End,
}

/// What came of a delivery.
#[derive(Debug, Default)]
pub struct Delivered {
    /// How many are durable in the store now.
    pub fetched: u64,
    /// Rows whose messages were fetched again, and recognised by content.
    pub recognised: Vec<RowId>,
    /// Of all these, the ones that are to leave the server,
    pub leaving: Vec<Had>,
    /// and the ones that would have to, were they not shorter than the server said.
    pub short: Vec<Had>,
    /// How the sizes that the server stated held, of what is in the store alone.
    pub sizes: Sizes,
    /// Octets of the messages fetched.
    pub bytes: u64,
    /// What the server did not give or the store did not take, with the reasons.
    pub refused: Vec<(Listed, String)>,
    /// What somebody else removed from the server meanwhile.
    pub gone: Vec<Listed>,
    /// The message that was under way when the retrieval ended.
    pub cut_off: Option<Listed>,
}

/// The receiving end of a retrieval.
pub struct Delivery {
    wanted: HashMap<Handle, Listed>,
    marks: HashMap<Handle, Marks>,
    loads: Sender<Load>,
    load: Load,
    /// The last octets of the load that are no part yet.
    piece: usize,
    sent: Instant,
    under_way: Option<Listed>,
    refused: Vec<(Listed, String)>,
    gone: Vec<Listed>,
    staging: JoinHandle<Result<()>>,
    commits: Vec<JoinHandle<Result<()>>>,
    delivered: Arc<Mutex<Delivered>>,
}

impl Delivery {
    /// Starts the threads. Of `suspects`, those whose content arrives are not delivered a second time.
    pub fn start<S: Store>(desk: Desk<S>, wanted: &[&Listed], suspects: Vec<Row>) -> Delivery {
        let (loads, incoming) = channel(LOADS);
        let (batches, prepared) = sync_channel(1);
        let (store, sizes) = (Arc::clone(&desk.store), desk.sizes);
        let delivered = Arc::new(Mutex::new(Delivered { sizes, ..Delivered::default() }));
        let counter = Arc::new(Counter { batches: Mutex::new(prepared), is_broken: AtomicBool::new(false), desk });
        let commit = |_| {
            let (counter, delivered) = (Arc::clone(&counter), Arc::clone(&delivered));
            spawn_blocking(move || counter.serve(&delivered))
        };
        Delivery {
            commits: (0..store.lanes(wanted.len()).max(1)).map(commit).collect(),
            delivered,
            wanted: wanted.iter().map(|l| (l.handle, (*l).clone())).collect(),
            marks: HashMap::new(),
            loads,
            load: Load::default(),
            piece: 0,
            sent: Instant::now(),
            under_way: None,
            refused: Vec::new(),
            gone: Vec::new(),
            staging: spawn_blocking(move || stage(&*store, incoming, by_content(suspects), sizes, &batches)),
        }
    }

    /// One more message is going to come, which is to have these marks instead of those that the server then shows.
    pub fn expect(&mut self, listed: Listed, marks: Marks) {
        self.marks.insert(listed.handle, marks);
        self.wanted.insert(listed.handle, listed);
    }

    /// Commits every message that is whole, drops one that is not, and tells what came of it all, with the error that
    /// the store or the state ended with.
    pub async fn finish(mut self) -> (Delivered, Result<()>) {
        // Where the store failed, the threads tell why.
        let _ = self.send().await;
        drop(self.loads);
        let broken = |e| Error::new(Kind::LocalIo, "delivery broke down", "Report this; run again.").because(e);
        let staged = self.staging.await.map_err(broken).and_then(|r| r);
        let mut committed = Ok(());
        for commits in self.commits {
            let ended = commits.await.map_err(broken).and_then(|r| r);
            committed = committed.and(ended);
        }
        let mut delivered = std::mem::take(&mut *lock(&self.delivered));
        delivered.refused.extend(self.refused);
        delivered.gone = self.gone;
        delivered.cut_off = self.under_way;
        (delivered, committed.and(staged))
    }

    async fn send(&mut self) -> Result<()> {
        let load = std::mem::take(&mut self.load);
        self.sent = Instant::now();
        // The receiver is gone only when the store failed; `finish` has the reason.
        self.loads.send(load).await.map_err(|_| Error::new(Kind::LocalIo, "the store cannot go on", "Run again."))
    }

    /// Makes what came of the message a part of the load.
    fn pack(&mut self) {
        match std::mem::take(&mut self.piece) {
            0 => {}
            octets => self.load.parts.push(Part::Octets(octets)),
        }
    }
}

impl Intake for Delivery {
    async fn begin(&mut self, handle: Handle, mut envelope: Envelope) -> Result<()> {
        let Some(listed) = self.wanted.remove(&handle) else {
            return Err(Error::new(
                Kind::Protocol,
                format!("the server sent message {} again or unasked", handle.0),
                "Run again; if it stays, report the server's name and version.",
            ));
        };
        if let Some(marks) = self.marks.remove(&handle) {
            envelope.marks = marks;
        }
        self.under_way = Some(listed.clone());
        self.load.parts.push(Part::Begin(listed, envelope));
        Ok(())
    }

    async fn chunk(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            if self.load.octets.is_empty() {
                self.load.octets.reserve(LOAD + MARGIN);
            }
            let room = PIECE.saturating_sub(self.piece).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            self.load.octets.extend_from_slice(now);
            self.piece += now.len();
            bytes = later;
            if self.piece >= PIECE {
                self.pack();
                self.send().await?;
            }
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<()> {
        self.under_way = None;
        self.pack();
        self.load.parts.push(Part::End);
        match self.load.octets.len() >= LOAD || self.sent.elapsed() >= LOAD_AGE {
            true => self.send().await,
            false => Ok(()),
        }
    }

    async fn refused(&mut self, handle: Handle, reason: String) -> Result<()> {
        let whole = self.load.octets.len().saturating_sub(std::mem::take(&mut self.piece));
        self.load.octets.truncate(whole);
        let begun = self.under_way.take_if(|l| l.handle == handle);
        if let Some(listed) = begun.or_else(|| self.wanted.remove(&handle)) {
            self.refused.push((listed, reason));
        }
        Ok(())
    }

    async fn gone(&mut self, handle: Handle) -> Result<()> {
        self.gone.extend(self.wanted.remove(&handle));
        Ok(())
    }
}

type StagedOf<S> = <<S as Store>::Draft as Draft>::Staged;

fn stage<S: Store>(
    store: &S,
    mut incoming: Receiver<Load>,
    mut suspects: ByContent,
    mut sizes: Sizes,
    batches: &SyncSender<Batch<StagedOf<S>>>,
) -> Result<()> {
    let mut batch = Batch::new();
    let staged = stage_into(&mut batch, store, &mut incoming, &mut suspects, &mut sizes, batches);
    // What is whole stays, whatever has become of the next one.
    if staged.as_ref().is_err_and(Error::is_of_space) {
        batch.give_back();
    }
    if !batch.is_empty() {
        let _ = batches.send(batch);
    }
    staged
}

fn stage_into<S: Store>(
    batch: &mut Batch<StagedOf<S>>,
    store: &S,
    incoming: &mut Receiver<Load>,
    suspects: &mut ByContent,
    sizes: &mut Sizes,
    batches: &SyncSender<Batch<StagedOf<S>>>,
) -> Result<()> {
    let mut before = 0;
    let mut open: Option<(Listed, S::Draft)> = None;
    while let Some(load) = incoming.blocking_recv() {
        let mut octets = load.octets.as_slice();
        for part in load.parts {
            match part {
                Part::Begin(listed, envelope) => open = Some((listed, store.draft(&envelope)?)),
                Part::Octets(many) => {
                    let (now, later) = octets.split_at(many.min(octets.len()));
                    octets = later;
                    if let Some((_, draft)) = &mut open {
                        draft.write(now)?;
                    }
                }
                Part::End => {
                    let Some((listed, draft)) = open.take() else { continue };
                    let (staged, content) = draft.finish()?;
                    let cut = sizes.refuse(listed.size, content.wire_size);
                    sizes.count(listed.size, content.wire_size);
                    if let Some(reason) = cut {
                        batch.cut.push((listed, reason));
                        continue;
                    }
                    // A digest may have been inferred from the rest.
                    let found = suspects.take(&content.digest);
                    match found.or_else(|| suspects.take(&content.inferred()?.digest)) {
                        Some(row) => batch.recognised.push((listed, content, row)),
                        None => {
                            batch.bytes += content.octets;
                            batch.messages.push((listed, content));
                            batch.staged.push(staged);
                        }
                    }
                    // A committer that is gone has failed, and tells why itself.
                    if batch.is_full(store.batch_octets(before)) {
                        before += 1;
                        if batches.send(std::mem::replace(batch, Batch::new())).is_err() {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where batches are handed to those that commit them.
struct Counter<S: Store> {
    batches: Mutex<BatchReceiver<Batch<StagedOf<S>>>>,
    /// One has failed: nobody begins anything any more.
    is_broken: AtomicBool,
    desk: Desk<S>,
}

impl<S: Store> Counter<S> {
    /// Commits batch after batch until there are no more.
    fn serve(&self, delivered: &Mutex<Delivered>) -> Result<()> {
        loop {
            let is_broken = || self.is_broken.load(Ordering::SeqCst);
            let next = {
                let batches = lock(&self.batches);
                if is_broken() { None } else { batches.recv().ok() }
            };
            match next.filter(|_| !is_broken()) {
                Some(batch) => {
                    let committed = commit(&self.desk, batch, delivered);
                    if committed.is_err() {
                        self.is_broken.store(true, Ordering::SeqCst);
                        return committed;
                    }
                }
                None => return Ok(()),
            }
        }
    }
}

/// Whether a message that came is to leave the server, should it be due; one that fell short may have been cut off.
fn part_with(delivered: &mut Delivered, listed: &Listed, content: &Content, row: RowId, is_due: bool) -> bool {
    delivered.sizes.count(listed.size, content.wire_size);
    let had = Had { handle: listed.handle, row };
    let short = falls_short(listed.size, content.wire_size);
    match (is_due, short) {
        (true, true) => delivered.short.push(had),
        (true, false) => delivered.leaving.push(had),
        (false, _) => {}
    }
    is_due && !short
}

/// The exactly-once protocol: durable, written down as arriving, visible, written down as delivered.
fn commit<S: Store>(desk: &Desk<S>, batch: Batch<StagedOf<S>>, delivered: &Mutex<Delivered>) -> Result<()> {
    if !batch.staged.is_empty() {
        let prepared = desk.store.prepare(batch.staged)?;
        let places: Vec<Place> = prepared.places().to_vec();
        let arrivals: Vec<Arrival> = (batch.messages.iter().zip(&places).zip(prepared.marks()))
            .map(|(((listed, content), place), marks)| arrival(listed, marks, content, place))
            .collect();
        crate::fault::point();
        let rows = desk.job.ledger().arriving(desk.folder_id, &arrivals, desk.job.now)?;
        crate::fault::point();
        let refusals = desk.store.publish(prepared)?;
        crate::fault::point();
        let mut refused: HashMap<usize, String> = refusals.into_iter().map(|r| (r.at, r.reason)).collect();
        let (stand, not): (Vec<_>, Vec<_>) = rows.iter().enumerate().partition(|(at, _)| !refused.contains_key(at));
        let ids = |rows: Vec<(usize, &RowId)>| rows.into_iter().map(|(_, row)| *row).collect::<Vec<_>>();
        desk.job.ledger().never_arrived(&ids(not))?;
        match desk.store.is_elsewhere() {
            true => desk.job.ledger().delivered_unsynced(&ids(stand))?,
            false => desk.job.ledger().delivered(&ids(stand))?,
        }
        crate::fault::point();
        let is_due = desk.job.policy.keep.is_due(desk.job.now, desk.job.now);
        let mut delivered = lock(delivered);
        for (at, (((listed, content), place), row)) in batch.messages.iter().zip(&places).zip(rows).enumerate() {
            if let Some(reason) = refused.remove(&at) {
                delivered.refused.push((listed.clone(), reason));
                continue;
            }
            delivered.fetched += 1;
            delivered.bytes += content.octets;
            let leaves = part_with(&mut delivered, listed, content, row, is_due);
            desk.report(listed, content.octets, Action::Fetched(&place.0), leaves);
        }
    }
    if !batch.recognised.is_empty() {
        let pair = |(listed, _, row): &(Listed, Content, Row)| Paired {
            row: row.id,
            key: listed.key.clone(),
            listed_size: listed.size,
        };
        let pairs: Vec<Paired> = batch.recognised.iter().map(pair).collect();
        desk.job.ledger().rekey(desk.folder_id, &pairs)?;
        crate::fault::point();
    }
    let mut delivered = lock(delivered);
    for (listed, content, row) in batch.recognised {
        let is_due = desk.job.policy.keep.is_due(row.first_seen, desk.job.now);
        delivered.recognised.push(row.id);
        let leaves = part_with(&mut delivered, &listed, &content, row.id, is_due);
        desk.report(&listed, content.octets, Action::Had, leaves);
    }
    delivered.refused.extend(batch.cut);
    let messages = delivered.fetched + delivered.recognised.len() as u64;
    desk.job
        .observer
        .event(&desk.job.account, Event::Progress { folder: &desk.folder, messages, bytes: delivered.bytes });
    Ok(())
}

fn arrival(listed: &Listed, marks: &Marks, content: &Content, place: &Place) -> Arrival {
    Arrival {
        key: listed.key.clone(),
        listed_size: listed.size,
        wire_size: content.wire_size,
        digest: content.digest,
        fingerprint: content.fingerprint,
        place: place.0.clone(),
        marks: marks.clone(),
    }
}
