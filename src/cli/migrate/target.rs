//! Where the messages of a folder go, and how it is found out afterwards what stands there.

use crate::error::Result;
use crate::imap::{ImapTarget, Line, Link, Tree};
use crate::local;
use crate::mail::{Content, FolderName};
use crate::migrate::Place;
use crate::net::Stream;
use crate::store::{Layout, Maildir, Mbox, Spec, Store, StoreKind};

/// The target of a pass.
pub enum Target {
    /// A server, logged in, with its folders.
    Imap(Line<Stream>, Box<Tree>),
    /// A store on this machine.
    Local(Spec),
}

impl Target {
    /// The folders that stand there.
    pub fn places(&self) -> Vec<Place> {
        match self {
            Target::Imap(_, tree) => tree.folders().map(|f| Place { name: f.name.clone(), role: f.role }).collect(),
            Target::Local(spec) => standing(spec).into_iter().map(|name| Place { name, role: None }).collect(),
        }
    }

    /// What separates the levels of names there, and cannot stand in one.
    pub fn separator(&self) -> Option<char> {
        match self {
            Target::Imap(_, tree) => tree.separator(),
            Target::Local(_) => None,
        }
    }
}

fn standing(spec: &Spec) -> Vec<FolderName> {
    match (spec.kind, spec.layout) {
        (_, Layout::Single) => Vec::new(),
        // What cannot be read is told when it is written to.
        (StoreKind::Maildir, _) => spec.tree().map(|tree| tree.folders.into_keys().collect()).unwrap_or_default(),
        (StoreKind::Mbox, _) => local::mboxes(&spec.path).map(|t| t.folders.into_keys().collect()).unwrap_or_default(),
    }
}

/// A store that can be looked at after the work.
pub trait Checked: Store {
    /// Every message, by header and size, or by all octets.
    fn contents(&self, by_content: bool) -> Result<Vec<Content>>;

    /// What the user should know of the work done.
    fn take_notes(&self) -> Vec<String>;
}

impl<S: Link + 'static> Checked for ImapTarget<S> {
    fn contents(&self, by_content: bool) -> Result<Vec<Content>> {
        if by_content { self.read_all() } else { self.scan() }
    }

    fn take_notes(&self) -> Vec<String> {
        ImapTarget::take_notes(self)
    }
}

impl Checked for Maildir {
    fn contents(&self, _: bool) -> Result<Vec<Content>> {
        self.scan()
    }

    fn take_notes(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Checked for Mbox {
    fn contents(&self, _: bool) -> Result<Vec<Content>> {
        self.scan()
    }

    fn take_notes(&self) -> Vec<String> {
        Vec::new()
    }
}
