//! What the mailbox holds: UIDL, LIST and STAT, asked and answered.

use super::connection::{Connection, LISTING};
use super::listing::{Named, Sized, join};
use super::window::Bound;
use super::wire::{Code, Reply, list_line, uidl_line};
use crate::error::Result;
use crate::mail::Key;
use crate::net::Transport;
use crate::retrieve::Listed;

/// What the server answered, or the text of its refusal.
type Answer<T> = std::result::Result<T, Vec<u8>>;

/// All messages with names and sizes.
pub(super) async fn listing<S: Transport>(connection: &mut Connection<S>, bound: Bound) -> Result<Vec<Listed>> {
    let named = names_before(connection, bound, b"LIST").await?;
    let sized = sizes(connection).await?;
    let named = match (named, &sized) {
        // Without a code the server has no UIDL; with one it has, and trouble.
        (Err(text), Ok(_)) if Code::of(&text).is_some() => return Err(connection.refused("UIDL", &text)),
        (named, _) => named.unwrap_or_default(),
    };
    joined(connection, named, sized)
}

/// The same for messages whose names are known.
pub(super) async fn sized<S: Transport>(connection: &mut Connection<S>, known: Vec<Listed>) -> Result<Vec<Listed>> {
    connection.queue(&[b"LIST"]);
    let sized = sizes(connection).await?;
    joined(connection, known.into_iter().map(|listed| (listed.handle.0, listed.key)).collect(), sized)
}

fn joined<S: Transport>(connection: &Connection<S>, named: Named, sized: Answer<Sized>) -> Result<Vec<Listed>> {
    let sized = sized.map_err(|text| connection.refused("LIST", &text))?;
    join(named, sized).ok_or_else(|| connection.broken("lists a message twice"))
}

/// Messages with names alone, and their octets together; `None` where the server does not tell both, or not of as many messages.
pub(super) async fn glance<S: Transport>(
    connection: &mut Connection<S>,
    bound: Bound,
) -> Result<Option<(Vec<Listed>, u64)>> {
    let named = names_before(connection, bound, b"STAT").await?;
    let stat = match connection.reply().await?.0 {
        Reply::Ok(text) => list_line(text),
        Reply::Err(_) => None,
        Reply::Challenge(_) => return Err(connection.unasked()),
    };
    Ok(match (named, stat) {
        (Ok(named), Some((count, Some(octets)))) if usize::try_from(count) == Ok(named.len()) => {
            join(named, Vec::new()).map(|messages| (messages, octets))
        }
        _ => None,
    })
}

/// The answer to UIDL. The next command is under way when it returns: where the server takes that, since before.
async fn names_before<S: Transport>(
    connection: &mut Connection<S>,
    bound: Bound,
    next: &[u8],
) -> Result<Answer<Named>> {
    let pipelined = bound != Bound::LOCK_STEP;
    connection.queue(&[b"UIDL"]);
    if pipelined {
        connection.queue(&[next]);
    }
    let mut named = Vec::new();
    let each = |row: &[u8]| uidl_line(row).map(|(number, id)| named.push((number, id.map(Key::new))));
    let answer = rows(connection, each).await?;
    if !pipelined {
        connection.queue(&[next]);
    }
    Ok(answer.map(|()| named))
}

/// The answer to LIST.
async fn sizes<S: Transport>(connection: &mut Connection<S>) -> Result<Answer<Sized>> {
    let mut sized = Vec::new();
    let answer = rows(connection, |row| list_line(row).map(|row| sized.push(row))).await?;
    Ok(answer.map(|()| sized))
}

/// A multi-line reply, or a refusal.
async fn rows<S: Transport>(
    connection: &mut Connection<S>,
    each: impl FnMut(&[u8]) -> Option<()> + Send,
) -> Result<Answer<()>> {
    match connection.reply().await?.0 {
        Reply::Ok(_) => {}
        Reply::Err(text) => return Ok(Err(text.to_vec())),
        Reply::Challenge(_) => return Err(connection.unasked()),
    }
    connection.rows(LISTING, each).await.map(Ok)
}
