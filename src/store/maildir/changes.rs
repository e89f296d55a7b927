//! Changes to messages that stand in a Maildir: each is a rename or a removal.

use super::info::{Letters, Parts};
use super::listing::Entry;
use super::{Maildir, name, read, read_header};
use crate::error::{Error, Kind, Result};
use crate::mail::{Change, Content, Key, Keyword, subject};
use crate::store::directory::rename_new;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;

impl Maildir {
    /// Reads messages; those that are gone or cannot be read are left out.
    pub(super) fn identify(&self, keys: &[Key]) -> Result<HashMap<Key, Content>> {
        let (contents, _) = self.visit(&bases(keys), |_, entry| match read(&self.path_of(entry)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        })?;
        Ok(keys.iter().cloned().zip(contents).filter_map(|(key, content)| Some((key, content??))).collect())
    }

    /// What messages are about; those that are gone, cannot be read or have no subject are left out.
    pub(super) fn subjects(&self, keys: &[Key]) -> Result<HashMap<Key, String>> {
        let (subjects, _) = self.visit(&bases(keys), |_, entry| match read_header(&self.path_of(entry)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Ok(None),
            header => header.map(|header| subject(&header)),
        })?;
        Ok(keys.iter().cloned().zip(subjects).filter_map(|(key, subject)| Some((key, subject??))).collect())
    }

    /// The times of messages' files, in seconds since 1970 UTC; those that are gone are left out.
    pub(super) fn received_at(&self, keys: &[Key]) -> Result<HashMap<Key, i64>> {
        let (times, _) = self.visit(&bases(keys), |_, entry| Ok(fs::metadata(self.path_of(entry))?.mtime()))?;
        Ok(keys.iter().cloned().zip(times).filter_map(|(key, time)| Some((key, time?))).collect())
    }

    /// Changes marks; gives the messages that are no longer there.
    pub(super) fn edit(&self, edits: &[(Key, Change)]) -> Result<Vec<Key>> {
        let wanted: BTreeSet<Keyword> = edits.iter().flat_map(|(_, change)| &change.add.keywords).cloned().collect();
        let keywords = self.naming(&wanted)?;
        if let Some(homeless) = wanted.difference(&keywords.named()).next() {
            let what = format!("no letter is left for the keyword {} in {}", homeless.as_str(), self.path.display());
            let remedy = "Delete a line that no message needs from its file dovecot-keywords, then run again.";
            return Err(Error::new(Kind::Data, what, remedy).folder());
        }
        let mut touched = BTreeSet::new();
        let bases: Vec<&[u8]> = edits.iter().map(|(key, _)| key.as_bytes()).collect();
        let (done, is_sure) = self.visit(&bases, |i, entry| {
            let parts = entry.parts();
            let letters = edits.get(i).map_or(parts.letters, |(_, change)| keywords.changed(parts.letters, change));
            if letters != parts.letters {
                self.rename_entry(entry, OsString::from_vec(parts.name(parts.base, letters)))?;
                touched.extend(["cur", entry.part()]);
                crate::fault::point();
            }
            Ok(())
        })?;
        self.sync_parts(touched)?;
        if !is_sure {
            let what =
                format!("cannot find every message in {}: another program keeps changing it", self.path.display());
            return Err(Error::new(Kind::TryLater, what, "Run again when that program is done.").folder());
        }
        Ok(edits.iter().zip(done).filter(|(_, done)| done.is_none()).map(|((key, _), _)| key.clone()).collect())
    }

    /// Gives a message another name, in `cur`. A twin that has that name already is a message of its own, and gets one.
    fn rename_entry(&self, entry: &Entry, name: OsString) -> io::Result<()> {
        let (from, to) = (self.path_of(entry), self.path.join("cur").join(&name));
        match rename_new(&from, &to) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            renamed => return renamed,
        }
        let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
        if identity(fs::symlink_metadata(&from)?) == identity(fs::symlink_metadata(&to)?) {
            // One file under two names: a rename by links that was cut short.
            return fs::remove_file(from);
        }
        let twin = Parts::of(&name);
        let other = twin.name(name::unique(&self.host).as_bytes(), twin.letters);
        rename_new(&to, &self.path.join("cur").join(OsString::from_vec(other)))?;
        rename_new(&from, &to)
    }

    /// Removes messages; gives those that may still be there.
    pub(super) fn remove(&self, keys: &[Key]) -> Result<Vec<Key>> {
        let mut touched = BTreeSet::new();
        let (done, is_sure) = self.visit(&bases(keys), |_, entry| {
            fs::remove_file(self.path_of(entry))?;
            touched.insert(entry.part());
            crate::fault::point();
            Ok(())
        })?;
        self.sync_parts(touched)?;
        let left = keys.iter().zip(done).filter(|(_, done)| done.is_none() && !is_sure);
        Ok(left.map(|(key, _)| key.clone()).collect())
    }

    /// Moves messages to another Maildir, and gives their keys there. `None` for one that is gone, and for one that has a
    /// keyword for which there is no letter left there: it stays where it is.
    pub(super) fn relocate(&self, keys: &[Key], to: &Maildir) -> Result<Vec<Option<Key>>> {
        let here = self.keywords()?;
        let listing = self.listing()?;
        let moving = keys.iter().filter_map(|key| listing.find(key.as_bytes()));
        let there = to.naming(&moving.flat_map(|entry| here.marks(entry.parts().letters).keywords).collect())?;
        let taken = to.listing()?;
        let small: Letters = (b'a'..=b'z').collect();
        let (mut left, mut entered) = (BTreeSet::new(), BTreeSet::new());
        let (moved, _) = self.visit(&bases(keys), |_, entry| {
            let parts = entry.parts();
            let marks = here.marks(parts.letters);
            let letters = there.letters(&marks).with(parts.letters.without(small));
            if there.marks(letters) != marks {
                return Ok(None);
            }
            let part = if letters.is_empty() { entry.part() } else { "cur" };
            let enter = |base: &[u8]| {
                let name = if part == "new" { base.to_vec() } else { parts.name(base, letters) };
                rename_new(&self.path_of(entry), &to.path.join(part).join(OsString::from_vec(name)))
            };
            let mut base = parts.base.to_vec();
            let is_taken = taken.find(&base).is_some()
                || match enter(&base) {
                    Err(e) if e.kind() == io::ErrorKind::AlreadyExists => true,
                    entered => entered.map(|()| false)?,
                };
            if is_taken {
                base = name::unique(&to.host).into_bytes();
                enter(&base)?;
            }
            left.insert(entry.part());
            entered.insert(part);
            crate::fault::point();
            Ok(Some(Key::new(base)))
        })?;
        to.sync_parts(entered)?;
        self.sync_parts(left)?;
        Ok(moved.into_iter().map(Option::flatten).collect())
    }

    fn sync_parts(&self, parts: BTreeSet<&'static str>) -> Result<()> {
        parts.into_iter().try_for_each(|part| self.sync_part(part))
    }
}

fn bases(keys: &[Key]) -> Vec<&[u8]> {
    keys.iter().map(|key| key.as_bytes()).collect()
}
