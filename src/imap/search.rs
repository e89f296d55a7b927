//! Which messages of the open folder have something in common.

use super::command::Command;
use super::folder::ImapFolder;
use super::response::Untagged;
use super::session::Link;
use super::set::UidSet;
use super::status::Condition;
use crate::error::Result;

impl<S: Link> ImapFolder<'_, S> {
    /// The messages that search keys (RFC 9051 section 6.4.4) select; `None` where the answer makes no sense. The server is
    /// asked for them as a set (RFC 4731) where it can tell them so.
    pub(super) async fn search(&mut self, keys: &str) -> Result<Option<UidSet>> {
        let mut found = Found::default();
        let mut done = false;
        if self.capabilities.can_esearch() {
            let command = Command::new(format!("UID SEARCH RETURN (ALL) {keys}"));
            done = self.session.attempt(command, |u| found.take(&u)).await?.condition == Condition::Ok;
        }
        // Some servers offer what they then refuse, or do not do.
        if !(done && (found.told || found.broken)) {
            let doing = format!("search {}", self.source.folder);
            self.exec(&format!("UID SEARCH {keys}"), &doing, |u| found.take(&u)).await?;
        }
        Ok((!found.broken).then(|| UidSet::of(found.ranges)))
    }
}

#[derive(Default)]
struct Found {
    told: bool,
    broken: bool,
    ranges: Vec<(u32, u32)>,
}

impl Found {
    fn take(&mut self, u: &Untagged<'_>) {
        match u {
            Untagged::Search(set) => {
                self.told = true;
                self.ranges.extend(set.ranges());
            }
            Untagged::Broken => self.broken = true,
            _ => {}
        }
    }
}
