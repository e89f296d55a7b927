//! What a transcript says, read from its file; `README.md` describes the format.

use crate::support::server::Protocol;
use std::collections::BTreeMap;

/// A file, step by step.
#[derive(Debug, Default)]
pub struct Transcript {
    pub protocol: Option<Protocol>,
    /// Lines of the configuration, by table.
    pub account: Vec<String>,
    pub sync: Vec<String>,
    pub pull: Vec<String>,
    pub messages: Messages,
    pub steps: Vec<Step>,
}

/// Something that happens, or has to hold.
#[derive(Debug)]
pub enum Step {
    Put(String, Vec<Held>),
    Mark(String, Vec<Held>),
    Remove(String, Vec<Held>),
    Run(Run),
    Holds(String, Vec<Held>),
    HasNo(String),
}

/// A message by name, with its flags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    pub name: String,
    pub flags: String,
}

/// One run of the program.
#[derive(Debug, Default)]
pub struct Run {
    pub args: Vec<String>,
    pub connections: Vec<Connection>,
    pub exit: i32,
    pub stderr: Vec<String>,
}

#[derive(Debug, Default)]
pub struct Connection {
    /// The number of its line in the file.
    pub number: usize,
    pub lines: Vec<Line>,
}

/// A line that is said, by the number of its line in the file.
#[derive(Debug)]
pub struct Line {
    pub number: usize,
    pub says: Says,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Says {
    Server(String),
    Client { pattern: String, optional: bool },
    Hangup,
}

impl Transcript {
    /// Reads a file; panics at what it does not understand.
    pub fn read(text: &str) -> Transcript {
        let mut transcript = Transcript::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let understood = transcript.step(at + 1, line);
            assert!(understood.is_some(), "line {}: cannot read \u{201c}{line}\u{201d}", at + 1);
        }
        assert!(transcript.steps.iter().any(|s| matches!(s, Step::Run(_))), "nothing is run");
        transcript
    }

    fn step(&mut self, number: usize, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let held =
            || rest.split_once(' ').map_or((rest.to_owned(), Vec::new()), |(f, all)| (f.to_owned(), Held::all(all)));
        match word {
            "protocol" => {
                let named = [("imap", Protocol::Imap), ("pop3", Protocol::Pop3)];
                self.protocol = Some(named.iter().find(|(n, _)| *n == rest)?.1);
            }
            "account" => self.account.push(rest.to_owned()),
            "sync" => self.sync.push(rest.to_owned()),
            "pull" => self.pull.push(rest.to_owned()),
            "message" => {
                let (name, text) = rest.split_once(' ')?;
                self.messages.0.insert(name.to_owned(), octets(&text.replace("{crlf}", "\r\n")));
            }
            "put" => self.steps.push(Step::Put(held().0, held().1)),
            "mark" => self.steps.push(Step::Mark(held().0, held().1)),
            "remove" => self.steps.push(Step::Remove(held().0, held().1)),
            "holds" => self.steps.push(Step::Holds(held().0, held().1)),
            "has" => self.steps.push(Step::HasNo(rest.strip_prefix("no ")?.to_owned())),
            "run" => {
                let args = rest.split(' ').map(str::to_owned).collect();
                self.steps.push(Step::Run(Run { args, ..Run::default() }));
            }
            "exit" => self.run()?.exit = rest.parse().ok()?,
            "stderr" => self.run()?.stderr.push(rest.to_owned()),
            "connect" => self.run()?.connections.push(Connection { number, lines: Vec::new() }),
            "hangup" => self.say(number, Says::Hangup)?,
            "C:" => self.say(number, Says::Client { pattern: rest.to_owned(), optional: false })?,
            "C?" => self.say(number, Says::Client { pattern: rest.to_owned(), optional: true })?,
            "S:" => self.say(number, Says::Server(rest.to_owned()))?,
            "S" => {
                let (range, text) = rest.split_once(": ")?;
                for i in numbers(range)? {
                    self.say(number, Says::Server(text.replace("{i}", &i.to_string())))?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn run(&mut self) -> Option<&mut Run> {
        match self.steps.last_mut() {
            Some(Step::Run(run)) => Some(run),
            _ => None,
        }
    }

    fn say(&mut self, number: usize, says: Says) -> Option<()> {
        self.run()?.connections.last_mut()?.lines.push(Line { number, says });
        Some(())
    }
}

/// `1-9/2`.
fn numbers(range: &str) -> Option<impl Iterator<Item = usize> + use<>> {
    let (range, step) = range.split_once('/').unwrap_or((range, "1"));
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?..=last.parse().ok()?).step_by(step.parse().ok()?))
}

impl Held {
    fn all(text: &str) -> Vec<Held> {
        let one = |word: &str| {
            let (name, flags) = word.split_once(':').unwrap_or((word, ""));
            Held { name: name.to_owned(), flags: flags.to_owned() }
        };
        text.split_whitespace().map(one).collect()
    }
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let colon = if self.flags.is_empty() { "" } else { ":" };
        write!(f, "{}{colon}{}", self.name, self.flags)
    }
}

/// Messages by name.
#[derive(Debug, Default)]
pub struct Messages(BTreeMap<String, Vec<u8>>);

impl Messages {
    /// The octets of one, as on the wire.
    pub fn octets(&self, name: &str) -> Vec<u8> {
        let numbered = || {
            assert!(name.parse::<u32>().is_ok(), "no message {name}");
            format!(
                "From: a@example.org\r\nMessage-ID: <{name}@example.org>\r\nSubject: message {name}\r\n\
                 Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\nbody {name}\r\n"
            )
            .into_bytes()
        };
        self.0.get(name).cloned().unwrap_or_else(numbered)
    }

    /// The name of a message whose octets are these, line ends aside; its start where it has none.
    pub fn name(&self, octets: &[u8]) -> String {
        let same = |other: &[u8]| crate::support::mail::with_lf(other) == crate::support::mail::with_lf(octets);
        if let Some((name, _)) = self.0.iter().find(|(_, other)| same(other)) {
            return name.clone();
        }
        let subject = crate::support::stored::subject(octets).unwrap_or_default();
        let number = subject.strip_prefix("message ").filter(|n| n.parse::<u32>().is_ok());
        match number.filter(|n| same(&self.octets(n))) {
            Some(number) => number.to_owned(),
            None => format!("\u{201c}{}\u{201d}", octets.escape_ascii()),
        }
    }

    /// What a line of the server is on the wire, without its end.
    pub fn line(&self, protocol: Protocol, text: &str, tag: &[u8]) -> Vec<u8> {
        expand(text, |word, argument| match word {
            "tag" => Some(tag.to_vec()),
            "size" => Some(self.octets(argument?).len().to_string().into_bytes()),
            "message" => Some(match protocol {
                Protocol::Imap => literal(&self.octets(argument?)),
                Protocol::Pop3 => stuffed(&self.octets(argument?)),
            }),
            "header" => {
                let header = header(&self.octets(argument?));
                Some(match protocol {
                    Protocol::Imap => literal(&header),
                    Protocol::Pop3 => stuffed(&header),
                })
            }
            _ => None,
        })
    }
}

fn literal(octets: &[u8]) -> Vec<u8> {
    [format!("{{{}}}\r\n", octets.len()).as_bytes(), octets].concat()
}

/// The lines of a message as POP3 sends them, without the last line end.
fn stuffed(octets: &[u8]) -> Vec<u8> {
    let whole: Vec<u8> = (octets.split_inclusive(|b| *b == b'\n'))
        .flat_map(|line| [if line.starts_with(b".") { &b"."[..] } else { b"" }, line].concat())
        .collect();
    whole.strip_suffix(b"\r\n").map(<[u8]>::to_vec).unwrap_or(whole)
}

/// Up to the blank line, and that.
fn header(octets: &[u8]) -> Vec<u8> {
    let end = octets.windows(4).position(|w| w == b"\r\n\r\n").map_or(octets.len(), |at| at + 4);
    octets[..end].to_vec()
}

/// Text with its `{xHH}`.
fn octets(text: &str) -> Vec<u8> {
    expand(text, |_, _| None)
}

/// Text with its placeholders filled in; braces that are none stay.
fn expand(text: &str, value: impl Fn(&str, Option<&str>) -> Option<Vec<u8>>) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        out.extend_from_slice(before.as_bytes());
        let found = after.split_once('}').and_then(|(inner, behind)| {
            let (word, argument) = inner.split_once(' ').map_or((inner, None), |(w, a)| (w, Some(a)));
            let hex = inner.strip_prefix('x').filter(|h| h.len() == 2).and_then(|h| u8::from_str_radix(h, 16).ok());
            Some((hex.map(|b| vec![b]).or_else(|| value(word, argument))?, behind))
        });
        match found {
            Some((octets, behind)) => {
                out.extend(octets);
                rest = behind;
            }
            None => {
                out.push(b'{');
                rest = after;
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

impl Messages {
    /// A pattern with its sizes.
    pub fn pattern(&self, text: &str) -> String {
        let size =
            |word: &str, name: Option<&str>| Some(self.octets(name.filter(|_| word == "size")?).len().to_string());
        String::from_utf8(expand(text, |word, name| size(word, name).map(String::into_bytes)))
            .expect("no {xHH} in a pattern")
    }
}

/// Whether a line fits a pattern; what stood for `{tag}`, empty where the pattern has none.
pub fn fits(pattern: &str, line: &[u8]) -> Option<Vec<u8>> {
    let (pattern, line, tag) = match pattern.strip_prefix("{tag} ") {
        None => (pattern, line, Vec::new()),
        Some(rest) => {
            let at = line.iter().position(|b| *b == b' ')?;
            (rest, &line[at + 1..], line[..at].to_vec())
        }
    };
    let pieces: Vec<Vec<u8>> = pattern.split('\u{2026}').map(octets).collect();
    let (first, others) = pieces.split_first()?;
    let mut rest = line.strip_prefix(&first[..])?;
    let Some((last, middle)) = others.split_last() else { return rest.is_empty().then_some(tag) };
    for piece in middle.iter().filter(|p| !p.is_empty()) {
        let at = rest.windows(piece.len()).position(|w| w == &piece[..])?;
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, line, tag) in [
            ("{tag} NOOP", "A1 NOOP", Some("A1")),
            ("{tag} NOOP", "NOOP", None),
            ("QUIT", "QUIT", Some("")),
            ("QUIT", "QUIT now", None),
            ("{tag} UID FETCH \u{2026} (UID\u{2026})", "A2 UID FETCH 1:3 (UID FLAGS)", Some("A2")),
            ("{tag} UID FETCH \u{2026} (UID\u{2026})", "A2 UID FETCH 1:3 (FLAGS)", None),
            ("a\u{2026}a", "a", None),
            ("{tag} STATUS \"&AOQ-\" {x41}\u{2026}", "7 STATUS \"&AOQ-\" ABC", Some("7")),
        ] {
            assert_eq!(fits(pattern, line.as_bytes()), tag.map(|t| t.as_bytes().to_vec()), "{pattern} {line}");
        }
    }

    #[test]
    fn lines_of_the_server() {
        let mut messages = Messages::default();
        messages.0.insert("dots".to_owned(), b"A: b\r\n\r\n.x\r\n".to_vec());
        for (protocol, text, expected) in [
            (Protocol::Imap, "{tag} OK {x8f}", &b"A7 OK \x8f"[..]),
            (Protocol::Imap, "* 1 FETCH (BODY[] {message dots})", b"* 1 FETCH (BODY[] {12}\r\nA: b\r\n\r\n.x\r\n)"),
            (Protocol::Imap, "{header dots} {size dots} {12} {", b"{8}\r\nA: b\r\n\r\n 12 {12} {"),
            (Protocol::Pop3, "{message dots}", b"A: b\r\n\r\n..x"),
        ] {
            assert_eq!(messages.line(protocol, text, b"A7"), expected, "{text}");
        }
        assert_eq!(messages.name(b"A: b\n\n.x\n"), "dots");
        assert_eq!(messages.name(&messages.octets("12")), "12");
        assert!(messages.name(b"other").starts_with('\u{201c}'));
    }
}
