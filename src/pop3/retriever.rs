//! A POP3 session in the TRANSACTION state: lists, retrieves, deletes, takes leave.

use super::body::{Body, Step};
use super::capabilities::Capabilities;
use super::connection::Connection;
use super::login::log_in;
use super::look;
use super::window::{Bound, Window};
use super::wire::Reply;
use crate::credentials::Login;
use crate::error::{Error, Kind, Result, quoted};
use crate::mail::{Envelope, Fingerprint, HeaderScan, arrival_date};
use crate::net::{AuthChoice, Server, Transport};
use crate::retrieve::{Abilities, Finished, Glance, Handle, Intake, Listed, Listing, Retriever, SourceId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A mailbox on a POP3 server, logged in. Deletes nothing unless [`finish`](Retriever::finish) is reached.
pub struct Pop3<S> {
    connection: Connection<S>,
    source: SourceId,
    /// What the server can do now; `None` where it does not tell.
    offered: Option<Capabilities>,
    top: Top,
    /// Octets of each message, as the last listing stated them, in the order of the handles.
    sizes: Vec<(Handle, u64)>,
    limits: Limits,
    deletions: Deletions,
    /// A step began and did not end: what comes next on the line is anybody's guess.
    adrift: bool,
}

/// Whether `TOP` works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Top {
    Offered,
    /// The server does not tell, and has not been tried.
    Untried,
    Missing,
}

/// How long a message may be before it is taken for one without end.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Octets over twice the stated size.
    over: u64,
    /// Octets where no size is stated.
    unstated: u64,
}

impl Limits {
    const USUAL: Limits = Limits { over: 64 << 20, unstated: 1 << 30 };

    fn of(self, stated: Option<u64>) -> u64 {
        stated.map_or(self.unstated, |octets| octets.saturating_mul(2).saturating_add(self.over))
    }
}

/// What came of the DELE commands.
#[derive(Debug, Default)]
struct Deletions {
    marked: BTreeSet<Handle>,
    refused: BTreeSet<Handle>,
    /// The first refusal.
    reason: String,
}

/// Octets that a message of unknown size is counted as while it is under way.
const TYPICAL: u64 = 64 << 10;
/// Octets that a header is counted as.
const HEADER: u64 = 4 << 10;

impl<S: Transport> Pop3<S> {
    /// Takes a new connection from the greeting to a retriever.
    pub(super) async fn start(stream: S, server: &Server, login: &Login, auth: AuthChoice) -> Result<Pop3<S>> {
        let (connection, offered) = log_in(stream, server, login, auth).await?;
        let top = match &offered {
            None => Top::Untried,
            Some(c) if c.top => Top::Offered,
            Some(_) => Top::Missing,
        };
        Ok(Pop3 {
            connection,
            source: super::source(server, &login.user),
            offered,
            top,
            sizes: Vec::new(),
            limits: Limits::USUAL,
            deletions: Deletions::default(),
            adrift: false,
        })
    }

    /// How long the server wants clients to wait between two log-ins (LOGIN-DELAY, RFC 2449 section 6.5).
    pub fn login_delay(&self) -> Option<Duration> {
        self.offered.as_ref()?.login_delay
    }

    fn size(&self, handle: Handle) -> Option<u64> {
        let at = self.sizes.binary_search_by_key(&handle, |(handle, _)| *handle).ok()?;
        self.sizes.get(at).map(|(_, size)| *size)
    }

    /// What the user should know of the server.
    fn notes(&self) -> Vec<String> {
        self.offered.as_ref().map(|c| c.notes(&self.connection.server().host)).unwrap_or_default()
    }

    /// The end of a listing.
    fn listed(&mut self, messages: Vec<Listed>) -> Listing {
        self.adrift = false;
        self.sizes = messages.iter().filter_map(|m| Some((m.handle, m.size?))).collect();
        Listing { messages, notes: self.notes() }
    }

    fn bound(&self) -> Bound {
        match &self.offered {
            Some(c) if c.pipelining && self.connection.server().pipelining => Bound::PIPELINED,
            _ => Bound::LOCK_STEP,
        }
    }

    /// Marks the beginning of a step that has to end before another may begin.
    fn set_out(&mut self) -> Result<()> {
        if self.adrift {
            return Err(self.broken_off());
        }
        self.adrift = true;
        Ok(())
    }

    fn broken_off(&self) -> Error {
        Error::new(
            Kind::TryLater,
            format!("the session with {} broke off earlier", self.connection.server().host),
            "Run again; the next run goes on where this one stopped.",
        )
    }

    /// What the headers of these messages tell, as far as the server gives them.
    async fn headers(&mut self, wanted: &[Handle]) -> Result<BTreeMap<Handle, (Fingerprint, Option<i64>)>> {
        let now = jiff::Timestamp::now().as_second();
        let mut headers = Headers { now, under_way: None, found: BTreeMap::new() };
        let mut wanted = wanted;
        if self.top == Top::Untried
            && let Some((first, others)) = wanted.split_first()
        {
            self.fetch(Part::Header, std::slice::from_ref(first), &mut headers).await?;
            self.top = if headers.found.is_empty() { Top::Missing } else { Top::Offered };
            wanted = others;
        }
        if self.top == Top::Offered {
            self.fetch(Part::Header, wanted, &mut headers).await?;
        }
        Ok(headers.found)
    }

    /// Hands messages, or their headers, to `into`, in order.
    async fn fetch(&mut self, part: Part, wanted: &[Handle], into: &mut impl Intake) -> Result<()> {
        self.set_out()?;
        let cost = |handle: &Handle| match part {
            Part::Whole => self.size(*handle).unwrap_or(TYPICAL),
            Part::Header => HEADER,
        };
        let costs: Vec<u64> = wanted.iter().map(cost).collect();
        let mut pipeline = Pipeline { part, wanted, window: Window::new(&costs, self.bound()) };
        let mut refusal: Option<(Handle, String)> = None;
        for handle in wanted {
            pipeline.refill(&mut self.connection).await;
            let (reply, bare_lf) = match self.connection.reply().await {
                Ok(answer) => answer,
                Err(e) => {
                    // Where this message has the server talk nonsense, next time it comes last, and keeps no other back.
                    if e.kind() == Kind::Protocol {
                        // What the store has to say to that is of no importance any more.
                        let _ = into.begin(*handle, Envelope::default()).await;
                    }
                    return Err(e);
                }
            };
            let refused = match reply {
                Reply::Ok(_) => None,
                Reply::Err(text) => Some((*handle, format!("the server refuses it: {}", quoted(text)))),
                Reply::Challenge(_) => return Err(self.connection.unasked()),
            };
            // This reply shows that the refusal before it was not the farewell of a server that hangs up.
            if let Some((handle, reason)) = refusal.take() {
                into.refused(handle, reason).await?;
            }
            if refused.is_some() {
                refusal = refused;
            } else {
                let size = self.size(*handle);
                into.begin(*handle, Envelope { size, ..Envelope::default() }).await?;
                self.body(Body::new(bare_lf), self.limits.of(size), &mut pipeline, into).await?;
                into.end().await?;
            }
            pipeline.window.answered();
        }
        if let Some((handle, reason)) = refusal {
            self.connection.command(&[b"NOOP"]).await?;
            into.refused(handle, reason).await?;
        }
        self.adrift = false;
        Ok(())
    }

    /// Streams one body out of the read buffer.
    async fn body(
        &mut self,
        mut body: Body,
        most: u64,
        pipeline: &mut Pipeline<'_>,
        into: &mut impl Intake,
    ) -> Result<()> {
        let mut octets = 0;
        loop {
            if self.connection.ahead().is_empty() {
                self.connection.fill().await?;
            }
            let Step { piece, used, ended } = body.step(self.connection.ahead());
            octets += piece.len() as u64;
            if octets > most {
                return Err(self.connection.broken("sent a message without end"));
            }
            if !piece.is_empty() {
                into.chunk(piece).await?;
            }
            self.connection.used(used);
            if ended {
                return Ok(());
            }
            pipeline.window.received(used as u64);
            pipeline.refill(&mut self.connection).await;
        }
    }
}

/// What is asked for of each message.
#[derive(Debug, Clone, Copy)]
enum Part {
    Whole,
    Header,
}

/// Commands for a row of messages, and the window they go out by.
struct Pipeline<'a> {
    part: Part,
    wanted: &'a [Handle],
    window: Window<'a>,
}

impl Pipeline<'_> {
    /// Sends what the window allows, in one write.
    async fn refill<S: Transport>(&mut self, connection: &mut Connection<S>) {
        let more = self.wanted.get(self.window.refill()).unwrap_or_default();
        for Handle(number) in more {
            let number = number.to_string();
            match self.part {
                Part::Whole => connection.queue(&[b"RETR ", number.as_bytes()]),
                Part::Header => connection.queue(&[b"TOP ", number.as_bytes(), b" 0"]),
            }
        }
        if !more.is_empty() {
            connection.push().await;
        }
    }
}

/// Octets of a header that are looked at for its date.
const DATED: usize = 64 << 10;

/// Takes headers for their fingerprints, and for the dates of their messages.
struct Headers {
    now: i64,
    under_way: Option<(Handle, HeaderScan, Vec<u8>)>,
    found: BTreeMap<Handle, (Fingerprint, Option<i64>)>,
}

impl Intake for Headers {
    async fn begin(&mut self, handle: Handle, _: Envelope) -> Result<()> {
        self.under_way = Some((handle, HeaderScan::default(), Vec::new()));
        Ok(())
    }

    async fn chunk(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some((_, scan, start)) = &mut self.under_way {
            scan.update(bytes);
            let room = DATED.saturating_sub(start.len()).min(bytes.len());
            start.extend_from_slice(bytes.get(..room).unwrap_or_default());
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<()> {
        let told = self.under_way.take();
        self.found.extend(told.map(|(h, scan, start)| (h, (scan.finish(), arrival_date(&start, self.now)))));
        Ok(())
    }

    async fn refused(&mut self, _: Handle, _: String) -> Result<()> {
        Ok(())
    }

    async fn gone(&mut self, _: Handle) -> Result<()> {
        Ok(())
    }
}

impl<S: Transport> Retriever for Pop3<S> {
    fn source(&self) -> &SourceId {
        &self.source
    }

    fn abilities(&self) -> Abilities {
        Abilities { headers_apart: self.top != Top::Missing, firm_keys: false }
    }

    async fn list(&mut self) -> Result<Listing> {
        self.set_out()?;
        let bound = self.bound();
        let listed = look::listing(&mut self.connection, bound).await?;
        Ok(self.listed(listed))
    }

    async fn glance(&mut self) -> Result<Option<Glance>> {
        if !self.offered.as_ref().is_some_and(|c| c.uidl) {
            return Ok(None);
        }
        self.set_out()?;
        let bound = self.bound();
        let glanced = look::glance(&mut self.connection, bound).await?;
        self.adrift = false;
        Ok(glanced.map(|(messages, octets)| Glance { messages, octets, notes: self.notes() }))
    }

    async fn complete(&mut self, glance: Glance) -> Result<Listing> {
        self.set_out()?;
        let listed = look::sized(&mut self.connection, glance.messages).await?;
        Ok(self.listed(listed))
    }

    async fn fingerprints(&mut self, wanted: &[Handle]) -> Result<BTreeMap<Handle, Fingerprint>> {
        let found = self.headers(wanted).await?;
        Ok(found.into_iter().map(|(handle, (print, _))| (handle, print)).collect())
    }

    async fn dates(&mut self, wanted: &[Handle]) -> Result<BTreeMap<Handle, i64>> {
        let found = self.headers(wanted).await?;
        Ok(found.into_iter().filter_map(|(handle, (_, date))| Some((handle, date?))).collect())
    }

    async fn retrieve(&mut self, wanted: &[Handle], into: &mut impl Intake) -> Result<()> {
        self.fetch(Part::Whole, wanted, into).await
    }

    async fn dispose(&mut self, handles: &[Handle]) -> Result<()> {
        self.set_out()?;
        let costs = vec![0; handles.len()];
        let mut window = Window::new(&costs, self.bound());
        for handle in handles {
            for Handle(number) in handles.get(window.refill()).unwrap_or_default() {
                self.connection.queue(&[b"DELE ", number.to_string().as_bytes()]);
            }
            match self.connection.reply().await?.0 {
                Reply::Ok(_) => drop(self.deletions.marked.insert(*handle)),
                Reply::Err(text) => self.deletions.refuse(*handle, text),
                Reply::Challenge(_) => return Err(self.connection.unasked()),
            }
            window.answered();
        }
        self.adrift = false;
        Ok(())
    }

    async fn finish(mut self) -> Result<Finished> {
        let host = self.connection.server().host.clone();
        let marked = self.deletions.marked.len();
        let quit = match self.set_out() {
            Ok(()) => self.connection.command(&[b"QUIT"]).await,
            Err(e) => Err(e),
        };
        let mut notes: Vec<String> = self.deletions.note(&host).into_iter().collect();
        let mut left = std::mem::take(&mut self.deletions.refused);
        match quit {
            // RFC 1939 section 6: the server may have failed to remove some of them.
            Ok(Reply::Err(text)) if marked > 0 => {
                left.append(&mut self.deletions.marked);
                notes.push(format!(
                    "{host} may have kept some of {} it was to delete: {}",
                    messages(marked),
                    quoted(text)
                ));
            }
            Ok(Reply::Challenge(_)) if marked > 0 => return Err(self.connection.unasked()),
            Err(e) if marked > 0 && e.kind() == Kind::TryLater => {
                let what = format!("{host} may not have deleted {} as asked", messages(marked));
                return Err(
                    Error::new(Kind::TryLater, what, "Run again; what is still there is asked for again.").because(e)
                );
            }
            Err(e) if marked > 0 => return Err(e),
            // Nothing hung on the answer.
            _ => {}
        }
        Ok(Finished { left, notes })
    }
}

fn messages(count: usize) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

impl Deletions {
    fn refuse(&mut self, handle: Handle, text: &[u8]) {
        if self.refused.is_empty() {
            self.reason = quoted(text);
        }
        self.refused.insert(handle);
    }

    fn note(&self, host: &str) -> Option<String> {
        let Deletions { refused, reason, .. } = self;
        match refused.len() {
            0 => None,
            1 => Some(format!("{host} refused to delete 1 message: {reason}")),
            n => Some(format!("{host} refused to delete {n} messages, the first one with {reason}")),
        }
    }
}

#[cfg(test)]
mod tests;
