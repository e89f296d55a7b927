//! One connection of a scripted server: lines in, bytes out, and the faults that befall them.

use super::Shared;
use super::fault::{Effect, Moment, Place};
use super::log::{Heard, Log, Protocol};
use native_tls::TlsStream;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

const LONGEST_LINE: usize = 1 << 20;
const FULL: usize = 64 << 10;

/// What a fault made of a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: carry on.
    Go,
    /// Something else was said instead of the reply.
    Said,
    /// Reply `-ERR text` or `NO text`.
    Refused(String),
    /// Reply `-ERR text` or `BAD text`.
    Rejected(String),
}

enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Gone,
}

/// One connection. Every error ends it.
pub struct Wire {
    pub shared: Arc<Shared>,
    /// What `{tag}` in a fault stands for.
    pub tag: String,
    number: u32,
    protocol: Protocol,
    stream: Stream,
    socket: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: u64,
}

impl Wire {
    pub fn new(shared: Arc<Shared>, number: u32, protocol: Protocol, socket: TcpStream) -> io::Result<Wire> {
        socket.set_nodelay(true)?;
        let stream = Stream::Clear(socket.try_clone()?);
        let (input, output) = (Vec::new(), Vec::new());
        Ok(Wire { shared, tag: String::new(), number, protocol, stream, socket, input, output, sent: 0 })
    }

    pub fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// Negotiates TLS; what came before it in the clear is thrown away, as RFC 2595 and RFC 9051 demand.
    pub fn start_tls(&mut self) -> io::Result<()> {
        self.flush()?;
        if !self.input.is_empty() {
            self.violation("sent bytes behind STLS or STARTTLS before the handshake");
            self.input.clear();
        }
        let Stream::Clear(clear) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return Err(io::Error::other("already under TLS"));
        };
        let tls = self.shared.acceptor.accept(clear).map_err(io::Error::other)?;
        self.stream = Stream::Tls(Box::new(tls));
        Ok(())
    }

    /// The next line with its line end. What is still to be sent goes first.
    pub fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut searched = 0;
        loop {
            if let Some(i) = self.input[searched..].iter().position(|b| *b == b'\n') {
                return Ok(self.input.drain(..=searched + i).collect());
            }
            searched = self.input.len();
            if searched > LONGEST_LINE {
                return Err(io::Error::other("the client's line is too long"));
            }
            self.read_more()?;
        }
    }

    /// Exactly so many bytes.
    pub fn exactly(&mut self, n: usize) -> io::Result<Vec<u8>> {
        while self.input.len() < n {
            self.read_more()?;
        }
        Ok(self.input.drain(..n).collect())
    }

    /// Whether the client has sent more already.
    pub fn has_more(&self) -> bool {
        !self.input.is_empty()
    }

    fn read_more(&mut self) -> io::Result<()> {
        self.flush()?;
        let mut chunk = vec![0; 16 << 10];
        let n = match &mut self.stream {
            Stream::Clear(s) => s.read(&mut chunk)?,
            Stream::Tls(s) => s.read(&mut chunk)?,
            Stream::Gone => 0,
        };
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.input.extend_from_slice(&chunk[..n]);
        Ok(())
    }

    pub fn log(&self, note: impl FnOnce(&mut Log)) {
        note(&mut self.shared.log());
    }

    /// Writes a command or a line of an exchange into the log.
    pub fn heard(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes.strip_suffix(b"\r\n").unwrap_or(bytes)).into_owned();
        let heard = Heard { connection: self.number, protocol: self.protocol, tls: self.is_tls(), text };
        self.log(|l| l.heard.push(heard));
    }

    pub fn violation(&self, what: &str) {
        let text = format!("connection {}: {what}", self.number);
        self.log(|l| l.violations.push(text));
    }

    /// Sends bytes, at the latest when the next line is waited for.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut done = 0;
        for (n, effect) in self.shared.faults.pass_sent(self.sent, bytes.len()) {
            self.push(&bytes[done..n])?;
            done = n;
            self.perform(effect)?;
        }
        self.push(&bytes[done..])
    }

    /// Sends a part of the content of a message; `from` is where it stands in the content.
    pub fn send_content(&mut self, uid: u32, from: u64, bytes: &[u8]) -> io::Result<()> {
        if from == 0 {
            self.log(|l| l.retrieved += 1);
        }
        let mut done = 0;
        for (n, effect) in self.shared.faults.pass_inside(uid, from, bytes.len()) {
            self.send(&bytes[done..n])?;
            done = n;
            self.perform(effect)?;
        }
        self.send(&bytes[done..])
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sent += bytes.len() as u64;
        self.output.extend_from_slice(bytes);
        if self.output.len() >= FULL { self.flush() } else { Ok(()) }
    }

    pub fn flush(&mut self) -> io::Result<()> {
        let output = std::mem::take(&mut self.output);
        let (size, delay) = match self.shared.script.slow {
            Some(slow) => (slow.chunk.max(1), slow.delay),
            None => (usize::MAX, Duration::ZERO),
        };
        for chunk in output.chunks(size) {
            sleep(delay);
            match &mut self.stream {
                Stream::Clear(s) => s.write_all(chunk)?,
                Stream::Tls(s) => s.write_all(chunk)?,
                Stream::Gone => return Err(ErrorKind::NotConnected.into()),
            }
            self.log(|l| l.bytes_sent += chunk.len() as u64);
        }
        Ok(())
    }

    /// A command was received: what the faults make of it.
    pub fn received(&mut self, name: &str, uid: Option<u32>) -> io::Result<Verdict> {
        self.pass(Place { moment: Moment::Received, name, uid, within: false })
    }

    /// A command was carried out: what the faults make of its reply.
    pub fn done(&mut self, name: &str, uid: Option<u32>) -> io::Result<Verdict> {
        self.pass(Place { moment: Moment::Done, name, uid, within: false })
    }

    /// The reply was sent.
    pub fn answered(&mut self, name: &str, uid: Option<u32>) -> io::Result<()> {
        self.pass(Place { moment: Moment::Answered, name, uid, within: false }).map(drop)
    }

    /// It is the turn of one message of a command for many.
    pub fn received_for(&mut self, name: &str, uid: u32) -> io::Result<Verdict> {
        match self.pass(Place { moment: Moment::Received, name, uid: Some(uid), within: true })? {
            Verdict::Go => self.pass(Place { moment: Moment::Done, name, uid: Some(uid), within: true }),
            other => Ok(other),
        }
    }

    /// That message was sent.
    pub fn answered_for(&mut self, name: &str, uid: u32) -> io::Result<()> {
        self.pass(Place { moment: Moment::Answered, name, uid: Some(uid), within: true }).map(drop)
    }

    fn pass(&mut self, place: Place<'_>) -> io::Result<Verdict> {
        let effects = self.shared.faults.pass(place);
        self.judge(effects)
    }

    fn judge(&mut self, effects: Vec<Effect>) -> io::Result<Verdict> {
        let mut verdict = Verdict::Go;
        for effect in effects {
            verdict = match effect {
                Effect::Refuse(text) => Verdict::Refused(text),
                Effect::Reject(text) => Verdict::Rejected(text),
                Effect::Say(_) => {
                    self.perform(effect)?;
                    Verdict::Said
                }
                Effect::Drop | Effect::Close | Effect::Endless { .. } | Effect::Pause(_) => {
                    self.perform(effect)?;
                    verdict
                }
            };
        }
        Ok(verdict)
    }

    fn perform(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Drop => {
                self.flush()?;
                self.hang_up();
                Err(ErrorKind::ConnectionAborted.into())
            }
            Effect::Close => {
                self.close()?;
                Err(ErrorKind::ConnectionAborted.into())
            }
            Effect::Say(bytes) => {
                let said = replace(&bytes, b"{tag}", self.tag.as_bytes());
                self.push(&said)
            }
            Effect::Endless { start, repeat } => {
                let start = replace(&start, b"{tag}", self.tag.as_bytes());
                self.push(&start)?;
                let repeat = repeat.repeat(1 + FULL / repeat.len().max(1));
                loop {
                    self.push(&repeat)?;
                }
            }
            Effect::Pause(time) => {
                self.flush()?;
                sleep(time);
                Ok(())
            }
            Effect::Refuse(_) | Effect::Reject(_) => unreachable!("Fault::new allows them only in place of a reply"),
        }
    }

    /// Sends what is left and ends the connection in good order.
    pub fn close(&mut self) -> io::Result<()> {
        self.flush()?;
        if let Stream::Tls(s) = &mut self.stream {
            s.shutdown()?;
        }
        self.hang_up();
        Ok(())
    }

    /// Ends the connection so that all sent bytes still arrive: unread input would turn the end into a reset that overtakes them.
    fn hang_up(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
        let _ = self.socket.set_read_timeout(Some(Duration::from_secs(2)));
        let mut sink = [0; 4096];
        while matches!(self.socket.read(&mut sink), Ok(n) if n > 0) {}
    }
}

fn replace(text: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(i) = rest.windows(what.len()).position(|w| w == what) {
        out.extend_from_slice(&rest[..i]);
        out.extend_from_slice(with);
        rest = &rest[i + what.len()..];
    }
    out.extend_from_slice(rest);
    out
}
