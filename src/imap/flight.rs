//! The messages of an upload: those still to be sent, and those under way.

use super::session::Tag;
use super::status::{Condition, Status};
use crate::error::{Error, Kind, Result};
use crate::mail::Key;
use crate::store::Outgoing;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::iter::{self, Fuse, Peekable};

/// Octets of messages that may be under way.
const WINDOW: u64 = 4 << 20;
/// Messages that may be under way.
const COMMANDS: usize = 512;
/// Messages up to this size are read whole before the server hears of them.
pub const SMALL: u64 = 256 << 10;
/// Octets of messages in one command, where it carries several,
const GROUP: u64 = 1 << 20;
/// and how many these may be.
const GROUPED: usize = 64;
/// Refusals one after the other that are taken for a refusal of everything, where the server says that the folder is full
/// or gone, or that it is busy, or does not understand.
const PATIENCE: usize = 10;

/// Why a message that has not the size it said cannot be sent.
pub const CHANGED: &str = "it changed while it was read";

/// A message with its first octets read.
pub struct Ready {
    /// The message; its body gives what comes behind the head.
    pub message: Outgoing,
    /// Its start, and a small one whole.
    pub head: Vec<u8>,
}

impl Ready {
    /// Reads the start of a message, and a small one whole; why it cannot be sent.
    fn new(mut message: Outgoing) -> Result<Ready, (Key, String)> {
        // One octet more, so that a message that has grown is noticed.
        let most = message.size.min(SMALL) + 1;
        let mut head = Vec::with_capacity(usize::try_from(most).unwrap_or_default());
        let read = message.body.by_ref().take(most).read_to_end(&mut head);
        match read {
            Err(e) => Err((message.key, format!("it cannot be read: {e}"))),
            Ok(n) if n as u64 != message.size.min(SMALL + 1) => Err((message.key, CHANGED.to_owned())),
            Ok(_) => {
                if message.size <= SMALL {
                    // Files are not held open while their messages are under way.
                    message.body = Box::new(io::empty());
                }
                Ok(Ready { message, head })
            }
        }
    }
}

/// Messages for one command.
pub struct Group {
    first: Ready,
    others: Vec<Ready>,
    octets: u64,
}

impl Group {
    /// A group of one.
    pub fn of(first: Ready) -> Group {
        Group { octets: first.message.size, first, others: Vec::new() }
    }

    /// Whether a message of this size may go along. An empty one never: it would cancel the command (RFC 3502 section 6.3.11).
    pub fn takes(&self, size: u64) -> bool {
        let can_share = |size: u64| (1..=SMALL).contains(&size);
        can_share(self.first.message.size)
            && can_share(size)
            && self.len() < GROUPED
            && self.octets.saturating_add(size) <= GROUP
    }

    /// Whether there is room for the group and a message of this size.
    pub fn fits(&self, flight: &Flight, size: u64) -> bool {
        flight.has_room_for(self.len() + 1, self.octets.saturating_add(size))
    }

    /// Adds a message.
    pub fn push(&mut self, ready: Ready) {
        self.octets = self.octets.saturating_add(ready.message.size);
        self.others.push(ready);
    }

    /// The one message, or the group where there are several.
    pub fn alone(self) -> Result<Ready, Box<Group>> {
        if self.others.is_empty() { Ok(self.first) } else { Err(Box::new(self)) }
    }

    /// The first and the others in their order. Exclusive, because bodies are not shared between threads.
    pub fn messages(&mut self) -> (&mut Ready, &mut [Ready]) {
        (&mut self.first, &mut self.others)
    }

    /// How many messages it has.
    pub fn len(&self) -> usize {
        1 + self.others.len()
    }

    fn into_messages(self) -> impl Iterator<Item = Ready> {
        iter::once(self.first).chain(self.others)
    }
}

/// What a command carried.
pub enum Sent {
    /// One message: its key and size.
    One(Key, u64),
    /// Several, kept until the server has taken them.
    Many(Box<Group>),
}

impl Sent {
    /// The keys in their order.
    pub fn keys(self) -> Vec<Key> {
        match self {
            Sent::One(key, _) => vec![key],
            Sent::Many(group) => group.into_messages().map(|ready| ready.message.key).collect(),
        }
    }

    fn measure(&self) -> (usize, u64) {
        match self {
            Sent::One(_, size) => (1, *size),
            Sent::Many(group) => (group.len(), group.octets),
        }
    }
}

/// What is under way.
#[derive(Default)]
pub struct Flight {
    commands: Vec<(Tag, Sent)>,
    messages: usize,
    octets: u64,
}

impl Flight {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Whether so many messages of together so many octets may be sent.
    pub fn has_room_for(&self, messages: usize, octets: u64) -> bool {
        self.is_empty() || (self.messages + messages <= COMMANDS && self.octets.saturating_add(octets) <= WINDOW)
    }

    /// A command was sent.
    pub fn started(&mut self, tag: Tag, sent: Sent) {
        let (messages, octets) = sent.measure();
        self.messages += messages;
        self.octets = self.octets.saturating_add(octets);
        self.commands.push((tag, sent));
    }

    /// A command has ended; what it carried.
    pub fn ended(&mut self, tag: &Tag) -> Option<Sent> {
        let at = self.commands.iter().position(|(t, _)| t == tag)?;
        let (_, sent) = self.commands.remove(at);
        let (messages, octets) = sent.measure();
        self.messages = self.messages.saturating_sub(messages);
        self.octets = self.octets.saturating_sub(octets);
        Some(sent)
    }
}

/// What is still to be sent.
pub struct Queue<I: Iterator<Item = Result<Outgoing>>> {
    messages: Peekable<Fuse<I>>,
    /// Those behind them.
    later: VecDeque<I>,
    /// Those that go first.
    again: VecDeque<Ready>,
    limit: u64,
    /// Why all that is left is refused.
    pub hopeless: Option<String>,
    /// The error that the messages ended with.
    pub failed: Option<Error>,
}

impl<I: Iterator<Item = Result<Outgoing>>> Queue<I> {
    /// A queue for a server that takes messages of at most `limit` octets.
    pub fn new(messages: I, limit: u64) -> Queue<I> {
        let (messages, later, again) = (messages.fuse().peekable(), VecDeque::new(), VecDeque::new());
        Queue { messages, later, again, limit, hopeless: None, failed: None }
    }

    /// Adds more messages behind the others.
    pub fn add(&mut self, more: I) {
        self.later.push_back(more);
    }

    /// Puts the messages of a refused command in front.
    pub fn again(&mut self, group: Group) {
        self.again.extend(group.into_messages());
    }

    /// The next message, where one of its size `fits`; or why it is not to be sent.
    pub fn next(&mut self, fits: impl Fn(u64) -> bool) -> Option<Result<Ready, (Key, String)>> {
        let hopeless = self.hopeless.as_ref();
        if !self.again.is_empty() {
            let ready = self.again.pop_front_if(|ready| hopeless.is_some() || fits(ready.message.size))?;
            return Some(match hopeless {
                Some(reason) => Err((ready.message.key, reason.clone())),
                None => Ok(ready),
            });
        }
        if self.failed.is_some() {
            return None;
        }
        while self.messages.peek().is_none() {
            self.messages = self.later.pop_front()?.fuse().peekable();
        }
        match self.messages.next_if(|m| m.as_ref().map_or(true, |m| hopeless.is_some() || fits(m.size)))? {
            Err(e) => {
                self.failed = Some(e);
                None
            }
            Ok(message) => Some(match hopeless.cloned().or_else(|| self.too_large(message.size)) {
                Some(reason) => Err((message.key, reason)),
                None => Ready::new(message),
            }),
        }
    }

    fn too_large(&self, size: u64) -> Option<String> {
        let limit = self.limit;
        (size > limit).then(|| format!("the server takes no message of more than {limit} octets"))
    }
}

/// Messages of refused groups on their way one by one, which tells why the groups were refused.
#[derive(Default)]
pub struct Retried {
    left: usize,
    taken: usize,
    refused: usize,
}

impl Retried {
    /// So many are sent again.
    pub fn expect(&mut self, messages: usize) {
        self.left += messages;
    }

    /// Takes note of a completion. True when the last one has come and the server took some and refused others: groups of
    /// other messages may be welcome.
    pub fn explains(&mut self, messages: usize, is_ok: bool) -> bool {
        if self.left == 0 {
            return false;
        }
        *(if is_ok { &mut self.taken } else { &mut self.refused }) += messages;
        self.left = self.left.saturating_sub(messages);
        let explains = self.left == 0 && self.taken > 0 && self.refused > 0;
        if self.left == 0 {
            *self = Retried::default();
        }
        explains
    }
}

/// Tells the refusal of one message from a server that refuses all of them.
#[derive(Default)]
pub struct Patience {
    in_a_row: usize,
}

impl Patience {
    /// Takes note of a completion; whether it is of use to go on.
    pub fn bears(&mut self, status: &Status) -> bool {
        let of_all = status.condition == Condition::Bad
            || status.text.kind() == Some(Kind::TryLater)
            || matches!(status.text.code.as_str(), "OVERQUOTA" | "TRYCREATE");
        self.in_a_row = if of_all && status.condition != Condition::Ok { self.in_a_row + 1 } else { 0 };
        self.in_a_row < PATIENCE
    }
}
