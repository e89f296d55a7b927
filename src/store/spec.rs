//! What kind of store stands where, as the configuration says it.

use std::path::PathBuf;

/// The kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// One file a message, in `tmp`, `new` and `cur`.
    Maildir,
    /// One file a folder (mboxrd).
    Mbox,
}

/// How folders lie under the root of a Maildir tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// `PATH/INBOX`, `PATH/Lists/rust`.
    #[default]
    Nested,
    /// `PATH` is INBOX, `PATH/.Lists.rust`.
    MaildirPlusPlus,
}

/// Line ends of stored messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineEndings {
    /// CRLF from the wire becomes LF.
    #[default]
    Lf,
    /// Bytes as on the wire.
    Crlf,
}

/// A store as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// The kind of store.
    pub kind: StoreKind,
    /// POP3: the mailbox itself; IMAP: the root of the folder tree.
    pub path: PathBuf,
    /// How folders lie under the root.
    pub layout: Layout,
    /// Line ends of stored messages.
    pub line_endings: LineEndings,
}
