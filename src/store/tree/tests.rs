use super::*;
use crate::store::LineEndings;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

fn spec(root: &TempDir, layout: Layout) -> Spec {
    Spec { kind: StoreKind::Maildir, path: root.path().join("m"), layout, line_endings: LineEndings::Lf }
}

fn name(folder: &str) -> FolderName {
    FolderName::parse(folder).unwrap()
}

fn mailbox(spec: &Spec, path: &str) {
    Maildir::open(spec.path.join(path), LineEndings::Lf).unwrap();
}

/// Folders, each with its path under the root.
fn shown(spec: &Spec) -> Vec<(String, String)> {
    let below = |path: &PathBuf| path.strip_prefix(&spec.path).unwrap().to_str().unwrap().to_owned();
    spec.tree().unwrap().folders.iter().map(|(folder, path)| (folder.to_string(), below(path))).collect()
}

fn names(spec: &Spec) -> Vec<String> {
    shown(spec).into_iter().map(|(folder, _)| folder).collect()
}

#[test]
fn a_store_that_is_not_there_has_no_folders() {
    let root = tempfile::tempdir().unwrap();
    for layout in [Layout::Nested, Layout::MaildirPlusPlus, Layout::Single] {
        assert_eq!(spec(&root, layout).tree().unwrap(), Tree::default());
    }
    let mbox = Spec { kind: StoreKind::Mbox, ..spec(&root, Layout::Nested) };
    assert_eq!(mbox.tree().unwrap_err().kind(), Kind::Config);
}

#[test]
fn nested_folders_are_found_at_every_depth() {
    let root = tempfile::tempdir().unwrap();
    let spec = spec(&root, Layout::Nested);
    for folder in ["inbox", "inbox/Work", "Lists/rust", "Lists/rust/old", "a%2Fb", "%63ur", "Entwürfe"] {
        mailbox(&spec, folder);
    }
    for other in [".git/cur", "plain/deep", "%6Fdd/cur"] {
        fs::create_dir_all(spec.path.join(other)).unwrap();
    }
    fs::write(spec.path.join("notes.txt"), "").unwrap();
    let pairs = [
        ("Entwürfe", "Entwürfe"),
        ("INBOX", "inbox"),
        ("INBOX/Work", "inbox/Work"),
        ("Lists/rust", "Lists/rust"),
        ("Lists/rust/old", "Lists/rust/old"),
        ("a/b", "a%2Fb"),
        ("cur", "%63ur"),
    ];
    assert_eq!(shown(&spec), pairs.map(|(folder, path)| (folder.to_owned(), path.to_owned())));
    let Tree { notes, left, .. } = spec.tree().unwrap();
    assert_eq!((notes.len(), left), (1, 1));
    assert!(notes[0].contains("%6Fdd"), "{notes:?}");
    assert_eq!(spec.standing_path(&name("INBOX/Work")).unwrap(), spec.path.join("inbox/Work"));
    assert_eq!(spec.standing_path(&name("INBOX/Other")).unwrap(), spec.path.join("inbox/Other"));
    // The folders below an mbox stand beside it.
    let mbox = Spec { kind: StoreKind::Mbox, ..spec };
    assert_eq!(mbox.standing_path(&name("INBOX/Work")).unwrap(), mbox.path.join("INBOX.sbd/Work"));
    std::fs::create_dir(mbox.path.join("Inbox.sbd")).unwrap();
    assert_eq!(mbox.standing_path(&name("INBOX/Work")).unwrap(), mbox.path.join("Inbox.sbd/Work"));
}

#[test]
fn of_two_inboxes_the_right_one_counts() {
    let root = tempfile::tempdir().unwrap();
    let spec = spec(&root, Layout::Nested);
    for folder in ["inbox", "INBOX", "Inbox/Work"] {
        mailbox(&spec, folder);
    }
    assert_eq!(shown(&spec), [("INBOX".to_owned(), "INBOX".to_owned())]);
    let tree = spec.tree().unwrap();
    assert_eq!((tree.notes.len(), tree.left), (2, 2));
}

#[test]
fn dotted_folders_lie_beside_the_inbox() {
    let root = tempfile::tempdir().unwrap();
    let spec = spec(&root, Layout::MaildirPlusPlus);
    for folder in ["", ".Inbox.Work", ".Lists.rust", ".v1%2E0", ".a..b", "plain", ".Lists.rust/sub"] {
        mailbox(&spec, folder);
    }
    fs::create_dir(spec.path.join(".git")).unwrap();
    let pairs = [("INBOX", ""), ("INBOX/Work", ".Inbox.Work"), ("Lists/rust", ".Lists.rust"), ("v1.0", ".v1%2E0")];
    assert_eq!(shown(&spec), pairs.map(|(folder, path)| (folder.to_owned(), path.to_owned())));
    let Tree { notes, mut foreign, .. } = spec.tree().unwrap();
    foreign.sort();
    assert_eq!((notes.len(), foreign), (1, [".Lists.rust/sub", "plain"].map(|p| spec.path.join(p)).to_vec()));
    assert_eq!(spec.standing_path(&name("INBOX/Work")).unwrap(), spec.path.join(".Inbox.Work"));
}

#[test]
fn a_folder_is_known_by_one_way_only() {
    let root = tempfile::tempdir().unwrap();
    let spec = spec(&root, Layout::Nested);
    mailbox(&spec, "b");
    mailbox(&Spec { path: root.path().join("elsewhere"), ..spec.clone() }, "deep");
    symlink("b", spec.path.join("a")).unwrap();
    symlink("..", spec.path.join("b/loop")).unwrap();
    symlink("nowhere", spec.path.join("dangling")).unwrap();
    symlink(root.path().join("elsewhere"), spec.path.join("linked")).unwrap();
    assert_eq!(names(&spec), ["b", "linked/deep"]);
    let tree = spec.tree().unwrap();
    assert_eq!((tree.notes.len(), tree.left), (2, 0));
}

#[test]
fn a_single_mailbox_is_its_root() {
    let root = tempfile::tempdir().unwrap();
    let single = spec(&root, Layout::Single);
    mailbox(&single, "");
    mailbox(&single, "sub");
    assert_eq!(shown(&single), [("INBOX".to_owned(), String::new())]);
    assert_eq!(
        (names(&spec(&root, Layout::Nested)), spec(&root, Layout::Nested).tree().unwrap().notes.len()),
        (vec!["sub".to_owned()], 1)
    );
}

#[test]
fn folders_are_made_and_removed() {
    for layout in [Layout::Nested, Layout::MaildirPlusPlus] {
        let root = tempfile::tempdir().unwrap();
        let spec = spec(&root, layout);
        for folder in ["INBOX", "A/B", "A/B/C", "A/D"] {
            spec.create_folder(&name(folder)).unwrap();
            spec.create_folder(&name(folder)).unwrap();
        }
        assert_eq!(names(&spec), ["A/B", "A/B/C", "A/D", "INBOX"]);

        let path = spec.mailbox_path(&name("A/B")).unwrap();
        for part in ["cur", "new", "tmp"] {
            let file = path.join(part).join("1");
            fs::write(&file, "mail").unwrap();
            assert_eq!(spec.remove_folder(&name("A/B")).unwrap(), Removal::NotEmpty);
            assert!(Maildir::exists(&path) && path.join("tmp").is_dir());
            fs::remove_file(file).unwrap();
        }
        fs::write(path.join("dovecot-keywords"), "0 a\n").unwrap();
        fs::write(path.join("dovecot.index"), "").unwrap();
        assert_eq!(spec.remove_folder(&name("A/B")).unwrap(), Removal::Leaving(vec![path.join("dovecot.index")]));
        assert_eq!(names(&spec), ["A/B/C", "A/D", "INBOX"]);
        fs::remove_file(path.join("dovecot.index")).unwrap();
        assert_eq!(spec.remove_folder(&name("A/B/C")).unwrap(), Removal::Gone);
        assert_eq!(spec.remove_folder(&name("A/B")).unwrap(), Removal::Gone);
        assert_eq!(spec.remove_folder(&name("A/D")).unwrap(), Removal::Gone);
        assert_eq!(names(&spec), ["INBOX"]);
        assert!(!spec.path.join("A").exists());
    }
}

#[test]
fn the_inbox_of_a_dotted_store_stays() {
    let root = tempfile::tempdir().unwrap();
    let spec = spec(&root, Layout::MaildirPlusPlus);
    spec.create_folder(&name("INBOX")).unwrap();
    assert_eq!(spec.remove_folder(&name("INBOX")).unwrap(), Removal::NotEmpty);
    assert_eq!(names(&spec), ["INBOX"]);
}

#[test]
fn a_folder_is_renamed_with_those_below_it() {
    for layout in [Layout::Nested, Layout::MaildirPlusPlus] {
        let root = tempfile::tempdir().unwrap();
        let spec = spec(&root, layout);
        for folder in ["A/B", "A/B/C", "A/Bc", "INBOX", "taken"] {
            spec.create_folder(&name(folder)).unwrap();
        }
        fs::write(spec.mailbox_path(&name("A/B")).unwrap().join("cur/1:2,S"), "mail").unwrap();
        spec.rename_folder(&name("A/B"), &name("X/Y.z")).unwrap();
        assert_eq!(names(&spec), ["A/Bc", "INBOX", "X/Y.z", "X/Y.z/C", "taken"]);
        assert!(spec.mailbox_path(&name("X/Y.z")).unwrap().join("cur/1:2,S").exists());

        for (from, to) in [("X/Y.z", "taken"), ("INBOX", "other"), ("taken", "INBOX")] {
            let e = spec.rename_folder(&name(from), &name(to)).unwrap_err();
            assert_eq!(e.kind(), Kind::CannotCreate, "{from} to {to}");
        }
        spec.rename_folder(&name("A/Bc"), &name("Bc")).unwrap();
        assert_eq!(names(&spec), ["Bc", "INBOX", "X/Y.z", "X/Y.z/C", "taken"]);
        assert!(!spec.path.join("A").exists());
        assert_eq!(spec.rename_folder(&name("none"), &name("some")).unwrap_err().kind(), Kind::LocalIo);
    }
}
