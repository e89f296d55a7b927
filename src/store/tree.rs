//! The folders that stand in a Maildir store, and what makes, removes and renames them.

use super::directory::{self, rename_new};
use super::layout::in_utf7;
use super::{Layout, Maildir, Spec, StoreKind};
use crate::error::{Error, Kind, Result, quoted};
use crate::mail::FolderName;
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Files of a Maildir that hold nothing of their own.
const OURS: [&str; 2] = ["dovecot-keywords", "maildirfolder"];

/// The folders of a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Each folder and its Maildir.
    pub folders: BTreeMap<FolderName, PathBuf>,
    /// What the user should know, in plain words.
    pub notes: Vec<String>,
    /// How many of these tell of mail that is in no folder.
    pub left: u64,
    /// Maildirs that lie where the layout has no folder.
    pub foreign: Vec<PathBuf>,
}

impl Tree {
    fn leave(&mut self, note: String) {
        self.notes.push(note);
        self.left += 1;
    }
}

/// What came of the wish to remove a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Gone,
    /// It is a folder no more, but its directory stands, for others keep these files there.
    Leaving(Vec<PathBuf>),
    /// There is mail in it, or something else where only mail should be: it stands as before.
    NotEmpty,
}

/// What lies in a directory of a store.
#[derive(Default)]
struct Below {
    /// Directories in which folders may stand,
    plain: Vec<PathBuf>,
    /// and symbolic links to some.
    links: Vec<PathBuf>,
    /// Maildirs that lie where the layout has no folder.
    foreign: Vec<PathBuf>,
}

impl Spec {
    /// The folders that stand. A directory is one when it has a `cur`. None stand where the root is missing.
    pub fn tree(&self) -> Result<Tree> {
        self.must_be_maildir()?;
        let mut tree = Tree::default();
        let mut known = HashSet::new();
        let mut open = vec![self.path.clone()];
        // Reached by symbolic links: looked at last, so that a folder is known by the way without.
        let mut linked = Vec::new();
        while let Some(path) = open.pop().or_else(|| linked.pop()) {
            let meta = match fs::metadata(&path) {
                Ok(meta) => meta,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(cannot("read", &path, e)),
            };
            if !meta.is_dir() {
                continue;
            }
            let is_first = known.insert((meta.dev(), meta.ino()));
            let is_mail = has_cur(&path)?;
            let folder = self.folder_at(&path);
            if !is_first {
                tree.notes.push(format!(
                    "{} leads to a folder that is known by another name, and is left out.",
                    path.display()
                ));
                continue;
            }
            match folder {
                Some(folder) if is_mail => self.enter(&mut tree, folder, path.clone())?,
                Some(_) => {}
                None if path == self.path => {
                    if is_mail {
                        tree.leave(format!(
                            "{} is a Maildir itself, which the layout has no folder for; it is left out.",
                            path.display()
                        ));
                    }
                }
                None => {
                    if has_mail_below(&path) {
                        tree.leave(format!("{} is left out: no folder can have that name.", shown(&path)));
                    }
                    continue;
                }
            }
            let Below { plain, links, foreign } = self.below(&path)?;
            open.extend(plain);
            linked.extend(links);
            tree.foreign.extend(foreign);
        }
        Ok(tree)
    }

    fn enter(&self, tree: &mut Tree, folder: FolderName, path: PathBuf) -> Result<()> {
        if is_same(&self.standing_path(&folder)?, &path) {
            tree.folders.insert(folder, path);
        } else {
            tree.leave(format!("{} is left out, for another one is {folder} already.", path.display()));
        }
        Ok(())
    }

    /// What lies in a directory, last ones first.
    fn below(&self, path: &Path) -> Result<Below> {
        let is_candidate = |name: &OsString| match self.layout {
            Layout::Nested => !name.as_bytes().starts_with(b"."),
            Layout::MaildirPlusPlus => path == self.path && name.as_bytes().starts_with(b"."),
            Layout::Single => false,
        };
        let is_part = |name: &OsString| ["cur", "new", "tmp"].iter().any(|part| name == part);
        let mut below = Below::default();
        let mut read = || -> io::Result<()> {
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                let (name, kind) = (entry.file_name(), entry.file_type()?);
                if is_part(&name) {
                    continue;
                }
                if !is_candidate(&name) {
                    if kind.is_dir() && self.layout != Layout::Single {
                        below.foreign.push(entry.path());
                    }
                } else if kind.is_symlink() {
                    below.links.push(entry.path());
                } else if kind.is_dir() {
                    below.plain.push(entry.path());
                }
            }
            Ok(())
        };
        match read() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Below::default()),
            read => read.map_err(|e| cannot("list", path, e))?,
        }
        if self.layout == Layout::MaildirPlusPlus {
            // Others keep their own dotted directories there.
            let mut mail = Vec::new();
            for path in below.plain.into_iter().chain(below.links.drain(..)) {
                if has_cur(&path)? {
                    mail.push(path);
                }
            }
            below.plain = mail;
        }
        let mut foreign = Vec::new();
        for path in below.foreign {
            if has_cur(&path)? {
                foreign.push(path);
            }
        }
        foreign.sort();
        below.foreign = foreign;
        below.plain.sort_by(|a, b| b.cmp(a));
        below.links.sort_by(|a, b| b.cmp(a));
        Ok(below)
    }

    /// The path of a folder's mailbox, where INBOX goes by whatever case it stands in, and any other by the name in modified
    /// UTF-7 that another tool gave it.
    pub fn standing_path(&self, folder: &FolderName) -> Result<PathBuf> {
        let path = self.mailbox_path(folder)?;
        let path = match self.kind {
            StoreKind::Maildir if path.symlink_metadata().is_err() => self.utf7_path(folder, path),
            _ => path,
        };
        let is_below_inbox = folder.levels().first().is_some_and(|level| level == "INBOX");
        let Some(first) = path.strip_prefix(&self.path).ok().and_then(|below| below.components().next()) else {
            return Ok(path);
        };
        let first = self.path.join(first);
        if !is_below_inbox || first.symlink_metadata().is_ok() {
            return Ok(path);
        }
        let inbox = first.file_name().unwrap_or_default();
        let is_it = |name: &OsString| match self.layout {
            Layout::Nested => name.eq_ignore_ascii_case(inbox),
            _ => self.folder_at(&self.path.join(name)).as_ref() == Some(folder),
        };
        let names = fs::read_dir(&self.path).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.file_name()));
        let found = names.filter(is_it).min().map(|name| self.path.join(name));
        let below = path.strip_prefix(&first).unwrap_or(Path::new(""));
        Ok(match found {
            Some(found) if below.as_os_str().is_empty() => found,
            Some(found) => found.join(below),
            None => path,
        })
    }

    /// The path of a folder that does not stand where it would, by levels that other tools named.
    fn utf7_path(&self, folder: &FolderName, path: PathBuf) -> PathBuf {
        let names = folder.levels().iter().map(|level| in_utf7(level));
        match self.layout {
            Layout::Single => path,
            Layout::MaildirPlusPlus => {
                let level = |(name, level): (Option<String>, &String)| format!(".{}", name.as_ref().unwrap_or(level));
                let name: String = names.zip(folder.levels()).map(level).collect();
                Some(self.path.join(name))
                    .filter(|p| self.folder_at(p).as_ref() == Some(folder) && p.exists())
                    .unwrap_or(path)
            }
            Layout::Nested => {
                let Ok(own) = path.strip_prefix(&self.path) else { return path };
                let mut found = self.path.clone();
                for (own, utf7) in own.components().zip(names) {
                    let (own, utf7) = (found.join(own), utf7.map(|name| found.join(name)));
                    let is_it = own.symlink_metadata().is_err();
                    found = utf7.filter(|utf7| is_it && utf7.symlink_metadata().is_ok()).unwrap_or(own);
                }
                found
            }
        }
    }

    /// Makes a folder, where it does not stand already.
    pub fn create_folder(&self, folder: &FolderName) -> Result<()> {
        self.must_be_maildir()?;
        Maildir::open(self.standing_path(folder)?, self.line_endings).map(drop)
    }

    /// Removes a folder in which there is no mail; those below it stay, and so do files of others.
    pub fn remove_folder(&self, folder: &FolderName) -> Result<Removal> {
        self.must_be_maildir()?;
        let path = self.standing_path(folder)?;
        if path == self.path {
            return Ok(Removal::NotEmpty);
        }
        // A directory that holds anything cannot be removed: mail that arrives meanwhile is safe. As long as `cur` stands, it
        // is a folder.
        for part in ["tmp", "new", "cur"] {
            match fs::remove_dir(path.join(part)) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => {
                    Maildir::open(path, self.line_endings)?;
                    return Ok(Removal::NotEmpty);
                }
                Err(e) => return Err(cannot("remove", &path.join(part), e)),
            }
            crate::fault::point();
        }
        for file in OURS {
            match fs::remove_file(path.join(file)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(cannot("remove", &path.join(file), e)),
                _ => {}
            }
        }
        let left = match files(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            left => left.map_err(|e| cannot("list", &path, e))?,
        };
        self.prune(&path)?;
        Ok(if left.is_empty() { Removal::Gone } else { Removal::Leaving(left) })
    }

    /// Removes directories that hold nothing any more, from the innermost outwards, up to the root.
    fn prune(&self, path: &Path) -> Result<()> {
        let mut path = path;
        while path != self.path && path.starts_with(&self.path) && fs::remove_dir(path).is_ok() {
            path = directory::parent(path);
        }
        match directory::sync(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(cannot("make durable", path, e)),
            _ => Ok(()),
        }
    }

    /// Renames a folder and those below it. INBOX keeps its name, and a name that is taken stays with its owner.
    pub fn rename_folder(&self, from: &FolderName, to: &FolderName) -> Result<()> {
        self.must_be_maildir()?;
        if from.is_inbox() || to.is_inbox() {
            let what = format!("cannot rename folder {} to {}", shown_name(from), shown_name(to));
            return Err(Error::new(Kind::CannotCreate, what, "INBOX keeps its name; choose another folder.").folder());
        }
        let path = self.standing_path(from)?;
        let mut renames = vec![(path.clone(), self.mailbox_path(to)?)];
        if self.layout == Layout::MaildirPlusPlus {
            for (folder, path) in self.tree()?.folders {
                let Some(below) = folder.levels().strip_prefix(from.levels()).filter(|below| !below.is_empty()) else {
                    continue;
                };
                let levels = to.levels().iter().chain(below).cloned().collect();
                if let Some(renamed) = FolderName::from_levels(levels) {
                    renames.push((path, self.mailbox_path(&renamed)?));
                }
            }
            // A level that is no folder itself has no directory here.
            renames.retain(|(old, _)| *old != path || path.exists());
        }
        if renames.is_empty() {
            return Err(cannot("rename", &path, io::ErrorKind::NotFound.into()).folder());
        }
        if let Some((_, taken)) = renames.iter().find(|(_, to)| to.symlink_metadata().is_ok()) {
            let what = format!("cannot rename folder {} to {}", shown_name(from), shown_name(to));
            let remedy = format!("Move {} out of the way, or choose another name.", taken.display());
            return Err(Error::new(Kind::CannotCreate, what, remedy).folder());
        }
        for (old, new) in renames {
            let made = directory::make(directory::parent(&new)).and_then(|()| rename_new(&old, &new));
            made.map_err(|e| cannot("rename", &old, e))?;
            crate::fault::point();
            directory::sync(directory::parent(&new)).map_err(|e| cannot("make durable", &new, e))?;
            self.prune(directory::parent(&old))?;
        }
        Ok(())
    }

    fn must_be_maildir(&self) -> Result<()> {
        if self.kind == StoreKind::Maildir {
            return Ok(());
        }
        let what = format!("{} is no Maildir store", self.path.display());
        Err(Error::new(Kind::Config, what, "Set `kind = \"maildir\"` for it."))
    }
}

fn has_cur(path: &Path) -> Result<bool> {
    let cur = path.join("cur");
    match fs::metadata(&cur) {
        Ok(meta) => Ok(meta.is_dir()),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(e) => Err(cannot("read", &cur, e)),
    }
}

/// Whether a directory, or one below it, is a Maildir, as far as they can be read.
fn has_mail_below(path: &Path) -> bool {
    let directories = fs::read_dir(path).into_iter().flatten().flatten();
    let mut directories = directories.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    has_cur(path).unwrap_or(true) || directories.any(|entry| has_mail_below(&entry.path()))
}

fn is_same(a: &Path, b: &Path) -> bool {
    let identity = |path: &Path| path.metadata().ok().map(|meta| (meta.dev(), meta.ino()));
    a == b || identity(a).is_some_and(|a| identity(b) == Some(a))
}

/// What is in a directory but directories.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn cannot(act: &str, path: &Path, cause: io::Error) -> Error {
    Error::local_io(format!("cannot {act} {}", path.display()), cause)
}

fn shown(path: &Path) -> String {
    quoted(path.as_os_str().as_bytes())
}

fn shown_name(folder: &FolderName) -> String {
    quoted(folder.to_string().as_bytes())
}

#[cfg(test)]
mod tests;
