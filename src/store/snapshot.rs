//! What a mailbox shows at one moment.

use crate::mail::{Flags, Key, Keyword, Marks};
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};

/// All that is in a mailbox at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The messages.
    pub messages: Messages,
    /// What the user should know, in plain words.
    pub notes: Vec<String>,
    /// How many of these tell of messages that are left out, though somebody may mend that, or another look.
    pub left: u64,
    /// The listing is known to lack messages (the server counts more than it lists): what it lacks was not deleted.
    pub cut_short: bool,
}

/// A message as a snapshot shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Its marks.
    pub marks: &'a Marks,
    /// Octets with CRLF line ends, where that is known without reading the message.
    pub size: Option<u64>,
}

/// Messages in the order of their keys. Small, for there may be very many: equal marks are held once.
#[derive(Clone, Default)]
pub struct Messages {
    entries: Vec<Entry>,
    marks: Vec<Marks>,
}

#[derive(Clone)]
struct Entry {
    key: Key,
    size: Option<u64>,
    /// The place of its marks.
    marks: u32,
}

impl Messages {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The place of a message in their order.
    pub fn position(&self, key: &Key) -> Option<usize> {
        self.entries.binary_search_by(|entry| entry.key.cmp(key)).ok()
    }

    /// The message at a place.
    pub fn at(&self, place: usize) -> Option<Seen<'_>> {
        self.seen(self.entries.get(place)?)
    }

    /// A message by its key.
    pub fn get(&self, key: &Key) -> Option<Seen<'_>> {
        self.at(self.position(key)?)
    }

    /// Whether there is a message of this key.
    pub fn contains_key(&self, key: &Key) -> bool {
        self.position(key).is_some()
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Key, Seen<'_>)> {
        self.entries.iter().filter_map(|entry| Some((&entry.key, self.seen(entry)?)))
    }

    /// The keys of all.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Key> {
        self.entries.iter().map(|entry| &entry.key)
    }

    fn seen(&self, entry: &Entry) -> Option<Seen<'_>> {
        let marks = self.marks.get(usize::try_from(entry.marks).ok()?)?;
        Some(Seen { marks, size: entry.size })
    }
}

impl FromIterator<(Key, Marks, Option<u64>)> for Messages {
    /// Of several with one key, the first is kept.
    fn from_iter<I: IntoIterator<Item = (Key, Marks, Option<u64>)>>(messages: I) -> Messages {
        let messages = messages.into_iter();
        let mut entries = Vec::with_capacity(messages.size_hint().0);
        let mut places: HashMap<Spelled, u32> = HashMap::new();
        for (key, marks, size) in messages {
            let next = places.len() as u32;
            entries.push(Entry { key, size, marks: *places.entry(Spelled(marks)).or_insert(next) });
        }
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        entries.dedup_by(|later, first| later.key == first.key);
        let mut marks: Vec<(Spelled, u32)> = places.into_iter().collect();
        marks.sort_unstable_by_key(|(_, place)| *place);
        Messages { entries, marks: marks.into_iter().map(|(marks, _)| marks.0).collect() }
    }
}

/// Marks that are equal to others only where all keywords are spelled alike.
struct Spelled(Marks);

impl Spelled {
    fn spelling(&self) -> (Flags, impl Iterator<Item = &str>) {
        (self.0.flags, self.0.keywords.iter().map(Keyword::as_str))
    }
}

impl PartialEq for Spelled {
    fn eq(&self, other: &Spelled) -> bool {
        let ((flags, keywords), (others, spelled)) = (self.spelling(), other.spelling());
        flags == others && keywords.eq(spelled)
    }
}

impl Eq for Spelled {}

impl Hash for Spelled {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq for Messages {
    fn eq(&self, other: &Messages) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Messages {}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_by_their_keys_and_stand_in_their_order() {
        let marks = |letters: &str| Marks::of(Flags::from_letters(letters));
        let shown = [("10", "S", Some(1)), ("9", "F", None), ("11", "S", None), ("9", "F", Some(7))];
        let all: Messages = shown.into_iter().map(|(k, m, size)| (Key::new(k), marks(m), size)).collect();
        let listed: Vec<_> = all.iter().map(|(k, s)| (k.to_string(), s.marks.flags.letters(), s.size)).collect();
        let expected = [("9", "F", None), ("10", "S", Some(1)), ("11", "S", None)];
        assert_eq!(listed, expected.map(|(k, m, size)| (k.to_owned(), m.to_owned(), size)));
        assert_eq!((all.len(), all.marks.len()), (3, 2));
        assert_eq!(all.get(&Key::new("10")), Some(Seen { marks: &marks("S"), size: Some(1) }));
        assert_eq!((all.get(&Key::new("12")), all.position(&Key::new("11"))), (None, Some(2)));
        // The order in which they come is no matter.
        let other: Messages = shown[..3].iter().rev().map(|(k, m, s)| (Key::new(k), marks(m), *s)).collect();
        assert_eq!(all, other);
        assert!(size_of::<Entry>() <= 40);
    }

    #[test]
    fn keywords_stay_as_each_message_spells_them() {
        let spelled = |word: &str| Marks { flags: Flags::NONE, keywords: Keyword::new(word).into_iter().collect() };
        let all: Messages =
            [("1", "work"), ("2", "Work")].map(|(k, w)| (Key::new(k), spelled(w), None)).into_iter().collect();
        let words: Vec<_> = all.iter().flat_map(|(_, s)| s.marks.keywords.iter().map(Keyword::as_str)).collect();
        assert_eq!(words, ["work", "Work"]);
    }
}
