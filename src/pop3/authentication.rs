//! Proves to the server who the user is: USER and PASS, APOP, AUTH.

use super::capabilities::Capabilities;
use super::connection::Connection;
use super::refusal::login_refused;
use super::wire::Reply;
use crate::credentials::Login;
use crate::error::{Error, Kind, Result, quoted};
use crate::net::{AuthChoice, Exchange, Mechanism, Server, Transport, advised, choose};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

/// Octets of an AUTH command with its initial response and CRLF (RFC 5034 section 4, RFC 2449 section 4).
const AUTH_LINE: usize = 255;

/// Logs in by the best means at hand. `stamp` is the time stamp of the greeting.
pub(super) async fn authenticate<S: Transport>(
    connection: &mut Connection<S>,
    offered: Option<&Capabilities>,
    stamp: Option<&[u8]>,
    login: &Login,
    auth: AuthChoice,
) -> Result<()> {
    let encrypted = connection.stream().is_encrypted();
    let names = offered.map(|c| c.sasl.as_slice());
    let means = match &login.auth_user {
        Some(_) => match choose(auth, names.unwrap_or_default(), encrypted, true) {
            Some(mechanism) => Means::Sasl(mechanism),
            None => return Err(login.undelegated(&connection.server().host)),
        },
        None => means(auth, names, stamp.is_some(), encrypted)
            .map_err(|wanted| unoffered(connection.server(), wanted, offered))?,
    };
    let mut attempt = Attempt { connection, login, reason: None };
    let verdict = match means {
        Means::Sasl(mechanism) => attempt.sasl(mechanism).await,
        Means::Apop => attempt.apop(stamp.unwrap_or_default()).await,
        Means::UserPass => attempt.user_pass().await,
    }?;
    verdict.map_err(|text| {
        let delay = offered.and_then(|c| c.login_delay);
        let e = login_refused(attempt.connection.server(), login, &text, attempt.reason.as_deref(), delay);
        match means {
            Means::Sasl(mechanism) => advised(e, auth, mechanism),
            Means::Apop | Means::UserPass => e,
        }
    })
}

/// How to prove who the user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    Sasl(Mechanism),
    Apop,
    UserPass,
}

/// Picks the means; `Err` names the one that was asked for and is not offered. On a clear line (which the user allowed)
/// those that hide the secret come first.
fn means(auth: AuthChoice, offered: Option<&[String]>, stamped: bool, encrypted: bool) -> Result<Means, &'static str> {
    match auth {
        AuthChoice::UserPass => Ok(Means::UserPass),
        AuthChoice::Apop if stamped => Ok(Means::Apop),
        AuthChoice::Apop => Err("APOP"),
        AuthChoice::Sasl(mechanism) => match offered {
            None => Ok(Means::Sasl(mechanism)),
            Some(names) if names.iter().any(|n| n == mechanism.name()) => Ok(Means::Sasl(mechanism)),
            Some(_) => Err(mechanism.name()),
        },
        AuthChoice::Auto => {
            let names = offered.unwrap_or_default();
            Ok(match choose(auth, names, encrypted, false) {
                Some(mechanism) if encrypted || mechanism.hides_secret() => Means::Sasl(mechanism),
                _ if stamped && !encrypted => Means::Apop,
                Some(mechanism) => Means::Sasl(mechanism),
                None => Means::UserPass,
            })
        }
    }
}

fn unoffered(server: &Server, wanted: &str, offered: Option<&Capabilities>) -> Error {
    let names = offered.map(|c| c.sasl.join(" ")).filter(|names| !names.is_empty());
    let instead = names.map_or(String::new(), |names| format!("; it offers {}", quoted(names.as_bytes())));
    Error::new(
        Kind::Unavailable,
        format!("{} does not offer {wanted}{instead}", server.host),
        "Set `auth = \"auto\"` to use what the server offers.",
    )
}

/// What the server said in the end: welcome, or the text of its refusal.
type Verdict = Result<(), Vec<u8>>;

/// One try to authenticate.
struct Attempt<'a, S> {
    connection: &'a mut Connection<S>,
    login: &'a Login,
    /// What the server said of a token, apart from its refusal.
    reason: Option<String>,
}

impl<S: Transport> Attempt<'_, S> {
    async fn user_pass(&mut self) -> Result<Verdict> {
        let user = self.plain(&[b"USER ", self.login.user.as_bytes()]).await?;
        if user.is_err() {
            return Ok(user);
        }
        let secret = self.login.secret.expose();
        self.plain(&[b"PASS ", secret.as_bytes()]).await
    }

    /// RFC 1939 section 7.
    async fn apop(&mut self, stamp: &[u8]) -> Result<Verdict> {
        let digest = Md5::new().chain_update(stamp).chain_update(self.login.secret.expose()).finalize();
        let digest: String = digest.iter().map(|b| format!("{b:02x}")).collect();
        self.plain(&[b"APOP ", self.login.user.as_bytes(), b" ", digest.as_bytes()]).await
    }

    async fn plain(&mut self, command: &[&[u8]]) -> Result<Verdict> {
        match self.connection.command(command).await? {
            Reply::Ok(_) => Ok(Ok(())),
            Reply::Err(text) => Ok(Err(text.to_vec())),
            Reply::Challenge(_) => Err(self.connection.broken("sent a challenge that nobody asked for")),
        }
    }

    /// RFC 5034 section 4.
    async fn sasl(&mut self, mechanism: Mechanism) -> Result<Verdict> {
        let server = self.connection.server();
        let mut exchange = Exchange::new(mechanism, self.login, &server.host, server.port);
        let name = mechanism.name();
        let mut initial = exchange.initial().map(encoded);
        match initial.take_if(|i| "AUTH ".len() + name.len() + " ".len() + i.len() + "\r\n".len() <= AUTH_LINE) {
            Some(initial) => {
                let word = if initial.is_empty() { "=" } else { initial.as_str() };
                self.connection.queue(&[b"AUTH ", name.as_bytes(), b" ", word.as_bytes()]);
            }
            None => self.connection.queue(&[b"AUTH ", name.as_bytes()]),
        }
        // Ends, because no exchange answers more than its few challenges.
        loop {
            let challenge = match self.connection.reply().await?.0 {
                Reply::Ok(_) if exchange.is_satisfied() => return Ok(Ok(())),
                Reply::Ok(_) => return Err(unproven(self.connection.server(), name)),
                Reply::Err(text) => {
                    self.reason = exchange.server_reason();
                    return Ok(Err(text.to_vec()));
                }
                Reply::Challenge(challenge) => BASE64.decode(challenge),
            };
            let answer = match (initial.take(), challenge) {
                (Some(initial), _) => Ok(initial),
                (None, Ok(challenge)) => exchange.respond(&challenge).map(encoded),
                (None, Err(_)) => Err(self.connection.broken("sent a challenge that is not base64")),
            };
            match answer {
                Ok(answer) => self.connection.queue(&[answer.as_bytes()]),
                Err(e) => {
                    // The reply to the cancellation changes nothing.
                    let _ = self.connection.command(&[b"*"]).await;
                    return Err(e);
                }
            }
        }
    }
}

fn encoded(bytes: Vec<u8>) -> Zeroizing<String> {
    let bytes = Zeroizing::new(bytes);
    Zeroizing::new(BASE64.encode(&*bytes))
}

fn unproven(server: &Server, mechanism: &str) -> Error {
    Error::new(
        Kind::Unavailable,
        format!("{} claims success without having proved that it knows the password ({mechanism})", server.host),
        "Make sure that this is the right server; somebody may be posing as it.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_follows_from_what_is_offered() {
        use Means::{Apop, Sasl, UserPass};
        let auto = AuthChoice::Auto;
        for (auth, offered, stamped, encrypted, chosen) in [
            (auto, None, false, true, Ok(UserPass)),
            (auto, None, true, true, Ok(UserPass)),
            (auto, None, true, false, Ok(Apop)),
            (auto, Some("PLAIN SCRAM-SHA-256"), true, true, Ok(Sasl(Mechanism::ScramSha256))),
            (auto, Some("PLAIN"), true, true, Ok(Sasl(Mechanism::Plain))),
            (auto, Some("PLAIN CRAM-MD5"), true, false, Ok(Sasl(Mechanism::CramMd5))),
            (auto, Some("PLAIN"), true, false, Ok(Apop)),
            (auto, Some("PLAIN"), false, false, Ok(Sasl(Mechanism::Plain))),
            (auto, Some("GSSAPI"), false, true, Ok(UserPass)),
            (AuthChoice::UserPass, Some("PLAIN"), true, false, Ok(UserPass)),
            (AuthChoice::Apop, Some("PLAIN"), true, true, Ok(Apop)),
            (AuthChoice::Apop, None, false, false, Err("APOP")),
            (AuthChoice::Sasl(Mechanism::Login), None, false, true, Ok(Sasl(Mechanism::Login))),
            (AuthChoice::Sasl(Mechanism::Login), Some("PLAIN"), false, true, Err("LOGIN")),
        ] {
            let names: Option<Vec<String>> = offered.map(|o: &str| o.split(' ').map(str::to_owned).collect());
            assert_eq!(means(auth, names.as_deref(), stamped, encrypted), chosen, "{auth:?} {offered:?}");
        }
    }
}
