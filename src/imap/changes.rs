//! What changed in a folder since it was last looked at, in place of a list of all its messages (CONDSTORE and QRESYNC,
//! RFC 7162). It is believed only where it proves true: as many messages have to come out as the server says that there are.

use super::command::Command;
use super::folder::{ImapFolder, sets_of};
use super::mailbox::{Listed, merged};
use super::response::Untagged;
use super::session::Link;
use super::status::Condition;
use crate::error::Result;
use crate::mail::Key;
use crate::store::{Mailbox, Messages, Seen, Snapshot};
use std::collections::BTreeSet;

/// Ranges of UIDs of vanished messages that are kept; a server that tells more is asked for everything instead.
const RANGES: usize = 1 << 18;

/// What is known of the messages of a folder as they were at a HIGHESTMODSEQ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// HIGHESTMODSEQ then; it holds good within one UIDVALIDITY.
    pub modseq: u64,
    /// Those whose marks are known.
    pub messages: Messages,
    /// Others that were there.
    pub doubtful: BTreeSet<u32>,
}

/// What the server tells of changes.
#[derive(Debug, Default)]
struct Changes {
    rows: Vec<Listed>,
    /// First and last UID of messages that are gone.
    vanished: Vec<(u32, u32)>,
    /// All UIDs, as far as a search told them.
    found: BTreeSet<u32>,
    broken: bool,
}

impl Changes {
    fn take(&mut self, untagged: Untagged<'_>) {
        match untagged {
            Untagged::Fetch(row) => {
                self.rows.extend(row.uid.map(|uid| Listed { uid, marks: row.marks, size: row.size }));
            }
            Untagged::Vanished(vanished) => {
                self.vanished.extend(vanished.ranges());
                self.broken |= self.vanished.len() > RANGES;
            }
            Untagged::Search(uids) => self.found.extend(uids.iter()),
            Untagged::Broken => self.broken = true,
            _ => {}
        }
        if self.broken {
            self.vanished.clear();
        }
    }

    /// What was known, after these changes.
    fn after(&mut self, known: Baseline) -> Vec<Listed> {
        let message = |(key, seen): (&Key, Seen<'_>)| {
            Some(Listed { uid: key.uid()?, marks: Some(seen.marks.clone()), size: seen.size })
        };
        let mut rows: Vec<Listed> = known.messages.iter().filter_map(message).collect();
        rows.extend(known.doubtful.iter().map(|uid| Listed { uid: *uid, marks: None, size: None }));
        // There may be very many.
        drop(known);
        rows.append(&mut self.rows);
        self.vanished.sort_unstable();
        let mut ranges = self.vanished.iter().copied().peekable();
        let mut up_to = 0;
        let mut rows = merged(rows);
        rows.retain(|row| {
            while let Some((_, last)) = ranges.next_if(|(first, _)| *first <= row.uid) {
                up_to = up_to.max(last);
            }
            row.uid > up_to
        });
        rows
    }
}

impl<S: Link> ImapFolder<'_, S> {
    /// A [snapshot](Mailbox::snapshot) made of what is known and of what changed since; of everything, where the server does
    /// not tell that or tells what cannot be true.
    pub async fn snapshot_since(&mut self, known: Baseline) -> Result<Snapshot> {
        match self.changed_since(known).await? {
            Some(messages) => Ok(Snapshot { messages, ..Snapshot::default() }),
            None => self.snapshot().await,
        }
    }

    async fn changed_since(&mut self, known: Baseline) -> Result<Option<Messages>> {
        let Some(newest) = self.opened.highestmodseq.filter(|newest| *newest >= known.modseq) else { return Ok(None) };
        if !self.is_firm() || !self.fresh || self.session.counts().exists == 0 {
            return Ok(None);
        }
        let mut changes = Changes::default();
        let mut lines: Vec<String> = Vec::new();
        if newest > known.modseq {
            let vanished = if self.session.resyncs { " VANISHED" } else { "" };
            let since = known.modseq;
            lines.push(format!("UID FETCH 1:* (UID FLAGS RFC822.SIZE) (CHANGEDSINCE {since}{vanished})"));
        }
        lines.extend(sets_of(&known.doubtful).map(|set| format!("UID FETCH {set} (UID FLAGS RFC822.SIZE)")));
        for line in lines {
            if !self.tells(line, &mut changes).await? {
                return Ok(None);
            }
        }
        let mut rows = changes.after(known);
        // What is there was known, or has changed. So what comes out is too much by what was removed, which only QRESYNC
        // tells, and by nothing else.
        if !self.session.resyncs && rows.len() > self.exists() {
            if !self.tells("UID SEARCH ALL".to_owned(), &mut changes).await? {
                return Ok(None);
            }
            rows.retain(|row| changes.found.contains(&row.uid));
        }
        let is_true = rows.len() == self.exists() && rows.iter().all(|row| row.marks.is_some());
        Ok(is_true.then(|| rows.into_iter().filter_map(Listed::message).collect()))
    }

    /// Whether the server tells what it is asked for, and nothing that makes no sense.
    async fn tells(&mut self, line: String, changes: &mut Changes) -> Result<bool> {
        let status = self.session.attempt(Command::new(line), |u| changes.take(u)).await?;
        Ok(status.condition == Condition::Ok && !changes.broken)
    }

    fn exists(&self) -> usize {
        usize::try_from(self.session.counts().exists).unwrap_or(usize::MAX)
    }
}
