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

/// How folders lie under the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// `PATH/INBOX`, `PATH/Lists/rust`.
    #[default]
    Nested,
    /// `PATH` is INBOX, `PATH/.Lists.rust`.
    MaildirPlusPlus,
    /// `PATH` is the one mailbox, whatever its folder is called: POP3, and a URL pulled into an mbox.
    Single,
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
    /// The mailbox itself, or the root of the folder tree, as the layout says.
    pub path: PathBuf,
    /// How folders lie under the path.
    pub layout: Layout,
    /// Line ends of stored messages.
    pub line_endings: LineEndings,
}
