//! IMAP folders: which are taken, and where they lie.

use super::*;
use crate::support::mail;
use crate::support::stored::{mbox, subject};

/// Folders in modified UTF-7, as they lie in Dovecot, each with what they are called.
const FOLDERS: [(&str, &str); 7] = [
    ("INBOX", "INBOX"),
    ("&U,BTFw-", "台北"),
    ("&U,BTFw-/&ZeVnLIqe-", "台北/日本語"),
    ("Entw&APw-rfe &- Co", "Entwürfe & Co"),
    ("Lists/rust", "Lists/rust"),
    ("Lists/rust/weekly", "Lists/rust/weekly"),
    ("Lists/c", "Lists/c"),
];

/// A user with one message in each folder, which has its name for its subject.
fn user() -> User<'static> {
    let user = Dovecot::shared().user();
    for (wire, name) in FOLDERS {
        user.deliver(wire, &[letter(name)]);
    }
    user
}

fn letter(folder: &str) -> Vec<u8> {
    format!("Message-ID: <{}@x>\r\nSubject: {folder}\r\n\r\ntext\r\n", folder.len()).into_bytes()
}

/// The subjects of the mail found below a store, each behind the path of its mailbox.
fn found(store: &Path) -> Vec<String> {
    let mut all: Vec<String> = tree(store)
        .into_keys()
        .filter(|p| p.is_dir() && p.join("cur").is_dir())
        .flat_map(|p| maildir_bytes(&p).into_iter().map(move |m| (p.clone(), m)))
        .map(|(p, m)| format!("{}: {}", p.strip_prefix(store).unwrap().display(), subject(&m).unwrap()))
        .collect();
    all.sort();
    all
}

fn list(folders: &[&str]) -> String {
    format!("\n[accounts.x.pull]\nfolders = {folders:?}\n")
}

#[test]
fn patterns_choose_folders_by_their_names_in_utf_8() {
    let user = user();
    let all: Vec<&str> = FOLDERS.iter().map(|(_, name)| *name).collect();
    for (patterns, expected) in [
        (&["*"][..], all.clone()),
        (&["inbox"], vec!["INBOX"]),
        (&["台北"], vec!["台北"]),
        (&["Entwürfe & Co", "台北/日本語"], vec!["台北/日本語", "Entwürfe & Co"]),
        (&["%"], vec!["INBOX", "台北", "Entwürfe & Co"]),
        (&["Lists/%"], vec!["Lists/rust", "Lists/c"]),
        (&["*", "!Lists/*", "Lists/rust"], vec!["INBOX", "台北", "台北/日本語", "Entwürfe & Co", "Lists/rust"]),
        (&["*本*"], vec!["台北/日本語"]),
    ] {
        let ferry = home_of(&user, Protocol::Imap, &list(patterns));
        let n = expected.len();
        assert_eq!(pull(&ferry, &[]), format!("listed {n}, fetched {n}"), "{patterns:?}");
        let mut expected: Vec<String> = expected.iter().map(|f| format!("{f}: {f}")).collect();
        expected.sort();
        assert_eq!(found(&ferry.store("x")), expected, "{patterns:?}");
    }
}

#[test]
fn the_inbox_alone_is_the_default() {
    let ferry = home_of(&user(), Protocol::Imap, "");
    assert_eq!(pull(&ferry, &[]), "listed 1, fetched 1");
    assert_eq!(found(&ferry.store("x")), ["INBOX: INBOX"]);
}

#[test]
fn each_layout_puts_folders_where_other_programs_look() {
    let user = user();
    let ferry = home_of(&user, Protocol::Imap, &format!("layout = \"maildir++\"\n{}", list(&["*"])));
    assert_eq!(pull(&ferry, &[]), "listed 7, fetched 7");
    let mut expected: Vec<String> =
        FOLDERS.iter().skip(1).map(|(_, name)| format!(".{}: {name}", name.replace('/', "."))).collect();
    expected.sort();
    assert_eq!(found(&ferry.store("x")), expected);
    assert_eq!(maildir_bytes(&ferry.store("x")), stored(Protocol::Imap, &[letter("INBOX")]));
    assert_eq!(pull(&ferry, &[]), "listed 7, had 7");

    let ferry = Ferry::new();
    let endpoint = user.endpoint(Protocol::Imap, Security::Implicit);
    ferry.account_with("x", &endpoint, "mbox", &ferry.store("x"), &list(&["*"]));
    assert_eq!(pull(&ferry, &[]), "listed 7, fetched 7");
    for (path, name) in [
        ("INBOX", "INBOX"),
        ("台北", "台北"),
        ("台北.sbd/日本語", "台北/日本語"),
        ("Entwürfe & Co", "Entwürfe & Co"),
        ("Lists.sbd/rust", "Lists/rust"),
        ("Lists.sbd/rust.sbd/weekly", "Lists/rust/weekly"),
        ("Lists.sbd/c", "Lists/c"),
    ] {
        assert_eq!(mbox(&ferry.store("x").join(path)), stored(Protocol::Imap, &[letter(name)]), "{path}");
    }
}

#[test]
fn a_folder_that_is_not_there_holds_up_no_other() {
    let user = user();
    let ferry = home_of(&user, Protocol::Imap, &list(&["INBOX", "Lists/rsut", "台北"]));
    let outcome = ferry.run(&["pull", "--json"]).expect(78);
    assert_eq!(counts(&outcome, "x"), "listed 2, fetched 2");
    assert_eq!(found(&ferry.store("x")), ["INBOX: INBOX", "台北: 台北"]);
    let error = outcome.events().into_iter().find(|e| e["event"] == "error").unwrap();
    assert_eq!(error["message"], "127.0.0.1 has no folder Lists/rsut");
    let remedy = error["remedy"].as_str().unwrap();
    assert!(remedy.starts_with("Correct the name; there is Lists/rust"), "{remedy}");
    assert!(outcome.stderr.contains("error: x: 127.0.0.1 has no folder Lists/rsut\n"), "{}", outcome.stderr);
}

#[test]
fn deletions_reach_the_folders_that_were_pulled_and_no_others() {
    let user = user();
    let more = "\n[accounts.x.pull]\nfolders = [\"Lists/*\", \"!Lists/c\"]\nkeep = false\n";
    let ferry = home_of(&user, Protocol::Imap, more);
    assert_eq!(pull(&ferry, &[]), "listed 2, fetched 2, deleted_remote 2");
    for (wire, name) in FOLDERS {
        let expected = usize::from(!name.starts_with("Lists/rust"));
        assert_eq!(user.messages(wire).len(), expected, "{name}");
    }
    assert_eq!(pull(&ferry, &[]), "");
    // What comes later comes too.
    user.deliver("Lists/rust", &[mail::message(7, "later\r\n")]);
    assert_eq!(pull(&ferry, &[]), "listed 1, fetched 1, deleted_remote 1");
}
