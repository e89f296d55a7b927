//! Status text: what a server says with OK, NO, BAD and BYE, and what kind of failure it is.

use super::framer::Frame;
use super::scan::Scan;
use crate::error::{Kind, quoted};

/// The first word of a status response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Done, or information.
    Ok,
    /// Refused, or a warning.
    No,
    /// Not understood.
    Bad,
    /// Already logged in.
    PreAuth,
    /// The server closes the connection.
    Bye,
}

/// Text for people, behind a response code for programs (RFC 9051 section 7.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// The code's name in upper case; empty where there is none.
    pub code: String,
    /// What follows the name inside the brackets.
    pub arguments: Vec<u8>,
    /// The rest.
    pub words: Vec<u8>,
}

/// A status response, tagged or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its first word.
    pub condition: Condition,
    /// What it says.
    pub text: Text,
}

impl Status {
    /// Reads a status behind its tag or `*`; `None` where it is something else.
    pub fn read(scan: &mut Scan<'_>) -> Option<Status> {
        use Condition::{Bad, Bye, No, Ok, PreAuth};
        let mut word = scan.clone();
        let condition = [("OK", Ok), ("NO", No), ("BAD", Bad), ("PREAUTH", PreAuth), ("BYE", Bye)]
            .into_iter()
            .find(|(name, _)| word.atom_is(name.as_bytes()))?
            .1;
        *scan = word;
        Some(Status { condition, text: Text::of(scan.rest().trim_ascii()) })
    }

    /// Reads a completion, behind its tag.
    pub fn of_completion(frame: &Frame) -> Option<Status> {
        let mut scan = Scan::new(frame);
        scan.atom()?;
        scan.blanks();
        Status::read(&mut scan)
    }
}

impl Text {
    /// Splits the code from the words.
    pub fn of(text: &[u8]) -> Text {
        let split = text.strip_prefix(b"[").and_then(|inner| {
            let end = memchr::memchr(b']', inner)?;
            Some((inner.get(..end)?, inner.get(end + 1..)?))
        });
        let Some((code, words)) = split else { return Text { words: text.to_vec(), ..Text::default() } };
        let name_end = code.iter().position(|b| *b == b' ').unwrap_or(code.len());
        let (name, arguments) = code.split_at(name_end);
        Text {
            code: String::from_utf8_lossy(name).to_ascii_uppercase(),
            arguments: arguments.trim_ascii().to_vec(),
            words: words.trim_ascii().to_vec(),
        }
    }

    /// The number that a code such as UIDVALIDITY carries.
    pub fn number(&self) -> Option<u32> {
        std::str::from_utf8(&self.arguments).ok()?.parse().ok()
    }

    /// What the server said, for a message to the user; its code where it had no words.
    pub fn shown(&self) -> String {
        if self.words.is_empty() && !self.code.is_empty() { quoted(self.code.as_bytes()) } else { quoted(&self.words) }
    }

    /// What kind of failure the server means, where its code tells (RFC 5530), or where it says that there are too many
    /// connections (Gmail and others have no code for it).
    pub fn kind(&self) -> Option<Kind> {
        match self.code.as_str() {
            "AUTHENTICATIONFAILED" | "AUTHORIZATIONFAILED" | "EXPIRED" => Some(Kind::Login),
            "UNAVAILABLE" | "INUSE" | "LIMIT" | "SERVERBUG" | "THROTTLED" => Some(Kind::TryLater),
            "PRIVACYREQUIRED" => Some(Kind::Unavailable),
            _ => {
                let words = self.words.to_ascii_lowercase();
                let busy = memchr::memmem::find(&words, b"too many").is_some();
                busy.then_some(Kind::TryLater)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completion(line: &str) -> Option<Status> {
        Status::of_completion(&Frame { text: line.into(), literals: Vec::new() })
    }

    #[test]
    fn a_status_is_split_into_condition_code_and_words() {
        use Condition::{Bad, No, Ok};
        for (line, condition, code, arguments, words) in [
            ("A1 OK done", Ok, "", "", "done"),
            ("A1 no", No, "", "", ""),
            ("A1 NO [inuse] busy now", No, "INUSE", "", "busy now"),
            ("A1 OK [UIDVALIDITY 7]", Ok, "UIDVALIDITY", "7", ""),
            ("A1 BAD [ALERT]\u{fc}", Bad, "ALERT", "", "\u{fc}"),
            ("A1 NO [open", No, "", "", "[open"),
        ] {
            let s = completion(line).unwrap();
            let parts = (s.condition, s.text.code.as_str(), s.text.arguments, s.text.words);
            assert_eq!(parts, (condition, code, arguments.into(), words.into()), "{line}");
        }
        assert_eq!(completion("A1 OKAY"), None);
        assert_eq!(completion("A1"), None);
    }

    #[test]
    fn the_code_tells_the_kind() {
        for (text, kind) in [
            ("[AUTHENTICATIONFAILED] no", Some(Kind::Login)),
            ("[EXPIRED]", Some(Kind::Login)),
            ("[UNAVAILABLE] x", Some(Kind::TryLater)),
            ("[ALERT] Too many simultaneous connections. (Failure)", Some(Kind::TryLater)),
            ("[PRIVACYREQUIRED] x", Some(Kind::Unavailable)),
            ("[NONEXISTENT] x", None),
            ("denied", None),
        ] {
            assert_eq!(Text::of(text.as_bytes()).kind(), kind, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_never_empty_where_something_was_said() {
        assert_eq!(Text::of(b"[LIMIT]").shown(), "\u{201c}LIMIT\u{201d}");
        assert_eq!(Text::of(b"[LIMIT] a\x07b").shown(), "\u{201c}ab\u{201d}");
    }
}
