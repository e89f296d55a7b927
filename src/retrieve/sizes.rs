//! What the sizes that a server states are worth, and what it means when less comes.
//!
//! A server may state any size: some count line ends otherwise, some estimate. So a size alone proves nothing; but where
//! the other sizes of a server are right, a message of which much is missing has been cut off on its way.

use crate::state::Row;

/// Octets by which a right size may be off: a server may count the end of the reply, or the dots that it stuffs.
const SLACK: u64 = 16;

/// A message with no more octets is nothing but line ends.
const NOTHING: u64 = 4;

/// So many sizes that are too large, more than are right, and none is believed any more.
const DISBELIEF: u64 = 3;

/// How the sizes held so far against what came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    right: u64,
    too_large: u64,
}

impl Sizes {
    /// Those of messages that are here.
    pub fn of(rows: &[Row]) -> Sizes {
        let mut sizes = Sizes::default();
        rows.iter().for_each(|row| sizes.count(row.listed_size, row.wire_size));
        sizes
    }

    /// One more: what was stated, and the octets that came, with CRLF at every line end.
    pub fn count(&mut self, stated: Option<u64>, came: u64) {
        self.right += u64::from(stated.is_some_and(|stated| stated.abs_diff(came) <= SLACK));
        self.too_large += u64::from(falls_short(stated, came));
    }

    /// Why a message cannot be all of what the server has, where that is sure.
    pub fn refuse(&self, stated: Option<u64>, came: u64) -> Option<String> {
        let stated = stated.filter(|_| falls_short(stated, came))?;
        let is_sure = came <= NOTHING || self.right > 2 * self.too_large;
        is_sure.then(|| format!("the server sent {came} of the {stated} octets that it has of it"))
    }

    /// Whether a message that falls short is to stay on the server.
    pub fn are_believed(&self) -> bool {
        self.too_large < DISBELIEF || self.too_large <= self.right
    }
}

/// Whether fewer octets came than were stated; both with CRLF at every line end.
pub fn falls_short(stated: Option<u64>, came: u64) -> bool {
    stated.is_some_and(|stated| stated > came.saturating_add(SLACK))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes as they came in: so many right, so many too large.
    fn sizes(right: u64, too_large: u64) -> Sizes {
        let mut sizes = Sizes::default();
        (0..right).for_each(|i| sizes.count(Some(500 + i % SLACK), 500));
        (0..too_large).for_each(|_| sizes.count(Some(900), 500));
        sizes.count(Some(400), 500); // LF counted as one octet
        sizes.count(None, 500);
        sizes
    }

    #[test]
    fn a_message_is_refused_where_it_is_sure_that_much_is_missing() {
        for (right, too_large, stated, came, refused) in [
            (0, 0, 489, 0, true),
            (0, 9, 489, 2, true),
            (0, 0, 489, 10, false),
            (1, 0, 489, 10, true),
            (1, 0, 489, 480, false),
            (1, 0, 489, 600, false),
            (0, 0, 2, 0, false),
            (2, 1, 489, 10, false),
            (3, 1, 489, 10, true),
        ] {
            let found = sizes(right, too_large).refuse(Some(stated), came);
            assert_eq!(found.is_some(), refused, "{right} {too_large} {stated} {came}");
        }
        assert_eq!(sizes(9, 0).refuse(None, 0), None);
    }

    #[test]
    fn a_server_whose_sizes_are_mostly_too_large_is_not_believed() {
        for (right, too_large, believed) in [(0, 0, true), (0, 2, true), (0, 3, false), (3, 3, true), (3, 4, false)] {
            assert_eq!(sizes(right, too_large).are_believed(), believed, "{right} {too_large}");
        }
    }
}
