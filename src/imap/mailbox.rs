//! One open folder as a side of a sync.

use super::command::Command;
use super::fetch::Fetcher;
use super::folder::{ImapFolder, sets_of};
use super::framer::Garbled;
use super::presence::{marks_of, still_there};
use super::response::Untagged;
use super::session::Link;
use super::set::UidSet;
use super::status::{Condition, Status};
use super::tree;
use crate::error::{Error, Kind, Result};
use crate::mail::{Change, Flags, FolderName, Key, Keyword, Marks, subject};
use crate::store::{Holds, Identity, Mailbox, Snapshot};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How often a listing is asked for while messages are being removed under it.
const LISTINGS: usize = 3;

/// What can be kept for good, from the list in PERMANENTFLAGS.
pub fn permanent(list: &[u8]) -> Holds {
    let mut holds = Holds::default();
    let list = list.strip_prefix(b"(").unwrap_or(list);
    let list = list.strip_suffix(b")").unwrap_or(list);
    for name in list.split(u8::is_ascii_whitespace).filter_map(|n| std::str::from_utf8(n).ok()) {
        if name == "\\*" {
            holds.room = usize::MAX;
            // A flag here, a keyword like any other there.
            holds.marks.flags = holds.marks.flags | Flags::from_imap("$Forwarded");
        }
        holds.marks.flags = holds.marks.flags | Flags::from_imap(name);
        holds.marks.keywords.extend(Keyword::new(name));
    }
    holds
}

/// The names of marks, as a list of flags.
pub fn names(marks: &Marks) -> String {
    format!("({})", marks.imap_names().join(" "))
}

/// The commands that make these changes: one for each set of messages that gain, or lose, the same marks.
fn stores(edits: &[(Key, Change)]) -> Vec<String> {
    let mut groups: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for (key, change) in edits {
        for (sign, marks) in [('+', &change.add), ('-', &change.remove)] {
            if let Some(uid) = key.uid().filter(|_| !marks.is_empty()) {
                groups.entry(format!("{sign}FLAGS.SILENT {}", names(marks))).or_default().insert(uid);
            }
        }
    }
    let lines = groups.iter().flat_map(|(what, uids)| sets_of(uids).map(move |set| format!("UID STORE {set} {what}")));
    lines.collect()
}

/// The UIDs behind keys; a key that is none names nothing here.
fn uids_of<'k>(keys: impl IntoIterator<Item = &'k Key>) -> BTreeSet<u32> {
    keys.into_iter().filter_map(Key::uid).collect()
}

/// What the server tells of a message.
#[derive(Debug)]
pub struct Listed {
    pub uid: u32,
    pub marks: Option<Marks>,
    pub size: Option<u64>,
}

impl Listed {
    /// The message, where its marks are known.
    pub fn message(self) -> Option<(Key, Marks, Option<u64>)> {
        Some((Key::of_uid(self.uid), self.marks?, self.size))
    }
}

/// Rows ascending by UID, each UID once: what came later holds.
pub fn merged(mut rows: Vec<Listed>) -> Vec<Listed> {
    rows.sort_by_key(|row| row.uid);
    rows.dedup_by(|later, row| {
        let same = later.uid == row.uid;
        if same {
            row.marks = later.marks.take().or(row.marks.take());
            row.size = later.size.or(row.size);
        }
        same
    });
    rows
}

impl<S: Link> ImapFolder<'_, S> {
    /// Every message as the server lists it now, ascending by UID, and whether parts of the list make no sense.
    async fn rows(&mut self) -> Result<(Vec<Listed>, bool)> {
        let (mut rows, mut broken) = (Vec::new(), false);
        let on = |u: Untagged<'_>| match u {
            Untagged::Fetch(row) => {
                if let Some(uid) = row.uid {
                    rows.push(Listed { uid, marks: row.marks, size: row.size });
                }
            }
            Untagged::Broken => broken = true,
            _ => {}
        };
        let doing = format!("list the messages of {}", self.source.folder);
        self.exec("UID FETCH 1:* (UID FLAGS RFC822.SIZE)", &doing, on).await?;
        Ok((merged(rows), broken))
    }

    /// The name of another folder on the wire.
    async fn wire_of(&mut self, name: &FolderName) -> Result<Vec<u8>> {
        let tree = tree::listed(self.session, self.capabilities, self.tree).await?;
        tree.get(name).map_or_else(|| tree.names.wire_of(name), |folder| Ok(folder.wire.clone()))
    }

    /// UIDVALIDITY of another folder; `None` where the server does not tell.
    async fn uidvalidity_of(&mut self, wire: &[u8]) -> Result<Option<u32>> {
        let mut told = None;
        let on = |u: Untagged<'_>| {
            if let Untagged::FolderStatus(_, status) = u {
                told = status.uidvalidity;
            }
        };
        let command = Command::new("STATUS").argument(wire).text(" (UIDVALIDITY)");
        let status = self.session.attempt(command, on).await?;
        Ok(told.filter(|_| status.condition == Condition::Ok))
    }

    /// Removes messages; gives those that may still be there.
    async fn remove_all(&mut self, uids: &BTreeSet<u32>) -> Result<BTreeSet<u32>> {
        self.mark_deleted(uids).await?;
        let finished = self.expunge(uids).await?;
        self.notes.extend(finished.notes);
        // A server may say OK and do nothing.
        let mut left = still_there(self.session, uids).await?;
        left.extend(finished.left.iter().map(|handle| handle.0));
        Ok(left)
    }
}

impl<S: Link> Mailbox for ImapFolder<'_, S> {
    fn holds(&self) -> &Holds {
        &self.opened.holds
    }

    async fn snapshot(&mut self) -> Result<Snapshot> {
        self.news(&format!("look for news in {}", self.source.folder)).await?;
        let folder = self.source.folder.to_string();
        let (mut snapshot, mut rows) = (Snapshot::default(), Vec::new());
        for asked in 1..=LISTINGS {
            let before = self.session.counts();
            let mut broken = false;
            if before.exists > 0 {
                (rows, broken) = self.rows().await?;
            } else {
                rows.clear();
            }
            // What is removed while it is listed may be in the listing and not be counted.
            let moving = self.session.counts().expunged != before.expunged;
            let short = usize::try_from(before.exists).is_ok_and(|n| rows.len() < n);
            if moving && asked < LISTINGS {
                continue;
            }
            let part = self.capabilities.shows_at_most().is_some_and(|most| before.exists >= most);
            snapshot.cut_short = moving || broken || short || part;
            snapshot.left = u64::from(moving || short) + u64::from(broken);
            if moving {
                snapshot.notes.push(format!("{folder}: messages are being removed while they are listed."));
            } else if short {
                snapshot.notes.push(format!(
                    "{folder}: the server says that it holds {} messages but lists only {} of them.",
                    before.exists,
                    rows.len()
                ));
            }
            if part {
                snapshot.notes.push(format!(
                    "{folder}: the server shows the newest {} messages of a folder and hides the others; what is missing there is \
                     not taken for deleted.",
                    before.exists
                ));
            }
            if broken {
                snapshot.notes.push(format!("{folder}: the server's list of messages makes no sense in places."));
            }
            break;
        }
        let lacking = rows.iter().find(|row| row.marks.is_none()).map(|row| row.uid);
        if let Some(uid) = lacking {
            let what = format!("{}: message {uid} of {folder} is listed without its flags", self.session.server().host);
            let remedy = "Run again; if it stays, report it with the server's name.";
            return Err(Error::new(Kind::Protocol, what, remedy).folder());
        }
        snapshot.messages = rows.into_iter().filter_map(Listed::message).collect();
        Ok(snapshot)
    }

    async fn identify(&mut self, keys: &[Key]) -> Result<HashMap<Key, Identity>> {
        self.fresh = false;
        let found = Fetcher::new(self.session).identities(&uids_of(keys)).await?;
        Ok(found.into_iter().map(|(uid, identity)| (Key::of_uid(uid), identity)).collect())
    }

    async fn subjects(&mut self, keys: &[Key]) -> Result<HashMap<Key, String>> {
        self.fresh = false;
        let mut found = HashMap::new();
        let read = |uid, _, header: &[u8]| found.extend(subject(header).map(|subject| (Key::of_uid(uid), subject)));
        Fetcher::new(self.session).headers(&uids_of(keys), "SUBJECT", read).await?;
        Ok(found)
    }

    async fn edit(&mut self, edits: &[(Key, Change)]) -> Result<Vec<Key>> {
        self.fresh = false;
        let uids = uids_of(edits.iter().map(|(key, _)| key));
        let lines = stores(edits);
        if !lines.is_empty() {
            self.check_writable("changed", "Ask for the right to change marks there, or sync it one way.")?;
            self.exec_all(lines, "change marks", |_| ()).await?;
        }
        let there = if uids.is_empty() { BTreeMap::new() } else { marks_of(self.session, &uids).await? };
        for (key, change) in edits {
            // A server may say OK and keep nothing.
            let shown = key.uid().and_then(|uid| there.get(&uid)?.as_ref());
            let unkept = shown.map(|shown| change.add.without(shown)).unwrap_or_default();
            if !unkept.is_empty() {
                self.unkept.push((key.clone(), unkept));
            }
        }
        let gone = |key: &&Key| key.uid().is_none_or(|uid| !there.contains_key(&uid));
        Ok(edits.iter().map(|(key, _)| key).filter(gone).cloned().collect())
    }

    async fn remove(&mut self, keys: &[Key]) -> Result<Vec<Key>> {
        self.fresh = false;
        let uids = uids_of(keys);
        if uids.is_empty() {
            return Ok(Vec::new());
        }
        self.check_writable("deleted", "Ask for the right to delete there, or sync it one way.")?;
        Ok(self.remove_all(&uids).await?.into_iter().map(Key::of_uid).collect())
    }

    async fn relocate(&mut self, keys: &[Key], to: &FolderName) -> Result<Vec<Option<Key>>> {
        self.fresh = false;
        let uids = uids_of(keys);
        let mut known: HashMap<u32, u32> = HashMap::new();
        if !uids.is_empty() {
            self.check_writable("moved", "Ask for the right to delete there, or sync it one way.")?;
            let wire = self.wire_of(to).await?;
            let uidvalidity = self.uidvalidity_of(&wire).await?;
            let moves = self.capabilities.can_move();
            let verb = if moves { "UID MOVE" } else { "UID COPY" };
            let mut waiting: Vec<UidSet> = sets_of(&uids).collect();
            waiting.reverse();
            while let Some(set) = waiting.pop() {
                let these: BTreeSet<u32> = set.iter().collect();
                let mut copied = BTreeMap::new();
                let mut take = |status: &Status| {
                    // DavMail and others tell numbers that are none of this.
                    if let Some((of, pairs)) = status.text.copied(these.len())
                        && Some(of) == uidvalidity
                    {
                        copied.extend(pairs.into_iter().filter(|(from, _)| these.contains(from)));
                    }
                };
                let on = |u: Untagged<'_>| {
                    if let Untagged::Status(status) = u {
                        take(&status);
                    }
                };
                let status = self.session.attempt(Command::new(format!("{verb} {set}")).argument(&wire), on).await?;
                take(&status);
                if status.condition != Condition::Ok {
                    // Dovecot moves nothing where one message is gone. A server may also have moved a part.
                    let there = still_there(self.session, &these).await?;
                    if there.len() == these.len() {
                        let doing = format!("move messages from {} to {to}", self.source.folder);
                        return Err(self.refused(&status, &doing));
                    }
                    known.extend(copied.into_iter().filter(|(from, _)| moves && !there.contains(from)));
                    waiting.extend(sets_of(&there));
                    continue;
                }
                if !moves {
                    let leaving = if copied.is_empty() { these } else { copied.keys().copied().collect() };
                    self.remove_all(&leaving).await?;
                }
                known.extend(copied);
            }
        }
        Ok(keys.iter().map(|key| Some(Key::of_uid(*known.get(&key.uid()?)?))).collect())
    }
}

impl<S: Link> ImapFolder<'_, S> {
    /// The marks that were set on messages, and that the server did not keep, though it had said OK; each once.
    pub fn take_unkept(&mut self) -> HashMap<Key, Marks> {
        std::mem::take(&mut self.unkept).into_iter().collect()
    }

    /// The marks that messages have now; one that is gone, or of which the server does not tell, is left out.
    pub async fn marks_now(&mut self, keys: &[Key]) -> Result<HashMap<Key, Marks>> {
        self.fresh = false;
        let there = marks_of(self.session, &uids_of(keys)).await?;
        Ok(there.into_iter().filter_map(|(uid, marks)| Some((Key::of_uid(uid), marks?))).collect())
    }

    /// When messages were received, in seconds since 1970 UTC; one that is gone, or of which the server does not tell, is
    /// left out.
    pub async fn received_at(&mut self, keys: &[Key]) -> Result<HashMap<Key, i64>> {
        self.fresh = false;
        let uids = uids_of(keys);
        let mut found = HashMap::new();
        let on = |u: Untagged<'_>| {
            if let Untagged::Fetch(row) = u
                && let Some((uid, at)) = row.uid.filter(|uid| uids.contains(uid)).zip(row.received_at)
            {
                found.insert(Key::of_uid(uid), at);
            }
        };
        let lines = sets_of(&uids).map(|set| format!("UID FETCH {set} (UID INTERNALDATE)"));
        self.exec_all(lines, "ask for the age of messages", on).await?;
        Ok(found)
    }

    /// What came into the folder since it would have given a message this UID: keys and announced sizes, ascending. For
    /// finding out whether a message arrived whose upload broke off.
    pub async fn arrived_since(&mut self, uidnext: u32) -> Result<Vec<(Key, Option<u64>)>> {
        let (mut rows, mut broken) = (BTreeMap::new(), false);
        let on = |u: Untagged<'_>| match u {
            // `n:*` holds the last message even where that is below n.
            Untagged::Fetch(row) => {
                if let Some(uid) = row.uid.filter(|uid| *uid >= uidnext) {
                    let size: &mut Option<u64> = rows.entry(uid).or_default();
                    *size = row.size.or(*size);
                }
            }
            Untagged::Broken => broken = true,
            _ => {}
        };
        let doing = format!("list what is new in {}", self.source.folder);
        self.news(&doing).await?;
        if self.session.counts().exists == 0 {
            return Ok(Vec::new());
        }
        self.exec(&format!("UID FETCH {uidnext}:* (UID RFC822.SIZE)"), &doing, on).await?;
        if broken {
            return Err(self.session.nonsense(&Garbled::Unlisted).folder());
        }
        Ok(rows.into_iter().map(|(uid, size)| (Key::of_uid(uid), size)).collect())
    }
}
