//! Sequence sets and search keys, against the messages of a selected folder.

use crate::support::server::Message;
use imap_codec::imap_types::search::SearchKey;
use imap_codec::imap_types::sequence::{SeqOrUid, Sequence, SequenceSet};

/// The selected folder as the client knows it: UIDs in order, so a message number is a place plus one.
pub type View = Vec<u32>;

/// The UIDs of a set, which holds UIDs or message numbers; what does not exist is left out.
pub fn resolve(set: &SequenceSet, view: &View, by_uid: bool) -> Vec<u32> {
    let numbered = (1..).zip(view).map(|(n, uid)| (if by_uid { *uid } else { n }, *uid));
    let last = if by_uid { view.last().copied() } else { Some(view.len() as u32) }.unwrap_or(0);
    numbered.filter(|(n, _)| holds(set, *n, last)).map(|(_, uid)| uid).collect()
}

fn holds(set: &SequenceSet, n: u32, last: u32) -> bool {
    let value = |v: &SeqOrUid| match v {
        SeqOrUid::Value(v) => v.get(),
        SeqOrUid::Asterisk => last,
    };
    set.0.as_ref().iter().any(|s| match s {
        Sequence::Single(a) => value(a) == n,
        Sequence::Range(a, b) => {
            let (a, b) = (value(a), value(b));
            (a.min(b)..=a.max(b)).contains(&n)
        }
    })
}

/// Whether a message answers a search; `None` where this server does not know the key.
pub fn found(keys: &[SearchKey<'_>], message: &Message, view: &View) -> Option<bool> {
    keys.iter().try_fold(true, |all, key| Some(all & matches(key, message, view)?))
}

fn matches(key: &SearchKey<'_>, message: &Message, view: &View) -> Option<bool> {
    Some(match key {
        SearchKey::All => true,
        SearchKey::And(keys) => found(keys.as_ref(), message, view)?,
        SearchKey::Or(a, b) => matches(a, message, view)? | matches(b, message, view)?,
        SearchKey::Not(key) => !matches(key, message, view)?,
        SearchKey::Uid(set) => resolve(set, view, true).contains(&message.uid),
        SearchKey::SequenceSet(set) => resolve(set, view, false).contains(&message.uid),
        SearchKey::Deleted => message.has("\\Deleted"),
        SearchKey::Undeleted => !message.has("\\Deleted"),
        SearchKey::Seen => message.has("\\Seen"),
        SearchKey::Unseen => !message.has("\\Seen"),
        _ => return None,
    })
}
