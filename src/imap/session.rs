//! One connection: commands go out under tags, and each ends with its own tagged OK or as an error.

mod refusals;

use super::command::Command;
use super::framer::{Frame, Garbled};
use super::response::Untagged;
use super::status::{Condition, Status, Text};
use super::stream::{Injected, Wire};
use crate::error::{Error, Result};
use crate::net::{self, Server};
use async_imap::imap_proto::Response;
use std::fmt::Debug;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// Octets of untagged responses that may come before a command ends.
const ENDLESS: u64 = 512 << 20;
/// The same where all of them may be kept in memory, as in a listing: a million messages.
const LISTING: u64 = 128 << 20;
/// What such an answer may take up at least,
const ANSWER: u64 = 8 << 20;
/// and further for each message of the open folder.
const MESSAGE: u64 = 512;
/// Octets that a response counts as besides its own: its share of what is made of it.
const ROW: u64 = 64;

/// What a session can run on.
pub trait Link: AsyncRead + AsyncWrite + Unpin + Send + Debug {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + Debug> Link for S {}

/// The name under which a command's completion comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(String);

/// What the server sent.
#[derive(Debug)]
pub enum Event {
    /// An untagged response; [`Untagged::of`] reads it.
    Untagged(Frame),
    /// The server waits for the rest of a command; the text behind the `+`.
    Continue(Vec<u8>),
    /// A command has ended: [`Condition::Ok`], `No` or `Bad`.
    Done(Tag, Status),
}

/// A session, logged in or on the way there.
#[derive(Debug)]
pub struct Session<S: Link> {
    imap: async_imap::Session<Wire<S>>,
    server: Server,
    /// Commands whose completion is still to come.
    under_way: Vec<Tag>,
    /// The one of these whose answer is of no matter.
    aside: Option<Tag>,
    /// Octets of untagged responses since a command has ended.
    unended: u64,
    /// What is known of the open folder.
    counts: Counts,
    /// QRESYNC is enabled: VANISHED tells what is gone, in place of EXPUNGE.
    pub resyncs: bool,
    /// The server says that it is Microsoft Exchange, or stands before one (DavMail).
    pub is_exchange: bool,
    /// A command was begun whose end is not written yet: anything else would be taken for a part of it.
    unfinished: bool,
}

/// How many messages come and go in the open folder, as the server tells by the way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages in it.
    pub exists: u32,
    /// Messages removed since it was opened.
    pub expunged: u32,
}

impl<S: Link> Session<S> {
    /// A session on a fresh connection; the greeting is the first thing to come.
    pub async fn over(stream: S, server: &Server) -> Result<Session<S>> {
        match async_imap::Client::new(Wire::rehearsal()).login("", "").await {
            Ok(mut imap) => {
                imap.get_mut().attach(stream);
                Ok(Session {
                    imap,
                    server: server.clone(),
                    under_way: Vec::new(),
                    aside: None,
                    unended: 0,
                    counts: Counts::default(),
                    resyncs: false,
                    is_exchange: false,
                    unfinished: false,
                })
            }
            Err((e, _)) => Err(net::lost(server, io::Error::other(e))),
        }
    }

    /// Where it is connected to.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The stream beneath.
    pub fn stream(&self) -> Option<&S> {
        self.imap.get_ref().stream()
    }

    /// Takes the stream out to start TLS on it.
    pub fn detach(&mut self) -> Result<Option<S>, Injected> {
        self.imap.get_mut().detach()
    }

    /// Puts it back.
    pub fn attach(&mut self, stream: S) {
        self.imap.get_mut().attach(stream);
    }

    /// From now on both sides deflate what they send: the server has agreed to it, and nothing else is under way.
    pub fn deflate(&mut self) {
        self.imap.get_mut().deflate();
    }

    /// Whether they do.
    pub fn is_deflated(&self) -> bool {
        self.imap.get_ref().is_deflated()
    }

    /// Sends a command of one line.
    pub async fn send(&mut self, line: &str) -> Result<Tag> {
        if self.unfinished {
            self.hang_up();
        }
        self.imap.get_mut().cork(false);
        self.put(line).await
    }

    /// Begins a command whose line ends with the size of a literal. Unless a completion comes first,
    /// [`write`](Self::write) and [`end`](Self::end) follow. It is sent along with what comes next.
    pub async fn begin(&mut self, line: &str) -> Result<Tag> {
        if self.unfinished {
            self.hang_up();
        }
        self.imap.get_mut().cork(true);
        self.unfinished = true;
        self.put(line).await
    }

    /// The next octets of the literal. What the server says meanwhile is taken in for [`next`](Self::next).
    pub async fn write(&mut self, octets: &[u8]) -> Result<()> {
        let wire = self.imap.get_mut();
        wire.cork(true);
        match wire.write_all(octets).await {
            Ok(()) => Ok(()),
            Err(e) => Err(self.last_words(e).await),
        }
    }

    /// Ends the command that was begun.
    pub async fn end(&mut self) -> Result<()> {
        self.write(b"\r\n").await?;
        self.unfinished = false;
        Ok(())
    }

    /// The command that was begun has ended before its literal was sent.
    pub fn abandon(&mut self) {
        self.unfinished = false;
    }

    /// Ends the connection without another word.
    pub fn hang_up(&mut self) {
        self.unfinished = false;
        self.imap.get_mut().hang_up();
    }

    /// Why nothing can be written any more: what the server said before it closed, or else the failure itself.
    async fn last_words(&mut self, failure: io::Error) -> Error {
        self.unfinished = false;
        self.imap.get_mut().drop_output();
        if failure.kind() == io::ErrorKind::TimedOut {
            return self.broken(failure);
        }
        loop {
            if let Err(e) = self.next().await {
                return e;
            }
        }
    }

    /// Whether an answer is still to come that has to be waited for.
    fn is_waiting(&self) -> bool {
        self.under_way.iter().any(|tag| self.aside.as_ref() != Some(tag))
    }

    /// Takes note of what a server calls itself, in its greeting or by ID: Exchange, or DavMail, behind which there is one.
    pub fn hear_name(&mut self, text: &[u8]) {
        const NAMES: [&[u8]; 3] = [b"microsoft exchange", b"microsoft.exchange", b"davmail"];
        let text = text.to_ascii_lowercase();
        self.is_exchange |= NAMES.into_iter().any(|name| memchr::memmem::find(&text, name).is_some());
    }

    /// Sends a command together with the next one; whatever it is answered.
    pub async fn say(&mut self, line: &str) -> Result<()> {
        self.aside = Some(self.send(line).await?);
        Ok(())
    }

    async fn put(&mut self, line: &str) -> Result<Tag> {
        match self.imap.run_command(line).await {
            Ok(id) => {
                let tag = Tag(id.0);
                self.under_way.push(tag.clone());
                Ok(tag)
            }
            Err(async_imap::error::Error::Io(e)) => Err(self.broken(e)),
            Err(e) => Err(self.broken(io::Error::other(e))),
        }
    }

    /// Goes on with a command that the server asked the rest of.
    pub async fn send_rest(&mut self, line: &[u8]) -> Result<()> {
        let wire = self.imap.get_mut();
        let sent = async {
            wire.write_all(line).await?;
            wire.write_all(b"\r\n").await?;
            wire.flush().await
        };
        sent.await.map_err(|e| self.broken(e))
    }

    /// Waits for what the server sends next. BYE and the end of the connection are errors, and so is data without end. Dropped
    /// while it waits, it loses nothing.
    pub async fn next(&mut self) -> Result<Event> {
        if self.imap.get_mut().cork(false)
            && let Err(e) = self.imap.get_mut().flush().await
        {
            return Err(self.broken(e));
        }
        let completed = match self.imap.read_response().await {
            Err(e) => return Err(self.broken(e)),
            Ok(None) => return Err(self.broken(io::ErrorKind::UnexpectedEof.into())),
            Ok(Some(response)) => match response.parsed() {
                Response::Done { tag, .. } => Some(Some(Tag(tag.0.clone()))),
                Response::Continue(_) => Some(None),
                _ => None,
            },
        };
        let frame = self.imap.get_mut().take().unwrap_or_default();
        match completed {
            None => {
                if let Some(text) = Untagged::farewell(&frame) {
                    return Err(self.dismissed(&text));
                }
                self.count(&frame);
                if frame.text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"* ID ")) {
                    self.hear_name(&frame.text);
                }
                self.unended = self.unended.saturating_add(frame.octets() as u64 + ROW);
                self.bounded(ENDLESS)?;
                Ok(Event::Untagged(frame))
            }
            Some(None) => Ok(Event::Continue(frame.text.get(1..).unwrap_or_default().trim_ascii().to_vec())),
            Some(Some(tag)) => {
                let known = self.under_way.iter().position(|t| *t == tag);
                match (known, Status::of_completion(&frame)) {
                    (Some(at), Some(status)) => {
                        self.under_way.swap_remove(at);
                        self.unended = 0;
                        Ok(Event::Done(tag, status))
                    }
                    _ => Err(self.nonsense(&Garbled::NoResponse(frame.text))),
                }
            }
        }
    }

    /// Runs one command alone and gives what the server said to it: OK, NO or BAD. Untagged responses go to `on`.
    pub async fn attempt(&mut self, command: Command, mut on: impl FnMut(Untagged<'_>) + Send) -> Result<Status> {
        Ok(self.attempt_all(command, None, |_, u| on(u)).await?.0)
    }

    /// Runs one command, and behind it, without waiting for what becomes of the first, a second one of one line. Gives what
    /// the server said to each. `on` is told whether the first one had ended by then.
    pub async fn attempt_both(
        &mut self,
        first: Command,
        second: &str,
        on: impl FnMut(bool, Untagged<'_>) + Send,
    ) -> Result<(Status, Option<Status>)> {
        self.attempt_all(first, Some(second), on).await
    }

    async fn attempt_all(
        &mut self,
        command: Command,
        mut then: Option<&str>,
        mut on: impl FnMut(bool, Untagged<'_>) + Send,
    ) -> Result<(Status, Option<Status>)> {
        if self.unfinished {
            self.hang_up();
        }
        // What an abandoned command still has to say is not meant for this one.
        while self.is_waiting() {
            self.next().await?;
        }
        let ours = self.send(&command.line).await?;
        let (mut rest, mut others) = (command.rest.iter().peekable(), None);
        let (mut done, mut then_done) = (None, None);
        loop {
            if rest.peek().is_none()
                && let Some(line) = then.take()
            {
                others = Some(self.send(line).await?);
            }
            if let Some(first) = done.take_if(|_| then_done.is_some() == others.is_some()) {
                return Ok((first, then_done));
            }
            match self.next().await? {
                Event::Untagged(frame) => {
                    self.bounded_answer()?;
                    on(done.is_some(), Untagged::of(&frame));
                }
                Event::Done(tag, status) if tag == ours => {
                    // Without the literal that it refuses, the second one was never sent.
                    then = None;
                    done = Some(status);
                }
                Event::Done(tag, status) if Some(&tag) == others.as_ref() => then_done = Some(status),
                Event::Done(..) => {}
                Event::Continue(text) => match rest.next() {
                    Some(line) => self.send_rest(line).await?,
                    None => return Err(self.unasked(&text)),
                },
            }
        }
    }

    /// Runs one command alone; anything but its tagged OK is an error that says what could not be done. Gives the text of
    /// the OK.
    pub async fn exec(&mut self, command: Command, doing: &str, on: impl FnMut(Untagged<'_>) + Send) -> Result<Text> {
        let status = self.attempt(command, on).await?;
        match status.condition {
            Condition::Ok => Ok(status.text),
            _ => Err(self.refused(&status, doing)),
        }
    }

    /// Takes leave. All that was to be done is done, so nothing hangs on the answer.
    pub async fn logout(mut self) {
        // A command that was broken off may be answered without end, or never.
        if !self.is_waiting() {
            let _ = self.attempt(Command::new("LOGOUT"), |_| ()).await;
        }
    }

    /// A folder was opened that holds so many messages, so many having gone since: answers about them may be as long.
    pub fn holds(&mut self, exists: u32, expunged: u32) {
        self.counts = Counts { exists, expunged };
    }

    /// What the server told so far of the open folder.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn count(&mut self, frame: &Frame) {
        let is_count = |word: &[u8]| {
            let at = frame.text.len().saturating_sub(word.len());
            frame.text.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(word))
        };
        let is_vanished =
            self.resyncs && frame.text.get(..11).is_some_and(|start| start.eq_ignore_ascii_case(b"* VANISHED "));
        if is_count(b" EXISTS") || is_count(b" EXPUNGE") || is_vanished {
            let gone = match Untagged::of(frame) {
                Untagged::Exists(n) => {
                    self.counts.exists = n;
                    0
                }
                Untagged::Expunge(_) => 1,
                Untagged::Vanished(vanished) if !vanished.earlier => vanished.count(),
                _ => 0,
            };
            self.counts.exists = self.counts.exists.saturating_sub(gone);
            self.counts.expunged = self.counts.expunged.saturating_add(gone);
        }
    }

    /// An error once the answers to commands that bring no messages have no end.
    pub fn bounded_answer(&self) -> Result<()> {
        self.bounded((ANSWER + u64::from(self.counts.exists) * MESSAGE).min(LISTING))
    }

    fn bounded(&self, limit: u64) -> Result<()> {
        if self.unended > limit { Err(self.nonsense(&Garbled::EndlessAnswer)) } else { Ok(()) }
    }
}
