//! POP3, the client side (RFC 1939), as a [`Retriever`](crate::retrieve::Retriever).
//!
//! | file | is |
//! |---|---|
//! | `wire` | status lines, response codes, listing lines (pure) |
//! | `capabilities` | what `CAPA` tells (RFC 2449; pure) |
//! | `listing` | UIDL and LIST, joined (pure) |
//! | `body` | the end of a multi-line reply, and its leading dots (pure) |
//! | `window` | how many commands may be under way (pure) |
//! | `refusal` | what the user is told of a refused step (pure) |
//! | `connection` | buffered, bounded reading and writing that cannot deadlock |
//! | `login` | from the greeting to the TRANSACTION state |
//! | `authentication` | USER and PASS, APOP, AUTH |
//! | `look` | UIDL, LIST and STAT, asked and answered |
//! | `retriever` | listing, retrieving, deleting, taking leave |
//!
//! Extensions in use: CAPA, PIPELINING, RESP-CODES, LOGIN-DELAY, EXPIRE (RFC 2449), STLS (RFC 2595), AUTH (RFC 1734 and
//! RFC 5034), AUTH-RESP-CODE (RFC 3206), UTF8 (RFC 6856). All of them may be missing: a server that knows nothing but
//! RFC 1939 is served one command at a time.
//!
//! Nothing here changes the server but `DELE`, and that only when `QUIT` is answered.

mod authentication;
mod body;
mod capabilities;
mod connection;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod listing;
mod login;
mod look;
mod refusal;
mod retriever;
#[cfg(test)]
mod script;
mod window;
mod wire;

pub use retriever::Pop3;

use crate::credentials::Login;
use crate::error::Result;
use crate::mail::FolderName;
use crate::net::{self, AuthChoice, Server};
use crate::retrieve::SourceId;

/// What the ledger of this user's mailbox is filed under.
pub fn source(server: &Server, user: &str) -> SourceId {
    SourceId { folder: FolderName::inbox(), scope: format!("pop3 {user}@{}", server.host.to_lowercase()) }
}

/// Connects and logs in.
pub async fn open(server: &Server, login: &Login, auth: AuthChoice) -> Result<Pop3<net::Stream>> {
    login.check()?;
    Pop3::start(net::connect(server).await?, server, login, auth).await
}
