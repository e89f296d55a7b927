//! Batches that are on their way into a folder over one line together: while the server answers the one, it gets the next.

use super::append::{Appended, Supply};
use super::spool::ImapStaged;
use crate::error::{Error, Kind, Result};
use crate::mail::{Key, Marks};
use crate::store::{Outgoing, Refusal};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::IntoIter;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// Octets of batches that may be on a line together: two that are full, each with the message that filled it.
const WINDOW: u64 = 5 << 20;

/// What became of a batch.
#[derive(Debug)]
pub struct Fate {
    /// The highest UID; `None` where the server does not tell that of each message.
    pub last: Option<u32>,
    /// The messages that were not taken.
    pub refusals: Vec<Refusal>,
}

/// A batch to be sent, and who waits for what becomes of it.
pub struct Passenger {
    messages: Vec<(ImapStaged, Marks)>,
    octets: u64,
    reply: oneshot::Sender<Result<Fate>>,
}

impl Passenger {
    /// A batch, and where its fate is told.
    pub fn new(messages: Vec<(ImapStaged, Marks)>) -> (Passenger, oneshot::Receiver<Result<Fate>>) {
        let (reply, told) = oneshot::channel();
        let octets = messages.iter().map(|(staged, _)| staged.content.octets).sum();
        (Passenger { messages, octets, reply }, told)
    }
}

/// The convoys that are on their way into a folder, and may be joined.
#[derive(Debug, Default)]
pub struct Convoys {
    departed: Mutex<Vec<Departed>>,
}

#[derive(Debug)]
struct Departed {
    number: u64,
    octets: u64,
    boarding: UnboundedSender<Passenger>,
}

impl Convoys {
    fn lock(&self) -> MutexGuard<'_, Vec<Departed>> {
        self.departed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Sends a batch along with the convoy that has the least to carry; gives it back where none has room.
    pub fn join(&self, passenger: Passenger) -> Option<Passenger> {
        let mut departed = self.lock();
        let has_room = |d: &&mut Departed| d.octets.saturating_add(passenger.octets) <= WINDOW;
        let Some(convoy) = departed.iter_mut().filter(has_room).min_by_key(|d| d.octets) else {
            return Some(passenger);
        };
        convoy.octets += passenger.octets;
        convoy.boarding.send(passenger).err().map(|refused| refused.0)
    }

    /// A convoy of one batch, which others may join.
    pub fn depart(self: &Arc<Self>, first: Passenger) -> Convoy {
        let (boarding, joining) = unbounded_channel();
        let mut departed = self.lock();
        let number = departed.iter().map(|d| d.number + 1).max().unwrap_or(0);
        departed.push(Departed { number, octets: first.octets, boarding });
        drop(departed);
        Convoy { all: Arc::clone(self), number, joining, waiting: Some(first), aboard: Vec::new(), batches: 0 }
    }
}

/// Batches on one line.
pub struct Convoy {
    all: Arc<Convoys>,
    number: u64,
    joining: UnboundedReceiver<Passenger>,
    /// The first batch, until it is sent.
    waiting: Option<Passenger>,
    aboard: Vec<Aboard>,
    /// How many have come aboard.
    batches: usize,
}

/// A batch that is sent.
struct Aboard {
    batch: usize,
    octets: u64,
    /// Messages that the server has not answered.
    left: usize,
    fate: Fate,
    reply: oneshot::Sender<Result<Fate>>,
}

impl Convoy {
    fn admit(&mut self, passenger: Passenger) -> IntoIter<Result<Outgoing>> {
        let Passenger { messages, octets, reply } = passenger;
        let (batch, left) = (self.batches, messages.len());
        self.batches += 1;
        self.aboard.push(Aboard { batch, octets, left, fate: Fate { last: Some(0), refusals: Vec::new() }, reply });
        self.tell_arrived(1);
        let outgoing = |(at, (staged, marks)): (usize, (ImapStaged, Marks))| Ok(staged.outgoing(key(batch, at), marks));
        messages.into_iter().enumerate().map(outgoing).collect::<Vec<_>>().into_iter()
    }

    /// Tells who waits of the batches that the server has answered, as long as more than so many are aboard. For the last one, the
    /// line is to be free again.
    fn tell_arrived(&mut self, keep: usize) {
        while self.aboard.len() > keep
            && let Some(at) = self.aboard.iter().position(|a| a.left == 0)
        {
            let Aboard { octets, fate, reply, .. } = self.aboard.swap_remove(at);
            if let Some(me) = self.all.lock().iter_mut().find(|d| d.number == self.number) {
                me.octets = me.octets.saturating_sub(octets);
            }
            // Nobody waits any more where the run was ended.
            let _ = reply.send(Ok(fate));
        }
    }

    /// Nobody joins any more, unless somebody has: who that is.
    fn close(&mut self) -> Option<Passenger> {
        let mut departed = self.all.lock();
        let joined = self.joining.try_recv().ok();
        if joined.is_none() {
            departed.retain(|d| d.number != self.number);
        }
        joined
    }

    /// It has ended with this: tells all that wait.
    pub fn arrive(mut self, ended: Result<()>) {
        self.tell_arrived(0);
        let mut replies: Vec<_> = self.aboard.drain(..).map(|a| a.reply).collect();
        while let Some(passenger) = self.waiting.take().or_else(|| self.close()) {
            replies.push(passenger.reply);
        }
        let e = ended.err().unwrap_or_else(|| {
            Error::new(Kind::Protocol, "the server left messages unanswered", "Run again; report this if it stays.")
        });
        for reply in replies {
            let _ = reply.send(Err(e.told_again()));
        }
    }
}

impl Supply for Convoy {
    type Messages = IntoIter<Result<Outgoing>>;

    fn next(&mut self) -> Option<Self::Messages> {
        let passenger = self.waiting.take().or_else(|| self.close())?;
        Some(self.admit(passenger))
    }

    async fn more(&mut self) -> Self::Messages {
        match self.joining.recv().await {
            Some(passenger) => self.admit(passenger),
            None => pending().await,
        }
    }

    fn became(&mut self, key: Key, what: Appended) {
        let Some((batch, at)) = of_key(&key) else { return };
        let Some(aboard) = self.aboard.iter_mut().find(|a| a.batch == batch) else { return };
        aboard.left = aboard.left.saturating_sub(1);
        let fate = &mut aboard.fate;
        match what {
            Appended::As(new) => fate.last = fate.last.zip(new.uid()).map(|(a, b)| a.max(b)),
            Appended::Somewhere => fate.last = None,
            Appended::Refused(reason) => fate.refusals.push(Refusal { at, reason }),
        }
        self.tell_arrived(1);
    }
}

/// What a message of a batch is called on its way.
fn key(batch: usize, at: usize) -> Key {
    Key::new(format!("{batch} {at}"))
}

fn of_key(key: &Key) -> Option<(usize, usize)> {
    let (batch, at) = std::str::from_utf8(key.as_bytes()).ok()?.split_once(' ')?;
    Some((batch.parse().ok()?, at.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::spool::ImapDraft;
    use super::*;
    use crate::mail::Envelope;
    use crate::store::Draft;

    type Told = oneshot::Receiver<Result<Fate>>;

    fn batch(messages: usize, octets: usize) -> (Passenger, Told) {
        let staged = |_| {
            let mut draft = ImapDraft::new(&Envelope::default());
            draft.write(&vec![b'x'; octets]).unwrap();
            (draft.finish().unwrap().0, Marks::default())
        };
        Passenger::new((0..messages).map(staged).collect())
    }

    fn sent(messages: IntoIter<Result<Outgoing>>) -> Vec<Key> {
        messages.map(|m| m.unwrap().key).collect()
    }

    fn last(told: &mut Told) -> Option<Option<u32>> {
        told.try_recv().ok().map(|fate| fate.unwrap().last)
    }

    #[tokio::test]
    async fn one_batch_follows_another_and_each_hears_of_its_own() {
        let convoys = Arc::new(Convoys::default());
        let ((first, mut of_first), (second, mut of_second)) = (batch(2, 10), batch(1, 10));
        let mut convoy = convoys.depart(first);
        let one = sent(convoy.next().unwrap());
        assert!(convoys.join(second).is_none());
        let two = sent(convoy.more().await);
        convoy.became(two[0].clone(), Appended::As(Key::of_uid(9)));
        convoy.became(one[1].clone(), Appended::Refused("full".to_owned()));
        assert_eq!((last(&mut of_first), last(&mut of_second)), (None, Some(Some(9))));
        convoy.became(one[0].clone(), Appended::As(Key::of_uid(7)));
        // The line is to be free again before the last one goes on.
        assert!(convoy.next().is_none() && of_first.try_recv().is_err());
        convoy.arrive(Ok(()));
        let fate = of_first.await.unwrap().unwrap();
        assert_eq!((fate.last, fate.refusals.len(), fate.refusals[0].at), (Some(7), 1, 1));
        assert!(convoys.is_empty() && convoys.join(batch(1, 1).0).is_some());
    }

    #[tokio::test]
    async fn a_line_takes_so_much_and_what_comes_at_the_last_moment() {
        let convoys = Arc::new(Convoys::default());
        let size = usize::try_from(WINDOW / 2).unwrap();
        let (mut convoy, mut beside) = (convoys.depart(batch(1, size).0), convoys.depart(batch(1, 1).0));
        let one = sent(convoy.next().unwrap());
        // The other one has less to carry, until it has this.
        assert!(convoys.join(batch(1, size).0).is_none());
        assert_eq!(sent(beside.next().unwrap()).len(), 1);
        assert_eq!(sent(beside.next().unwrap()).len(), 1);
        assert!(convoys.join(batch(1, size).0).is_none());
        assert!(convoys.join(batch(1, size).0).is_some());
        convoy.became(one[0].clone(), Appended::Somewhere);
        let two = sent(convoy.next().unwrap());
        assert!(convoys.join(batch(1, size).0).is_none(), "what has arrived makes room");
        convoy.became(two[0].clone(), Appended::Somewhere);
        assert_eq!((sent(convoy.next().unwrap()).len(), convoy.next().is_none()), (1, true));
    }

    #[tokio::test]
    async fn a_line_that_breaks_fails_what_was_not_answered() {
        let convoys = Arc::new(Convoys::default());
        let ((first, of_first), (second, of_second), (third, of_third)) = (batch(1, 1), batch(1, 1), batch(1, 1));
        let mut convoy = convoys.depart(first);
        let one = sent(convoy.next().unwrap());
        assert!(convoys.join(second).is_none());
        convoy.became(one[0].clone(), Appended::Somewhere);
        drop(convoy.more().await);
        assert!(convoys.join(third).is_none());
        convoy.arrive(Err(Error::new(Kind::TryLater, "the link broke", "Run again.")));
        assert_eq!(of_first.await.unwrap().unwrap().last, None);
        for told in [of_second, of_third] {
            let e = told.await.unwrap().unwrap_err();
            assert_eq!(
                (e.kind(), e.to_string().as_str(), e.remedy()),
                (Kind::TryLater, "the link broke", "Run again.")
            );
        }
        assert!(convoys.is_empty());
    }
}
