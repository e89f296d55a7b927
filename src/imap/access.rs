//! What it takes to log in, again and again.

use super::{Imap, open};
use crate::credentials::Login;
use crate::error::Result;
use crate::net::{AuthChoice, Server, Stream};

/// A connection to a real server, logged in.
pub type Connection = Imap<Stream>;

/// Everything it takes to open connections to one account.
#[derive(Debug, Clone)]
pub struct Access {
    /// Where.
    pub server: Server,
    /// Who.
    pub login: Login,
    /// How.
    pub auth: AuthChoice,
}

impl Access {
    /// Connects and logs in.
    pub async fn open(&self) -> Result<Connection> {
        open(&self.server, &self.login, self.auth).await
    }
}
