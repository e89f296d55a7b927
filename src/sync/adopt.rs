//! Takes over what both sides have: pairs it, writes that down, and copies and deletes nothing.

use super::account::{Ended, Job};
use super::look::{Glance, Kept};
use super::observe::Observed;
use super::survey::Survey;
use crate::connections::Connections;
use crate::error::Result;
use crate::event::{Counts, Event};
use crate::mail::{FolderName, FolderPattern, Side, Sides};
use std::collections::BTreeSet;

impl Job {
    /// Looks at every folder that stands on both sides.
    pub(super) async fn adopt_round(
        &self,
        connections: &mut Connections,
        kept: &mut Kept,
        ended: &mut Ended,
    ) -> Result<()> {
        let Some(imap) = connections.first().await? else { return Ok(()) };
        let Survey { tree, here, patterns } = self.survey(imap, &mut ended.counts).await?;
        let names: BTreeSet<&FolderName> = tree.folders().map(|f| &f.name).chain(&here).collect();
        let mut glances = Vec::new();
        for name in names.into_iter().filter(|name| FolderPattern::selects(&patterns, name)) {
            match (tree.get(name), here.contains(name)) {
                (Some(remote), true) => {
                    let remote = Some(remote.clone());
                    let name = name.clone();
                    glances.push(Glance { name, remote, removal: None, is_new: false, is_replaced: false });
                }
                (_, local) => {
                    let side = if local { "here" } else { "on the server" };
                    self.tell(Event::Note(&format!("the folder {name} is {side} alone")));
                }
            }
        }
        let looks = self.look(connections, glances, kept, ended).await?;
        for look in &looks {
            ended.counts.left += look.left;
            self.tell_alone(look, &mut ended.counts);
        }
        Ok(())
    }

    fn tell_alone(&self, look: &Observed, counts: &mut Counts) {
        let alone = Sides::of(|side| look.comparison.unpaired.on(side).len() as u64);
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
