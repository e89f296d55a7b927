//! A dry run: what the plans would do is told and counted, and nothing is done.

use super::account::Job;
use super::execute::copies_to;
use super::observe::Observed;
use super::rename::Trees;
use super::tell::count;
use super::{Action, Plan, Reason, Skipped, Step, Unpaired};
use crate::error::Result;
use crate::event::{Counts, Event, FolderDeed};
use crate::imap::{Imap, Link};
use crate::mail::{FolderName, Key, Marks, Side, Sides};
use crate::state::Why;
use crate::store::{Mailbox, MaildirFolder};
use std::collections::HashMap;

impl Job {
    /// Tells of the plans of all folders, each message with its subject. `trash` is the folder for what is deleted, where it
    /// is synced.
    pub(super) async fn rehearse<S: Link>(
        &self,
        imap: &mut Imap<S>,
        trees: &Trees,
        cases: &[(&Observed, &Plan)],
        trash: Option<&FolderName>,
        counts: &mut Counts,
    ) -> Result<()> {
        let mut follows = Sides::<bool>::default();
        for (look, plan) in cases {
            let skipped = self.told(look.id, plan)?;
            let subjects = self.subjects(imap, look, plan, &skipped).await?;
            let subject = |(side, key): (Side, &Key)| subjects.on(side).get(key).map(String::as_str);
            for skipped in skipped {
                counts.skipped += 1;
                self.tell_skipped(&look.name, skipped, subject((skipped.on, &skipped.key)));
            }
            self.tell_alike(look, plan);
            for step in &plan.steps {
                self.tell_step_about(&look.name, step, step.message().and_then(subject));
                count(step, counts);
            }
            if let Some(trash) = trash {
                for told in self.rehearse_trash(imap, look, plan, counts).await? {
                    match told {
                        Ok(step) => {
                            Side::BOTH.iter().for_each(|side| *follows.on_mut(*side) |= copies_to(*side, &step));
                            self.tell_step_about(trash, &step, step.message().and_then(subject));
                        }
                        Err(skipped) => self.tell_skipped(trash, &skipped, subject((skipped.on, &skipped.key))),
                    }
                }
            }
            if let Some(side) = look.removal.filter(|_| !look.stays) {
                self.tell_folder(&look.name, side, FolderDeed::Remove, counts);
            }
        }
        let Some(trash) = trash else { return Ok(()) };
        let stands = Sides { remote: trees.there.get(trash).is_some(), local: trees.here.contains(trash) };
        for side in Side::BOTH {
            let is_made = cases.iter().any(|(_, plan)| plan.throws_away(side));
            if *follows.on(side) && !stands.on(side) && !is_made {
                self.tell_folder(trash, side, FolderDeed::Create, counts);
            }
        }
        Ok(())
    }

    /// Counts what becomes of messages in the trash: those of both sides are paired there, and those of one side alone are
    /// copied to that of the other, or skipped.
    async fn rehearse_trash<S: Link>(
        &self,
        imap: &mut Imap<S>,
        look: &Observed,
        plan: &Plan,
        counts: &mut Counts,
    ) -> Result<Vec<std::result::Result<Step, Skipped>>> {
        let mut alone = Vec::new();
        for open in plan.thrown_away(&look.comparison) {
            match (open.alone_on(Side::Remote), open.alone_on(Side::Local)) {
                (Some(message), None) => alone.push((Side::Remote, message)),
                (None, Some(message)) => alone.push((Side::Local, message)),
                (_, _) => counts.adopted += 1,
            }
        }
        let received = self.received_at(imap, look, &alone).await?;
        let mut told = Vec::new();
        for (on, message) in alone {
            let (to, size) = (on.other(), message.octets());
            let received_at = received.on(on).get(&message.key).copied();
            match self.policy.why_not(to, size, received_at, self.carrier.now) {
                None => {
                    let action = Action::Copy { to, key: message.key, marks: Marks::default(), size, row: None };
                    let step = Step { action, reason: Reason::New(on) };
                    count(&step, counts);
                    told.push(Ok(step));
                }
                Some(Why::OneWay) => {}
                Some(why) => {
                    counts.skipped += 1;
                    told.push(Err(Skipped { on, key: message.key, why }));
                }
            }
        }
        Ok(told)
    }

    /// When messages were received, where that matters; in seconds since 1970 UTC.
    async fn received_at<S: Link>(
        &self,
        imap: &mut Imap<S>,
        look: &Observed,
        messages: &[(Side, Unpaired)],
    ) -> Result<Sides<HashMap<Key, i64>>> {
        let mut received = Sides::<HashMap<Key, i64>>::default();
        if self.policy.max_age.is_none() || messages.is_empty() {
            return Ok(received);
        }
        let on = |side| messages.iter().filter(move |(on, _)| *on == side).map(|(_, m)| m.key.clone());
        let keys = Sides::of(|side| on(side).collect::<Vec<_>>());
        if let Some(mut folder) = MaildirFolder::standing(&self.store, &look.name)? {
            received.local = folder.received_at(&keys.local).await?;
        }
        if let Some(folder) = &look.remote {
            received.remote = imap.mailbox(folder, false).await?.received_at(&keys.remote).await?;
        }
        Ok(received)
    }

    /// Tells how many messages that would be copied here may be the same as ones that would be copied to the server: their
    /// headers do not tell, and a rehearsal does not fetch them.
    fn tell_alike(&self, look: &Observed, plan: &Plan) {
        let (mut alike, mut here) = (0, HashMap::<_, u64>::new());
        for step in &plan.steps {
            if let Action::Copy { to: Side::Remote, key, row, .. } = &step.action
                && let Some(traits) = look.comparison.traits_here(key, *row)
            {
                *here.entry((traits.fingerprint, traits.size)).or_default() += 1;
            }
        }
        for step in &plan.steps {
            if let Action::Copy { to: Side::Local, key, .. } = &step.action
                && let Some(unpaired) = look.comparison.unpaired_of(Side::Remote, key)
                && let Some(traits) = &unpaired.traits
                && let Some(left) = here.get_mut(&(traits.fingerprint, unpaired.octets())).filter(|left| **left > 0)
            {
                *left -= 1;
                alike += 1;
            }
        }
        if alike > 0 {
            let those = if alike == 1 { "1 message that is" } else { &format!("{alike} messages that are") };
            self.tell(Event::Warning(&format!(
                "{}: {those} to be copied here may be among those to be copied to the server: a run compares what is in them \
                 first, and copies neither where it is the same",
                look.name
            )));
        }
    }

    /// What the messages of a plan are about, by the side on which it names them.
    async fn subjects<S: Link>(
        &self,
        imap: &mut Imap<S>,
        look: &Observed,
        plan: &Plan,
        skipped: &[&Skipped],
    ) -> Result<Sides<HashMap<Key, String>>> {
        let mut keys: Sides<Vec<Key>> = Sides::default();
        let skipped = skipped.iter().map(|s| (s.on, &s.key));
        for (side, key) in plan.steps.iter().filter_map(Step::message).chain(skipped) {
            keys.on_mut(side).push(key.clone());
        }
        let mut subjects: Sides<HashMap<Key, String>> = Sides::default();
        if !keys.local.is_empty()
            && let Some(mut folder) = MaildirFolder::standing(&self.store, &look.name)?
        {
            subjects.local = folder.subjects(&keys.local).await?;
        }
        if let (false, Some(folder)) = (keys.remote.is_empty(), &look.remote) {
            subjects.remote = imap.mailbox(folder, false).await?.subjects(&keys.remote).await?;
        }
        Ok(subjects)
    }
}
