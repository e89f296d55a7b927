//! The replies to UIDL and LIST, joined into a listing (RFC 1939 sections 5 and 7).

use crate::retrieve::{Handle, Key, Listed};
use std::collections::HashSet;

/// The reply to UIDL: message numbers and unique-ids.
pub(super) type Named = Vec<(u32, Option<Key>)>;

/// The reply to LIST: message numbers and octets.
pub(super) type Sized = Vec<(u32, Option<u64>)>;

/// All messages of either reply by number, which is oldest first; `None` where a reply names a number twice.
///
/// A unique-id that several messages bear names none of them: which is which may change from session to session.
pub(super) fn join(mut named: Named, mut sized: Sized) -> Option<Vec<Listed>> {
    // Servers send both in order, and sorting what is sorted costs nothing.
    named.sort_by_key(|(number, _)| *number);
    sized.sort_by_key(|(number, _)| *number);
    if names_twice(&named) || names_twice(&sized) {
        return None;
    }
    let shared = shared(named.iter().filter_map(|(_, key)| key.as_ref()).collect());

    let mut messages = Vec::with_capacity(named.len().max(sized.len()));
    let mut sizes = sized.into_iter().peekable();
    for (number, key) in named {
        while let Some((unnamed, size)) = sizes.next_if(|(n, _)| *n < number) {
            messages.push(Listed { handle: Handle(unnamed), key: None, size });
        }
        let size = sizes.next_if(|(n, _)| *n == number).and_then(|(_, size)| size);
        messages.push(Listed { handle: Handle(number), key: key.filter(|key| !shared.contains(key)), size });
    }
    messages.extend(sizes.map(|(number, size)| Listed { handle: Handle(number), key: None, size }));
    Some(messages)
}

/// Whether sorted rows hold a number more than once.
fn names_twice<T>(rows: &[(u32, T)]) -> bool {
    rows.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b))
}

/// The unique-ids that more than one message bears.
fn shared(mut keys: Vec<&Key>) -> HashSet<Key> {
    keys.sort_unstable_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    let twice = keys.windows(2).filter_map(|pair| match pair {
        [a, b] if a == b => Some((*a).clone()),
        _ => None,
    });
    twice.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (u32, Option<String>, Option<u64>);

    fn joined(uidl: &[(u32, &str)], list: &[(u32, u64)]) -> Option<Vec<Row>> {
        let named = uidl.iter().map(|(n, id)| (*n, Some(Key::new(id)).filter(|_| !id.is_empty()))).collect();
        let sized = list.iter().map(|(n, size)| (*n, Some(*size))).collect();
        let text = |k: Key| k.to_string();
        let rows = join(named, sized)?;
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
