//! Changes on either side come to the other.

use super::*;

#[test]
pub fn a_first_sync_brings_all_and_the_second_nothing() {
    let pair = Pair::with("");
    for (name, bytes) in mail::nasty() {
        pair.user.deliver_as("INBOX", &bytes, if name.len() % 2 == 0 { "FS" } else { "" }, SystemTime::UNIX_EPOCH);
    }
    let n = mail::nasty().len();
    assert_eq!(pair.sync(), format!("fetched {n}"));
    pair.is_idle();
    let mut here: Vec<_> = pair.here("INBOX").into_iter().map(|m| (m.bytes, m.flags)).collect();
    let sent = |bytes: &[u8]| mail::with_lf(&Dovecot::sends(Protocol::Imap, &mail::with_lf(bytes)));
    let mut there: Vec<_> = pair.user.messages("INBOX").into_iter().map(|m| (sent(&m.bytes), m.flags)).collect();
    here.sort();
    there.sort();
    assert_eq!(here.len(), n);
    assert!(here == there, "the sides differ");
}

#[test]
pub fn what_no_mail_should_be_goes_up_once_and_is_recognised() {
    let pair = Pair::of(1, "");
    let cur = pair.path("INBOX").join("cur");
    // No server takes an empty message, and Dovecot replaces NUL, in a header beyond recognition.
    let able = |(name, _): &(&str, Vec<u8>)| !["empty", "no text at all"].contains(name);
    let all: Vec<_> = mail::nasty().into_iter().filter(able).collect();
    for (i, (_, bytes)) in all.iter().enumerate() {
        fs::write(cur.join(format!("{i}.as.it.is:2,S")), bytes).unwrap();
    }
    let first = pair.run(&[]).expect(0);
    assert_eq!(counts(&first), format!("uploaded {}", all.len()), "{}", first.stderr);
    pair.is_idle();
    fs::remove_dir_all(pair.ferry.state_dir()).unwrap();
    assert_eq!(pair.sync(), format!("adopted {}", all.len() + 1));
    pair.is_idle();
    assert_eq!(pair.user.messages("INBOX").len(), all.len() + 1);
}

#[test]
fn an_empty_file_is_no_message() {
    let pair = Pair::of(1, "");
    fs::write(pair.path("INBOX").join("cur").join("empty.file:2,S"), "").unwrap();
    let first = pair.run(&[]).expect(0);
    assert_eq!(counts(&first), "skipped 1");
    let told: Vec<_> = first.events().into_iter().filter(|e| e["action"] == "skip").collect();
    assert_eq!((told.len(), told[0]["reason"].as_str()), (1, Some("an empty file, which no server takes")));
    pair.is_idle();
}

#[test]
fn what_is_too_large_goes_neither_way() {
    let pair = Pair::with("\n[accounts.x.sync]\nmax_size = \"1 kB\"\n");
    pair.user.deliver("INBOX", &[message(1), [message(2), vec![b'x'; 2000]].concat()]);
    pair.add_here("INBOX", 3);
    fs::write(pair.file("INBOX", 3), [mail::with_lf(&message(3)), vec![b'x'; 2000]].concat()).unwrap();
    assert_eq!(pair.sync(), "fetched 1, skipped 2");
    pair.rest("INBOX");
    // The last time nothing is looked at any more.
    for _ in 0..2 {
        let run = pair.run(&[]).expect(0);
        assert_eq!(counts(&run), "skipped 2");
        assert_eq!(run.events().iter().filter(|e| e["action"] == "skip").count(), 2);
    }
    assert_eq!((pair.here("INBOX").len(), pair.user.messages("INBOX").len()), (2, 2));
}

#[test]
pub fn new_messages_travel_both_ways() {
    let pair = Pair::of(2, "");
    pair.add_here("INBOX", 3);
    pair.user.deliver_as("INBOX", &message(4), "RS", SystemTime::UNIX_EPOCH);
    assert_eq!(pair.sync(), "fetched 1, uploaded 1");
    assert_eq!(pair.both("INBOX"), "1 2 3S 4RS");
    pair.is_idle();
}

#[test]
pub fn flags_merge_each_on_its_own() {
    let pair = Pair::of(4, "");
    pair.mark_here(1, "F");
    pair.there(&["flags add", "\\Answered"], 1);
    pair.mark_here(2, "S");
    pair.there(&["flags add", "\\Seen"], 2);
    pair.there(&["flags add", "\\Flagged"], 3);
    assert_eq!(pair.sync(), "flags_local 2, flags_remote 1");
    assert_eq!(pair.both("INBOX"), "1FR 2S 3F 4");
    pair.mark_here(1, "R");
    pair.there(&["flags remove", "\\Answered"], 1);
    pair.there(&["flags remove", "\\Flagged"], 3);
    assert_eq!(pair.sync(), "flags_local 2, flags_remote 1");
    assert_eq!(pair.both("INBOX"), "1 2S 3 4");
    pair.is_idle();
}

#[test]
pub fn keywords_travel_by_their_names() {
    let pair = Pair::of(2, "");
    pair.there(&["flags add", "$Junk work"], 1);
    assert_eq!(pair.sync(), "flags_local 1");
    let names = fs::read_to_string(pair.path("INBOX").join("dovecot-keywords")).unwrap();
    assert!(names.contains("$Junk") && names.contains("work"), "{names}");
    assert_eq!(pair.here("INBOX").iter().find(|m| number(m) == 1).unwrap().flags.len(), 2);
    let work = names.lines().find(|l| l.ends_with("work")).unwrap().split(' ').next().unwrap().parse::<u8>().unwrap();
    pair.mark_here(2, &char::from(b'a' + work).to_string());
    pair.mark_here(1, &char::from(b'a' + work).to_string());
    assert_eq!(pair.sync(), "flags_remote 2");
    assert_eq!(pair.user.flags("INBOX"), ["flags", "work", "work"][1..]);
    pair.is_idle();
}

#[test]
pub fn deletions_travel_both_ways_and_win_over_marks() {
    let pair = Pair::of(6, "");
    fs::remove_file(pair.file("INBOX", 1)).unwrap();
    pair.there(&["expunge"], 2);
    pair.mark_here(3, "ST");
    pair.there(&["flags add", "\\Deleted"], 4);
    fs::remove_file(pair.file("INBOX", 5)).unwrap();
    pair.there(&["flags add", "\\Flagged"], 5);
    assert_eq!(pair.sync(), "deleted_local 3, deleted_remote 4");
    assert_eq!(pair.both("INBOX"), "6");
    pair.is_idle();
}

#[test]
pub fn a_deletion_that_may_not_travel_stays_where_it_was_made() {
    let pair = Pair::of(4, "\n[accounts.x.sync]\ndelete = \"none\"\n");
    fs::remove_file(pair.file("INBOX", 1)).unwrap();
    pair.there(&["expunge"], 2);
    assert_eq!(pair.sync(), "");
    pair.is_idle();
    assert_eq!(pair.here("INBOX").iter().map(number).collect::<Vec<_>>().len(), 3);
    assert_eq!(pair.user.messages("INBOX").len(), 3);
}

#[test]
pub fn moves_are_moves_on_the_other_side_too() {
    let pair = Pair::of(4, "");
    pair.add_here("Archive", 9);
    assert_eq!(pair.sync(), "uploaded 1");
    // A mail reader that keeps the name, and one that gives another.
    let kept = pair.file("INBOX", 1);
    fs::rename(&kept, pair.path("Archive").join("cur").join(kept.file_name().unwrap())).unwrap();
    fs::rename(pair.file("INBOX", 2), pair.path("Archive").join("cur").join("other.name:2,RS")).unwrap();
    pair.there(&["move", "Archive"], 3);
    let counts = pair.run(&[]).expect(0);
    assert_eq!(super::counts(&counts), "flags_remote 1, moved_local 1, moved_remote 2");
    assert_eq!(counts.summary_of("x")["bytes_out"], 0);
    assert_eq!(counts.summary_of("x")["bytes_in"], 0);
    assert_eq!((pair.both("INBOX"), pair.both("Archive")), ("4".to_owned(), "1 2RS 3 9S".to_owned()));
    pair.is_idle();
}

#[test]
pub fn a_move_goes_well_with_a_deletion() {
    let pair = Pair::of(4, "");
    pair.add_here("Archive", 9);
    assert_eq!(pair.sync(), "uploaded 1");
    let moved = pair.file("INBOX", 1);
    fs::rename(&moved, pair.path("Archive").join("cur").join(moved.file_name().unwrap())).unwrap();
    pair.there(&["flags add", "\\Deleted"], 2);
    fs::remove_file(pair.file("INBOX", 3)).unwrap();
    assert_eq!(pair.sync(), "deleted_local 1, deleted_remote 2, moved_remote 1");
    assert_eq!((pair.both("INBOX"), pair.both("Archive")), ("4".to_owned(), "1 9S".to_owned()));
    pair.is_idle();
}

#[test]
pub fn a_move_that_is_cut_off_is_finished() {
    for command in [" MOVE ", " COPY ", "(\\Deleted)", " EXPUNGE"] {
        let (pair, cutter) = Pair::with_cutter();
        pair.user.deliver("INBOX", &[message(1), message(2)]);
        pair.add_here("Archive", 9);
        pair.sync();
        let moved = pair.file("INBOX", 1);
        fs::rename(&moved, pair.path("Archive").join("cur").join(moved.file_name().unwrap())).unwrap();
        cutter.arm_before(command);
        cutter.stay_cut();
        let run = pair.run(&[]);
        let cut = !cutter.disarm();
        assert_eq!(run.code, Some(if cut { 75 } else { 0 }), "{command}: {}", run.stderr);
        pair.run(&[]).expect(0);
        assert_eq!((pair.both("INBOX"), pair.both("Archive")), ("2".to_owned(), "1 9S".to_owned()), "{command}");
        pair.is_idle();
    }
}

#[test]
pub fn what_is_thrown_away_amid_a_cut_is_in_the_trash_once() {
    for command in [" MOVE ", " COPY ", "(\\Deleted)", " EXPUNGE"] {
        let (pair, cutter) = Pair::behind_cutter(variants::dovecot(), "\n[accounts.x.sync]\ntrash = \"Trash\"\n");
        pair.user.deliver("INBOX", &[message(1), message(2), message(3)]);
        pair.add_here("Trash", 9);
        pair.sync();
        fs::remove_file(pair.file("INBOX", 1)).unwrap();
        pair.mark_here(2, "T");
        cutter.arm_before(command);
        cutter.stay_cut();
        let run = pair.run(&[]);
        let cut = !cutter.disarm();
        assert_eq!(run.code, Some(if cut { 75 } else { 0 }), "{command}: {}", run.stderr);
        pair.run(&[]).expect(0);
        assert_eq!((pair.both("INBOX"), pair.both("Trash")), ("3".to_owned(), "1 2 9S".to_owned()), "{command}");
        pair.is_idle();
    }
}

#[test]
pub fn a_move_takes_along_what_was_marked_on_the_other_side() {
    let pair = Pair::of(3, "");
    pair.add_here("Archive", 9);
    assert_eq!(pair.sync(), "uploaded 1");
    pair.mark_here(1, "F");
    pair.there(&["move", "Archive"], 1);
    pair.there(&["flags add", "\\Answered"], 2);
    let moved = pair.file("INBOX", 2);
    fs::rename(&moved, pair.path("Archive").join("cur").join(moved.file_name().unwrap())).unwrap();
    let counted = "flags_local 1, flags_remote 1, moved_local 1, moved_remote 1";
    assert_eq!(counts(&pair.run(&["--dry-run"]).expect(0)), counted);
    assert_eq!(pair.sync(), counted);
    assert_eq!((pair.both("INBOX"), pair.both("Archive")), ("3".to_owned(), "1F 2R 9S".to_owned()));
    pair.is_idle();
}

#[test]
pub fn a_message_moved_on_both_sides_is_where_the_server_has_it() {
    let pair = Pair::of(5, "");
    pair.add_here("A", 8);
    pair.add_here("B", 9);
    assert_eq!(pair.sync(), "uploaded 2");
    let to = |n: usize, place: &str, name: &str| {
        fs::rename(pair.file("INBOX", n), pair.path(place).join("cur").join(name)).unwrap();
    };
    // Moved to two places; here into the folder in which it is there; renamed here and moved there; and deleted there.
    to(1, "A", "one.moved:2,F");
    pair.there(&["move", "B"], 1);
    to(2, "B", "two.moved:2,");
    pair.there(&["move", "B"], 2);
    to(3, "INBOX", "three.renamed:2,R");
    pair.there(&["move", "A"], 3);
    to(4, "INBOX", "four.renamed:2,S");
    pair.there(&["expunge"], 4);
    let outcome = pair.run(&[]).expect(0);
    assert_eq!(counts(&outcome), "flags_remote 2, deleted_local 1, moved_local 2, adopted 1");
    assert_eq!((&outcome.summary_of("x")["bytes_in"], &outcome.summary_of("x")["bytes_out"]), (&0.into(), &0.into()));
    assert_eq!(["INBOX", "A", "B"].map(|f| pair.both(f)), ["5", "3R 8S", "1F 2 9S"]);
    pair.is_idle();
}

#[test]
pub fn a_dry_run_tells_and_changes_nothing() {
    let pair = Pair::of(3, "");
    pair.add_here("INBOX", 4);
    pair.mark_here(1, "F");
    fs::remove_file(pair.file("INBOX", 2)).unwrap();
    let before = (pair.here("INBOX"), pair.user.flags("INBOX"));
    let told = pair.run(&["--dry-run"]).expect(0);
    assert_eq!(counts(&told), "uploaded 1, flags_remote 1, deleted_remote 1");
    let actions: Vec<String> = (told.events().iter())
        .filter(|e| e["event"] == "message")
        .map(|e| format!("{} {}", e["side"].as_str().unwrap(), e["action"].as_str().unwrap()))
        .collect();
    assert_eq!(actions, ["remote would_copy", "remote would_flags", "remote would_delete"]);
    assert_eq!((pair.here("INBOX"), pair.user.flags("INBOX")), before);
    assert_eq!(pair.sync(), "uploaded 1, flags_remote 1, deleted_remote 1");
    assert_eq!(pair.both("INBOX"), "1F 3 4S");
}

#[test]
fn a_dry_run_names_folders_that_would_be_made_and_moves_to_the_trash() {
    let pair = Pair::of(2, "\n[accounts.x.sync]\ntrash = \"Bin\"\n");
    fs::remove_file(pair.file("INBOX", 1)).unwrap();
    pair.add_here("Mine", 3);
    pair.user.deliver("Theirs", &[message(4)]);
    // What has come into the trash on one side is brought to the other in the same run.
    for (args, would) in [(&["--dry-run"][..], "would_"), (&[], "")] {
        let run = pair.run(args).expect(0);
        assert_eq!(counts(&run), "fetched 2, uploaded 1, moved_remote 1");
        let mut made: Vec<String> = (run.events().iter())
            .filter(|e| e["event"] == "folder_change")
            .map(|e| format!("{} {} {}", e["action"].as_str().unwrap(), e["side"].as_str().unwrap(), e["folder"]))
            .collect();
        made.sort();
        let expected = ["local \"Bin\"", "local \"Theirs\"", "remote \"Bin\"", "remote \"Mine\""];
        assert_eq!(made, expected.map(|f| format!("{would}create {f}")));
        assert_eq!(run.summary_of("x")["folders"], 4);
    }
    pair.is_idle();
}

#[test]
fn a_dry_run_lists_what_comes_into_the_other_trash_as_far_as_it_may() {
    let pair = Pair::of(3, "\n[accounts.x.sync]\ntrash = \"Bin\"\nmax_size = \"1 kB\"\n");
    let large = |n| [message(n), vec![b'x'; 2000]].concat();
    // What is large already is paired by hand.
    pair.user.deliver("INBOX", &[large(4)]);
    fs::write(pair.path("INBOX").join("cur").join("4.reader.host:2,S"), mail::with_lf(&large(4))).unwrap();
    pair.run(&[]).expect(0);
    pair.there(&["expunge"], 1);
    pair.mark_here(2, "T");
    fs::remove_file(pair.file("INBOX", 4)).unwrap();
    for (args, would) in [(&["--dry-run"][..], "would_"), (&[], "")] {
        let run = pair.run(args).expect(0);
        assert_eq!(counts(&run), "uploaded 1, moved_local 2, moved_remote 2, adopted 1, skipped 1");
        let mut told = told(&run, "Bin");
        told.sort();
        assert_eq!(told, ["copy", "skip"].map(|deed| format!("remote {would}{deed}")));
    }
}

/// What a run tells of the messages of a folder: side and deed.
fn told(run: &Outcome, folder: &str) -> Vec<String> {
    let events = run.events();
    let of = events.iter().filter(|e| e["event"] == "message" && e["folder"] == folder);
    of.map(|e| format!("{} {}", e["side"].as_str().unwrap(), e["action"].as_str().unwrap())).collect()
}

#[test]
fn a_dry_run_says_where_only_the_content_can_tell() {
    let pair = Pair::with("");
    pair.user.deliver("INBOX", &[b"Subject: message 1\r\n\r\nneither Message-ID nor Date\r\n".to_vec()]);
    pair.sync();
    fs::remove_dir_all(pair.ferry.state_dir()).unwrap();
    let told = pair.run(&["--dry-run"]).expect(0);
    assert_eq!(counts(&told), "fetched 1, uploaded 1");
    assert!(told.stderr.contains("INBOX: 1 message that is to be copied here may be among those "), "{}", told.stderr);
    assert_eq!(pair.sync(), "adopted 1");
}
