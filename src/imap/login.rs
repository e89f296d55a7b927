//! From the greeting to a session that is logged in: STARTTLS, LOGIN, AUTHENTICATE, and what the server can do then.

use super::capability::Capabilities;
use super::command::Command;
use super::framer::Garbled;
use super::response::Untagged;
use super::session::{Event, Link, Session};
use super::status::{Condition, Status, Text};
use crate::credentials::Login;
use crate::error::{Error, Kind, Result};
use crate::net::{AuthChoice, Exchange, Mechanism, Server, TlsMode, Transport, advised, choose};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Goes from a fresh connection to a session that is logged in, and compressed where that is wanted outright and the server
/// agrees.
pub async fn log_in<S: Transport>(
    stream: S,
    server: &Server,
    login: &Login,
    auth: AuthChoice,
) -> Result<(Session<S>, Capabilities)> {
    let mut session = Session::over(stream, server).await?;
    let (greeting, mut known) = greeting(&mut session).await?;
    if server.tls == TlsMode::StartTls {
        if greeting == Condition::PreAuth {
            let what = format!("{} offers a session without log-in in clear text", server.host);
            return Err(no_tls(what));
        }
        let offered = ask(&mut session, known.take()).await?;
        start_tls(&mut session, &offered).await?;
    }
    if greeting != Condition::PreAuth {
        let offered = ask(&mut session, known.take()).await?;
        known = authenticate(&mut session, login, auth, &offered).await?;
    }
    let capabilities = ask(&mut session, known).await?;
    settle_in(&mut session, &capabilities).await?;
    Ok((session, capabilities))
}

/// Reads the greeting: OK or PREAUTH, and the capabilities it may carry.
async fn greeting<S: Link>(session: &mut Session<S>) -> Result<(Condition, Option<Capabilities>)> {
    let text = match session.next().await? {
        Event::Untagged(frame) => match Untagged::of(&frame) {
            Untagged::Status(Status { condition: condition @ (Condition::Ok | Condition::PreAuth), text }) => {
                session.hear_name(&text.words);
                return Ok((condition, carried(&text)));
            }
            Untagged::Status(status) => return Err(session.dismissed(&status.text)),
            _ => frame.text,
        },
        Event::Continue(text) => [b"+ ", text.as_slice()].concat(),
        Event::Done(_, status) => status.text.words,
    };
    Err(session.nonsense(&Garbled::NoResponse(text)))
}

/// The capabilities in a response code.
fn carried(text: &Text) -> Option<Capabilities> {
    (text.code == "CAPABILITY").then(|| Capabilities::of(&text.arguments))
}

/// The capabilities already known, or those the server tells when asked.
async fn ask<S: Link>(session: &mut Session<S>, known: Option<Capabilities>) -> Result<Capabilities> {
    if let Some(known) = known {
        return Ok(known);
    }
    let mut told = None;
    let on = |u: Untagged<'_>| {
        if let Untagged::Capability(c) = u {
            told = Some(c);
        }
    };
    session.exec(Command::new("CAPABILITY"), "tell what it can do", on).await?;
    Ok(told.unwrap_or_default())
}

async fn start_tls<S: Transport>(session: &mut Session<S>, offered: &Capabilities) -> Result<()> {
    let host = session.server().host.clone();
    if !offered.can_start_tls() {
        return Err(no_tls(format!("{host} does not offer STARTTLS, or somebody on the way removed the offer")));
    }
    let status = session.attempt(Command::new("STARTTLS"), |_| ()).await?;
    if status.condition != Condition::Ok {
        return Err(no_tls(format!("{host} refused STARTTLS: {}", status.text.shown())));
    }
    let Ok(Some(clear)) = session.detach() else {
        return Err(no_tls(format!("{host}, or somebody on the way, slipped clear text in before TLS")));
    };
    let server = session.server().clone();
    session.attach(clear.start_tls(&server).await?);
    Ok(())
}

fn no_tls(what: String) -> Error {
    let remedy =
        "Nothing secret was sent. Use implicit TLS (port 993, `tls = \"implicit\"`), or ask the server's operator.";
    Error::new(Kind::Unavailable, what, remedy)
}

/// Logs in; gives the capabilities the server told on that occasion.
async fn authenticate<S: Transport>(
    session: &mut Session<S>,
    login: &Login,
    auth: AuthChoice,
    offered: &Capabilities,
) -> Result<Option<Capabilities>> {
    let mechanism = match auth {
        AuthChoice::UserPass => None,
        AuthChoice::Apop => {
            let remedy = "Choose another value for `auth`, or leave it out.";
            return Err(Error::new(Kind::Config, "auth = \"apop\" is for POP3 only", remedy));
        }
        AuthChoice::Auto | AuthChoice::Sasl(_) => {
            let encrypted = session.stream().is_some_and(Transport::is_encrypted);
            choose(auth, &offered.mechanisms(), encrypted, login.auth_user.is_some())
        }
    };
    match (mechanism, auth) {
        (Some(mechanism), _) => sasl(session, login, mechanism, offered).await.map_err(|e| advised(e, auth, mechanism)),
        (None, AuthChoice::Sasl(mechanism)) => {
            let what = format!("{} does not offer {}", session.server().host, mechanism.name());
            Err(Error::new(Kind::Unavailable, what, "Choose another value for `auth`, or leave it out."))
        }
        (None, _) if login.auth_user.is_some() => Err(login.undelegated(&session.server().host)),
        (None, _) if offered.forbids_login() => {
            let what = format!("{} allows no log-in by password on this connection", session.server().host);
            let remedy =
                "Set `tls = \"implicit\"` or `tls = \"starttls\"`, or choose a SASL mechanism that the server offers.";
            Err(Error::new(Kind::Unavailable, what, remedy))
        }
        (None, _) => plain_login(session, login).await,
    }
}

/// LOGIN (RFC 9051 section 6.2.3).
async fn plain_login<S: Link>(session: &mut Session<S>, login: &Login) -> Result<Option<Capabilities>> {
    let secret = login.secret.expose();
    let command = Command::new("LOGIN").argument(login.user.as_bytes()).argument(secret.as_bytes());
    let mut told = None;
    let on = |u: Untagged<'_>| {
        if let Untagged::Capability(c) = u {
            told = Some(c);
        }
    };
    let status = session.attempt(command, on).await?;
    let text = admitted(session, login, status, None)?;
    Ok(carried(&text).or(told))
}

/// AUTHENTICATE (RFC 9051 section 6.2.2), with the first response along where the server takes it (RFC 4959).
async fn sasl<S: Link>(
    session: &mut Session<S>,
    login: &Login,
    mechanism: Mechanism,
    offered: &Capabilities,
) -> Result<Option<Capabilities>> {
    let server = session.server().clone();
    let mut exchange = Exchange::new(mechanism, login, &server.host, server.port);
    let mut first = exchange.initial();
    let mut line = Zeroizing::new(format!("AUTHENTICATE {}", mechanism.name()));
    if offered.can_initial_response()
        && let Some(initial) = first.take()
    {
        let coded = Zeroizing::new(STANDARD.encode(Zeroizing::new(initial)));
        line.push(' ');
        line.push_str(if coded.is_empty() { "=" } else { &coded });
    }
    let ours = session.send(&line).await?;
    let (mut told, mut failed) = (None, None);
    let status = loop {
        match session.next().await? {
            Event::Untagged(frame) => {
                if let Untagged::Capability(c) = Untagged::of(&frame) {
                    told = Some(c);
                }
            }
            Event::Done(tag, status) if tag == ours => break status,
            Event::Done(..) => {}
            Event::Continue(challenge) => {
                let answer = match (first.take(), STANDARD.decode(&challenge)) {
                    (Some(first), _) => Ok(first),
                    (None, Ok(challenge)) => exchange.respond(&challenge),
                    (None, Err(_)) => Err(session.nonsense(&Garbled::NoResponse(challenge))),
                };
                match answer {
                    Ok(answer) => {
                        let line = Zeroizing::new(STANDARD.encode(Zeroizing::new(answer)));
                        session.send_rest(line.as_bytes()).await?;
                    }
                    // One failure cancels; a server that goes on asking is not talked to.
                    Err(e) if failed.is_some() => return Err(e),
                    Err(e) => {
                        failed = Some(e);
                        session.send_rest(b"*").await?;
                    }
                }
            }
        }
    };
    if let Some(e) = failed {
        return Err(e);
    }
    let text = admitted(session, login, status, exchange.server_reason())?;
    if !exchange.is_satisfied() {
        let what = format!("{} did not prove that it knows the password of {}", server.host, login.authcid());
        let remedy = "Somebody may be posing as the server: check the host name and its certificate.";
        return Err(Error::new(Kind::Unavailable, what, remedy));
    }
    Ok(carried(&text).or(told))
}

/// The text of the OK, or why the server refused the log-in.
fn admitted<S: Link>(session: &Session<S>, login: &Login, status: Status, reason: Option<String>) -> Result<Text> {
    if status.condition == Condition::Ok {
        return Ok(status.text);
    }
    let doing = match reason {
        Some(reason) => format!("log {login} in ({reason})"),
        None => format!("log {login} in"),
    };
    Err(session.refused_as(&status, &doing, Kind::Login))
}

/// What is said before the work begins; none of it has to succeed.
async fn settle_in<S: Link>(session: &mut Session<S>, capabilities: &Capabilities) -> Result<()> {
    let compresses = capabilities.can_compress() && session.server().compress == Some(true);
    if capabilities.can_id() {
        // RFC 2971. NetEase opens no folder for a client that did not say its name.
        let id = concat!("ID (\"name\" \"mailferry\" \"version\" \"", env!("CARGO_PKG_VERSION"), "\")");
        session.say(id).await?;
    }
    // RFC 4978. Nothing may follow before it is answered.
    if compresses && session.attempt(Command::new("COMPRESS DEFLATE"), |_| ()).await?.condition == Condition::Ok {
        session.deflate();
    }
    Ok(())
}
