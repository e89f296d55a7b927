//! SASL mechanisms (RFC 4422), as pure exchanges of bytes before base64.

use crate::credentials::Login;
use crate::error::Result;

/// The `auth` key of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthChoice {
    /// The strongest that the server offers and the secret fits.
    #[default]
    Auto,
    /// This SASL mechanism.
    Sasl(Mechanism),
    /// POP3 APOP (RFC 1939 section 7).
    Apop,
    /// POP3 USER and PASS, IMAP LOGIN.
    UserPass,
}

/// A SASL mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login.
    Login,
    /// RFC 2195.
    CramMd5,
    /// RFC 7677.
    ScramSha256,
    /// Google's XOAUTH2.
    XOAuth2,
    /// RFC 7628.
    OAuthBearer,
}

/// Picks the mechanism: the one asked for, or the best of those offered by name; `None` where none of them will do.
/// Without encryption only mechanisms that do not send the secret in clear come into question, unless `cleartext_ok`.
pub fn choose(wanted: AuthChoice, offered: &[String], encrypted_or_allowed: bool) -> Option<Mechanism> {
    let _ = (wanted, offered, encrypted_or_allowed);
    todo!()
}

/// One authentication under way.
pub struct Exchange {}

impl Exchange {
    /// Starts one.
    pub fn new(mechanism: Mechanism, login: &Login, host: &str, port: u16) -> Exchange {
        let _ = (mechanism, login, host, port);
        todo!()
    }

    /// What the client may send along with the command (SASL-IR); `None` where the server speaks first.
    pub fn initial(&mut self) -> Option<Vec<u8>> {
        todo!()
    }

    /// The answer to a challenge.
    pub fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>> {
        let _ = challenge;
        todo!()
    }

    /// Whether the exchange may end with success now: SCRAM demands that the server proved itself.
    pub fn is_satisfied(&self) -> bool {
        todo!()
    }

    /// The reason a server gave in its last challenge (OAuth's error document), for the message to the user.
    pub fn server_reason(&self) -> Option<String> {
        todo!()
    }
}
