//! Messages that are made durable, and written down, together.

use super::Listed;
use crate::mail::Content;
use crate::state::Row;
use std::time::{Duration, Instant};

/// A batch is committed when it has this many messages,
const BATCH_MESSAGES: usize = 256;
/// or as many octets as the [store](crate::store::Store::batch_octets) likes, or is this old when a message ends.
const BATCH_AGE: Duration = Duration::from_secs(1);

/// Octets that the state may take to write down a batch,
const ROOM_OF_ALL: u64 = 64 << 10;
/// and more for each of its messages.
const ROOM_OF_EACH: u64 = 4 << 10;

/// Messages that are whole in the store, and not yet visible.
pub(super) struct Batch<T> {
    pub messages: Vec<(Listed, Content)>,
    pub staged: Vec<T>,
    pub recognised: Vec<(Listed, Content, Row)>,
    /// Not whole, and why that is sure.
    pub cut: Vec<(Listed, String)>,
    pub bytes: u64,
    since: Instant,
}

impl<T> Batch<T> {
    pub fn new() -> Batch<T> {
        Batch {
            messages: Vec::new(),
            staged: Vec::new(),
            recognised: Vec::new(),
            cut: Vec::new(),
            bytes: 0,
            since: Instant::now(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.staged.is_empty() && self.recognised.is_empty() && self.cut.is_empty()
    }

    pub fn is_full(&self, octets: u64) -> bool {
        self.staged.len() >= crate::fault::batch(BATCH_MESSAGES)
            || self.bytes >= octets
            || self.since.elapsed() >= BATCH_AGE
    }

    /// Where the disk is full: gives back some of the room, so that the rest can be written down. The last ones come again.
    pub fn give_back(&mut self) {
        let (many, mut room) = (self.staged.len(), ROOM_OF_ALL + ROOM_OF_EACH * self.staged.len() as u64);
        while room > 0 && self.staged.len() > many.div_ceil(2) {
            let last = self.messages.pop().map_or(0, |(_, content)| content.octets);
            drop(self.staged.pop());
            room = room.saturating_sub(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Digest, Fingerprint};
    use crate::retrieve::Handle;

    #[test]
    fn room_for_the_state_is_given_back_and_half_of_the_batch_at_most() {
        for (messages, octets, kept) in
            [(0, 1, 0), (1, 1, 1), (9, 1, 5), (4, 60_000, 2), (40, 60_000, 36), (256, 2_000, 128)]
        {
            let mut batch = Batch::new();
            for n in 0..messages {
                let content = Content::known(octets, Digest([0; 32]), Fingerprint([1; 16]));
                batch.messages.push((Listed { handle: Handle(n), key: None, size: None }, content));
                batch.staged.push(n);
            }
            batch.give_back();
            assert_eq!(batch.staged, (0..kept).collect::<Vec<_>>(), "{messages} of {octets}");
            assert_eq!(batch.messages.len(), batch.staged.len());
        }
    }
}
