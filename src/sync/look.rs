//! Looks at the folders of an account, several at once.

use super::account::{Ended, Job};
use super::observe::Observed;
use crate::connections::{Connections, Work, ends_all, worth};
use crate::error::Result;
use crate::event::{Counts, FolderDeed};
use crate::imap::{self, Connection};
use crate::mail::{FolderName, Side};
use std::collections::{HashMap, HashSet};
use tokio::sync::Semaphore;

/// A folder that is to be looked at.
pub(super) struct Glance {
    pub name: FolderName,
    /// The folder on the server; `None` where it would have to be made first.
    pub remote: Option<imap::Folder>,
    /// It was removed on the other side, and is to be removed on this one.
    pub removal: Option<Side>,
    /// It is made here.
    pub is_new: bool,
    /// The server took it away, and gave another folder its name: what it held stands in one that is looked at too.
    pub is_replaced: bool,
}

/// Finds folders whose names were given to others on the server, as when two swap theirs: the UIDs of one are valid in
/// another now.
pub(super) fn find_replaced(job: &Job, glances: &mut [Glance]) -> Result<()> {
    let mut now: HashMap<u32, usize> = HashMap::new();
    for uidvalidity in glances.iter().filter_map(Glance::uidvalidity) {
        *now.entry(uidvalidity).or_default() += 1;
    }
    for glance in glances {
        let before = job.carrier.ledger().folder(&glance.name.to_string())?;
        let before = before.and_then(|folder| imap::uidvalidity_in(&folder.scope));
        // Where each folder has its own.
        let is_elsewhere = before.is_some_and(|before| now.get(&before) == Some(&1));
        glance.is_replaced = is_elsewhere && glance.uidvalidity().is_some_and(|is| Some(is) != before);
    }
    Ok(())
}

impl Glance {
    /// What it takes, in round trips: to open it, to list it, and the longer the list is the more.
    fn load(&self) -> u64 {
        2 + u64::from(self.messages()) / 500
    }

    fn uidvalidity(&self) -> Option<u32> {
        self.remote.as_ref()?.status?.uidvalidity
    }

    /// How many messages the server tells of.
    fn messages(&self) -> u32 {
        let status = self.remote.as_ref().and_then(|folder| folder.status);
        status.and_then(|s| s.messages).unwrap_or(0)
    }
}

/// So many messages are listed at once, or those of one folder: all of them are in memory for a moment.
const ROOM: u32 = 20_000;

/// How often all is looked at anew because folders changed meanwhile.
const LOOKS: usize = 3;

/// What was seen in a round that was not carried out: where both sides are still the same, it need not be looked at again.
#[derive(Default)]
pub(super) struct Kept {
    looks: HashMap<FolderName, Observed>,
    ever: HashSet<FolderName>,
    again: usize,
}

impl Kept {
    /// How many folders were ever kept: as long as it grows, a run gets on.
    pub fn ever(&self) -> u64 {
        self.ever.len() as u64
    }

    /// Whether a round may begin anew because it was overtaken.
    pub fn may_look_again(&self) -> bool {
        self.again < LOOKS
    }

    /// Keeps what such a round has seen.
    pub fn look_again(&mut self, seen: Vec<Observed>) {
        self.again += 1;
        seen.into_iter().for_each(|look| self.keep(look));
    }

    fn keep(&mut self, seen: Observed) {
        if seen.facts.highestmodseq.is_some() && seen.facts.times.is_some() {
            self.ever.insert(seen.name.clone());
            self.looks.insert(seen.name.clone(), seen);
        }
    }

    fn still(&mut self, job: &Job, glance: &Glance) -> Result<Option<Observed>> {
        let Some(seen) = self.looks.remove(&glance.name) else { return Ok(None) };
        let folder = job.carrier.ledger().folder(&glance.name.to_string())?.filter(|folder| folder.id == seen.id);
        let status = glance.remote.as_ref().and_then(|remote| remote.status);
        let (Some(folder), Some(status), true) = (folder, status, glance.removal == seen.removal) else {
            return Ok(None);
        };
        let stands = job.stands(&glance.name, &folder, &seen.facts, &status)?;
        Ok(stands.then(|| Observed { remote: glance.remote.clone(), ..seen }))
    }
}

struct Looking {
    job: Job,
    room: Semaphore,
}

impl Work for Looking {
    type Item = Glance;
    type Done = Observed;

    async fn on(&self, imap: &mut Connection, glance: Glance, counts: &mut Counts) -> Result<Observed> {
        let room = glance.messages().clamp(1, ROOM);
        let _room = self.room.acquire_many(room).await;
        let is_new = glance.is_new;
        let seen = Observed::of(&self.job, imap, glance, counts).await?;
        if is_new {
            self.job.tell_folder(&seen.name, Side::Local, FolderDeed::Create, counts);
        }
        Ok(seen)
    }
}

impl Job {
    /// Looks at folders; those that cannot be looked at are among the problems. When told to stop, some may be missing.
    pub(super) async fn look(
        &self,
        connections: &mut Connections,
        glances: Vec<Glance>,
        kept: &mut Kept,
        ended: &mut Ended,
    ) -> Result<Vec<Observed>> {
        let (mut seen, mut others) = (Vec::new(), Vec::new());
        for glance in glances {
            match kept.still(self, &glance)? {
                Some(look) => seen.push(look),
                None => others.push(glance),
            }
        }
        let wanted = worth(others.iter().map(Glance::load), connections.most());
        let looking = Looking { job: self.clone(), room: Semaphore::new(ROOM as usize) };
        let looks = connections.each(looking, others, wanted, &mut ended.counts).await;
        let is_cut = |looks: &Vec<Option<Result<Observed>>>| {
            looks.iter().flatten().any(|look| look.as_ref().is_err_and(ends_all))
        };
        if looks.as_ref().map_or(true, is_cut) {
            seen.into_iter().for_each(|look| kept.keep(look));
            let (whole, failed): (Vec<_>, Vec<_>) = looks?.into_iter().partition(|l| matches!(l, Some(Ok(_))));
            whole.into_iter().flatten().flatten().for_each(|look| kept.keep(look));
            return ended.sift(failed).map(|_| Vec::new());
        }
        seen.extend(ended.sift(looks?)?.into_iter().flatten());
        seen.sort_by(|a, b| (!a.name.is_inbox(), &a.name).cmp(&(!b.name.is_inbox(), &b.name)));
        Ok(seen)
    }
}
