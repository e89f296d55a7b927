//! A Maildir that Dovecot serves and `MaildirFolder` works on: each understands what the other wrote.

use crate::support::dovecot::{Dovecot, User};
use crate::support::mail;
use mailferry::mail::{Change, Flags, FolderName, Key, Keyword, Marks};
use mailferry::store::{Layout, LineEndings, Mailbox, MaildirFolder, Spec, StoreKind};
use std::fs;
use std::time::Duration;

fn store(user: &User<'_>) -> Spec {
    let (kind, layout) = (StoreKind::Maildir, Layout::MaildirPlusPlus);
    Spec { kind, path: user.maildir(), layout, line_endings: LineEndings::Lf }
}

fn marks(letters: &str, keywords: &[&str]) -> Marks {
    let keywords = keywords.iter().map(|k| Keyword::new(k).unwrap()).collect();
    Marks { flags: Flags::from_letters(letters), keywords }
}

/// What Dovecot says of each message, in order of UIDs, each flag in its place in the alphabet.
fn flags(user: &User<'_>, folder: &str) -> Vec<String> {
    let sorted = |line: String| {
        let mut flags: Vec<&str> = line.split(' ').collect();
        flags.sort_unstable();
        flags.join(" ")
    };
    user.flags(folder).into_iter().map(sorted).collect()
}

/// The messages in order of UIDs, which here is the order of names, and their marks.
async fn shown(folder: &mut MaildirFolder) -> Vec<(Key, Marks)> {
    let snapshot = folder.snapshot().await.unwrap();
    assert_eq!((snapshot.notes.len(), snapshot.cut_short), (0, false));
    let mut shown: Vec<_> = snapshot.messages.iter().map(|(key, seen)| (key.clone(), seen.marks.clone())).collect();
    shown.sort_by(|a, b| a.0.cmp(&b.0));
    shown
}

#[tokio::test]
async fn flags_and_keywords_mean_the_same_to_both() {
    let user = Dovecot::shared().user();
    user.deliver("INBOX", &mail::ordinary(3));
    let add = |uid: &str, flags: &str| {
        user.doveadm(&["flags", "add", "-u", &user.name, flags, "mailbox", "INBOX", "uid", uid]);
    };
    add("1", "\\Seen Work $Forwarded");
    add("2", "\\Deleted $Junk");

    let mut inbox = MaildirFolder::open(&store(&user), &FolderName::inbox()).unwrap();
    let seen = shown(&mut inbox).await;
    let expected = [marks("PS", &["Work"]), marks("T", &["$Junk"]), marks("", &[])];
    assert_eq!(seen.iter().map(|(_, marks)| marks.clone()).collect::<Vec<_>>(), expected);

    let change = |at: usize, add: Marks, remove: Marks| (seen[at].0.clone(), Change { add, remove });
    let edits = [
        change(0, marks("F", &["$Junk"]), marks("P", &["work"])),
        change(1, marks("", &["ours"]), marks("T", &[])),
        change(2, marks("RS", &["WORK", "ours"]), marks("", &[])),
    ];
    assert_eq!(inbox.edit(&edits).await.unwrap(), []);
    assert_eq!(flags(&user, "INBOX"), ["$Junk \\Flagged \\Seen", "$Junk ours", "Work \\Answered \\Seen ours"]);
    add("3", "theirs");
    assert_eq!(shown(&mut inbox).await[2].1, marks("RS", &["Work", "ours", "theirs"]));
}

#[tokio::test]
async fn moved_messages_keep_their_keywords() {
    let user = Dovecot::shared().user();
    user.deliver("INBOX", &mail::ordinary(2));
    user.deliver("Other", &mail::ordinary(1));
    let add = |folder: &str, flags: &str| {
        user.doveadm(&["flags", "add", "-u", &user.name, flags, "mailbox", folder, "uid", "1"]);
    };
    add("INBOX", "\\Seen one two");
    add("Other", "two three");
    let mut inbox = MaildirFolder::open(&store(&user), &FolderName::inbox()).unwrap();
    let keys: Vec<Key> = shown(&mut inbox).await.into_iter().map(|(key, _)| key).collect();
    let moved = inbox.relocate(&keys, &FolderName::parse("Other").unwrap()).await.unwrap();
    assert!(moved.iter().all(Option::is_some), "{moved:?}");
    let mut there = flags(&user, "Other");
    there.sort();
    assert_eq!(
        (there, user.flags("INBOX").len()),
        (vec![String::new(), "\\Seen one two".into(), "three two".into()], 0)
    );
}

#[tokio::test]
async fn keywords_are_not_named_while_dovecot_holds_its_lock() {
    let user = Dovecot::shared().user();
    user.deliver("INBOX", &mail::ordinary(1));
    assert_eq!(user.flags("INBOX"), [""]);
    let mut inbox = MaildirFolder::open(&store(&user), &FolderName::inbox()).unwrap();
    let key = shown(&mut inbox).await[0].0.clone();
    let lock = user.maildir().join("dovecot-uidlist.lock");
    // Its maker lives: this process would count as dead, for it knows what it holds itself.
    fs::write(&lock, format!("{}:{}", std::os::unix::process::parent_id(), host())).unwrap();
    let edit = [(key, Change { add: marks("", &["late"]), remove: marks("", &[]) })];
    let (edited, ()) = tokio::join!(inbox.edit(&edit), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!user.maildir().join("dovecot-keywords").exists());
        fs::remove_file(&lock).unwrap();
    });
    assert_eq!(edited.unwrap(), []);
    assert_eq!(fs::read_to_string(user.maildir().join("dovecot-keywords")).unwrap(), "0 late\n");
    assert!(!lock.exists());
}

fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}
