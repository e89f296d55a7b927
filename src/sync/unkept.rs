//! Marks that a side cannot be made to keep: the server takes some and has lost them at the next look, and a Maildir names some
//! that IMAP has no keyword for. They stay on the side that has them, and are told once.

use super::account::Job;
use super::execute::Errand;
use crate::error::Result;
use crate::event::Event;
use crate::imap::{ImapFolder, Link};
use crate::mail::{FolderName, Key, Marks};
use crate::state::{FolderId, RowId};
use crate::store::{Holds, MaildirFolder, Snapshot};
use std::collections::{BTreeSet, HashMap};

/// The part of marks of which the server does not say by name that it keeps them.
pub(super) fn unproven(marks: &Marks, holds: &Holds) -> Marks {
    let proven = Marks { flags: marks.flags, keywords: holds.marks.keywords.clone() };
    marks.without(&proven)
}

impl Errand<'_> {
    /// Learns which marks the server did not keep in this folder, by message; tells of those that are new.
    pub(super) fn learn_unkept<S: Link>(&self, remote: &mut ImapFolder<'_, S>) -> Result<HashMap<Key, Marks>> {
        let unkept = remote.take_unkept();
        self.remember_unkept(unkept.values())?;
        Ok(unkept)
    }

    fn remember_unkept<'m>(&self, unkept: impl Iterator<Item = &'m Marks>) -> Result<()> {
        let all = unkept.fold(Marks::default(), |all, marks| all.with(marks));
        if all.is_empty() {
            return Ok(());
        }
        let known = self.job.carrier.ledger().unkept(self.look.id)?;
        let new = all.without(&known);
        if !new.is_empty() {
            self.job.carrier.ledger().set_unkept(self.look.id, &known.with(&new))?;
            self.job.tell(Event::Warning(&format!(
                "{}: the server says OK to {}, and does not keep it; it stays here",
                self.look.name,
                new.imap_names().join(", ")
            )));
        }
        Ok(())
    }

    /// After messages were added to the server with marks of which it does not say by name that it keeps them: what it shows of
    /// those is agreed, too. `uploaded` are their keys here, with all their marks.
    pub(super) async fn agree_on_kept<S: Link>(
        &self,
        remote: &mut ImapFolder<'_, S>,
        uploaded: &[(Key, Marks)],
    ) -> Result<()> {
        if uploaded.is_empty() {
            return Ok(());
        }
        let ledger = || self.job.carrier.ledger();
        let keys: Vec<&Key> = uploaded.iter().map(|(key, _)| key).collect();
        let rows = ledger().known_here(self.look.id, &keys)?;
        let mut there: Vec<(RowId, Key, &Marks)> = Vec::new();
        for (row, (_, marks)) in rows.into_iter().zip(uploaded) {
            let Some((row, true)) = row else { continue };
            there.extend(ledger().whereabouts(row)?.map(|(_, key)| (row, key, marks)));
        }
        let shown = remote.marks_now(&there.iter().map(|(_, key, _)| key.clone()).collect::<Vec<_>>()).await?;
        let (mut agreed, mut unkept) = (Vec::new(), Vec::new());
        for (row, key, marks) in there {
            let Some(shown) = shown.get(&key) else { continue };
            let lost = unproven(marks, &self.look.holds.remote).without(shown);
            agreed.push((row, marks.without(&lost)));
            unkept.push(lost);
        }
        self.remember_unkept(unkept.iter())?;
        ledger().agree(&agreed)
    }
}

impl Job {
    /// The marks that the server is known not to keep in a folder. What it shows now is kept after all.
    pub(super) fn unkept_still(&self, folder: FolderId, there: &Snapshot) -> Result<Marks> {
        let known = self.carrier.ledger().unkept(folder)?;
        if known.is_empty() {
            return Ok(known);
        }
        let still = there.messages.iter().fold(known.clone(), |still, (_, seen)| still.without(seen.marks));
        if still != known {
            self.carrier.ledger().set_unkept(folder, &still)?;
        }
        Ok(still)
    }

    /// Tells of keywords here that the server cannot have, once as long as they are the same.
    pub(super) fn tell_odd_names(&self, id: FolderId, folder: &FolderName, local: &MaildirFolder) -> Result<()> {
        let (names, file) = local.odd_names();
        let names: BTreeSet<String> = names.iter().map(|name| format!("\u{201c}{name}\u{201d}")).collect();
        let said = names.into_iter().collect::<Vec<_>>().join(", ");
        if self.carrier.ledger().is_news(id, &said)? && !said.is_empty() {
            self.tell(Event::Warning(&format!(
                "{folder}: IMAP has no keyword {said}; it stays here. To have it on the server, give it a name without spaces, \
                 brackets, quotes and letters beyond ASCII in {}",
                file.display()
            )));
        }
        Ok(())
    }
}
