//! A message is moved between the looks of one run at two folders: seen in halves, it would show in both, or in neither.

use super::*;
use std::sync::Arc;

/// A folder that is looked at after the inbox, and the command that opens it.
const LATER: &str = "Later";
const OPENS: &str = "SELECT \"Later\"";

/// Messages 1 and 2 in the inbox, 3 and 4 in a later folder, synced; in both there is something to look at.
fn pair() -> (Arc<Pair>, Cutter) {
    let (pair, cutter) = Pair::with_cutter();
    pair.user.deliver("INBOX", &[message(1), message(2)]);
    pair.user.deliver(LATER, &[message(3), message(4)]);
    assert_eq!(pair.sync(), "fetched 4");
    pair.mark_here(2, "S");
    pair.user.deliver(LATER, &[message(5)]);
    (Arc::new(pair), cutter)
}

impl Pair {
    fn move_there(&self, n: usize, from: &str, to: &str) {
        self.there_in(from, &["move", to], n);
    }

    fn move_here(&self, n: usize, from: &str, to: &str) {
        let file = self.file(from, n);
        fs::rename(&file, self.path(to).join("cur").join(file.file_name().unwrap())).unwrap();
    }

    fn flag_there(&self, n: usize, folder: &str) {
        self.there_in(folder, &["flags add", "\\Flagged"], n);
    }

    fn flag_here(&self, n: usize, folder: &str) {
        self.mark_in(folder, n, "F");
    }

    /// Syncs while this is done between the two looks, and tells what both folders hold in the end.
    fn overtaken(
        self: &Arc<Self>,
        cutter: &Cutter,
        act: impl FnOnce(&Pair) + Send + 'static,
    ) -> (String, String, String) {
        let pair = Arc::clone(self);
        cutter.meanwhile(OPENS, move || act(&pair));
        let counts = self.sync();
        assert!(!cutter.disarm(), "the later folder was never opened");
        self.is_idle();
        (counts, self.both("INBOX"), self.both(LATER))
    }
}

/// A message is marked on one side before the run, and moved on the other between the two looks: what the run counts, and what
/// both folders hold in the end.
fn is_followed(mark: fn(&Pair), moved: fn(&Pair), [counts, inbox, later]: [&str; 3]) {
    let (pair, cutter) = pair();
    mark(&pair);
    let ended = pair.overtaken(&cutter, moved);
    assert_eq!(ended, (counts.to_owned(), inbox.to_owned(), later.to_owned()));
}

#[test]
pub fn moved_there_on_and_marked_here() {
    is_followed(
        |pair| pair.flag_here(1, "INBOX"),
        |pair| pair.move_there(1, "INBOX", LATER),
        ["fetched 1, flags_remote 2, moved_local 1", "2S", "1F 3 4 5"],
    );
}

#[test]
pub fn moved_there_back_and_marked_here() {
    is_followed(
        |pair| pair.flag_here(3, LATER),
        |pair| pair.move_there(3, LATER, "INBOX"),
        ["fetched 1, flags_remote 2, moved_local 1", "1 2S 3F", "4 5"],
    );
}

#[test]
pub fn moved_here_on_and_marked_there() {
    is_followed(
        |pair| pair.flag_there(1, "INBOX"),
        |pair| pair.move_here(1, "INBOX", LATER),
        ["fetched 1, flags_local 1, flags_remote 1, moved_remote 1", "2S", "1F 3 4 5"],
    );
}

#[test]
pub fn moved_here_back_and_marked_there() {
    is_followed(
        |pair| pair.flag_there(3, LATER),
        |pair| pair.move_here(3, LATER, "INBOX"),
        ["fetched 1, flags_local 1, flags_remote 1, moved_remote 1", "1 2S 3F", "4 5"],
    );
}

#[test]
fn moved_from_a_folder_that_was_left_unread() {
    let (pair, cutter) = pair();
    pair.user.deliver("Still", &[message(6), message(7)]);
    pair.sync();
    pair.rest("Still");
    pair.sync();
    pair.user.deliver(LATER, &[message(8)]);
    let ended = pair.overtaken(&cutter, |pair| {
        pair.flag_here(6, "Still");
        pair.move_there(6, "Still", LATER);
    });
    let counts = "fetched 1, flags_remote 1, moved_local 1";
    assert_eq!(ended, (counts.to_owned(), "1 2S".to_owned(), "3 4 5 6F 8".to_owned()));
    assert_eq!(pair.both("Still"), "7");
}

#[test]
fn moved_to_a_folder_that_is_new() {
    let (pair, cutter) = pair();
    pair.flag_here(3, LATER);
    let ended = pair.overtaken(&cutter, |pair| {
        pair.user.doveadm(&["mailbox", "create", "-u", &pair.user.name, "Anew"]);
        pair.move_there(3, LATER, "Anew");
    });
    let counts = "fetched 1, flags_remote 2, moved_local 1";
    assert_eq!(ended, (counts.to_owned(), "1 2S".to_owned(), "4 5".to_owned()));
    assert_eq!(pair.both("Anew"), "3F");
}

#[test]
fn what_comes_while_folders_are_looked_at_delays_nothing() {
    let (pair, cutter) = pair();
    let ended = {
        let pair_too = Arc::clone(&pair);
        cutter.meanwhile(OPENS, move || pair_too.user.deliver("INBOX", &[message(9)]));
        pair.sync()
    };
    assert_eq!(ended, "fetched 1, flags_remote 1");
    assert_eq!(pair.sync(), "fetched 1");
    assert_eq!((pair.both("INBOX").as_str(), pair.both(LATER).as_str()), ("1 2S 9", "3 4 5"));
}

/// Does something each time that a folder is opened; it is told how often that was.
fn each_time(cutter: &Arc<Cutter>, opens: &'static str, n: usize, act: impl Fn(usize) + Send + 'static) {
    let again = Arc::clone(cutter);
    cutter.meanwhile(opens, move || {
        act(n);
        each_time(&again, opens, n + 1, act);
    });
}

#[test]
fn where_messages_never_rest_what_may_be_a_move_waits_for_the_next_run() {
    let (pair, cutter) = pair();
    pair.user.deliver("INBOX", &(20..26).map(message).collect::<Vec<_>>());
    pair.user.deliver("Still", &[message(6)]);
    pair.run(&[]).expect(0);
    pair.user.deliver(LATER, &[message(7)]);
    // Three times, a message leaves the inbox; then one that was moved here is moved there too, to another folder.
    pair.move_here(1, "INBOX", "Still");
    let (cutter, pair_too) = (Arc::new(cutter), Arc::clone(&pair));
    each_time(&cutter, OPENS, 1, move |n| match n {
        1..=3 => pair_too.there(&["expunge"], 19 + n),
        4 => pair_too.move_there(1, "INBOX", LATER),
        _ => {}
    });
    let run = pair.run(&[]).expect(2);
    assert_eq!(counts(&run), "");
    assert!(run.stderr.contains("faster than the folders can be looked at"), "{}", run.stderr);
    cutter.disarm();
    assert_eq!(pair.sync(), "fetched 1, deleted_local 3, moved_local 1");
    pair.is_idle();
    let held = ["INBOX", "Still", LATER].map(|folder| pair.both(folder));
    assert_eq!(held, ["2S 23 24 25", "6", "1 3 4 5 7"].map(str::to_owned));
}

#[test]
fn moved_on_here_after_the_looks_and_marked_there() {
    let (pair, cutter) = pair();
    pair.user.deliver("Still", &[message(6)]);
    pair.sync();
    pair.move_here(1, "INBOX", LATER);
    pair.flag_there(1, "INBOX");
    let (cutter, pair_too) = (Arc::new(cutter), Arc::clone(&pair));
    each_time(&cutter, "SELECT \"INBOX\"", 1, move |n| {
        if n == 2 {
            pair_too.move_here(1, LATER, "Still");
        }
    });
    pair.sync();
    cutter.disarm();
    pair.sync();
    pair.is_idle();
    let held = ["INBOX", "Still", LATER].map(|folder| pair.both(folder));
    assert_eq!(held, ["2S", "1F 6", "3 4 5"].map(str::to_owned));
}

#[test]
fn moved_there_too_before_its_marks_arrive() {
    let (pair, cutter) = pair();
    pair.sync();
    pair.flag_here(1, "INBOX");
    pair.move_here(1, "INBOX", LATER);
    let pair_too = Arc::clone(&pair);
    cutter.meanwhile("STORE", move || pair_too.move_there(1, "INBOX", LATER));
    pair.sync();
    assert!(!cutter.disarm(), "no mark was sent");
    pair.sync();
    pair.is_idle();
    assert_eq!((pair.both("INBOX"), pair.both(LATER)), ("2S".to_owned(), "1F 3 4 5".to_owned()));
}
