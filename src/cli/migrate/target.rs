//! Where the messages of a folder go, and how it is found out afterwards what stands there.

use super::carriage::Stop;
use crate::error::{Error, Result};
use crate::imap::{self, ImapTarget, Lines, Link, Tree};
use crate::local;
use crate::mail::{Content, FolderName};
use crate::migrate::{At, Place, Site};
use crate::net::Stream;
use crate::store::{Here, Layout, Maildir, Mbox, Spec, Store, StoreKind};
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// The target of a pass.
pub enum Target {
    /// A server, logged in, with its folders.
    Imap(Arc<Lines<Stream>>, Box<Mutex<Tree>>),
    /// A store on this machine.
    Local(Spec),
}

/// A folder of the target; `None` where it does not stand yet, in a dry run.
pub enum Opened {
    /// On a server that takes messages of at most so many octets.
    Imap(Option<Box<ImapTarget<Stream>>>, Option<u64>),
    /// On this machine.
    Here(Here),
}

impl Target {
    /// The folders that stand there.
    pub async fn places(&self) -> Vec<Place> {
        match self {
            Target::Imap(_, tree) => {
                tree.lock().await.folders().map(|f| Place { name: f.name.clone(), role: f.role }).collect()
            }
            Target::Local(spec) => standing(spec).into_iter().map(|name| Place { name, role: None }).collect(),
        }
    }

    /// What separates the levels of names there, and cannot stand in one.
    pub async fn separator(&self) -> Option<char> {
        match self {
            Target::Imap(_, tree) => tree.lock().await.separator(),
            Target::Local(_) => None,
        }
    }

    /// Whether a folder does not stand there; of a store on this machine the store itself tells.
    pub async fn lacks(&self, folder: &FolderName) -> bool {
        match self {
            Target::Imap(_, tree) => tree.lock().await.get(folder).is_none(),
            Target::Local(_) => false,
        }
    }

    /// Opens the folder that another one goes to, and makes it where it is missing, unless nothing is to be changed.
    pub async fn open(&self, stop: &Stop, dry: bool) -> Result<Opened> {
        let (lines, tree) = match self {
            Target::Imap(lines, tree) => (lines, tree),
            Target::Local(spec) => {
                let opened = spec.standing_path(&stop.to).and_then(|path| spec.mailbox(path, !dry));
                return opened.map(Opened::Here).map_err(Error::folder);
            }
        };
        let store = match on_server(lines, tree, stop, dry).await? {
            Some(folder) => Some(Box::new(ImapTarget::open(lines, &folder, !dry).await?)),
            None => None,
        };
        Ok(Opened::Imap(store, lines.append_limit()))
    }

    /// How much more it takes, as far as it tells.
    pub async fn room(&self) -> Result<imap::Room> {
        let Target::Imap(lines, _) = self else { return Ok(imap::Room::default()) };
        let mut line = lines.take(&[]).await?;
        let room = line.imap.room().await;
        lines.give_back(line, &room);
        room
    }

    /// So many messages are going to come, more likely than not.
    pub fn expect(&self, messages: u64) {
        if let Target::Imap(lines, _) = self {
            lines.expect(usize::try_from(messages).unwrap_or(usize::MAX));
        }
    }

    /// Takes leave of the server; the tasks end as it answers.
    pub fn leave(&self) -> JoinSet<()> {
        if let Target::Imap(lines, _) = self { lines.leave() } else { JoinSet::new() }
    }
}

/// The folder on the server, subscribed to as the source's is; made where it is missing.
async fn on_server(
    lines: &Arc<Lines<Stream>>,
    tree: &Mutex<Tree>,
    stop: &Stop,
    dry: bool,
) -> Result<Option<imap::Folder>> {
    // Held all along: two folders may need the same one above them.
    let mut tree = tree.lock().await;
    let (known, subscribe) = match tree.get(&stop.to) {
        Some(folder) => {
            let differs = stop.subscribed == Some(true) && folder.subscribed == Some(false);
            (Some(folder.clone()), differs.then_some(true))
        }
        None => (None, stop.subscribed.filter(|subscribed| !subscribed)),
    };
    if dry || (known.is_some() && subscribe.is_none()) {
        return Ok(known);
    }
    let mut line = lines.take(&[]).await?;
    let made = async {
        let folder = match known {
            Some(folder) => folder,
            None => {
                line.imap.knows(&tree);
                line.imap.create_folder(&stop.to).await?
            }
        };
        if let Some(subscribe) = subscribe {
            line.imap.subscribe(&folder, subscribe).await?;
        }
        Ok(folder)
    };
    let made = made.await;
    lines.give_back(line, &made);
    let folder = made?;
    tree.add(folder.clone());
    Ok(Some(folder))
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
pub trait Standing: Store {
    /// Every message, by header and size, or by all octets. What is `known` by UID and size needs no reading.
    fn standing(&self, whole: bool, known: impl Fn((u32, u64)) -> Option<Content>) -> Result<Vec<(At, Content)>> {
        let _ = (whole, known);
        Ok(self.scan()?.into_iter().map(|content| (At::default(), content)).collect())
    }

    /// UIDVALIDITY, where it has one.
    fn uidvalidity(&self) -> Option<u32> {
        None
    }

    /// What the user should know of the work done.
    fn take_notes(&self) -> Vec<String>;

    /// Where it really is.
    fn site(&self) -> Site;
}

impl<S: Link + 'static> Standing for ImapTarget<S> {
    fn standing(&self, whole: bool, known: impl Fn((u32, u64)) -> Option<Content>) -> Result<Vec<(At, Content)>> {
        let standing = ImapTarget::standing(self, whole, known)?;
        let uidvalidity = self.uidvalidity();
        let at = |there: imap::Standing| At { uidvalidity, uid: there.size.map(|size| (there.uid, size)) };
        Ok(standing.into_iter().map(|there| (at(there), there.content)).collect())
    }

    fn uidvalidity(&self) -> Option<u32> {
        ImapTarget::uidvalidity(self)
    }

    fn take_notes(&self) -> Vec<String> {
        ImapTarget::take_notes(self)
    }

    fn site(&self) -> Site {
        Site::on_server(self.uidvalidity())
    }
}

impl Standing for Maildir {
    fn take_notes(&self) -> Vec<String> {
        Vec::new()
    }

    fn site(&self) -> Site {
        Site::of(self.path())
    }
}

impl Standing for Mbox {
    fn take_notes(&self) -> Vec<String> {
        Vec::new()
    }

    fn site(&self) -> Site {
        Site::of(self.path())
    }
}
