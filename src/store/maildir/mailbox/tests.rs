use super::*;
use crate::mail::{Envelope, Fingerprint, Flags, Keyword};
use crate::store::{Draft, Layout, LineEndings, Prepared, Store, StoreKind};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

struct Fixture {
    root: TempDir,
    folder: MaildirFolder,
}

fn name(folder: &str) -> FolderName {
    FolderName::parse(folder).unwrap()
}

fn fixture(files: &[&str]) -> Fixture {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().to_owned();
    let spec = Spec { kind: StoreKind::Maildir, path, layout: Layout::Nested, line_endings: LineEndings::Lf };
    let folder = MaildirFolder::open(&spec, &name("A")).unwrap();
    let fixture = Fixture { root, folder };
    files.iter().for_each(|file| fs::write(fixture.path().join(file), file).unwrap());
    fixture
}

impl Fixture {
    fn path(&self) -> PathBuf {
        self.root.path().join("A")
    }

    fn files(&self) -> Vec<String> {
        files(&self.path())
    }
}

fn files(maildir: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for part in ["cur", "new", "tmp"] {
        for entry in fs::read_dir(maildir.join(part)).unwrap() {
            files.push(format!("{part}/{}", entry.unwrap().file_name().display()));
        }
    }
    files.sort();
    files
}

fn key(base: &str) -> Key {
    Key::new(base)
}

fn marks(letters: &str, keywords: &[&str]) -> Marks {
    let keywords = keywords.iter().map(|k| Keyword::new(k).unwrap()).collect();
    Marks { flags: Flags::from_letters(letters), keywords }
}

fn change(add: Marks, remove: Marks) -> Change {
    Change { add, remove }
}

/// Base names and marks.
fn shown(snapshot: &Snapshot) -> BTreeMap<String, Marks> {
    snapshot.messages.iter().map(|(key, seen)| (key.to_string(), seen.marks.clone())).collect()
}

#[tokio::test]
async fn a_snapshot_shows_every_message_with_its_marks() {
    let mut f =
        fixture(&["new/1", "cur/2", "cur/3:2,FSTa", "cur/4:2,zP", "new/5:2,R", "cur/6,S=9:2,De", "cur/.hidden"]);
    fs::write(f.path().join("dovecot-keywords"), "0 $Junk\n4 $forwarded\n").unwrap();
    fs::create_dir(f.path().join("cur/folder")).unwrap();
    fs::write(f.path().join("tmp/7"), "").unwrap();
    let snapshot = f.folder.snapshot().await.unwrap();
    assert_eq!(
        shown(&snapshot),
        BTreeMap::from([
            ("1".into(), marks("", &[])),
            ("2".into(), marks("", &[])),
            ("3".into(), marks("FST", &["$Junk"])),
            ("4".into(), marks("P", &[])),
            ("5".into(), marks("R", &[])),
            ("6,S=9".into(), marks("DP", &[])),
        ])
    );
    assert_eq!((snapshot.notes.len(), snapshot.cut_short), (0, false));
    let holds = Holds { marks: marks("DFPRST", &["$Junk"]), room: 23, ..Holds::default() };
    assert_eq!(f.folder.holds(), &holds);
}

#[tokio::test]
async fn a_base_name_counts_once() {
    let mut f = fixture(&["new/1", "cur/1:2,S", "cur/2:2,S", "cur/2:2,FS", "cur/3:2,"]);
    let snapshot = f.folder.snapshot().await.unwrap();
    assert_eq!(
        shown(&snapshot),
        BTreeMap::from([("1".into(), marks("S", &[])), ("2".into(), marks("S", &[])), ("3".into(), marks("", &[]))])
    );
    assert_eq!(snapshot.notes.len(), 1);
    assert!(snapshot.notes[0].contains("/new/1 and 1 more are left out, for "), "{:?}", snapshot.notes);
    assert_eq!(snapshot.left, 1);
}

#[tokio::test]
async fn a_folder_without_its_directories_is_an_error_and_not_an_empty_one() {
    for part in ["cur", "new"] {
        let mut f = fixture(&["cur/1"]);
        fs::rename(f.path().join(part), f.path().join("away")).unwrap();
        assert_eq!(f.folder.snapshot().await.unwrap_err().kind(), Kind::LocalIo);
    }
}

#[tokio::test]
async fn marks_are_edited_by_what_changes() {
    let mut f = fixture(&["new/1", "new/2", "cur/3:2,QSab,x", "cur/4:2,S", "cur/5"]);
    fs::write(f.path().join("dovecot-keywords"), "1 work").unwrap();
    let edits = [
        (key("1"), change(marks("S", &[]), marks("", &[]))),
        (key("2"), change(marks("", &[]), marks("S", &["work"]))),
        (key("3"), change(marks("FT", &["$Junk"]), marks("S", &["WORK"]))),
        (key("4"), change(marks("", &[]), marks("S", &[]))),
        (key("5"), change(marks("P", &["home"]), marks("", &[]))),
        (key("6"), change(marks("F", &[]), marks("", &[]))),
    ];
    assert_eq!(f.folder.edit(&edits).await.unwrap(), [key("6")]);
    // `a` has no name and yet is in use: no new keyword gets it.
    assert_eq!(f.files(), ["cur/1:2,S", "cur/3:2,FQTac,x", "cur/4:2,", "cur/5:2,Pd", "new/2"]);
    assert_eq!(fs::read_to_string(f.path().join("dovecot-keywords")).unwrap(), "1 work\n2 $Junk\n3 home\n");
    assert_eq!(f.folder.holds().marks.keywords.len(), 3);

    // The same once more changes nothing.
    assert_eq!(f.folder.edit(&edits[..5]).await.unwrap(), []);
    assert_eq!(f.files().len(), 5);
}

#[tokio::test]
async fn a_keyword_without_a_letter_stops_an_edit_before_it_begins() {
    let mut f = fixture(&["cur/1:2,S"]);
    let lines: String = (0..26).map(|i| format!("{i} k{i}\n")).collect();
    fs::write(f.path().join("dovecot-keywords"), lines).unwrap();
    f.folder.snapshot().await.unwrap();
    assert_eq!(f.folder.holds().room, 0);
    let wanted = marks("F", &["k7", "one-more"]);
    assert_eq!(f.folder.holds().storable(&wanted, &BTreeSet::new()), marks("F", &["k7"]));
    let e = f.folder.edit(&[(key("1"), change(wanted, marks("", &[])))]).await.unwrap_err();
    assert!(e.to_string().contains("one-more"));
    assert_eq!(f.files(), ["cur/1:2,S"]);
}

#[tokio::test]
async fn a_rename_meets_a_twin_without_loss() {
    let mut f = fixture(&["cur/1:2,S", "cur/1:2,FS", "cur/2:2,S"]);
    fs::hard_link(f.path().join("cur/2:2,S"), f.path().join("cur/2:2,")).unwrap();
    let edits =
        [(key("1"), change(marks("F", &[]), marks("", &[]))), (key("2"), change(marks("", &[]), marks("S", &[])))];
    let seen = shown(&f.folder.snapshot().await.unwrap());
    assert_eq!((&seen["1"], &seen["2"]), (&marks("S", &[]), &marks("S", &[])));
    assert_eq!(f.folder.edit(&edits).await.unwrap(), []);
    let (ours, others): (Vec<String>, Vec<String>) =
        f.files().into_iter().partition(|file| ["cur/1:2,FS", "cur/2:2,"].contains(&file.as_str()));
    assert_eq!((ours.len(), others.len()), (2, 1));
    assert_eq!(fs::read_to_string(f.path().join("cur/1:2,FS")).unwrap(), "cur/1:2,S");
    assert_eq!(fs::read_to_string(f.path().join(&others[0])).unwrap(), "cur/1:2,FS");
}

#[tokio::test]
async fn messages_are_removed_wherever_they_stand() {
    let mut f = fixture(&["new/1", "cur/2:2,S", "cur/3:2,", "cur/33:2,"]);
    f.folder.snapshot().await.unwrap();
    fs::rename(f.path().join("new/1"), f.path().join("cur/1:2,RS")).unwrap();
    assert_eq!(f.folder.remove(&[key("1"), key("3"), key("gone")]).await.unwrap(), []);
    assert_eq!(f.files(), ["cur/2:2,S", "cur/33:2,"]);
    assert_eq!(f.folder.remove(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn identities_tell_size_header_and_content() {
    let mut f = fixture(&["new/1"]);
    fs::write(f.path().join("cur/2:2,S"), "Message-ID: <2@x>\n\nbody\n").unwrap();
    let found = f.folder.identify(&[key("2"), key("gone")]).await.unwrap();
    assert_eq!(found.len(), 1);
    let identity = found[&key("2")];
    assert_eq!((identity.size, identity.fingerprint), (Some(27), Fingerprint::of_header(b"Message-ID: <2@x>\n\n")));
    assert!(identity.digest.is_some());
}

#[tokio::test]
async fn messages_move_to_another_folder_as_they_are() {
    let mut f = fixture(&["new/1", "cur/2:2,FQSab", "cur/3:2,z", "cur/4:2,", "cur/5:2,R"]);
    fs::write(f.path().join("dovecot-keywords"), "0 home\n1 work\n").unwrap();
    let b = f.root.path().join("B");
    Maildir::open(&b, LineEndings::Lf).unwrap();
    fs::write(b.join("dovecot-keywords"), "0 work\n").unwrap();
    fs::write(b.join("cur/5:2,F"), "in the way").unwrap();
    let time = fs::metadata(f.path().join("cur/2:2,FQSab")).unwrap().mtime();
    let keys = ["1", "2", "3", "gone", "4", "5"].map(key);
    let moved = f.folder.relocate(&keys, &name("B")).await.unwrap();
    assert_eq!(moved[..5], [Some(key("1")), Some(key("2")), Some(key("3")), None, Some(key("4"))]);
    let Some(Some(renamed)) = &moved[5..].first().cloned() else { panic!("{moved:?}") };
    assert_eq!(f.files(), Vec::<String>::new());
    let mut expected = vec!["cur/2:2,FQSab", "cur/3:2,", "cur/4:2,", "cur/5:2,F", "new/1"];
    let fifth = format!("cur/{renamed}:2,R");
    expected.push(&fifth);
    expected.sort_unstable();
    assert_eq!(files(&b), expected);
    assert_eq!(fs::read_to_string(b.join(&fifth)).unwrap(), "cur/5:2,R");
    assert_eq!(fs::metadata(b.join("cur/2:2,FQSab")).unwrap().mtime(), time);
    assert_eq!(fs::read_to_string(b.join("dovecot-keywords")).unwrap(), "0 work\n1 home\n");
}

#[tokio::test]
async fn a_message_whose_keyword_finds_no_letter_stays() {
    let mut f = fixture(&["cur/1:2,a", "cur/2:2,S"]);
    fs::write(f.path().join("dovecot-keywords"), "0 home\n").unwrap();
    let b = f.root.path().join("B");
    Maildir::open(&b, LineEndings::Lf).unwrap();
    fs::write(b.join("dovecot-keywords"), (0..26).map(|i| format!("{i} k{i}\n")).collect::<String>()).unwrap();
    let moved = f.folder.relocate(&[key("1"), key("2")], &name("B")).await.unwrap();
    assert_eq!(moved, [None, Some(key("2"))]);
    assert_eq!((f.files(), files(&b)), (vec!["cur/1:2,a".to_owned()], vec!["cur/2:2,S".to_owned()]));
}

#[tokio::test]
async fn a_message_goes_out_from_wherever_it_stands() {
    let f = fixture(&["cur/2:2,S"]);
    fs::write(f.path().join("new/1"), "a\nb").unwrap();
    let sent = |base| {
        let outgoing = f.folder.outgoing(&key(base), &marks("S", &["x"])).unwrap();
        outgoing.map(|mut outgoing| {
            let mut body = String::new();
            outgoing.body.read_to_string(&mut body).unwrap();
            assert_eq!(
                (outgoing.marks, outgoing.size, outgoing.key),
                (marks("S", &["x"]), body.len() as u64, key(base))
            );
            body
        })
    };
    assert_eq!(sent("1").as_deref(), Some("a\r\nb"));
    fs::rename(f.path().join("new/1"), f.path().join("cur/1:2,S")).unwrap();
    assert_eq!(sent("1").as_deref(), Some("a\r\nb"));
    fs::write(f.path().join("new/3"), "late").unwrap();
    assert_eq!(sent("3").as_deref(), Some("late"));
    fs::remove_file(f.path().join("cur/1:2,S")).unwrap();
    assert_eq!(sent("1"), None);
}

#[tokio::test]
async fn what_is_delivered_carries_its_keywords_as_far_as_there_are_letters() {
    let mut f = fixture(&[]);
    fs::write(f.path().join("dovecot-keywords"), (0..25).map(|i| format!("{i} k{i}\n")).collect::<String>()).unwrap();
    let store = Arc::clone(f.folder.store());
    let wanted = [marks("", &["K3"]), marks("PS", &["a", "b"]), marks("", &["c"]), marks("", &[])];
    let stage = |marks: &Marks| {
        let envelope = Envelope { marks: marks.clone(), ..Envelope::default() };
        store.draft(&envelope).unwrap().finish().unwrap().0
    };
    let prepared = store.prepare(wanted.iter().map(stage).collect()).unwrap();
    let written = [marks("", &["k3"]), marks("PS", &["a"]), marks("", &[]), marks("", &[])];
    assert_eq!(prepared.marks(), written);
    let keys: Vec<Key> = prepared.places().iter().map(|place| MaildirFolder::key_at(place).unwrap()).collect();
    store.publish(prepared).unwrap();
    assert!(fs::read_to_string(f.path().join("dovecot-keywords")).unwrap().ends_with("24 k24\n25 a\n"));
    let snapshot = f.folder.snapshot().await.unwrap();
    for (key, marks) in keys.iter().zip(written) {
        assert_eq!(*snapshot.messages.get(key).unwrap().marks, marks);
    }
}

#[tokio::test]
async fn times_tell_that_something_changed() {
    let f = fixture(&["cur/1:2,"]);
    let settle = || {
        let listing = f.folder.maildir.listing().unwrap();
        assert!(listing.is_whole);
        f.folder.times().unwrap()
    };
    let before = settle();
    assert_eq!(f.folder.times().unwrap(), before);
    fs::rename(f.path().join("cur/1:2,"), f.path().join("cur/1:2,S")).unwrap();
    let after = settle();
    assert_eq!((after.new, after.cur > before.cur), (before.new, true));
    assert!(!after.are_settled(std::time::SystemTime::now()));
}

/// A mail program that never rests: every message changes its name, in `cur` and between `cur` and `new`.
#[test]
fn nothing_is_missing_while_another_program_renames_all_the_time() {
    const MESSAGES: usize = 300;
    let f = fixture(&[]);
    let bases: Vec<String> = (0..MESSAGES).map(|i| format!("{i}.of.them")).collect();
    let letters = ["", "F", "FS", "RS", "S"];
    bases.iter().for_each(|base| fs::write(f.path().join(format!("cur/{base}:2,")), base).unwrap());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut at: Vec<PathBuf> = bases.iter().map(|base| f.path().join(format!("cur/{base}:2,"))).collect();
            for round in 1.. {
                for (i, path) in at.iter_mut().enumerate() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let part = if (round + i) % 7 == 0 { "new" } else { "cur" };
                    let to = f.path().join(format!("{part}/{}:2,{}", bases[i], letters[(round + i) % letters.len()]));
                    fs::rename(&*path, &to).unwrap();
                    *path = to;
                }
            }
        });
        let maildir = &f.folder.maildir;
        let rounds = || {
            for _ in 0..4 {
                let listing = maildir.listing().unwrap();
                let (is_whole, found) = (listing.is_whole, listing.into_entries().len());
                assert!(found == MESSAGES || (found < MESSAGES && !is_whole), "{found}");
            }
            // A file that is not where it was a moment ago is found again.
            let wanted: Vec<&[u8]> = bases.iter().take(9).map(String::as_bytes).collect();
            let (sizes, is_sure) =
                maildir.visit(&wanted, |_, entry| Ok(fs::metadata(maildir.path_of(entry))?.len())).unwrap();
            assert_eq!(sizes.iter().flatten().count() == 9, is_sure);
            assert!(sizes.iter().flatten().all(|size| *size == bases[0].len() as u64));
        };
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(rounds));
        stop.store(true, Ordering::Relaxed);
        done.unwrap();
    });
    let listing = f.folder.maildir.listing().unwrap();
    assert_eq!((listing.is_whole, listing.twins.len(), listing.into_entries().len()), (true, 0, MESSAGES));
}
