//! Plans, each as one line.

use super::*;
use crate::mail::Digest;
use crate::retrieve::Keep;
use std::time::Duration;

const DAY: i64 = 86_400;

/// Message `n`, known to the ledger as `key`, of `size` octets, first seen on day `seen`.
fn row(n: u8, key: Option<&str>, size: u64, status: Status, seen: i64) -> Row {
    Row {
        id: RowId(n.into()),
        key: key.map(Key::new),
        listed_size: Some(size),
        wire_size: size,
        digest: Digest([n; 32]),
        fingerprint: print(n),
        status,
        first_seen: seen * DAY,
        missing_since: None,
    }
}

fn print(n: u8) -> Fingerprint {
    Fingerprint::of_header(format!("Message-ID: <{n}>\n\n").as_bytes())
}

fn listed(handle: u32, key: Option<&str>, size: u64) -> Listed {
    Listed { handle: Handle(handle), key: key.map(Key::new), size: Some(size) }
}

/// One line that says everything about a plan.
fn plan(rows: &[Row], listing: &[Listed], policy: Keep, prints: &[(u32, u8)], in_doubt: bool, firm: bool) -> String {
    let policy = Policy { keep: policy, folders: Vec::new(), max_size: Some(1000) };
    let basis =
        Basis { in_doubt, sizes_believed: true, firm_keys: firm, by_content: false, policy: &policy, now: 100 * DAY };
    let prints = prints.iter().map(|(h, n)| (Handle(*h), print(*n))).collect();
    let failed = [("failed", 1), ("failed twice", 2)].map(|(k, tries)| (Key::new(k), tries)).into();
    let plan = compare(listing, rows, basis).plan(&prints, &failed);
    let handles = |v: &[&Listed]| v.iter().map(|l| l.handle.0.to_string()).collect::<Vec<_>>().join(",");
    let ids = |v: Vec<i64>| v.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    [
        ("had", plan.had.to_string()),
        ("fetch", handles(&plan.fetch)),
        ("large", handles(&plan.too_large)),
        ("delete", ids(plan.delete.iter().map(|h| h.row.0).collect())),
        ("rekey", ids(plan.rekey.iter().map(|p| p.row.0).collect())),
        ("suspect", ids(plan.suspects.iter().map(|r| r.id.0).collect())),
        ("missing", ids(plan.missing.iter().map(|r| r.0).collect())),
        ("back", ids(plan.back.iter().map(|r| r.0).collect())),
        ("doubt", u8::from(plan.in_doubt).to_string()),
    ]
    .iter()
    .filter(|(_, v)| !v.is_empty() && v != "0")
    .map(|(k, v)| format!("{k} {v}"))
    .collect::<Vec<_>>()
    .join("; ")
}

#[test]
fn names_that_hold() {
    use Status::{DeleteSent, Delivered};
    let a = || row(1, Some("a"), 10, Delivered, 90);
    let b = || row(2, Some("b"), 20, Delivered, 50);
    let keep = Keep::Always;
    let is = |rows: &[Row], listing: &[Listed], keep, prints: &[(u32, u8)], expected: &str| {
        assert_eq!(plan(rows, listing, keep, prints, false, false), expected);
    };
    is(&[], &[listed(1, Some("a"), 10)], keep, &[], "fetch 1");
    is(&[a(), b()], &[listed(1, Some("a"), 10), listed(2, Some("c"), 30)], keep, &[], "had 1; fetch 2; missing 2");
    is(&[a()], &[listed(1, Some("a"), 10), listed(2, Some("big"), 1001)], keep, &[], "had 1; large 2");
    let again = [(1, "failed twice", 5), (2, "failed", 5), (3, "n", 5), (4, "a", 10)];
    let again = again.map(|(handle, key, size)| listed(handle, Some(key), size));
    is(&[a()], &again, keep, &[], "had 1; fetch 3,2,1");
    let gone = Row { missing_since: Some(1), ..a() };
    is(&[gone], &[listed(1, Some("a"), 10)], keep, &[], "had 1; back 1");
    // A name given to another message: the size tells, or the fingerprint.
    let reused = [listed(1, Some("a"), 11), listed(2, Some("b"), 20)];
    is(&[a(), b()], &reused, keep, &[(1, 9)], "had 1; fetch 1; suspect 1; doubt 1");
    let pending = row(1, Some("a"), 10, DeleteSent, 90);
    is(
        &[pending.clone(), b()],
        &[listed(1, Some("a"), 10), listed(2, Some("b"), 20)],
        keep,
        &[(1, 9)],
        "had 1; fetch 1; suspect 1",
    );
    // The same message again after a lost QUIT.
    is(std::slice::from_ref(&pending), &[listed(1, Some("a"), 10)], Keep::Never, &[(1, 1)], "had 1; delete 1; rekey 1");
    // Its deletion is confirmed by a listing without it.
    is(&[pending, b()], &[listed(2, Some("b"), 20)], keep, &[], "had 1; missing 1");
}

#[test]
fn what_came_shorter_than_its_size_stays_on_the_server() {
    let short = [Row { wire_size: 10, ..row(1, Some("a"), 40, Status::Delivered, 90) }];
    let listing = [listed(1, Some("a"), 40)];
    let policy = Policy { keep: Keep::Never, folders: Vec::new(), max_size: None };
    for sizes_believed in [true, false] {
        let basis = Basis {
            in_doubt: false,
            sizes_believed,
            firm_keys: true,
            by_content: false,
            policy: &policy,
            now: 100 * DAY,
        };
        let plan = compare(&listing, &short, basis).plan(&BTreeMap::new(), &HashMap::new());
        assert_eq!((plan.had, plan.delete.is_empty()), (1, sizes_believed));
    }
}

#[test]
fn what_is_due_is_recognised_before_it_is_deleted() {
    let old = row(1, Some("a"), 10, Status::Delivered, 50);
    let young = row(2, Some("b"), 20, Status::Delivered, 99);
    let month = Keep::For(Duration::from_secs(30 * 86_400));
    let listing = [listed(1, Some("a"), 10), listed(2, Some("b"), 20)];
    let rows = [old, young];
    assert_eq!(plan(&rows, &listing, month, &[(1, 1)], false, false), "had 2; delete 1; rekey 1");
    assert_eq!(plan(&rows, &listing, month, &[(1, 9)], false, false), "had 1; fetch 1; suspect 1");
    assert_eq!(plan(&rows, &listing, month, &[], false, false), "had 1; fetch 1; suspect 1");
    assert_eq!(plan(&rows, &listing, month, &[], false, true), "had 2; delete 1");
    assert_eq!(plan(&rows, &listing, Keep::Never, &[(1, 1), (2, 2)], false, false), "had 2; delete 1,2; rekey 1,2");
}

#[test]
fn names_that_fail() {
    let rows = [row(1, Some("a"), 10, Status::Delivered, 90), row(2, Some("b"), 20, Status::Delivered, 90)];
    let changed = [listed(1, Some("x"), 10), listed(2, Some("y"), 20), listed(3, Some("z"), 30)];
    let prints = [(1, 1), (2, 2), (3, 3)];
    // All UIDLs changed: until all messages are recognised, names stay in doubt.
    assert_eq!(plan(&rows, &changed, Keep::Always, &prints, false, false), "had 2; fetch 3; rekey 1,2; doubt 1");
    // Under new names only the content allows a deletion.
    assert_eq!(plan(&rows, &changed, Keep::Never, &prints, false, false), "fetch 1,2,3; suspect 1,2; doubt 1");
    let half = [Row { key: Some(Key::new("x")), ..rows[0].clone() }, rows[1].clone()];
    assert_eq!(plan(&half, &changed, Keep::Always, &prints, true, false), "had 2; fetch 3; rekey 2; doubt 1");
    // The scope changed, or the store was found filled: no row has a name.
    let unnamed = rows.clone().map(|r| Row { key: None, ..r });
    assert_eq!(plan(&unnamed, &changed, Keep::Always, &prints, false, true), "had 2; fetch 3; rekey 1,2");
    assert_eq!(plan(&unnamed, &changed, Keep::Always, &[], false, true), "fetch 1,2,3; suspect 1,2");
    let half = [Row { key: Some(Key::new("x")), ..rows[0].clone() }, unnamed[1].clone()];
    assert_eq!(plan(&half, &changed, Keep::Always, &prints, false, true), "had 2; fetch 3; rekey 2");
    // Only some are new: the others' names hold, so what is missing is gone.
    let mixed = [listed(1, Some("a"), 10), listed(2, Some("y"), 20)];
    assert_eq!(plan(&rows, &mixed, Keep::Always, &[(2, 2)], false, false), "had 1; fetch 2; missing 2");
    // No UIDL, or one UIDL twice.
    let nameless = [listed(1, None, 10), listed(2, None, 20), listed(3, None, 20)];
    assert_eq!(
        plan(&rows, &nameless, Keep::Always, &[(1, 1), (2, 2), (3, 2)], false, false),
        "had 2; fetch 3; rekey 1,2; doubt 1"
    );
    assert_eq!(plan(&rows, &nameless, Keep::Always, &[], false, false), "fetch 1,2,3; suspect 1,2; doubt 1");
    // A message whose deletion the server accepted is not what a new one turns out to be.
    let accepted = Row { missing_since: Some(1), ..row(1, Some("a"), 10, Status::DeleteSent, 90) };
    assert_eq!(
        plan(std::slice::from_ref(&accepted), &[listed(1, Some("n"), 10)], Keep::Never, &[(1, 1)], false, false),
        "fetch 1; missing 1"
    );
    // Under its name comes another with an equal header, or the same again: the content tells.
    assert_eq!(
        plan(std::slice::from_ref(&accepted), &[listed(1, Some("a"), 10)], Keep::Never, &[(1, 1)], false, false),
        "fetch 1; suspect 1"
    );
    // The first was deleted by somebody else, and its name went to the second, whose name nobody has now.
    assert_eq!(
        plan(&rows, &[listed(1, Some("a"), 20)], Keep::Always, &[(1, 2)], false, false),
        "had 1; rekey 2; suspect 1; doubt 1"
    );
}

#[test]
fn nothing_is_to_be_done_only_where_nothing_is_to_be_written_down_either() {
    let known = || row(1, Some("a"), 10, Status::Delivered, 99);
    let of_old = |seen| Row { missing_since: Some(seen), ..row(2, Some("b"), 20, Status::Delivered, 99) };
    let a = || listed(1, Some("a"), 10);
    let glance = || Listed { size: None, ..a() };
    let days = |days: u64| Keep::For(Duration::from_secs(days * DAY as u64));
    for (rows, listing, keep, octets, idle) in [
        (vec![known()], vec![a()], Keep::Always, Some(10), true),
        (vec![known()], vec![glance()], Keep::Always, Some(10), true),
        (vec![known(), of_old(1)], vec![glance()], Keep::Always, Some(10), true),
        (vec![known()], vec![glance()], days(30), Some(10), true),
        (vec![known()], vec![glance()], days(1), Some(0), false),
        (vec![Row { listed_size: None, ..known() }], vec![glance()], Keep::Always, None, true),
        (vec![Row { missing_since: Some(5), ..known() }], vec![glance()], Keep::Always, Some(10), false),
        (vec![Row { status: Status::DeleteSent, ..known() }], vec![glance()], Keep::Always, Some(0), false),
        (vec![known(), Row { key: None, ..known() }], vec![glance()], Keep::Always, Some(10), false),
        (vec![known()], vec![glance(), listed(2, Some("b"), 20)], Keep::Always, Some(10), false),
        (vec![known(), Row { missing_since: None, ..of_old(1) }], vec![glance()], Keep::Always, Some(10), false),
    ] {
        let policy = Policy { keep, folders: Vec::new(), max_size: Some(1000) };
        let (in_doubt, now) = (false, 100 * DAY);
        let basis = Basis { in_doubt, sizes_believed: true, firm_keys: false, by_content: false, policy: &policy, now };
        let comparison = compare(&listing, &rows, basis);
        assert_eq!(comparison.octets_listed(), octets, "{rows:?}");
        assert_eq!(comparison.plan(&BTreeMap::new(), &HashMap::new()).is_idle(), idle, "{rows:?}");
    }
}

#[test]
fn witnesses_are_known_by_name_and_have_a_header_that_tells() {
    let weak =
        Row { fingerprint: Fingerprint::of_header(b"Subject: x\n\n"), ..row(3, Some("c"), 30, Status::Delivered, 90) };
    let print_3 = weak.fingerprint;
    let pending = row(4, Some("d"), 40, Status::DeleteSent, 90);
    let empty = Row { fingerprint: Fingerprint::of_header(b"\n"), ..row(6, Some("f"), 60, Status::Delivered, 90) };
    let [a, b] = [(1, "a", 10), (2, "b", 20)].map(|(n, key, size)| row(n, Some(key), size, Status::Delivered, 90));
    let rows = [a, b, weak, pending, empty];
    let names = [(1, "a", 10), (2, "b", 21), (3, "c", 30), (4, "d", 40), (5, "e", 50), (6, "f", 60)];
    let listing = names.map(|(handle, key, size)| listed(handle, Some(key), size));
    let policy = Policy { keep: Keep::Always, folders: Vec::new(), max_size: None };
    for (firm_keys, expected) in [(false, vec![(Handle(1), print(1)), (Handle(3), print_3)]), (true, vec![])] {
        let basis = Basis {
            in_doubt: false,
            sizes_believed: true,
            firm_keys,
            by_content: false,
            policy: &policy,
            now: 100 * DAY,
        };
        assert_eq!(compare(&listing, &rows, basis).witnesses(), expected);
    }
}
