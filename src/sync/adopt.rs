//! Takes over what both sides have: pairs it, writes that down, and copies and deletes nothing.

use super::account::{Ended, Job};
use super::observe::Observed;
use super::survey::Survey;
use crate::error::{Result, Scope};
use crate::event::{Counts, Event};
use crate::imap::{Imap, Link};
use crate::mail::{FolderName, FolderPattern, Side, Sides};
use std::collections::BTreeSet;

impl Job {
    /// Looks at every folder of either side. Messages of one side alone count as skipped: a sync copies them.
    pub async fn adopt<S: Link>(&self, imap: &mut Imap<S>) -> Ended {
        let mut ended = Ended::default();
        if let Err(e) = self.adopt_folders(imap, &mut ended).await {
            ended.problems.push(e);
        }
        ended
    }

    async fn adopt_folders<S: Link>(&self, imap: &mut Imap<S>, ended: &mut Ended) -> Result<()> {
        let Survey { tree, here, patterns } = self.survey(imap).await?;
        let names: BTreeSet<&FolderName> = tree.folders().map(|f| &f.name).chain(&here).collect();
        for name in names.into_iter().filter(|name| FolderPattern::selects(&patterns, name)) {
            if self.carrier.interrupt.is_raised() {
                return Ok(());
            }
            let (remote, local) = (tree.get(name), here.contains(name));
            let (Some(remote), true) = (remote, local) else {
                let side = if local { "here" } else { "on the server" };
                self.tell(Event::Note(&format!("the folder {name} is {side} alone")));
                continue;
            };
            match Observed::of(self, imap, name, Some(remote.clone()), None, &mut ended.counts).await {
                Ok(look) => self.tell_alone(&look, &mut ended.counts),
                Err(e) if e.scope() == Scope::Folder => ended.problems.push(e),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn tell_alone(&self, look: &Observed, counts: &mut Counts) {
        let alone = Sides::of(|side| look.comparison.alone(side).len() as u64);
        counts.listed += look.comparison.shown.on(Side::Remote);
        counts.had += look.comparison.shown.on(Side::Remote).saturating_sub(alone.remote);
        counts.skipped += alone.remote + alone.local;
        if alone.remote + alone.local > 0 {
            self.tell(Event::Note(&format!(
                "{}: {} on the server alone, {} here alone; mailferry sync {} copies them",
                look.name, alone.remote, alone.local, self.carrier.account
            )));
        }
    }
}
