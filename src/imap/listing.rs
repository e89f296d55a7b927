//! What LIST, LSUB, STATUS and NAMESPACE tell of folders.

use super::folders::FolderStatus;
use super::scan::Scan;
use crate::mail::Role;
use std::borrow::Cow;

/// What LIST tells of one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry<'a> {
    /// Whether messages can be read there.
    pub selectable: bool,
    /// Whether the user subscribed to it, as far as the answer tells.
    pub subscribed: bool,
    /// What it is for.
    pub role: Option<Role>,
    /// What separates levels of the name; `None` where there are none.
    pub separator: Option<u8>,
    /// The name as it goes back to the server.
    pub wire: Cow<'a, [u8]>,
}

impl<'a> ListEntry<'a> {
    /// Reads what follows `LIST` or `LSUB`.
    pub fn read(scan: &mut Scan<'a>) -> Option<ListEntry<'a>> {
        scan.blanks();
        scan.tag(b"(")?;
        let (mut selectable, mut subscribed, mut role) = (true, false, None);
        loop {
            scan.blanks();
            if scan.tag(b")").is_some() {
                break;
            }
            let attribute = scan.word()?;
            selectable &= ![&b"\\Noselect"[..], b"\\NonExistent"].iter().any(|n| n.eq_ignore_ascii_case(attribute));
            subscribed |= attribute.eq_ignore_ascii_case(b"\\Subscribed");
            role = role.or(Role::of_attribute(attribute));
        }
        scan.blanks();
        let separator = scan.nstring()?.and_then(|s| s.first().copied());
        scan.blanks();
        let wire = folder_name(scan)?;
        Some(ListEntry { selectable, subscribed, role, separator, wire })
    }
}

fn folder_name<'a>(scan: &mut Scan<'a>) -> Option<Cow<'a, [u8]>> {
    let wire = match scan.string() {
        Some(name) => name,
        None => Cow::Borrowed(scan.word()?),
    };
    (!wire.is_empty()).then_some(wire)
}

/// What follows `STATUS`. An item that makes no sense counts as not told.
pub fn folder_status<'a>(scan: &mut Scan<'a>) -> Option<(Cow<'a, [u8]>, FolderStatus)> {
    scan.blanks();
    let wire = folder_name(scan)?;
    let mut status = FolderStatus::default();
    scan.blanks();
    scan.tag(b"(")?;
    loop {
        scan.blanks();
        if scan.tag(b")").is_some() {
            return Some((wire, status));
        }
        let item = scan.atom()?.to_ascii_uppercase();
        scan.blanks();
        let Some(value) = scan.long_number() else {
            scan.skip_value()?;
            continue;
        };
        let short = u32::try_from(value).ok();
        match item.as_slice() {
            b"MESSAGES" => status.messages = short,
            b"UIDNEXT" => status.uidnext = short.filter(|n| *n > 0),
            b"UIDVALIDITY" => status.uidvalidity = short.filter(|n| *n > 0),
            b"HIGHESTMODSEQ" => status.highestmodseq = Some(value).filter(|n| *n > 0),
            _ => {}
        }
    }
}

/// What follows `NAMESPACE`: the first of the user's own.
pub fn namespace(scan: &mut Scan<'_>) -> Option<Option<(Vec<u8>, Option<u8>)>> {
    scan.blanks();
    if scan.tag(b"NIL").is_some() {
        return Some(None);
    }
    scan.tag(b"(")?;
    scan.blanks();
    scan.tag(b"(")?;
    scan.blanks();
    let prefix = scan.string()?.into_owned();
    scan.blanks();
    let separator = scan.nstring()?.and_then(|s| s.first().copied());
    Some(Some((prefix, separator)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::framer::Frame;
    use crate::imap::response::Untagged;

    fn frame(text: &str, literals: &[&str]) -> Frame {
        Frame { text: text.into(), literals: literals.iter().map(|l| l.as_bytes().to_vec()).collect() }
    }

    #[test]
    fn folders() {
        for (text, literals, expected) in [
            ("(\\HasChildren) \"/\" INBOX", &[][..], Some((true, Some(b'/'), &b"INBOX"[..]))),
            ("(\\noselect \\Marked) \".\" \"a\\\"b\"", &[], Some((false, Some(b'.'), b"a\"b"))),
            ("(\\NonExistent) NIL {3}\r\n", &["a\\b"], Some((false, None, b"a\\b"))),
            ("() \"\\\\\" \"x y\" (\"CHILDINFO\" (\"SUBSCRIBED\"))", &[], Some((true, Some(b'\\'), b"x y"))),
            ("(\\SentItems) \"/\" Entw&APw-rfe[1]", &[], Some((true, Some(b'/'), b"Entw&APw-rfe[1]"))),
            ("() \"/\" \"\"", &[], None),
            ("() \"/\"", &[], None),
            ("\"/\" INBOX", &[], None),
        ] {
            let frame = frame(&format!("* LIST {text}"), literals);
            let read = match Untagged::of(&frame) {
                Untagged::List(l) => Some((l.selectable, l.separator, l.wire.to_vec())),
                Untagged::Broken => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(read, expected.map(|(s, d, w)| (s, d, w.to_vec())), "{text}");
        }
    }

    #[test]
    fn attributes_tell_role_and_subscription() {
        for (text, subscribed, role) in [
            ("(\\HasNoChildren \\Subscribed \\sent)", true, Some(Role::Sent)),
            ("(\\JUNK \\Trash)", false, Some(Role::Junk)),
            ("(\\Important)", false, Some(Role::Important)),
            ("(\\Starred)", false, None),
        ] {
            let frame = frame(&format!("* LIST {text} \"/\" x"), &[]);
            let Untagged::List(entry) = Untagged::of(&frame) else { panic!("{text}") };
            assert_eq!((entry.subscribed, entry.role), (subscribed, role), "{text}");
        }
    }

    #[test]
    fn folders_tell_how_they_stand() {
        for (text, literals, expected) in [
            (
                "x (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7 HIGHESTMODSEQ 5000000000)",
                &[][..],
                Some((3, 9, 7, 5_000_000_000)),
            ),
            ("\"x\" ( highestmodseq 0 UIDNEXT 0 UIDVALIDITY 0 MESSAGES 0 )", &[], Some((0, 0, 0, 0))),
            ("{1}\r\n (X-GUID (a b) UIDNEXT NIL MESSAGES 1)", &["x"], Some((1, 0, 0, 0))),
            ("x (MESSAGES 1", &[], None),
            ("(MESSAGES 1)", &[], None),
        ] {
            let frame = frame(&format!("* STATUS {text}"), literals);
            let read = match Untagged::of(&frame) {
                Untagged::FolderStatus(wire, s) => {
                    assert_eq!(*wire, *b"x");
                    let zero = |n: Option<u32>| n.unwrap_or(0);
                    Some((zero(s.messages), zero(s.uidnext), zero(s.uidvalidity), s.highestmodseq.unwrap_or(0)))
                }
                Untagged::Broken => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn namespaces() {
        let some = |prefix: &str, separator| Some(Some((prefix.as_bytes().to_vec(), separator)));
        for (text, expected) in [
            ("((\"INBOX.\" \".\")) NIL NIL", some("INBOX.", Some(b'.'))),
            ("((\"\" \"/\") (\"#mh/\" \"/\" \"X\" (\"a\"))) ((\"~\" \"/\")) NIL", some("", Some(b'/'))),
            ("((\"\" NIL)) NIL NIL", some("", None)),
            ("NIL NIL NIL", Some(None)),
            ("()", None),
            ("((x))", None),
        ] {
            let frame = frame(&format!("* NAMESPACE {text}"), &[]);
            let read = match Untagged::of(&frame) {
                Untagged::Namespace(n) => Some(n),
                Untagged::Broken => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(read, expected, "{text}");
        }
    }
}
