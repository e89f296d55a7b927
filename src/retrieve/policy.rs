//! What an account's owner wants pulled and kept.

use crate::mail::FolderPattern;
use std::time::Duration;

/// How long messages stay on the server once they are safe here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// For ever.
    Always,
    /// Not at all: deleted as soon as they are durable in the store.
    Never,
    /// This long after they were first seen here.
    For(Duration),
}

impl Keep {
    /// When a message first seen then is to leave the server, if ever; both in seconds since 1970 UTC.
    pub fn due(self, first_seen: i64) -> Option<i64> {
        match self {
            Keep::Always => None,
            Keep::Never => Some(i64::MIN),
            Keep::For(time) => Some(first_seen.saturating_add(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))),
        }
    }

    /// Whether it is to leave now.
    pub fn is_due(self, first_seen: i64, now: i64) -> bool {
        self.due(first_seen).is_some_and(|due| due <= now)
    }
}

/// The `[accounts.NAME.pull]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What happens on the server.
    pub keep: Keep,
    /// Which folders are pulled; IMAP only.
    pub folders: Vec<FolderPattern>,
    /// Octets; larger messages are skipped and reported.
    pub max_size: Option<u64>,
}
