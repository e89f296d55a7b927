//! What a server tells of a folder as it is opened, and of its messages where they are listed along with that.

use super::command::Command;
use super::mailbox::permanent;
use super::response::Untagged;
use super::status::{Condition, Status};
use crate::mail::Marks;
use crate::store::Holds;
use std::collections::BTreeMap;

/// The messages of a folder, as they are listed.
#[derive(Debug, Default)]
pub struct Rows {
    /// How many the server said that there are.
    pub exists: u32,
    /// How many have gone since then.
    pub gone: u32,
    /// Those that it tells of, with their announced sizes.
    pub sizes: BTreeMap<u32, Option<u64>>,
    /// Answers that made no sense.
    pub broken: u32,
}

impl Rows {
    /// The command that lists them.
    pub const COMMAND: &str = "UID FETCH 1:* (UID RFC822.SIZE)";

    /// Takes in what the server says. Where it `resyncs`, VANISHED tells what goes.
    pub fn take(&mut self, u: &Untagged<'_>, resyncs: bool) {
        match u {
            Untagged::Fetch(row) => {
                if let Some(uid) = row.uid {
                    let size = self.sizes.entry(uid).or_default();
                    *size = row.size.or(*size);
                }
            }
            // Mail that comes now need not be in this answer, mail that goes now is not.
            Untagged::Expunge(_) => self.gone += 1,
            Untagged::Vanished(gone) if resyncs && !gone.earlier => self.gone = self.gone.saturating_add(gone.count()),
            Untagged::Broken => self.broken += 1,
            _ => {}
        }
    }
}

/// What opening a folder told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// UIDVALIDITY, where the server has a usable one.
    pub uidvalidity: Option<u32>,
    /// Whether UIDs outlive the session.
    pub sticky: bool,
    /// UIDNEXT.
    pub uidnext: Option<u32>,
    /// HIGHESTMODSEQ.
    pub highestmodseq: Option<u64>,
    /// Whether messages can be changed and deleted.
    pub writable: bool,
    /// Which marks it can hold.
    pub holds: Holds,
}

/// A folder that was opened before it is needed: with what that ended, and the listing of its messages.
pub type Ahead = (Opening, Status, Option<Status>);

/// A folder being opened.
#[derive(Debug)]
pub struct Opening {
    opened: Opened,
    /// How many messages it holds; every server has to say.
    exists: Option<u32>,
    flags: Marks,
    permanent: Option<Holds>,
    rows: Rows,
}

impl Opening {
    /// One of which nothing is known yet.
    pub fn new(writable: bool) -> Opening {
        let opened = Opened { sticky: true, writable, ..Opened::default() };
        Opening { opened, exists: None, flags: Marks::default(), permanent: None, rows: Rows::default() }
    }

    /// Whether it is opened to be changed.
    pub fn is_writable(&self) -> bool {
        self.opened.writable
    }

    /// The name of the command that opens it.
    pub fn verb(&self) -> &'static str {
        if self.opened.writable { "SELECT" } else { "EXAMINE" }
    }

    /// The command that opens it.
    pub fn command(&self, wire: &[u8], parameters: &str) -> Command {
        Command::new(self.verb()).argument(wire).text(parameters)
    }

    /// Takes in what the server says; once the folder is open, that is about its messages.
    pub fn take(&mut self, is_open: bool, u: Untagged<'_>, resyncs: bool) {
        match u {
            u if is_open => self.rows.take(&u, resyncs),
            // Zimbra tells several; the largest is right.
            Untagged::Exists(n) => self.exists = self.exists.max(Some(n)),
            Untagged::Flags(told) => self.flags = told,
            Untagged::Status(Status { text, .. }) => match text.code.as_str() {
                "UIDVALIDITY" => self.opened.uidvalidity = text.number().filter(|n| *n > 0),
                "UIDNEXT" => self.opened.uidnext = text.number().filter(|n| *n > 0),
                "HIGHESTMODSEQ" => self.opened.highestmodseq = text.long_number().filter(|n| *n > 0),
                "UIDNOTSTICKY" => self.opened.sticky = false,
                "PERMANENTFLAGS" => self.permanent = Some(permanent(&text.arguments)),
                _ => {}
            },
            _ => {}
        }
    }

    /// The folder is open, and perhaps listed: what was told of the one and of the other. `None` where the server did not even
    /// say how many messages there are.
    pub fn done(self, status: &Status, listed: Option<&Status>) -> Option<(Opened, Rows, bool)> {
        let Opening { mut opened, exists, flags, permanent, rows } = self;
        // A folder that is opened to be read holds nothing for good, which says nothing about what it can hold.
        let permanent = permanent.filter(|_| opened.writable);
        let room = if opened.writable { 0 } else { usize::MAX };
        opened.holds = permanent.unwrap_or(Holds { marks: flags, room, ..Holds::default() });
        opened.writable &= status.text.code != "READ-ONLY";
        let is_listed = listed.is_some_and(|status| status.condition == Condition::Ok);
        Some((opened, Rows { exists: exists?, ..rows }, is_listed))
    }
}
