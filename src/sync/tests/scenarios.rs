//! Before, policy, after: each run twice, and interrupted after every step and resumed to the same end.

use super::world::{Edit, Message, World, content, name};
use super::{marks, one_way};
use crate::mail::{Key, Marks, Side, Sides};
use crate::state::{Adoption, Facts, Pair, Why};
use crate::store::Holds;
use crate::sync::{Policy, Travel};
use std::time::Duration;

/// One message: what the server shows, what was agreed, what is here. `.` no marks, `x` was there, `-` never was.
type Row = [&'static str; 3];

fn body_of(i: usize) -> u8 {
    // Body 3 has no fingerprint to speak of.
    10 + u8::try_from(i).unwrap()
}

fn read(cell: &str) -> Option<Marks> {
    match cell {
        "-" | "x" => None,
        "." => Some(Marks::default()),
        cell => Some(marks(cell)),
    }
}

fn write(marks: &Marks) -> String {
    let words = marks.keywords.iter().fold(marks.flags.letters(), |text, k| format!("{text} {}", k.as_str()));
    if words.is_empty() { ".".into() } else { words }
}

fn set_up(policy: &Policy, rows: &[Row], synced: bool) -> World {
    let mut world = World::new(policy.clone());
    let id = world.id(0);
    world.ledger.set_facts(id, &Facts { synced, ..Facts::default() }, &[]).unwrap();
    for (i, [far, agreed, near]) in rows.iter().enumerate() {
        let keys = Sides { remote: Key::new((i + 1).to_string()), local: Key::new(format!("f{i}")) };
        for (side, cell) in [(Side::Remote, far), (Side::Local, near)] {
            if let Some(marks) = read(cell) {
                world.sides.on_mut(side)[0].insert(keys.on(side).clone(), Message { body: body_of(i), marks });
            }
        }
        if let Some(agreed) = read(agreed) {
            let content = content(body_of(i));
            let rows = Sides::default();
            world.ledger.adopt(id, &[Adoption { rows, keys, agreed, listed_size: None, content }], 0).unwrap();
        }
    }
    world
}

/// What became of each message, in the notation of the rows, with the folder where it is another.
fn after(world: &World, rows: &[Row]) -> Vec<String> {
    let told = |i: usize| {
        let standing = |side: Side| -> Vec<String> {
            let folders = world.sides.on(side).iter().enumerate();
            let each = folders.flat_map(|(f, m)| m.iter().map(move |(k, m)| (f, k, m)));
            each.filter(|(.., m)| m.body == body_of(i))
                .map(|(f, _, m)| format!("{}{}", if f == 1 { "Archive " } else { "" }, write(&m.marks)))
                .collect()
        };
        let pairs: Vec<Pair> = (0..2).flat_map(|f| world.ledger.pairs(world.id(f)).unwrap()).collect();
        let ids: Vec<_> = pairs.iter().map(|p| p.row).collect();
        let known = world.ledger.rows_of(&ids).unwrap();
        let agreed = pairs
            .iter()
            .zip(&known)
            .filter(|(_, r)| r.digest == content(body_of(i)).digest)
            .map(|(p, _)| p.gone.map_or_else(|| write(&p.agreed), |side| format!("gone {side}")));
        let cell = |all: Vec<String>| if all.is_empty() { "-".to_owned() } else { all.join(" + ") };
        [cell(standing(Side::Remote)), cell(agreed.collect()), cell(standing(Side::Local))].join(" | ")
    };
    (0..rows.len()).map(told).collect()
}

/// Runs the case as it is, and once for each effect after which a run can die.
fn check(what: &str, policy: &Policy, rows: &[Row], expected: &[&str]) {
    check_with(what, policy, rows, expected, true, &|_| {});
}

fn check_with(what: &str, policy: &Policy, rows: &[Row], expected: &[&str], synced: bool, change: &dyn Fn(&mut World)) {
    for breath in 0.. {
        let mut world = set_up(policy, rows, synced);
        change(&mut world);
        world.breath = breath;
        let died = world.sync().is_err();
        world.breath = usize::MAX;
        if died {
            world.sync().unwrap();
        }
        assert_eq!(after(&world, rows), expected, "{what}, {breath} effects");
        let effects = world.effects;
        world.sync().unwrap();
        assert_eq!(world.effects, effects, "{what}: a further run after {breath} effects");
        if !died {
            return;
        }
    }
}

const FLAGS: [Row; 3] = [["F", ".", "."], [".", ".", "F"], ["FS", ".", "F"]];
const GONE: [Row; 3] = [["x", ".", "."], ["F", ".", "x"], ["x", ".", "x"]];
const NEW: [Row; 4] = [["P", "-", "-"], ["-", "-", "."], ["T", "-", "-"], ["-", "-", "T"]];

#[test]
fn both_ways() {
    let both = Policy::default();
    check("marks merge", &both, &FLAGS, &["F | F | F", "F | F | F", "FS | FS | FS"]);
    check("what is gone on one side goes on the other", &both, &GONE, &["- | - | -"; 3]);
    check(
        "new ones are copied, but for deleted ones",
        &both,
        &NEW,
        &["P | P | P", ". | . | .", "T | - | -", "- | - | T"],
    );
    let marked: [Row; 4] = [["T", ".", "."], [".", ".", "T"], ["T", ".", "FS"], ["T", "T", "F"]];
    check(
        "a deletion mark deletes, unless it was there before",
        &both,
        &marked,
        &["- | - | -", "- | - | -", "- | - | -", "FT | FT | F"],
    );
    let keywords: [Row; 4] =
        [[". work", ".", "."], [".", ".", "S home"], [". Work", ".", ". work home"], [".", ". work", "F work"]];
    check(
        "keywords travel like flags, in any case",
        &both,
        &keywords,
        &[" work |  work |  work", "S home | S home | S home", " home Work |  home Work |  home work", "F | F | F"],
    );
}

#[test]
fn one_way_only() {
    let pull = one_way(Side::Local);
    check("marks", &pull, &FLAGS, &["F | F | F", ". | . | F", "FS | FS | FS"]);
    check("deletions", &pull, &GONE, &["- | - | -", "F | gone local | -", "- | - | -"]);
    check("copies", &pull, &NEW, &["P | P | P", "- | - | .", "T | - | -", "- | - | T"]);
    let push = one_way(Side::Remote);
    check("marks", &push, &FLAGS, &["F | . | .", "F | F | F", "FS | F | F"]);
    check("deletions", &push, &GONE, &["- | gone remote | .", "- | - | -", "- | - | -"]);
    check("copies", &push, &NEW, &["P | - | -", ". | . | .", "T | - | -", "- | - | T"]);
    let none = Travel::None;
    let flags_only = Policy { create: none, delete: none, ..Policy::default() };
    check("flags only", &flags_only, &GONE, &["- | gone remote | .", "F | gone local | -", "- | - | -"]);
    check("flags only", &flags_only, &[["FT", ".", "."], ["-", "-", "."]], &["FT | F | F", "- | - | ."]);
    let deletions_only = Policy { create: none, marks: none, ..Policy::default() };
    check("deletions only", &deletions_only, &FLAGS, &["F | . | .", ". | . | F", "FS | F | F"]);
    check("deletions only", &deletions_only, &GONE, &["- | - | -"; 3]);
    let mixed = Policy { create: none, marks: Travel::Remote, delete: Travel::Local, ..Policy::default() };
    check(
        "marks there, deletions here",
        &mixed,
        &[["F", ".", "."], [".", ".", "F"], ["T", ".", "."], [".", ".", "x"]],
        &["F | . | .", "F | F | F", "- | - | -", ". | gone local | -"],
    );
}

#[test]
fn a_deletion_that_does_not_travel_is_not_undone_either() {
    let keep = Policy { delete: Travel::Local, ..Policy::default() };
    let rows: [Row; 2] = [[".", ".", "x"], [".", ".", "T"]];
    check("kept on the server", &keep, &rows, &[". | gone local | -", ". | . | T"]);
    check_with("restored under its old name", &keep, &[[".", ".", "."]], &["F | F | F"], true, &|world| {
        let row = world.ledger.pairs(world.id(0)).unwrap()[0].row;
        world.ledger.tombstone(&[row], Some(Side::Local)).unwrap();
        world.sides.local[0].values_mut().for_each(|m| m.marks = marks("F"));
    });
    check_with(
        "renamed here after it was deleted there",
        &Policy::default(),
        &[["-", "S", "S"]],
        &["- | gone remote | S"],
        true,
        &|world| {
            let row = world.ledger.pairs(world.id(0)).unwrap()[0].row;
            world.ledger.tombstone(&[row], Some(Side::Remote)).unwrap();
            world.edit(Side::Local, &Edit::Rename { folder: 0, nth: 0 });
            world.edit(Side::Remote, &Edit::Add { folder: 0, body: 99, marks: Marks::default() });
        },
    );
}

#[test]
fn before_the_first_sync_has_ended_no_deletion_travels() {
    let rows: [Row; 4] = [["x", ".", "F"], ["S", ".", "x"], ["T", ".", "."], ["S", ".", "F"]];
    let expected = ["F | F | F", "S | S | S", "T | T | .", "FS | FS | FS"];
    check_with("pulled before", &Policy::default(), &rows, &expected, false, &|_| {});
    let keep = Policy { create: Travel::None, ..Policy::default() };
    let expected = ["- | gone remote | F", "S | gone local | -", "T | T | .", "FS | FS | FS"];
    check_with("where nothing is copied", &keep, &rows, &expected, false, &|_| {});
    for side in Side::BOTH {
        check_with(
            "moved meanwhile",
            &Policy::default(),
            &[[".", ".", "."]],
            &["Archive . | . | Archive ."],
            false,
            &|world| {
                world.edit(side, &Edit::Move { folder: 0, nth: 0, renamed: true });
            },
        );
    }
}

#[test]
fn what_a_side_cannot_hold_stays_on_the_other_and_comes_to_rest() {
    let check = |rows: &[Row], holds: Holds, expected: &[&str]| {
        check_with("room", &Policy::default(), rows, expected, true, &|world| world.holds.remote = holds.clone());
    };
    let none = Holds { marks: marks("FRST known"), room: 0, ..Holds::default() };
    check(&[[".", ".", "PS work known"]], none.clone(), &["S known | S known | PS known work"]);
    check(&[["-", "-", "PS work known"]], none, &["S known | S known | PS known work"]);
    let one = Holds { marks: marks("FRST"), room: 1, ..Holds::default() };
    check(&[[".", ".", ". a"], [".", ".", ". a b"]], one, &[" a |  a |  a", " a |  a |  a b"]);
    check(&[["F", "F", "."]], Holds::default(), &["F | F | ."]);
}

#[test]
fn moves_are_followed_and_keep_what_was_marked_meanwhile() {
    let both = Policy::default();
    for side in Side::BOTH {
        let moved = |nth, renamed| move |world: &mut World| world.edit(side, &Edit::Move { folder: 0, nth, renamed });
        for renamed in [true, false] {
            let rows: [Row; 2] = [["F", ".", "S"], [".", ".", "."]];
            let expected = ["Archive FS | FS | Archive FS", ". | . | ."];
            check_with("a move", &both, &rows, &expected, true, &moved(0, renamed));
        }
        let keep = Policy { delete: Travel::None, ..Policy::default() };
        let copied = match side {
            Side::Remote => "Archive . | gone remote + . | . + Archive .",
            Side::Local => ". + Archive . | gone local + . | Archive .",
        };
        check_with("a copy where deletions do not travel", &keep, &[[".", ".", "."]], &[copied], true, &moved(0, true));
    }
    let stray = Policy { create: Travel::None, ..Policy::default() };
    let kept = [". | gone local | Archive ."];
    check_with("a move that may not be followed", &stray, &[[".", ".", "."]], &kept, true, &|world| {
        world.edit(Side::Local, &Edit::Move { folder: 0, nth: 0, renamed: true });
    });
    check_with("renamed in its folder", &both, &[["F", ".", "."]], &["F | F | F"], true, &|world| {
        world.edit(Side::Local, &Edit::Rename { folder: 0, nth: 0 });
    });
    check_with("moved on both sides", &both, &[["F", ".", "."]], &["Archive F | F | Archive F"], true, &|world| {
        Side::BOTH.iter().for_each(|s| world.edit(*s, &Edit::Move { folder: 0, nth: 0, renamed: true }));
    });
}

#[test]
fn a_folder_that_was_moved_into_is_not_done_with_though_it_has_nothing_to_do() {
    for side in Side::BOTH {
        for create in [Travel::Both, Travel::None] {
            let mut world = set_up(&Policy { create, ..Policy::default() }, &[[".", ".", "."]], true);
            world.edit(side, &Edit::Move { folder: 0, nth: 0, renamed: true });
            let plans = world.plan().unwrap();
            let told: Vec<_> = plans.iter().map(|plan| (plan.steps.len(), plan.is_entered)).collect();
            assert_eq!(told, [(1, false), (0, true)], "moved on {side}, create = {create:?}");
            world.sync().unwrap();
            assert!(world.plan().unwrap().iter().all(|plan| !plan.is_entered));
        }
    }
}

#[test]
fn moved_to_two_places_a_message_is_where_the_server_has_it() {
    let both = Policy::default();
    // Moved here, and away and back on the server: it has another UID there, in the folder where it was.
    let back = |world: &mut World| {
        world.edit(Side::Local, &Edit::Move { folder: 0, nth: 0, renamed: true });
        world.edit(Side::Remote, &Edit::Move { folder: 0, nth: 0, renamed: true });
        world.edit(Side::Remote, &Edit::Move { folder: 1, nth: 0, renamed: true });
    };
    check_with("moved here and back there", &both, &[["F", ".", "S"]], &["FS | FS | FS"], true, &back);
    let push = one_way(Side::Remote);
    let here = ["Archive S | S | Archive S"];
    check_with("where only the server may follow", &push, &[[".", ".", "S"]], &here, true, &back);
    let renamed = |world: &mut World| {
        world.edit(Side::Local, &Edit::Rename { folder: 0, nth: 0 });
        world.edit(Side::Remote, &Edit::Move { folder: 0, nth: 0, renamed: true });
    };
    let there = ["Archive FS | FS | Archive FS"];
    check_with("renamed here and moved there", &both, &[["F", ".", "S"]], &there, true, &renamed);
}

/// A server that cannot expunge it keeps it there, marked, when it is moved away; and then it is moved back.
#[test]
fn what_is_put_beside_its_like_that_is_marked_as_deleted_is_not_taken_for_it() {
    for side in Side::BOTH {
        let expected = match side {
            Side::Remote => "Archive . | . | Archive . + Archive T",
            Side::Local => "Archive T + Archive . | . | Archive .",
        };
        check_with("put back", &Policy::default(), &[[".", ".", "."]], &[expected], true, &|world| {
            let key = Key::new(if side == Side::Local { "1" } else { "zz" });
            world.sides.on_mut(side.other())[1].insert(key, Message { body: body_of(0), marks: marks("T") });
            world.sync().unwrap();
            world.edit(side, &Edit::Move { folder: 0, nth: 0, renamed: true });
        });
    }
}

#[test]
fn what_is_renamed_here_and_deleted_there_is_deleted() {
    let both = Policy::default();
    let renamed = |world: &mut World| world.edit(Side::Local, &Edit::Rename { folder: 0, nth: 0 });
    check_with("renamed here, deleted there", &both, &[["x", ".", "F"]], &["- | - | -"], true, &renamed);
    let kept = Policy { delete: Travel::None, ..Policy::default() };
    let gone = ["- | gone remote | F"];
    check_with("where that does not travel", &kept, &[["x", ".", "F"]], &gone, true, &renamed);
    let moved = |world: &mut World| world.edit(Side::Local, &Edit::Move { folder: 0, nth: 0, renamed: true });
    let back = ["Archive F | F | Archive F"];
    check_with("moved here, deleted there", &both, &[["x", ".", "F"]], &back, true, &moved);
}

#[test]
fn sides_that_are_filled_already_are_paired() {
    let rows: [Row; 3] = [["F", "-", "S"], ["T", "-", "."], [".", "-", "-"]];
    let expected = ["FS | FS | FS", "T | T | .", ". | . | ."];
    check_with("no state", &Policy::default(), &rows, &expected, false, &|_| {});
    check_with(
        "UIDVALIDITY changed",
        &Policy::default(),
        &[["F", ".", "S"], ["-", ".", "."]],
        &["FS | FS | FS", ". | . | ."],
        true,
        &|world| {
            let id = world.id(0);
            world.ledger.change_scope(id, "other", false).unwrap();
            let renamed = std::mem::take(&mut world.sides.remote[0]);
            world.sides.remote[0] =
                renamed.into_iter().map(|(k, m)| (Key::new([b"9", k.as_bytes()].concat()), m)).collect();
        },
    );
}

#[test]
fn size_age_and_short_listings_never_delete() {
    let sized = Policy { max_size: Some(9), ..Policy::default() };
    check("too large", &sized, &[[".", "-", "-"], ["F", ".", "."]], &[". | - | -", "F | F | F"]);
    let mut world = set_up(&sized, &[["T", "-", "-"], [".", "-", "-"]], true);
    let skipped: Vec<Why> = world.sync().unwrap()[0].skipped.iter().map(|s| s.why).collect();
    assert_eq!(skipped, [Why::Deleted, Why::TooLarge]);

    use crate::sync::{Folder, compare, plan};
    let world = set_up(&Policy::default(), &[[".", "-", "-"], ["x", ".", "."], ["-", "-", "."]], false);
    let (mut seen, policy) =
        (world.snapshots(0), Policy { max_age: Some(Duration::from_secs(60)), ..Policy::default() });
    seen.remote.cut_short = true;
    let pairs = world.ledger.pairs(world.id(0)).unwrap();
    let mut compared = compare(pairs, Sides { remote: &seen.remote, local: &seen.local });
    compared.unpaired.remote[0].received_at = Some(39);
    let holds = Sides { remote: &world.holds.remote, local: &world.holds.local };
    let inbox = name(0);
    let folder = Folder { name: &inbox, comparison: &compared, holds, policy: &policy, synced: false };
    let plans = plan(&[folder], 100);
    let whys: Vec<Why> = plans[0].skipped.iter().map(|s| s.why).collect();
    assert_eq!((plans[0].steps.len(), whys), (0, vec![Why::TooOld, Why::CutShort]));
}

#[test]
fn removals_go_to_the_trash_where_there_is_one() {
    let policy = Policy { trash: Some(name(1)), ..Policy::default() };
    let mut world = set_up(&policy, &[["x", ".", "S"], ["T", ".", "."]], true);
    world.sync().unwrap();
    world.sync().unwrap();
    let rows: [Row; 2] = [["", "", ""], ["", "", ""]];
    assert_eq!(after(&world, &rows), ["Archive S | S | Archive S", "Archive . | . | Archive ."]);
    world.edit(Side::Remote, &Edit::Remove { folder: 1, nth: 0 });
    world.sync().unwrap();
    assert_eq!(world.count(Side::Local).values().sum::<usize>(), 1, "what is removed from the trash is removed");
}

#[test]
fn a_death_on_the_way_to_the_trash_leaves_one_copy() {
    let policy = Policy { trash: Some(name(1)), ..Policy::default() };
    for row in [["T", ".", "."], [".", ".", "ST"], ["T", ".", "T"], ["x", ".", "F"], [".", ".", "x"]] {
        for breath in 0.. {
            let mut world = set_up(&policy, &[row], true);
            world.breath = breath;
            let is_over = world.sync().is_ok();
            world.breath = usize::MAX;
            world.sync().unwrap();
            world.sync().unwrap();
            let counts = Sides::of(|side| world.sides.on(side).each_ref().map(|folder| folder.len()));
            assert_eq!(counts, Sides { remote: [0, 1], local: [0, 1] }, "{row:?} after {breath} effects");
            if is_over {
                break;
            }
        }
    }
}

#[test]
fn a_plan_tells_what_the_guard_judges_by() {
    let mut world = set_up(&Policy::default(), &[["x", ".", "."], ["x", ".", "x"], ["F", ".", "."]], true);
    let plan = world.plan().unwrap().remove(0);
    assert_eq!((plan.tally.messages, plan.tally.removals), (1, Sides { remote: 0, local: 1 }));
    assert_eq!((plan.tally.vanished, plan.tally.pairs), (Sides { remote: 2, local: 1 }, 3));
}

#[test]
fn a_later_change_wins_over_one_that_may_have_been_made() {
    for on in Side::BOTH {
        let mut world = set_up(&Policy::default(), &[[".", ".", "."]], true);
        world.sides.on_mut(on.other())[0].values_mut().for_each(|m| m.marks = marks("F"));
        world.breath = 2;
        world.sync().unwrap_err();
        assert!(world.sides.on(on)[0].values().all(|m| m.marks == marks("F")), "made, and not agreed");
        world.sides.on_mut(on.other())[0].values_mut().for_each(|m| m.marks = marks(""));
        world.breath = usize::MAX;
        world.sync().unwrap();
        assert_eq!(after(&world, &[["", "", ""]]), [". | . | ."]);
    }
}
