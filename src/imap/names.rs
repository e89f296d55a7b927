//! How folder names look on the wire: modified UTF-7 or UTF-8, levels with the server's separator, the prefix of the user's own folders.

use crate::error::{Error, Kind, Result};
use crate::mail::{FolderName, decode_utf7, encode_utf7};
use std::borrow::Cow;

/// How a server builds the names of the user's own folders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// What separates levels; `None` where that is not known or there are none.
    pub separator: Option<u8>,
    /// What stands before the name of every folder but INBOX, such as `INBOX.` (RFC 2342); hidden from the user.
    pub prefix: Vec<u8>,
    /// They are UTF-8, and not modified UTF-7.
    pub utf8: bool,
}

impl Names {
    /// The name behind a wire form. Levels are told apart before they are decoded, so that a level may hold a `/` of its
    /// own. What is neither modified UTF-7 nor UTF-8 stays as it looks.
    pub fn name_of(&self, wire: &[u8]) -> FolderName {
        let whole = trimmed(wire, self.separator);
        let own = self.without_prefix(whole).map(|own| self.levels(own)).filter(|name| !name.is_inbox());
        own.unwrap_or_else(|| self.levels(whole))
    }

    fn levels(&self, name: &[u8]) -> FolderName {
        let levels = match self.separator {
            Some(s) => name.split(|b| *b == s).map(|l| self.level(l)).collect(),
            None => vec![self.level(name)],
        };
        // An empty level cannot be a level; then the whole is one.
        FolderName::from_levels(levels)
            .or_else(|| FolderName::from_levels(vec![self.level(name)]))
            .unwrap_or_else(FolderName::inbox)
    }

    fn level(&self, wire: &[u8]) -> String {
        let text = String::from_utf8_lossy(wire).replace('\0', "\u{fffd}");
        if text.is_ascii() && !self.utf8 { decode_utf7(&text).unwrap_or(text) } else { text }
    }

    fn coded<'l>(&self, level: &'l str) -> Cow<'l, [u8]> {
        if self.utf8 { Cow::Borrowed(level.as_bytes()) } else { Cow::Owned(encode_utf7(level).into_bytes()) }
    }

    /// The rest of a name behind the prefix. INBOX in it may be spelt in any case, like INBOX itself.
    fn without_prefix<'w>(&self, wire: &'w [u8]) -> Option<&'w [u8]> {
        let (head, own) = wire.split_at_checked(self.prefix.len())?;
        let same = |a: &[u8], b: &[u8]| match (a.split_at_checked(5), b.split_at_checked(5)) {
            (Some((a, after_a)), Some((b, after_b))) if a.eq_ignore_ascii_case(b"INBOX") => {
                b.eq_ignore_ascii_case(b"INBOX") && after_a == after_b
            }
            _ => a == b,
        };
        (!own.is_empty() && same(&self.prefix, head)).then_some(own)
    }

    /// The wire form of a folder that the server did not list, for asking whether it is there.
    pub fn guess(&self, name: &FolderName) -> Vec<u8> {
        if name.is_inbox() {
            return b"INBOX".to_vec();
        }
        let levels: Vec<_> = name.levels().iter().map(|l| self.coded(l).into_owned()).collect();
        [&*self.prefix, &*levels.join(&self.separator.unwrap_or(b'/'))].concat()
    }

    /// The wire form of a folder to be created; an error where the server cannot have one of this name.
    pub fn wire_of(&self, name: &FolderName) -> Result<Vec<u8>> {
        let refuse = |why: String| {
            let what = format!("the server cannot have a folder {name}: {why}");
            Err(Error::new(Kind::Unavailable, what, "Rename the folder here, or leave it out of folders.").folder())
        };
        let Some(separator) = self.separator else {
            return match name.levels() {
                [_] => Ok(self.guess(name)),
                _ => refuse("it has no folders inside folders".to_owned()),
            };
        };
        let holding = |l: &&String| self.coded(l).contains(&separator);
        match name.levels().iter().find(holding) {
            None => Ok(self.guess(name)),
            Some(level) => {
                let separator = char::from(separator);
                refuse(format!(
                    "\u{201c}{level}\u{201d} holds \u{201c}{separator}\u{201d}, which separates folders there"
                ))
            }
        }
    }
}

/// Without the separator that some servers put behind names.
pub fn trimmed(wire: &[u8], separator: Option<u8>) -> &[u8] {
    separator.and_then(|s| wire.strip_suffix(&[s])).filter(|w| !w.is_empty()).unwrap_or(wire)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(separator: Option<u8>, prefix: &str) -> Names {
        Names { separator, prefix: prefix.into(), utf8: false }
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
            assert_eq!(names(separator, "").name_of(wire).levels(), levels, "{}", String::from_utf8_lossy(wire));
        }
    }

    #[test]
    fn where_names_are_utf_8_an_ampersand_is_one() {
        let names = Names { utf8: true, ..names(Some(b'/'), "") };
        for (wire, levels) in [
            ("Entw\u{fc}rfe/R&D", &["Entw\u{fc}rfe", "R&D"][..]),
            ("Entw&APw-rfe", &["Entw&APw-rfe"]),
            ("a&-b", &["a&-b"]),
        ] {
            let read = names.name_of(wire.as_bytes());
            assert_eq!(read.levels(), levels);
            assert_eq!(names.wire_of(&read).unwrap(), wire.as_bytes());
        }
    }

    #[test]
    fn the_prefix_is_hidden_both_ways() {
        for (prefix, wire, name, back) in [
            ("INBOX.", "INBOX.Work", "Work", None),
            ("INBOX.", "inbox.Work.a", "Work/a", Some("INBOX.Work.a")),
            ("INBOX.", "INBOX", "INBOX", None),
            ("INBOX.", "INBOX.", "INBOX", Some("INBOX")),
            ("INBOX.", "INBOX.INBOX.x", "INBOX/x", None),
            // Two folders cannot both be the inbox.
            ("INBOX.", "INBOX.inbox", "INBOX/inbox", Some("INBOX.INBOX.inbox")),
            ("INBOX.", "Shared.x", "Shared/x", Some("INBOX.Shared.x")),
            ("Mail.", "Mail.x", "x", None),
            ("Mail.", "mail.x", "mail/x", Some("Mail.mail.x")),
        ] {
            let names = names(Some(b'.'), prefix);
            let read = names.name_of(wire.as_bytes());
            assert_eq!(read.to_string(), name, "{wire}");
            assert_eq!(names.wire_of(&read).unwrap(), back.unwrap_or(wire).as_bytes(), "{name}");
        }
    }

    #[test]
    fn a_name_that_the_server_cannot_have_is_refused_with_its_reason() {
        for (separator, levels, problem) in [
            (Some(b'.'), &["a", "v1.2"][..], Some("\u{201c}v1.2\u{201d} holds \u{201c}.\u{201d}")),
            (Some(b'/'), &["a", "v1.2"], None),
            (None, &["a", "b"], Some("no folders inside folders")),
            (None, &["a.b/c"], None),
        ] {
            let name = FolderName::from_levels(levels.iter().map(|l| (*l).to_owned()).collect()).unwrap();
            let error = names(separator, "").wire_of(&name).err().map(|e| e.to_string());
            assert_eq!(error.is_some(), problem.is_some(), "{name}");
            assert!(error.unwrap_or_default().contains(problem.unwrap_or_default()), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_wire_form_gives_a_name(
            wire in prop::collection::vec(any::<u8>(), 1..20),
            separator in prop::option::of(any::<u8>()),
            prefix in "(INBOX\\.)?"
        ) {
            prop_assert!(names(separator, &prefix).name_of(&wire).levels().iter().all(|l| !l.is_empty()));
        }

        #[test]
        fn names_come_back_from_the_wire(name in "[a-zA-Z&\u{e4}\u{4e2d}. -]{1,9}(/[a-z&\u{fc}]{1,5})?", prefix in "(INBOX/)?") {
            let name = FolderName::parse(&name).unwrap();
            let names = names(Some(b'/'), &prefix);
            prop_assert_eq!(names.name_of(&names.wire_of(&name).unwrap()), name);
        }
    }
}
