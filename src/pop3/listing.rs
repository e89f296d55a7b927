//! The replies to UIDL and LIST, joined into a listing (RFC 1939 sections 5 and 7).

use crate::retrieve::{Handle, Key, Listed};
use std::collections::HashSet;

/// The two replies, row by row.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Message numbers and unique-ids.
    pub uidl: Vec<(u32, Option<Vec<u8>>)>,
    /// Message numbers and octets.
    pub list: Vec<(u32, Option<u64>)>,
}

impl Rows {
    /// All messages of either reply by number, which is oldest first; `None` where a reply names a number twice.
    ///
    /// A unique-id that several messages bear names none of them: which is which may change from session to session.
    pub fn join(mut self) -> Option<Vec<Listed>> {
        // Servers send both in order, and sorting what is sorted costs nothing.
        self.uidl.sort_by_key(|(number, _)| *number);
        self.list.sort_by_key(|(number, _)| *number);
        if names_twice(&self.uidl) || names_twice(&self.list) {
            return None;
        }
        let shared = shared(self.uidl.iter().filter_map(|(_, id)| id.as_deref()).collect());
        let key = |id: Option<Vec<u8>>| id.filter(|id| !shared.contains(id)).map(Key::new);

        let mut messages = Vec::with_capacity(self.uidl.len().max(self.list.len()));
        let mut sizes = self.list.into_iter().peekable();
        for (number, id) in self.uidl {
            while let Some((unnamed, size)) = sizes.next_if(|(n, _)| *n < number) {
                messages.push(Listed { handle: Handle(unnamed), key: None, size });
            }
            let size = sizes.next_if(|(n, _)| *n == number).and_then(|(_, size)| size);
            messages.push(Listed { handle: Handle(number), key: key(id), size });
        }
        messages.extend(sizes.map(|(number, size)| Listed { handle: Handle(number), key: None, size }));
        Some(messages)
    }
}

/// Whether sorted rows hold a number more than once.
fn names_twice<T>(rows: &[(u32, T)]) -> bool {
    rows.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b))
}

/// The unique-ids that more than one message bears.
fn shared(mut ids: Vec<&[u8]>) -> HashSet<Vec<u8>> {
    ids.sort_unstable();
    let twice = ids.windows(2).filter_map(|pair| match pair {
        [a, b] if a == b => Some(a.to_vec()),
        _ => None,
    });
    twice.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (u32, Option<String>, Option<u64>);

    fn joined(uidl: &[(u32, &str)], list: &[(u32, u64)]) -> Option<Vec<Row>> {
        let uidl = uidl.iter().map(|(n, id)| (*n, Some(id.as_bytes().to_vec()).filter(|i| !i.is_empty()))).collect();
        let list = list.iter().map(|(n, size)| (*n, Some(*size))).collect();
        let text = |k: Key| k.to_string();
        let rows = Rows { uidl, list }.join()?;
        Some(rows.into_iter().map(|m| (m.handle.0, m.key.map(text), m.size)).collect())
    }

    #[test]
    fn rows_meet_by_number_and_come_oldest_first() {
        let got = joined(&[(3, "c"), (1, "a"), (4, "")], &[(2, 20), (1, 10), (4, 40)]).unwrap();
        let key = |k: &str| Some(k.to_owned());
        assert_eq!(got, [(1, key("a"), Some(10)), (2, None, Some(20)), (3, key("c"), None), (4, None, Some(40))]);
        assert_eq!(joined(&[], &[]), Some(vec![]));
    }

    #[test]
    fn a_shared_unique_id_names_nobody() {
        let got = joined(&[(1, "x"), (2, "y"), (3, "x"), (4, "x")], &[(1, 1), (2, 2), (3, 3), (4, 4)]).unwrap();
        assert_eq!(got.iter().filter_map(|m| m.1.as_deref()).collect::<Vec<_>>(), ["y"]);
        assert_eq!(got.len(), 4);
    }

    #[test]
    fn a_number_named_twice_makes_no_sense() {
        assert_eq!(joined(&[(1, "a"), (1, "b")], &[(1, 1)]), None);
        assert_eq!(joined(&[], &[(1, 1), (1, 1)]), None);
    }
}
