//! Looks at the folders of an account, several at once.

use super::account::{Ended, Job};
use super::observe::Observed;
use crate::connections::{Connections, Work, worth};
use crate::error::Result;
use crate::event::Counts;
use crate::imap::{self, Connection};
use crate::mail::{FolderName, Side};
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
}

impl Glance {
    /// What it takes, in round trips: to open it, to list it, and the longer the list is the more.
    fn load(&self) -> u64 {
        2 + u64::from(self.messages()) / 500
    }

    /// How many messages the server tells of.
    fn messages(&self) -> u32 {
        let status = self.remote.as_ref().and_then(|folder| folder.status);
        status.and_then(|s| s.messages).unwrap_or(0)
    }
}

/// So many messages are listed at once, or those of one folder: all of them are in memory for a moment.
const ROOM: u32 = 20_000;

struct Looking {
    job: Job,
    room: Semaphore,
}

impl Work for Looking {
    type Item = Glance;
    type Done = Observed;

    async fn on(&self, imap: &mut Connection, glance: Glance, counts: &mut Counts) -> Result<Observed> {
        let room = glance.messages().clamp(1, ROOM);
        let Glance { name, remote, removal, is_new } = glance;
        let _room = self.room.acquire_many(room).await;
        let seen = Observed::of(&self.job, imap, &name, remote, removal, counts).await?;
        counts.folders += u64::from(is_new);
        Ok(seen)
    }
}

impl Job {
    /// Looks at folders; those that cannot be looked at are among the problems. When told to stop, some may be missing.
    pub(super) async fn look(
        &self,
        connections: &mut Connections,
        glances: Vec<Glance>,
        ended: &mut Ended,
    ) -> Result<Vec<Observed>> {
        let wanted = worth(glances.iter().map(Glance::load), connections.most());
        let looking = Looking { job: self.clone(), room: Semaphore::new(ROOM as usize) };
        let looks = connections.each(looking, glances, wanted, &mut ended.counts).await?;
        Ok(ended.sift(looks)?.into_iter().flatten().collect())
    }
}
