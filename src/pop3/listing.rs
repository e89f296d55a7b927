//! The replies to UIDL and LIST, joined into a listing (RFC 1939 sections 5 and 7).

use crate::retrieve::{Handle, Key, Listed};
use std::collections::{BTreeMap, HashMap, HashSet};

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
    pub fn join(self) -> Option<Vec<Listed>> {
        let mut bearers: HashMap<&[u8], u32> = HashMap::new();
        for id in self.uidl.iter().filter_map(|(_, id)| id.as_deref()) {
            *bearers.entry(id).or_default() += 1;
        }
        let mut messages: BTreeMap<u32, Listed> = BTreeMap::new();
        let unknown = |number| Listed { handle: Handle(number), key: None, size: None };
        let sizes = self.list.len();
        for (number, size) in self.list {
            messages.insert(number, Listed { size, ..unknown(number) });
        }
        if messages.len() < sizes {
            return None;
        }
        let mut named = HashSet::with_capacity(self.uidl.len());
        for (number, id) in &self.uidl {
            if !named.insert(number) {
                return None;
            }
            let key = id.as_deref().filter(|id| bearers.get(id) == Some(&1)).map(|id| Key(id.to_vec()));
            messages.entry(*number).or_insert_with(|| unknown(*number)).key = key;
        }
        Some(messages.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (u32, Option<String>, Option<u64>);

    fn joined(uidl: &[(u32, &str)], list: &[(u32, u64)]) -> Option<Vec<Row>> {
        let uidl = uidl.iter().map(|(n, id)| (*n, Some(id.as_bytes().to_vec()).filter(|i| !i.is_empty()))).collect();
        let list = list.iter().map(|(n, size)| (*n, Some(*size))).collect();
        let text = |k: Key| String::from_utf8(k.0).unwrap();
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
