//! Untagged responses: everything a server tells besides completions.

use super::capability::Capabilities;
use super::folders::FolderStatus;
use super::framer::Frame;
use super::listing::{ListEntry, folder_status, namespace};
use super::quota::Room;
use super::scan::Scan;
use super::set::UidSet;
use super::status::{Condition, Status, Text};
use super::vanished::Vanished;
use crate::mail::{Flags, Keyword, Marks};
use std::borrow::Cow;

/// One untagged response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untagged<'a> {
    /// Information, a warning, a greeting or a farewell.
    Status(Status),
    /// What the server can do.
    Capability(Capabilities),
    /// So many messages are in the folder.
    Exists(u32),
    /// The message of this number is gone.
    Expunge(u32),
    /// Messages of these UIDs are gone.
    Vanished(Vanished<'a>),
    /// Extensions that the server was asked to use, and uses now.
    Enabled(Capabilities),
    /// Data of one message.
    Fetch(Row<'a>),
    /// A folder.
    List(ListEntry<'a>),
    /// A folder that the user subscribed to.
    Lsub(ListEntry<'a>),
    /// The wire name of a folder, and how it stands.
    FolderStatus(Cow<'a, [u8]>, FolderStatus),
    /// Prefix and separator of the first of the user's own namespaces; `None` where there is none.
    Namespace(Option<(Vec<u8>, Option<u8>)>),
    /// What is left of a quota.
    Quota(Room),
    /// Flags and keywords that messages of the open folder may have.
    Flags(Marks),
    /// UIDs that a search found, told one by one or as a set (RFC 4731).
    Search(UidSet),
    /// Something well-formed or not that nothing here waits for.
    Other,
    /// Data of one message or a folder, but broken.
    Broken,
}

/// What a FETCH response tells of one message; an item it does not hold, or holds as nonsense, is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row<'a> {
    /// The UID; absent in news about flags that nobody asked for.
    pub uid: Option<u32>,
    /// RFC822.SIZE.
    pub size: Option<u64>,
    /// Flags and keywords.
    pub marks: Option<Marks>,
    /// INTERNALDATE in seconds since 1970 UTC.
    pub received_at: Option<i64>,
    /// The body section.
    pub body: Option<Section<'a>>,
}

/// `BODY[…]` of a FETCH response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section<'a> {
    /// Where a partial fetch starts.
    pub origin: Option<u32>,
    /// The bytes; `None` for NIL, or for a literal that was too large to keep.
    pub data: Option<Cow<'a, [u8]>>,
}

impl<'a> Untagged<'a> {
    /// What the server says with BYE.
    pub fn farewell(frame: &Frame) -> Option<Text> {
        let mut scan = Scan::new(frame);
        scan.tag(b"*")?;
        scan.blanks();
        Status::read(&mut scan).filter(|s| s.condition == Condition::Bye).map(|s| s.text)
    }

    /// Reads one.
    pub fn of(frame: &'a Frame) -> Untagged<'a> {
        let mut scan = Scan::new(frame);
        if scan.tag(b"*").is_none() {
            return Untagged::Other;
        }
        scan.blanks();
        if let Some(status) = Status::read(&mut scan) {
            return Untagged::Status(status);
        }
        if let Some(number) = scan.number() {
            scan.blanks();
            return match scan.atom().map(<[u8]>::to_ascii_uppercase).as_deref() {
                Some(b"EXISTS") => Untagged::Exists(number),
                Some(b"EXPUNGE") => Untagged::Expunge(number),
                Some(b"FETCH") => Row::read(&mut scan).map_or(Untagged::Broken, Untagged::Fetch),
                _ => Untagged::Other,
            };
        }
        match scan.atom().map(<[u8]>::to_ascii_uppercase).as_deref() {
            Some(b"CAPABILITY") => Untagged::Capability(Capabilities::of(scan.rest())),
            Some(b"ENABLED") => Untagged::Enabled(Capabilities::of(scan.rest())),
            Some(b"VANISHED") => Vanished::read(&mut scan).map_or(Untagged::Broken, Untagged::Vanished),
            Some(b"SEARCH") => search(scan.rest()).map_or(Untagged::Broken, Untagged::Search),
            Some(b"ESEARCH") => esearch(&mut scan).map_or(Untagged::Broken, Untagged::Search),
            Some(b"LIST") => ListEntry::read(&mut scan).map_or(Untagged::Broken, Untagged::List),
            Some(b"LSUB") => ListEntry::read(&mut scan).map_or(Untagged::Broken, Untagged::Lsub),
            Some(b"STATUS") => {
                folder_status(&mut scan).map_or(Untagged::Broken, |(wire, status)| Untagged::FolderStatus(wire, status))
            }
            Some(b"NAMESPACE") => namespace(&mut scan).map_or(Untagged::Broken, Untagged::Namespace),
            // A quota that makes no sense limits nothing.
            Some(b"QUOTA") => Room::read(&mut scan).map_or(Untagged::Other, Untagged::Quota),
            Some(b"FLAGS") => {
                scan.blanks();
                marks(&mut scan).map_or(Untagged::Broken, |(marks, _)| Untagged::Flags(marks))
            }
            _ => Untagged::Other,
        }
    }
}

impl<'a> Row<'a> {
    fn read(scan: &mut Scan<'a>) -> Option<Row<'a>> {
        let mut row = Row::default();
        scan.blanks();
        scan.tag(b"(")?;
        loop {
            scan.blanks();
            if scan.tag(b")").is_some() {
                return Some(row);
            }
            let name = scan.atom()?.to_ascii_uppercase();
            if scan.tag(b"[").is_some() {
                row.body = Some(section(scan)?);
                continue;
            }
            scan.blanks();
            match name.as_slice() {
                b"UID" => row.uid = Some(scan.number().filter(|uid| *uid > 0)?),
                b"RFC822.SIZE" => match scan.long_number() {
                    Some(size) => row.size = Some(size),
                    None => scan.skip_value()?,
                },
                b"INTERNALDATE" => match scan.nstring() {
                    Some(date) => row.received_at = date.and_then(|d| internal_date(&d)),
                    None => scan.skip_value()?,
                },
                b"FLAGS" => match marks(&mut scan.clone()) {
                    Some((marks, after)) => {
                        row.marks = Some(marks);
                        *scan = after;
                    }
                    None => scan.skip_value()?,
                },
                _ => scan.skip_value()?,
            }
        }
    }
}

/// What follows `BODY[`.
fn section<'a>(scan: &mut Scan<'a>) -> Option<Section<'a>> {
    scan.until(b']')?;
    let origin = match scan.tag(b"<") {
        Some(()) => {
            let origin = scan.number()?;
            scan.until(b'>')?;
            Some(origin)
        }
        None => None,
    };
    scan.blanks();
    Some(Section { origin, data: scan.nstring()? })
}

/// A list of flags, and the place behind it.
fn marks<'a>(scan: &mut Scan<'a>) -> Option<(Marks, Scan<'a>)> {
    scan.tag(b"(")?;
    let mut marks = Marks::default();
    loop {
        scan.blanks();
        if scan.tag(b")").is_some() {
            return Some((marks, scan.clone()));
        }
        let name = std::str::from_utf8(scan.word()?).unwrap_or_default();
        marks.flags = marks.flags | Flags::from_imap(name);
        marks.keywords.extend(Keyword::new(name));
    }
}

/// `17-Jul-1996 02:44:25 -0700`, with a blank for a leading zero.
fn internal_date(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let date = jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", text).ok()?;
    Some(date.to_timestamp().ok()?.as_second())
}

/// The numbers of a SEARCH response, up to a `(MODSEQ n)` behind them.
fn search(text: &[u8]) -> Option<UidSet> {
    let numbers = text.split(|b| *b == b'(').next().unwrap_or_default();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers.split(u8::is_ascii_whitespace).filter(|n| !n.is_empty()) {
        let number: u32 = std::str::from_utf8(number).ok()?.parse().ok()?;
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    Some(UidSet::of(ranges))
}

/// What follows `ESEARCH`: all that was found (RFC 4731 section 3.1). Only UIDs are ever asked for; what is not said to be
/// that are numbers of messages.
fn esearch(scan: &mut Scan<'_>) -> Option<UidSet> {
    scan.blanks();
    if scan.rest().starts_with(b"(") {
        scan.skip_value()?;
        scan.blanks();
    }
    if !scan.atom_is(b"UID") {
        return None;
    }
    let mut found = UidSet::default();
    loop {
        scan.blanks();
        if scan.rest().is_empty() {
            return Some(found);
        }
        let is_all = scan.atom()?.eq_ignore_ascii_case(b"ALL");
        scan.blanks();
        match is_all {
            true => found = UidSet::read(scan.atom()?)?,
            false => scan.skip_value()?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(text: &str, literals: &[&str]) -> Frame {
        Frame { text: text.into(), literals: literals.iter().map(|l| l.as_bytes().to_vec()).collect() }
    }

    fn row(text: &str, literals: &[&str]) -> Option<String> {
        match Untagged::of(&frame(&format!("* 1 FETCH {text}"), literals)) {
            Untagged::Fetch(r) => Some(format!(
                "{:?} {:?} {} {:?} {:?}",
                r.uid,
                r.size,
                r.marks.map_or("-".into(), |m| m.flags.letters()),
                r.received_at,
                r.body.map(|b| (b.origin, b.data.map(|d| String::from_utf8_lossy(&d).into_owned()))),
            )),
            Untagged::Broken => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rows_with_what_servers_put_into_them() {
        for (text, literals, expected) in [
            ("(UID 7 RFC822.SIZE 12)", &[][..], "Some(7) Some(12) - None None"),
            ("(RFC822.SIZE 5000000000 UID 4294967295)", &[], "Some(4294967295) Some(5000000000) - None None"),
            ("(FLAGS (\\Seen $Forwarded x%1 \"odd\\ \\*) UID 1)", &[], "Some(1) None PS None None"),
            ("(RFC822.SIZE 9223372036854775808 UID 1)", &[], "Some(1) None - None None"),
            ("( FLAGS ()  UID 1 )", &[], "Some(1) None  None None"),
            ("(FLAGS NIL UID 1)", &[], "Some(1) None - None None"),
            ("(INTERNALDATE NIL UID 1)", &[], "Some(1) None - None None"),
            ("(INTERNALDATE \"17-Jul-1996 02:44:25 -0700\")", &[], "None None - Some(837596665) None"),
            ("(INTERNALDATE \" 1-Jan-1970 00:00:01 +0000\")", &[], "None None - Some(1) None"),
            ("(INTERNALDATE \"gestern\" UID 1)", &[], "Some(1) None - None None"),
            ("(UID 1 BODY[] {3}\r\n FLAGS (\\Seen))", &["a\"b"], "Some(1) None S None Some((None, Some(\"a\\\"b\")))"),
            ("(UID 1 BODY[]<512> {1}\r\n)", &["x"], "Some(1) None - None Some((Some(512), Some(\"x\")))"),
            ("(BODY[] \"a\\\"b\" UID 1)", &[], "Some(1) None - None Some((None, Some(\"a\\\"b\")))"),
            ("(BODY[] NIL UID 1)", &[], "Some(1) None - None Some((None, None))"),
            ("(BODY[HEADER.FIELDS (DATE \"X\")] \"\" UID 1)", &[], "Some(1) None - None Some((None, Some(\"\")))"),
            ("(X-GM (a (b)) SAVEDATE NIL MODSEQ (12) UID 1)", &[], "Some(1) None - None None"),
            ("(BODY (\"TEXT\" ((\"A\" \"B\") NIL)) UID 1)", &[], "Some(1) None - None None"),
        ] {
            assert_eq!(row(text, literals).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn broken_rows_are_told() {
        for text in
            ["(UID 0)", "(UID x)", "(UID 1", "UID 1", "(UID 1 BODY[] {3}\r\n)", "(BODY[] )", "(UID 99999999999)"]
        {
            assert_eq!(row(text, &[]), None, "{text}");
        }
    }

    #[test]
    fn everything_else() {
        let found = |set: &str| Untagged::Search(UidSet::read(set.as_bytes()).unwrap_or_default());
        for (text, expected) in [
            ("* FLAGS (\\Seen)", Untagged::Flags(Marks::of(Flags::SEEN))),
            ("* FLAGS x", Untagged::Broken),
            ("*  12 EXISTS", Untagged::Exists(12)),
            ("* 3 expunge", Untagged::Expunge(3)),
            ("* SEARCH", found("")),
            ("* SEARCH 4294967295 2 (MODSEQ 9)", found("2,4294967295")),
            ("* SEARCH 3 4 5 1 2 5", found("1:5")),
            ("* SEARCH x", Untagged::Broken),
            ("* ESEARCH (TAG \"A1\") UID ALL 9,1:3", found("1:3,9")),
            ("* ESEARCH UID COUNT 4 ALL 1:3,9 MODSEQ 12", found("1:3,9")),
            ("* esearch (TAG \"A1) (\") uid", found("")),
            ("* ESEARCH (TAG \"A1\") UID X-NEW (1 (2)) ALL 1", found("1")),
            // Not UIDs.
            ("* ESEARCH (TAG \"A1\") ALL 1:3", Untagged::Broken),
            ("* ESEARCH (TAG \"A1\")", Untagged::Broken),
            ("* ESEARCH (TAG \"A1\") UID ALL", Untagged::Broken),
            ("* ESEARCH (TAG \"A1\") UID ALL 1:*", Untagged::Broken),
            ("* NOOP", Untagged::Other),
            ("* 99999999999 EXISTS", Untagged::Other),
            ("* CAPABILITY IMAP4rev2", Untagged::Capability(Capabilities::of(b"IMAP4rev2"))),
        ] {
            assert_eq!(Untagged::of(&frame(text, &[])), expected, "{text}");
        }
        assert!(matches!(Untagged::of(&frame("* BYE now", &[])), Untagged::Status(_)));
    }

    proptest! {
        #[test]
        fn random_text_never_panics(text in "(\\* (1 FETCH |LIST |SEARCH |ESEARCH |STATUS x \\(|NAMESPACE \\()?)?[ -~]{0,40}", literal in ".{0,4}") {
            let frame = frame(&text, &[&literal]);
            prop_assert!(!matches!(Untagged::of(&frame), Untagged::Exists(n) if n.to_string().len() > text.len()));
        }
    }
}
