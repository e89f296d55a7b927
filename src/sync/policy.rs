//! What an account's owner wants synced, and in which direction.

use crate::mail::{FolderName, Side};
use crate::state::Why;
use std::time::Duration;

/// The sides that a kind of change travels to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Travel {
    /// From either side to the other.
    #[default]
    Both,
    /// To this machine only.
    Local,
    /// To the server only.
    Remote,
    /// Nowhere.
    None,
}

impl Travel {
    /// Whether a change made across is made on this side too.
    pub fn reaches(self, side: Side) -> bool {
        match self {
            Travel::Both => true,
            Travel::Local => side == Side::Local,
            Travel::Remote => side == Side::Remote,
            Travel::None => false,
        }
    }
}

/// The `[accounts.NAME.sync]` table, as it holds for one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Where new messages and folders are copied to.
    pub create: Travel,
    /// Where deletions of messages travel to.
    pub delete: Travel,
    /// Where changes of flags and keywords travel to.
    pub marks: Travel,
    /// Where deletions and new names of folders travel to.
    pub remove_folders: Travel,
    /// Octets; larger messages are not copied, and left where they are.
    pub max_size: Option<u64>,
    /// Older messages are not copied, and left where they are.
    pub max_age: Option<Duration>,
    /// Where messages go instead of being removed for good, on either side; those of the folder itself are removed.
    pub trash: Option<FolderName>,
}

impl Policy {
    /// Why a message of so many octets, received then, is not copied to a side. `now` and `received_at` are in seconds since
    /// 1970 UTC.
    pub fn why_not(&self, to: Side, octets: Option<u64>, received_at: Option<i64>, now: i64) -> Option<Why> {
        let is_old = |at: i64| self.max_age.is_some_and(|age| now.saturating_sub(at) > age.as_secs() as i64);
        if !self.create.reaches(to) {
            Some(Why::OneWay)
        } else if to == Side::Remote && octets == Some(0) {
            Some(Why::Empty)
        } else if self.max_size.zip(octets).is_some_and(|(most, size)| size > most) {
            Some(Why::TooLarge)
        } else if received_at.is_some_and(is_old) {
            Some(Why::TooOld)
        } else {
            None
        }
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            create: Travel::Both,
            delete: Travel::Both,
            marks: Travel::Both,
            remove_folders: Travel::None,
            max_size: None,
            max_age: None,
            trash: None,
        }
    }
}
