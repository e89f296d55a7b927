//! Which folders stand below a path.

use crate::error::{Error, Kind, Result, quoted};
use crate::mail::FolderName;
use crate::store::{Layout, MboxFile, Spec, Tree};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Files beside an mbox that hold no mail.
const BESIDE: [&str; 6] = ["msf", "lock", "dat", "index", "cache", "log"];

/// The folders below a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalTree {
    /// Each folder, and where it stands.
    pub folders: BTreeMap<FolderName, PathBuf>,
    /// What the user should know, in plain words.
    pub notes: Vec<String>,
}

/// Where Maildirs lie as others laid them out: the path itself is one, others lie in dotted directories in it, or anywhere
/// below it; or all of that at once. A spec in the layout [`Layout::Single`] is that of one Maildir alone.
pub fn maildirs(spec: &Spec) -> Result<(Spec, LocalTree)> {
    let is_maildir = |path: &Path| path.join("cur").is_dir();
    let dotted = |path: &Path| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries
            .map(|e| e.path())
            .any(|p| p.file_name().is_some_and(|n| n.as_bytes().starts_with(b".")) && is_maildir(&p))
    };
    let laid_out = |layout| Spec { layout, ..spec.clone() };
    let (is_one, has_dotted) = (is_maildir(&spec.path), dotted(&spec.path));
    let nested = laid_out(Layout::Nested).tree()?;
    let (layout, found) = match (is_one, has_dotted, nested.folders.is_empty()) {
        (true, false, true) => (Layout::Single, laid_out(Layout::Single).tree()?),
        (false, false, _) => (Layout::Nested, nested),
        (_, _, true) => (Layout::MaildirPlusPlus, laid_out(Layout::MaildirPlusPlus).tree()?),
        (_, _, false) => (Layout::Nested, both(laid_out(Layout::MaildirPlusPlus).tree()?, nested)),
    };
    let mut tree = LocalTree { folders: found.folders, notes: found.notes };
    if tree.folders.is_empty() {
        return Err(nothing(&spec.path, "Maildir"));
    }
    let mut others = Vec::new();
    strays(&spec.path, &tree, &mut others);
    tree.notes.extend(others);
    Ok((laid_out(layout), tree))
}

/// The folders of two layouts at one path.
fn both(first: Tree, second: Tree) -> Tree {
    let Tree { mut folders, mut notes, .. } = first;
    let taken: Vec<PathBuf> = folders.values().cloned().collect();
    // What the second layout has no folder for, the first one may have.
    let is_open = |note: &String| !taken.iter().any(|path| note.starts_with(&format!("{} ", path.display())));
    notes.extend(second.notes.into_iter().filter(is_open));
    for (folder, path) in second.folders {
        match folders.get(&folder) {
            Some(known) => {
                notes.push(format!("{} is left out: {} is folder {folder} already.", path.display(), known.display()));
            }
            None => drop(folders.insert(folder, path)),
        }
    }
    Tree { folders, notes, ..Tree::default() }
}

/// Tells of Maildirs below a path that no layout has a folder for.
fn strays(directory: &Path, tree: &LocalTree, notes: &mut Vec<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let is_part = ["cur", "new", "tmp"].iter().any(|part| name == *part);
        if is_part || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let shown = quoted(path.as_os_str().as_bytes());
        let is_known = tree.folders.values().any(|known| *known == path);
        let is_told = tree
            .notes
            .iter()
            .any(|note| note.starts_with(&format!("{} ", path.display())) || note.starts_with(&format!("{shown} ")));
        if path.join("cur").is_dir() && !is_known && !is_told {
            notes.push(format!(
                "{shown} is left out: it lies where no folder can be. Name it by itself to have it, too."
            ));
        }
        strays(&path, tree, notes);
    }
}

/// The mboxes at or below a path: a file is the inbox; in a directory, each file is a folder, and `NAME.sbd` (Thunderbird) or
/// `NAME` holds those inside it.
pub fn mboxes(path: &Path) -> Result<LocalTree> {
    let mut tree = LocalTree::default();
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() => drop(tree.folders.insert(FolderName::inbox(), path.to_owned())),
        Ok(_) => descend(path, &[], &mut tree)?,
        Err(e) => return Err(Error::local_io(format!("cannot read {}", path.display()), e)),
    }
    if tree.folders.is_empty() { Err(nothing(path, "mbox")) } else { Ok(tree) }
}

fn nothing(path: &Path, kind: &str) -> Error {
    Error::new(
        Kind::LocalIo,
        format!("there is no {kind} at {}", path.display()),
        "Name another path, or mount its disk.",
    )
}

fn descend(directory: &Path, above: &[String], tree: &mut LocalTree) -> Result<()> {
    let failed = |e| Error::local_io(format!("cannot list {}", directory.display()), e);
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<std::io::Result<Vec<_>>>).map_err(failed)?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        let Some(name) = path.file_name().filter(|name| !name.as_bytes().starts_with(b".")) else { continue };
        let is_directory = path.is_dir();
        let mut left =
            |why: &str| tree.notes.push(format!("{} is left out: {why}.", quoted(path.as_os_str().as_bytes())));
        let Some(text) = name.to_str() else {
            left("its name is not in UTF-8");
            continue;
        };
        let level = if is_directory { text.strip_suffix(".sbd").unwrap_or(text) } else { text };
        let levels = [above, &[level.to_owned()]].concat();
        if is_directory {
            descend(&path, &levels, tree)?;
            continue;
        }
        let is_beside = path.extension().and_then(OsStr::to_str).is_some_and(|e| BESIDE.contains(&e));
        if is_beside || !path.is_file() {
            continue;
        }
        if !MboxFile::is_one(&path) {
            left("it is no mbox");
            continue;
        }
        let Some(folder) = FolderName::from_levels(levels) else { continue };
        match tree.folders.get(&folder) {
            Some(known) => left(&format!("{} is folder {folder} already", known.display())),
            None => drop(tree.folders.insert(folder, path)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{LineEndings, StoreKind};

    fn names(tree: &LocalTree) -> Vec<String> {
        tree.folders.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn mboxes_lie_as_other_programs_lay_them() {
        let root = tempfile::tempdir().unwrap();
        let make = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let mbox = "From a@b Sat Feb  3 04:05:06 2001\nS: x\n\n";
        for (name, text) in [
            ("Inbox", mbox),
            ("Inbox.msf", "x"),
            ("Inbox.sbd/Work", mbox),
            ("Sent", ""),
            ("lists/rust", mbox),
            ("readme", "From: no\n"),
            (".hidden", mbox),
            ("lists.sbd/rust", mbox),
        ] {
            make(name, text);
        }
        let tree = mboxes(root.path()).unwrap();
        assert_eq!(names(&tree), ["INBOX", "INBOX/Work", "Sent", "lists/rust"]);
        assert_eq!(tree.notes.len(), 2, "{:?}", tree.notes);
        assert_eq!(names(&mboxes(&root.path().join("Sent")).unwrap()), ["INBOX"]);
        assert!(mboxes(&root.path().join("none")).is_err());
        fs::create_dir(root.path().join("empty")).unwrap();
        assert!(mboxes(&root.path().join("empty")).unwrap_err().to_string().contains("there is no mbox at"));
    }

    #[test]
    fn maildirs_lie_in_any_layout() {
        let root = tempfile::tempdir().unwrap();
        let spec = |path: &str| Spec {
            kind: StoreKind::Maildir,
            path: root.path().join(path),
            layout: Layout::Nested,
            line_endings: LineEndings::Lf,
        };
        for path in [
            "one",
            "plus",
            "plus/.Sent",
            "plus/.a.b",
            "nested/INBOX",
            "nested/a/b",
            "dot/INBOX",
            "dot/Work/Sub",
            "dot/.Trash",
            "dot/Work/.y",
            "both",
            "both/.Sent",
            "both/Nested",
            "both/Sent",
        ] {
            for part in ["tmp", "new", "cur"] {
                fs::create_dir_all(root.path().join(path).join(part)).unwrap();
            }
        }
        for (path, layout, folders) in [
            ("one", Layout::Single, &["INBOX"][..]),
            ("plus", Layout::MaildirPlusPlus, &["INBOX", "Sent", "a/b"]),
            ("nested", Layout::Nested, &["INBOX", "a/b"]),
            // A dotted folder hides none of the others.
            ("dot", Layout::Nested, &["INBOX", "Trash", "Work/Sub"]),
            ("both", Layout::Nested, &["INBOX", "Nested", "Sent"]),
        ] {
            let (found, tree) = maildirs(&spec(path)).unwrap();
            let left = tree.notes.iter().filter(|note| note.contains(" is left out: ")).count();
            let expected = usize::from(["dot", "both"].contains(&path));
            assert_eq!((left, tree.notes.len()), (expected, expected), "{path}: {:?}", tree.notes);
            assert_eq!((found.layout, names(&tree)), (layout, folders.iter().map(|f| (*f).to_owned()).collect()));
        }
        assert!(maildirs(&spec("none")).is_err());
    }
}
