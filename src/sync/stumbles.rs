//! Messages that break the connection again and again: they must not keep all others back.

use crate::mail::Key;
use crate::state::FolderId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// So often may the connection break on the way of a message.
const PATIENCE: usize = 2;

/// On the way of which messages the connection broke in this run, and how often. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stumbles(Arc<Mutex<HashMap<(FolderId, Key), usize>>>);

impl Stumbles {
    /// It broke on the way of this one.
    pub(super) fn at(&self, folder: FolderId, key: &Key) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry((folder, key.clone())).or_default() += 1;
    }

    /// How often it broke on the way of this one; `None` where that was too often.
    pub(super) fn before(&self, folder: FolderId, key: &Key) -> Option<usize> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(all.get(&(folder, key.clone())).copied().unwrap_or_default()).filter(|n| *n < PATIENCE)
    }
}
