//! What an account remembers between runs: one SQLite database and one lock file an account.
//!
//! `docs/state.md` describes the tables, so that other programs can read them.

mod ledger;
mod lock;
mod pair;
mod record;
mod schema;

pub use ledger::Ledger;
pub use lock::Lock;
pub use pair::{Adoption, Facts, Intent, IntentId, Leftover, Pair, Why};
pub use record::{Arrival, Finding, Folder, FolderId, FolderStatus, Paired, Quarantined, Row, RowId, Run, Status};

use std::path::{Path, PathBuf};

/// Where the state of one account stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    folder: PathBuf,
    name: String,
}

impl Home {
    /// The state of `account` under `state_dir`; the name must be fit for a file name.
    pub fn new(state_dir: &Path, account: &str) -> Home {
        Home { folder: state_dir.join("accounts"), name: account.to_owned() }
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.folder.join(format!("{}.sqlite", self.name))
    }

    /// The lock file; it stays where it is, only the kernel's lock on it counts.
    pub fn lock_file(&self) -> PathBuf {
        self.folder.join(format!("{}.lock", self.name))
    }
}
