//! Runs, effect by effect.

use super::{FOLDERS, Message, World, content, identity, name};
use crate::mail::{Flags, FolderName, Key, Keyword, Marks, Side, Sides};
use crate::state::{Adoption, Arrival, Facts, Intent, Pair, RowId};
use crate::store::{Holds, Identity, Snapshot};
use crate::sync::{Action, Comparison, Folder, Plan, Sought, compare, crossings, pair, plan};
use std::collections::{BTreeMap, HashMap};

/// The engine died.
#[derive(Debug)]
pub struct Died;

type Lived<T> = Result<T, Died>;

impl World {
    /// Counts an effect that is about to happen; the engine may die instead.
    fn breathe(&mut self) -> Lived<()> {
        self.breath = self.breath.checked_sub(1).ok_or(Died)?;
        self.effects += 1;
        Ok(())
    }

    /// A whole run; folders in which something was recognised by its content are planned again.
    pub fn sync(&mut self) -> Lived<Vec<Plan>> {
        self.recognised = false;
        let mut plans = self.round()?;
        while std::mem::take(&mut self.recognised) {
            plans.extend(self.round()?);
        }
        Ok(plans)
    }

    fn round(&mut self) -> Lived<Vec<Plan>> {
        for folder in 0..2 {
            self.settle(folder)?;
            self.is_known(folder);
        }
        let plans = self.plan()?;
        let shown = self.sides.remote.each_ref().map(|folder| (self.modseq, folder.keys().cloned().collect()));
        for (folder, plan) in plans.iter().enumerate() {
            self.free = plan.may_be_had(Side::Local).into_iter().cloned().collect();
            for step in &plan.steps {
                self.carry_out(folder, &step.action)?;
            }
        }
        for ((folder, plan), shown) in plans.iter().enumerate().zip(shown) {
            let id = self.id(folder);
            let synced = self.ledger.facts(id).unwrap().synced;
            if !synced {
                self.breathe()?;
            }
            if !synced || self.ledger.leftovers(id).unwrap() != plan.leftovers {
                self.ledger.set_facts(id, &Facts { synced: true, ..Facts::default() }, &plan.leftovers).unwrap();
            }
            self.baselines[folder] = Some(shown).filter(|_| !self.recognised);
        }
        Ok(plans)
    }

    /// What a run would do after it has written down what it recognises.
    pub fn plan(&mut self) -> Lived<Vec<Plan>> {
        let mut compared: Vec<Comparison> = (0..2).map(|f| self.compare(f)).collect();
        self.identify(0, &mut compared);
        for (folder, compared) in compared.iter_mut().enumerate() {
            let id = self.id(folder);
            loop {
                let found = pair(compared, self.ledger.facts(id).unwrap().synced);
                if found.is_empty() {
                    break;
                }
                self.breathe()?;
                for side in Side::BOTH {
                    self.ledger.rename(id, side, found.renamed.on(side)).unwrap();
                }
                self.ledger.adopt(id, &found.adoptions, 0).unwrap();
                *compared = self.compare(folder);
                self.identify(folder, std::slice::from_mut(compared));
            }
        }
        self.identify(0, &mut compared);
        let names = [name(0), name(1)];
        Side::BOTH.iter().for_each(|side| self.hold(*side));
        let crossed = crossings(&self.folders(&names, &compared));
        for crossing in crossed {
            self.breathe()?;
            let keys = crossing.keys.clone().map(Some);
            self.ledger.relocate(crossing.row, self.id(crossing.at), &keys).unwrap();
            let open = compared[crossing.from].give_up(crossing.row).unwrap();
            compared[crossing.at].take_in(open, &crossing);
        }
        Ok(plan(&self.folders(&names, &compared), 0))
    }

    fn folders<'a>(&'a self, names: &'a [FolderName; 2], compared: &'a [Comparison]) -> Vec<Folder<'a>> {
        let folder = |f: usize| Folder {
            name: &names[f],
            comparison: &compared[f],
            holds: Sides { remote: &self.holds.remote, local: &self.holds.local },
            policy: &self.policy,
            synced: self.ledger.facts(self.id(f)).unwrap().synced,
        };
        (0..2).map(folder).collect()
    }

    /// Keywords that a side took on are held there from then on.
    fn hold(&mut self, side: Side) {
        let used = self.sides.on(side).iter().flat_map(BTreeMap::values).flat_map(|m| m.marks.keywords.clone());
        let used: Vec<Keyword> = used.collect();
        let Holds { marks, room, .. } = self.holds.on_mut(side);
        for keyword in used {
            if marks.keywords.insert(keyword) {
                *room = room.saturating_sub(1);
            }
        }
    }

    pub fn snapshots(&self, folder: usize) -> Sides<Snapshot> {
        Sides::of(|side| self.snapshot(side, folder))
    }

    fn compare(&self, folder: usize) -> Comparison {
        let seen = self.snapshots(folder);
        let pairs = self.ledger.pairs(self.id(folder)).unwrap();
        compare(pairs, Sides { remote: &seen.remote, local: &seen.local })
    }

    /// Identifies what has to be in folders, from this one on.
    fn identify(&self, first: usize, compared: &mut [Comparison]) {
        for c in &mut *compared {
            c.recall(&self.ledger.rows_of(&c.worth_recalling()).unwrap());
        }
        for side in [Side::Local, Side::Remote] {
            let mut sought = Sought::default();
            compared.iter().for_each(|c| sought.add(c, side));
            for (folder, c) in (first..).zip(compared.iter_mut()) {
                let messages = &self.sides.on(side)[folder];
                let keys = c.worth_identifying(side, &sought);
                let found: HashMap<Key, Identity> =
                    keys.into_iter().map(|k| (k.clone(), identity(side, messages[&k].body))).collect();
                c.identify(side, &found);
            }
        }
    }

    /// What an interrupted run left on its way.
    fn settle(&mut self, folder: usize) -> Lived<()> {
        let id = self.id(folder);
        for (row, place, _) in self.ledger.unsettled(id).unwrap() {
            self.breathe()?;
            match self.sides.local[folder].contains_key(&Key::new(place.trim_start_matches("cur/"))) {
                true => self.ledger.delivered(&[row]).unwrap(),
                false => self.ledger.never_arrived(&[row]).unwrap(),
            }
        }
        for (intent, sent) in self.ledger.intents(id).unwrap() {
            self.breathe()?;
            let pairs = self.ledger.pairs(id).unwrap();
            let known = |k: &Key| pairs.iter().any(|p| p.keys.remote.as_ref() == Some(k));
            let uid = |k: &Key| k.uid().unwrap();
            let stands = self.sides.remote[folder]
                .iter()
                .find(|(k, m)| uid(k) >= sent.uidnext && !known(k) && content(m.body).digest == sent.content.digest);
            let settled = [(intent, stands.map(|(k, _)| k.clone()))];
            self.ledger.settled(id, &settled, 0).unwrap();
        }
        Ok(())
    }

    fn carry_out(&mut self, folder: usize, action: &Action) -> Lived<()> {
        match action {
            Action::Copy { to: Side::Local, key, marks, row, .. } => self.download(folder, key, marks, *row)?,
            Action::Copy { to: Side::Remote, key, marks, row, .. } => self.upload(folder, key, marks, *row)?,
            Action::Mark { on, row, key, change } => {
                self.breathe()?;
                self.ledger.pend(*on, &[(*row, change.add.with(&change.remove))]).unwrap();
                self.breathe()?;
                self.change(*on, folder, key, change);
            }
            Action::Agree { row, marks } => {
                self.breathe()?;
                self.ledger.agree(&[(*row, marks.clone())]).unwrap();
            }
            Action::Revive { row } => {
                self.breathe()?;
                self.ledger.tombstone(&[*row], None).unwrap();
            }
            Action::Tombstone { row, gone } => {
                self.breathe()?;
                self.ledger.tombstone(&[*row], Some(*gone)).unwrap();
            }
            Action::Relocate { on, row, key, arrived, change, across, agreed, .. } => {
                let to = 1 - folder;
                for (side, place, key, change) in [(*on, folder, key, change), (on.other(), to, arrived, across)] {
                    if !change.is_empty() {
                        self.carry_out(
                            place,
                            &Action::Mark { on: side, row: *row, key: key.clone(), change: change.clone() },
                        )?;
                    }
                }
                self.carry_out(folder, &Action::Agree { row: *row, marks: (**agreed).clone() })?;
                self.relocate(*on, folder, *row, key, arrived, agreed)?;
            }
            Action::Remove { on, key, trash, .. } => {
                self.breathe()?;
                let message = self.sides.on_mut(*on)[folder].remove(key);
                if let (Some(trash), Some(message)) = (trash, message) {
                    let to = FOLDERS.iter().position(|f| *f == trash.to_string()).unwrap();
                    let key = self.new_key(*on);
                    let marks = message.marks.without(&Marks::of(Flags::DELETED));
                    self.sides.on_mut(*on)[to].insert(key, Message { marks, ..message });
                }
            }
            Action::Forget { row } => {
                self.breathe()?;
                self.ledger.forget(&[*row]).unwrap();
            }
        }
        Ok(())
    }

    fn relocate(&mut self, on: Side, from: usize, row: RowId, key: &Key, arrived: &Key, agreed: &Marks) -> Lived<()> {
        let to = 1 - from;
        let target = self.id(to);
        let taken = self.sides.on(on)[to].contains_key(key);
        let new = if on == Side::Remote || taken { self.new_key(on) } else { key.clone() };
        let mut keys = Sides { remote: Some(new.clone()), local: Some(new.clone()) };
        *keys.on_mut(on.other()) = Some(arrived.clone());
        let intent = Intent {
            row: Some(row),
            local: arrived.clone(),
            content: content(self.sides.on(on)[from][key].body),
            marks: agreed.clone(),
            uidnext: self.next,
            discards: false,
        };
        let mut written = Vec::new();
        if on == Side::Remote {
            self.breathe()?;
            written = self.ledger.intend(target, &[intent]).unwrap();
        }
        self.breathe()?;
        let message = self.sides.on_mut(on)[from].remove(key).unwrap();
        self.sides.on_mut(on)[to].insert(new.clone(), message);
        self.breathe()?;
        match written.first() {
            Some(intent) => self.ledger.settled(target, &[(*intent, Some(new))], 0).unwrap(),
            None => self.ledger.relocate(row, target, &keys).unwrap(),
        }
        Ok(())
    }

    fn download(&mut self, folder: usize, key: &Key, marks: &Marks, row: Option<RowId>) -> Lived<()> {
        let id = self.id(folder);
        let body = self.sides.remote[folder][key].body;
        // A file that nobody knows yet may turn out to be the same.
        let compared = self.compare(folder);
        let may_be = |key: &Key| self.free.contains(key) && self.sides.local[folder][key].body == body;
        if let Some(same) = compared.unpaired.local.iter().find(|u| may_be(&u.key)) {
            let adoption = Adoption {
                rows: Sides { remote: row, local: same.row.as_ref().map(|r| r.0) },
                keys: Sides { remote: key.clone(), local: same.key.clone() },
                agreed: self.sides.remote[folder][key].marks.common(&same.marks),
                listed_size: None,
                content: content(body),
            };
            self.breathe()?;
            self.ledger.adopt(id, &[adoption], 0).unwrap();
            self.recognised = true;
            return Ok(());
        }
        if let Some(row) = row {
            self.breathe()?;
            self.ledger.forget(&[row]).unwrap();
        }
        let local = self.new_key(Side::Local);
        let c = content(body);
        let arrival = Arrival {
            key: Some(key.clone()),
            listed_size: None,
            wire_size: c.wire_size,
            digest: c.digest,
            fingerprint: c.fingerprint,
            place: format!("cur/{local}"),
            marks: marks.clone(),
        };
        self.breathe()?;
        let rows = self.ledger.arriving(id, &[arrival], 0).unwrap();
        self.breathe()?;
        self.sides.local[folder].insert(local, Message { body, marks: marks.clone() });
        self.breathe()?;
        self.ledger.delivered(&rows).unwrap();
        Ok(())
    }

    fn upload(&mut self, folder: usize, key: &Key, marks: &Marks, row: Option<RowId>) -> Lived<()> {
        let id = self.id(folder);
        let paired = |p: &Pair| p.keys.local.as_ref() == Some(key) && p.keys.remote.is_some() && Some(p.row) != row;
        if self.ledger.pairs(id).unwrap().iter().any(paired) {
            return Ok(());
        }
        let body = self.sides.local[folder][key].body;
        let (local, marks, uidnext) = (key.clone(), marks.clone(), self.next);
        let intent = Intent { row, local, content: content(body), marks: marks.clone(), uidnext, discards: false };
        self.breathe()?;
        let intents = self.ledger.intend(id, &[intent]).unwrap();
        self.breathe()?;
        let uid = self.new_key(Side::Remote);
        self.sides.remote[folder].insert(uid.clone(), Message { body, marks });
        self.breathe()?;
        self.ledger.settled(id, &[(intents[0], Some(uid))], 0).unwrap();
        Ok(())
    }
}
