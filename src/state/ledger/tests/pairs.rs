use super::*;
use crate::mail::Sides;
use crate::state::pair::read_marks;
use crate::state::{Adoption, Facts, Intent, Leftover, Pair, Why};

fn key(text: &str) -> Key {
    Key::new(text)
}

fn content(n: u8) -> Content {
    Content::known(n.into(), Digest([n; 32]), Fingerprint([n; 16]))
}

fn adoption(n: u8, remote: &str, local: &str, letters: &str) -> Adoption {
    Adoption {
        rows: Sides::default(),
        keys: Sides { remote: key(remote), local: key(local) },
        agreed: marks(letters),
        listed_size: None,
        content: content(n),
    }
}

fn marks(letters: &str) -> Marks {
    read_marks(letters)
}

/// Each pair as a line: keys, what was agreed, where it is gone.
fn told(ledger: &Ledger, folder: FolderId) -> Vec<String> {
    let name = |k: &Option<Key>| k.as_ref().map_or_else(|| "-".to_owned(), Key::to_string);
    let line = |p: &Pair| {
        let gone = p.gone.map_or_else(String::new, |side| format!(" gone {side}"));
        let agreed = crate::state::pair::write_marks(&p.agreed);
        format!("{} {} [{agreed}]{gone}", name(&p.keys.remote), name(&p.keys.local))
    };
    ledger.pairs(folder).unwrap().iter().map(line).collect()
}

#[test]
fn what_was_pulled_is_a_pair_with_the_marks_it_came_with() {
    let (_dir, _, mut ledger, folder) = ledger();
    let arrivals = [
        Arrival { marks: marks("FS work"), place: "cur/1.a:2,FS".into(), ..arrival(Some("7"), 1) },
        Arrival { place: "12+34 From x".into(), ..arrival(Some("8"), 2) },
        Arrival { place: "new/1.c".into(), ..arrival(Some("9"), 3) },
    ];
    let rows = ledger.arriving(folder, &arrivals, 0).unwrap();
    assert_eq!(told(&ledger, folder), [""; 0]);
    ledger.delivered(&rows).unwrap();
    ledger.delete_sent(&rows[2..]).unwrap();
    assert_eq!(told(&ledger, folder), ["7 1.a [FS work]", "8 - []", "9 1.c [] gone remote"]);
    let mut ids: Vec<_> = ledger.rows_of(&[rows[2], RowId(99), rows[0]]).unwrap().iter().map(|r| r.id).collect();
    ids.sort();
    assert_eq!(ids, [rows[0], rows[2]]);
}

#[test]
fn a_key_belongs_to_one_pair_and_halves_become_one() {
    let (_dir, _, mut ledger, folder) = ledger();
    ledger.adopt(folder, &[adoption(1, "1", "a", "S"), adoption(2, "2", "b", "")], 0).unwrap();
    assert_eq!(told(&ledger, folder), ["1 a [S]", "2 b []"]);
    let rows: Vec<RowId> = ledger.pairs(folder).unwrap().iter().map(|p| p.row).collect();
    ledger.rename(folder, Side::Local, &[(rows[0], key("b"))]).unwrap();
    assert_eq!(told(&ledger, folder), ["1 b [S]", "2 - []"]);
    ledger.rename(folder, Side::Remote, &[(rows[0], key("3"))]).unwrap();
    for again in ["new", "newer"] {
        ledger.change_scope(folder, again, true).unwrap();
        let expected = if again == "new" { ["-3 b [S]", "-2 - []"] } else { ["- b [S]", "- - []"] };
        assert_eq!(told(&ledger, folder), expected);
    }
    ledger.rename(folder, Side::Remote, &[(rows[0], key("3"))]).unwrap();
    ledger.change_scope(folder, "other", false).unwrap();
    assert_eq!(told(&ledger, folder), ["- b [S]", "- - []"]);
    let both = Sides { remote: Some(rows[1]), local: Some(rows[0]) };
    ledger.adopt(folder, &[Adoption { rows: both, ..adoption(1, "5", "b", "F") }], 0).unwrap();
    assert_eq!(told(&ledger, folder), ["5 b [F]"]);
    ledger.forget(&rows).unwrap();
    assert_eq!(told(&ledger, folder), [""; 0]);
}

#[test]
fn what_was_found_in_the_store_becomes_a_pair_when_the_server_has_it() {
    let (_dir, _, mut ledger, folder) = ledger();
    let rows = ledger.found(folder, &[(key("a"), content(1)), (key("b"), content(2))], 7).unwrap();
    assert_eq!(told(&ledger, folder), ["- a []", "- b []"]);
    let paired = Paired { row: rows[1], key: Some(key("5")), listed_size: Some(2) };
    ledger.rekey(folder, &[paired]).unwrap();
    assert_eq!(told(&ledger, folder), ["- a []", "5 b []"]);
    assert_eq!(ledger.rows_of(&rows[..1]).unwrap()[0].digest, Digest([1; 32]));
}

#[test]
fn marks_are_pending_until_they_are_agreed() {
    let (_dir, _, mut ledger, folder) = ledger();
    ledger.adopt(folder, &[adoption(1, "1", "a", "S")], 0).unwrap();
    let pair = |l: &Ledger| l.pairs(folder).unwrap().remove(0);
    let row = pair(&ledger).row;
    assert_eq!(pair(&ledger).pending, None);
    ledger.pend(Side::Local, &[(row, marks("F"))]).unwrap();
    ledger.pend(Side::Local, &[(row, marks("R work"))]).unwrap();
    let pending = Sides { remote: Marks::default(), local: marks("FR work") };
    assert_eq!(pair(&ledger).pending, Some(Box::new(pending)));
    ledger.agree(&[(row, marks("FRS work"))]).unwrap();
    assert_eq!((pair(&ledger).pending, pair(&ledger).agreed), (None, marks("FRS work")));
}

#[test]
fn tombstones_outlive_missing_rows_and_can_be_revived() {
    let (_dir, _, mut ledger, folder) = ledger();
    ledger.adopt(folder, &[adoption(1, "1", "a", ""), adoption(2, "2", "b", "")], 0).unwrap();
    let rows: Vec<RowId> = ledger.pairs(folder).unwrap().iter().map(|p| p.row).collect();
    ledger.tombstone(&rows[..1], Some(Side::Remote)).unwrap();
    ledger.mark_missing(&rows, &[], 100, 10).unwrap();
    ledger.mark_missing(&[RowId(99)], &[], 200, 10).unwrap();
    assert_eq!(told(&ledger, folder), ["1 a [] gone remote"]);
    assert_eq!(ledger.folders().unwrap()[0].paired, 0);
    ledger.tombstone(&rows, None).unwrap();
    assert_eq!(told(&ledger, folder), ["1 a []"]);
}

#[test]
fn intents_become_pairs_or_are_forgotten() {
    let (_dir, home, mut ledger, folder) = ledger();
    let other = ledger.begin("Archive", "scope", &[], 0).unwrap().id;
    ledger.adopt(folder, &[adoption(1, "1", "a", "S"), adoption(2, "2", "b", "")], 0).unwrap();
    let rows: Vec<RowId> = ledger.pairs(folder).unwrap().iter().map(|p| p.row).collect();
    let intent = |row, local: &str, n, letters| Intent {
        row,
        local: key(local),
        content: content(n),
        marks: marks(letters),
        uidnext: 40,
        discards: false,
    };
    let sent = [
        intent(None, "x", 3, "F"),
        intent(Some(rows[0]), "a2", 1, "FS"),
        intent(None, "y", 4, ""),
        intent(Some(rows[1]), "b", 2, ""),
    ];
    let ids = ledger.intend(other, &sent).unwrap();
    drop(ledger);
    let mut ledger = Ledger::open(&home).unwrap();
    let expected: Vec<_> = ids.iter().copied().zip(sent).collect();
    assert_eq!((ledger.intents(other).unwrap(), ledger.intents(folder).unwrap()), (expected, vec![]));
    let status: Vec<_> = ledger.folders().unwrap().into_iter().map(|f| (f.name, f.paired, f.sending)).collect();
    assert_eq!(status, [("Archive".to_owned(), 0, 4), ("INBOX".to_owned(), 2, 0)]);
    assert_eq!(ledger.folders_sent_to().unwrap(), ["Archive"]);
    ledger.change_scope(other, "new", false).unwrap();
    assert!(ledger.intents(other).unwrap().iter().all(|(_, i)| i.uidnext == 1), "UIDs of another scope tell nothing");
    ledger.forget(&rows[1..]).unwrap();
    assert_eq!(ledger.intents(other).unwrap()[3].1.row, None);
    let settled = [(ids[0], Some(key("41"))), (ids[1], Some(key("42"))), (ids[2], None)];
    ledger.settled(other, &settled, 5).unwrap();
    assert_eq!(told(&ledger, folder), [""; 0]);
    assert_eq!(told(&ledger, other), ["42 a2 [FS]", "41 x [F]"]);
    assert_eq!(ledger.intents(other).unwrap().len(), 1);
    ledger.relocate(rows[0], folder, &Sides { remote: None, local: Some(key("a3")) }).unwrap();
    assert_eq!((told(&ledger, folder), told(&ledger, other).len()), (vec!["- a3 [FS]".to_owned()], 1));
}

#[test]
fn how_a_folder_was_left_is_kept_until_its_scope_changes() {
    let (_dir, _, mut ledger, folder) = ledger();
    assert_eq!(ledger.facts(folder).unwrap(), Facts::default());
    let facts = Facts {
        baseline: Some(8),
        synced: true,
        messages: Some(3),
        uidnext: Some(u32::MAX),
        highestmodseq: Some(1 << 62),
        times: Some((1, -2)),
        policy: Some("all".into()),
    };
    let leftover = |on, key: &str, why| {
        let (key, marks, size, received_at) = (Key::new(key), read_marks("FS a b"), Some(7), Some(-8));
        Leftover { on, key, marks, size, received_at, why }
    };
    let left = vec![
        leftover(Side::Remote, "9", Some(Why::OneWay)),
        leftover(Side::Remote, "10", None),
        leftover(Side::Local, "9", Some(Why::TooOld)),
    ];
    assert!(!ledger.folders().unwrap()[0].synced);
    assert_eq!(ledger.synced_folders().unwrap(), [""; 0]);
    ledger.set_facts(folder, &facts, &left).unwrap();
    assert_eq!((ledger.facts(folder).unwrap(), ledger.leftovers(folder).unwrap()), (facts, left));
    assert_eq!(ledger.alone_there(folder).unwrap(), 1);
    assert!(ledger.folders().unwrap()[0].synced);
    assert_eq!(ledger.synced_folders().unwrap(), ["INBOX"]);
    ledger.change_scope(folder, "other", false).unwrap();
    let kept = Facts { synced: true, times: Some((1, -2)), policy: Some("all".into()), ..Facts::default() };
    assert_eq!((ledger.facts(folder).unwrap(), ledger.leftovers(folder).unwrap().len()), (kept, 1));
    ledger.set_facts(folder, &Facts::default(), &[]).unwrap();
    assert_eq!(ledger.leftovers(folder).unwrap(), []);
}
