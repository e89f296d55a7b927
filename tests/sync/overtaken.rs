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
        let subject = format!("message {n:03}");
        let command = ["move", "-u", &self.user.name, to, "mailbox", from, "HEADER", "Subject", &subject];
        self.user.doveadm(&command);
    }

    fn move_here(&self, n: usize, from: &str, to: &str) {
        let file = self.file(from, n);
        fs::rename(&file, self.path(to).join("cur").join(file.file_name().unwrap())).unwrap();
    }

    fn flag_there(&self, n: usize, folder: &str) {
        let subject = format!("message {n:03}");
        let query = ["mailbox", folder, "HEADER", "Subject", &subject];
        self.user.doveadm(&[&["flags", "add", "-u", &self.user.name, "\\Flagged"], &query[..]].concat());
    }

    fn flag_here(&self, n: usize, folder: &str) {
        let file = self.file(folder, n);
        let name = file.file_name().unwrap().to_str().unwrap().split(':').next().unwrap().to_owned();
        fs::rename(&file, self.path(folder).join("cur").join(format!("{name}:2,F"))).unwrap();
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

#[test]
pub fn moved_there_on_and_marked_here() {
    let (pair, cutter) = pair();
    pair.flag_here(1, "INBOX");
    let ended = pair.overtaken(&cutter, |pair| pair.move_there(1, "INBOX", LATER));
    let counts = "fetched 1, flags_remote 2, moved_local 1";
    assert_eq!(ended, (counts.to_owned(), "2S".to_owned(), "1F 3 4 5".to_owned()));
}

#[test]
pub fn moved_there_back_and_marked_here() {
    let (pair, cutter) = pair();
    pair.flag_here(3, LATER);
    let ended = pair.overtaken(&cutter, |pair| pair.move_there(3, LATER, "INBOX"));
    let counts = "fetched 1, flags_remote 2, moved_local 1";
    assert_eq!(ended, (counts.to_owned(), "1 2S 3F".to_owned(), "4 5".to_owned()));
}

#[test]
pub fn moved_here_on_and_marked_there() {
    let (pair, cutter) = pair();
    pair.flag_there(1, "INBOX");
    let ended = pair.overtaken(&cutter, |pair| pair.move_here(1, "INBOX", LATER));
    let counts = "fetched 1, flags_local 1, flags_remote 1, moved_remote 1";
    assert_eq!(ended, (counts.to_owned(), "2S".to_owned(), "1F 3 4 5".to_owned()));
}

#[test]
pub fn moved_here_back_and_marked_there() {
    let (pair, cutter) = pair();
    pair.flag_there(3, LATER);
    let ended = pair.overtaken(&cutter, |pair| pair.move_here(3, LATER, "INBOX"));
    let counts = "fetched 1, flags_local 1, flags_remote 1, moved_remote 1";
    assert_eq!(ended, (counts.to_owned(), "1 2S 3F".to_owned(), "4 5".to_owned()));
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
fn a_server_that_never_rests_is_synced_all_the_same() {
    let (pair, cutter) = pair();
    let cutter = Arc::new(cutter);
    never_rests(10, &pair, &cutter);
    pair.sync();
    assert!(cutter.disarm(), "the later folder was never opened");
    let brought = pair.here("INBOX").len() - 2;
    assert!((1..5).contains(&brought), "{brought} messages came meanwhile");
    pair.sync();
    pair.is_idle();
    assert_eq!(
        (pair.both("INBOX").split(' ').count(), pair.both(LATER)),
        (pair.user.messages("INBOX").len(), "3 4 5".to_owned())
    );
}

/// Each time that the later folder is opened, a message comes to the inbox.
fn never_rests(n: usize, pair: &Arc<Pair>, cutter: &Arc<Cutter>) {
    let (a_pair, a_cutter) = (Arc::clone(pair), Arc::clone(cutter));
    cutter.meanwhile(OPENS, move || {
        a_pair.user.deliver("INBOX", &[message(n)]);
        never_rests(n + 1, &a_pair, &a_cutter);
    });
}
