//! What goes wrong, where and how often, as data; and the count of what has happened so far.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One thing that goes wrong: an effect at a place. It happens once, at the first occasion, unless told otherwise; occasions are
/// counted over all connections of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub at: At,
    pub effect: Effect,
    /// The occasion at which it happens first, from 1.
    pub first: u32,
    /// At how many occasions it happens.
    pub times: u32,
}

/// Where a fault lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// After so many bytes were sent over one connection (before TLS adds its own).
    Sent(u64),
    /// After so many bytes of the content of a message: RETR (dots stuffed) or `BODY[]`, whole or in parts.
    Inside { uid: u32, byte: u64 },
    /// A command came; nothing was done yet.
    Received(Call),
    /// A command was carried out (QUIT: deletions are committed); nothing was answered yet.
    Done(Call),
    /// The reply to a command was sent.
    Answered(Call),
}

/// A command. `UID FETCH` with a UID is each message whose `BODY[]` it asks for, one after the other.
///
/// Two names are no commands: `connect` is the greeting, `log-in` the moment when credentials are complete, whatever brought them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Upper case, as on the wire: `RETR`, `UID FETCH`.
    pub name: String,
    /// Only for this message; numbers count from 1 in the order of arrival and stay when others go.
    pub uid: Option<u32>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The link dies: what was sent before still arrives, TLS is not closed in order.
    Drop,
    /// The server closes the connection in good order.
    Close,
    /// Bytes instead of the reply (`Received`, `Done`) or on top of it; `{tag}` is the tag of the IMAP command.
    Say(Vec<u8>),
    /// `-ERR text`, or `NO text` (`* BYE text` as a greeting), instead of the reply.
    Refuse(String),
    /// `-ERR text` or `BAD text` instead of the reply.
    Reject(String),
    /// `start`, then `repeat` without end, until the client goes.
    Endless { start: Vec<u8>, repeat: Vec<u8> },
    /// Nothing for so long, then on as usual.
    Pause(Duration),
}

impl Fault {
    pub fn new(at: At, effect: Effect) -> Fault {
        let replaces = matches!(at, At::Received(_) | At::Done(_));
        let refuses = matches!(effect, Effect::Refuse(_) | Effect::Reject(_));
        assert!(replaces || !refuses, "{effect:?} needs a reply to replace; {at:?} has none");
        Fault { at, effect, first: 1, times: 1 }
    }

    /// The link dies there.
    pub fn drop(at: At) -> Fault {
        Fault::new(at, Effect::Drop)
    }

    /// Each of these commands is refused.
    pub fn refuse(call: impl Into<Call>, text: &str) -> Fault {
        Fault::new(At::Received(call.into()), Effect::Refuse(text.to_owned())).always()
    }

    /// Happens first at the nth occasion, from 1.
    pub fn nth(mut self, n: u32) -> Fault {
        self.first = n;
        self
    }

    /// Happens at each occasion from the first on.
    pub fn always(mut self) -> Fault {
        self.times = u32::MAX;
        self
    }
}

impl At {
    pub fn received(name: &str) -> At {
        At::Received(name.into())
    }

    pub fn done(name: &str) -> At {
        At::Done(name.into())
    }

    pub fn answered(name: &str) -> At {
        At::Answered(name.into())
    }
}

impl Effect {
    pub fn say(bytes: impl Into<Vec<u8>>) -> Effect {
        Effect::Say(bytes.into())
    }
}

impl From<&str> for Call {
    fn from(name: &str) -> Call {
        Call { name: name.to_owned(), uid: None }
    }
}

impl Call {
    /// The command for one message.
    pub fn of(name: &str, uid: u32) -> Call {
        Call { name: name.to_owned(), uid: Some(uid) }
    }

    fn covers(&self, place: Place<'_>) -> bool {
        self.name == place.name && if self.uid.is_some() { self.uid == place.uid } else { !place.within }
    }
}

/// A place that a session passes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub moment: Moment,
    pub name: &'a str,
    pub uid: Option<u32>,
    /// One of the messages of a command, not the command.
    pub within: bool,
}

/// What has happened to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Received,
    Done,
    Answered,
}

/// The faults of a server and how often each had its occasion.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<(Fault, u32)>>);

impl Faults {
    pub(super) fn new(faults: Vec<Fault>) -> Faults {
        Faults(Mutex::new(faults.into_iter().map(|f| (f, 0)).collect()))
    }

    pub(super) fn add(&self, fault: Fault) {
        self.lock().push((fault, 0));
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Fault, u32)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens at a place, in the order of the script.
    pub(super) fn pass(&self, place: Place<'_>) -> Vec<Effect> {
        let here = |at: &At| match (at, place.moment) {
            (At::Received(c), Moment::Received) | (At::Done(c), Moment::Done) | (At::Answered(c), Moment::Answered) => {
                c.covers(place)
            }
            _ => false,
        };
        let mut all = self.lock();
        all.iter_mut().filter(|(f, _)| here(&f.at)).filter_map(|(f, seen)| occasion(f, seen)).collect()
    }

    /// What happens while the bytes `from..from + len` of a connection are sent: for each the number of bytes before it.
    pub(super) fn pass_sent(&self, from: u64, len: usize) -> Vec<(usize, Effect)> {
        self.pass_bytes(from, len, |at| if let At::Sent(n) = at { Some(*n) } else { None })
    }

    /// The same for the content of a message.
    pub(super) fn pass_inside(&self, of: u32, from: u64, len: usize) -> Vec<(usize, Effect)> {
        self.pass_bytes(from, len, |at| match at {
            At::Inside { uid, byte } if *uid == of => Some(*byte),
            _ => None,
        })
    }

    fn pass_bytes(&self, from: u64, len: usize, point: impl Fn(&At) -> Option<u64>) -> Vec<(usize, Effect)> {
        let mut hits = Vec::new();
        for (fault, seen) in self.lock().iter_mut() {
            let Some(n) = point(&fault.at) else { continue };
            // A point between two chunks belongs to the first; byte 0 to the chunk that starts there.
            let reached = if n == 0 { from == 0 } else { n > from && n <= from + len as u64 };
            if reached && let Some(effect) = occasion(fault, seen) {
                hits.push(((n - from) as usize, effect));
            }
        }
        hits.sort_by_key(|(n, _)| *n);
        hits
    }
}

fn occasion(fault: &Fault, seen: &mut u32) -> Option<Effect> {
    *seen += 1;
    (*seen >= fault.first && *seen - fault.first < fault.times).then(|| fault.effect.clone())
}
