//! Once through an account: all its folders are looked at, planned together, judged, and carried out.

use super::account::{Ended, Job, Next};
use super::execute::{Case, Done, Errand, load};
use super::folders::{self, Fate};
use super::look::{Glance, Kept, find_replaced};
use super::observe::Observed;
use super::overtaken::Seen;
use super::rename::Trees;
use super::survey::Survey;
use super::{Folder, Plan, Policy, Sought, Tally, crossings, judge, plan};
use crate::connections::{Connections, Work, ends_all, worth};
use crate::error::{Error, Kind, Result};
use crate::event::{Counts, FolderDeed};
use crate::imap::{Connection, Imap, Link};
use crate::mail::{FolderName, FolderPattern, Side};
use crate::patience::is_setback;
use std::sync::Arc;

impl Job {
    /// Goes through the account.
    pub(super) async fn sync_round(
        &self,
        connections: &mut Connections,
        kept: &mut Kept,
        ended: &mut Ended,
    ) -> Result<Next> {
        let Some(imap) = connections.first().await? else { return Ok(Next::End) };
        let Survey { tree, here, patterns } = self.survey(imap, &mut ended.counts).await?;
        let policy = Policy { trash: folders::trash(self.policy.trash.as_ref(), &tree)?, ..self.policy.clone() };
        let mut trees = Trees { there: tree, here, known: self.known()? };
        self.follow_renames(imap, &mut trees, &patterns, &mut ended.counts).await?;
        let chosen = folders::choose(&trees.there, &trees.here, &trees.known, &patterns, self.subscribed, &policy);
        let (glances, resting) = self.sort_out(imap, chosen, &trees, &policy, ended).await?;
        let mut observed = self.look(connections, glances, kept, ended).await?;
        let Some(imap) = connections.first().await?.filter(|_| !self.carrier.interrupt.is_raised()) else {
            return Ok(Next::End);
        };
        ended.counts.left += observed.iter().map(|look| look.left).sum::<u64>();
        self.seek_moves(imap, &mut observed).await?;
        observed.iter().for_each(|look| self.tell_unstorable(look));
        self.settle_crossings(&mut observed, &policy)?;
        let mut plans = self.plan(&mut observed, &policy, &mut ended.counts);
        let seen = Seen { trees: &trees, patterns: &patterns, observed: &observed, plans: &plans, resting: &resting };
        if !self.dry_run && self.is_overtaken(imap, &seen).await? {
            if kept.may_look_again() {
                kept.look_again(observed);
                return Ok(Next::Look);
            }
            plans.iter_mut().for_each(Plan::hold_back);
            let note = "messages are moved faster than the folders can be looked at. What is new, moved or gone is left to the next run.";
            self.leave(note, &mut ended.counts);
        }
        let tallies: Vec<Tally> =
            resting.into_iter().map(|(_, tally)| tally).chain(plans.iter().map(|p| p.tally.clone())).collect();
        if let Err(stop) = judge(&tallies, self.limit, self.allow_delete) {
            return Err(Error::new(Kind::Guard, stop.to_string(), stop.remedy(&self.carrier.account)));
        }
        self.make_trash(imap, &policy, &plans, ended).await?;
        // What comes into the trash on one side is new there, and to be brought to the other in the same run.
        let trash = policy.trash.as_ref().filter(|trash| FolderPattern::selects(&patterns, trash));
        if self.dry_run {
            let cases: Vec<_> = observed.iter().zip(&plans).collect();
            self.rehearse(imap, &trees, &cases, trash, &mut ended.counts).await?;
            return Ok(Next::End);
        }
        observed.iter_mut().for_each(|look| look.comparison.planned());
        let fills_trash =
            trash.is_some() && plans.iter().any(|plan| Side::BOTH.iter().any(|side| plan.throws_away(*side)));
        let cases = observed.into_iter().zip(plans).map(|(look, plan)| Case { look, plan });
        let again = self.carry_out(connections, cases.collect(), &policy, ended).await?;
        let is_done = ended.problems.is_empty() && ended.counts.failed == 0 && !self.carrier.interrupt.is_raised();
        Ok(if again || (fills_trash && is_done) { Next::Plan } else { Next::End })
    }

    /// What is to be looked at, made on the server where it is missing there; and the folders in which nothing has changed,
    /// which only count for the guard.
    async fn sort_out<S: Link>(
        &self,
        imap: &mut Imap<S>,
        chosen: Vec<(FolderName, Fate)>,
        trees: &Trees,
        policy: &Policy,
        ended: &mut Ended,
    ) -> Result<(Vec<Glance>, Vec<(FolderName, Tally)>)> {
        let (mut glances, mut resting) = (Vec::new(), Vec::new());
        for (name, fate) in chosen {
            if self.carrier.interrupt.is_raised() {
                break;
            }
            let (mut remote, removal) = match fate {
                Fate::Left(missing, note) => {
                    self.tell_left(&name, missing, &note)?;
                    continue;
                }
                Fate::Gone => {
                    self.forget(&name)?;
                    continue;
                }
                Fate::Remove(side) => (trees.there.get(&name).cloned(), Some(side)),
                Fate::Sync | Fate::CreateRemote => (trees.there.get(&name).cloned(), None),
            };
            if fate == Fate::CreateRemote {
                if !self.dry_run {
                    match imap.create_folder(&name).await {
                        Ok(folder) => remote = Some(folder),
                        Err(e) if ends_all(&e) => return Err(e),
                        // It has no place there, or may not be made.
                        Err(e) if e.kind() == Kind::Unavailable => {
                            self.leave(&format!("{e}. {}", e.remedy()), &mut ended.counts);
                            continue;
                        }
                        Err(e) => {
                            ended.problems.push(e);
                            continue;
                        }
                    }
                }
                self.tell_folder(&name, Side::Remote, FolderDeed::Create, &mut ended.counts);
            }
            if let (None, Some(status)) = (removal, remote.as_ref().and_then(|f| f.status))
                && let Some(tally) = self.unchanged(&name, &status, policy)?
            {
                self.report_left(&name, &mut ended.counts)?;
                resting.push((name, tally));
                continue;
            }
            let is_new = removal.is_none() && !trees.here.contains(&name);
            glances.push(Glance { name, remote, removal, is_new, is_replaced: false });
        }
        find_replaced(self, &mut glances)?;
        Ok((glances, resting))
    }

    /// What vanished from one folder may have come up in another: the messages that it could be are looked at.
    async fn seek_moves<S: Link>(&self, imap: &mut Imap<S>, observed: &mut [Observed]) -> Result<()> {
        let seeks = |o: &Observed| o.comparison.open.iter().any(|o| o.seeks_on(Side::Remote) || o.is_astray());
        if observed.len() < 2 || !observed.iter().any(seeks) {
            return Ok(());
        }
        let mut sought = Sought::default();
        observed.iter().for_each(|o| sought.add(&o.comparison, Side::Remote));
        for look in observed.iter_mut() {
            look.identify_remote(imap, &sought).await?;
        }
        Ok(())
    }

    /// Writes down of messages that were moved on both sides where the one that is to follow has them now.
    fn settle_crossings(&self, observed: &mut [Observed], policy: &Policy) -> Result<()> {
        let removing = folders::removing(policy);
        let seen = seen(observed, policy, &removing);
        for crossing in crossings(&seen) {
            let Some(id) = observed.get(crossing.at).map(|look| look.id) else { continue };
            let keys = crossing.keys.clone().map(Some);
            self.carrier.ledger().relocate(crossing.row, id, &keys)?;
            crate::fault::point();
            let open = observed.get_mut(crossing.from).and_then(|look| look.comparison.give_up(crossing.row));
            if let (Some(open), Some(look)) = (open, observed.get_mut(crossing.at)) {
                look.comparison.take_in(open, &crossing);
            }
        }
        Ok(())
    }

    fn plan(&self, observed: &mut [Observed], policy: &Policy, counts: &mut Counts) -> Vec<Plan> {
        let removing = folders::removing(policy);
        let seen = seen(observed, policy, &removing);
        let mut plans = plan(&seen, self.carrier.now);
        for (look, plan) in observed.iter_mut().zip(&mut plans) {
            if let Some(side) = look.removal
                && let Some(note) = folders::keep_what_is_left(plan, &look.comparison, &look.name, side)
            {
                self.leave(&note, counts);
                look.stays = true;
            }
        }
        plans
    }

    /// Makes the folder for what is deleted, where something is and the server has none of that name.
    async fn make_trash<S: Link>(
        &self,
        imap: &mut Imap<S>,
        policy: &Policy,
        plans: &[Plan],
        ended: &mut Ended,
    ) -> Result<()> {
        let Some(trash) = &policy.trash else { return Ok(()) };
        let throws = |plan: &Plan| plan.throws_away(Side::Remote);
        // One that is synced was made, or told of, before it was looked at.
        let is_synced = plans.iter().any(|plan| plan.tally.folder == trash.to_string());
        if is_synced || !plans.iter().any(throws) || imap.has(trash).await? {
            return Ok(());
        }
        let made = if self.dry_run { Ok(()) } else { imap.create_folder(trash).await.map(drop) };
        match made {
            Ok(()) => self.tell_folder(trash, Side::Remote, FolderDeed::Create, &mut ended.counts),
            Err(e) if ends_all(&e) => return Err(e),
            Err(e) => ended.problems.push(e),
        }
        Ok(())
    }

    /// Carries the plans of all folders out: first, over several connections, what leaves every message where it is; then,
    /// folder after folder, moves and removals.
    async fn carry_out(
        &self,
        connections: &mut Connections,
        cases: Vec<Case>,
        policy: &Policy,
        ended: &mut Ended,
    ) -> Result<bool> {
        let cases = Arc::new(cases);
        for case in cases.iter() {
            self.report_skipped(&case.look, &case.plan, &mut ended.counts)?;
        }
        let (places, loads): (Vec<usize>, Vec<u64>) =
            cases.iter().enumerate().filter_map(|(place, case)| Some((place, load(case)?))).unzip();
        let wanted = worth(loads, connections.most());
        let keeping = Keeping { job: self.clone(), cases: Arc::clone(&cases) };
        let kept = connections.each(keeping, places.clone(), wanted, &mut ended.counts).await?;
        connections.keep_first();
        let mut stages: Vec<Option<Done>> = cases.iter().map(|_| Some(Done::nothing())).collect();
        for (place, done) in places.into_iter().zip(ended.sift(kept)?) {
            if let Some(stage) = stages.get_mut(place) {
                *stage = done;
            }
        }
        let Some(imap) = connections.first().await? else { return Ok(false) };
        let mut again = false;
        for (case, done) in cases.iter().zip(stages) {
            if self.carrier.interrupt.is_raised() {
                return Ok(false);
            }
            let Some(mut done) = done else { continue };
            match self.finish(imap, case, &cases, policy, &mut done, &mut ended.counts).await {
                Ok(()) => again |= done.again,
                Err(e) if ends_all(&e) => return Err(e),
                Err(e) => ended.problems.push(e),
            }
        }
        Ok(again)
    }

    /// What takes messages from a folder, and the folder itself; then how it was left is written down.
    async fn finish<S: Link>(
        &self,
        imap: &mut Imap<S>,
        case: &Case,
        all: &[Case],
        policy: &Policy,
        done: &mut Done,
        counts: &mut Counts,
    ) -> Result<()> {
        let (look, plan, errand) = (&case.look, &case.plan, Errand { job: self, look: &case.look, all });
        if let Some(side) = look.removal {
            return errand.remove_folder(imap, plan, side, counts).await;
        }
        errand.depart(imap, plan, done, counts).await?;
        if done.whole && !plan.is_part {
            let facts = look.facts_after(plan, done.again, policy);
            self.carrier.ledger().set_facts(look.id, &facts, &plan.leftovers)?;
            crate::fault::point();
        }
        Ok(())
    }
}

/// What leaves every message where it is.
struct Keeping {
    job: Job,
    cases: Arc<Vec<Case>>,
}

impl Work for Keeping {
    type Item = usize;
    type Done = Done;

    async fn on(&self, imap: &mut Connection, place: usize, counts: &mut Counts) -> Result<Done> {
        let Some(Case { look, plan }) = self.cases.get(place) else { return Ok(Done::nothing()) };
        Errand { job: &self.job, look, all: &self.cases }.keep(imap, plan, counts).await
    }
}

impl Ended {
    /// What came of work on folders; `None` where it was not done, or failed. One failure that ends more than its folder is
    /// the error: what somebody has to mend first, before what mends itself.
    pub(super) fn sift<T>(&mut self, results: Vec<Option<Result<T>>>) -> Result<Vec<Option<T>>> {
        let (mut sound, mut fatal) = (Vec::new(), None::<Error>);
        for result in results {
            sound.push(match result {
                None => None,
                Some(Ok(done)) => Some(done),
                Some(Err(e)) if ends_all(&e) => {
                    if fatal.as_ref().is_none_or(|known| is_setback(known) && !is_setback(&e)) {
                        fatal = Some(e);
                    }
                    None
                }
                Some(Err(e)) => {
                    self.problems.push(e);
                    None
                }
            });
        }
        fatal.map_or(Ok(sound), Err)
    }
}

/// The folders, each with the policy that holds for it: `removing` for one that is to go.
fn seen<'a>(observed: &'a [Observed], policy: &'a Policy, removing: &'a Policy) -> Vec<Folder<'a>> {
    observed.iter().map(|o| o.folder(if o.removal.is_some() { removing } else { policy })).collect()
}
