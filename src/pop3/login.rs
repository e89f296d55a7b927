//! From the greeting to the TRANSACTION state: capabilities, TLS, log-in.

use super::authentication::authenticate;
use super::capabilities::Capabilities;
use super::connection::{CAPA, Connection};
use super::refusal::turned_away;
use super::wire::{Reply, timestamp};
use crate::credentials::Login;
use crate::error::{Error, Kind, Result, quoted};
use crate::net::{AuthChoice, Server, TlsMode, Transport};

/// Takes a new connection to the TRANSACTION state. Gives the capabilities of that state, `None` where the server
/// does not tell.
pub(super) async fn log_in<S: Transport>(
    stream: S,
    server: &Server,
    login: &Login,
    auth: AuthChoice,
) -> Result<(Connection<S>, Option<Capabilities>)> {
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
    let conceal = |e| login.conceal(e);
    authenticate(&mut connection, offered.as_ref(), stamp.as_deref(), login, auth).await.map_err(conceal)?;
    let offered = capabilities(&mut connection).await.map_err(conceal)?;
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
        Reply::Err(text) => return Err(stripped(format!("refused STLS: {}", quoted(text)))),
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

#[cfg(test)]
mod tests;
