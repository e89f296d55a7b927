//! What the ledger keeps for two-way sync: pairs, intents, and how folders were left.

use super::record::RowId;
use crate::mail::{Content, Flags, Key, Keyword, Marks, Side, Sides};
use std::fmt;

/// A message as both sides know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Its row.
    pub row: RowId,
    /// What each side calls it; `None` where it is not known whether that side has it.
    pub keys: Sides<Option<Key>>,
    /// The marks that both sides had last. `\Deleted` among them is known, and is not to travel as a deletion.
    pub agreed: Marks,
    /// It was deleted there, and the other side keeps its copy.
    pub gone: Option<Side>,
    /// Marks that may have been changed on a side by a run that ended before they were agreed. Boxed, for few have any.
    pub pending: Option<Box<Sides<Marks>>>,
}

/// Two messages, one on each side, that are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// Rows that know it on one side alone; they become one.
    pub rows: Sides<Option<RowId>>,
    /// What each side calls it.
    pub keys: Sides<Key>,
    /// The marks to be taken for agreed.
    pub agreed: Marks,
    /// Octets as the server lists it.
    pub listed_size: Option<u64>,
    /// What its bytes tell.
    pub content: Content,
}

/// An intent's number in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntentId(pub(super) i64);

/// A message about to be appended to a folder of the server, or moved there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Its row, where it has one: in another folder when it is moved.
    pub row: Option<RowId>,
    /// Its key on this machine, in the folder where it is to stand.
    pub local: Key,
    /// What its bytes tell.
    pub content: Content,
    /// The marks that are agreed once it stands there.
    pub marks: Marks,
    /// UIDNEXT of the folder before: it gets this UID or a higher one.
    pub uidnext: u32,
    /// The folder is the trash: when the message stands there, it is gone from where it was, and its row stays as it is.
    pub discards: bool,
}

/// How a folder was found when the last sync left it: what is the same now needs no look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// A sync of it has come to its end before; until then no deletion travels.
    pub synced: bool,
    /// Messages on the server.
    pub messages: Option<u32>,
    /// UIDNEXT.
    pub uidnext: Option<u32>,
    /// HIGHESTMODSEQ (RFC 7162).
    pub highestmodseq: Option<u64>,
    /// HIGHESTMODSEQ up to which the pairs and what was [left over](Leftover) hold all that the server had, with its marks; but
    /// for pairs that are gone on a side or have marks pending, of whose marks there they tell nothing.
    pub baseline: Option<u64>,
    /// Times of `cur` and `new` in nanoseconds since 1970 UTC.
    pub times: Option<(i64, i64)>,
    /// What was wanted of it; what was left over under another policy may be wanted now.
    pub policy: Option<String>,
}

/// What a side had when the folder was last left, and the pairs do not tell: a message that stands there alone, or the
/// server's marks of one where others are agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The side.
    pub on: Side,
    /// Its key there.
    pub key: Key,
    /// Its marks there.
    pub marks: Marks,
    /// Octets as listed, where known.
    pub size: Option<u64>,
    /// When it was received, in seconds since 1970 UTC, where that was asked.
    pub received_at: Option<i64>,
    /// Why it stands there alone; `None` where both sides have it.
    pub why: Option<Why>,
}

/// Why a message is not copied to the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// It is marked as deleted.
    Deleted,
    /// `create` does not let it travel.
    OneWay,
    /// It holds nothing at all, which no server takes for a message.
    Empty,
    /// It is larger than `max_size`.
    TooLarge,
    /// It is older than `max_age`.
    TooOld,
    /// The other side does not list all that it has, and may have it.
    CutShort,
}

impl Why {
    const WORDS: [(Why, &str); 6] = [
        (Why::Deleted, "deleted"),
        (Why::OneWay, "one-way"),
        (Why::Empty, "empty"),
        (Why::TooLarge, "too-large"),
        (Why::TooOld, "too-old"),
        (Why::CutShort, "cut-short"),
    ];

    /// As it is kept in the database.
    pub(super) fn word(self) -> &'static str {
        Why::WORDS.iter().find(|(why, _)| *why == self).map_or("", |(_, word)| word)
    }

    /// The reverse.
    pub(super) fn of_word(word: &str) -> Option<Why> {
        Why::WORDS.iter().find(|(_, w)| *w == word).map(|(why, _)| *why)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Deleted => "marked as deleted",
            Why::OneWay => "not copied in this direction (create)",
            Why::Empty => "an empty file, which no server takes",
            Why::TooLarge => "larger than max_size",
            Why::TooOld => "older than max_age",
            Why::CutShort => "the other side does not list all its messages and may have it",
        })
    }
}

/// As they are kept in the database: Maildir letters, then keywords, each after a space.
pub(super) fn write_marks(marks: &Marks) -> String {
    let mut text = marks.flags.letters();
    for keyword in &marks.keywords {
        text.push(' ');
        text.push_str(keyword.as_str());
    }
    text
}

/// Marks kept in the database.
pub(super) fn read_marks(text: &str) -> Marks {
    let mut words = text.split(' ');
    let flags = Flags::from_letters(words.next().unwrap_or_default());
    Marks { flags, keywords: words.filter_map(Keyword::new).collect() }
}

/// The local key of a message that stands at a Maildir place, `cur/…` or `new/…`; `None` for a place in an mbox.
pub(super) fn local_key(place: &str) -> Option<&[u8]> {
    let name = place.strip_prefix("cur/").or_else(|| place.strip_prefix("new/"))?;
    name.split(':').next().map(str::as_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_kept_as_letters_and_keywords() {
        for text in ["", "FS", " $Junk work", "DFPRST a b"] {
            assert_eq!(write_marks(&read_marks(text)), text);
        }
        assert_eq!(read_marks("SF b a A"), read_marks("FS a b"));
    }

    #[test]
    fn a_local_key_is_the_file_name_without_its_info() {
        assert_eq!(local_key("cur/1.a:2,FS"), Some(&b"1.a"[..]));
        assert_eq!(local_key("new/1.a"), Some(&b"1.a"[..]));
        assert_eq!(local_key("12+345 From x"), None);
    }
}
