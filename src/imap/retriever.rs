//! An open folder as a source of messages.

use super::fetch::Fetcher;
use super::folder::ImapFolder;
use super::opening::Rows;
use super::session::Link;
use crate::error::Result;
use crate::mail::{Fingerprint, Key};
use crate::retrieve::{Abilities, Finished, Handle, Intake, Listed, Listing, Retriever, SourceId};
use std::collections::{BTreeMap, BTreeSet};

impl<S: Link> ImapFolder<'_, S> {
    /// Takes over the sizes that an earlier listing announced: large messages are fetched in parts.
    pub fn expect_sizes(&mut self, sizes: impl IntoIterator<Item = (Handle, Option<u64>)>) {
        self.sizes = sizes.into_iter().map(|(handle, size)| (handle.0, size)).collect();
        self.sizes.sort_unstable();
    }

    /// Asks what the folder holds.
    async fn ask_rows(&mut self) -> Result<Rows> {
        let mut rows = Rows { exists: self.session.counts().exists, ..Rows::default() };
        if rows.exists > 0 {
            let resyncs = self.session.resyncs;
            let doing = format!("list the messages of {}", self.source.folder);
            self.exec(Rows::COMMAND, &doing, |u| rows.take(&u, resyncs)).await?;
        }
        Ok(rows)
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
        Abilities { headers_apart: true, firm_keys: self.is_firm() }
    }

    async fn list(&mut self) -> Result<Listing> {
        self.fresh = false;
        let rows = match self.rows.take() {
            Some(rows) => rows,
            None => self.ask_rows().await?,
        };
        let Rows { exists, gone, sizes, broken } = rows;
        self.sizes = sizes.into_iter().collect();
        let mut notes = Vec::new();
        let listed = self.sizes.len();
        let exists = exists.saturating_sub(gone);
        if usize::try_from(exists).is_ok_and(|n| listed < n) {
            notes.push(format!(
                "{}: the server says that it holds {exists} messages but lists only {listed} of them; the others stay there.",
                self.source.folder
            ));
        }
        if broken > 0 {
            notes.push(format!("{}: {broken} answers of the server made no sense.", self.source.folder));
        }
        let firm = self.is_firm();
        let key = |uid: u32| firm.then(|| Key::of_uid(uid));
        let messages =
            self.sizes.iter().map(|(uid, size)| Listed { handle: Handle(*uid), key: key(*uid), size: *size });
        Ok(Listing { messages: messages.collect(), notes })
    }

    async fn fingerprints(&mut self, wanted: &[Handle]) -> Result<BTreeMap<Handle, Fingerprint>> {
        let uids = wanted.iter().map(|h| h.0).collect();
        let found = Fetcher::new(self.session).identities(&uids).await?;
        Ok(found.into_iter().map(|(uid, identity)| (Handle(uid), identity.fingerprint)).collect())
    }

    async fn dates(&mut self, wanted: &[Handle]) -> Result<BTreeMap<Handle, i64>> {
        let keys: Vec<Key> = wanted.iter().map(|h| Key::of_uid(h.0)).collect();
        let found = self.received_at(&keys).await?;
        Ok(wanted.iter().zip(&keys).filter_map(|(handle, key)| Some((*handle, *found.get(key)?))).collect())
    }

    async fn retrieve(&mut self, wanted: &[Handle], into: &mut impl Intake) -> Result<()> {
        let wanted = self.sized(wanted);
        Fetcher::new(self.session).messages(&wanted, into).await
    }

    async fn dispose(&mut self, handles: &[Handle]) -> Result<()> {
        if handles.is_empty() {
            return Ok(());
        }
        self.check_writable("deleted", "Set keep = true for this account, or ask for the right to delete.")?;
        let uids: BTreeSet<u32> = handles.iter().map(|h| h.0).collect();
        self.mark_deleted(&uids).await?;
        self.disposed.extend(uids);
        Ok(())
    }

    async fn finish(mut self) -> Result<Finished> {
        let disposed = std::mem::take(&mut self.disposed);
        self.expunge(&disposed).await
    }
}
