//! What goes wrong in a session, as errors for the user.

use super::{Link, Session};
use crate::error::{Error, Kind};
use crate::imap::framer::Garbled;
use crate::imap::status::{Condition, Status, Text};
use crate::net;
use std::io;

impl<S: Link> Session<S> {
    /// What a NO or BAD means for the user. `doing` completes "the server refused to …".
    pub fn refused(&self, status: &Status, doing: &str) -> Error {
        self.refused_as(status, doing, Kind::Unavailable)
    }

    /// The same, with the kind of a NO that does not tell its own.
    pub fn refused_as(&self, status: &Status, doing: &str, plain_no: Kind) -> Error {
        let what = format!("{} refused to {doing}: {}", self.server.host, status.text.shown());
        let kind = match (status.text.kind(), status.condition) {
            (Some(kind), _) => kind,
            (None, Condition::Bad) => Kind::Protocol,
            (None, _) => plain_no,
        };
        Error::new(kind, what, remedy_after(kind, &status.text)).pausing(status.text.pause())
    }

    /// The server ended the session by itself.
    pub fn dismissed(&self, text: &Text) -> Error {
        let kind = text.kind().unwrap_or(Kind::TryLater);
        let what = format!("{} ended the session: {}", self.server.host, text.shown());
        Error::new(kind, what, remedy_after(kind, text)).pausing(text.pause())
    }

    /// The server broke the protocol.
    pub fn nonsense(&self, garbled: &Garbled) -> Error {
        let what = format!("{} does not speak IMAP as it should: {garbled}", self.server.host);
        Error::new(Kind::Protocol, what, remedy(Kind::Protocol))
    }

    /// The server waits for the rest of a command that has none.
    pub fn unasked(&self, text: &[u8]) -> Error {
        self.nonsense(&Garbled::NoResponse([b"+ ", text].concat()))
    }

    pub(super) fn broken(&self, e: io::Error) -> Error {
        match e.get_ref().and_then(|inner| inner.downcast_ref::<Garbled>()) {
            Some(garbled) => self.nonsense(garbled),
            None => net::lost(&self.server, e),
        }
    }
}

/// What to do about a refusal: where the server says when to come back, then.
fn remedy_after(kind: Kind, text: &Text) -> String {
    match text.pause().filter(|_| kind == Kind::TryLater) {
        None => remedy(kind).to_owned(),
        Some(pause) => {
            let minutes = pause.as_secs().div_ceil(60).max(1);
            let s = if minutes == 1 { "" } else { "s" };
            format!(
                "Run again in {minutes} minute{s}, as the server asks; the next run goes on where this one stopped."
            )
        }
    }
}

/// What to do about each kind of refusal.
fn remedy(kind: Kind) -> &'static str {
    match kind {
        Kind::Login => {
            "Check the user name and the password; many providers want an app password or OAuth in place of the usual one."
        }
        Kind::TryLater => "Run again later; the next run goes on where this one stopped.",
        Kind::Protocol => {
            "Check that host and port are those of an IMAP server, then run again; if it stays, report it with the server's name."
        }
        _ => "Ask the server's operator what this means, or check the account with another mail program.",
    }
}
