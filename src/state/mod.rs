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

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::{fs, io};

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

    /// Whatever has a state under `state_dir`, by name.
    pub fn names(state_dir: &Path) -> Result<Vec<String>> {
        let folder = state_dir.join("accounts");
        let failed = |e| Error::local_io(format!("cannot read the folder {}", folder.display()), e);
        let entries = match fs::read_dir(&folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.map_err(failed)?.file_name();
            names.extend(file.to_str().and_then(|f| f.strip_suffix(".sqlite")).map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
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
