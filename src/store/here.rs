//! A mailbox on this machine, of whatever kind.

use super::{Maildir, Mbox, Spec, StoreKind};
use crate::error::Result;
use std::path::PathBuf;

/// A mailbox of a store; `None` where it does not stand, and is not to be made.
#[derive(Debug)]
pub enum Here {
    /// A Maildir.
    Maildir(Option<Maildir>),
    /// An mbox.
    Mbox(Option<Mbox>),
}

impl Spec {
    /// The mailbox at one of the store's [paths](Self::standing_path), made where it is missing; or as it stands.
    pub fn mailbox(&self, path: PathBuf, make: bool) -> Result<Here> {
        let ends = self.line_endings;
        Ok(match (self.kind, make) {
            (StoreKind::Maildir, true) => Here::Maildir(Some(Maildir::open(path, ends)?)),
            (StoreKind::Maildir, false) => Here::Maildir(Maildir::standing(path, ends)),
            (StoreKind::Mbox, true) => Here::Mbox(Some(Mbox::open(path, ends)?)),
            (StoreKind::Mbox, false) => Here::Mbox(Mbox::standing(path, ends)?),
        })
    }
}
