//! How much more a mailbox takes (RFC 9208, and RFC 2087 before it).

use super::Imap;
use super::command::Command;
use super::response::Untagged;
use super::scan::Scan;
use super::session::Link;
use super::status::Condition;
use crate::error::Result;

/// What may still be put into a mailbox; `None` where nothing limits it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// In octets, to a KiB.
    pub octets: Option<u64>,
    /// In messages.
    pub messages: Option<u64>,
}

impl Room {
    /// Reads a quota behind its name.
    pub(super) fn read(scan: &mut Scan<'_>) -> Option<Room> {
        scan.blanks();
        scan.skip_value()?;
        scan.blanks();
        scan.tag(b"(")?;
        let mut room = Room::default();
        loop {
            scan.blanks();
            if scan.tag(b")").is_some() {
                return Some(room);
            }
            let resource = scan.atom()?.to_ascii_uppercase();
            scan.blanks();
            let used = scan.long_number()?;
            scan.blanks();
            let left = scan.long_number()?.saturating_sub(used);
            match resource.as_slice() {
                b"STORAGE" => room.octets = Some(left.saturating_mul(1024)),
                b"MESSAGE" => room.messages = Some(left),
                _ => {}
            }
        }
    }

    /// Where both limits hold.
    fn and(self, other: Room) -> Room {
        let least = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        Room { octets: least(self.octets, other.octets), messages: least(self.messages, other.messages) }
    }
}

impl<S: Link> Imap<S> {
    /// How much more the inbox takes, which on most servers is all folders together; nothing limits it where the server does
    /// not tell.
    pub async fn room(&mut self) -> Result<Room> {
        if !self.capabilities.can_quota() {
            return Ok(Room::default());
        }
        let mut room = Room::default();
        let on = |u: Untagged<'_>| {
            if let Untagged::Quota(told) = u {
                room = room.and(told);
            }
        };
        let status = self.session.attempt(Command::new("GETQUOTAROOT").argument(b"INBOX"), on).await?;
        Ok(if status.condition == Condition::Ok { room } else { Room::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_the_tightest_quota() {
        let read = |text: &str| {
            let frame = super::super::framer::Frame { text: text.as_bytes().to_vec(), ..Default::default() };
            Room::read(&mut Scan::new(&frame))
        };
        let room = |octets, messages| Some(Room { octets, messages });
        for (text, expected) in [
            (" \"User quota\" (STORAGE 12 40 MESSAGE 3 100)", room(Some(28 << 10), Some(97))),
            (" \"\" (storage 41 40)", room(Some(0), None)),
            (" root (ANNOTATION 1 2)", room(None, None)),
            (" root ()", room(None, None)),
            (" root (STORAGE 1)", None),
            (" root", None),
            (" x (STORAGE 99999999999999999999 1)", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        let both = Room { octets: Some(5), messages: None }.and(Room { octets: Some(3), messages: Some(1) });
        assert_eq!(Some(both), room(Some(3), Some(1)));
    }
}
