//! A folder of a Maildir as a source. A message is known by its file's name up to the `:`, which no program changes.

use super::envelope;
use crate::error::{Error, Kind, Result};
use crate::mail::{Fingerprint, FolderName, Key, Marks, arrival_date};
use crate::retrieve::{Abilities, Finished, Handle, Intake, Listed, Listing, Retriever, SourceId};
use crate::store::{Mailbox, MaildirFolder, Outgoing, Spec};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Read;
use tokio::task::block_in_place;

/// Octets handed on at a time.
const PIECE: usize = 64 * 1024;

/// A folder of a Maildir. Calls need a runtime of several threads.
#[derive(Debug)]
pub struct MaildirSource {
    folder: MaildirFolder,
    source: SourceId,
    /// Messages that need not be measured: they are here already.
    known: HashSet<Key>,
    now: i64,
    messages: Vec<(Key, Marks)>,
    fingerprints: HashMap<Key, Fingerprint>,
    dates: HashMap<Key, i64>,
    disposed: Vec<Handle>,
}

impl MaildirSource {
    /// The folder as it stands; of messages that are `known`, sizes are not asked.
    pub fn open(spec: &Spec, folder: &FolderName, known: HashSet<Key>, now: i64) -> Result<MaildirSource> {
        let source = SourceId { folder: folder.clone(), scope: format!("maildir {}", spec.path.display()) };
        let Some(folder) = MaildirFolder::standing(spec, folder)? else {
            let what = format!("there is no Maildir {folder} in {}", spec.path.display());
            return Err(Error::new(Kind::LocalIo, what, "Name another path, or mount its disk.").folder());
        };
        let (messages, fingerprints, dates) = Default::default();
        Ok(MaildirSource { folder, source, known, now, messages, fingerprints, dates, disposed: Vec::new() })
    }

    fn message(&self, handle: Handle) -> Option<&(Key, Marks)> {
        self.messages.get(usize::try_from(handle.0).ok()?)
    }

    /// Finds the files of messages that are about to be read, all at once.
    fn find(&self, wanted: &[Handle]) -> Result<()> {
        let keys: Vec<&Key> = wanted.iter().filter_map(|handle| Some(&self.message(*handle)?.0)).collect();
        block_in_place(|| self.folder.find(&keys))
    }
}

/// Names begin with the second of delivery.
fn age(key: &Key) -> (u64, &[u8]) {
    let name = key.as_bytes();
    let digits = name.iter().take_while(|b| b.is_ascii_digit()).count();
    let seconds = name.get(..digits).and_then(|d| std::str::from_utf8(d).ok()?.parse().ok());
    (seconds.unwrap_or(u64::MAX), name)
}

impl Retriever for MaildirSource {
    fn source(&self) -> &SourceId {
        &self.source
    }

    fn abilities(&self) -> Abilities {
        Abilities { headers_apart: true, firm_keys: true }
    }

    async fn list(&mut self) -> Result<Listing> {
        let snapshot = self.folder.snapshot().await.map_err(Error::folder)?;
        self.messages = snapshot.messages.iter().map(|(key, seen)| (key.clone(), seen.marks.clone())).collect();
        self.messages.sort_by(|(a, _), (b, _)| age(a).cmp(&age(b)));
        let keys = self.messages.iter().map(|(key, _)| key);
        let unknown: Vec<Key> = keys.filter(|key| !self.known.contains(key)).cloned().collect();
        let found = self.folder.identify(&unknown).await?;
        self.dates = self.folder.received_at(&unknown).await?;
        self.fingerprints = found.iter().map(|(key, identity)| (key.clone(), identity.fingerprint)).collect();
        let listed = |(handle, (key, _)): (u32, &(Key, Marks))| Listed {
            handle: Handle(handle),
            key: Some(key.clone()),
            size: found.get(key).and_then(|identity| identity.size),
        };
        Ok(Listing { messages: (0..).zip(&self.messages).map(listed).collect(), notes: snapshot.notes })
    }

    async fn fingerprints(&mut self, wanted: &[Handle]) -> Result<BTreeMap<Handle, Fingerprint>> {
        let print = |handle: &Handle| Some((*handle, *self.fingerprints.get(&self.message(*handle)?.0)?));
        Ok(wanted.iter().filter_map(print).collect())
    }

    async fn dates(&mut self, wanted: &[Handle]) -> Result<BTreeMap<Handle, i64>> {
        self.find(wanted)?;
        let mut dates = BTreeMap::new();
        let mut start = vec![0; PIECE];
        for handle in wanted {
            let Some((key, marks)) = self.message(*handle) else { continue };
            let Ok(Some(mut message)) = block_in_place(|| self.folder.outgoing(key, marks)) else { continue };
            let read = block_in_place(|| fill(&mut message.body, &mut start)).unwrap_or_default();
            let date = arrival_date(start.get(..read).unwrap_or_default(), self.now);
            dates.extend(date.or(message.received_at).map(|date| (*handle, date)));
        }
        Ok(dates)
    }

    async fn retrieve(&mut self, wanted: &[Handle], into: &mut impl Intake) -> Result<()> {
        self.find(wanted)?;
        for handle in wanted {
            let Some((key, marks)) = self.message(*handle).cloned() else {
                into.gone(*handle).await?;
                continue;
            };
            match block_in_place(|| self.folder.outgoing(&key, &marks)) {
                Ok(Some(message)) => {
                    let fallback = self.dates.get(&key).copied();
                    hand_over(*handle, message, fallback, self.now, into).await?;
                }
                Ok(None) => into.gone(*handle).await?,
                Err(e) => into.refused(*handle, e.to_string()).await?,
            }
        }
        Ok(())
    }

    async fn dispose(&mut self, handles: &[Handle]) -> Result<()> {
        self.disposed.extend(handles);
        Ok(())
    }

    async fn finish(mut self) -> Result<Finished> {
        let named = |handle: &Handle| Some((self.message(*handle)?.0.clone(), *handle));
        let leaving: BTreeMap<Key, Handle> = self.disposed.iter().filter_map(named).collect();
        let keys: Vec<Key> = leaving.keys().cloned().collect();
        let left = if keys.is_empty() { Vec::new() } else { self.folder.remove(&keys).await? };
        let left: BTreeSet<Handle> = left.iter().filter_map(|key| leaving.get(key).copied()).collect();
        Ok(Finished { left, notes: Vec::new() })
    }
}

async fn hand_over(
    handle: Handle,
    mut message: Outgoing,
    fallback: Option<i64>,
    now: i64,
    into: &mut impl Intake,
) -> Result<()> {
    let mut piece = vec![0; PIECE];
    let mut begun = false;
    loop {
        let read = match block_in_place(|| fill(&mut message.body, &mut piece)) {
            Ok(read) => read,
            Err(e) => return into.refused(handle, format!("it cannot be read: {e}")).await,
        };
        let bytes = piece.get(..read).unwrap_or_default();
        if !begun {
            let fallback = fallback.or(message.received_at);
            let marks = std::mem::take(&mut message.marks);
            into.begin(handle, envelope(bytes, marks, Some(message.size), fallback, now)).await?;
            begun = true;
        }
        if bytes.is_empty() {
            return into.end().await;
        }
        into.chunk(bytes).await?;
    }
}

/// Reads until there is no room left, or nothing more.
fn fill(body: &mut impl Read, piece: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = piece.get_mut(filled..).filter(|room| !room.is_empty()) {
        match body.read(room) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
