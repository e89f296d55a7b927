//! Brings messages in: small ones in sets, large ones in parts, and whatever went wrong in a set one by one.

use super::command::Command;
use super::framer::Frame;
use super::parts::{Endless, PART, Parts};
use super::pipeline::{Pipeline, Step};
use super::presence::still_there;
use super::response::{Row, Section, Untagged};
use super::session::{Link, Session};
use super::set::{UidSet, sets};
use super::status::{Condition, Status};
use crate::error::{Error, Kind, Result};
use crate::mail::{Envelope, Fingerprint, Marks, Original};
use crate::retrieve::{Handle, Intake};
use crate::store::Identity;
use std::collections::{BTreeMap, BTreeSet};

/// Messages announced with more octets come in parts.
const LARGE: u64 = 1 << 20;
/// Octets of messages that one command asks for.
const SET_OCTETS: u64 = 512 << 10;
/// Messages that one command asks for.
const SET_MESSAGES: usize = 200;
/// What an answer weighs besides the message in it.
const ROW: u64 = 200;
/// Refusals one after the other that are taken for a refusal of everything, where the server says that it is busy or
/// does not understand.
const PATIENCE: usize = 10;

/// What a server says that leaves a message out.
const LEFT_OUT: &str = "the server has it but does not send it";

/// Brings messages in on one session, with the folder open.
pub struct Fetcher<'a, S: Link> {
    session: &'a mut Session<S>,
    refused_in_a_row: usize,
    /// Messages of which nothing came, and why, as far as the server said.
    absent: BTreeMap<u32, String>,
}

/// How asking for one message ended.
enum Answer<T> {
    Given(T),
    /// Nothing came.
    Missing,
    /// Something came, but could not be read.
    Broken,
    Refused(Status),
}

/// The first part of a message, and all that is known of it.
struct Opening {
    envelope: Envelope,
    data: Vec<u8>,
    /// The server sent the whole message although a part was asked for.
    whole: bool,
}

impl<'a, S: Link> Fetcher<'a, S> {
    /// A fetcher on a session.
    pub fn new(session: &'a mut Session<S>) -> Self {
        Fetcher { session, refused_in_a_row: 0, absent: BTreeMap::new() }
    }

    /// Streams messages, each given with its announced size, in this order.
    pub async fn messages(&mut self, wanted: &[(u32, Option<u64>)], into: &mut impl Intake) -> Result<()> {
        let small = |m: &(u32, Option<u64>)| m.1.is_some_and(|size| size <= LARGE);
        let mut done = Ok(());
        for run in wanted.chunk_by(|a, b| small(a) && small(b)) {
            done = match run {
                [only] if !small(only) => self.one(only.0, only.1, into).await,
                _ => self.small(run, into).await,
            };
            if done.is_err() {
                break;
            }
        }
        let absent = std::mem::take(&mut self.absent);
        let there = match &done {
            Ok(()) if !absent.is_empty() => still_there(self.session, &absent.keys().copied().collect()).await,
            _ => Ok(absent.keys().copied().collect()),
        };
        for (uid, reason) in absent {
            match &there {
                Ok(there) if !there.contains(&uid) => into.gone(Handle(uid)).await?,
                _ => into.refused(Handle(uid), reason).await?,
            }
        }
        done.and(there.map(drop))
    }

    async fn small(&mut self, run: &[(u32, Option<u64>)], into: &mut impl Intake) -> Result<()> {
        let mut missing: BTreeMap<u32, Option<u64>> = run.iter().copied().collect();
        // What the server said something about that is no whole message.
        let (mut doubtful, mut broken) = (BTreeSet::new(), false);
        let weighed = run.iter().map(|(uid, size)| (*uid, size.unwrap_or(LARGE) + ROW));
        let commands = sets(weighed, SET_OCTETS, SET_MESSAGES).into_iter();
        let mut pipeline = Pipeline::new(commands.map(|(set, weight)| {
            let line = format!("UID FETCH {set} (UID INTERNALDATE FLAGS BODY.PEEK[])");
            (line, weight, set)
        }));
        loop {
            let frame = match pipeline.step(self.session).await {
                Ok(Some(Step::Untagged(frame))) => frame,
                Ok(Some(Step::Done(_, status))) if status.condition == Condition::Ok => continue,
                Ok(Some(Step::Done(_, status))) if status.text.pause().is_some() => {
                    return Err(self.session.refused(&status, "send messages").folder());
                }
                Ok(Some(Step::Done(set, _))) => {
                    doubtful.extend(set.iter());
                    continue;
                }
                Ok(None) => break,
                Err(e) => {
                    let mut asked = pipeline.under_way().flat_map(UidSet::iter);
                    let on_its_way = asked.find(|uid| missing.contains_key(uid) && !doubtful.contains(uid));
                    return Err(broke_off(e, on_its_way, into).await);
                }
            };
            match Untagged::of(&frame) {
                Untagged::Fetch(Row {
                    uid: Some(uid),
                    marks: Some(marks),
                    received_at,
                    body: Some(Section { origin: None, data: Some(data) }),
                    ..
                }) if missing.remove(&uid).is_some() => {
                    let envelope = Envelope { marks, received_at, size: Some(data.len() as u64) };
                    into.begin(Handle(uid), envelope).await?;
                    into.chunk(&data).await?;
                    into.end().await?;
                }
                Untagged::Fetch(Row { uid: Some(uid), .. }) => {
                    doubtful.insert(uid);
                }
                Untagged::Broken => broken = true,
                _ => {}
            }
        }
        for (uid, size) in missing {
            if broken || doubtful.contains(&uid) {
                self.one(uid, size, into).await?;
            } else {
                self.absent.insert(uid, LEFT_OUT.to_owned());
            }
        }
        Ok(())
    }

    /// Brings one message in, in parts, or says why the server does not give it.
    async fn one(&mut self, uid: u32, size: Option<u64>, into: &mut impl Intake) -> Result<()> {
        let answer = match self.open(uid, size).await {
            Ok(answer) => answer,
            Err(e) => return Err(broke_off(e, Some(uid), into).await),
        };
        let opening = match answer {
            Answer::Given(opening) => opening,
            Answer::Missing => {
                self.absent.insert(uid, LEFT_OUT.to_owned());
                return Ok(());
            }
            Answer::Broken => {
                return into.refused(Handle(uid), "the server does not send a usable copy of it".to_owned()).await;
            }
            Answer::Refused(status) => {
                self.absent.insert(uid, reason(&status));
                return Ok(());
            }
        };
        self.refused_in_a_row = 0;
        let mut parts = Parts::new(size);
        into.begin(Handle(uid), opening.envelope).await?;
        if opening.whole {
            into.chunk(&opening.data).await?;
            return into.end().await;
        }
        let mut pipeline: Pipeline<u64> = Pipeline::new([]);
        let mut trouble = hand_on(&mut parts, 0, opening.data, into).await?;
        loop {
            while trouble.is_none()
                && let Some(from) = parts.ask()
            {
                let line = format!("UID FETCH {uid} (UID BODY.PEEK[]<{from}.{PART}>)");
                pipeline.push(line, u64::from(PART), from);
            }
            match pipeline.step(self.session).await? {
                None => break,
                Some(_) if trouble.is_some() => {}
                Some(Step::Untagged(frame)) => {
                    if let Some((from, data)) = part(&frame, uid)
                        && parts.awaits(from)
                    {
                        trouble = hand_on(&mut parts, from, data, into).await?;
                    }
                }
                Some(Step::Done(_, status)) if status.condition != Condition::Ok => trouble = Some(reason(&status)),
                Some(Step::Done(from, _)) if parts.awaits(from) => {
                    trouble = Some(format!("the server does not send what follows octet {from}"));
                }
                Some(Step::Done(..)) => {}
            }
            if trouble.is_some() {
                pipeline.stop();
            }
        }
        match trouble {
            None if parts.is_whole() => into.end().await,
            None => into.refused(Handle(uid), "the server does not send the end of it".to_owned()).await,
            Some(reason) => into.refused(Handle(uid), reason).await,
        }
    }

    /// Asks for the first part of a message, with all that is known of it; without INTERNALDATE where the server cannot
    /// answer with it, and for the marks apart where they did not come along.
    async fn open(&mut self, uid: u32, size: Option<u64>) -> Result<Answer<Opening>> {
        for items in ["UID INTERNALDATE FLAGS", "UID FLAGS"] {
            let line = format!("UID FETCH {uid} ({items} BODY.PEEK[]<0.{PART}>)");
            let take = |row: Row<'_>| {
                let body = row.body.filter(|b| b.origin.unwrap_or(0) == 0)?;
                let data = match body.data {
                    Some(data) => data.into_owned(),
                    None if size == Some(0) => Vec::new(),
                    None => return None,
                };
                let whole = body.origin.is_none() && data.len() > PART as usize;
                Some((row.marks, row.received_at, data, whole))
            };
            let (marks, received_at, data, whole) = match self.ask(uid, line, take).await? {
                Answer::Given(given) => given,
                Answer::Broken => continue,
                Answer::Missing => return Ok(Answer::Missing),
                Answer::Refused(status) => return Ok(Answer::Refused(status)),
            };
            let marks = match marks {
                Some(marks) => marks,
                None => match self.marks(uid).await? {
                    Answer::Given(marks) => marks,
                    Answer::Refused(status) => return Ok(Answer::Refused(status)),
                    Answer::Missing | Answer::Broken => return Ok(Answer::Broken),
                },
            };
            return Ok(Answer::Given(Opening { envelope: Envelope { marks, received_at, size }, data, whole }));
        }
        Ok(Answer::Broken)
    }

    async fn marks(&mut self, uid: u32) -> Result<Answer<Marks>> {
        self.ask(uid, format!("UID FETCH {uid} (UID FLAGS)"), |row| row.marks).await
    }

    /// Asks for something of one message.
    async fn ask<T: Send>(
        &mut self,
        uid: u32,
        line: String,
        mut take: impl FnMut(Row<'_>) -> Option<T> + Send,
    ) -> Result<Answer<T>> {
        let (mut given, mut broken) = (None, false);
        let on = |u: Untagged<'_>| match u {
            Untagged::Fetch(row) if row.uid == Some(uid) => match take(row) {
                Some(taken) => given = Some(taken),
                None => broken = true,
            },
            Untagged::Broken => broken = true,
            _ => {}
        };
        let status = self.session.attempt(Command::new(line), on).await?;
        Ok(match (status.condition, given) {
            (Condition::Ok, Some(given)) => Answer::Given(given),
            (Condition::Ok, None) if broken => Answer::Broken,
            (Condition::Ok, None) => Answer::Missing,
            _ => {
                self.bear(&status)?;
                Answer::Refused(status)
            }
        })
    }

    /// Tells the refusal of one message from a server that refuses everything for now.
    fn bear(&mut self, status: &Status) -> Result<()> {
        let of_all = status.condition == Condition::Bad || status.text.kind() == Some(Kind::TryLater);
        self.refused_in_a_row = if of_all { self.refused_in_a_row + 1 } else { 0 };
        if self.refused_in_a_row < PATIENCE && status.text.pause().is_none() {
            return Ok(());
        }
        Err(self.session.refused(status, "send messages").folder())
    }

    /// What the headers of messages tell, and their announced sizes; one that the server refuses is left out.
    pub async fn identities(&mut self, wanted: &BTreeSet<u32>) -> Result<BTreeMap<u32, Identity>> {
        let mut found = BTreeMap::new();
        let each = |uid, size: Option<u64>, header: &[u8]| {
            let original = size.and_then(|size| Original::behind(header, size));
            found.insert(uid, Identity { size, fingerprint: Fingerprint::of_header(header), digest: None, original });
        };
        self.headers(wanted, "MESSAGE-ID DATE FROM SUBJECT X-TUID", each).await?;
        Ok(found)
    }

    /// Hands on some fields of messages' headers, each with UID and announced size; one that the server refuses is left out.
    pub async fn headers(
        &mut self,
        wanted: &BTreeSet<u32>,
        fields: &str,
        mut each: impl FnMut(u32, Option<u64>, &[u8]) + Send,
    ) -> Result<()> {
        let mut missing = wanted.clone();
        let mut ask_in = async |wanted: Vec<u32>, count: usize| -> Result<Vec<u32>> {
            let weighed = wanted.iter().map(|uid| (*uid, 3 * ROW));
            let commands = sets(weighed, SET_OCTETS, count).into_iter().map(|(set, weight)| {
                (format!("UID FETCH {set} (UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS ({fields})])"), weight, set)
            });
            let mut pipeline = Pipeline::new(commands);
            let mut refused = Vec::new();
            while let Some(step) = pipeline.step(self.session).await? {
                match step {
                    Step::Untagged(frame) => {
                        if let Untagged::Fetch(Row { uid: Some(uid), size, body: Some(body), .. }) =
                            Untagged::of(&frame)
                            && let Some(header) = body.data
                            && missing.remove(&uid)
                        {
                            each(uid, size, &header);
                        }
                    }
                    Step::Done(set, status) if status.condition != Condition::Ok => {
                        refused.extend(set.iter().filter(|uid| missing.contains(uid)));
                    }
                    Step::Done(..) => {}
                }
            }
            Ok(refused)
        };
        let refused = ask_in(wanted.iter().copied().collect(), SET_MESSAGES).await?;
        ask_in(refused, 1).await.map(drop)
    }
}

/// The part of the message in a response: where it starts, and its bytes. NIL is how some servers say that nothing is
/// left.
fn part(frame: &Frame, uid: u32) -> Option<(u64, Vec<u8>)> {
    match Untagged::of(frame) {
        Untagged::Fetch(Row { uid: Some(of), body: Some(body), .. }) if of == uid => {
            Some((u64::from(body.origin?), body.data.map(|d| d.into_owned()).unwrap_or_default()))
        }
        _ => None,
    }
}

/// Hands on what a part completes; why the message cannot be put together, if so.
async fn hand_on(parts: &mut Parts, from: u64, data: Vec<u8>, into: &mut impl Intake) -> Result<Option<String>> {
    match parts.take(from, data) {
        Ok(ready) => {
            for data in ready {
                into.chunk(&data).await?;
            }
            Ok(None)
        }
        Err(Endless::TooLong) => Ok(Some("the server sends far more of it than it announced".to_owned())),
        Err(Endless::TooShort) => Ok(Some("the server sends it in crumbs".to_owned())),
    }
}

/// Begins the message on whose way the session broke off: next time it comes last, and cannot keep others back again.
async fn broke_off(e: Error, on_its_way: Option<u32>, into: &mut impl Intake) -> Error {
    if let Some(uid) = on_its_way {
        // What the store has to say to that is of no importance any more.
        let _ = into.begin(Handle(uid), Envelope::default()).await;
    }
    e
}

fn reason(status: &Status) -> String {
    format!("the server refused it: {}", status.text.shown())
}
