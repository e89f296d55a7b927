//! FETCH data: what is asked for, and how it is written (RFC 9051 sections 6.4.5 and 7.5.2).

use crate::support::server::Message;
use imap_codec::imap_types::fetch::{MacroOrMessageDataItemNames, MessageDataItemName, Section};

/// One item that is asked for of each message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Uid,
    Flags,
    Date,
    Size,
    /// Content under its name in the reply; the part from a byte on, at most so many.
    Content {
        name: String,
        what: Content,
        part: Option<(u32, u32)>,
        peek: bool,
    },
}

/// A section of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Whole,
    Header,
    /// The header fields of these names, or those of other names.
    Fields {
        names: Vec<String>,
        wanted: bool,
    },
    Text,
}

/// A piece of a FETCH line.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Plain(Vec<u8>),
    /// Bytes of the content of the message, from a place in it.
    Content(u64, Vec<u8>),
}

/// What a FETCH asks for, the UID with it where the command is UID FETCH; `None` where this server does not know an item.
pub fn items(asked: &MacroOrMessageDataItemNames<'_>, by_uid: bool) -> Option<Vec<Item>> {
    let names = match asked {
        MacroOrMessageDataItemNames::Macro(m) => m.expand(),
        MacroOrMessageDataItemNames::MessageDataItemNames(names) => names.clone(),
    };
    let mut items = if by_uid { vec![Item::Uid] } else { Vec::new() };
    for name in &names {
        let item = item(name)?;
        if item != Item::Uid || !by_uid {
            items.push(item);
        }
    }
    Some(items)
}

fn item(name: &MessageDataItemName<'_>) -> Option<Item> {
    let (section, partial, peek) = match name {
        MessageDataItemName::Uid => return Some(Item::Uid),
        MessageDataItemName::Flags => return Some(Item::Flags),
        MessageDataItemName::InternalDate => return Some(Item::Date),
        MessageDataItemName::Rfc822Size => return Some(Item::Size),
        MessageDataItemName::BodyExt { section, partial, peek } => (section, partial, *peek),
        _ => return None,
    };
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    let (what, inner) = match section {
        None => (Content::Whole, String::new()),
        Some(Section::Header(None)) => (Content::Header, "HEADER".to_owned()),
        Some(Section::Text(None)) => (Content::Text, "TEXT".to_owned()),
        Some(Section::HeaderFields(None, names)) => {
            let names: Vec<String> = names.as_ref().iter().map(|n| text(n.as_ref())).collect();
            let inner = format!("HEADER.FIELDS ({})", names.join(" "));
            (Content::Fields { names, wanted: true }, inner)
        }
        Some(Section::HeaderFieldsNot(None, names)) => {
            let names: Vec<String> = names.as_ref().iter().map(|n| text(n.as_ref())).collect();
            let inner = format!("HEADER.FIELDS.NOT ({})", names.join(" "));
            (Content::Fields { names, wanted: false }, inner)
        }
        Some(_) => return None,
    };
    let part = partial.map(|(from, length)| (from, length.get()));
    let origin = part.map(|(from, _)| format!("<{from}>")).unwrap_or_default();
    Some(Item::Content { name: format!("BODY[{inner}]{origin}"), what, part, peek })
}

impl Item {
    /// Whether this is `BODY[]`, whole or a part.
    pub fn is_whole(&self) -> bool {
        matches!(self, Item::Content { what: Content::Whole, .. })
    }

    /// Whether asking for it sets `\Seen`.
    pub fn marks_seen(&self) -> bool {
        matches!(self, Item::Content { peek: false, .. })
    }
}

/// The FETCH line of one message with its line end.
pub fn line(number: usize, message: &Message, told_size: u64, items: &[Item]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = format!("* {number} FETCH (").into_bytes();
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            plain.push(b' ');
        }
        match item {
            Item::Uid => plain.extend_from_slice(format!("UID {}", message.uid).as_bytes()),
            Item::Flags => plain.extend_from_slice(flags(message).as_bytes()),
            Item::Date => plain.extend_from_slice(format!("INTERNALDATE \"{}\"", message.date).as_bytes()),
            Item::Size => plain.extend_from_slice(format!("RFC822.SIZE {told_size}").as_bytes()),
            Item::Content { name, what, part, .. } => {
                let content = section(&message.bytes, what);
                let (from, length) = part.map_or((0, usize::MAX), |(f, l)| (f as usize, l as usize));
                let from = from.min(content.len());
                let bytes = content[from..from + length.min(content.len() - from)].to_vec();
                plain.extend_from_slice(format!("{name} {{{}}}\r\n", bytes.len()).as_bytes());
                if *what == Content::Whole {
                    pieces.push(Piece::Plain(std::mem::take(&mut plain)));
                    pieces.push(Piece::Content(from as u64, bytes));
                } else {
                    plain.extend_from_slice(&bytes);
                }
            }
        }
    }
    plain.extend_from_slice(b")\r\n");
    pieces.push(Piece::Plain(plain));
    pieces
}

/// `FLAGS (…)` of a message.
pub fn flags(message: &Message) -> String {
    let names: Vec<&str> = message.flags.iter().map(String::as_str).collect();
    format!("FLAGS ({})", names.join(" "))
}

fn section(message: &[u8], what: &Content) -> Vec<u8> {
    let end = || match message {
        [b'\r', b'\n', ..] => 2,
        _ => memchr::memmem::find(message, b"\r\n\r\n").map_or(message.len(), |i| i + 4),
    };
    match what {
        Content::Whole => message.to_vec(),
        Content::Header => message[..end()].to_vec(),
        Content::Text => message[end()..].to_vec(),
        Content::Fields { names, wanted } => {
            let mut out = Vec::new();
            let mut taking = false;
            for line in message[..end()].split_inclusive(|b| *b == b'\n').filter(|l| *l != b"\r\n") {
                if !line.starts_with(b" ") && !line.starts_with(b"\t") {
                    let name = line.split(|b| *b == b':').next().unwrap_or_default();
                    taking = *wanted == names.iter().any(|n| n.as_bytes().eq_ignore_ascii_case(name.trim_ascii_end()));
                }
                if taking {
                    out.extend_from_slice(line);
                }
            }
            out.extend_from_slice(b"\r\n");
            out
        }
    }
}
