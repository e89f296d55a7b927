//! Several commands under way at once, so that the line stays full.

use super::framer::Frame;
use super::session::{Event, Link, Session, Tag};
use super::status::Status;
use crate::error::Result;
use std::collections::VecDeque;

/// Octets of answers that may be under way: at a round trip of 40 ms, 4 MiB would be 100 MB a second at best.
const WINDOW: u64 = 8 << 20;
/// Commands that may be under way: their lines must fit the buffers of both sides, or each would wait for the other.
const COMMANDS: usize = 16;

/// Commands that wait, and those under way, each with what its caller needs to know when it ends.
pub struct Pipeline<J> {
    waiting: VecDeque<(String, u64, J)>,
    under_way: Vec<(Tag, u64, J)>,
    weight: u64,
}

/// What came back.
pub enum Step<J> {
    /// An untagged response; servers may answer commands in any order.
    Untagged(Frame),
    /// A command has ended.
    Done(J, Status),
}

impl<J> Pipeline<J> {
    /// Commands of one line each, with the octets that their answers will have.
    pub fn new(commands: impl IntoIterator<Item = (String, u64, J)>) -> Pipeline<J> {
        Pipeline { waiting: commands.into_iter().collect(), under_way: Vec::new(), weight: 0 }
    }

    /// Adds one more.
    pub fn push(&mut self, line: String, weight: u64, job: J) {
        self.waiting.push_back((line, weight, job));
    }

    /// What the callers know of the commands under way, the oldest first.
    pub fn under_way(&self) -> impl Iterator<Item = &J> {
        self.under_way.iter().map(|(_, _, job)| job)
    }

    /// Drops what was not sent yet.
    pub fn stop(&mut self) {
        self.waiting.clear();
    }

    /// Sends what fits the window and waits for the next thing to come back; `None` when all commands have ended.
    pub async fn step<S: Link>(&mut self, session: &mut Session<S>) -> Result<Option<Step<J>>> {
        while self.under_way.len() < COMMANDS
            && let Some((line, weight, job)) =
                self.waiting.pop_front_if(|(_, w, _)| self.under_way.is_empty() || self.weight + *w <= WINDOW)
        {
            let tag = session.send(&line).await?;
            self.weight += weight;
            self.under_way.push((tag, weight, job));
        }
        while !self.under_way.is_empty() {
            match session.next().await? {
                Event::Untagged(frame) => return Ok(Some(Step::Untagged(frame))),
                Event::Done(tag, status) => {
                    if let Some(at) = self.under_way.iter().position(|(t, _, _)| *t == tag) {
                        let (_, weight, job) = self.under_way.remove(at);
                        self.weight -= weight;
                        return Ok(Some(Step::Done(job, status)));
                    }
                }
                Event::Continue(text) => return Err(session.unasked(&text)),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::tests::server;
    use crate::net::TlsMode;
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::task::Poll;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn the_window_is_filled_but_not_overrun() {
        for (weight, count) in [(1, COMMANDS), (WINDOW / 3, 3), (WINDOW, 1), (WINDOW * 9, 1)] {
            let (near, mut far) = tokio::io::duplex(1 << 16);
            let mut session = Session::over(near, &server(TlsMode::None)).await.unwrap();
            let mut pipeline = Pipeline::new((0..20).map(|n| (format!("NOOP {n}"), weight, n)));
            let mut sent = vec![0; 1 << 16];
            {
                let mut step = pin!(pipeline.step(&mut session));
                let waits = poll_fn(|cx| Poll::Ready(step.as_mut().poll(cx).is_pending())).await;
                let n = far.read(&mut sent).await.unwrap();
                assert_eq!((waits, sent[..n].split(|b| *b == b'\n').count() - 1), (true, count), "{weight}");
            }
            // One ends, and one more goes out, whatever the order.
            let last = String::from_utf8_lossy(&sent).lines().nth(count - 1).unwrap()[..5].to_owned();
            far.write_all(format!("{last} OK x\r\n").as_bytes()).await.unwrap();
            let done = pipeline.step(&mut session).await.unwrap();
            assert!(matches!(done, Some(Step::Done(n, _)) if n == count - 1));
            let mut step = pin!(pipeline.step(&mut session));
            assert!(poll_fn(|cx| Poll::Ready(step.as_mut().poll(cx).is_pending())).await);
            let n = far.read(&mut sent).await.unwrap();
            assert!(String::from_utf8_lossy(&sent[..n]).ends_with(&format!("NOOP {count}\r\n")));
        }
    }
}
