//! Adds messages to the open folder (RFC 9051 section 6.3.12), many under way at once.

use super::flight::{CHANGED, Flight, Group, Patience, Queue, Ready, Retried, SMALL, Sent};
use super::folder::ImapFolder;
use super::framer::Garbled;
use super::mailbox::names;
use super::session::{Event, Link, Tag};
use super::status::{Condition, Text};
use crate::error::{Error, Kind, Result};
use crate::mail::Key;
use crate::store::Outgoing;
use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::io::{self, Read};

/// Octets of a larger message that are read at a time.
const PIECE: usize = 64 << 10;
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

/// Where the messages of an upload come from, and who is told what became of them.
pub trait Supply: Send {
    /// Messages that go one after the other.
    type Messages: Iterator<Item = Result<Outgoing>> + Send;

    /// What is to be sent next, once all that was sent has arrived; `None` ends the upload.
    fn next(&mut self) -> Option<Self::Messages>;

    /// Waits for more that is to be sent at once. Dropped while it waits, it loses nothing.
    fn more(&mut self) -> impl Future<Output = Self::Messages> + Send;

    /// What became of a message.
    fn became(&mut self, key: Key, what: Appended);
}

/// Messages that nothing is added to.
struct Closed<I> {
    messages: Option<I>,
    done: Vec<(Key, Appended)>,
}

impl<I: Iterator<Item = Result<Outgoing>> + Send> Supply for Closed<I> {
    type Messages = I;

    fn next(&mut self) -> Option<I> {
        self.messages.take()
    }

    fn more(&mut self) -> impl Future<Output = I> + Send {
        pending()
    }

    fn became(&mut self, key: Key, what: Appended) {
        self.done.push((key, what));
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
        let mut supply = Closed { messages: Some(messages), done: Vec::new() };
        self.append_from(&mut supply).await?;
        Ok(supply.done)
    }

    /// The same with messages of which more may come while others are under way. The folder need not be open.
    ///
    /// Where the server has MULTIAPPEND (RFC 3502), a command carries many small messages. It is refused as a whole; its
    /// messages are then sent again one by one, and so is all that follows, unless it turns out that the server only minded some of
    /// them.
    pub async fn append_from(&mut self, supply: &mut impl Supply) -> Result<()> {
        self.fresh = false;
        let name = self.name_in_quotes()?;
        let limit = self.capabilities.append_limit().unwrap_or(u64::MAX).min(u64::from(u32::MAX));
        let Some(messages) = supply.next() else { return Ok(()) };
        let mut queue = Queue::new(messages, limit);
        let mut given = BTreeSet::new();
        let (mut flight, mut patience, mut retried) = (Flight::default(), Patience::default(), Retried::default());
        // The command that the server has to invite the message of.
        let mut invited: Option<(Tag, Ready)> = None;
        loop {
            while invited.is_none()
                && let Some(next) = queue.next(|size| flight.has_room_for(1, size))
            {
                let mut group = match next {
                    Ok(ready) => Group::of(ready),
                    Err((key, reason)) => {
                        supply.became(key, Appended::Refused(reason));
                        continue;
                    }
                };
                while !self.singly
                    && self.capabilities.takes_many()
                    && let Some(next) = queue.next(|size| group.takes(size) && group.fits(&flight, size))
                {
                    match next {
                        Ok(ready) => group.push(ready),
                        Err((key, reason)) => supply.became(key, Appended::Refused(reason)),
                    }
                }
                let ready = match group.alone() {
                    Ok(ready) => ready,
                    Err(mut group) => {
                        let tag = self.send_group(&name, &mut group).await?;
                        flight.started(tag, Sent::Many(group));
                        continue;
                    }
                };
                let (key, size) = (ready.message.key.clone(), ready.message.size);
                let unasked = self.capabilities.takes_unasked(size);
                let tag = self.session.begin(&format!("APPEND {name}{}", part(&ready.message, unasked))).await?;
                flight.started(tag.clone(), Sent::One(key, size));
                if unasked {
                    self.send_body(ready).await?;
                } else {
                    invited = Some((tag, ready));
                }
            }
            if flight.is_empty() {
                match queue.failed.take().map_or_else(|| Ok(supply.next()), Err)? {
                    Some(messages) => queue.add(messages),
                    None => return Ok(()),
                }
                continue;
            }
            let event = tokio::select! {
                biased;
                event = self.session.next() => event?,
                messages = supply.more() => {
                    queue.add(messages);
                    continue;
                }
            };
            match event {
                Event::Untagged(_) => self.session.bounded_answer()?,
                Event::Continue(text) => match invited.take() {
                    Some((_, ready)) => self.send_body(ready).await?,
                    None => return Err(self.session.unasked(&text)),
                },
                Event::Done(tag, status) => {
                    let Some(sent) = flight.ended(&tag) else { continue };
                    if invited.take_if(|(t, _)| *t == tag).is_some() {
                        self.session.abandon();
                        if status.condition == Condition::Ok {
                            return Err(self.session.nonsense(&Garbled::NoResponse(status.text.words)));
                        }
                    }
                    if status.text.pause().is_some() {
                        return Err(self.refused(&status, "take messages"));
                    }
                    let is_ok = status.condition == Condition::Ok;
                    let keys = match sent {
                        Sent::Many(group) if !is_ok => {
                            self.singly = true;
                            retried.expect(group.len());
                            queue.again(*group);
                            continue;
                        }
                        sent => sent.keys(),
                    };
                    self.singly &= !retried.explains(keys.len(), is_ok);
                    let reason = format!("the server refused it: {}", status.text.shown());
                    if !patience.bears(&status) {
                        queue.hopeless = Some(reason.clone());
                    }
                    if is_ok {
                        let new_keys = self.new_keys(&status.text, keys.len(), &mut given);
                        keys.into_iter().zip(new_keys).for_each(|(key, new)| supply.became(key, new));
                    } else {
                        keys.into_iter().for_each(|key| supply.became(key, Appended::Refused(reason.clone())));
                    }
                }
            }
        }
    }

    /// What an OK tells of so many messages: all their keys, or none. `given` are the UIDs told before.
    fn new_keys(&self, text: &Text, count: usize, given: &mut BTreeSet<u32>) -> Vec<Appended> {
        match text.appended(count) {
            Some((of, uids)) if Some(of) == self.opened.uidvalidity && uids.iter().all(|uid| !given.contains(uid)) => {
                given.extend(&uids);
                uids.into_iter().map(|uid| Appended::As(Key::of_uid(uid))).collect()
            }
            _ => vec![Appended::Somewhere; count],
        }
    }

    /// Sends many messages in one command.
    async fn send_group(&mut self, name: &str, group: &mut Group) -> Result<Tag> {
        let (first, others) = group.messages();
        let tag = self.session.begin(&format!("APPEND {name}{}", part(&first.message, true))).await?;
        self.session.write(&first.head).await?;
        for ready in others {
            self.session.write(format!("{}\r\n", part(&ready.message, true)).as_bytes()).await?;
            self.session.write(&ready.head).await?;
        }
        self.session.end().await?;
        Ok(tag)
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

/// What an APPEND says of one message, up to its literal (RFC 3502 `append-message`).
fn part(message: &Outgoing, unasked: bool) -> String {
    let marks = if message.marks.is_empty() { String::new() } else { format!(" {}", names(&message.marks)) };
    let date = message.received_at.and_then(date).map(|d| format!(" \"{d}\"")).unwrap_or_default();
    let plus = if unasked { "+" } else { "" };
    format!("{marks}{date} {{{}{plus}}}", message.size)
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
