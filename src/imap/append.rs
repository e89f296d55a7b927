//! Adds messages to the open folder (RFC 9051 section 6.3.12), many under way at once.

use super::folder::{ImapFolder, key_of};
use super::framer::Garbled;
use super::mailbox::names;
use super::session::{Event, Link, Tag};
use super::status::{Condition, Status};
use crate::error::{Error, Kind, Result};
use crate::mail::Key;
use crate::store::Outgoing;
use std::collections::BTreeSet;
use std::io::{self, Read};

/// Octets of messages that may be under way.
const WINDOW: u64 = 8 << 20;
/// Messages that may be under way.
const COMMANDS: usize = 512;
/// Messages up to this size are read whole before the server hears of them.
const SMALL: u64 = 256 << 10;
/// Octets of a larger message that are read at a time.
const PIECE: usize = 64 << 10;
/// Refusals one after the other that are taken for a refusal of everything, where the server says that the folder is full
/// or gone, or that it is busy, or does not understand.
const PATIENCE: usize = 10;

/// What became of a message that was to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is there under this key.
    As(Key),
    /// It is there, but the server does not tell under which key.
    Somewhere,
    /// It is not there, for this reason; the others go on.
    Refused(String),
}

/// A message with its first octets read.
struct Ready {
    message: Outgoing,
    head: Vec<u8>,
}

impl Ready {
    /// Reads the start of a message, and a small one whole; why it cannot be sent.
    fn new(mut message: Outgoing) -> Result<Ready, (Key, String)> {
        let mut head = Vec::new();
        // One octet more, so that a message that has grown is noticed.
        let read = message.body.by_ref().take(message.size.min(SMALL) + 1).read_to_end(&mut head);
        match read {
            Err(e) => Err((message.key, format!("it cannot be read: {e}"))),
            Ok(n) if n as u64 != message.size.min(SMALL + 1) => Err((message.key, CHANGED.to_owned())),
            Ok(_) => Ok(Ready { message, head }),
        }
    }
}

const CHANGED: &str = "it changed while it was read";

/// What is under way.
#[derive(Default)]
struct Flight {
    commands: Vec<(Tag, Key, u64)>,
    octets: u64,
}

impl Flight {
    fn has_room_for(&self, size: u64) -> bool {
        self.commands.is_empty() || (self.commands.len() < COMMANDS && self.octets.saturating_add(size) <= WINDOW)
    }

    fn started(&mut self, tag: Tag, key: Key, size: u64) {
        self.octets = self.octets.saturating_add(size);
        self.commands.push((tag, key, size));
    }

    fn ended(&mut self, tag: &Tag) -> Option<Key> {
        let at = self.commands.iter().position(|(t, ..)| t == tag)?;
        let (_, key, size) = self.commands.remove(at);
        self.octets = self.octets.saturating_sub(size);
        Some(key)
    }
}

/// Tells the refusal of one message from a server that refuses all of them.
#[derive(Default)]
struct Patience {
    in_a_row: usize,
}

impl Patience {
    /// Takes note of a completion; whether it is of use to go on.
    fn bears(&mut self, status: &Status) -> bool {
        let of_all = status.condition == Condition::Bad
            || status.text.kind() == Some(Kind::TryLater)
            || matches!(status.text.code.as_str(), "OVERQUOTA" | "TRYCREATE");
        self.in_a_row = if of_all && status.condition != Condition::Ok { self.in_a_row + 1 } else { 0 };
        self.in_a_row < PATIENCE
    }
}

impl<S: Link> ImapFolder<'_, S> {
    /// Adds messages to the folder, and tells what became of each, in the order in which the server answered. An error of
    /// the iterator ends the work once all that is under way has arrived; after any error, some messages may be there
    /// ([`arrived_since`](Self::arrived_since) tells). A message of more than 256 KiB that turns out to have another size than
    /// it said costs the connection: a part of it is never taken for the whole. The iterator and the bodies are read on this
    /// thread.
    pub async fn append(
        &mut self,
        messages: impl Iterator<Item = Result<Outgoing>> + Send,
    ) -> Result<Vec<(Key, Appended)>> {
        self.fresh = false;
        let name = self.name_in_quotes()?;
        let mut messages = messages.fuse().peekable();
        let (mut done, mut given) = (Vec::new(), BTreeSet::new());
        let (mut flight, mut patience) = (Flight::default(), Patience::default());
        // The command that the server has to invite the message of.
        let mut invited: Option<(Tag, Ready)> = None;
        let (mut failed, mut hopeless) = (None, None);
        loop {
            while invited.is_none()
                && failed.is_none()
                && let Some(next) =
                    messages.next_if(|m| m.as_ref().map_or(true, |m| hopeless.is_some() || flight.has_room_for(m.size)))
            {
                let ready = match next {
                    Err(e) => {
                        failed = Some(e);
                        break;
                    }
                    Ok(message) => match hopeless.clone().or_else(|| self.too_large(message.size)) {
                        Some(reason) => Err((message.key, reason)),
                        None => Ready::new(message),
                    },
                };
                let ready = match ready {
                    Ok(ready) => ready,
                    Err((key, reason)) => {
                        done.push((key, Appended::Refused(reason)));
                        continue;
                    }
                };
                let (key, size) = (ready.message.key.clone(), ready.message.size);
                let unasked = self.capabilities.takes_unasked(size);
                let tag = self.session.begin(&line(&name, &ready.message, unasked)).await?;
                flight.started(tag.clone(), key, size);
                if unasked {
                    self.send_body(ready).await?;
                } else {
                    invited = Some((tag, ready));
                }
            }
            if flight.commands.is_empty() {
                return failed.map_or(Ok(done), Err);
            }
            match self.session.next().await? {
                Event::Untagged(_) => self.session.bounded_answer()?,
                Event::Continue(text) => match invited.take() {
                    Some((_, ready)) => self.send_body(ready).await?,
                    None => return Err(self.session.unasked(&text)),
                },
                Event::Done(tag, status) => {
                    let Some(key) = flight.ended(&tag) else { continue };
                    if invited.take_if(|(t, _)| *t == tag).is_some() {
                        self.session.abandon();
                        if status.condition == Condition::Ok {
                            return Err(self.session.nonsense(&Garbled::NoResponse(status.text.words)));
                        }
                    }
                    let reason = format!("the server refused it: {}", status.text.shown());
                    if !patience.bears(&status) {
                        hopeless = Some(reason.clone());
                    }
                    let appended = match (status.condition, status.text.appended()) {
                        (Condition::Ok, Some((of, uid)))
                            if Some(of) == self.opened.uidvalidity && given.insert(uid) =>
                        {
                            Appended::As(key_of(uid))
                        }
                        (Condition::Ok, _) => Appended::Somewhere,
                        _ => Appended::Refused(reason),
                    };
                    done.push((key, appended));
                }
            }
        }
    }

    /// Sends the literal of the command that was begun, and ends it.
    async fn send_body(&mut self, ready: Ready) -> Result<()> {
        let Ready { mut message, mut head } = ready;
        let mut left = message.size;
        loop {
            let n = usize::try_from(left).map_or(head.len(), |left| left.min(head.len()));
            self.session.write(head.get(..n).unwrap_or_default()).await?;
            left -= n as u64;
            let is_more = n < head.len();
            if left == 0 || is_more {
                let ends = !is_more && (message.size <= SMALL || at_end(&mut message.body));
                return if ends { self.session.end().await } else { Err(self.broken_off(&message.key, None)) };
            }
            head.resize(PIECE, 0);
            match read(&mut message.body, &mut head) {
                Ok(0) => return Err(self.broken_off(&message.key, None)),
                Ok(n) => head.truncate(n),
                Err(e) => return Err(self.broken_off(&message.key, Some(e))),
            }
        }
    }

    /// A message could not be sent whole. Only the end of the connection tells the server.
    fn broken_off(&mut self, key: &Key, cause: Option<io::Error>) -> Error {
        self.session.hang_up();
        let what = format!("cannot read message {key} of {} to the end", self.source.folder);
        match cause {
            Some(e) => Error::local_io(what, e),
            None => Error::new(Kind::LocalIo, format!("{what}: {CHANGED}"), "Run again; nothing was lost."),
        }
    }

    fn too_large(&self, size: u64) -> Option<String> {
        let limit = self.capabilities.append_limit().unwrap_or(u64::MAX).min(u64::from(u32::MAX));
        (size > limit).then(|| format!("the server takes no message of more than {limit} octets"))
    }

    /// The folder's name as it stands in a line.
    fn name_in_quotes(&self) -> Result<String> {
        match std::str::from_utf8(&self.wire) {
            Ok(name) if !name.contains(['\r', '\n', '\0']) => {
                Ok(format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")))
            }
            _ => {
                let what = format!("cannot add messages to {}: its name on the server is no text", self.source.folder);
                Err(Error::new(Kind::Unavailable, what, "Rename the folder on the server.").folder())
            }
        }
    }
}

fn line(name: &str, message: &Outgoing, unasked: bool) -> String {
    let marks = if message.marks.is_empty() { String::new() } else { format!(" {}", names(&message.marks)) };
    let date = message.received_at.and_then(date).map(|d| format!(" \"{d}\"")).unwrap_or_default();
    let plus = if unasked { "+" } else { "" };
    format!("APPEND {name}{marks}{date} {{{}{plus}}}", message.size)
}

/// INTERNALDATE; `None` where the format has no room for it.
fn date(received_at: i64) -> Option<String> {
    let time = jiff::Timestamp::from_second(received_at).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    (1..=9999).contains(&time.year()).then(|| time.strftime("%e-%b-%Y %H:%M:%S +0000").to_string())
}

fn read(body: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match body.read(into) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

fn at_end(body: &mut impl Read) -> bool {
    matches!(read(body, &mut [0]), Ok(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_format() {
        for (seconds, expected) in [
            (0, Some(" 1-Jan-1970 00:00:00 +0000")),
            (1_700_000_000, Some("14-Nov-2023 22:13:20 +0000")),
            (-1, Some("31-Dec-1969 23:59:59 +0000")),
            (i64::MAX, None),
            (-99_999_999_999, None),
        ] {
            assert_eq!(date(seconds).as_deref(), expected, "{seconds}");
        }
    }
}
