//! A source as a migration wants it: the messages that are to go, each with the date on which it arrived.

use super::dating::Dating;
use super::{Measured, Sample};
use crate::error::{Error, Kind, Result};
use crate::event::{Action, Event, Observer};
use crate::interrupt::Interrupt;
use crate::mail::{Content, Fingerprint, FolderName, Key};
use crate::retrieve::{Abilities, Finished, Handle, Intake, Listed, Listing, Reading, Retriever, SourceId};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Why a message stays that nobody wished to stay.
pub const TOO_LARGE: &str = "larger than the target takes";

/// Which messages go, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Those that arrived then or later, in seconds since 1970 UTC.
    pub since: Option<i64>,
    /// Those that arrived earlier.
    pub before: Option<i64>,
    /// Octets: larger ones stay.
    pub max_size: Option<u64>,
    /// All arrive as read.
    pub seen: bool,
    /// None keeps its flags and keywords.
    pub no_flags: bool,
    /// Of messages with equal content in one folder, the first one goes alone.
    pub dedupe: bool,
}

impl Wishes {
    /// Whether they depend on dates.
    pub fn has_period(&self) -> bool {
        self.since.is_some() || self.before.is_some()
    }
}

/// What was learned of the messages that passed.
#[derive(Debug, Default)]
pub struct Learned {
    /// How many had flags or keywords.
    pub marked: u64,
    /// Every message that is to stand in the target, by its bytes in the source; only where asked for.
    pub contents: Vec<Content>,
    /// How many of these the source did not give.
    pub unread: u64,
}

/// A handle on what a sieve learns.
pub type Lesson = Arc<Mutex<Learned>>;

/// Every message is to be read, if only for its hash.
pub struct Hashing {
    /// Says when to stop.
    pub until: Interrupt,
    /// Messages that need not be read: the sizes that the source states, and what they hold.
    pub compared: HashMap<Key, (u64, Content)>,
}

/// Messages that may leave the source, where nothing else is done with it.
#[derive(Debug, Default)]
pub struct Leaving {
    /// By name.
    pub keys: HashSet<Key>,
    /// Those without a name may.
    pub nameless: bool,
}

impl Leaving {
    fn may(&self, key: Option<&Key>) -> bool {
        key.map_or(self.nameless, |key| self.keys.contains(key))
    }
}

/// A source with what the user wishes of it.
pub struct Sieve<R> {
    inner: R,
    source: SourceId,
    wishes: Wishes,
    /// Octets that the target takes.
    limit: Option<u64>,
    account: String,
    observer: Arc<dyn Observer>,
    now: i64,
    sample: Option<Arc<Sample>>,
    lesson: Lesson,
    hashing: Option<Hashing>,
    leaving: Option<Leaving>,
    passed: Passed,
}

/// The messages that were to go.
#[derive(Default)]
pub(super) struct Passed {
    going: Vec<Handle>,
    /// What those hold that were read, or need not be.
    pub reading: Reading,
    /// Refused by the source, or gone from it.
    pub left: HashSet<Handle>,
}

impl<R: Retriever> Sieve<R> {
    /// A source under the name of a folder; messages that stay are told to the observer. `limit` is how many octets the
    /// target takes in one message.
    pub fn new(
        inner: R,
        folder: FolderName,
        wishes: Wishes,
        limit: Option<u64>,
        told: (String, Arc<dyn Observer>),
        now: i64,
    ) -> Sieve<R> {
        let source = SourceId { folder, scope: inner.source().scope.clone() };
        let (account, observer) = told;
        let (lesson, passed) = (Lesson::default(), Passed::default());
        Sieve {
            inner,
            source,
            wishes,
            limit,
            account,
            observer,
            now,
            lesson,
            hashing: None,
            leaving: None,
            passed,
            sample: None,
        }
    }

    /// Keeps what it learns there. Where hashes are wanted, messages that the pull does not want are read at its end.
    #[must_use]
    pub fn learning(self, lesson: Lesson, hashing: Option<Hashing>) -> Sieve<R> {
        Sieve { lesson, hashing, ..self }
    }

    /// Shows only these messages, and gives none: what came to the source later stays there.
    #[must_use]
    pub fn leaving(self, leaving: Option<Leaving>) -> Sieve<R> {
        Sieve { leaving, ..self }
    }

    /// Reads what the pull did not want, for the hashes. False when told to stop.
    async fn read_rest(&mut self) -> Result<bool> {
        let Some(Hashing { until, .. }) = self.hashing.take() else { return Ok(true) };
        let Passed { going, mut reading, left } = std::mem::take(&mut self.passed);
        let is_open = |h: &&Handle| !reading.contents.contains_key(*h) && !left.contains(*h);
        let rest: Vec<Handle> = going.iter().filter(is_open).copied().collect();
        if !rest.is_empty() && until.unless_raised(self.inner.retrieve(&rest, &mut reading)).await?.is_none() {
            return Ok(false);
        }
        let contents = reading.contents;
        let mut learned = self.lesson.lock().unwrap_or_else(PoisonError::into_inner);
        learned.unread = going.iter().filter(|h| !contents.contains_key(*h) && !left.contains(*h)).count() as u64;
        learned.contents = contents.into_values().collect();
        Ok(true)
    }

    /// Reads a few messages after the listing, to know how fast that is.
    #[must_use]
    pub fn sampling(self, sample: Option<Arc<Sample>>) -> Sieve<R> {
        Sieve { sample, ..self }
    }

    async fn measure(&mut self, messages: &[Listed]) -> Result<()> {
        let Some(sample) = &self.sample else { return Ok(()) };
        let sized: Vec<(Handle, u64)> = messages.iter().filter_map(|l| Some((l.handle, l.size?))).collect();
        let wanted = sample.choose(&sized);
        if wanted.is_empty() {
            return Ok(());
        }
        let (mut reading, begun) = (Reading::default(), Instant::now());
        self.inner.retrieve(&wanted, &mut reading).await?;
        let octets = reading.contents.values().map(|content| content.octets).sum();
        sample.add(Measured { messages: reading.contents.len(), octets, time: begun.elapsed() });
        Ok(())
    }

    fn skip(&self, listed: &Listed, reason: &str) {
        let folder = self.source.folder.to_string();
        let (key, bytes, action) = (listed.key.as_ref(), listed.size, Action::Skipped(reason));
        self.observer.event(&self.account, Event::Message { folder: &folder, key, bytes, action, deleted: false });
    }

    /// Why a message stays, if it does.
    fn objection(&self, listed: &Listed, dates: &BTreeMap<Handle, i64>) -> Option<&'static str> {
        let date = dates.get(&listed.handle);
        let too_large = |limit: Option<u64>| limit.is_some_and(|limit| listed.size.is_some_and(|size| size > limit));
        if self.wishes.since.is_some_and(|since| date.is_some_and(|date| *date < since)) {
            Some("older than --since")
        } else if self.wishes.before.is_some_and(|before| date.is_some_and(|date| *date >= before)) {
            Some("not older than --before")
        } else if too_large(self.wishes.max_size) {
            Some("larger than --max-size")
        } else if too_large(self.limit) {
            Some(TOO_LARGE)
        } else {
            None
        }
    }

    /// Messages whose content an earlier one has: those of equal header and size are read to know.
    async fn duplicates(&mut self, messages: &[Listed]) -> Result<HashSet<Handle>> {
        let mut by_size: HashMap<u64, Vec<Handle>> = HashMap::new();
        messages.iter().for_each(|l| by_size.entry(l.size.unwrap_or_default()).or_default().push(l.handle));
        let alike = |groups: Vec<Vec<Handle>>| -> Vec<Vec<Handle>> {
            groups.into_iter().filter(|group| group.len() > 1).collect()
        };
        let mut groups = alike(by_size.into_values().collect());
        if self.inner.abilities().headers_apart && !groups.is_empty() {
            let mut asked: Vec<Handle> = groups.concat();
            asked.sort_unstable();
            let prints = self.inner.fingerprints(&asked).await?;
            let mut by_print: HashMap<(usize, Option<Fingerprint>), Vec<Handle>> = HashMap::new();
            for (at, group) in groups.iter().enumerate() {
                group.iter().for_each(|h| by_print.entry((at, prints.get(h).copied())).or_default().push(*h));
            }
            groups = alike(by_print.into_values().collect());
        }
        let mut wanted: Vec<Handle> = groups.concat();
        wanted.sort_unstable();
        let mut reading = Reading::default();
        if !wanted.is_empty() {
            self.inner.retrieve(&wanted, &mut reading).await?;
        }
        let mut met = HashSet::new();
        // In the order of the listing.
        let order = messages.iter().filter_map(|l| Some((l.handle, reading.contents.get(&l.handle)?.digest)));
        Ok(order.filter(|(_, digest)| !met.insert(*digest)).map(|(handle, _)| handle).collect())
    }
}

impl<R: Retriever> Retriever for Sieve<R> {
    fn source(&self) -> &SourceId {
        &self.source
    }

    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    async fn list(&mut self) -> Result<Listing> {
        let Listing { messages, notes } = self.inner.list().await?;
        let handles: Vec<Handle> = messages.iter().map(|l| l.handle).collect();
        let dates = if self.wishes.has_period() { self.inner.dates(&handles).await? } else { BTreeMap::new() };
        if self.wishes.has_period() && !self.inner.abilities().headers_apart && !handles.is_empty() {
            let what = "the source gives no headers without their messages (POP3 without TOP), and so no dates";
            return Err(Error::new(Kind::Unavailable, what, "Leave --since and --before out."));
        }
        let mut going = Vec::with_capacity(messages.len());
        let may_leave = |l: &Listed| self.leaving.as_ref().is_none_or(|leaving| leaving.may(l.key.as_ref()));
        for listed in messages.into_iter().filter(may_leave) {
            match self.objection(&listed, &dates) {
                Some(reason) => self.skip(&listed, reason),
                None => going.push(listed),
            }
        }
        if self.wishes.dedupe {
            let twice = self.duplicates(&going).await?;
            going.iter().filter(|l| twice.contains(&l.handle)).for_each(|l| self.skip(l, "a duplicate in the source"));
            going.retain(|l| !twice.contains(&l.handle));
        }
        self.measure(&going).await?;
        self.passed.going = going.iter().map(|l| l.handle).collect();
        if let Some(hashing) = &mut self.hashing {
            let compared = std::mem::take(&mut hashing.compared);
            let known = going.iter().filter_map(|l| {
                let (size, content) = compared.get(l.key.as_ref()?)?;
                (l.size == Some(*size)).then_some((l.handle, *content))
            });
            self.passed.reading.contents = known.collect();
        }
        Ok(Listing { messages: going, notes })
    }

    async fn fingerprints(&mut self, wanted: &[Handle]) -> Result<BTreeMap<Handle, Fingerprint>> {
        self.inner.fingerprints(wanted).await
    }

    async fn dates(&mut self, wanted: &[Handle]) -> Result<BTreeMap<Handle, i64>> {
        self.inner.dates(wanted).await
    }

    async fn retrieve(&mut self, wanted: &[Handle], into: &mut impl Intake) -> Result<()> {
        if self.leaving.is_some() {
            for handle in wanted {
                into.gone(*handle).await?;
            }
            return Ok(());
        }
        let hashing = self.hashing.as_ref().map(|_| &mut self.passed);
        let (wishes, now, lesson) = (&self.wishes, self.now, &self.lesson);
        self.inner.retrieve(wanted, &mut Dating { into, wishes, now, held: None, lesson, hashing }).await
    }

    async fn dispose(&mut self, handles: &[Handle]) -> Result<()> {
        self.inner.dispose(handles).await
    }

    async fn finish(mut self) -> Result<Finished> {
        if self.read_rest().await? { self.inner.finish().await } else { Ok(Finished::default()) }
    }
}
