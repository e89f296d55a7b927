//! From the greeting to the TRANSACTION state: capabilities, TLS, authentication.

use super::capabilities::Capabilities;
use super::connection::{CAPA, Connection};
use super::refusal::{login_refused, turned_away};
use super::wire::{Reply, timestamp};
use crate::credentials::Login;
use crate::error::{Error, Kind, Result};
use crate::net::{self, AuthChoice, Exchange, Mechanism, Server, TlsMode, choose};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest as _, Md5};
use std::future::Future;
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

/// What a session runs on.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + Sized {
    /// Starts TLS. Nothing may have been read ahead.
    fn start_tls(self, server: &Server) -> impl Future<Output = Result<Self>> + Send;

    /// Whether octets are encrypted.
    fn is_encrypted(&self) -> bool;
}

impl Transport for net::Stream {
    async fn start_tls(self, server: &Server) -> Result<Self> {
        net::Stream::start_tls(self, server).await
    }

    fn is_encrypted(&self) -> bool {
        net::Stream::is_encrypted(self)
    }
}

/// Challenges of one authentication; no mechanism needs more than three.
const CHALLENGES: usize = 10;
/// Octets of an AUTH command with its initial response and CRLF (RFC 5034 section 4, RFC 2449 section 4).
const AUTH_LINE: usize = 255;

/// Refuses a user name or secret that would end its line early.
pub(super) fn check(login: &Login) -> Result<()> {
    let sound = |text: &str| !text.contains(['\r', '\n', '\0']);
    for (what, value) in [("user name", login.user.as_str()), ("password", login.secret.expose())] {
        if !sound(value) {
            return Err(Error::new(
                Kind::Config,
                format!("the {what} holds a line break or NUL, which no mail server can take; nothing was sent"),
                format!("Set the {what} without line breaks; a password command must print it on its first line."),
            ));
        }
    }
    Ok(())
}

/// Takes a new connection to the TRANSACTION state. Gives the capabilities of that state, `None` where the server
/// does not tell.
pub(super) async fn log_in<S: Transport>(
    stream: S,
    server: &Server,
    login: &Login,
    auth: AuthChoice,
) -> Result<(Connection<S>, Option<Capabilities>)> {
    check(login)?;
    let mut connection = Connection::new(stream, server.clone());
    let stamp = match connection.reply().await?.0 {
        Reply::Ok(text) => timestamp(text).map(<[u8]>::to_vec),
        Reply::Err(text) => {
            let text = text.to_vec();
            return Err(turned_away(server, &text));
        }
        Reply::Challenge(_) => return Err(connection.broken("greets with a challenge")),
    };
    let mut offered = capabilities(&mut connection).await?;
    if server.tls == TlsMode::StartTls && !connection.stream().is_encrypted() {
        connection = start_tls(connection, offered.as_ref()).await?;
        offered = capabilities(&mut connection).await?;
    }
    if offered.as_ref().is_some_and(|c| c.utf8) {
        // Refused, mail with headers in UTF-8 comes down-graded (RFC 6856 section 2), as it does without the command.
        connection.command(&[b"UTF8"]).await?;
    }
    let encrypted = connection.stream().is_encrypted();
    let means = means(auth, offered.as_ref().map(|c| c.sasl.as_slice()), stamp.is_some(), encrypted)
        .map_err(|wanted| unoffered(server, wanted, offered.as_ref()))?;
    let mut attempt = Attempt { connection: &mut connection, login, sent: Vec::new(), reason: None };
    let welcome = match means {
        Means::Sasl(mechanism) => attempt.sasl(mechanism).await,
        Means::Apop => attempt.apop(stamp.as_deref().unwrap_or_default()).await,
        Means::UserPass => attempt.user_pass().await,
    }?;
    if let Err(text) = welcome {
        let text = scrubbed(&text, &attempt.sent);
        let delay = offered.and_then(|c| c.login_delay);
        return Err(login_refused(server, &login.user, &text, attempt.reason.as_deref(), delay));
    }
    let offered = capabilities(&mut connection).await?;
    Ok((connection, offered))
}

/// Asks what the server can do in its present state; `None` where it does not know the question.
async fn capabilities<S: Transport>(connection: &mut Connection<S>) -> Result<Option<Capabilities>> {
    match connection.command(&[b"CAPA"]).await? {
        Reply::Ok(_) => {}
        Reply::Err(_) => return Ok(None),
        Reply::Challenge(_) => return Err(connection.broken("answered CAPA with a challenge")),
    }
    let mut offered = Capabilities::default();
    connection
        .rows(CAPA, |row| {
            offered.add(row);
            Some(())
        })
        .await?;
    Ok(Some(offered))
}

/// Changes to TLS by STLS (RFC 2595 section 4), or not at all.
async fn start_tls<S: Transport>(
    mut connection: Connection<S>,
    offered: Option<&Capabilities>,
) -> Result<Connection<S>> {
    let server = connection.server().clone();
    let stripped = |how: String| {
        Error::new(
            Kind::Unavailable,
            format!("{} {how}; somebody on the way may be stripping it. No password was sent", server.host),
            "Set `tls = \"implicit\"` (port 995); if the server knows no TLS at all, ask the mail provider.",
        )
    };
    if offered.is_some_and(|c| !c.stls) {
        return Err(stripped("offers no STLS".to_owned()));
    }
    match connection.command(&[b"STLS"]).await? {
        Reply::Ok(_) => {}
        Reply::Err(text) => return Err(stripped(format!("refused STLS: {}", crate::error::quoted(text)))),
        Reply::Challenge(_) => return Err(connection.broken("answered STLS with a challenge")),
    }
    if !connection.ahead().is_empty() {
        return Err(Error::new(
            Kind::Unavailable,
            format!(
                "{} sent more in clear text behind its answer to STLS; somebody may be tampering. No password was sent",
                server.host
            ),
            "Set `tls = \"implicit\"` (port 995), or use another network.",
        ));
    }
    let stream = connection.into_stream().start_tls(&server).await?;
    Ok(Connection::new(stream, server))
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
            Some(names) if names.iter().any(|n| n == mechanism_name(mechanism)) => Ok(Means::Sasl(mechanism)),
            Some(_) => Err(mechanism_name(mechanism)),
        },
        AuthChoice::Auto => {
            let names = offered.unwrap_or_default();
            let hidden = choose(AuthChoice::Auto, names, encrypted).map(Means::Sasl);
            let stamp = (!encrypted && stamped).then_some(Means::Apop);
            let clear = || choose(AuthChoice::Auto, names, true).map(Means::Sasl);
            Ok(hidden.or(stamp).or_else(clear).unwrap_or(Means::UserPass))
        }
    }
}

fn mechanism_name(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Plain => "PLAIN",
        Mechanism::Login => "LOGIN",
        Mechanism::CramMd5 => "CRAM-MD5",
        Mechanism::ScramSha256 => "SCRAM-SHA-256",
        Mechanism::XOAuth2 => "XOAUTH2",
        Mechanism::OAuthBearer => "OAUTHBEARER",
    }
}

fn unoffered(server: &Server, wanted: &str, offered: Option<&Capabilities>) -> Error {
    let names = offered.map(|c| c.sasl.join(", ")).filter(|n| !n.is_empty());
    let names = names.map_or("no SASL mechanism".to_owned(), |n| crate::error::quoted(n.as_bytes()));
    Error::new(
        Kind::Unavailable,
        format!("{} does not offer {wanted}; it offers {names}", server.host),
        "Set `auth = \"auto\"` to use what the server offers.",
    )
}

/// What the server said in the end: welcome, or the text of its refusal.
type Verdict = Result<(), Vec<u8>>;

/// One try to authenticate.
struct Attempt<'a, S> {
    connection: &'a mut Connection<S>,
    login: &'a Login,
    /// What must not be shown, should the server repeat it.
    sent: Vec<Zeroizing<String>>,
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
        self.sent.push(Zeroizing::new(secret.to_owned()));
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
        self.sent.push(Zeroizing::new(self.login.secret.expose().to_owned()));
        let name = mechanism_name(mechanism);
        let mut initial = exchange.initial().map(encoded);
        match initial.take_if(|i| "AUTH ".len() + name.len() + " ".len() + i.len() + "\r\n".len() <= AUTH_LINE) {
            Some(initial) => {
                let word = if initial.is_empty() { "=" } else { initial.as_str() };
                self.connection.queue(&[b"AUTH ", name.as_bytes(), b" ", word.as_bytes()]);
                self.sent.push(initial);
            }
            None => self.connection.queue(&[b"AUTH ", name.as_bytes()]),
        }
        for _ in 0..CHALLENGES {
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
                (_, Err(_)) => Err(self.connection.broken("sent a challenge that is not base64")),
                (Some(initial), Ok(_)) => Ok(initial),
                (None, Ok(challenge)) => exchange.respond(&challenge).map(encoded),
            };
            match answer {
                Ok(answer) => {
                    self.connection.queue(&[answer.as_bytes()]);
                    self.sent.push(answer);
                }
                Err(e) => {
                    // The reply to the cancellation changes nothing.
                    let _ = self.connection.command(&[b"*"]).await;
                    return Err(e);
                }
            }
        }
        Err(self.connection.broken("goes on asking during the log-in"))
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

/// Takes out of a refusal what was sent in confidence, where the server repeats it, or a good part of it.
fn scrubbed(text: &[u8], sent: &[Zeroizing<String>]) -> Vec<u8> {
    let repeated = |text: &[u8], secret: &str| {
        let octets = text.iter().zip(secret.as_bytes()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
        if octets == secret.len() || octets >= 8 { octets } else { 0 }
    };
    let (mut clean, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((first, behind)) = rest.split_first() {
        match sent.iter().map(|secret| repeated(rest, secret)).max() {
            Some(octets @ 1..) => {
                clean.extend_from_slice(b"***");
                rest = rest.get(octets..).unwrap_or_default();
            }
            _ => {
                clean.push(*first);
                rest = behind;
            }
        }
    }
    clean
}
