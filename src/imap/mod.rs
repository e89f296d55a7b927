//! IMAP (RFC 3501, RFC 9051), for reading folders and deleting what was read.
//!
//! async-imap carries the connection: it tags and sends commands and tells when one has completed. Its calls above that
//! are not used, because they take a refused command, and a link cut between two responses, for success. From below:
//!
//! | part | is |
//! |---|---|
//! | `framer`, `stream` | server output cut into whole responses, in bounded memory; what async-imap sees of it |
//! | `scan`, `response`, `status`, `capability` | what those responses say (pure) |
//! | `session`, `pipeline` | commands, one at a time or several under way, each ending with its own OK or an error |
//! | `login` | greeting, STARTTLS, LOGIN, AUTHENTICATE |
//! | `folders`, `set` | folder names and UID sets on the wire (pure but for LIST) |
//! | `fetch`, `parts` | messages in sets and in parts |
//! | `retriever` | an open folder as a [`Retriever`](crate::retrieve::Retriever) |

mod capability;
mod fetch;
mod folders;
mod framer;
mod login;
mod parts;
mod pipeline;
mod response;
mod retriever;
mod scan;
mod session;
mod set;
mod status;
mod stream;
#[cfg(test)]
mod tests;

pub use folders::Folder;
pub use retriever::ImapFolder;
pub use session::Link;

use crate::credentials::Login;
use crate::error::{Error, Kind, Result};
use crate::mail::FolderPattern;
use crate::net::{self, AuthChoice, Server, Transport};
use crate::retrieve::SourceId;
use capability::Capabilities;
use folders::Listed;
use framer::Garbled;
use response::Untagged;
use retriever::Opened;
use session::{Command, Session};
use status::{Condition, Status};

/// A connection, logged in.
#[derive(Debug)]
pub struct Imap<S: Link> {
    session: Session<S>,
    capabilities: Capabilities,
    user: String,
}

/// Connects and logs in.
pub async fn open(server: &Server, login: &Login, auth: AuthChoice) -> Result<Imap<net::Stream>> {
    login.check()?;
    Imap::over(net::connect(server).await?, server, login, auth).await
}

impl<S: Transport> Imap<S> {
    /// Logs in on a fresh connection.
    async fn over(stream: S, server: &Server, login: &Login, auth: AuthChoice) -> Result<Imap<S>> {
        let (session, capabilities) = login::log_in(stream, server, login, auth).await.map_err(|e| login.conceal(e))?;
        Ok(Imap { session, capabilities, user: login.user.clone() })
    }
}

impl<S: Link> Imap<S> {
    /// The folders that the patterns take, the inbox first. One that is named outright is among them even where the
    /// server did not list it, so that [`open_folder`](Self::open_folder) can say what is wrong with it.
    pub async fn folders(&mut self, patterns: &[FolderPattern]) -> Result<Vec<Folder>> {
        match folders::without_list(patterns) {
            Some(folders) => Ok(folders),
            None => Ok(folders::list(&mut self.session).await?.select(patterns)),
        }
    }

    /// Opens a folder, by EXAMINE unless something is to be deleted. An error reaches no further than this folder, as
    /// long as the connection stands.
    pub async fn open_folder(&mut self, folder: &Folder, writable: bool) -> Result<ImapFolder<'_, S>> {
        let verb = if writable { "SELECT" } else { "EXAMINE" };
        let (mut exists, mut uidvalidity, mut sticky) = (None, None, true);
        let on = |u: Untagged<'_>| match u {
            // Zimbra tells several; the largest is right.
            Untagged::Exists(n) => exists = exists.max(Some(n)),
            Untagged::Status(Status { text, .. }) => match text.code.as_str() {
                "UIDVALIDITY" => uidvalidity = text.number().filter(|n| *n > 0),
                "UIDNOTSTICKY" => sticky = false,
                _ => {}
            },
            _ => {}
        };
        let status = self.session.attempt(Command::new(verb).argument(&folder.wire), on).await?;
        if status.condition != Condition::Ok {
            return Err(self.unopened(folder, &status).await?);
        }
        let Some(exists) = exists else {
            return Err(self.session.nonsense(&Garbled::Uncounted).folder());
        };
        self.session.holds(exists);
        let opened = Opened {
            exists,
            uidvalidity,
            sticky,
            writable: writable && status.text.code != "READ-ONLY",
            can_uid_expunge: self.capabilities.can_uid_expunge(),
        };
        let scope = format!("imap {}@{}", self.user, self.session.server().host.to_lowercase());
        Ok(ImapFolder::new(&mut self.session, SourceId { folder: folder.name.clone(), scope }, opened))
    }

    /// Why a folder cannot be opened; where it does not exist, which names come close.
    async fn unopened(&mut self, folder: &Folder, status: &Status) -> Result<Error> {
        let refused = self.session.refused(status, &format!("open the folder {}", folder.name)).folder();
        if refused.kind() != Kind::Unavailable {
            return Ok(refused);
        }
        let listed: Listed = folders::list(&mut self.session).await?;
        if listed.has(&folder.name) {
            return Ok(refused);
        }
        let close = listed.close_to(&folder.name);
        let remedy = if close.is_empty() {
            "Correct the folders of this account, or create the folder.".to_owned()
        } else {
            format!("Correct the folders of this account; there is {}.", close.join(", "))
        };
        let what = format!("{} has no folder {}", self.session.server().host, folder.name);
        Ok(Error::new(Kind::Config, what, remedy).folder())
    }

    /// Takes leave of the server.
    pub async fn logout(self) {
        self.session.logout().await;
    }
}
