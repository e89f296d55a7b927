//! A POP3 session (RFC 1939, 2449, 2595, 1734, 5034).

use super::wire::{Verdict, Wire};
use crate::support::mail::over_pop3;
use md5::{Digest, Md5};
use std::io;
use std::sync::Arc;

const BANNER: &str = "<1896.697170952@mail.example.org>";

/// One session; messages and their numbers are those at log-in.
pub struct Session {
    wire: Wire,
    user: Option<String>,
    logged_in: bool,
    drop: Vec<Entry>,
}

struct Entry {
    uid: u32,
    bytes: Arc<[u8]>,
    deleted: bool,
}

/// What answers a command: a line, then perhaps content of a message (with its UID, where faults can hit it), then the rest.
#[derive(Default)]
struct Reply {
    head: Vec<u8>,
    content: Option<(u32, Vec<u8>)>,
    tail: Vec<u8>,
}

impl Reply {
    fn line(text: impl AsRef<[u8]>) -> Reply {
        Reply { head: [text.as_ref(), b"\r\n"].concat(), ..Reply::default() }
    }

    fn lines(first: &str, rest: impl IntoIterator<Item = Vec<u8>>) -> Reply {
        let mut head = format!("{first}\r\n").into_bytes();
        for line in rest {
            head.extend_from_slice(&line);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b".\r\n");
        Reply { head, ..Reply::default() }
    }
}

impl Session {
    pub fn new(wire: Wire) -> Session {
        Session { wire, user: None, logged_in: false, drop: Vec::new() }
    }

    pub fn run(mut self) -> io::Result<()> {
        match self.wire.received("connect", None)? {
            Verdict::Go => {
                let banner = if self.offers("APOP") { BANNER } else { "here I am" };
                self.wire.send(format!("+OK ready {banner}\r\n").as_bytes())?;
            }
            Verdict::Said => {}
            Verdict::Refused(text) | Verdict::Rejected(text) => {
                self.wire.send(format!("-ERR {text}\r\n").as_bytes())?;
                return self.wire.close();
            }
        }
        self.wire.answered("connect", None)?;
        loop {
            let line = self.wire.line()?;
            self.wire.heard(&line);
            let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            let (name, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let name = name.to_ascii_uppercase();
            let uid = self.entry(rest).map(|e| e.uid);
            let told = self.answer(&name, rest, uid)?;
            if self.wire.has_more() && !self.offers("PIPELINING") {
                self.wire.violation(&format!("sent more before the reply to {name}, though PIPELINING is not offered"));
            }
            if let Some(reply) = told {
                self.wire.send(&reply.head)?;
                if let Some((uid, content)) = &reply.content {
                    self.wire.send_content(*uid, 0, content)?;
                }
                self.wire.send(&reply.tail)?;
                self.wire.answered(&name, uid)?;
                if name == "STLS" && reply.head.starts_with(b"+") {
                    self.wire.start_tls()?;
                    (self.user, self.logged_in) = (None, false);
                }
            } else {
                self.wire.answered(&name, uid)?;
            }
            if name == "QUIT" {
                return self.wire.close();
            }
        }
    }

    /// The reply to a command, or `None` where a fault has spoken already.
    fn answer(&mut self, name: &str, rest: &str, uid: Option<u32>) -> io::Result<Option<Reply>> {
        match self.wire.received(name, uid)? {
            Verdict::Go => {}
            other => return Ok(Self::instead(other)),
        }
        let Some(reply) = self.execute(name, rest)? else { return Ok(None) };
        match self.wire.done(name, uid)? {
            Verdict::Go => Ok(Some(reply)),
            other => Ok(Self::instead(other)),
        }
    }

    fn instead(verdict: Verdict) -> Option<Reply> {
        match verdict {
            Verdict::Go | Verdict::Said => None,
            Verdict::Refused(text) | Verdict::Rejected(text) => Some(Reply::line(format!("-ERR {text}"))),
        }
    }

    fn offers(&self, name: &str) -> bool {
        self.wire.shared.script.offers(name)
    }

    fn entry(&self, argument: &str) -> Option<&Entry> {
        let n: usize = argument.split(' ').next()?.parse().ok()?;
        self.drop.get(n.checked_sub(1)?).filter(|e| !e.deleted)
    }

    fn execute(&mut self, name: &str, rest: &str) -> io::Result<Option<Reply>> {
        let absent = !self.offers(name) || matches!(name, "USER" | "PASS") && !self.offers("USER");
        if absent || name == "AUTH" && !self.offers("SASL") {
            return Ok(Some(Reply::line(format!("-ERR unknown command {name}"))));
        }
        Ok(Some(match name {
            "CAPA" => self.capa(),
            "QUIT" => self.quit(),
            "NOOP" if self.logged_in => Reply::line("+OK"),
            "STLS" if !self.wire.is_tls() && !self.logged_in => Reply::line("+OK begin TLS"),
            "USER" if !self.logged_in => {
                self.user = Some(rest.to_owned());
                Reply::line("+OK and the password?")
            }
            "PASS" if !self.logged_in => {
                let Some(user) = self.user.take() else { return Ok(Some(Reply::line("-ERR USER first"))) };
                let right = rest == self.wire.shared.script.password;
                return self.log_in(&user, right);
            }
            "APOP" if !self.logged_in => {
                let (user, digest) = rest.split_once(' ').unwrap_or((rest, ""));
                let mut md5 = Md5::new();
                md5.update(BANNER);
                md5.update(&self.wire.shared.script.password);
                let wanted: String = md5.finalize().iter().map(|b| format!("{b:02x}")).collect();
                return self.log_in(user, digest == wanted);
            }
            "AUTH" if !self.logged_in => return self.auth(rest),
            "STAT" | "LIST" | "UIDL" | "TOP" | "RETR" | "DELE" | "RSET" if self.logged_in => {
                self.transaction(name, rest)
            }
            _ => Reply::line(format!("-ERR {name} is not possible now")),
        }))
    }

    fn capa(&self) -> Reply {
        let script = &self.wire.shared.script;
        let mut lines: Vec<String> = ["TOP", "UIDL", "PIPELINING", "USER", "RESP-CODES", "AUTH-RESP-CODE"]
            .iter()
            .filter(|n| script.offers(n))
            .map(|n| (*n).to_owned())
            .collect();
        if script.offers("SASL") {
            lines.push("SASL PLAIN".to_owned());
        }
        if script.offers("STLS") && !self.wire.is_tls() {
            lines.push("STLS".to_owned());
        }
        lines.extend(script.pop3_extra.iter().cloned());
        Reply::lines("+OK what I can", lines.into_iter().map(String::into_bytes))
    }

    fn auth(&mut self, rest: &str) -> io::Result<Option<Reply>> {
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        if !mechanism.eq_ignore_ascii_case("PLAIN") {
            return Ok(Some(Reply::line("-ERR only PLAIN")));
        }
        let response = if initial.is_empty() {
            self.wire.send(b"+ \r\n")?;
            let line = self.wire.line()?;
            self.wire.heard(&line);
            String::from_utf8_lossy(&line).trim().to_owned()
        } else {
            initial.to_owned()
        };
        let (user, right) = self.wire.shared.script.judge_plain(&response);
        self.log_in(&user, right)
    }

    fn log_in(&mut self, user: &str, password_is_right: bool) -> io::Result<Option<Reply>> {
        match self.wire.received("log-in", None)? {
            Verdict::Go => {}
            other => return Ok(Self::instead(other)),
        }
        if user != self.wire.shared.script.user || !password_is_right {
            return Ok(Some(Reply::line("-ERR [AUTH] wrong user or password")));
        }
        self.logged_in = true;
        self.wire.log(|l| l.logins += 1);
        let mut mailbox = self.wire.shared.mailbox();
        let messages = mailbox.folder_mut("INBOX").messages.iter();
        self.drop = messages.map(|m| Entry { uid: m.uid, bytes: Arc::clone(&m.bytes), deleted: false }).collect();
        Ok(Some(Reply::line(format!("+OK {} messages", self.drop.len()))))
    }

    fn transaction(&mut self, name: &str, rest: &str) -> Reply {
        match name {
            "STAT" => {
                let mailbox = self.wire.shared.mailbox();
                let left = self.drop.iter().filter(|e| !e.deleted);
                let (n, sum) = left.fold((0, 0), |(n, sum), e| (n + 1, sum + mailbox.told_size(size(&e.bytes))));
                return Reply::line(format!("+OK {n} {sum}"));
            }
            "RSET" => {
                self.drop.iter_mut().for_each(|e| e.deleted = false);
                return Reply::line("+OK nothing is deleted");
            }
            "LIST" | "UIDL" if rest.is_empty() => {
                let all = (1..).zip(&self.drop).filter(|(_, e)| !e.deleted);
                return Reply::lines("+OK", all.filter_map(|(n, e)| self.listed(name, n, e)));
            }
            _ => {}
        }
        let Some(entry) = self.entry(rest) else { return Reply::line("-ERR no such message") };
        let uid = entry.uid;
        match name {
            "RETR" => {
                let content = stuffed(&over_pop3(&entry.bytes));
                Reply { head: b"+OK here it is\r\n".to_vec(), content: Some((uid, content)), tail: b".\r\n".to_vec() }
            }
            "TOP" => {
                let Some(n) = rest.split(' ').nth(1).and_then(|n| n.parse().ok()) else {
                    return Reply::line("-ERR how many lines?");
                };
                let top = stuffed(&over_pop3(top(&entry.bytes, n)));
                Reply { head: [b"+OK the top\r\n".as_slice(), &top, b".\r\n"].concat(), ..Reply::default() }
            }
            "DELE" => {
                for e in self.drop.iter_mut().filter(|e| e.uid == uid) {
                    e.deleted = true;
                }
                Reply::line("+OK marked")
            }
            _ => {
                let n = rest.parse().unwrap_or_default();
                match self.listed(name, n, entry) {
                    Some(line) => Reply::line([b"+OK ".as_slice(), &line].concat()),
                    None => Reply::line("-ERR it has none"),
                }
            }
        }
    }

    /// A line of a listing; `None` where a message has no UIDL.
    fn listed(&self, name: &str, n: u32, entry: &Entry) -> Option<Vec<u8>> {
        let mailbox = self.wire.shared.mailbox();
        let what = match name {
            "LIST" => mailbox.told_size(size(&entry.bytes)).to_string().into_bytes(),
            _ => mailbox.uidl(entry.uid, n)?,
        };
        Some([format!("{n} ").as_bytes(), &what].concat())
    }

    fn quit(&mut self) -> Reply {
        let gone: Vec<u32> = self.drop.iter().filter(|e| e.deleted).map(|e| e.uid).collect();
        self.wire.shared.mailbox().folder_mut("INBOX").messages.retain(|m| !gone.contains(&m.uid));
        self.drop.clear();
        Reply::line(format!("+OK bye, {} deleted", gone.len()))
    }
}

/// The length over POP3.
fn size(message: &[u8]) -> usize {
    if message.is_empty() || message.ends_with(b"\r\n") { message.len() } else { message.len() + 2 }
}

/// Dots at the start of lines doubled; lines end with CRLF alone.
fn stuffed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 64);
    if bytes.starts_with(b".") {
        out.push(b'.');
    }
    let mut done = 0;
    for i in memchr::memmem::find_iter(bytes, b"\r\n.") {
        out.extend_from_slice(&bytes[done..i + 3]);
        out.push(b'.');
        done = i + 3;
    }
    out.extend_from_slice(&bytes[done..]);
    out
}

/// The header, the blank line and so many lines of the body.
fn top(message: &[u8], lines: usize) -> &[u8] {
    let Some(blank) = memchr::memmem::find(message, b"\r\n\r\n") else { return message };
    let mut end = blank + 4;
    for _ in 0..lines {
        match memchr::memmem::find(&message[end..], b"\r\n") {
            Some(i) => end += i + 2,
            None => return message,
        }
    }
    &message[..end]
}
