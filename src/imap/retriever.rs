//! One open folder as a source of messages.

use super::fetch::Fetcher;
use super::pipeline::{Pipeline, Step};
use super::response::Untagged;
use super::session::{Command, Link, Session};
use super::set::sets;
use super::status::Condition;
use crate::error::{Error, Kind, Result};
use crate::mail::Fingerprint;
use crate::retrieve::{Abilities, Finished, Handle, Intake, Key, Listed, Listing, Retriever, SourceId};
use std::collections::{BTreeMap, BTreeSet};

/// A folder that was opened, until [`Retriever::finish`].
#[derive(Debug)]
pub struct ImapFolder<'a, S: Link> {
    session: &'a mut Session<S>,
    source: SourceId,
    /// UIDs are names that hold for ever.
    firm: bool,
    writable: bool,
    can_uid_expunge: bool,
    exists: u32,
    /// Announced sizes, ascending by UID.
    sizes: Vec<(u32, Option<u64>)>,
    disposed: BTreeSet<u32>,
}

/// What opening a folder told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// How many messages it holds.
    pub exists: u32,
    /// UIDVALIDITY, where the server has a usable one.
    pub uidvalidity: Option<u32>,
    /// Whether UIDs outlive the session.
    pub sticky: bool,
    /// Whether messages can be deleted.
    pub writable: bool,
    /// Whether UID EXPUNGE is there.
    pub can_uid_expunge: bool,
}

impl<'a, S: Link> ImapFolder<'a, S> {
    /// The folder that the session has opened.
    pub(super) fn new(session: &'a mut Session<S>, mut source: SourceId, opened: Opened) -> Self {
        if let Some(uidvalidity) = opened.uidvalidity {
            source.scope.push_str(&format!(" UIDVALIDITY={uidvalidity}"));
        }
        ImapFolder {
            session,
            source,
            firm: opened.uidvalidity.is_some() && opened.sticky,
            writable: opened.writable,
            can_uid_expunge: opened.can_uid_expunge,
            exists: opened.exists,
            sizes: Vec::new(),
            disposed: BTreeSet::new(),
        }
    }

    /// Runs one command for each set, all of which must succeed.
    async fn for_sets(&mut self, uids: &BTreeSet<u32>, verb: &str, items: &str, doing: &str) -> Result<()> {
        let commands = sets(uids.iter().map(|uid| (*uid, 0)), 0, usize::MAX).into_iter();
        let mut pipeline = Pipeline::new(commands.map(|(set, _)| (format!("{verb} {set}{items}"), 0, ())));
        let mut refused = None;
        while let Some(step) = pipeline.step(self.session).await? {
            if let Step::Done((), status) = step
                && status.condition != Condition::Ok
            {
                pipeline.stop();
                refused.get_or_insert(status);
            }
        }
        match refused {
            None => Ok(()),
            Some(status) => Err(self.session.refused(&status, &format!("{doing} in {}", self.source.folder)).folder()),
        }
    }

    /// Removes what was marked, without UID EXPUNGE: only when nothing else is marked.
    async fn expunge_alone(&mut self) -> Result<Finished> {
        let folder = self.source.folder.to_string();
        let mut marked = BTreeSet::new();
        let mut broken = false;
        let on = |u: Untagged<'_>| match u {
            Untagged::Search(uids) => marked.extend(uids),
            Untagged::Broken => broken = true,
            _ => {}
        };
        let search = Command::new("UID SEARCH DELETED");
        self.session.exec(search, &format!("search {folder}"), on).await.map_err(Error::folder)?;
        if broken || !marked.is_subset(&self.disposed) {
            let note = format!(
                "{folder}: {} messages are marked as deleted on the server but not removed, because it cannot remove them \
                 without removing others that were marked elsewhere. A mail program can do it (\"expunge\" or \"compact\").",
                self.disposed.len()
            );
            let left = self.disposed.iter().map(|uid| Handle(*uid)).collect();
            return Ok(Finished { left, notes: vec![note] });
        }
        if !marked.is_empty() {
            let doing = format!("remove messages from {folder}");
            self.session.exec(Command::new("EXPUNGE"), &doing, |_| ()).await.map_err(Error::folder)?;
        }
        Ok(Finished::default())
    }

    /// The wanted messages with their announced sizes, each once, in the order given.
    fn sized(&self, wanted: &[Handle]) -> Vec<(u32, Option<u64>)> {
        let mut seen = BTreeSet::new();
        let size = |uid: u32| {
            let at = self.sizes.binary_search_by_key(&uid, |(u, _)| *u).ok()?;
            self.sizes.get(at)?.1
        };
        wanted.iter().map(|h| h.0).filter(|uid| seen.insert(*uid)).map(|uid| (uid, size(uid))).collect()
    }
}

impl<S: Link> Retriever for ImapFolder<'_, S> {
    fn source(&self) -> &SourceId {
        &self.source
    }

    fn abilities(&self) -> Abilities {
        Abilities { headers_apart: true, firm_keys: self.firm }
    }

    async fn list(&mut self) -> Result<Listing> {
        let (mut exists, mut broken) = (self.exists, 0u32);
        let mut sizes: BTreeMap<u32, Option<u64>> = BTreeMap::new();
        if exists > 0 {
            let on = |u: Untagged<'_>| match u {
                Untagged::Fetch(row) => {
                    if let Some(uid) = row.uid {
                        let size = sizes.entry(uid).or_default();
                        *size = row.size.or(*size);
                    }
                }
                // Mail that comes now need not be in this answer, mail that goes now is not.
                Untagged::Expunge(_) => exists = exists.saturating_sub(1),
                Untagged::Broken => broken += 1,
                _ => {}
            };
            let doing = format!("list the messages of {}", self.source.folder);
            let command = Command::new("UID FETCH 1:* (UID RFC822.SIZE)");
            self.session.exec(command, &doing, on).await.map_err(Error::folder)?;
        }
        self.sizes = sizes.into_iter().collect();
        let mut notes = Vec::new();
        let listed = self.sizes.len();
        if usize::try_from(exists).is_ok_and(|n| listed < n) {
            notes.push(format!(
                "{}: the server says that it holds {exists} messages but lists only {listed} of them; the others stay there.",
                self.source.folder
            ));
        }
        if broken > 0 {
            notes.push(format!("{}: {broken} answers of the server made no sense.", self.source.folder));
        }
        let key = |uid: u32| self.firm.then(|| Key(uid.to_string().into_bytes()));
        let messages =
            self.sizes.iter().map(|(uid, size)| Listed { handle: Handle(*uid), key: key(*uid), size: *size });
        Ok(Listing { messages: messages.collect(), notes })
    }

    async fn fingerprints(&mut self, wanted: &[Handle]) -> Result<BTreeMap<Handle, Fingerprint>> {
        let uids = wanted.iter().map(|h| h.0).collect();
        Fetcher::new(self.session).fingerprints(&uids).await
    }

    async fn retrieve(&mut self, wanted: &[Handle], into: &mut impl Intake) -> Result<()> {
        let wanted = self.sized(wanted);
        Fetcher::new(self.session).messages(&wanted, into).await
    }

    async fn dispose(&mut self, handles: &[Handle]) -> Result<()> {
        if handles.is_empty() {
            return Ok(());
        }
        if !self.writable {
            let what = format!("{} is read-only on the server, so nothing can be deleted there", self.source.folder);
            let remedy = "Set keep = true for this account, or ask for the right to delete.";
            return Err(Error::new(Kind::Unavailable, what, remedy).folder());
        }
        let uids: BTreeSet<u32> = handles.iter().map(|h| h.0).collect();
        self.for_sets(&uids, "UID STORE", " +FLAGS.SILENT (\\Deleted)", "mark messages as deleted").await?;
        self.disposed.extend(uids);
        Ok(())
    }

    async fn finish(mut self) -> Result<Finished> {
        // Never CLOSE: it would remove what others marked.
        let uids = std::mem::take(&mut self.disposed);
        match (uids.is_empty(), self.can_uid_expunge) {
            (true, _) => Ok(Finished::default()),
            (false, true) => {
                self.for_sets(&uids, "UID EXPUNGE", "", "remove messages").await?;
                Ok(Finished::default())
            }
            (false, false) => {
                self.disposed = uids;
                self.expunge_alone().await
            }
        }
    }
}
