//! One open folder: what opening it told, and the commands that both sides of its work stand on.
//!
//! It is a [`Retriever`](crate::retrieve::Retriever) and a [`Mailbox`](crate::store::Mailbox) at once, so that a sync
//! downloads without opening it again.

use super::capability::Capabilities;
use super::command::Command;
use super::folders::Tree;
use super::opening::{Opened, Rows};
use super::pipeline::{Pipeline, Step};
use super::response::Untagged;
use super::session::{Link, Session};
use super::set::{UidSet, sets};
use super::status::{Condition, Status};
use crate::error::{Error, Kind, Result};
use crate::mail::{Key, Marks};
use crate::retrieve::{Finished, Handle, SourceId};
use std::collections::BTreeSet;

/// A folder that was opened, for as long as nothing else is done on the connection.
#[derive(Debug)]
pub struct ImapFolder<'a, S: Link> {
    pub(super) session: &'a mut Session<S>,
    pub(super) capabilities: &'a Capabilities,
    /// The folders of the account, as far as they were listed.
    pub(super) tree: &'a mut Option<Tree>,
    pub(super) source: SourceId,
    /// Its name on the wire.
    pub(super) wire: Vec<u8>,
    pub(super) opened: Opened,
    /// What it holds, where that was asked for as it was opened.
    pub(super) rows: Option<Rows>,
    /// Announced sizes, ascending by UID.
    pub(super) sizes: Vec<(u32, Option<u64>)>,
    pub(super) disposed: BTreeSet<u32>,
    /// Nothing was asked since it was opened.
    pub(super) fresh: bool,
    /// The server refused a command with several messages.
    pub(super) singly: bool,
    pub(super) notes: Vec<String>,
    /// Marks that were set, and are not there.
    pub(super) unkept: Vec<(Key, Marks)>,
}

impl<S: Link> ImapFolder<'_, S> {
    /// What its UIDs hold good for; `None` where the server has no usable UIDVALIDITY.
    pub fn uidvalidity(&self) -> Option<u32> {
        self.opened.uidvalidity
    }

    /// UIDNEXT at the time it was opened.
    pub fn uidnext(&self) -> Option<u32> {
        self.opened.uidnext
    }

    /// HIGHESTMODSEQ at the time it was opened; `None` where the server does not count changes in this folder.
    pub fn highestmodseq(&self) -> Option<u64> {
        self.opened.highestmodseq
    }

    /// Whether it can only be read: the server said so, or it was not opened to be written.
    pub fn is_read_only(&self) -> bool {
        !self.opened.writable
    }

    /// What the user should know of the work done so far, in plain words; each once.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Whether UIDs are names that hold for ever.
    pub(super) fn is_firm(&self) -> bool {
        self.opened.uidvalidity.is_some() && self.opened.sticky
    }

    /// Runs one command alone. A refusal ends the work on this folder, a connection that fails that on all.
    pub(super) async fn exec(&mut self, line: &str, doing: &str, on: impl FnMut(Untagged<'_>) + Send) -> Result<()> {
        let status = self.session.attempt(Command::new(line), on).await?;
        match status.condition {
            Condition::Ok => Ok(()),
            _ => Err(self.refused(&status, doing)),
        }
    }

    /// Hears of what has come and gone, unless the folder was opened just now.
    pub(super) async fn news(&mut self, doing: &str) -> Result<()> {
        match std::mem::take(&mut self.fresh) {
            true => Ok(()),
            false => self.exec("NOOP", doing, |_| ()).await,
        }
    }

    /// What a refusal means, which ends the work on this folder.
    pub(super) fn refused(&self, status: &Status, doing: &str) -> Error {
        self.session.refused(status, doing).folder()
    }

    /// Runs commands of one line, all of which must succeed; after a refusal no more are sent.
    pub(super) async fn exec_all(
        &mut self,
        lines: impl IntoIterator<Item = String>,
        doing: &str,
        mut on: impl FnMut(Untagged<'_>) + Send,
    ) -> Result<()> {
        let mut pipeline = Pipeline::new(lines.into_iter().map(|line| (line, 0, ())));
        let mut refused = None;
        while let Some(step) = pipeline.step(self.session).await? {
            match step {
                Step::Done((), status) if status.condition != Condition::Ok => {
                    pipeline.stop();
                    refused.get_or_insert(status);
                }
                Step::Done(..) => {}
                Step::Untagged(frame) => {
                    self.session.bounded_answer()?;
                    on(Untagged::of(&frame));
                }
            }
        }
        match refused {
            None => Ok(()),
            Some(status) => Err(self.refused(&status, &format!("{doing} in {}", self.source.folder))),
        }
    }

    /// An error unless the folder can be changed. `doing` is what cannot be done there.
    pub(super) fn check_writable(&self, doing: &str, remedy: &str) -> Result<()> {
        if self.opened.writable {
            return Ok(());
        }
        let what = format!("{} is read-only on the server, so nothing can be {doing} there", self.source.folder);
        Err(Error::new(Kind::Unavailable, what, remedy).folder())
    }

    /// Sets `\Deleted`.
    pub(super) async fn mark_deleted(&mut self, uids: &BTreeSet<u32>) -> Result<()> {
        let lines = sets_of(uids).map(|set| format!("UID STORE {set} +FLAGS.SILENT (\\Deleted)"));
        self.exec_all(lines, "mark messages as deleted", |_| ()).await
    }

    /// Removes messages that were marked, and nothing else. Never CLOSE: it would remove what others marked.
    pub(super) async fn expunge(&mut self, marked: &BTreeSet<u32>) -> Result<Finished> {
        if marked.is_empty() {
            return Ok(Finished::default());
        }
        if !self.capabilities.can_uid_expunge() {
            return self.expunge_alone(marked).await;
        }
        let lines = sets_of(marked).map(|set| format!("UID EXPUNGE {set}"));
        self.exec_all(lines, "remove messages", |_| ()).await?;
        Ok(Finished::default())
    }

    /// Removes what was marked, without UID EXPUNGE: only when nothing else is marked.
    async fn expunge_alone(&mut self, ours: &BTreeSet<u32>) -> Result<Finished> {
        let folder = self.source.folder.to_string();
        let Some(marked) = self.search("DELETED").await?.filter(|marked| marked.is_within(ours)) else {
            let note = format!(
                "{folder}: {} messages are marked as deleted on the server but not removed, because it cannot remove them \
                 without removing others that were marked elsewhere. A mail program can do it (\"expunge\" or \"compact\").",
                ours.len()
            );
            let left = ours.iter().map(|uid| Handle(*uid)).collect();
            return Ok(Finished { left, notes: vec![note] });
        };
        if !marked.is_empty() {
            let doing = format!("remove messages from {folder}");
            self.exec("EXPUNGE", &doing, |_| ()).await?;
        }
        Ok(Finished::default())
    }
}

/// UIDs in sets, each short enough for a line.
pub fn sets_of(uids: &BTreeSet<u32>) -> impl Iterator<Item = UidSet> + use<> {
    sets(uids.iter().map(|uid| (*uid, 0)), 0, usize::MAX).into_iter().map(|(set, _)| set)
}
