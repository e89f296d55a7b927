//! Commands about the messages of the selected folder.

use super::fetch::{self, Item, Piece};
use super::set::{View, found, resolve};
use super::{Outcome, Selected, Session};
use crate::support::server::wire::Verdict;
use imap_codec::imap_types::command::CommandBody;
use imap_codec::imap_types::flag::{Flag, StoreResponse, StoreType};
use imap_codec::imap_types::search::SearchKey;
use std::io;

impl Session {
    pub(super) fn on_selected(&mut self, body: CommandBody<'_>) -> io::Result<Outcome> {
        let Some(selected) = &self.selected else { return Ok(Outcome::bad("select a folder first")) };
        let (view, read_only) = (selected.view.clone(), selected.read_only);
        match body {
            CommandBody::Fetch { sequence_set, macro_or_item_names, uid } => {
                match fetch::items(&macro_or_item_names, uid) {
                    Some(items) => self.fetch(&resolve(&sequence_set, &view, uid), &items, &view, uid),
                    None => Ok(Outcome::bad("an item I do not know")),
                }
            }
            CommandBody::Search { criteria, uid, .. } => self.search(criteria.as_ref(), &view, uid),
            CommandBody::Store { .. } | CommandBody::Expunge | CommandBody::ExpungeUid { .. } if read_only => {
                Ok(Outcome::no("[READ-ONLY] the folder is open for reading only"))
            }
            CommandBody::Store { sequence_set, kind, response, flags, uid } => {
                self.store(&resolve(&sequence_set, &view, uid), &kind, &flags)?;
                if response == StoreResponse::Answer {
                    let items = if uid { vec![Item::Uid, Item::Flags] } else { vec![Item::Flags] };
                    return self.fetch(&resolve(&sequence_set, &view, uid), &items, &view, uid);
                }
                Ok(Outcome::ok("stored"))
            }
            CommandBody::Expunge => self.expunge(&view),
            CommandBody::ExpungeUid { sequence_set } => self.expunge(&resolve(&sequence_set, &view, true)),
            CommandBody::Close => {
                if !read_only {
                    self.remove_deleted(&view);
                }
                self.selected = None;
                Ok(Outcome::ok("closed"))
            }
            CommandBody::Unselect => {
                self.selected = None;
                Ok(Outcome::ok("left as it was"))
            }
            _ => Ok(Outcome::bad("not offered here")),
        }
    }

    fn fetch(&mut self, uids: &[u32], items: &[Item], view: &View, by_uid: bool) -> io::Result<Outcome> {
        let name = if by_uid { "UID FETCH" } else { "FETCH" };
        let marks_seen = items.iter().any(Item::marks_seen);
        let wants_whole = items.iter().any(Item::is_whole);
        let mut refused = None;
        for uid in uids {
            let Some(Selected { folder, read_only, .. }) = &self.selected else { break };
            let (message, told_size) = {
                let mut mailbox = self.wire.shared.mailbox();
                let Some(message) = mailbox.folder_mut(folder).message_mut(*uid) else { continue };
                if marks_seen && !read_only {
                    message.flag("\\Seen");
                }
                let message = message.clone();
                let size = mailbox.told_size(message.bytes.len());
                (message, size)
            };
            if wants_whole {
                match self.wire.received_for(name, *uid)? {
                    Verdict::Go => {}
                    Verdict::Said => continue,
                    other => {
                        refused = Some(other);
                        continue;
                    }
                }
            }
            let number = view.binary_search(uid).map_or(0, |i| i + 1);
            for piece in fetch::line(number, &message, told_size, items) {
                match piece {
                    Piece::Plain(bytes) => self.wire.send(&bytes)?,
                    Piece::Content(from, bytes) => self.wire.send_content(*uid, from, &bytes)?,
                }
            }
            if wants_whole {
                self.wire.answered_for(name, *uid)?;
            }
        }
        Ok(refused.map_or_else(|| Outcome::ok("fetched"), Outcome::from))
    }

    fn search(&mut self, keys: &[SearchKey<'_>], view: &View, by_uid: bool) -> io::Result<Outcome> {
        let Some(selected) = &self.selected else { return Ok(Outcome::bad("select a folder first")) };
        let mut line = b"* SEARCH".to_vec();
        {
            let mut mailbox = self.wire.shared.mailbox();
            let folder = mailbox.folder_mut(&selected.folder);
            for (number, uid) in (1..).zip(view) {
                let Some(message) = folder.message(*uid) else { continue };
                match found(keys, message, view) {
                    Some(true) => {
                        let n: u32 = if by_uid { *uid } else { number };
                        line.extend_from_slice(format!(" {n}").as_bytes());
                    }
                    Some(false) => {}
                    None => return Ok(Outcome::bad("a search key I do not know")),
                }
            }
        }
        line.extend_from_slice(b"\r\n");
        self.wire.send(&line)?;
        Ok(Outcome::ok("searched"))
    }

    fn store(&mut self, uids: &[u32], kind: &StoreType, flags: &[Flag<'_>]) -> io::Result<()> {
        let Some(selected) = &self.selected else { return Ok(()) };
        let mut mailbox = self.wire.shared.mailbox();
        let keeps = |name: &String| mailbox.keeps_keywords || name.starts_with('\\');
        let names: Vec<String> = flags.iter().map(Flag::to_string).filter(keeps).collect();
        let folder = mailbox.folder_mut(&selected.folder);
        for uid in uids {
            let Some(message) = folder.message_mut(*uid) else { continue };
            match kind {
                StoreType::Replace => message.flags = names.iter().cloned().collect(),
                StoreType::Add => message.flags.extend(names.iter().cloned()),
                StoreType::Remove => message.flags.retain(|f| !names.iter().any(|n| n.eq_ignore_ascii_case(f))),
            }
        }
        Ok(())
    }

    fn expunge(&mut self, among: &[u32]) -> io::Result<Outcome> {
        self.remove_deleted(among);
        self.tell_changes()?;
        Ok(Outcome::ok("expunged"))
    }

    fn remove_deleted(&mut self, among: &[u32]) {
        if let Some(selected) = &self.selected {
            let mut mailbox = self.wire.shared.mailbox();
            let folder = mailbox.folder_mut(&selected.folder);
            folder.messages.retain(|m| !m.has("\\Deleted") || !among.contains(&m.uid));
        }
    }

    /// Tells what has gone from and come to the selected folder.
    pub(super) fn tell_changes(&mut self) -> io::Result<()> {
        let Some(selected) = &mut self.selected else { return Ok(()) };
        let now: View = {
            let mut mailbox = self.wire.shared.mailbox();
            mailbox.folder_mut(&selected.folder).messages.iter().map(|m| m.uid).collect()
        };
        let mut lines = String::new();
        let mut place = 0;
        selected.view.retain(|uid| {
            let stays = now.binary_search(uid).is_ok();
            match stays {
                true => place += 1,
                false => lines.push_str(&format!("* {} EXPUNGE\r\n", place + 1)),
            }
            stays
        });
        if now.len() != selected.view.len() {
            lines.push_str(&format!("* {} EXISTS\r\n", now.len()));
        }
        selected.view = now;
        self.wire.send(lines.as_bytes())
    }
}
