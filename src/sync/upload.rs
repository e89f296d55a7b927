//! Adds messages to a folder of the server.

use super::execute::{Done, Errand, WAVE, copied, copies_to};
use super::observe::find;
use super::tell::count;
use super::unkept::unproven;
use super::{Action, Step, Traits};
use crate::error::Result;
use crate::event::{Counts, Event};
use crate::imap::{Appended, ImapFolder, Link};
use crate::mail::{Content, Key, Marks, Side};
use crate::state::{Intent, RowId};
use crate::store::{MaildirFolder, Outgoing};
use std::collections::{HashMap, HashSet};

/// Messages that are written down, sent and settled together.
const UPLOADS: usize = 512;

impl Errand<'_> {
    /// Adds messages to the folder on the server.
    pub(super) async fn upload<S: Link>(
        &self,
        remote: &mut ImapFolder<'_, S>,
        local: &MaildirFolder,
        steps: &[Step],
        recognised: &HashSet<RowId>,
        done: &mut Done,
        counts: &mut Counts,
    ) -> Result<()> {
        let copies: Vec<&Step> = steps.iter().filter(|s| copies_to(Side::Remote, s)).collect();
        for wave in copies.chunks(WAVE) {
            let keys: Vec<&Key> = wave.iter().filter_map(|s| copied(s)).collect();
            local.find(&keys)?;
            for batch in wave.chunks(UPLOADS) {
                if self.job.carrier.interrupt.is_raised() {
                    done.whole = false;
                    return Ok(());
                }
                let batch = self.intents(local, batch, recognised, done, counts)?;
                if !batch.is_empty() {
                    self.upload_batch(remote, local, &batch, done, counts).await?;
                }
            }
        }
        Ok(())
    }

    /// What is to be written down before these messages are sent; those that are there already are left out.
    fn intents<'s>(
        &self,
        here: &MaildirFolder,
        copies: &[&'s Step],
        recognised: &HashSet<RowId>,
        done: &mut Done,
        counts: &mut Counts,
    ) -> Result<Vec<(&'s Step, Intent)>> {
        let keys: Vec<&Key> = copies.iter().filter_map(|s| copied(s)).collect();
        let known = self.job.carrier.ledger().known_here(self.look.id, &keys)?;
        let mut intents = Vec::new();
        for (step, known) in copies.iter().zip(known) {
            let Action::Copy { key, marks, row, .. } = &step.action else { continue };
            // What was removed on the server before the first sync came to its end is known by its row still.
            let is_had = |(known, paired)| recognised.contains(&known) || (paired && *row != Some(known));
            if known.is_some_and(is_had) {
                continue;
            }
            // It was gone, or could not be read, when it was looked at.
            let Some(content) = self.look.comparison.traits_here(key, *row).and_then(content) else {
                done.whole = false;
                self.tell_unread(here, key, counts);
                continue;
            };
            let (row, uidnext) = (known.map(|(row, _)| row), self.look.uidnext);
            // Whether the server keeps the others is found out once they are there.
            let marks = marks.without(&unproven(marks, &self.look.holds.remote));
            let local = key.clone();
            intents.push((*step, Intent { row, local, content, marks, uidnext, discards: false }));
        }
        Ok(intents)
    }

    /// Tells of a message here that could not be read, unless it is gone.
    fn tell_unread(&self, here: &MaildirFolder, key: &Key, counts: &mut Counts) {
        let why = match here.outgoing(key, &Marks::default()) {
            Ok(None) => return,
            Ok(Some(_)) => "it could not be read a moment ago".to_owned(),
            Err(e) => e.to_string(),
        };
        self.job.tell(Event::Warning(&format!("{}: {key} stays here: {why}", self.look.name)));
        counts.failed += 1;
    }

    async fn upload_batch<S: Link>(
        &self,
        remote: &mut ImapFolder<'_, S>,
        local: &MaildirFolder,
        batch: &[(&Step, Intent)],
        done: &mut Done,
        counts: &mut Counts,
    ) -> Result<()> {
        let job = &self.job.carrier;
        let plain: Vec<Intent> = batch.iter().map(|(_, intent)| intent.clone()).collect();
        let ids = job.ledger().intend(self.look.id, &plain)?;
        crate::fault::point();
        let outgoing = |(step, intent): &(&Step, Intent)| -> Option<Result<Outgoing>> {
            let Action::Copy { marks, .. } = &step.action else { return None };
            local.outgoing(&intent.local, marks).transpose()
        };
        let appended = remote.append(batch.iter().filter_map(outgoing)).await?;
        crate::fault::point();
        let appended: HashMap<Key, Appended> = appended.into_iter().collect();
        let (mut settled, mut searched) = (Vec::new(), Vec::new());
        for ((step, intent), id) in batch.iter().zip(ids) {
            match appended.get(&intent.local) {
                Some(Appended::As(key)) => settled.push((id, Some(key.clone()))),
                Some(Appended::Somewhere) => searched.push((id, intent.clone())),
                Some(Appended::Refused(reason)) => {
                    counts.failed += 1;
                    done.whole = false;
                    let what = format!("{}: {} stays here: {reason}", self.look.name, intent.local);
                    self.job.tell(Event::Warning(&what));
                    settled.push((id, None));
                    continue;
                }
                // Removed here meanwhile.
                None => {
                    settled.push((id, None));
                    continue;
                }
            }
            counts.bytes_out += intent.content.wire_size;
            count(step, counts);
            self.job.tell_step(self.look, step);
        }
        job.ledger().settled(self.look.id, &settled, job.now)?;
        crate::fault::point();
        if !searched.is_empty() {
            let found = find(self.job, remote, self.look.id, &searched).await?;
            job.ledger().settled(self.look.id, &found, job.now)?;
            crate::fault::point();
        }
        let doubtful = batch.iter().filter_map(|(step, intent)| match &step.action {
            Action::Copy { marks, .. } if *marks != intent.marks => Some((intent.local.clone(), marks.clone())),
            _ => None,
        });
        self.agree_on_kept(remote, &doubtful.collect::<Vec<_>>()).await
    }
}

pub(super) fn content(traits: &Traits) -> Option<Content> {
    Some(Content::known(traits.size?, traits.digest?, traits.fingerprint))
}
