//! A Maildir as one side of a sync. A message's key is the base name of its file: what stands before the `:`.

use super::info::Letters;
use super::keywords::{self, Keywords};
use super::listing::{Entry, FolderTimes, Listing};
use super::{Maildir, outgoing};
use crate::error::{Error, Kind, Result};
use crate::mail::{Change, Content, FolderName, Key, Marks};
use crate::store::{Holds, Identity, Mailbox, Outgoing, Place, Snapshot, Spec};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// A folder of a Maildir store as one side of a sync. Its calls block on threads made for that, except where they say so.
#[derive(Debug)]
pub struct MaildirFolder {
    maildir: Arc<Maildir>,
    spec: Spec,
    holds: Holds,
    /// Small letters that files showed at the last snapshot.
    in_use: Letters,
    /// Keywords of files at the last snapshot that IMAP has no name for.
    odd_names: Vec<String>,
    /// Where messages stood a moment ago that are about to go out.
    known: Mutex<Option<Listing>>,
}

impl MaildirFolder {
    /// Opens a folder, making what is missing of it. Blocks.
    pub fn open(spec: &Spec, folder: &FolderName) -> Result<MaildirFolder> {
        MaildirFolder::new(Maildir::open(spec.standing_path(folder)?, spec.line_endings)?, spec)
    }

    /// The folder as it stands, if it does; nothing is made or cleared away. Blocks.
    pub fn standing(spec: &Spec, folder: &FolderName) -> Result<Option<MaildirFolder>> {
        let maildir = Maildir::standing(spec.standing_path(folder)?, spec.line_endings);
        maildir.map(|maildir| MaildirFolder::new(maildir, spec)).transpose()
    }

    fn new(maildir: Maildir, spec: &Spec) -> Result<MaildirFolder> {
        let in_use = Letters::default();
        let holds = maildir.keywords()?.holds(in_use);
        let (maildir, spec, known) = (Arc::new(maildir), spec.clone(), Mutex::default());
        Ok(MaildirFolder { maildir, spec, holds, in_use, odd_names: Vec::new(), known })
    }

    /// The same folder as a store to deliver into.
    pub fn store(&self) -> &Arc<Maildir> {
        &self.maildir
    }

    /// What the file of its keywords calls marks that messages showed at the last snapshot, where IMAP can have no keyword of
    /// that name: they stay here. And that file.
    pub fn odd_names(&self) -> (&[String], PathBuf) {
        (&self.odd_names, self.maildir.path.join(keywords::FILE))
    }

    /// When it was last changed; to be asked before the snapshot that it is to stand for. Blocks for a moment.
    pub fn times(&self) -> Result<FolderTimes> {
        self.maildir.times()
    }

    /// By what its place on the disk is told from another that has come to bear its name, and stays the same as long as it
    /// stands; `None` where the file system does not tell. Blocks for a moment.
    pub fn place(&self) -> Result<Option<String>> {
        self.maildir.place()
    }

    /// Finds the files of messages that are about to [go out](Self::outgoing), all at once. Blocks.
    pub fn find(&self, keys: &[&Key]) -> Result<()> {
        let found = self.maildir.listing_among(keys.iter().map(|key| key.as_bytes()))?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        Ok(())
    }

    /// A message for a server, with the marks it is to have there; `None` where it is gone. Blocks while the file is opened
    /// and measured, and so does reading the body.
    pub fn outgoing(&self, key: &Key, marks: &Marks) -> Result<Option<Outgoing>> {
        let open = |entry: &_| outgoing::open(&self.maildir.path_of(entry), key.clone(), marks.clone());
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Ok(outgoing)) = known.as_ref().and_then(|listing| listing.find(key.as_bytes())).map(open) {
            return Ok(Some(outgoing));
        }
        // Not looked for before, or renamed since, or gone, or not to be read: another look tells.
        let (found, _) = self.maildir.visit(&[key.as_bytes()], |_, entry| open(entry))?;
        Ok(found.into_iter().flatten().next())
    }

    /// When messages were received, in seconds since 1970 UTC: their files' times. One that is gone is left out.
    pub async fn received_at(&mut self, keys: &[Key]) -> Result<HashMap<Key, i64>> {
        let keys = keys.to_vec();
        self.on_thread(move |maildir| maildir.received_at(&keys)).await
    }

    /// The key of a message that was delivered to a place.
    pub fn key_at(place: &Place) -> Option<Key> {
        super::base_of(place).map(Key::new)
    }

    /// Works on the Maildir on a thread where that may block.
    async fn on_thread<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Maildir) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        *self.known.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        let maildir = Arc::clone(&self.maildir);
        let done = tokio::task::spawn_blocking(move || work(&maildir)).await;
        done.map_err(|e| {
            Error::new(Kind::LocalIo, "work on a folder broke down", "Report this; run again.").because(e)
        })?
    }
}

impl Mailbox for MaildirFolder {
    fn holds(&self) -> &Holds {
        &self.holds
    }

    async fn snapshot(&mut self) -> Result<Snapshot> {
        let seen = self.on_thread(|maildir| {
            let listing = maildir.listing()?;
            // Read last, so that every letter that was seen has its name.
            let keywords = maildir.keywords()?;
            let in_use = listing.letters();
            let odd_names = keywords.odd_names(in_use);
            Ok((snapshot(maildir, listing, &keywords), keywords.holds(in_use), in_use, odd_names))
        });
        let snapshot;
        (snapshot, self.holds, self.in_use, self.odd_names) = seen.await?;
        Ok(snapshot)
    }

    async fn identify(&mut self, keys: &[Key]) -> Result<HashMap<Key, Identity>> {
        let keys = keys.to_vec();
        let contents = self.on_thread(move |maildir| maildir.identify(&keys)).await?;
        let identity = |content: Content| Identity {
            size: Some(content.wire_size),
            fingerprint: content.fingerprint,
            digest: Some(content.digest),
            original: content.original,
        };
        Ok(contents.into_iter().map(|(key, content)| (key, identity(content))).collect())
    }

    async fn subjects(&mut self, keys: &[Key]) -> Result<HashMap<Key, String>> {
        let keys = keys.to_vec();
        self.on_thread(move |maildir| maildir.subjects(&keys)).await
    }

    async fn edit(&mut self, edits: &[(Key, Change)]) -> Result<Vec<Key>> {
        let (edits, in_use) = (edits.to_vec(), self.in_use);
        let work = move |maildir: &Maildir| Ok((maildir.edit(&edits)?, maildir.keywords()?.holds(in_use)));
        let (gone, holds) = self.on_thread(work).await?;
        self.holds = holds;
        Ok(gone)
    }

    async fn remove(&mut self, keys: &[Key]) -> Result<Vec<Key>> {
        let keys = keys.to_vec();
        self.on_thread(move |maildir| maildir.remove(&keys)).await
    }

    /// A message with a keyword for which the other folder has no letter left stays where it is.
    async fn relocate(&mut self, keys: &[Key], to: &FolderName) -> Result<Vec<Option<Key>>> {
        let (keys, to, spec) = (keys.to_vec(), to.clone(), self.spec.clone());
        self.on_thread(move |maildir| {
            let to = Maildir::open(spec.standing_path(&to)?, spec.line_endings)?;
            maildir.relocate(&keys, &to)
        })
        .await
    }
}

fn snapshot(maildir: &Maildir, listing: Listing, keywords: &Keywords) -> Snapshot {
    let path = maildir.path.display();
    let mut notes = Vec::new();
    if let Some(first) = listing.twins.first() {
        let more = match listing.twins.len() - 1 {
            0 => " is".to_owned(),
            n => format!(" and {n} more are"),
        };
        notes.push(format!(
            "{path}/{}{more} left out, for the part of the name before the colon is that of another file. Give each its own.",
            first.display()
        ));
    }
    if !listing.is_whole {
        notes.push(format!("another program keeps changing {path}; what it lacks is not taken for deleted this time."));
    }
    let (cut_short, left) = (!listing.is_whole, notes.len() as u64);
    let message = |entry: Entry| (Key::new(entry.base()), keywords.marks(entry.parts().letters), None);
    Snapshot { messages: listing.into_entries().into_iter().map(message).collect(), notes, left, cut_short }
}

#[cfg(test)]
mod tests;
