use super::*;
use crate::mail::Marks;

mod pairs;

fn arrival(key: Option<&str>, n: u8) -> Arrival {
    Arrival {
        key: key.map(Key::new),
        listed_size: Some(n.into()),
        wire_size: n.into(),
        digest: Digest([n; 32]),
        fingerprint: Fingerprint([n; 16]),
        place: format!("new/{n}"),
        marks: Marks::default(),
    }
}

fn ledger() -> (tempfile::TempDir, Home, Ledger, FolderId) {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::new(dir.path(), "a");
    std::fs::create_dir_all(dir.path().join("accounts")).unwrap();
    let mut ledger = Ledger::open(&home).unwrap();
    let folder = ledger.begin("INBOX", "scope", &[], 0).unwrap().id;
    (dir, home, ledger, folder)
}

#[test]
fn a_message_passes_its_stations() {
    let (_dir, home, mut ledger, folder) = ledger();
    let ids = ledger.arriving(folder, &[arrival(Some("a"), 1), arrival(Some("b"), 2)], 100).unwrap();
    assert_eq!(ledger.rows(folder).unwrap(), []);
    assert_eq!(ledger.unsettled(folder).unwrap()[1], (ids[1], "new/2".into(), Digest([2; 32])));
    ledger.delivered(&ids[..1]).unwrap();
    assert_eq!(ledger.delivered_like_unsettled(folder).unwrap(), []);
    ledger.arriving(folder, &[arrival(None, 1)], 101).unwrap();
    assert_eq!(ledger.delivered_like_unsettled(folder).unwrap(), [("new/1".into(), Digest([1; 32]))]);
    let ids: Vec<_> = ids.into_iter().chain(ledger.unsettled(folder).unwrap().iter().map(|u| u.0)).collect();
    ledger.never_arrived(&ids).unwrap();
    let row = |l: &Ledger| l.rows(folder).unwrap().remove(0);
    assert_eq!((ledger.rows(folder).unwrap().len(), row(&ledger).status), (1, Status::Delivered));
    ledger.delete_sent(&ids[..1]).unwrap();
    ledger.delete_accepted(&ids[..1], 200).unwrap();
    assert_eq!((row(&ledger).status, row(&ledger).missing_since), (Status::DeleteSent, Some(200)));
    ledger.mark_missing(&ids[..1], &[], 300, 1000).unwrap();
    assert_eq!((row(&ledger).status, row(&ledger).missing_since), (Status::Deleted, Some(200)));
    drop(ledger);
    let mut again = Ledger::open(&home).unwrap();
    assert_eq!(row(&again).key, Some(Key::new("a")));
    again.mark_missing(&[RowId(999)], &[], 1201, 1000).unwrap();
    assert_eq!(again.rows(folder).unwrap(), []);
}

#[test]
fn a_name_that_is_given_again_is_the_newcomers() {
    let (_dir, _, mut ledger, folder) = ledger();
    let place = |n: u8, place: &str| Arrival { place: place.into(), ..arrival(Some("a"), n) };
    for (n, at) in [(1, "new/1"), (2, "cur/1:2,S"), (3, "new/3")] {
        let ids = ledger.arriving(folder, &[place(n, at)], 100).unwrap();
        ledger.delivered(&ids).unwrap();
    }
    let keys: Vec<_> = ledger.rows(folder).unwrap().into_iter().map(|row| row.key).collect();
    assert_eq!(keys, [None, None, Some(Key::new("a"))]);
    let local: Vec<Option<Vec<u8>>> = (1..=3)
        .map(|id| ledger.db.query_row("SELECT local_key FROM message WHERE id = ?1", [id], |r| r.get(0)).unwrap())
        .collect();
    assert_eq!(local, [None, Some(b"1".to_vec()), Some(b"3".to_vec())]);
}

#[test]
fn a_seal_breaks_when_anything_is_known_of_messages_that_was_not() {
    let (_dir, _, mut ledger, folder) = ledger();
    ledger.begin("Sent", "scope", &[], 0).unwrap();
    let run = Run { started: 1, seconds: 0.5, exit: 0, counts: String::new() };
    type Change<'a> = &'a dyn Fn(&mut Ledger) -> Result<()>;
    let changes: [(Change<'_>, bool); 7] = [
        (&|l| l.record(&run), true),
        (&|l| l.set_fact("store of INBOX", "there"), true),
        (&|l| l.set_seal("Sent", Some("other")), true),
        (&|l| l.set_seal("INBOX", None), false),
        (&|l| l.arriving(folder, &[arrival(Some("a"), 1)], 1).map(drop), false),
        (&|l| l.mark_missing(&[RowId(1)], &[], 1, 1), false),
        (&|l| l.quarantine(folder, &[(Key::new("b"), "no".into())], 1), false),
    ];
    for (at, (change, holds)) in changes.into_iter().enumerate() {
        ledger.set_seal("INBOX", Some("one")).unwrap();
        ledger.set_seal("INBOX", Some("two")).unwrap();
        change(&mut ledger).unwrap();
        assert_eq!(ledger.seal("INBOX").unwrap().as_deref(), holds.then_some("two"), "{at}");
    }
    assert_eq!(ledger.seal("Sent").unwrap(), None);
}

#[test]
fn whoever_did_not_wait_for_the_disk_does_again() {
    let (_dir, _, mut ledger, folder) = ledger();
    let ids = ledger.arriving(folder, &[arrival(None, 1)], 100).unwrap();
    let waits = |l: &Ledger| l.db.pragma_query_value(None, "synchronous", |r| r.get::<_, u8>(0)).unwrap() == 2;
    ledger.delivered_unsynced(&ids).unwrap();
    assert_eq!((waits(&ledger), ledger.unsettled(folder).unwrap().len()), (true, 0));
    ledger.db.execute("ALTER TABLE quarantine RENAME TO q", []).unwrap();
    assert!(ledger.delivered_unsynced(&ids).is_err() && waits(&ledger));
}

#[test]
fn what_is_on_its_way_is_found_without_a_look_at_the_rest() {
    let (_dir, _, ledger, _) = ledger();
    let plan = |sql: &str| {
        let explain = format!("EXPLAIN QUERY PLAN {sql}");
        ledger.db.query_row(&explain, [1], |r| r.get::<_, String>("detail")).unwrap()
    };
    let arriving = plan(UNSETTLED);
    assert!(arriving.contains("USING INDEX message_arriving (folder=?)"), "{arriving}");
}

#[test]
fn a_name_belongs_to_one_message_at_a_time() {
    let (_dir, _, mut ledger, folder) = ledger();
    let first = ledger.arriving(folder, &[arrival(Some("a"), 1), arrival(None, 3), arrival(None, 3)], 1).unwrap();
    ledger.delivered(&first).unwrap();
    let second = ledger.arriving(folder, &[arrival(Some("a"), 2)], 2).unwrap();
    ledger.delivered(&second).unwrap();
    let keys = |l: &Ledger| l.rows(folder).unwrap().into_iter().map(|r| r.key.is_some()).collect::<Vec<_>>();
    assert_eq!(keys(&ledger), [false, false, false, true]);
    ledger.rekey(folder, &[Paired { row: first[0], key: Some(Key::new("a")), listed_size: Some(9) }]).unwrap();
    assert_eq!(keys(&ledger), [true, false, false, false]);
    assert_eq!(ledger.rows(folder).unwrap()[0].listed_size, Some(9));
    ledger.change_scope(folder, "other", false).unwrap();
    assert_eq!(keys(&ledger), [false; 4]);
    ledger.set_in_doubt(folder, true).unwrap();
    let found = Folder { id: folder, scope: "other".into(), in_doubt: true };
    assert_eq!(ledger.folder("INBOX").unwrap(), Some(found));
}

#[test]
fn what_stands_in_the_store_is_written_down_with_its_folder() {
    let (_dir, _, mut ledger, _) = ledger();
    let content = |n: u8| Content::known(n.into(), Digest([n; 32]), Fingerprint([n; 16]));
    let folder = ledger.begin("Lists/rust", "scope", &[content(1), content(2)], 7).unwrap();
    assert_eq!(ledger.folder("Lists/rust").unwrap(), Some(folder.clone()));
    let rows = ledger.rows(folder.id).unwrap();
    let told = |r: &Row| (r.key.is_none(), r.wire_size, r.digest, r.status, r.first_seen, r.missing_since);
    let expected = |n: u8| (true, n.into(), Digest([n; 32]), Status::Delivered, 7, None);
    assert_eq!(rows.iter().map(told).collect::<Vec<_>>(), [expected(1), expected(2)]);
    assert!(ledger.begin("Lists/rust", "scope", &[], 8).is_err());
}

#[test]
fn quarantine_counts_tries_until_release() {
    let (_dir, home, mut ledger, folder) = ledger();
    let bad = [(Key::new("x"), "no".to_owned())];
    ledger.quarantine(folder, &bad, 1).unwrap();
    ledger.quarantine(folder, &bad, 2).unwrap();
    assert_eq!(
        ledger.quarantined(folder).unwrap(),
        [Quarantined { key: Key::new("x"), reason: "no".into(), tries: 2 }]
    );
    ledger.arriving(folder, &[arrival(None, 1)], 1).unwrap();
    let mut copy = Ledger::open_copy(&home).unwrap();
    let status = copy.folders().unwrap().remove(0);
    assert_eq!((status.name.as_str(), status.delivered, status.arriving, status.quarantined.len()), ("INBOX", 0, 1, 1));
    copy.release(folder, &[Key::new("x")]).unwrap();
    assert_eq!(copy.quarantined(folder).unwrap(), []);
    assert_eq!(ledger.quarantined(folder).unwrap().len(), 1, "a copy changes nothing");
}

#[test]
fn facts_and_runs_are_kept() {
    let (_dir, _, mut ledger, _) = ledger();
    ledger.set_fact("store", "/a").unwrap();
    ledger.set_fact("store", "/b").unwrap();
    assert_eq!(ledger.fact("store").unwrap().as_deref(), Some("/b"));
    assert_eq!(ledger.last_run().unwrap(), None);
    for exit in 0..=150 {
        ledger.record(&Run { started: 1, seconds: 0.5, exit, counts: "{}".into() }).unwrap();
    }
    assert_eq!(ledger.last_run().unwrap().map(|r| r.exit), Some(150));
    assert_eq!(ledger.db.query_row("SELECT count(*) FROM run", [], |r| r.get::<_, i64>(0)).unwrap(), 100);
}
