//! How a folder stands on both sides: what was left half done is settled, both are looked at, and what can be recognised is.

use super::account::Job;
use super::look::Glance;
use super::{Comparison, Folder, Pairing, Policy, Sought, compare, pair};
use crate::error::Result;
use crate::event::{Counts, Event};
use crate::imap::{self, Imap, ImapFolder, Link};
use crate::mail::{Flags, FolderName, Key, Marks, Side, Sides};
use crate::retrieve::Retriever;
use crate::state::{Facts, FolderId, Intent, IntentId, Leftover, RowId};
use crate::store::{FolderTimes, Holds, Mailbox, MaildirFolder, Snapshot};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// Messages that are looked at together. What is found out about them is in memory twice.
const WAVE: usize = 16_384;

/// A folder as both sides show it.
pub(super) struct Observed {
    pub name: FolderName,
    pub id: FolderId,
    /// The folder on the server; `None` where it would have to be made first.
    pub remote: Option<imap::Folder>,
    pub comparison: Comparison,
    pub holds: Sides<Holds>,
    /// A sync of it has come to its end before.
    pub synced: bool,
    /// UIDNEXT when it was opened.
    pub uidnext: u32,
    /// When it was last changed here, before it was listed.
    pub times: Option<FolderTimes>,
    /// What to remember of it if nothing has to be done.
    pub facts: Facts,
    /// It was removed on the other side, and is to be removed on this one.
    pub removal: Option<Side>,
    /// It is not removed after all.
    pub stays: bool,
    /// So many messages, or parts of the listing, are left out, though somebody may mend that, or another look.
    pub left: u64,
}

impl Observed {
    /// Looks at both sides. One on which the folder was removed holds nothing, and it is not made there again.
    pub async fn of<S: Link>(job: &Job, imap: &mut Imap<S>, glance: Glance, counts: &mut Counts) -> Result<Observed> {
        let Glance { name, remote, removal, is_replaced, .. } = glance;
        let mut local = MaildirFolder::standing(&job.store, &name)?;
        if local.is_none() && removal.is_none() {
            job.found_missing(&name, Side::Local)?;
        }
        if !job.dry_run && removal != Some(Side::Remote) {
            local = Some(MaildirFolder::open(&job.store, &name)?);
        }
        let mut sides = Opened { local, remote: None, removal, is_replaced };
        if let Some(folder) = &remote {
            sides.remote = Some(imap.mailbox(folder, !job.dry_run).await?);
        }
        let seen = sides.observe(job, &name, remote.clone(), counts).await?;
        Ok(Observed { removal, ..seen })
    }

    /// For the plan.
    pub fn folder<'a>(&'a self, policy: &'a Policy) -> Folder<'a> {
        let holds = Sides { remote: &self.holds.remote, local: &self.holds.local };
        Folder { name: &self.name, comparison: &self.comparison, holds, policy, synced: self.synced }
    }

    /// Looks at messages on the server that may be what is sought in other folders.
    pub async fn identify_remote<S: Link>(&mut self, imap: &mut Imap<S>, sought: &Sought) -> Result<()> {
        let keys = self.comparison.worth_identifying(Side::Remote, sought);
        if let (false, Some(folder)) = (keys.is_empty(), &self.remote) {
            let found = imap.mailbox(folder, false).await?.identify(&keys).await?;
            self.comparison.identify(Side::Remote, &found);
        }
        Ok(())
    }
}

/// A folder, open on the sides where it stands.
struct Opened<'a, S: Link> {
    local: Option<MaildirFolder>,
    remote: Option<ImapFolder<'a, S>>,
    removal: Option<Side>,
    is_replaced: bool,
}

impl<S: Link> Opened<'_, S> {
    async fn observe(
        &mut self,
        job: &Job,
        name: &FolderName,
        remote: Option<imap::Folder>,
        counts: &mut Counts,
    ) -> Result<Observed> {
        let carrier = &job.carrier;
        let text = name.to_string();
        let scope = self.remote.as_ref().map_or_else(String::new, |r| r.source().scope.clone());
        let known = carrier.ledger().folder(&text)?;
        let folder = match known {
            Some(folder) => folder,
            None => carrier.ledger().begin(&text, &scope, &[], carrier.now)?,
        };
        let is_back = job.is_back(&folder)?;
        if (folder.scope != scope || is_back) && self.remote.is_some() {
            carrier.ledger().change_scope(folder.id, &scope, self.is_replaced)?;
            crate::fault::point();
        }
        if is_back {
            carrier.ledger().set_place(folder.id, Side::Remote, "there")?;
        }
        if let (false, Some(local)) = (job.dry_run, &self.local) {
            carrier.settle(&text, &**local.store())?;
        }

        let times = self.local.as_ref().map(MaildirFolder::times).transpose()?;
        let settled = times.filter(|t| t.are_settled(SystemTime::now()));
        let local = match &mut self.local {
            Some(local) => local.snapshot().await?,
            None => Snapshot::default(),
        };
        if self.removal != Some(Side::Remote) {
            job.keep_place(folder.id, self.local.as_ref(), &local)?;
        }
        let there = match &mut self.remote {
            Some(remote) => job.listed(folder.id, remote, folder.scope == scope && !is_back).await?,
            None => Snapshot::default(),
        };
        for note in local.notes.iter().chain(&there.notes) {
            job.tell(Event::Warning(note));
        }
        let seen = Sides { remote: &there, local: &local };
        let mut comparison = self.compared(job, folder.id, seen, None).await?;
        let synced = carrier.ledger().facts(folder.id)?.synced;
        // What was recognised may be what another message is known by.
        loop {
            let pairing = pair(&comparison, synced);
            if pairing.is_empty() {
                break;
            }
            job.recognise(folder.id, &pairing)?;
            crate::fault::point();
            counts.adopted += pairing.adoptions.len() as u64;
            drop(pairing);
            comparison = self.compared(job, folder.id, seen, Some(comparison)).await?;
        }
        if job.policy.max_age.is_some() {
            let left = carrier.ledger().leftovers(folder.id)?;
            self.date(&mut comparison, &left).await?;
        }
        if let Some(local) = &self.local {
            job.tell_odd_names(folder.id, name, local)?;
        }
        let unkept = job.unkept_still(folder.id, &there)?;
        let uids = there.messages.keys().filter_map(Key::uid);
        let highest = uids.max().unwrap_or(0);
        let facts = Facts {
            synced: true,
            messages: u32::try_from(there.messages.len()).ok(),
            uidnext: self.remote.as_ref().and_then(ImapFolder::uidnext),
            highestmodseq: self.remote.as_ref().and_then(ImapFolder::highestmodseq),
            baseline: None,
            policy: None,
            times: settled.map(|t| (t.cur, t.new)),
        };
        let all = || Holds { marks: Marks::of(Flags::from_letters("DFPRST")), room: usize::MAX, ..Holds::default() };
        Ok(Observed {
            name: name.clone(),
            id: folder.id,
            remote,
            comparison,
            holds: Sides {
                remote: self.remote.as_ref().map_or_else(all, |r| Holds { unkept, ..r.holds().clone() }),
                local: self.local.as_ref().map_or_else(all, |l| l.holds().clone()),
            },
            synced,
            // Some servers (Yahoo) state one far too high.
            uidnext: facts.uidnext.unwrap_or(u32::MAX).min(highest.saturating_add(1)),
            times,
            facts,
            removal: None,
            stays: false,
            left: local.left + there.left,
        })
    }

    /// Finds out how old the messages are that stand on one side alone, as far as the last sync did not.
    async fn date(&mut self, comparison: &mut Comparison, left: &[Leftover]) -> Result<()> {
        for side in Side::BOTH {
            let dated = left.iter().filter(|l| l.on == side).filter_map(|l| Some((l.key.clone(), l.received_at?)));
            comparison.date(side, &dated.collect());
        }
        let alone = Sides::of(|side| comparison.undated(side));
        if let (Some(local), false) = (&mut self.local, alone.local.is_empty()) {
            comparison.date(Side::Local, &local.received_at(&alone.local).await?);
        }
        if let (Some(remote), false) = (&mut self.remote, alone.remote.is_empty()) {
            comparison.date(Side::Remote, &remote.received_at(&alone.remote).await?);
        }
        Ok(())
    }

    /// Holds both sides against the ledger, and finds out what tells messages apart where that may pair them, as far as an
    /// earlier comparison has not.
    async fn compared(
        &mut self,
        job: &Job,
        folder: FolderId,
        seen: Sides<&Snapshot>,
        earlier: Option<Comparison>,
    ) -> Result<Comparison> {
        let mut comparison = job.carrier.ledger().with_pairs(folder, |pairs| compare(pairs, seen))?;
        comparison.recall(&job.carrier.ledger().rows_of(&comparison.worth_recalling())?);
        if let Some(mut earlier) = earlier {
            comparison.inherit(&mut earlier);
        }
        // Whatever stands here alone is read in any case: it has to be known before it is copied.
        if let Some(local) = &mut self.local {
            let unread = comparison.unpaired.local.iter().filter(|u| u.traits.is_none()).map(|u| &u.key);
            let keys: Vec<Key> = unread.cloned().collect();
            for wave in keys.chunks(WAVE) {
                comparison.identify(Side::Local, &local.identify(wave).await?);
            }
        }
        if let Some(remote) = &mut self.remote {
            let mut sought = Sought::default();
            sought.add(&comparison, Side::Remote);
            let keys = comparison.worth_identifying(Side::Remote, &sought);
            for wave in keys.chunks(WAVE) {
                comparison.identify(Side::Remote, &remote.identify(wave).await?);
            }
        }
        Ok(comparison)
    }
}

/// Where the messages of intents stand now: among those that came since, the ones of equal header and size that are not
/// known to be another, one for each.
pub(super) async fn find<S: Link>(
    job: &Job,
    remote: &mut ImapFolder<'_, S>,
    folder: FolderId,
    intents: &[(IntentId, Intent)],
) -> Result<Vec<(IntentId, Option<Key>)>> {
    let since = intents.iter().map(|(_, i)| i.uidnext).min().unwrap_or(1);
    let arrived = remote.arrived_since(since).await?.into_iter().map(|(key, _)| key).collect();
    let unknown = job.carrier.ledger().unknown_there(folder, arrived)?;
    let found = remote.identify(&unknown).await?;
    let sought: Vec<_> = intents.iter().map(|(_, i)| Some((i.content.fingerprint, i.content.wire_size))).collect();
    let at = imap::whereabouts(&sought, &found, true);
    Ok(intents.iter().zip(at).map(|((id, _), uid)| (*id, uid.map(Key::of_uid))).collect())
}

impl Job {
    fn recognise(&self, folder: FolderId, pairing: &Pairing) -> Result<()> {
        let mut ledger = self.carrier.ledger();
        for side in Side::BOTH {
            ledger.rename(folder, side, pairing.renamed.on(side))?;
        }
        ledger.adopt(folder, &pairing.adoptions, self.carrier.now)
    }

    /// Finds out what became of messages that an interrupted run may have sent to the server or moved there; in all
    /// folders, before any of them is compared: a message's row may belong to another one by now.
    pub(super) async fn settle_intents<S: Link>(&self, imap: &mut Imap<S>, tree: &imap::Tree) -> Result<()> {
        let names = self.carrier.ledger().folders_sent_to()?;
        for name in names.iter().filter_map(|name| FolderName::parse(name)) {
            let Some(folder) = self.carrier.ledger().folder(&name.to_string())? else { continue };
            let intents = self.carrier.ledger().intents(folder.id)?;
            let Some(remote) = tree.get(&name) else { continue };
            let mut remote = imap.mailbox(remote, false).await?;
            let settled = match remote.source().scope == folder.scope {
                true => find(self, &mut remote, folder.id, &intents).await?,
                // UIDs begin anew; what is there is recognised like everything else.
                false => intents.iter().map(|(id, _)| (*id, None)).collect(),
            };
            let moved = intents.iter().zip(&settled).filter(|(_, (_, key))| key.is_some());
            let moved: Vec<RowId> = moved.filter_map(|((_, intent), _)| intent.row).collect();
            self.finish_moves(imap, tree, &name, &moved).await?;
            self.carrier.ledger().settled(folder.id, &settled, self.carrier.now)?;
            crate::fault::point();
        }
        Ok(())
    }

    /// Without MOVE a message is copied and then removed; where the link broke in between, it is still where it was.
    async fn finish_moves<S: Link>(
        &self,
        imap: &mut Imap<S>,
        tree: &imap::Tree,
        to: &FolderName,
        rows: &[RowId],
    ) -> Result<()> {
        let mut left: BTreeMap<FolderName, Vec<Key>> = BTreeMap::new();
        for row in rows {
            let from = self.carrier.ledger().whereabouts(*row)?;
            if let Some((from, key)) = from.and_then(|(from, key)| Some((FolderName::parse(&from)?, key)))
                && from != *to
            {
                left.entry(from).or_default().push(key);
            }
        }
        for (from, keys) in left {
            let (Some(folder), Some(known)) = (tree.get(&from), self.carrier.ledger().folder(&from.to_string())?)
            else {
                continue;
            };
            let mut remote = imap.mailbox(folder, !self.dry_run).await?;
            if remote.source().scope == known.scope && !self.dry_run {
                remote.remove(&keys).await?;
                crate::fault::point();
            }
        }
        Ok(())
    }
}
