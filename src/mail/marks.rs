//! What a mailbox has written on a message: flags and keywords, and how changes on two sides are merged.

use super::Flags;
use std::collections::BTreeSet;
use std::fmt;

/// A keyword (RFC 9051 section 2.3.2), equal in any case; it keeps the spelling in which it was first met.
///
/// `$Forwarded` is none here: it is a flag, as Maildir has a letter for it.
#[derive(Clone)]
pub struct Keyword(String);

impl Keyword {
    /// The keyword of an IMAP flag; `None` for system flags and for what is no atom.
    pub fn new(name: &str) -> Option<Keyword> {
        let atom = |b: u8| b.is_ascii_graphic() && !b"(){%*\"\\]".contains(&b);
        let known = !Flags::from_imap(name).is_empty();
        (!name.is_empty() && name.bytes().all(atom) && !known).then(|| Keyword(name.to_owned()))
    }

    /// As it is spelled.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn folded(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.bytes().map(|b| b.to_ascii_lowercase())
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Keyword) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

impl PartialOrd for Keyword {
    fn partial_cmp(&self, other: &Keyword) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Keyword {
    fn cmp(&self, other: &Keyword) -> std::cmp::Ordering {
        self.folded().cmp(other.folded())
    }
}

impl std::hash::Hash for Keyword {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.folded().for_each(|b| state.write_u8(b));
    }
}

impl fmt::Debug for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Flags and keywords of one message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Marks {
    /// System flags and `$Forwarded`.
    pub flags: Flags,
    /// Keywords.
    pub keywords: BTreeSet<Keyword>,
}

/// Marks to be added and removed; no mark is in both.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Change {
    /// To be set.
    pub add: Marks,
    /// To be taken away.
    pub remove: Marks,
}

impl Change {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

impl Marks {
    /// Marks of flags alone.
    pub fn of(flags: Flags) -> Marks {
        Marks { flags, keywords: BTreeSet::new() }
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty() && self.keywords.is_empty()
    }

    /// As IMAP names them: flags, then keywords.
    pub fn imap_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.flags.imap_names().collect();
        names.extend(self.keywords.iter().map(Keyword::as_str));
        names
    }

    /// What is here and not there.
    pub fn without(&self, other: &Marks) -> Marks {
        Marks {
            flags: self.flags - other.flags,
            keywords: self.keywords.difference(&other.keywords).cloned().collect(),
        }
    }

    /// What is here or there.
    pub fn with(&self, other: &Marks) -> Marks {
        Marks { flags: self.flags | other.flags, keywords: self.keywords.union(&other.keywords).cloned().collect() }
    }

    /// What is both here and there.
    pub fn common(&self, other: &Marks) -> Marks {
        Marks {
            flags: self.flags & other.flags,
            keywords: self.keywords.intersection(&other.keywords).cloned().collect(),
        }
    }

    /// The change that leads from here to there.
    pub fn change_to(&self, wanted: &Marks) -> Change {
        Change { add: wanted.without(self), remove: self.without(wanted) }
    }

    /// These marks after a change.
    pub fn after(&self, change: &Change) -> Marks {
        self.without(&change.remove).with(&change.add)
    }

    /// Merges two sides that came from `agreed`, each mark on its own: what either side changed is changed. Two sides
    /// cannot contradict each other, for a mark is either there or not.
    pub fn merged(agreed: &Marks, one: &Marks, other: &Marks) -> Marks {
        let removed = agreed.without(one).with(&agreed.without(other));
        one.with(other).without(&removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn marks(letters: &str, keywords: &[&str]) -> Marks {
        let keywords = keywords.iter().map(|k| Keyword::new(k).unwrap()).collect();
        Marks { flags: Flags::from_letters(letters), keywords }
    }

    #[test]
    fn keywords_are_atoms_in_any_case() {
        assert_eq!(Keyword::new("$Junk"), Keyword::new("$JUNK"));
        for none in ["", "\\Seen", "a b", "a]", "x\u{e9}", "$forwarded", "a(b"] {
            assert_eq!(Keyword::new(none), None, "{none}");
        }
    }

    #[test]
    fn independent_changes_merge() {
        for (agreed, one, other, merged) in [
            ("", "F", "", "F"),
            ("", "F", "S", "FS"),
            ("FS", "S", "FS", "S"),
            ("FS", "S", "F", ""),
            ("S", "SF", "", "F"),
            ("", "FS", "F", "FS"),
        ] {
            assert_eq!(Marks::merged(&marks(agreed, &[]), &marks(one, &[]), &marks(other, &[])), marks(merged, &[]));
        }
        let merged = Marks::merged(&marks("", &["work"]), &marks("", &["Work", "home"]), &marks("", &[]));
        assert_eq!(merged, marks("", &["home"]));
    }

    fn any_marks() -> impl Strategy<Value = Marks> {
        ("[DFPRS]{0,3}", proptest::collection::btree_set("[abAB]", 0..3)).prop_map(|(letters, words)| Marks {
            flags: Flags::from_letters(&letters),
            keywords: words.iter().filter_map(|w| Keyword::new(w)).collect(),
        })
    }

    proptest! {
        #[test]
        fn merging_has_no_sides_and_takes_every_change(a in any_marks(), b in any_marks(), agreed in any_marks()) {
            let merged = Marks::merged(&agreed, &a, &b);
            prop_assert_eq!(&merged, &Marks::merged(&agreed, &b, &a));
            prop_assert_eq!(&Marks::merged(&agreed, &a, &agreed), &a);
            prop_assert_eq!(&a.after(&a.change_to(&merged)), &merged);
            prop_assert!(merged.change_to(&merged).is_empty());
        }
    }
}
