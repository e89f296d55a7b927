//! Whatever a server may say, for fuzzing.

use super::Imap;
use super::framer::{Frame, Framer};
use super::mailbox::permanent;
use super::names::Names;
use super::response::Untagged;
use super::status::{Status, Text};
use crate::error::Result;
use crate::mail::{Change, FolderPattern, Key, Marks};
use crate::net::AuthChoice;
use crate::net::fuzz::{self, Recorded};
use crate::retrieve::fuzz::Swallow;
use crate::retrieve::{Handle, Retriever};
use crate::store::Mailbox;

/// Single responses.
pub fn responses(data: &[u8]) {
    let (mut framer, mut rest, mut kept) = (Framer::default(), data, 0);
    while !rest.is_empty() {
        let Ok((used, frame)) = framer.feed(rest) else { break };
        assert!(used > 0, "no progress");
        rest = rest.get(used..).unwrap_or_default();
        if let Some(frame) = frame {
            kept += frame.octets();
            read(&frame);
        }
    }
    assert!(kept <= data.len() * 2, "{kept} octets kept of {}", data.len());
}

fn read(frame: &Frame) {
    match Untagged::of(frame) {
        Untagged::Status(status) => text(&status.text),
        Untagged::List(entry) | Untagged::Lsub(entry) => {
            for (prefix, utf8) in [(&b""[..], true), (b"INBOX.", false)] {
                let names = Names { separator: entry.separator, prefix: prefix.to_vec(), utf8 };
                let name = names.name_of(&entry.wire);
                assert!(name.levels().iter().all(|level| !level.is_empty()), "an empty level");
                let _ = names.wire_of(&name);
            }
        }
        _ => {}
    }
    if let Some(status) = Status::of_completion(frame) {
        text(&status.text);
    }
}

fn text(text: &Text) {
    permanent(&text.arguments);
    assert!(text.appended(3).is_none_or(|(_, uids)| uids.len() == 3), "APPENDUID of another number of messages");
    assert!(text.copied(9).is_none_or(|(_, pairs)| pairs.len() <= 9), "COPYUID without end");
    assert!(!text.shown().contains(char::is_control), "control characters for the user");
    let _ = (text.kind(), text.pause(), text.number(), text.long_number());
}

/// A whole session.
pub fn session(data: &[u8]) {
    fuzz::session(data, |stream, server, login| async move {
        let mut imap = Imap::over(stream, &server, &login, AuthChoice::Auto).await?;
        let all: Vec<FolderPattern> = FolderPattern::parse("*").into_iter().collect();
        let tree = imap.tree(false).await?;
        for folder in tree.select(&all).iter().take(2) {
            talk(&mut imap, folder).await?;
        }
        imap.logout().await;
        Ok(())
    });
}

async fn talk(imap: &mut Imap<Recorded>, folder: &super::Folder) -> Result<()> {
    let mut open = imap.mailbox(folder, true).await?;
    let snapshot = open.snapshot().await?;
    let keys: Vec<Key> = snapshot.messages.keys().take(5).cloned().collect();
    let _ = open.identify(&keys).await?;
    let handles: Vec<Handle> = open.list().await?.messages.iter().take(5).map(|m| m.handle).collect();
    open.retrieve(&handles, &mut Swallow::default()).await?;
    let change = Change { add: Marks::of(crate::mail::Flags::SEEN), remove: Marks::default() };
    let edits: Vec<(Key, Change)> = keys.iter().map(|key| (key.clone(), change.clone())).collect();
    let _ = open.edit(&edits).await?;
    let _ = open.relocate(&keys, &folder.name).await?;
    let _ = open.remove(&keys).await?;
    Ok(())
}
