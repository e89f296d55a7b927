//! IMAP (RFC 3501, RFC 9051): folders, and the messages in them, read and written.
//!
//! async-imap carries the connection: it tags and sends commands and tells when one has completed. Its calls above that
//! are not used, because they take a refused command, and a link cut between two responses, for success. From below:
//!
//! | part | is |
//! |---|---|
//! | `framer`, `stream` | server output cut into whole responses, in bounded memory; what async-imap sees of it |
//! | `deflate` | octets of a connection that both sides deflate |
//! | `scan`, `response`, `listing`, `status`, `capability` | what those responses say (pure) |
//! | `session`, `pipeline` | commands, one at a time or several under way, each ending with its own OK or an error |
//! | `access` | where, who and how: what opens connections
//! | `login` | greeting, STARTTLS, LOGIN, AUTHENTICATE |
//! | `names`, `folders`, `set` | folder names and UID sets on the wire, the tree of folders (pure) |
//! | `tree` | the commands about folders |
//! | `fetch`, `parts` | messages in sets and in parts |
//! | `opening` | what is told of a folder as it is opened, and listed (pure) |
//! | `folder` | an open folder, as a [`Retriever`](crate::retrieve::Retriever) in `retriever` and as a [`Mailbox`](crate::store::Mailbox) in `mailbox` |
//! | `presence`, `search` | which messages are still there, or have something in common |
//! | `changes`, `vanished` | what changed in it since it was last looked at |
//! | `append`, `flight` | messages added to it |
//! | `quota` | how much more goes in |
//! | `target`, `standing`, `spool`, `convoy`, `lines` | a folder as a [`Store`](crate::store::Store) to deliver into, what stands in it, messages on their way there, batches on one line together, and the connections they take |

mod access;
mod append;
mod capability;
mod changes;
mod command;
mod convoy;
mod deflate;
mod fetch;
mod flight;
mod folder;
mod folders;
mod framer;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod lines;
mod listing;
mod login;
mod mailbox;
mod names;
mod opening;
mod parts;
mod pipeline;
mod presence;
mod quota;
mod response;
mod retriever;
mod scan;
mod search;
mod session;
mod set;
mod spool;
mod spot;
mod standing;
mod status;
mod stream;
mod target;
#[cfg(test)]
mod tests;
mod tree;
mod vanished;

pub use access::{Access, Connection};
pub use append::Appended;
pub use changes::Baseline;
pub use folder::ImapFolder;
pub use folders::{Folder, FolderStatus, Tree};
pub use lines::{Line, Lines};
pub use quota::Room;
pub use session::Link;
pub use spot::whereabouts;
pub use standing::Standing;
pub use target::ImapTarget;
pub use tree::Inbox;

use crate::credentials::Login;
use crate::error::{Error, Kind, Result};
use crate::mail::FolderPattern;
use crate::net::{self, AuthChoice, Server, Transport};
use crate::retrieve::SourceId;
use capability::Capabilities;
use command::Command;
use framer::Garbled;
use opening::{Ahead, Opening, Rows};
use response::Untagged;
use session::Session;
use status::{Condition, Status};
use std::collections::BTreeSet;
use std::time::Duration;
use tree::Wanted;

/// How long the first answer that is compressed may take. A server that is not understood may just stay silent.
const UNDERSTANDING: Duration = Duration::from_secs(10);

/// What stands before UIDVALIDITY at the end of a source's scope.
const UIDVALIDITY: &str = " UIDVALIDITY=";

/// UIDVALIDITY as the [scope](SourceId::scope) of a folder holds it; `None` where the server told none.
pub fn uidvalidity_in(scope: &str) -> Option<u32> {
    scope.rsplit_once(UIDVALIDITY)?.1.parse().ok()
}

/// A connection, logged in.
#[derive(Debug)]
pub struct Imap<S: Link> {
    session: Session<S>,
    capabilities: Capabilities,
    user: String,
    /// The folders, once they were listed.
    tree: Option<Tree>,
    /// A folder was opened: it is too late for ENABLE.
    has_opened: bool,
    /// The inbox, opened along with the list of folders, and no other since.
    ahead: Option<Ahead>,
}

/// Connects and logs in.
pub async fn open(server: &Server, login: &Login, auth: AuthChoice) -> Result<Imap<net::Stream>> {
    login.check()?;
    let stream = net::connect(server).await?;
    let compress = server.compress.unwrap_or(!stream.is_near());
    let mut imap = Imap::over(stream, &Server { compress: Some(compress), ..server.clone() }, login, auth).await?;
    if !imap.is_understood().await {
        // Some servers allow one connection only.
        drop(imap);
        let plain = Server { compress: Some(false), ..server.clone() };
        imap = Imap::over(net::connect(server).await?, &plain, login, auth).await?;
    }
    Ok(imap)
}

impl<S: Transport> Imap<S> {
    /// Logs in on a fresh connection. It is compressed only if that is asked for outright.
    async fn over(stream: S, server: &Server, login: &Login, auth: AuthChoice) -> Result<Imap<S>> {
        let (session, capabilities) = login::log_in(stream, server, login, auth).await.map_err(|e| login.conceal(e))?;
        Ok(Imap { session, capabilities, user: login.user.clone(), tree: None, has_opened: false, ahead: None })
    }

    /// Whether the sides still understand each other; there are servers that agree to compress and then do something else.
    async fn is_understood(&mut self) -> bool {
        if !self.session.is_deflated() {
            return true;
        }
        let noop = self.session.attempt(Command::new("NOOP"), |_| ());
        matches!(tokio::time::timeout(UNDERSTANDING, noop).await, Ok(Ok(_)))
    }
}

impl<S: Link> Imap<S> {
    /// The folders that the patterns take, the inbox first. One that is named outright is among them even where the
    /// server did not list it, so that [`open_folder`](Self::open_folder) can say what is wrong with it.
    pub async fn folders(&mut self, patterns: &[FolderPattern]) -> Result<Vec<Folder>> {
        if let Some(folders) = folders::without_list(patterns, self.capabilities.can_namespace()) {
            return Ok(folders);
        }
        let (tree, _) = tree::list(&mut self.session, &self.capabilities, Wanted::default()).await?;
        Ok(self.tree.insert(tree).select(patterns))
    }

    /// Opens a folder to be read, by EXAMINE unless something is to be deleted. An error reaches no further than this
    /// folder, as long as the connection stands.
    pub async fn open_folder(&mut self, folder: &Folder, writable: bool) -> Result<ImapFolder<'_, S>> {
        self.open(folder, writable, "", false).await
    }

    /// The same, and its messages are listed without a round trip of their own.
    pub async fn open_listed(&mut self, folder: &Folder, writable: bool) -> Result<ImapFolder<'_, S>> {
        self.open(folder, writable, "", true).await
    }

    /// Opens a folder as one side of a sync: the server is asked to count changes. Otherwise like
    /// [`open_folder`](Self::open_folder).
    pub async fn mailbox(&mut self, folder: &Folder, writable: bool) -> Result<ImapFolder<'_, S>> {
        let counting = if self.capabilities.can_condstore() { " (CONDSTORE)" } else { "" };
        self.resync().await?;
        self.open(folder, writable, counting, false).await
    }

    /// Enables QRESYNC (RFC 7162) where the server has it, once and before any folder is open.
    async fn resync(&mut self) -> Result<()> {
        if !self.has_opened && !self.session.resyncs && self.capabilities.can_qresync() {
            let mut enabled = false;
            let on = |u: Untagged<'_>| {
                if let Untagged::Enabled(what) = u {
                    enabled |= what.can_qresync();
                }
            };
            let status = self.session.attempt(Command::new("ENABLE QRESYNC"), on).await?;
            self.session.resyncs = enabled && status.condition == Condition::Ok;
        }
        Ok(())
    }

    async fn open(
        &mut self,
        folder: &Folder,
        writable: bool,
        parameters: &str,
        listed: bool,
    ) -> Result<ImapFolder<'_, S>> {
        let is_inbox = folder.wire.eq_ignore_ascii_case(b"INBOX");
        let fits = |a: &Ahead| is_inbox && parameters.is_empty() && a.0.is_writable() == writable;
        let ahead = self.ahead.take().filter(fits);
        let (opening, status, listing) = match ahead {
            Some(ahead) => ahead,
            None => {
                let (mut opening, resyncs) = (Opening::new(writable), self.session.resyncs);
                let command = opening.command(&folder.wire, parameters);
                let on = |is_open, u: Untagged<'_>| opening.take(is_open, u, resyncs);
                let (status, listing) = match listed {
                    true => self.session.attempt_both(command, Rows::COMMAND, on).await?,
                    false => (self.session.attempt(command, |u| opening.take(false, u, resyncs)).await?, None),
                };
                (opening, status, listing)
            }
        };
        self.has_opened = true;
        if status.condition != Condition::Ok {
            return Err(self.unopened(folder, &status).await?);
        }
        let Some((opened, rows, is_listed)) = opening.done(&status, listing.as_ref()) else {
            return Err(self.session.nonsense(&Garbled::Uncounted).folder());
        };
        self.session.holds(rows.exists.saturating_sub(rows.gone), rows.gone);
        let mut scope = format!("imap {}@{}", self.user, self.session.server().host.to_lowercase());
        if let Some(uidvalidity) = opened.uidvalidity {
            scope.push_str(&format!("{UIDVALIDITY}{uidvalidity}"));
        }
        Ok(ImapFolder {
            session: &mut self.session,
            capabilities: &self.capabilities,
            tree: &mut self.tree,
            source: SourceId { folder: folder.name.clone(), scope },
            wire: folder.wire.clone(),
            opened,
            // A listing that was refused is asked for again, alone.
            rows: is_listed.then_some(rows),
            sizes: Vec::new(),
            disposed: BTreeSet::new(),
            fresh: true,
            singly: false,
            notes: Vec::new(),
            unkept: Vec::new(),
        })
    }

    /// Why a folder cannot be opened; where it does not exist, which names come close.
    async fn unopened(&mut self, folder: &Folder, status: &Status) -> Result<Error> {
        let refused = self.session.refused(status, &format!("open the folder {}", folder.name)).folder();
        if refused.kind() != Kind::Unavailable {
            return Ok(refused);
        }
        let (tree, _) = tree::list(&mut self.session, &self.capabilities, Wanted::default()).await?;
        if tree.get(&folder.name).is_some() {
            return Ok(refused);
        }
        let close = tree.close_to(&folder.name);
        let remedy = if close.is_empty() {
            "Correct the name, or create the folder on the server.".to_owned()
        } else {
            format!("Correct the name; there is {}.", close.join(", "))
        };
        let what = format!("{} has no folder {}", self.session.server().host, folder.name);
        Ok(Error::new(Kind::Config, what, remedy).folder())
    }

    /// How many octets a message may have that is added to a folder, where the server tells (APPENDLIMIT, RFC 7889).
    pub fn append_limit(&self) -> Option<u64> {
        self.capabilities.append_limit()
    }

    /// Takes leave of the server.
    pub async fn logout(self) {
        self.session.logout().await;
    }
}
