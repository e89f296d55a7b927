//! The folders of an account, and how their names look on the wire.

use super::response::{ListEntry, Untagged};
use super::session::{Command, Link, Session};
use crate::error::Result;
use crate::mail::{FolderName, FolderPattern, decode_utf7, encode_utf7};
use std::collections::{BTreeMap, BTreeSet};

/// A folder on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its name for people and for the ledger.
    pub name: FolderName,
    /// Its name as the server wrote it, or wants it written; sent back unchanged even where it cannot be decoded.
    pub wire: Vec<u8>,
    /// Other folders on the server whose names read the same; they cannot be told from it here, and are left out.
    pub twins: Vec<Vec<u8>>,
}

/// What LIST told: every folder, in the order of their names, the inbox first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// By name, what stands for it on the wire: mostly one form.
    selectable: BTreeMap<FolderName, BTreeSet<Vec<u8>>>,
    separator: Option<u8>,
}

/// Asks for all folders.
pub async fn list<S: Link>(session: &mut Session<S>) -> Result<Listed> {
    let mut listed = Listed::default();
    let on = |u: Untagged<'_>| {
        if let Untagged::List(entry) = u {
            listed.add(&entry);
        }
    };
    session.exec(Command::new("LIST \"\" \"*\""), "list its folders", on).await?;
    Ok(listed)
}

/// The folders that patterns name, as far as that can be told without asking the server: no wildcards, and no levels,
/// whose separator only the server knows.
pub fn without_list(patterns: &[FolderPattern]) -> Option<Vec<Folder>> {
    let known = patterns.iter().all(|p| {
        let text = p.as_str();
        // What is neither literal nor holds wildcards is an exclusion, and can only take away.
        if p.is_literal() { !text.contains('/') } else { !text.contains(['*', '%']) }
    });
    known.then(|| Listed::default().select(patterns))
}

impl Listed {
    fn add(&mut self, entry: &ListEntry<'_>) {
        self.separator = self.separator.or(entry.separator);
        if entry.selectable {
            let name = name_of(&entry.wire, entry.separator);
            let is_inbox = name.is_inbox();
            let forms = self.selectable.entry(name).or_default();
            let same = |form: &[u8]| trimmed(form, entry.separator) == trimmed(&entry.wire, entry.separator);
            // INBOX is one folder however it is spelt.
            if forms.is_empty() || !(is_inbox || forms.iter().any(|form| same(form))) {
                forms.insert(entry.wire.to_vec());
            }
        }
    }

    /// The folders that the patterns take. One that is named outright is among them even if the server did not list it:
    /// opening it will tell.
    pub fn select(&self, patterns: &[FolderPattern]) -> Vec<Folder> {
        let mut chosen = self.selectable.clone();
        for name in patterns.iter().filter(|p| p.is_literal()).filter_map(|p| FolderName::parse(p.as_str())) {
            chosen.entry(name).or_insert_with_key(|name| BTreeSet::from([self.wire_of(name)]));
        }
        chosen.retain(|name, _| FolderPattern::selects(patterns, name));
        let folder = |(name, forms): (FolderName, BTreeSet<Vec<u8>>)| {
            let mut forms = forms.into_iter();
            Some(Folder { name, wire: forms.next()?, twins: forms.collect() })
        };
        let mut folders: Vec<_> = chosen.into_iter().filter_map(folder).collect();
        folders.sort_by_key(|f| !f.name.is_inbox());
        folders
    }

    fn wire_of(&self, name: &FolderName) -> Vec<u8> {
        let levels: Vec<_> = name.levels().iter().map(|l| encode_utf7(l)).collect();
        levels.join(&char::from(self.separator.unwrap_or(b'/')).to_string()).into_bytes()
    }

    /// Whether the server listed a folder of this name as one to be opened.
    pub fn has(&self, name: &FolderName) -> bool {
        self.selectable.contains_key(name)
    }

    /// Up to three listed names that look like this one.
    pub fn close_to(&self, name: &FolderName) -> Vec<String> {
        let wanted = name.to_string().to_lowercase();
        let mut close: Vec<(f64, String)> = Vec::new();
        for name in self.selectable.keys().map(FolderName::to_string) {
            let lower = name.to_lowercase();
            let last_level = lower.rsplit('/').next().unwrap_or_default();
            let likeness = strsim::jaro_winkler(&wanted, &lower).max(strsim::jaro_winkler(&wanted, last_level));
            close.push((likeness, name));
        }
        close.retain(|(likeness, _)| *likeness > 0.8);
        close.sort_by(|a, b| b.0.total_cmp(&a.0));
        close.into_iter().take(3).map(|(_, name)| name).collect()
    }
}

/// The name behind a wire form. Levels are told apart before they are decoded, so that a level may hold a `/` of its own.
/// What is neither modified UTF-7 nor UTF-8 stays as it looks.
fn name_of(wire: &[u8], separator: Option<u8>) -> FolderName {
    let name = trimmed(wire, separator);
    let levels = match separator {
        Some(s) => name.split(|b| *b == s).map(level).collect(),
        None => vec![level(name)],
    };
    // An empty level cannot be a level; then the whole is one.
    FolderName::from_levels(levels)
        .or_else(|| FolderName::from_levels(vec![level(wire)]))
        .unwrap_or_else(FolderName::inbox)
}

/// Without the separator that some servers put behind names.
fn trimmed(wire: &[u8], separator: Option<u8>) -> &[u8] {
    separator.and_then(|s| wire.strip_suffix(&[s])).unwrap_or(wire)
}

fn level(wire: &[u8]) -> String {
    let text = String::from_utf8_lossy(wire).replace('\0', "\u{fffd}");
    if text.is_ascii() { decode_utf7(&text).unwrap_or(text) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::borrow::Cow;

    fn patterns(list: &[&str]) -> Vec<FolderPattern> {
        list.iter().map(|p| FolderPattern::parse(p).unwrap()).collect()
    }

    fn listed(separator: Option<u8>, names: &[&[u8]]) -> Listed {
        let mut listed = Listed::default();
        for name in names {
            listed.add(&ListEntry { selectable: true, separator, wire: Cow::Borrowed(name) });
        }
        listed
    }

    fn shown(folders: Vec<Folder>) -> Vec<(String, String)> {
        folders.into_iter().map(|f| (f.name.to_string(), String::from_utf8_lossy(&f.wire).into_owned())).collect()
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn names_are_decoded_level_by_level() {
        for (wire, separator, levels) in [
            (&b"Entw&APw-rfe"[..], Some(b'/'), &["Entw\u{fc}rfe"][..]),
            (b"INBOX.a&AC8-b.c", Some(b'.'), &["INBOX", "a/b", "c"]),
            (b"inbox", Some(b'/'), &["INBOX"]),
            (b"Stra\xc3\x9fe", Some(b'/'), &["Stra\u{df}e"]),
            (b"Stra\xdfe", Some(b'/'), &["Stra\u{fffd}e"]),
            (b"A&B", Some(b'/'), &["A&B"]),
            (b"a/b", None, &["a/b"]),
            (b"a/b/", Some(b'/'), &["a", "b"]),
            (b"a//b", Some(b'/'), &["a//b"]),
            (b"a\0b", Some(b'/'), &["a\u{fffd}b"]),
        ] {
            assert_eq!(name_of(wire, separator).levels(), levels, "{}", String::from_utf8_lossy(wire));
        }
    }

    #[test]
    fn patterns_select_and_keep_the_wire_form() {
        let listed = listed(Some(b'.'), &[b"Lists.rust", b"Entw&APw-rfe", b"Inbox", b"Spam", b"Stra\xdfe"]);
        let all = shown(listed.select(&patterns(&["*", "!Spam"])));
        let names: Vec<_> = all.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, ["INBOX", "Entw\u{fc}rfe", "Lists/rust", "Stra\u{fffd}e"]);
        assert_eq!(listed.select(&patterns(&["Stra*"]))[0].wire, b"Stra\xdfe");
        assert_eq!(shown(listed.select(&patterns(&["INBOX"]))), pairs(&[("INBOX", "Inbox")]));
        let missing = shown(listed.select(&patterns(&["Lists/r\u{fc}st"])));
        assert_eq!(missing, pairs(&[("Lists/r\u{fc}st", "Lists.r&APw-st")]));
        assert!(listed.select(&patterns(&["Spam", "!S*"])).is_empty());
    }

    #[test]
    fn folders_whose_names_read_the_same_are_twins() {
        let names: &[&[u8]] =
            &[b"inbox", b"INBOX", b"Stra\xfce", b"Stra\xdfe", b"\xc3\xbc", b"&APw-", b"a", b"a/", b"a", b"A"];
        let twins = |f: Folder| (!f.twins.is_empty()).then_some((f.name.to_string(), f.wire, f.twins));
        let found: Vec<_> = listed(Some(b'/'), names).select(&patterns(&["*"])).into_iter().filter_map(twins).collect();
        let expected = [
            ("Stra\u{fffd}e".to_owned(), b"Stra\xdfe".to_vec(), vec![b"Stra\xfce".to_vec()]),
            ("\u{fc}".to_owned(), b"&APw-".to_vec(), vec![b"\xc3\xbc".to_vec()]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn plain_names_need_no_list() {
        let folders = without_list(&patterns(&["inbox", "Entw\u{fc}rfe", "!Spam"])).map(shown);
        assert_eq!(folders, Some(pairs(&[("INBOX", "INBOX"), ("Entw\u{fc}rfe", "Entw&APw-rfe")])));
        assert_eq!(without_list(&patterns(&["INBOX", "Lists/rust"])), None);
        assert_eq!(without_list(&patterns(&["*"])), None);
    }

    #[test]
    fn folders_that_cannot_be_opened_are_passed_over_but_tell_the_separator() {
        let mut listed = Listed::default();
        listed.add(&ListEntry { selectable: false, separator: Some(b'.'), wire: Cow::Borrowed(b"Lists") });
        assert!(listed.select(&patterns(&["*"])).is_empty());
        assert_eq!(shown(listed.select(&patterns(&["a/b"]))), pairs(&[("a/b", "a.b")]));
    }

    #[test]
    fn close_names_are_found() {
        let listed = listed(Some(b'/'), &[b"INBOX", b"Lists/rust", b"Sent Messages", b"Archive"]);
        assert_eq!(listed.close_to(&FolderName::parse("rust").unwrap()), ["Lists/rust"]);
        assert_eq!(listed.close_to(&FolderName::parse("sent").unwrap()), ["Sent Messages"]);
        assert_eq!(listed.close_to(&FolderName::parse("Archiv").unwrap()), ["Archive"]);
        assert!(listed.close_to(&FolderName::parse("zzz").unwrap()).is_empty());
    }

    proptest! {
        #[test]
        fn any_wire_form_gives_a_name(wire in prop::collection::vec(any::<u8>(), 1..20), separator in prop::option::of(any::<u8>())) {
            prop_assert!(name_of(&wire, separator).levels().iter().all(|l| !l.is_empty()));
        }

        #[test]
        fn names_come_back_from_the_wire(name in "[a-zA-Z&\u{e4}\u{4e2d}. -]{1,9}(/[a-z&\u{fc}]{1,5})?") {
            let name = FolderName::parse(&name).unwrap();
            let wire = Listed::default().wire_of(&name);
            prop_assert_eq!(name_of(&wire, Some(b'/')), name);
        }
    }
}
