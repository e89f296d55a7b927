//! What it takes to log in, again and again.

use super::{Imap, open};
use crate::credentials::Login;
use crate::error::{Error, Result};
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
    /// Puts what an error says to do into the words in which the account was named.
    pub told: fn(Error) -> Error,
}

impl Access {
    /// Connects and logs in.
    pub async fn open(&self) -> Result<Connection> {
        open(&self.server, &self.login, self.auth).await.map_err(self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Secret;
    use crate::imap::tests::server;
    use crate::net::TlsMode;

    #[tokio::test]
    async fn whoever_connects_is_told_in_the_words_of_who_asked() {
        // Cleartext to a server elsewhere is refused before any name is looked up.
        let told = |e: Error| e.remedied(|_| "as asked".to_owned());
        let login = Login::new("ada", Secret::new("pencil".into()));
        let access = Access { server: server(TlsMode::None), login, auth: AuthChoice::Auto, told };
        assert_eq!(access.open().await.unwrap_err().remedy(), "as asked");
    }
}
