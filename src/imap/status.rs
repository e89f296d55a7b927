//! Status text: what a server says with OK, NO, BAD and BYE, and what kind of failure it is.

use super::framer::Frame;
use super::scan::Scan;
use super::set::range;
use crate::error::{Kind, quoted};
use std::time::Duration;

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
            // Some servers put flags with brackets in their names into PERMANENTFLAGS.
            let listed = inner.get(..15).is_some_and(|name| name.eq_ignore_ascii_case(b"PERMANENTFLAGS "));
            let list_end = listed.then(|| memchr::memmem::find(inner, b")]")).flatten();
            let end = list_end.map(|at| at + 1).or_else(|| memchr::memchr(b']', inner))?;
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

    /// The same, of 63 bits.
    pub fn long_number(&self) -> Option<u64> {
        std::str::from_utf8(&self.arguments).ok()?.parse::<i64>().ok()?.try_into().ok()
    }

    /// What APPENDUID tells (RFC 4315) of `count` messages added by one command: the UIDVALIDITY of the folder, and their
    /// UIDs in the order of the messages, which is ascending.
    pub fn appended(&self, count: usize) -> Option<(u32, Vec<u32>)> {
        let words = std::str::from_utf8(&self.arguments).ok().filter(|_| self.code == "APPENDUID")?;
        let (uidvalidity, set) = words.split_once(' ')?;
        let uids = uids(set, count).filter(|uids| uids.len() == count && uids.is_sorted_by(|a, b| a < b))?;
        Some((uidvalidity.parse().ok()?, uids))
    }

    /// What COPYUID tells (RFC 4315): the UIDVALIDITY of the folder copied to, and each UID with the one it has there. At
    /// most `most` of them: a server that tells more makes no sense.
    pub fn copied(&self, most: usize) -> Option<(u32, Vec<(u32, u32)>)> {
        let words = std::str::from_utf8(&self.arguments).ok().filter(|_| self.code == "COPYUID")?;
        let mut words = words.split(' ').filter(|w| !w.is_empty());
        let uidvalidity = words.next()?.parse().ok()?;
        let (from, to) = (uids(words.next()?, most)?, uids(words.next()?, most)?);
        (from.len() == to.len()).then(|| (uidvalidity, from.into_iter().zip(to).collect()))
    }

    /// What the server said, for a message to the user; its code where it had no words.
    pub fn shown(&self) -> String {
        if self.words.is_empty() && !self.code.is_empty() {
            quoted(self.code.as_bytes())
        } else {
            quoted(untimed(&self.words))
        }
    }

    /// What kind of failure the server means, where its code tells (RFC 5530), or where its words do: Gmail and others have
    /// no code for too many connections, Outlook none for a mailbox that is slowed down or cannot be reached for now.
    pub fn kind(&self) -> Option<Kind> {
        match self.code.as_str() {
            "AUTHENTICATIONFAILED" | "AUTHORIZATIONFAILED" | "EXPIRED" => Some(Kind::Login),
            "UNAVAILABLE" | "INUSE" | "LIMIT" | "SERVERBUG" | "THROTTLED" => Some(Kind::TryLater),
            "PRIVACYREQUIRED" => Some(Kind::Unavailable),
            _ => {
                const PASSING: [&[u8]; 3] = [b"too many", b"authenticated but not connected", b"throttled"];
                let words = self.words.to_ascii_lowercase();
                let passes = |text: &[u8]| memchr::memmem::find(&words, text).is_some();
                PASSING.into_iter().any(passes).then_some(Kind::TryLater)
            }
        }
    }

    /// How long the server wants to be left alone: Office 365 says `Suggested Backoff Time: N milliseconds`.
    pub fn pause(&self) -> Option<Duration> {
        const LEAD: &[u8] = b"backoff time:";
        let words = self.words.to_ascii_lowercase();
        let behind = words.get(memchr::memmem::find(&words, LEAD)? + LEAD.len()..)?.trim_ascii_start();
        let end = behind.iter().position(|b| !b.is_ascii_digit()).unwrap_or(behind.len());
        let (digits, unit) = behind.split_at(end);
        let milliseconds: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        unit.trim_ascii_start().starts_with(b"milliseconds").then(|| Duration::from_millis(milliseconds))
    }
}

/// Without the time it took, which Dovecot tells at the end of each answer: the same refusal is to read the same.
fn untimed(words: &[u8]) -> &[u8] {
    let end = words.strip_suffix(b".").unwrap_or(words);
    let Some(timed) = end.strip_suffix(b" secs)") else { return words };
    let Some(at) = memchr::memrchr(b'(', timed) else { return words };
    let (before, time) = timed.split_at(at);
    let is_time = time.iter().skip(1).all(|b| b.is_ascii_digit() || b". +".contains(b));
    if is_time && !before.is_empty() { before.trim_ascii_end() } else { words }
}

/// The UIDs of a set in its order, at most `most`.
fn uids(set: &str, most: usize) -> Option<Vec<u32>> {
    let mut uids = Vec::new();
    for told in set.split(',') {
        let (low, high) = range(told)?;
        if !usize::try_from(high - low).is_ok_and(|n| uids.len() + n < most) {
            return None;
        }
        uids.extend(low..=high);
    }
    Some(uids)
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
            ("A1 OK [PermanentFlags (a]b c)] x]", Ok, "PERMANENTFLAGS", "(a]b c)", "x]"),
            ("A1 OK [PERMANENTFLAGS x] y", Ok, "PERMANENTFLAGS", "x", "y"),
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
            ("User is authenticated but not connected.", Some(Kind::TryLater)),
            ("Request is throttled. Suggested Backoff Time: 9 milliseconds", Some(Kind::TryLater)),
            ("[PRIVACYREQUIRED] x", Some(Kind::Unavailable)),
            ("[NONEXISTENT] x", None),
            ("denied", None),
        ] {
            assert_eq!(Text::of(text.as_bytes()).kind(), kind, "{text}");
        }
    }

    #[test]
    fn a_server_may_ask_for_a_pause() {
        for (text, milliseconds) in [
            ("Request is throttled. Suggested Backoff Time: 299961 milliseconds", Some(299_961)),
            ("Suggested Backoff Time: 5milliseconds, or so", Some(5)),
            ("Suggested Backoff Time: 5 minutes", None),
            ("Suggested Backoff Time: 99999999999999999999 milliseconds", None),
            ("Suggested Backoff Time:", None),
            ("throttled", None),
        ] {
            assert_eq!(Text::of(text.as_bytes()).pause(), milliseconds.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn new_uids_are_read_and_nothing_endless() {
        let copied = |code: &str| Text::of(format!("[{code}] x").as_bytes()).copied(5);
        assert_eq!(copied("COPYUID 7 1,4:5 9:11"), Some((7, vec![(1, 9), (4, 10), (5, 11)])));
        assert_eq!(copied("copyuid 7 5:4 9,8"), Some((7, vec![(4, 9), (5, 8)])));
        for broken in [
            "COPYUID 7 1:4294967295 1:4294967295",
            "COPYUID 7 1:6 1:6",
            "COPYUID 7 1:2 1",
            "COPYUID 7 0 1",
            "COPYUID 7 * 1",
            "COPYUID 7 1",
            "COPYUID",
            "APPENDUID 7 1 1",
        ] {
            assert_eq!(copied(broken), None, "{broken}");
        }
        let appended = |code: &str, count| Text::of(format!("[{code}] x").as_bytes()).appended(count);
        for (told, count, expected) in [
            ("APPENDUID 7 9", 1, Some(vec![9])),
            ("APPENDUID 7 5:7", 3, Some(vec![5, 6, 7])),
            ("APPENDUID 7 5,6,9", 3, Some(vec![5, 6, 9])),
            ("APPENDUID 7 5,7:8", 3, Some(vec![5, 7, 8])),
            ("APPENDUID 7 9:10", 1, None),
            ("APPENDUID 7 9", 2, None),
            ("APPENDUID 7 1:4294967295", 3, None),
            ("APPENDUID 7 7,5,6", 3, None),
            ("APPENDUID 7 5,5", 2, None),
            ("APPENDUID 7 0:1", 2, None),
            ("APPENDUID 7", 1, None),
            ("APPENDUID 7 0", 1, None),
            ("COPYUID 7 9", 1, None),
        ] {
            assert_eq!(appended(told, count), expected.map(|uids| (7, uids)), "{told}");
        }
    }

    #[test]
    fn what_is_shown_is_never_empty_where_something_was_said() {
        assert_eq!(Text::of(b"[LIMIT]").shown(), "\u{201c}LIMIT\u{201d}");
        assert_eq!(Text::of(b"[LIMIT] a\x07b").shown(), "\u{201c}ab\u{201d}");
        for (said, shown) in [
            ("[OVERQUOTA] Quota exceeded (0.012 + 0.000 + 0.011 secs).", "Quota exceeded"),
            ("full (mailbox) (0.001 + 0.000 secs)", "full (mailbox)"),
            ("wait (ten secs).", "wait (ten secs)."),
            ("(0.1 secs).", "(0.1 secs)."),
        ] {
            assert_eq!(Text::of(said.as_bytes()).shown(), format!("\u{201c}{shown}\u{201d}"), "{said}");
        }
    }
}
