//! A folder of a server as a store to deliver into.
//!
//! Why a crash loses and doubles nothing: before a batch is sent, each of its messages has a place in the ledger, which says
//! that it gets the UID there or a higher one. What came since tells which of them arrived, by header and size. Nothing
//! else of ours is among that, for the place is told anew for every batch.

use super::Imap;
use super::append::Appended;
use super::folder::{ImapFolder, Opened};
use super::folders::Folder;
use super::response::Untagged;
use super::session::Link;
use super::spool::{ImapDraft, ImapStaged};
use crate::error::{Error, Kind, Result};
use crate::mail::{Content, Digest, Envelope, Fingerprint, Key, Keyword, Marks};
use crate::retrieve::{Handle, Reading, Retriever, SourceId};
use crate::store::{Identity, Mailbox, Place, Prepared, Refusal, Store};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle as Runtime;
use tokio::task::block_in_place;

/// A connection that one folder after the other is delivered over.
pub type Line<S> = Arc<tokio::sync::Mutex<Imap<S>>>;

/// Octets in a batch: it is held in memory, and so is the one behind it.
const BATCH: u64 = 4 << 20;

/// The server may still be at work on what it got before a link broke: looked at again after this time,
const PAUSE: Duration = Duration::from_millis(400);
/// as long as more comes in, but no more often than this.
const LOOKS: usize = 30;

/// Refusals of a whole batch that say the same, so many at least, are taken for a refusal of everything.
const PATIENCE: usize = 10;

/// A folder of a server, open on a line that nothing else is done on meanwhile. Calls need a runtime of several threads.
#[derive(Debug)]
pub struct ImapTarget<S: Link> {
    line: Line<S>,
    host: String,
    source: SourceId,
    wire: Vec<u8>,
    opened: Opened,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// UIDNEXT, where it is known for certain.
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

impl<S: Link> ImapTarget<S> {
    /// Opens a folder, to be changed or else only to be looked at. The line is this folder's until another one is opened.
    pub async fn open(line: &Line<S>, folder: &Folder, writable: bool) -> Result<ImapTarget<S>> {
        let mut imap = line.lock().await;
        let open = imap.open_folder(folder, writable).await?;
        if writable {
            open.check_writable("put", "Ask for the right to add messages there, or choose another folder.")?;
        }
        let host = open.session.server().host.clone();
        let (source, wire, opened) = (open.source.clone(), open.wire.clone(), open.opened.clone());
        drop(imap);
        Ok(ImapTarget { line: Arc::clone(line), host, source, wire, opened, state: Mutex::default() })
    }

    /// What the user should know of the work done so far, in plain words; each once.
    pub fn take_notes(&self) -> Vec<String> {
        let marks = std::mem::take(&mut self.state().unstorable);
        let names = marks.imap_names();
        match names.is_empty() {
            true => Vec::new(),
            false => vec![format!(
                "{}: {} cannot keep these flags, which are left out: {}.",
                self.source.folder,
                self.host,
                names.join(", ")
            )],
        }
    }

    /// Every message, read to the last octet.
    pub fn read_all(&self) -> Result<Vec<Content>> {
        self.on(async |folder| {
            let there = folder.arrived_since(1).await?;
            let uids: Vec<(u32, Option<u64>)> =
                there.iter().filter_map(|(key, size)| Some((key.uid()?, *size))).collect();
            read(folder, &uids).await
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the folder, which is still open on the line, and waits for the end of it.
    fn on<T>(&self, work: impl AsyncFnOnce(&mut ImapFolder<'_, S>) -> Result<T>) -> Result<T> {
        block_in_place(|| {
            Runtime::current().block_on(async {
                let mut imap = self.line.lock().await;
                let imap = &mut *imap;
                let mut folder = ImapFolder {
                    session: &mut imap.session,
                    capabilities: &imap.capabilities,
                    tree: &mut imap.tree,
                    source: self.source.clone(),
                    wire: self.wire.clone(),
                    opened: self.opened.clone(),
                    sizes: Vec::new(),
                    disposed: BTreeSet::new(),
                    fresh: false,
                    singly: self.state().singly,
                    notes: Vec::new(),
                };
                let done = work(&mut folder).await;
                self.state().singly = folder.singly;
                done
            })
        })
    }

    /// The UID that the next message gets, or one below.
    fn uidnext(&self) -> Result<u32> {
        let known = self.state().uidnext;
        let uidnext = match known {
            Some(uidnext) => uidnext,
            // Some servers (Yahoo) state one far too high: what is there tells.
            None => self.on(async |folder| Ok(highest(folder).await?.map_or(1, |uid| uid.saturating_add(1))))?,
        };
        self.state().uidnext = Some(uidnext);
        Ok(uidnext)
    }
}

/// The highest UID of the folder.
async fn highest<S: Link>(folder: &mut ImapFolder<'_, S>) -> Result<Option<u32>> {
    let doing = format!("look for the last message of {}", folder.source.folder);
    folder.exec("NOOP", &doing, |_| ()).await?;
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
        let uidnext = self.uidnext()?;
        let spot = |staged: &ImapStaged| Spot {
            uidvalidity: self.opened.uidvalidity.unwrap_or(0),
            uidnext,
            size: staged.content.wire_size,
            fingerprint: staged.content.fingerprint,
        };
        let places = batch.iter().map(|staged| spot(staged).to_place()).collect();
        let mut state = self.state();
        let marks = batch.iter().map(|staged| {
            let storable = self.opened.holds.storable(&staged.marks, &state.taken);
            state.taken.extend(storable.keywords.difference(&self.opened.holds.marks.keywords).cloned());
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
        self.state().uidnext = None;
        let key = |at: usize| Key::new(at.to_string());
        let outgoing = batch.into_iter().zip(marks).enumerate();
        let outgoing = outgoing.map(move |(at, (staged, marks))| Ok(staged.outgoing(key(at), marks)));
        let appended = self.on(async |folder| folder.append(outgoing).await)?;
        let (mut last, mut refusals) = (Some(0), Vec::new());
        for (key, what) in appended {
            match what {
                Appended::As(new) => last = last.zip(new.uid()).map(|(a, b)| a.max(b)),
                Appended::Somewhere => last = None,
                Appended::Refused(reason) => {
                    let at =
                        std::str::from_utf8(key.as_bytes()).ok().and_then(|text| text.parse().ok()).unwrap_or(count);
                    refusals.push(Refusal { at, reason });
                }
            }
        }
        self.state().uidnext = last.filter(|uid| *uid > 0).map(|uid| uid.saturating_add(1));
        match refusals.first() {
            Some(first)
                if refusals.len() >= PATIENCE.max(count) && refusals.iter().all(|r| r.reason == first.reason) =>
            {
                let what = format!("{} takes no message into {}: {}", self.host, self.source.folder, first.reason);
                let remedy = "Make room there, or ask the server's operator, then run again; what was copied stays.";
                Err(Error::new(Kind::Unavailable, what, remedy).folder())
            }
            _ => Ok(refusals),
        }
    }

    fn settle(&self, arriving: &[(Place, Digest)], _: &[Digest]) -> Result<Vec<bool>> {
        let spots: Vec<Option<Spot>> = arriving.iter().map(|(place, _)| Spot::of(place)).collect();
        // In another scope, UIDs begin anew.
        let same = |spot: &Spot| Some(spot.uidvalidity) == self.opened.uidvalidity;
        let since = spots.iter().flatten().map(|s| if same(s) { s.uidnext } else { 1 }).min().unwrap_or(1);
        self.on(async |folder| {
            let (mut stand, mut seen) = (vec![false; spots.len()], None);
            for _ in 0..LOOKS {
                let arrived: Vec<Key> = folder.arrived_since(since).await?.into_iter().map(|(key, _)| key).collect();
                let found = folder.identify(&arrived).await?;
                stand = standing(&spots, &found);
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
        self.on(async |folder| {
            let there = folder.arrived_since(1).await?;
            let keys: Vec<Key> = there.iter().map(|(key, _)| key.clone()).collect();
            let identities = folder.identify(&keys).await?;
            let inferred = |key: &Key, size: &Option<u64>| {
                let identity = identities.get(key)?;
                Content::inferred_from(identity.fingerprint, identity.size.or(*size)?)
            };
            let mut alike: HashMap<Digest, Vec<(&Key, Content)>> = HashMap::new();
            let mut unknown = Vec::new();
            for (key, size) in &there {
                match inferred(key, size) {
                    Some(content) => alike.entry(content.digest).or_default().push((key, content)),
                    None => unknown.push((key, *size)),
                }
            }
            let mut contents = Vec::new();
            for group in alike.into_values() {
                match group.as_slice() {
                    [(_, content)] => contents.push(*content),
                    several => unknown.extend(several.iter().map(|(key, content)| (*key, Some(content.wire_size)))),
                }
            }
            let unread: Vec<(u32, Option<u64>)> =
                unknown.iter().filter_map(|(key, size)| Some((key.uid()?, *size))).collect();
            contents.extend(read(folder, &unread).await?);
            Ok(contents)
        })
    }

    fn batch_octets(&self) -> u64 {
        BATCH
    }
}

/// Which of the messages stand among those that came: each of these is one at most, of equal header and size first, and
/// else of equal header, where that tells anything; servers may change a message or state a wrong size.
fn standing(spots: &[Option<Spot>], found: &HashMap<Key, Identity>) -> Vec<bool> {
    let mut free: BTreeMap<u32, &Identity> = found.iter().filter_map(|(k, i)| Some((k.uid()?, i))).collect();
    let mut stand = vec![false; spots.len()];
    for exact in [true, false] {
        for (spot, stands) in spots.iter().zip(&mut stand) {
            let Some(spot) = spot.as_ref().filter(|_| !*stands) else { continue };
            let is_it = |i: &Identity| {
                let fits = if exact { i.size.is_none_or(|s| s == spot.size) } else { !i.fingerprint.is_weak() };
                i.fingerprint == spot.fingerprint && fits
            };
            let uid = free.iter().find(|(_, identity)| is_it(identity)).map(|(uid, _)| *uid);
            *stands = uid.is_some_and(|uid| free.remove(&uid).is_some());
        }
    }
    stand
}

/// What messages hold, in the order of their UIDs.
async fn read<S: Link>(folder: &mut ImapFolder<'_, S>, uids: &[(u32, Option<u64>)]) -> Result<Vec<Content>> {
    let mut reading = Reading::default();
    if !uids.is_empty() {
        folder.expect_sizes(uids.iter().map(|(uid, size)| (Handle(*uid), *size)));
        let wanted: Vec<Handle> = uids.iter().map(|(uid, _)| Handle(*uid)).collect();
        folder.retrieve(&wanted, &mut reading).await?;
    }
    Ok(reading.contents.into_values().collect())
}

/// Where a message will stand, as a [`Place`] says it: `UIDVALIDITY:UIDNEXT+SIZE FINGERPRINT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spot {
    uidvalidity: u32,
    uidnext: u32,
    size: u64,
    fingerprint: Fingerprint,
}

impl Spot {
    fn to_place(self) -> Place {
        let Spot { uidvalidity, uidnext, size, fingerprint } = self;
        let hex: String = fingerprint.0.iter().map(|b| format!("{b:02x}")).collect();
        Place(format!("{uidvalidity}:{uidnext}+{size} {hex}"))
    }

    /// `None` where it is no place on a server (the store was another one then).
    fn of(place: &Place) -> Option<Spot> {
        let (place, hex) = place.0.split_once(' ')?;
        let (uids, size) = place.split_once('+')?;
        let (uidvalidity, uidnext) = uids.split_once(':')?;
        let byte = |at: usize| u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok();
        let bytes: Vec<u8> = (0..16).map_while(byte).collect();
        let fingerprint = Fingerprint(bytes.try_into().ok()?);
        let [uidvalidity, uidnext] = [uidvalidity, uidnext].map(|n| n.parse().ok());
        Some(Spot { uidvalidity: uidvalidity?, uidnext: uidnext?, size: size.parse().ok()?, fingerprint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(n: u8) -> Fingerprint {
        Fingerprint::of_header(format!("Message-ID: <{n}>\n\n").as_bytes())
    }

    fn spot(n: u8, size: u64) -> Option<Spot> {
        Some(Spot { uidvalidity: 3, uidnext: 9, size, fingerprint: print(n) })
    }

    #[test]
    fn a_place_comes_back() {
        let spot = spot(1, 77).unwrap();
        let place = spot.to_place();
        assert!(place.0.starts_with("3:9+77 "), "{}", place.0);
        assert_eq!(Spot::of(&place), Some(spot));
        for other in ["cur/1.a:2,S", "12+34 From a@b Sat Feb  3 04:05:06 2001", "3:9+77 00", ""] {
            assert_eq!(Spot::of(&Place(other.into())), None, "{other}");
        }
    }

    #[test]
    fn each_message_that_came_is_one_at_most() {
        let weak = Fingerprint::of_header(b"Subject: x\n\n");
        let found = |list: &[(u32, Fingerprint, Option<u64>)]| -> HashMap<Key, Identity> {
            let identity = |(uid, fingerprint, size): &(u32, Fingerprint, Option<u64>)| {
                let key = Key::of_uid(*uid);
                (key, Identity { size: *size, fingerprint: *fingerprint, digest: None, original: None })
            };
            list.iter().map(identity).collect()
        };
        let weakly = |size| Some(Spot { uidvalidity: 3, uidnext: 9, size, fingerprint: weak });
        for (spots, came, expected) in [
            (vec![spot(1, 10), spot(1, 10)], found(&[(9, print(1), Some(10))]), vec![true, false]),
            (vec![spot(1, 10), spot(2, 10)], found(&[(9, print(2), Some(10)), (10, print(1), None)]), vec![true, true]),
            // The exact one is not taken away by one that only has its header.
            (vec![spot(1, 11), spot(1, 10)], found(&[(9, print(1), Some(10))]), vec![false, true]),
            (vec![spot(1, 11), None], found(&[(9, print(1), Some(10))]), vec![true, false]),
            (vec![weakly(5), weakly(6)], found(&[(9, weak, Some(5)), (10, weak, Some(7))]), vec![true, false]),
        ] {
            assert_eq!(standing(&spots, &came), expected, "{spots:?}");
        }
    }
}
