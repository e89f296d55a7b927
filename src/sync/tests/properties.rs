//! Histories made at random: what users do on both sides, runs in between, runs that die.

use super::marks;
use super::world::{Edit, FOLDERS, World};
use crate::mail::{Change, Flags, Marks, Side};
use crate::store::Holds;
use crate::sync::{Plan, Policy, Travel};
use proptest::prelude::*;

fn any_marks() -> impl Strategy<Value = Marks> {
    ("[FRS]{0,2}", proptest::collection::vec("[abAB]", 0..2)).prop_map(|(letters, words)| {
        let text = words.iter().fold(letters, |text, word| format!("{text} {word}"));
        marks(&text)
    })
}

fn any_edit(deleting: bool) -> impl Strategy<Value = Edit> {
    let place = || (0..2usize, 0..5usize);
    let add = (0..2usize, 0..4u8, any_marks()).prop_map(|(folder, body, marks)| Edit::Add { folder, body, marks });
    let mark = (place(), any_marks(), any_marks()).prop_map(|((folder, nth), add, remove)| {
        let remove = remove.without(&add);
        Edit::Mark { folder, nth, change: Change { add, remove } }
    });
    let moved = (place(), any::<bool>()).prop_map(|((folder, nth), renamed)| Edit::Move { folder, nth, renamed });
    let rename = place().prop_map(|(folder, nth)| Edit::Rename { folder, nth });
    let remove = place().prop_map(|(folder, nth)| Edit::Remove { folder, nth });
    let delete = (place(), any::<bool>()).prop_map(|((folder, nth), set)| {
        let deleted = Marks::of(Flags::DELETED);
        let (add, remove) = if set { (deleted, Marks::default()) } else { (Marks::default(), deleted) };
        Edit::Mark { folder, nth, change: Change { add, remove } }
    });
    let often = if deleting { 2 } else { 0 };
    prop_oneof![4 => add, 3 => mark, 2 => moved, 1 => rename, often => remove, often => delete]
}

/// What users do between two runs.
fn any_round(deleting: bool) -> impl Strategy<Value = Vec<(Side, Edit)>> {
    let side = prop_oneof![Just(Side::Remote), Just(Side::Local)];
    proptest::collection::vec((side, any_edit(deleting)), 0..6)
}

fn any_history(deleting: bool) -> impl Strategy<Value = Vec<Vec<(Side, Edit)>>> {
    proptest::collection::vec(any_round(deleting), 1..5)
}

fn any_travel() -> impl Strategy<Value = Travel> {
    prop_oneof![Just(Travel::Both), Just(Travel::Local), Just(Travel::Remote), Just(Travel::None)]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    (any_travel(), any_travel(), any_travel()).prop_map(|(create, delete, marks)| Policy {
        create,
        delete,
        marks,
        ..Policy::default()
    })
}

fn steps(plans: &[Plan]) -> Vec<&crate::sync::Step> {
    plans.iter().flat_map(|p| &p.steps).collect()
}

/// Every message is on both sides in the same folder with the same marks, or marked as deleted and never copied.
fn assert_converged(world: &World) {
    let bare = |m: &Marks| m.without(&Marks::of(Flags::DELETED));
    for (folder, name) in FOLDERS.iter().enumerate() {
        let pairs = world.ledger.pairs(world.id(folder)).unwrap();
        for side in Side::BOTH {
            for (key, message) in &world.sides.on(side)[folder] {
                let Some(pair) = pairs.iter().find(|p| p.keys.on(side).as_ref() == Some(key)) else {
                    assert!(message.marks.flags.contains(Flags::DELETED), "{side} {name} {key} is alone");
                    continue;
                };
                let other = pair.keys.on(side.other()).as_ref().expect("a pair has both keys");
                let other = &world.sides.on(side.other())[folder][other];
                assert_eq!((message.body, bare(&message.marks)), (other.body, bare(&other.marks)));
            }
        }
    }
}

fn edit_all(world: &mut World, round: &[(Side, Edit)]) {
    round.iter().for_each(|(side, edit)| world.edit(*side, edit));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn both_sides_become_equal_and_a_second_run_has_nothing_to_do(history in any_history(true)) {
        let mut world = World::new(Policy::default());
        for round in &history {
            edit_all(&mut world, round);
            world.sync().unwrap();
            assert_converged(&world);
            let done = world.effects;
            let again = world.sync().unwrap();
            prop_assert_eq!((steps(&again), world.effects - done), (vec![], 0));
        }
    }

    #[test]
    fn under_any_policy_a_second_run_has_nothing_to_do(
        history in any_history(true), policy in any_policy(), room in 0..3usize, flags in "[FRST]{2,4}",
    ) {
        let mut world = World::new(policy);
        world.holds.remote = Holds { marks: marks(&flags), room, ..Holds::default() };
        for round in &history {
            edit_all(&mut world, round);
            world.sync().unwrap();
            let done = world.effects;
            let again = world.sync().unwrap();
            prop_assert_eq!((steps(&again), world.effects - done), (vec![], 0));
        }
    }

    #[test]
    fn nothing_is_lost_and_nothing_doubled(history in any_history(false), deaths in proptest::collection::vec(0..30usize, 0..4)) {
        let mut world = World::new(Policy::default());
        let mut deaths = deaths.into_iter();
        for round in &history {
            let clean = world.count(Side::Local);
            edit_all(&mut world, round);
            let before = [world.count(Side::Remote), world.count(Side::Local)];
            if let Some(breath) = deaths.next() {
                world.breath = breath;
                let _ = world.sync();
                world.breath = usize::MAX;
            }
            world.sync().unwrap();
            // A message moved on one side may meet an equal one there, or be moved elsewhere on the other side.
            let shifted = round.iter().filter(|(_, e)| matches!(e, Edit::Move { .. } | Edit::Rename { .. })).count();
            for side in Side::BOTH {
                for body in before.iter().flat_map(|counts| counts.keys().copied()) {
                    let count = world.count(side).get(&body).copied().unwrap_or(0);
                    let had = |counts: &std::collections::BTreeMap<u8, usize>| counts.get(&body).copied().unwrap_or(0);
                    let least = before.iter().map(had).max().unwrap();
                    let added = round.iter().filter(|(_, e)| matches!(e, Edit::Add { body: b, .. } if *b == body)).count();
                    prop_assert!(count + shifted >= least && count > 0, "body {} on {}: {} of {}", body, side, count, least);
                    prop_assert!(count <= had(&clean) + added + shifted, "body {} on {}: {}", body, side, count);
                }
            }
        }
    }

    #[test]
    fn a_run_that_dies_anywhere_is_finished_by_the_next(history in any_history(true), breath in 0..40usize) {
        let mut straight = World::new(Policy::default());
        let mut broken = World::new(Policy::default());
        for (i, round) in history.iter().enumerate() {
            edit_all(&mut straight, round);
            edit_all(&mut broken, round);
            straight.sync().unwrap();
            if i + 1 == history.len() {
                broken.breath = breath;
            }
            let _ = broken.sync();
            broken.breath = usize::MAX;
        }
        broken.sync().unwrap();
        assert_converged(&broken);
        prop_assert_eq!(straight.told(), broken.told());
        let again = broken.sync().unwrap();
        prop_assert_eq!(steps(&again), Vec::<&crate::sync::Step>::new());
    }

    #[test]
    fn runs_that_die_amid_edits_come_to_rest(
        history in any_history(true), deaths in proptest::collection::vec(0..20usize, 4), policy in any_policy(),
    ) {
        let mut world = World::new(policy);
        for (round, breath) in history.iter().zip(deaths) {
            edit_all(&mut world, round);
            world.breath = breath;
            let _ = world.sync();
        }
        world.breath = usize::MAX;
        world.sync().unwrap();
        let again = world.sync().unwrap();
        prop_assert_eq!(steps(&again), Vec::<&crate::sync::Step>::new());
    }
}
