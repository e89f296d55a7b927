//! Commands about folders: LIST, STATUS, APPEND, SELECT and EXAMINE.

use super::{Outcome, Selected, Session};
use crate::support::server::Folder;
use imap_codec::imap_types::flag::Flag;
use imap_codec::imap_types::mailbox::{ListMailbox, Mailbox};
use imap_codec::imap_types::status::StatusDataItemName;
use mailferry::mail::{decode_utf7, encode_utf7};
use std::io;

impl Session {
    pub(super) fn list(&mut self, reference: &Mailbox<'_>, pattern: &ListMailbox<'_>) -> io::Result<Outcome> {
        let pattern = match pattern {
            ListMailbox::Token(s) => s.as_ref().to_vec(),
            ListMailbox::String(s) => s.as_ref().to_vec(),
        };
        let pattern = String::from_utf8_lossy(&pattern).into_owned();
        let mut lines = String::new();
        {
            let mailbox = self.wire.shared.mailbox();
            let separator = mailbox.separator;
            let shown = if separator == '\\' { "\\\\".to_owned() } else { separator.to_string() };
            if pattern.is_empty() {
                lines.push_str(&format!("* LIST (\\Noselect) \"{shown}\" \"\"\r\n"));
            }
            let pattern: Vec<char> = format!("{}{pattern}", name(reference)).chars().collect();
            for folder in &mailbox.folders {
                let wire_name = encode_utf7(&folder.name);
                let chars: Vec<char> = wire_name.chars().collect();
                if covers(&pattern, &chars, separator) {
                    let quoted = wire_name.replace('\\', "\\\\").replace('"', "\\\"");
                    lines.push_str(&format!("* LIST ({}) \"{shown}\" \"{quoted}\"\r\n", folder.attributes.join(" ")));
                }
            }
        }
        self.wire.send(lines.as_bytes())?;
        Ok(Outcome::ok("all listed"))
    }

    pub(super) fn status(&mut self, mailbox: &Mailbox<'_>, items: &[StatusDataItemName]) -> io::Result<Outcome> {
        let mut told = Vec::new();
        let line = {
            let all = self.wire.shared.mailbox();
            let Some(folder) = all.folder(&utf8(mailbox)).filter(|f| is_selectable(f)) else {
                return Ok(Outcome::no("[NONEXISTENT] no such folder"));
            };
            for item in items {
                told.push(match item {
                    StatusDataItemName::Messages => format!("MESSAGES {}", folder.messages.len()),
                    StatusDataItemName::Recent => "RECENT 0".to_owned(),
                    StatusDataItemName::UidNext => format!("UIDNEXT {}", folder.uidnext),
                    StatusDataItemName::UidValidity => format!("UIDVALIDITY {}", folder.uidvalidity),
                    StatusDataItemName::Unseen => {
                        format!("UNSEEN {}", folder.messages.iter().filter(|m| !m.has("\\Seen")).count())
                    }
                    _ => return Ok(Outcome::bad("no such item")),
                });
            }
            format!("* STATUS \"{}\" ({})\r\n", encode_utf7(&folder.name), told.join(" "))
        };
        self.wire.send(line.as_bytes())?;
        Ok(Outcome::ok("that is how it stands"))
    }

    pub(super) fn select(&mut self, mailbox: &Mailbox<'_>, read_only: bool) -> io::Result<Outcome> {
        self.selected = None;
        let wanted = utf8(mailbox);
        let (lines, view) = {
            let all = self.wire.shared.mailbox();
            let Some(folder) = all.folder(&wanted).filter(|f| is_selectable(f)) else {
                return Ok(Outcome::no("[NONEXISTENT] no such folder"));
            };
            let permanent = if read_only { "" } else { "\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*" };
            let lines = format!(
                "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* OK [PERMANENTFLAGS ({permanent})] these stay\r\n\
                 * {} EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY {}] valid\r\n* OK [UIDNEXT {}] next\r\n",
                folder.messages.len(),
                folder.uidvalidity,
                folder.uidnext,
            );
            (lines, folder.messages.iter().map(|m| m.uid).collect())
        };
        self.wire.send(lines.as_bytes())?;
        self.selected = Some(Selected { folder: wanted, view, read_only });
        Ok(Outcome::ok(if read_only { "[READ-ONLY] open" } else { "[READ-WRITE] open" }))
    }

    pub(super) fn append(&mut self, mailbox: &Mailbox<'_>, flags: &[Flag<'_>], bytes: &[u8]) -> io::Result<Outcome> {
        let said = {
            let mut all = self.wire.shared.mailbox();
            let keeps = all.keeps_keywords;
            let wanted = utf8(mailbox);
            if !all.folder(&wanted).is_some_and(is_selectable) {
                return Ok(Outcome::no("[TRYCREATE] no such folder"));
            }
            let folder = all.folder_mut(&wanted);
            let message = folder.add(bytes);
            message.flags = flags.iter().map(Flag::to_string).filter(|f| keeps || f.starts_with('\\')).collect();
            let uid = message.uid;
            format!("[APPENDUID {} {uid}] added", folder.uidvalidity)
        };
        self.tell_changes()?;
        Ok(Outcome::ok(if self.offers("UIDPLUS") { &said } else { "added" }))
    }
}

fn is_selectable(folder: &Folder) -> bool {
    !folder.attributes.iter().any(|a| a.eq_ignore_ascii_case("\\Noselect"))
}

fn name(mailbox: &Mailbox<'_>) -> String {
    match mailbox {
        Mailbox::Inbox => "INBOX".to_owned(),
        Mailbox::Other(other) => String::from_utf8_lossy(other.inner().as_ref()).into_owned(),
    }
}

fn utf8(mailbox: &Mailbox<'_>) -> String {
    let wire_name = name(mailbox);
    decode_utf7(&wire_name).unwrap_or(wire_name)
}

/// Whether a LIST pattern covers a name: `*` is anything, `%` anything within one level.
fn covers(pattern: &[char], name: &[char], separator: char) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((wild @ ('*' | '%'), rest)) => {
            let reach = match wild {
                '*' => name.len(),
                _ => name.iter().position(|c| *c == separator).unwrap_or(name.len()),
            };
            (0..=reach).any(|n| covers(rest, &name[n..], separator))
        }
        Some((c, rest)) => name.split_first().is_some_and(|(d, tail)| c == d && covers(rest, tail, separator)),
    }
}
