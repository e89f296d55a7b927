//! The session as a whole, against servers of a few lines in memory.

mod append;
mod changes;
mod compress;
mod cut;
mod folder;
mod gone;
mod listed;
mod login;
mod mailbox;
mod multiappend;
mod target;
mod tree;

use super::Imap;
use crate::credentials::{Login, Secret};
use crate::error::Result;
use crate::mail::Envelope;
use crate::net::{AuthChoice, Server, TlsMode, Transport};
use crate::retrieve::{Handle, Intake};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, ReadBuf,
};
use tokio::task::JoinHandle;

/// A connection in memory that calls itself encrypted after STARTTLS.
#[derive(Debug)]
struct Pipe {
    inner: DuplexStream,
    encrypted: bool,
}

impl Transport for Pipe {
    async fn start_tls(self, _: &Server) -> Result<Pipe> {
        Ok(Pipe { encrypted: true, ..self })
    }
    fn is_encrypted(&self) -> bool {
        self.encrypted
    }
    fn is_near(&self) -> bool {
        true
    }
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, into)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Starts a server that sends `greeting`, and to each command, given as tag and text, what `answer` makes of it. Literals
/// stand in the text as they are. It hangs up after `budget` octets. The task gives all commands without their tags.
fn serve(
    greeting: &str,
    budget: usize,
    mut answer: impl FnMut(&str, &str) -> Vec<u8> + Send + 'static,
) -> (Pipe, JoinHandle<Vec<String>>) {
    let (near, far) = tokio::io::duplex(1 << 20);
    let greeting = greeting.as_bytes().to_vec();
    let task = tokio::spawn(async move {
        let (mut far, mut budget, mut log, mut tag) = (BufReader::new(far), budget, Vec::new(), String::new());
        let mut reply = greeting;
        loop {
            let n = reply.len().min(budget);
            budget -= n;
            if far.write_all(&reply[..n]).await.is_err() || n < reply.len() {
                return log;
            }
            let mut command = Vec::new();
            loop {
                let start = command.len();
                if far.read_until(b'\n', &mut command).await.unwrap_or(0) == 0 {
                    return log;
                }
                let text = String::from_utf8_lossy(&command[start..]).trim_end().to_owned();
                let Some(header) = text.strip_suffix('}').and_then(|t| Some(t.rsplit_once('{')?.1)) else { break };
                let Ok(size) = header.trim_end_matches('+').parse::<usize>() else { break };
                if !header.ends_with('+') && far.write_all(b"+ go on\r\n").await.is_err() {
                    return log;
                }
                let end = command.len();
                command.resize(end + size, 0);
                if far.read_exact(&mut command[end..]).await.is_err() {
                    return log;
                }
            }
            let text = String::from_utf8_lossy(&command).trim_end_matches(['\r', '\n']).to_owned();
            let text = match text.split_once(' ') {
                Some((t, rest)) if t.len() == 5 && t.starts_with('A') => {
                    tag = t.to_owned();
                    rest.to_owned()
                }
                _ => text,
            };
            log.push(text.clone());
            reply = answer(&tag, &text);
        }
    });
    (Pipe { inner: near, encrypted: false }, task)
}

/// Starts a server that answers each command by the first line of the script that it starts with, `{tag}` in its place;
/// every answer has its turn once, the last of a kind for ever. Anything else is done and nothing told.
fn scripted(capabilities: &'static str, script: &[(&'static str, &'static str)]) -> (Pipe, JoinHandle<Vec<String>>) {
    let mut script = script.to_vec();
    serve(&format!("* OK [CAPABILITY {capabilities}] hi\r\n"), usize::MAX, move |tag, command| {
        let line = if command.starts_with("LOGIN") {
            format!("{{tag}} OK [CAPABILITY {capabilities}] in\r\n")
        } else if let Some(at) = script.iter().position(|(start, _)| command.starts_with(start)) {
            let (start, answer) = script[at];
            if script.iter().filter(|(s, _)| *s == start).count() > 1 {
                script.remove(at);
            }
            answer.to_owned()
        } else {
            "{tag} OK done\r\n".to_owned()
        };
        line.replace("{tag}", tag).into_bytes()
    })
}

/// All commands but the log-in.
async fn heard(task: JoinHandle<Vec<String>>) -> Vec<String> {
    task.await.unwrap().split_off(1)
}

const CAPABILITIES: &str = "IMAP4rev1 UIDPLUS";

/// What every server here answers alike.
fn basics(tag: &str, command: &str) -> Option<String> {
    match command.split(' ').next()? {
        "CAPABILITY" => Some(format!("* CAPABILITY {CAPABILITIES}\r\n{tag} OK done\r\n")),
        "LOGIN" => Some(format!("{tag} OK [CAPABILITY {CAPABILITIES}] in\r\n")),
        "NOOP" => Some(format!("{tag} OK done\r\n")),
        "LOGOUT" => Some(format!("* BYE bye\r\n{tag} OK done\r\n")),
        _ => None,
    }
}

pub fn server(tls: TlsMode) -> Server {
    Server {
        host: "mail.example".into(),
        port: 143,
        tls,
        ca_file: None,
        pins: Vec::new(),
        allow_cleartext: false,
        compress: None,
        pipelining: true,
        timeout: Duration::from_secs(5),
    }
}

fn me() -> Login {
    Login::new("me", Secret::new("pass".into()))
}

async fn logged_in(pipe: Pipe) -> Result<Imap<Pipe>> {
    Imap::over(pipe, &server(TlsMode::None), &me(), AuthChoice::UserPass).await
}

/// What arrived.
#[derive(Default)]
struct Arrived {
    open: Option<(Handle, Envelope, Vec<u8>)>,
    whole: Vec<(u32, Envelope, Vec<u8>)>,
    refused: Vec<(u32, String)>,
    gone: Vec<u32>,
    /// Fails with the first chunk.
    full: bool,
    largest_chunk: usize,
}

impl Arrived {
    fn uids(&self) -> Vec<u32> {
        self.whole.iter().map(|w| w.0).collect()
    }
}

impl Intake for Arrived {
    async fn begin(&mut self, handle: Handle, envelope: Envelope) -> Result<()> {
        assert!(self.open.replace((handle, envelope, Vec::new())).is_none());
        Ok(())
    }
    async fn chunk(&mut self, bytes: &[u8]) -> Result<()> {
        if self.full {
            return Err(crate::error::Error::local_io("cannot write", io::ErrorKind::StorageFull.into()));
        }
        self.largest_chunk = self.largest_chunk.max(bytes.len());
        self.open.as_mut().unwrap().2.extend_from_slice(bytes);
        Ok(())
    }
    async fn end(&mut self) -> Result<()> {
        let (handle, envelope, bytes) = self.open.take().unwrap();
        self.whole.push((handle.0, envelope, bytes));
        Ok(())
    }
    async fn refused(&mut self, handle: Handle, reason: String) -> Result<()> {
        self.open = None;
        self.refused.push((handle.0, reason));
        Ok(())
    }
    async fn gone(&mut self, handle: Handle) -> Result<()> {
        self.gone.push(handle.0);
        Ok(())
    }
}

/// A folder of a server in memory.
#[derive(Clone, Default)]
struct Store {
    messages: Vec<Message>,
    capabilities: &'static str,
}

#[derive(Clone, Default)]
struct Message {
    uid: u32,
    flags: String,
    body: Vec<u8>,
    /// Announced in place of the real one.
    size: Option<usize>,
}

impl Store {
    fn of(bodies: &[(u32, &[u8])]) -> Store {
        let message = |(uid, body): &(u32, &[u8])| Message { uid: *uid, body: body.to_vec(), ..Message::default() };
        Store { messages: bodies.iter().map(message).collect(), capabilities: CAPABILITIES }
    }

    fn answer(&mut self, tag: &str, command: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut say = |text: String| out.extend_from_slice(text.as_bytes());
        let words: Vec<&str> = command.split(' ').collect();
        match words.as_slice() {
            ["LOGIN", ..] => say(format!("{tag} OK [CAPABILITY {}] in\r\n", self.capabilities)),
            ["LIST", ..] => {
                say("* LIST (\\HasNoChildren) \"/\" INBOX\r\n* LIST () \"/\" \"Lists/rust\"\r\n".into());
                say(format!("* LIST (\\Noselect) \"/\" Lists\r\n{tag} OK done\r\n"));
            }
            [verb @ ("SELECT" | "EXAMINE"), "\"INBOX\"" | "\"Lists/rust\""] => {
                let access = if *verb == "SELECT" { "READ-WRITE" } else { "READ-ONLY" };
                say(format!("* {} EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n", self.messages.len()));
                say(format!("{tag} OK [{access}] done\r\n"));
            }
            ["UID", "FETCH", set, items @ ..] => {
                let items = items.join(" ");
                for (i, m) in self.messages.iter().enumerate().filter(|(_, m)| contains(set, m.uid)) {
                    out.extend_from_slice(&m.row(i + 1, &items));
                }
                out.extend_from_slice(format!("{tag} OK done\r\n").as_bytes());
            }
            ["UID", "STORE", set, "+FLAGS.SILENT", "(\\Deleted)"] => {
                for m in self.messages.iter_mut().filter(|m| contains(set, m.uid)) {
                    m.flags.push_str("\\Deleted ");
                }
                say(format!("{tag} OK done\r\n"));
            }
            ["UID", "SEARCH", "DELETED"] => {
                let marked = self.messages.iter().filter(|m| m.flags.contains("Deleted"));
                let uids: Vec<_> = marked.map(|m| format!(" {}", m.uid)).collect();
                say(format!("* SEARCH{}\r\n{tag} OK done\r\n", uids.concat()));
            }
            ["EXPUNGE"] => {
                self.messages.retain(|m| !m.flags.contains("Deleted"));
                say(format!("{tag} OK done\r\n"));
            }
            ["UID", "EXPUNGE", set] => {
                self.messages.retain(|m| !(m.flags.contains("Deleted") && contains(set, m.uid)));
                say(format!("{tag} OK done\r\n"));
            }
            _ => match basics(tag, command) {
                Some(text) => say(text),
                None => say(format!("{tag} NO [CANNOT] {command}?\r\n")),
            },
        }
        out
    }
}

impl Message {
    fn row(&self, number: usize, items: &str) -> Vec<u8> {
        let mut row = format!("* {number} FETCH (UID {}", self.uid).into_bytes();
        if items.contains("RFC822.SIZE") {
            row.extend_from_slice(format!(" RFC822.SIZE {}", self.size.unwrap_or(self.body.len())).as_bytes());
        }
        if items.contains("FLAGS") {
            row.extend_from_slice(format!(" FLAGS ({})", self.flags).as_bytes());
        }
        if items.contains("INTERNALDATE") {
            row.extend_from_slice(b" INTERNALDATE \" 1-Jan-1970 00:01:00 +0000\"");
        }
        if let Some((_, partial)) = items.split_once("BODY.PEEK[]<") {
            let (from, count) = partial.split_once('>').unwrap().0.split_once('.').unwrap();
            let start: usize = from.parse().unwrap();
            let end = (start + count.parse::<usize>().unwrap()).min(self.body.len());
            let part = self.body.get(start..end).unwrap_or_default();
            row.extend_from_slice(format!(" BODY[]<{from}> {{{}}}\r\n", part.len()).as_bytes());
            row.extend_from_slice(part);
        } else if items.contains("BODY.PEEK[") {
            row.extend_from_slice(format!(" BODY[] {{{}}}\r\n", self.body.len()).as_bytes());
            row.extend_from_slice(&self.body);
        }
        row.extend_from_slice(b")\r\n");
        row
    }
}

fn contains(set: &str, uid: u32) -> bool {
    set.split(',').any(|range| {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        let last = if last == "*" { u32::MAX } else { last.parse().unwrap() };
        (first.parse().unwrap()..=last).contains(&uid)
    })
}
