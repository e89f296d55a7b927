//! What the trait `Mailbox` promises, asked of every side of a sync through the library.

mod sides;

use crate::support::mail;
use mailferry::mail::{Change, Fingerprint, Flags, FolderName, Key, Keyword, Marks, subject};
use mailferry::store::{Identity, Mailbox, Snapshot};
use std::collections::{BTreeMap, HashMap};

/// A place with folders, which mail programs may change at any time.
trait Place: Sized {
    /// What is there while a folder is open.
    type Connection;
    /// What the promises are about.
    type Folder<'c>: Mailbox;

    /// An empty place of this kind, with the folders INBOX and Archive.
    fn new() -> Self;

    async fn connect(&self) -> Self::Connection;

    /// Opens a folder; once on each connection.
    async fn open<'c>(&self, connection: &'c mut Self::Connection, folder: &str) -> Self::Folder<'c>;

    /// What a mail program does: puts a message into a folder, with the letters of its flags.
    fn put(&self, folder: &str, message: &[u8], letters: &str);

    /// What a mail program does: removes the message that was put n-th into the folder, counted from 1.
    fn take_away(&self, folder: &str, n: usize);

    /// What the folder holds now, with LF where lines end, and flags, in no particular order.
    fn holds_now(&self, folder: &str) -> Vec<(Vec<u8>, Marks)>;

    /// What it holds of a message that was put into it.
    fn keeps(&self, message: &[u8]) -> Vec<u8>;
}

fn folder(name: &str) -> FolderName {
    FolderName::parse(name).unwrap()
}

fn marks(letters: &str, keywords: &[&str]) -> Marks {
    let keywords = keywords.iter().map(|k| Keyword::new(k).unwrap()).collect();
    Marks { flags: Flags::from_letters(letters), keywords }
}

fn change(add: Marks, remove: Marks) -> Change {
    Change { add, remove }
}

/// Subject lines, each with the marks of its message.
fn by_subject(held: Vec<(Vec<u8>, Marks)>) -> BTreeMap<String, Marks> {
    let named = |(bytes, marks): (Vec<u8>, Marks)| (crate::support::stored::subject(&bytes).unwrap(), marks);
    let count = held.len();
    let all: BTreeMap<_, _> = held.into_iter().map(named).collect();
    assert_eq!(all.len(), count, "each once");
    all
}

/// The keys in a folder by the fingerprints of what stands under them.
async fn keys(mailbox: &mut impl Mailbox, messages: &[Vec<u8>]) -> Vec<Key> {
    let snapshot = mailbox.snapshot().await.unwrap();
    let all: Vec<Key> = snapshot.messages.keys().cloned().collect();
    let identities = mailbox.identify(&all).await.unwrap();
    let of: HashMap<Fingerprint, Key> = identities.into_iter().map(|(k, i)| (i.fingerprint, k)).collect();
    messages.iter().map(|m| of[&Fingerprint::of_header(m)].clone()).collect()
}

async fn snapshot(place: &impl Place, name: &str) -> Snapshot {
    let mut connection = place.connect().await;
    place.open(&mut connection, name).await.snapshot().await.unwrap()
}

async fn a_snapshot_shows_every_message_with_its_marks<P: Place>() {
    let place = P::new();
    assert_eq!(snapshot(&place, "INBOX").await, Snapshot::default());
    let messages = mail::ordinary(6);
    let letters = ["", "S", "FS", "DPRS", "T", "F"];
    messages.iter().zip(letters).for_each(|(m, l)| place.put("INBOX", m, l));
    let mut connection = place.connect().await;
    let mut inbox = place.open(&mut connection, "INBOX").await;
    let keys = keys(&mut inbox, &messages).await;
    let shown = inbox.snapshot().await.unwrap();
    assert_eq!((shown.messages.len(), shown.cut_short, &shown.notes[..]), (6, false, &[][..]));
    for ((key, letters), message) in keys.iter().zip(letters).zip(&messages) {
        let seen = shown.messages.get(key).unwrap();
        assert_eq!(*seen.marks, marks(letters, &[]));
        assert!(seen.size.is_none_or(|size| size == place.keeps(message).len() as u64));
    }
    // The same later, on another connection.
    assert_eq!(snapshot(&place, "INBOX").await, shown);
}

async fn messages_are_told_apart_by_their_content<P: Place>() {
    let place = P::new();
    let messages = [mail::ordinary(3), mail::nasty_bytes()].concat();
    messages.iter().for_each(|m| place.put("INBOX", m, "S"));
    let mut connection = place.connect().await;
    let mut inbox = place.open(&mut connection, "INBOX").await;
    let mut all: Vec<Key> = inbox.snapshot().await.unwrap().messages.keys().cloned().collect();
    all.push(Key::new("987654"));
    let found = inbox.identify(&all).await.unwrap();
    assert_eq!(found.len(), messages.len());
    let shown = |i: &Identity| (i.size, format!("{:?}", i.fingerprint));
    let mut found: Vec<_> = found.values().map(shown).collect();
    let expected = messages.iter().map(|m| {
        let kept = place.keeps(m);
        (Some(kept.len() as u64), format!("{:?}", Fingerprint::of_header(&kept)))
    });
    let mut expected: Vec<_> = expected.collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);

    let mut subjects: Vec<String> = inbox.subjects(&all).await.unwrap().into_values().collect();
    let mut expected: Vec<String> = messages.iter().filter_map(|m| subject(&place.keeps(m))).collect();
    subjects.sort();
    expected.sort();
    assert!(subjects.len() > 3 && subjects.len() < messages.len());
    assert_eq!(subjects, expected);
}

async fn changes_touch_only_what_they_name<P: Place>() {
    let place = P::new();
    let messages = mail::ordinary(5);
    messages.iter().zip(["", "F", "FS", "S", "R"]).for_each(|(m, l)| place.put("INBOX", m, l));
    let mut connection = place.connect().await;
    let mut inbox = place.open(&mut connection, "INBOX").await;
    let keys = keys(&mut inbox, &messages).await;
    place.take_away("INBOX", 5);
    let none = || marks("", &[]);
    let edits = [
        (keys[0].clone(), change(marks("PRS", &["work"]), none())),
        (keys[1].clone(), change(marks("PRS", &["work"]), none())),
        (keys[2].clone(), change(marks("D", &["$Junk"]), marks("S", &[]))),
        // What is there already, and what is not there at all.
        (keys[3].clone(), change(marks("S", &[]), marks("F", &["other"]))),
        (keys[4].clone(), change(marks("F", &[]), none())),
    ];
    assert_eq!(inbox.edit(&edits).await.unwrap(), [keys[4].clone()], "gone meanwhile");
    let shown = inbox.snapshot().await.unwrap();
    let expected = [marks("PRS", &["work"]), marks("FPRS", &["work"]), marks("DF", &["$Junk"]), marks("S", &[])];
    for (key, marks) in keys.iter().zip(&expected) {
        assert_eq!(shown.messages.get(key).unwrap().marks, marks);
    }
    assert_eq!(shown.messages.len(), 4);
    // Off again, and a second time does no harm.
    for _ in 0..2 {
        let back = [(keys[0].clone(), change(none(), marks("PRS", &["WORK"])))];
        assert_eq!(inbox.edit(&back).await.unwrap(), []);
        assert_eq!(*inbox.snapshot().await.unwrap().messages.get(&keys[0]).unwrap().marks, none());
    }
    let kept: Vec<Marks> = by_subject(place.holds_now("INBOX")).into_values().collect();
    assert_eq!(kept.len(), 4);
    assert!(expected[1..].iter().all(|m| kept.contains(m)), "{kept:?}");
}

async fn every_mark_that_it_says_it_holds_it_holds<P: Place>() {
    let place = P::new();
    let message = mail::ordinary(1);
    place.put("INBOX", &message[0], "");
    let mut connection = place.connect().await;
    let mut inbox = place.open(&mut connection, "INBOX").await;
    let key = keys(&mut inbox, &message).await.remove(0);
    let wanted = marks("DFPRS", &["$Junk", "a.b-c", "x1", "x2", "x3"]);
    let storable = inbox.holds().storable(&wanted, &Default::default());
    assert_eq!(storable, wanted);
    inbox.edit(&[(key.clone(), change(storable, marks("", &[])))]).await.unwrap();
    assert_eq!(*snapshot(&place, "INBOX").await.messages.get(&key).unwrap().marks, wanted);
}

async fn what_is_removed_is_gone_and_nothing_else<P: Place>() {
    let place = P::new();
    let messages = mail::ordinary(8);
    messages.iter().for_each(|m| place.put("INBOX", m, "S"));
    let mut connection = place.connect().await;
    let mut inbox = place.open(&mut connection, "INBOX").await;
    let keys = keys(&mut inbox, &messages).await;
    place.take_away("INBOX", 6);
    let removed: Vec<Key> = [1, 2, 5, 7].map(|i| keys[i].clone()).into();
    assert_eq!(inbox.remove(&removed).await.unwrap(), []);
    let left: Vec<&Key> = [0, 3, 4, 6].map(|i| &keys[i]).into();
    let shown = inbox.snapshot().await.unwrap();
    assert!(shown.messages.len() == 4 && left.iter().all(|k| shown.messages.contains_key(k)));
    assert!(!shown.cut_short, "{:?}", shown.notes);
    // Once more is no error.
    assert_eq!(inbox.remove(&removed).await.unwrap(), []);
    assert_eq!(by_subject(place.holds_now("INBOX")).len(), 4);
}

async fn what_is_moved_keeps_bytes_and_marks<P: Place>() {
    let place = P::new();
    let messages = mail::ordinary(6);
    messages.iter().zip(["", "S", "FS", "R", "", ""]).for_each(|(m, l)| place.put("INBOX", m, l));
    place.put("Archive", &mail::message(90, "was there\r\n"), "S");
    let before = by_subject(place.holds_now("INBOX"));
    let mut connection = place.connect().await;
    let mut inbox = place.open(&mut connection, "INBOX").await;
    let all = keys(&mut inbox, &messages).await;
    let work = [(all[1].clone(), change(marks("", &["work"]), marks("", &[])))];
    inbox.edit(&work).await.unwrap();
    place.take_away("INBOX", 4);
    // Not in the order of arrival, and one that is gone.
    let moved: Vec<Key> = [2, 0, 3, 1].map(|i| all[i].clone()).into();
    let there = inbox.relocate(&moved, &folder("Archive")).await.unwrap();
    assert_eq!(inbox.snapshot().await.unwrap().messages.len(), 2);
    let held = by_subject(place.holds_now("Archive"));
    assert_eq!((held.len(), by_subject(place.holds_now("INBOX")).len()), (4, 2));
    assert_eq!(held.keys().filter(|s| before.contains_key(*s)).count(), 3);

    let mut connection = place.connect().await;
    let mut archive = place.open(&mut connection, "Archive").await;
    let wanted: Vec<Vec<u8>> = [2, 0, 1].map(|i| messages[i].clone()).into();
    let found = keys(&mut archive, &wanted).await;
    let shown = archive.snapshot().await.unwrap();
    for (key, marks) in found.iter().zip([marks("FS", &[]), marks("", &[]), marks("S", &["work"])]) {
        assert_eq!(*shown.messages.get(key).unwrap().marks, marks);
    }
    assert_eq!(there.len(), 4);
    assert_eq!(there[2], None, "it was gone");
    let told = [&there[0], &there[1], &there[3]];
    // Where keys are told, they are right.
    assert!(
        told.iter().zip(&found).all(|(told, found)| told.as_ref().is_none_or(|t| t == found)),
        "{there:?} {found:?}"
    );
    let kept = place.holds_now("Archive").into_iter().map(|(bytes, _)| bytes).collect::<Vec<_>>();
    assert!(wanted.iter().all(|m| kept.contains(&mail::with_lf(m))));
}

async fn what_others_bring_and_take_is_seen<P: Place>() {
    let place = P::new();
    let messages = mail::ordinary(4);
    messages[..2].iter().for_each(|m| place.put("INBOX", m, "S"));
    let mut connection = place.connect().await;
    let mut inbox = place.open(&mut connection, "INBOX").await;
    let first = inbox.snapshot().await.unwrap();
    messages[2..].iter().for_each(|m| place.put("INBOX", m, ""));
    place.take_away("INBOX", 1);
    let second = inbox.snapshot().await.unwrap();
    assert_eq!((first.messages.len(), second.messages.len(), second.cut_short), (2, 3, false));
    assert_eq!(first.messages.keys().filter(|k| second.messages.contains_key(k)).count(), 1);
    assert_eq!(second, snapshot(&place, "INBOX").await);
}
