use super::*;
use crate::store::Draft;
use mail_parser::mailbox::mbox::MessageIterator;
use proptest::prelude::*;
use tempfile::TempDir;

const DATE: i64 = 981_173_106;

/// In memory where that is possible: these tests flush a great deal.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn open(root: &TempDir, line_endings: LineEndings) -> Mbox {
    let mut mbox = Mbox::open(root.path().join("deep/box"), line_endings).unwrap();
    mbox.patience = Duration::ZERO;
    mbox
}

/// An mbox that holds the given bytes.
fn holding(bytes: &[u8]) -> (TempDir, Mbox) {
    let root = directory();
    let mbox = open(&root, LineEndings::Lf);
    fs::write(&mbox.path, bytes).unwrap();
    (root, mbox)
}

fn stage(mbox: &Mbox, bytes: &[u8]) -> (MboxStaged, Content) {
    let mut draft = mbox.draft(&Envelope { received_at: Some(DATE), ..Envelope::default() }).unwrap();
    bytes.chunks(7).for_each(|chunk| draft.write(chunk).unwrap());
    draft.finish().unwrap()
}

fn prepare(mbox: &Mbox, bodies: &[impl AsRef<[u8]>]) -> (MboxPrepared, Vec<(Place, Digest)>) {
    let (staged, contents): (Vec<_>, Vec<_>) = bodies.iter().map(|b| stage(mbox, b.as_ref())).unzip();
    let prepared = mbox.prepare(staged).unwrap();
    let arriving = prepared.places().iter().cloned().zip(contents.iter().map(|c| c.digest)).collect();
    (prepared, arriving)
}

fn deliver(mbox: &Mbox, bodies: &[impl AsRef<[u8]>]) -> Vec<(Place, Digest)> {
    let (prepared, arriving) = prepare(mbox, bodies);
    mbox.publish(prepared).unwrap();
    arriving
}

fn read(mbox: &Mbox) -> Vec<u8> {
    fs::read(&mbox.path).unwrap()
}

fn text(mbox: &Mbox) -> String {
    String::from_utf8(read(mbox)).unwrap()
}

fn digests(mbox: &Mbox) -> Vec<Digest> {
    mbox.scan().unwrap().iter().map(|c| c.digest).collect()
}

const ONE: &[u8] = b"From: a@x\r\n\r\none\r\nFrom me\r\n>From you";
const TWO: &[u8] = b"Return-Path: <b@x>\r\n\r\ntwo\r\n\r\n";
const FOREIGN: &str = "From c@x Sun Feb  4 04:05:06 2001\nSubject: theirs\n\nfrom c\n\n";

#[test]
fn records_are_mboxrd_with_lf_line_ends() {
    let (root, mbox) = holding(b"");
    deliver(&mbox, &[ONE, TWO, b""]);
    let expected = "From a@x Sat Feb  3 04:05:06 2001\nFrom: a@x\n\none\n>From me\n>>From you\n\n\
        From b@x Sat Feb  3 04:05:06 2001\nReturn-Path: <b@x>\n\ntwo\n\n\n\
        From MAILER-DAEMON Sat Feb  3 04:05:06 2001\n\n";
    assert_eq!(text(&mbox), expected);
    assert_eq!(fs::read_dir(root.path().join("deep")).unwrap().count(), 1, "locks are gone");
}

#[test]
fn records_have_crlf_line_ends_where_asked_for() {
    let root = directory();
    let mbox = open(&root, LineEndings::Crlf);
    deliver(&mbox, &[&b"From x\r\nbare\nend"[..], b"a: b\r\n"]);
    let expected = "From MAILER-DAEMON Sat Feb  3 04:05:06 2001\r\n>From x\r\nbare\nend\r\n\r\n\
        From MAILER-DAEMON Sat Feb  3 04:05:06 2001\r\na: b\r\n\r\n";
    assert_eq!(text(&mbox), expected);
}

#[test]
fn what_stands_at_the_end_is_finished_first() {
    for (before, padding) in
        [("", ""), (FOREIGN, ""), ("From x\na", "\n\n"), ("From x\na\n", "\n"), ("From x\na\r\n\r\n", ""), ("\n", "")]
    {
        let (_root, mbox) = holding(before.as_bytes());
        let arriving = deliver(&mbox, &[TWO]);
        let after = text(&mbox);
        assert!(after.starts_with(&format!("{before}{padding}From b@x")), "{before:?} {after:?}");
        assert_eq!(mbox.settle(&arriving, &[]).unwrap(), [true]);
    }
}

#[test]
fn a_large_message_takes_the_way_over_a_file() {
    let root = directory();
    for line_endings in [LineEndings::Lf, LineEndings::Crlf] {
        let mbox = open(&root, line_endings);
        fs::write(&mbox.path, "").unwrap();
        let line = format!("From {}\r\n", "x".repeat(20_000));
        let body = format!("From: a@x\r\n\r\n{}\0\u{ff}", line.repeat(3 * draft::MEMORY / line.len()));
        let mut draft = mbox.draft(&Envelope::default()).unwrap();
        body.as_bytes().chunks(4096).for_each(|chunk| draft.write(chunk).unwrap());
        assert_eq!(fs::read_dir(root.path().join("deep")).unwrap().count(), 1, "the file has no name");
        let (staged, content) = draft.finish().unwrap();
        let prepared = mbox.prepare(vec![staged, stage(&mbox, TWO).0]).unwrap();
        let places = prepared.places().to_vec();
        mbox.publish(prepared).unwrap();
        assert_eq!(mbox.scan().unwrap()[0].digest, content.digest);
        assert!(read(&mbox).starts_with(b"From a@x "));
        assert_eq!(Site::of(&places[1]).unwrap().end(), read(&mbox).len() as u64);
    }
}

#[test]
fn other_programs_can_read_it() {
    let (_root, mbox) = holding(b"");
    deliver(&mbox, &[ONE, TWO]);
    let messages: Vec<_> = MessageIterator::new(&read(&mbox)[..]).map(|m| m.unwrap()).collect();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].contents(), b"From: a@x\n\none\nFrom me\n>From you\n\n");
    assert_eq!((messages[1].from(), messages[1].internal_date()), ("b@x", DATE as u64));
}

#[test]
fn a_file_that_is_no_mbox_is_refused() {
    let root = directory();
    let path = root.path().join("box");
    let kind = |path: &Path| Mbox::open(path, LineEndings::Lf).err().map(|e| e.kind());
    for (content, expected) in [
        ("", None),
        ("\n\r\n", None),
        ("\nFrom x", None),
        ("Fro", None),
        ("From: x", Some(Kind::Data)),
        (" From x", Some(Kind::Data)),
        ("\0", Some(Kind::Data)),
    ] {
        fs::write(&path, content).unwrap();
        assert_eq!(kind(&path), expected, "{content:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    assert_eq!(kind(root.path()), Some(Kind::Data));
    assert_eq!(kind(&path.join("below")), Some(Kind::CannotCreate));
}

#[test]
fn a_dropped_batch_leaves_no_trace_and_no_lock() {
    let (_root, mbox) = holding(FOREIGN.as_bytes());
    let (prepared, arriving) = prepare(&mbox, &[ONE, TWO]);
    assert_eq!(mbox.scan().unwrap_err().kind(), Kind::TryLater, "the batch holds the lock");
    drop(prepared);
    assert_eq!(text(&mbox), FOREIGN);
    assert_eq!(mbox.settle(&arriving, &[]).unwrap(), [false, false]);
    mbox.publish(mbox.prepare(Vec::new()).unwrap()).unwrap();
    assert_eq!(text(&mbox), FOREIGN);
}

#[test]
fn a_mailbox_that_grew_without_a_lock_is_not_written_to() {
    let (_root, mbox) = holding(b"");
    let (prepared, _) = prepare(&mbox, &[ONE]);
    fs::write(&mbox.path, FOREIGN).unwrap();
    assert_eq!(mbox.publish(prepared).unwrap_err().kind(), Kind::TryLater);
    assert_eq!(text(&mbox), FOREIGN);
}

/// Cuts the mbox after a delivery at each octet, as a crash would.
#[test]
fn a_crash_at_any_octet_is_settled() {
    for before in ["", FOREIGN, "From x\nunfinished"] {
        let (_root, mbox) = holding(before.as_bytes());
        let arriving = deliver(&mbox, &[ONE, TWO, ONE]);
        let whole = read(&mbox);
        let sites: Vec<Site> = arriving.iter().map(|(place, _)| Site::of(place).unwrap()).collect();
        for cut in before.len()..=whole.len() {
            fs::write(&mbox.path, &whole[..cut]).unwrap();
            let expected: Vec<bool> = sites.iter().map(|s| s.end() <= cut as u64).collect();
            assert_eq!(mbox.settle(&arriving, &[]).unwrap(), expected, "{cut}");
            let ends = sites.iter().map(|s| s.end()).filter(|end| *end <= cut as u64).max();
            let kept = ends.unwrap_or((cut as u64).min(sites[0].at)) as usize;
            assert_eq!(read(&mbox), &whole[..kept], "{cut}");
            assert_eq!(mbox.settle(&arriving, &[]).unwrap(), expected, "again {cut}");

            let again: Vec<&[u8]> =
                [ONE, TWO, ONE].into_iter().zip(&expected).filter(|(_, e)| !**e).map(|(b, _)| b).collect();
            deliver(&mbox, &again);
            assert_eq!(read(&mbox), whole, "{cut}");
        }
    }
}

#[test]
fn mail_that_others_delivered_after_the_crash_is_kept() {
    let (_root, mbox) = holding(FOREIGN.as_bytes());
    let arriving = deliver(&mbox, &[ONE, TWO]);
    let whole = text(&mbox);
    let site = Site::of(&arriving[0].0).unwrap();
    // At a line end, within a line, within a quoted line.
    let cuts = [whole.find("From: a@x\n"), whole.find("one"), whole.find("me\n>>")].map(|at| at.unwrap() + 1);
    for cut in cuts.into_iter().chain([site.at as usize + 40]) {
        fs::write(&mbox.path, format!("{}{FOREIGN}{FOREIGN}", &whole[..cut])).unwrap();
        assert_eq!(mbox.settle(&arriving, &[]).unwrap(), [false, false], "{cut}");
        let blank = "\n".repeat(cut - site.at as usize);
        assert_eq!(text(&mbox), format!("{FOREIGN}{blank}{FOREIGN}{FOREIGN}"), "{cut}");
        assert_eq!(digests(&mbox), [stage(&mbox, FOREIGN.split_once('\n').unwrap().1.as_bytes()).1.digest; 3]);
        assert_eq!(mbox.settle(&arriving, &[]).unwrap(), [false, false], "{cut}");
    }
}

#[test]
fn a_damaged_record_is_taken_away_and_what_follows_is_kept() {
    let (_root, mbox) = holding(b"");
    let arriving = deliver(&mbox, &[TWO, ONE, TWO]);
    let whole = text(&mbox);
    fs::write(&mbox.path, whole.replace("one", "\0\0\0")).unwrap();
    assert_eq!(mbox.settle(&arriving, &[]).unwrap(), [true, false, true]);
    assert_eq!(mbox.scan().unwrap().len(), 2);

    fs::write(&mbox.path, whole.replace("one", "\0\0\0").replace("two", "\0\0\0")).unwrap();
    assert_eq!(mbox.settle(&arriving, &[]).unwrap(), [false; 3]);
    assert_eq!(text(&mbox), "");
}

#[test]
fn a_mailbox_that_a_mail_reader_rewrote_is_searched() {
    let (_root, mbox) = holding(FOREIGN.as_bytes());
    let arriving = deliver(&mbox, &[ONE, TWO]);
    let after = text(&mbox).strip_prefix(FOREIGN).unwrap().to_owned();
    fs::write(&mbox.path, &after).unwrap();
    assert_eq!(mbox.settle(&arriving, &[]).unwrap(), [true, true]);
    assert_eq!(text(&mbox), after);

    // The first was read and removed: the second stands where it began.
    let second = format!("{FOREIGN}{}", &after[after.find("From b@x").unwrap()..]);
    for mailbox in [second.clone(), format!("{second}{FOREIGN}")] {
        fs::write(&mbox.path, &mailbox).unwrap();
        assert_eq!(mbox.settle(&arriving, &[]).unwrap(), [false, true]);
        assert_eq!(text(&mbox), mailbox);
    }
    // Both were, and somebody else's mail stands there.
    fs::write(&mbox.path, format!("{FOREIGN}{FOREIGN}")).unwrap();
    assert_eq!(mbox.settle(&arriving, &[]).unwrap(), [false, false]);
    assert_eq!(text(&mbox), format!("{FOREIGN}{FOREIGN}"));
}

#[test]
fn a_message_of_one_sender_and_second_that_moved_up_is_not_taken_for_a_beginning() {
    let (_root, mbox) = holding(b"");
    let arriving = deliver(&mbox, &[&b"From: a@x\r\n\r\nlong and longer\r\n"[..], b"From: a@x\r\n\r\nshort\r\n"]);
    let second = text(&mbox).split_off(Site::of(&arriving[1].0).unwrap().at as usize);
    fs::write(&mbox.path, &second).unwrap();
    assert_eq!(mbox.settle(&arriving, &[]).unwrap(), [false, true]);
    assert_eq!(text(&mbox), second);
}

#[test]
fn an_equal_message_of_an_earlier_delivery_does_not_stand_for_a_new_one() {
    let (_root, mbox) = holding(b"");
    deliver(&mbox, &[TWO]);
    let before = read(&mbox);
    let mut draft = mbox.draft(&Envelope::default()).unwrap();
    draft.write(TWO).unwrap();
    let (staged, content) = draft.finish().unwrap();
    let place = mbox.prepare(vec![staged]).unwrap().places()[0].clone();
    assert_eq!(mbox.settle(&[(place, content.digest)], &[]).unwrap(), [false]);
    assert_eq!(read(&mbox), before);
}

#[test]
fn places_of_other_stores_touch_nothing() {
    let (_root, mbox) = holding(FOREIGN.as_bytes());
    let digest = stage(&mbox, ONE).1.digest;
    for place in
        ["new/x", "0+1", "0+99999 From ", "1+5 From x", "18446744073709551615+1 From x", "9999+1 From x", "0+80 x", ""]
    {
        assert_eq!(mbox.settle(&[(Place(place.to_owned()), digest)], &[]).unwrap(), [false], "{place}");
        assert_eq!(text(&mbox), FOREIGN);
    }
}

#[test]
fn a_long_unfinished_record_is_blanked_whole() {
    let body = format!("From: a@x\r\n\r\n{}", "text\r\n".repeat(50_000));
    for (before, kept) in [(FOREIGN, FOREIGN), ("", "From a@x Sat Feb  3 04:05:06 2001\n")] {
        let (_root, mbox) = holding(before.as_bytes());
        let arriving = deliver(&mbox, &[body.as_bytes()]);
        let whole = read(&mbox);
        let cut = whole.len() - 10_003;
        fs::write(&mbox.path, [&whole[..cut], FOREIGN.as_bytes()].concat()).unwrap();
        for _ in 0..2 {
            assert_eq!(mbox.settle(&arriving, &[]).unwrap(), [false]);
            assert_eq!(text(&mbox), format!("{kept}{}{FOREIGN}", "\n".repeat(cut - kept.len())));
        }
    }
}

/// Messages made of what matters to an mbox.
fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let piece = prop::sample::select(vec![
        &b"From "[..],
        b">",
        b"From a@b Sat Feb  3 04:05:06 2001",
        b"\n",
        b"\r\n",
        b"\r",
        b".",
        b"\0",
        b"\xff",
        b"Fro",
        b"a: b",
    ]);
    let message = proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat());
    proptest::collection::vec(message, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_message_is_read_back_as_it_came(bodies in messages(), crlf: bool) {
        let root = directory();
        let mbox = open(&root, if crlf { LineEndings::Crlf } else { LineEndings::Lf });
        let (first, second) = bodies.split_at(bodies.len() / 2);
        let mut arriving = deliver(&mbox, first);
        arriving.extend(deliver(&mbox, second));
        let expected: Vec<Digest> = arriving.iter().map(|(_, digest)| *digest).collect();
        prop_assert_eq!(digests(&mbox), expected);
        prop_assert_eq!(mbox.settle(&arriving, &[]).unwrap(), vec![true; arriving.len()]);
    }

    #[test]
    fn a_crash_and_a_foreign_delivery_lose_and_double_nothing(bodies in messages(), cut in 0.0..1.0f64, glued: bool) {
        let (_root, mbox) = holding(FOREIGN.as_bytes());
        let theirs = digests(&mbox);
        let arriving = deliver(&mbox, &bodies);
        let whole = read(&mbox);
        let from = Site::of(&arriving[0].0).unwrap().at as usize;
        let cut = from + ((whole.len() - from) as f64 * cut) as usize;
        // Behind a `>` nobody could tell it from a quoted line, nor where our own text holds a From_ line within a line.
        let within = whole[from..cut].windows(12).any(|w| w[0] != b'\n' && w.ends_with(b"From a@b Sa"));
        let glued = glued && whole[cut - 1] != b'>' && !within;
        let line_end = if glued || whole[cut - 1] == b'\n' { "" } else { "\n" };
        fs::write(&mbox.path, [&whole[..cut], line_end.as_bytes(), FOREIGN.as_bytes()].concat()).unwrap();
        let stands = mbox.settle(&arriving, &[]).unwrap();
        let found = digests(&mbox);
        prop_assert_eq!(found.iter().filter(|d| **d == theirs[0]).count(), 2);
        // What is left of an unfinished record may look like a message; it is never taken for one of ours.
        let whole_ones = arriving.iter().zip(&stands).filter(|(_, s)| **s);
        prop_assert!(whole_ones.clone().all(|((_, digest), _)| found.contains(digest)));
        prop_assert!(found.len() >= 2 + whole_ones.count());
    }

    #[test]
    fn reading_never_panics_and_cuts_do_not_matter(bytes in proptest::collection::vec(prop::sample::select(b"From >\r\nx".to_vec()), 0..80)) {
        let (_root, mbox) = holding(&bytes);
        let whole = mbox.scan().unwrap();
        let mut reader = reader::Reader::new(0);
        let mut joined = Vec::new();
        let mut starts = 0;
        let mut take = |piece: reader::Piece<'_>| match piece {
            reader::Piece::Start(at, line) => {
                assert!(bytes[at as usize..].starts_with(line));
                starts += 1;
            }
            reader::Piece::Bytes(some) => joined.extend_from_slice(some),
        };
        bytes.chunks(1).for_each(|b| reader.feed(b, &mut take));
        reader.finish(&mut take);
        prop_assert_eq!(starts, whole.len());
        prop_assert!(whole.iter().map(|c| c.octets).sum::<u64>() <= joined.len() as u64);
    }
}

#[test]
fn a_copy_that_arrived_before_stands_for_no_other() {
    let (_root, mbox) = holding(b"");
    let before = deliver(&mbox, &[TWO]);
    let (prepared, arriving) = prepare(&mbox, &[TWO]);
    drop(prepared);
    assert_eq!(mbox.settle(&arriving, &before[..1]).unwrap(), [false]);
    let arriving = deliver(&mbox, &[TWO]);
    let moved = format!("{FOREIGN}{}", text(&mbox));
    fs::write(&mbox.path, moved).unwrap();
    assert_eq!(mbox.settle(&arriving, &before[..1]).unwrap(), [true]);
}

#[test]
fn a_foreign_record_glued_to_the_from_line_is_no_empty_message() {
    let (_root, mbox) = holding(b"");
    let arriving = deliver(&mbox, &[b""]);
    fs::write(&mbox.path, format!("From MAILER-{FOREIGN}")).unwrap();
    assert_eq!(mbox.settle(&arriving, &[]).unwrap(), [false]);
    assert_eq!(digests(&mbox), digests(&holding(FOREIGN.as_bytes()).1));
}
