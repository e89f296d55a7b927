//! The sides are alike: what is planned for mirrored sides is the mirrored plan.

use super::{marks, mirrored};
use crate::mail::{Digest, Fingerprint, FolderName, Key, Marks, Side, Sides};
use crate::state::{Pair, Row, RowId, Status};
use crate::store::{Holds, Identity, Messages, Snapshot};
use crate::sync::{Action, Comparison, Folder, Pairing, Plan, Policy, Reason, Tally, Travel, compare, pair, plan};
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap};

/// One folder as both sides show it and the ledger knows it.
#[derive(Debug, Clone)]
struct Scene {
    pairs: Vec<Pair>,
    /// Body by row.
    bodies: Vec<u8>,
    seen: Sides<Snapshot>,
    /// Body by key.
    there: Sides<HashMap<Key, u8>>,
    /// Sides whose contents are read.
    read: Sides<bool>,
    holds: Sides<Holds>,
    synced: bool,
}

fn any_marks() -> impl Strategy<Value = Marks> {
    "[FST]{0,2}( a)?".prop_map(|text| marks(&text))
}

fn any_side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Remote), Just(Side::Local)]
}

#[derive(Debug, Clone)]
struct Line {
    body: u8,
    known: Sides<bool>,
    shown: Sides<Option<Marks>>,
    agreed: Marks,
    gone: Option<Side>,
    pending: Option<(Side, Marks)>,
}

fn any_line() -> impl Strategy<Value = Line> {
    let shown = || proptest::option::weighted(0.8, any_marks());
    let known = || prop_oneof![5 => Just(true), 1 => Just(false)];
    let pending = proptest::option::weighted(0.3, (any_side(), any_marks()));
    let gone = proptest::option::weighted(0.2, any_side());
    (0..4u8, known(), known(), shown(), shown(), any_marks(), gone, pending).prop_map(
        |(body, remote, local, there, here, agreed, gone, pending)| Line {
            body,
            known: Sides { remote, local },
            shown: Sides { remote: there, local: here },
            agreed,
            gone,
            pending,
        },
    )
}

fn any_scene() -> impl Strategy<Value = Scene> {
    let new = || proptest::collection::vec((0..4u8, any_marks()), 0..4);
    let holds = || ("[FST]{1,3}", 0..2usize).prop_map(|(f, room)| Holds { marks: marks(&f), room, ..Holds::default() });
    let fixed = (holds(), holds(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (proptest::collection::vec(any_line(), 0..6), new(), new(), fixed).prop_map(
        |(lines, there, here, (far, near, read, cut_far, cut_near, synced))| {
            let mut scene = Scene {
                pairs: Vec::new(),
                bodies: lines.iter().map(|l| l.body).collect(),
                seen: Sides::default(),
                there: Sides::default(),
                read: Sides { remote: read, local: true },
                holds: Sides { remote: far, local: near },
                synced,
            };
            scene.seen.remote.cut_short = cut_far;
            scene.seen.local.cut_short = cut_near;
            let mut shown: Sides<Vec<(Key, Marks, Option<u64>)>> = Sides::default();
            let mut show = |side: Side, key: &Key, body: u8, marks: &Marks| {
                shown.on_mut(side).push((key.clone(), marks.clone(), Some(10)));
                scene.there.on_mut(side).insert(key.clone(), body);
            };
            for (i, line) in lines.into_iter().enumerate() {
                let key = Key::new((100 + i).to_string());
                for side in Side::BOTH {
                    if let Some(marks) = line.shown.on(side) {
                        show(side, &key, line.body, marks);
                    }
                }
                let mut pending = Sides::<Marks>::default();
                if let Some((side, marks)) = &line.pending {
                    *pending.on_mut(*side) = marks.clone();
                }
                scene.pairs.push(Pair {
                    row: RowId(i as i64),
                    keys: line.known.map(|known| known.then(|| key.clone())),
                    agreed: line.agreed,
                    gone: line.gone,
                    pending: line.pending.map(|_| Box::new(pending)),
                });
            }
            for (side, new) in [(Side::Remote, there), (Side::Local, here)] {
                for (i, (body, marks)) in new.iter().enumerate() {
                    show(side, &Key::new((200 + i).to_string()), *body, marks);
                }
            }
            let Sides { remote, local } = shown.map(Messages::from_iter);
            (scene.seen.remote.messages, scene.seen.local.messages) = (remote, local);
            scene
        },
    )
}

impl Scene {
    fn mirrored(self) -> Scene {
        let mirror = |p: Pair| Pair {
            keys: p.keys.mirrored(),
            gone: p.gone.map(Side::other),
            pending: p.pending.map(|p| Box::new(p.mirrored())),
            ..p
        };
        Scene {
            pairs: self.pairs.into_iter().map(mirror).collect(),
            seen: self.seen.mirrored(),
            there: self.there.mirrored(),
            read: self.read.mirrored(),
            holds: self.holds.mirrored(),
            ..self
        }
    }

    fn compare(&self) -> Comparison {
        let mut compared = compare(self.pairs.clone(), Sides { remote: &self.seen.remote, local: &self.seen.local });
        let row = |i: usize, body: u8| Row {
            id: RowId(i as i64),
            key: None,
            listed_size: None,
            wire_size: 10,
            digest: Digest([body; 32]),
            fingerprint: Fingerprint([body | 1; 16]),
            status: Status::Delivered,
            first_seen: 0,
            missing_since: None,
        };
        compared.recall(&self.bodies.iter().enumerate().map(|(i, body)| row(i, *body)).collect::<Vec<_>>());
        for side in Side::BOTH {
            let digest = |body: u8| self.read.on(side).then_some(Digest([body; 32]));
            let identity = |body: u8| {
                let fingerprint = Fingerprint([body | 1; 16]);
                Identity { size: None, fingerprint, digest: digest(body), original: None }
            };
            compared.identify(side, &self.there.on(side).iter().map(|(k, b)| (k.clone(), identity(*b))).collect());
        }
        compared
    }
}

/// Everything that a plan says, without the order in which the sides come.
fn lines(plan: &Plan) -> BTreeSet<String> {
    let steps = plan.steps.iter().map(|s| format!("{s:?}"));
    let skipped = plan.skipped.iter().map(|s| format!("{s:?}"));
    steps.chain(skipped).chain([format!("{:?}", plan.tally)]).collect()
}

fn mirrored_plan(mut plan: Plan) -> Plan {
    for step in &mut plan.steps {
        match &mut step.action {
            Action::Copy { to: side, .. }
            | Action::Mark { on: side, .. }
            | Action::Tombstone { gone: side, .. }
            | Action::Relocate { on: side, .. }
            | Action::Remove { on: side, .. } => *side = side.other(),
            Action::Agree { .. } | Action::Revive { .. } | Action::Forget { .. } => {}
        }
        match &mut step.reason {
            Reason::New(side) | Reason::Marked(side) | Reason::Moved(side) | Reason::Kept(side) => *side = side.other(),
            Reason::Removed { on, .. } | Reason::Deleted { on, .. } => *on = on.other(),
            Reason::Same | Reason::Back | Reason::Nowhere => {}
        }
    }
    plan.skipped.iter_mut().for_each(|s| s.on = s.on.other());
    let Tally { shown, vanished, removals, .. } = plan.tally.clone();
    plan.tally =
        Tally { shown: shown.mirrored(), vanished: vanished.mirrored(), removals: removals.mirrored(), ..plan.tally };
    plan
}

/// Both marked as deleted: which side is named first is no matter.
fn same_reason(plan: &mut Plan) {
    for step in &mut plan.steps {
        if let Reason::Deleted { .. } = step.reason {
            step.reason = Reason::Deleted { on: Side::Remote, marked: false };
        }
    }
}

fn plans(scenes: &[Scene; 2], policy: &Policy) -> Vec<Plan> {
    let compared = [scenes[0].compare(), scenes[1].compare()];
    let names = [FolderName::inbox(), FolderName::parse("Archive").unwrap()];
    let folders: Vec<Folder<'_>> = (0..2)
        .map(|i| Folder {
            name: &names[i],
            comparison: &compared[i],
            holds: Sides { remote: &scenes[i].holds.remote, local: &scenes[i].holds.local },
            policy,
            synced: scenes[i].synced,
        })
        .collect();
    plan(&folders, 0)
}

fn any_travel() -> impl Strategy<Value = Travel> {
    prop_oneof![3 => Just(Travel::Both), 1 => Just(Travel::Local), 1 => Just(Travel::Remote), 1 => Just(Travel::None)]
}

proptest! {
    #[test]
    fn mirrored_sides_have_the_mirrored_plan(
        one in any_scene(), other in any_scene(), create in any_travel(), delete in any_travel(), travel in any_travel(),
    ) {
        let policy = Policy { create, delete, marks: travel, ..Policy::default() };
        let glass = Policy {
            create: mirrored(create), delete: mirrored(delete), marks: mirrored(travel), ..Policy::default()
        };
        let straight = plans(&[one.clone(), other.clone()], &policy);
        let seen = plans(&[one.mirrored(), other.mirrored()], &glass);
        for (mut straight, seen) in straight.into_iter().zip(seen) {
            let mut seen = mirrored_plan(seen);
            same_reason(&mut straight);
            same_reason(&mut seen);
            prop_assert_eq!(lines(&straight), lines(&seen));
        }
    }

    #[test]
    fn mirrored_sides_have_the_mirrored_pairing(scene in any_scene(), synced: bool) {
        let (straight, seen) = (pair(&scene.compare(), synced), pair(&scene.mirrored().compare(), synced));
        let told = |p: Pairing, mirrored: bool| {
            let turn = |s: Sides<Key>| if mirrored { s.mirrored() } else { s };
            let renamed = if mirrored { p.renamed.mirrored() } else { p.renamed };
            let mut adopted: Vec<_> = p.adoptions.into_iter().map(|a| (turn(a.keys), a.content.digest)).collect();
            adopted.sort_by(|a, b| a.0.remote.cmp(&b.0.remote));
            (renamed, adopted)
        };
        prop_assert_eq!(told(straight, false), told(seen, true));
    }

    #[test]
    fn no_plan_touches_what_a_listing_that_was_cut_short_lacks(scene in any_scene()) {
        let mut scene = scene;
        scene.seen.remote.cut_short = true;
        let plans = plans(&[scene.clone(), scene.clone()], &Policy::default());
        let unlisted: BTreeSet<RowId> = scene.pairs.iter()
            .filter(|p| p.keys.remote.as_ref().is_some_and(|k| !scene.seen.remote.messages.contains_key(k)))
            .map(|p| p.row)
            .collect();
        for step in plans.iter().flat_map(|p| &p.steps) {
            if let Action::Remove { row, .. } | Action::Forget { row } | Action::Tombstone { row, .. } = &step.action {
                prop_assert!(!unlisted.contains(row), "{:?}", step);
            }
        }
    }
}
