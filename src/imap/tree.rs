//! Commands about the folders of an account: listing, creating, removing, renaming them.

use super::Imap;
use super::capability::Capabilities;
use super::command::Command;
use super::folders::{Folder, FolderStatus, Gathering, Tree, same};
use super::opening::{Ahead, Opening, Rows};
use super::pipeline::{Pipeline, Step};
use super::response::Untagged;
use super::session::{Link, Session};
use super::status::Condition;
use crate::error::Result;
use crate::mail::FolderName;
use std::collections::HashMap;

/// What a listing is to tell besides names, as far as the server can.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// How each folder stands.
    pub status: bool,
    /// Which ones the user subscribed to, even if that takes a command of its own.
    pub subscribed: bool,
    /// QRESYNC (RFC 7162) is enabled along with it, where the server has it; no folder is open yet.
    pub resync: bool,
    /// The inbox is opened behind it.
    pub inbox: Option<Inbox>,
}

/// How the inbox is opened along with the list of folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inbox {
    /// To be read, and its messages are listed.
    Listed,
    /// To be changed, or else only looked at.
    Open {
        /// Whether to be changed.
        writable: bool,
    },
}

/// The folders, and the inbox where it was opened along with them.
type Told = (Tree, Option<Ahead>);

enum Asked {
    Namespace,
    Resync,
    Folders,
    Subscriptions,
    Inbox,
    Messages,
}

/// Asks for all folders, in one group of commands.
pub async fn list<S: Link>(session: &mut Session<S>, capabilities: &Capabilities, wanted: Wanted) -> Result<Told> {
    let options = capabilities.list_options(wanted.status);
    match attempt(session, capabilities, wanted, &options).await? {
        Some(told) => Ok(told),
        // Some servers offer what they then refuse.
        None => attempt(session, capabilities, wanted, "").await.map(Option::unwrap_or_default),
    }
}

/// `None` where the server refuses LIST with such options.
async fn attempt<S: Link>(
    session: &mut Session<S>,
    capabilities: &Capabilities,
    wanted: Wanted,
    options: &str,
) -> Result<Option<Told>> {
    let mut commands = Vec::new();
    if capabilities.can_namespace() {
        commands.push(("NAMESPACE".to_owned(), Asked::Namespace));
    }
    let returned = if options.is_empty() { String::new() } else { format!(" RETURN ({options})") };
    commands.push((format!("LIST \"\" \"*\"{returned}"), Asked::Folders));
    let told = !options.is_empty() || wanted.subscribed;
    if options.is_empty() && wanted.subscribed {
        commands.push(("LSUB \"\" \"*\"".to_owned(), Asked::Subscriptions));
    }
    if wanted.resync && capabilities.can_qresync() && !session.resyncs {
        commands.push(("ENABLE QRESYNC".to_owned(), Asked::Resync));
    }
    let is_writable = matches!(wanted.inbox, Some(Inbox::Open { writable: true }));
    let (mut opening, mut open, mut listed) = (Opening::new(is_writable), None, None);
    if wanted.inbox.is_some() {
        commands.push((format!("{} INBOX", opening.verb()), Asked::Inbox));
    }
    if wanted.inbox == Some(Inbox::Listed) {
        commands.push((Rows::COMMAND.to_owned(), Asked::Messages));
    }
    let (mut gathering, mut enabled) = (Gathering::default(), false);
    gathering.utf8 = capabilities.names_in_utf8();
    let mut refused = None;
    let mut pipeline = Pipeline::new(commands.into_iter().map(|(line, asked)| (line, 0, asked)));
    while let Some(step) = pipeline.step(session).await? {
        match step {
            Step::Untagged(frame) => {
                session.bounded_answer()?;
                match Untagged::of(&frame) {
                    Untagged::List(entry) => gathering.listed(&entry),
                    Untagged::Lsub(entry) => gathering.subscribed(&entry),
                    Untagged::FolderStatus(wire, status) => gathering.status(&wire, status),
                    Untagged::Namespace(first) => gathering.namespace = first,
                    Untagged::Enabled(what) => enabled |= what.can_qresync(),
                    Untagged::Broken if open.is_none() => gathering.broken = true,
                    other => opening.take(open.is_some(), other, session.resyncs),
                }
            }
            Step::Done(Asked::Resync, status) => session.resyncs = enabled && status.condition == Condition::Ok,
            Step::Done(Asked::Inbox, status) => open = Some(status),
            Step::Done(Asked::Messages, status) => listed = Some(status),
            Step::Done(_, status) if status.condition == Condition::Ok => {}
            // Without NAMESPACE there is no prefix to hide.
            Step::Done(Asked::Namespace, _) => {}
            Step::Done(Asked::Folders, status) => refused = refused.or(Some((status, "list its folders"))),
            Step::Done(Asked::Subscriptions, status) => {
                refused = refused.or(Some((status, "list the folders subscribed to")));
            }
        }
    }
    gathering.exchange = session.is_exchange;
    match refused {
        None => Ok(Some((gathering.tree(told), open.map(|status| (opening, status, listed))))),
        Some((status, _)) if !options.is_empty() && status.text.kind().is_none() => Ok(None),
        Some((status, doing)) => Err(session.refused(&status, doing)),
    }
}

impl<S: Link> Imap<S> {
    /// Every folder that can be opened, with what the server tells of each along with the list. Which ones the user
    /// subscribed to is told for certain only if `subscribed` asks for it.
    pub async fn tree(&mut self, subscribed: bool) -> Result<Tree> {
        self.ask_tree(Wanted { status: true, subscribed, ..Wanted::default() }).await
    }

    /// The same, and the inbox is opened along with it: to open it takes no round trip, if that comes next.
    pub async fn tree_and_inbox(&mut self, subscribed: bool, inbox: Inbox) -> Result<Tree> {
        self.ask_tree(Wanted { status: true, subscribed, inbox: Some(inbox), ..Wanted::default() }).await
    }

    /// The same on a connection for a sync, for which changes are counted from then on.
    pub async fn tree_to_sync(&mut self, subscribed: bool) -> Result<Tree> {
        let resync = !self.has_opened;
        self.ask_tree(Wanted { status: true, subscribed, resync, ..Wanted::default() }).await
    }

    async fn ask_tree(&mut self, wanted: Wanted) -> Result<Tree> {
        let (tree, inbox) = list(&mut self.session, &self.capabilities, wanted).await?;
        self.has_opened |= inbox.is_some();
        // One that cannot be opened tells why when it is its turn.
        self.ahead = inbox.filter(|(_, status, _)| status.condition == Condition::Ok);
        self.tree = Some(tree.clone());
        Ok(tree)
    }

    /// Takes over what another connection to the same account has listed.
    pub fn knows(&mut self, tree: &Tree) {
        self.tree = Some(tree.clone());
    }

    /// Creates a folder, or finds that it is there, and subscribes to it. An error reaches no further than this folder.
    pub async fn create_folder(&mut self, name: &FolderName) -> Result<Folder> {
        let wire = self.listed().await?.names.wire_of(name)?;
        let status = self.session.attempt(Command::new("CREATE").argument(&wire), |_| ()).await?;
        if status.condition != Condition::Ok && status.text.code != "ALREADYEXISTS" {
            return Err(self.session.refused(&status, &format!("create the folder {name}")).folder());
        }
        // The folder is there; whether other programs show it is no matter.
        self.session.attempt(Command::new("SUBSCRIBE").argument(&wire), |_| ()).await?;
        Ok(self.listed().await?.insert(name, wire))
    }

    /// Whether a folder was listed.
    pub async fn has(&mut self, name: &FolderName) -> Result<bool> {
        Ok(self.listed().await?.get(name).is_some())
    }

    /// Subscribes to a folder, or no longer. Whether other programs show it is no matter: a refusal is none.
    pub async fn subscribe(&mut self, folder: &Folder, wanted: bool) -> Result<()> {
        let verb = if wanted { "SUBSCRIBE" } else { "UNSUBSCRIBE" };
        self.session.attempt(Command::new(verb).argument(&folder.wire), |_| ()).await.map(drop)
    }

    /// Leaves the folder that is open: opens the inbox to be read, which every account has.
    pub async fn leave(&mut self) -> Result<()> {
        self.has_opened = true;
        self.session.attempt(Command::new("EXAMINE").argument(b"INBOX"), |_| ()).await.map(drop)
    }

    /// How folders stand (RFC 9051 section 6.3.11), in one round trip; of those that the server tells of.
    pub async fn statuses(&mut self, folders: &[&Folder]) -> Result<HashMap<FolderName, FolderStatus>> {
        let mut told: HashMap<Vec<u8>, FolderStatus> = HashMap::new();
        let ask =
            |folder: &&Folder| Command::new("STATUS").argument(&folder.wire).text(" (MESSAGES UIDNEXT UIDVALIDITY)");
        let mut take = |u: Untagged<'_>| {
            if let Untagged::FolderStatus(wire, status) = u {
                told.insert(same(&wire, None), status);
            }
        };
        let (lines, others): (Vec<Command>, Vec<Command>) = folders.iter().map(ask).partition(|c| c.line().is_some());
        let mut pipeline = Pipeline::new(lines.iter().filter_map(|c| Some((c.line()?.to_owned(), 0, ()))));
        while let Some(step) = pipeline.step(&mut self.session).await? {
            if let Step::Untagged(frame) = step {
                take(Untagged::of(&frame));
            }
        }
        for command in others {
            self.session.attempt(command, &mut take).await?;
        }
        Ok(folders.iter().filter_map(|f| Some((f.name.clone(), *told.get(&same(&f.wire, None))?))).collect())
    }

    /// How many messages a folder that is not open holds; `None` where the server does not tell.
    pub async fn count(&mut self, folder: &Folder) -> Result<Option<u32>> {
        Ok(self.statuses(&[folder]).await?.get(&folder.name).and_then(|status| status.messages))
    }

    /// Removes a folder with all that is in it, and its subscription. An error reaches no further than this folder.
    pub async fn remove_folder(&mut self, folder: &Folder) -> Result<()> {
        let status = self.session.attempt(Command::new("DELETE").argument(&folder.wire), |_| ()).await?;
        if status.condition != Condition::Ok && status.text.code != "NONEXISTENT" {
            return Err(self.session.refused(&status, &format!("remove the folder {}", folder.name)).folder());
        }
        self.session.attempt(Command::new("UNSUBSCRIBE").argument(&folder.wire), |_| ()).await?;
        self.listed().await?.remove(&folder.name);
        Ok(())
    }

    /// Gives a folder another name, and subscribes to it under that. What lies inside the folder moves along (RFC 9051
    /// section 6.3.6): what was listed before holds no longer.
    pub async fn rename_folder(&mut self, folder: &Folder, to: &FolderName) -> Result<Folder> {
        let wire = self.listed().await?.names.wire_of(to)?;
        let command = Command::new("RENAME").argument(&folder.wire).argument(&wire);
        let status = self.session.attempt(command, |_| ()).await?;
        if status.condition != Condition::Ok {
            let doing = format!("rename the folder {} to {to}", folder.name);
            return Err(self.session.refused(&status, &doing).folder());
        }
        for (verb, wire) in [("UNSUBSCRIBE", &folder.wire), ("SUBSCRIBE", &wire)] {
            self.session.attempt(Command::new(verb).argument(wire), |_| ()).await?;
        }
        self.tree = None;
        Ok(Folder::new(to.clone(), wire))
    }

    /// What was listed on this connection, or else is listed now.
    async fn listed(&mut self) -> Result<&mut Tree> {
        listed(&mut self.session, &self.capabilities, &mut self.tree).await
    }
}

/// The tree that is known, or else the one that the server lists now.
pub async fn listed<'t, S: Link>(
    session: &mut Session<S>,
    capabilities: &Capabilities,
    known: &'t mut Option<Tree>,
) -> Result<&'t mut Tree> {
    let tree = match known.take() {
        Some(tree) => tree,
        None => list(session, capabilities, Wanted::default()).await?.0,
    };
    Ok(known.insert(tree))
}
