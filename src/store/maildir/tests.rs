use super::*;
use crate::mail::{Flags, Marks};
use crate::store::Draft;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

const WIRE: &[u8] = b"Message-ID: <1@x>\r\n\r\n..dot\r\nbare\rcr \0\xff\r\nno end";
const STORED: &[u8] = b"Message-ID: <1@x>\n\n..dot\nbare\rcr \0\xff\nno end";

fn maildir() -> (TempDir, Maildir) {
    let root = tempfile::tempdir().unwrap();
    let maildir = Maildir::open(root.path().join("deep/box"), LineEndings::Lf).unwrap();
    (root, maildir)
}

fn stage(maildir: &Maildir, bytes: &[u8], envelope: &Envelope) -> (MaildirStaged, Content) {
    let mut draft = maildir.draft(envelope).unwrap();
    bytes.chunks(7).for_each(|chunk| draft.write(chunk).unwrap());
    draft.finish().unwrap()
}

fn prepare(maildir: &Maildir, bodies: &[&[u8]]) -> (MaildirPrepared, Vec<(Place, Digest)>) {
    let (staged, contents): (Vec<_>, Vec<_>) = bodies.iter().map(|b| stage(maildir, b, &Envelope::default())).unzip();
    let prepared = maildir.prepare(staged).unwrap();
    let arriving = prepared.places().iter().cloned().zip(contents.iter().map(|c| c.digest)).collect();
    (prepared, arriving)
}

fn names(maildir: &Maildir, part: &str) -> Vec<OsString> {
    maildir.list(part).unwrap()
}

fn read(maildir: &Maildir, place: &Place) -> Vec<u8> {
    fs::read(maildir.path.join(&place.0)).unwrap()
}

/// What the ledger and a `kill -9` leave of a batch: nothing of the process, all of the files.
fn killed(prepared: MaildirPrepared) {
    prepared.files.into_iter().for_each(|f| drop(f.keep()));
}

#[test]
fn a_message_goes_from_tmp_to_new_with_lf_line_ends() {
    let (_root, maildir) = maildir();
    let (staged, content) = stage(&maildir, WIRE, &Envelope::default());
    assert_eq!((content.octets, names(&maildir, "tmp").len()), (WIRE.len() as u64, 1));

    let prepared = maildir.prepare(vec![staged]).unwrap();
    let place = prepared.places()[0].clone();
    assert!(names(&maildir, "new").is_empty());
    maildir.publish(prepared).unwrap();

    assert!(place.0.starts_with("new/"));
    assert_eq!(read(&maildir, &place), STORED);
    assert!(names(&maildir, "tmp").is_empty());
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&maildir.path.join(&place.0)), 0o600);
    assert_eq!(mode(&maildir.path.join("cur")), 0o700);
}

#[test]
fn flags_time_and_crlf_are_kept() {
    let (_root, mut maildir) = maildir();
    maildir.line_endings = LineEndings::Crlf;
    let flags = Flags::SEEN | Flags::from_imap("\\Answered");
    for received_at in [1_000_000_000, -86_400] {
        let envelope = Envelope { marks: Marks::of(flags), received_at: Some(received_at), size: Some(u64::MAX) };
        let prepared = maildir.prepare(vec![stage(&maildir, WIRE, &envelope).0]).unwrap();
        let place = prepared.places()[0].clone();
        maildir.publish(prepared).unwrap();
        assert!(place.0.starts_with("cur/") && place.0.ends_with(":2,RS"));
        assert_eq!(read(&maildir, &place), WIRE);
        assert_eq!(fs::metadata(maildir.path.join(&place.0)).unwrap().mtime(), received_at);
    }
}

#[test]
fn large_writes_and_many_small_ones_arrive_in_order() {
    let (_root, maildir) = maildir();
    let lines: Vec<u8> = (0..40_000).flat_map(|i| format!("{i}\r\n").into_bytes()).collect();
    for size in [1000, 70_000, usize::MAX] {
        let mut draft = maildir.draft(&Envelope::default()).unwrap();
        lines.chunks(size).for_each(|chunk| draft.write(chunk).unwrap());
        let prepared = maildir.prepare(vec![draft.finish().unwrap().0]).unwrap();
        let place = prepared.places()[0].clone();
        maildir.publish(prepared).unwrap();
        assert_eq!(
            read(&maildir, &place),
            String::from_utf8(lines.clone()).unwrap().replace("\r\n", "\n").into_bytes()
        );
    }
}

#[test]
fn what_is_dropped_leaves_no_trace() {
    let (_root, maildir) = maildir();
    let mut draft = maildir.draft(&Envelope::default()).unwrap();
    draft.write(WIRE).unwrap();
    drop(draft);
    drop(stage(&maildir, WIRE, &Envelope::default()));
    drop(prepare(&maildir, &[b"a", b"b", b"c"]).0);
    for part in ["tmp", "new", "cur"] {
        assert!(names(&maildir, part).is_empty());
    }
    maildir.publish(maildir.prepare(Vec::new()).unwrap()).unwrap();
}

#[test]
fn a_crash_before_between_and_after_the_renames_is_settled() {
    let bodies: [&[u8]; 3] = [b"one", b"two\r\n", b"two\r\n"];
    for renamed in 0..=3 {
        let (_root, maildir) = maildir();
        let (prepared, arriving) = prepare(&maildir, &bodies);
        killed(prepared);
        for (place, _) in arriving.iter().take(renamed) {
            maildir.rename(&maildir.path.join("tmp").join(base_of(place).unwrap()), place).unwrap();
        }
        for _ in 0..2 {
            assert_eq!(maildir.settle(&arriving, &[]).unwrap(), [true; 3]);
        }
        assert_eq!((names(&maildir, "new").len(), names(&maildir, "tmp").len()), (3, 0));
    }
}

#[test]
fn a_message_that_a_mail_reader_moved_stands_and_one_it_removed_does_not() {
    let (_root, maildir) = maildir();
    let (prepared, arriving) = prepare(&maildir, &[b"one", b"two"]);
    maildir.publish(prepared).unwrap();
    let base = base_of(&arriving[0].0).unwrap();
    fs::rename(maildir.path.join("new").join(base), maildir.path.join(format!("cur/{base}:2,FS"))).unwrap();
    fs::remove_file(maildir.path.join(&arriving[1].0.0)).unwrap();
    assert_eq!(maildir.settle(&arriving, &[]).unwrap(), [true, false]);
}

#[test]
fn a_file_with_other_bytes_is_not_delivered() {
    let (_root, maildir) = maildir();
    let (prepared, arriving) = prepare(&maildir, &[b"one"]);
    fs::write(prepared.files[0].path(), "on").unwrap();
    killed(prepared);
    assert_eq!(maildir.settle(&arriving, &[]).unwrap(), [false]);
    assert!(names(&maildir, "tmp").is_empty());
}

#[test]
fn places_of_other_stores_do_not_stand_and_touch_nothing() {
    let (root, maildir) = maildir();
    let outside = root.path().join("deep/outside");
    fs::write(&outside, "x").unwrap();
    let digest = content(&outside).unwrap().unwrap().digest;
    for place in ["12+34", "new/", "new/../../outside", "new/..", "tmp/x", "cur/a:2,/../../outside", ""] {
        assert_eq!(maildir.settle(&[(Place(place.to_owned()), digest)], &[]).unwrap(), [false], "{place}");
    }
    assert!(outside.exists());
}

#[test]
fn a_scan_reads_every_message_as_on_arrival() {
    let (_root, maildir) = maildir();
    let (prepared, arriving) = prepare(&maildir, &[WIRE, b"two"]);
    maildir.publish(prepared).unwrap();
    stage(&maildir, b"in tmp", &Envelope::default()).0.tmp.keep();
    fs::write(maildir.path.join("cur/.hidden"), "x").unwrap();
    fs::create_dir(maildir.path.join("cur/folder")).unwrap();
    std::os::unix::fs::symlink("nowhere", maildir.path.join("cur/dangling")).unwrap();
    fs::write(maildir.path.join("cur").join(<std::ffi::OsStr as OsStrExt>::from_bytes(b"\xff:2,S")), "three\n")
        .unwrap();

    let mut expected: Vec<_> = arriving.iter().map(|(_, digest)| *digest).collect();
    expected.push(stage(&maildir, b"three", &Envelope::default()).1.digest);
    let mut found: Vec<_> = maildir.scan().unwrap().iter().map(|c| c.digest).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn an_error_among_the_renames_leaves_the_rest_to_settle() {
    let (_root, maildir) = maildir();
    let (prepared, arriving) = prepare(&maildir, &[b"one", b"two", b"three"]);
    fs::remove_file(prepared.files[1].path()).unwrap();
    let e = maildir.publish(prepared).unwrap_err();
    assert_eq!(e.kind(), Kind::LocalIo);
    assert_eq!(maildir.settle(&arriving, &[]).unwrap(), [true, false, true]);
}

#[test]
fn only_our_own_forgotten_files_are_cleared() {
    let (_root, maildir) = maildir();
    let fresh = stage(&maildir, b"x", &Envelope { received_at: Some(0), ..Envelope::default() }).0.tmp.keep();
    fs::write(maildir.path.join("tmp/1700000000.other"), "x").unwrap();
    Maildir::open(&maildir.path, LineEndings::Lf).unwrap();
    assert!(fresh.exists(), "old by its mail's date only");
    assert_eq!(names(&maildir, "tmp").len(), 2);
    maildir.clear_tmp(fs::metadata(&fresh).unwrap().ctime() + TMP_LIFE + 1).unwrap();
    assert_eq!(names(&maildir, "tmp"), ["1700000000.other"]);
}

#[test]
fn a_store_that_cannot_be_made_and_one_that_cannot_be_used_differ() {
    let (root, maildir) = maildir();
    assert!(Maildir::exists(&maildir.path) && !Maildir::exists(root.path()));
    fs::write(root.path().join("file"), "").unwrap();
    let kind = |path: &str| Maildir::open(root.path().join(path), LineEndings::Lf).unwrap_err().kind();
    assert_eq!(kind("file"), Kind::CannotCreate);
    assert_eq!(kind("file/box"), Kind::CannotCreate);
    fs::remove_dir(maildir.path.join("new")).unwrap();
    fs::write(maildir.path.join("new"), "").unwrap();
    assert_eq!(kind("deep/box"), Kind::LocalIo);
}
