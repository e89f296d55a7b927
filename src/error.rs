//! The one error type of the engine: what failed, how far the damage reaches, and what to do next.

use std::fmt;
use std::time::Duration;

/// What kind of failure it was; each kind has its exit code (the numbers of sysexits.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line asks for something impossible.
    Usage,
    /// Messages were left that somebody has to make room for, or allow; all else was done.
    Left,
    /// More would be deleted than is likely to be meant; nothing was.
    Guard,
    /// Data that should be sound is not.
    Data,
    /// The server cannot be used: certificate refused, TLS failed, a needed capability is missing.
    Unavailable,
    /// A local file or folder cannot be created.
    CannotCreate,
    /// A local file cannot be read or written.
    LocalIo,
    /// The same call may succeed later: network, time-out, throttled, in use, locked.
    TryLater,
    /// The server broke the protocol.
    Protocol,
    /// The log-in was refused.
    Login,
    /// The configuration is wrong.
    Config,
}

impl Kind {
    /// The exit code of the contract.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Usage => 64,
            Kind::Left => 2,
            Kind::Guard => 3,
            Kind::Data => 65,
            Kind::Unavailable => 69,
            Kind::CannotCreate => 73,
            Kind::LocalIo => 74,
            Kind::TryLater => 75,
            Kind::Protocol => 76,
            Kind::Login => 77,
            Kind::Config => 78,
        }
    }
}

/// How much of the work an error ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// This folder; the next one may well work on the same connection.
    Folder,
    /// This account; other accounts go on.
    Account,
}

/// When the same step may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// A later run may succeed without any change.
    Later,
    /// Somebody has to change something first.
    Never,
}

/// A failure with its remedy. Displays as `what failed: cause`; the remedy is shown apart, after it.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    scope: Scope,
    what: String,
    remedy: String,
    pause: Option<Duration>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of every fallible step of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that ends its account. `what` says what failed and where; `remedy` is a sentence that says what to do next.
    pub fn new(kind: Kind, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Error { kind, scope: Scope::Account, what: what.into(), remedy: remedy.into(), pause: None, source: None }
    }

    /// The same for another one who has to know; its causes are words now.
    #[must_use]
    pub fn told_again(&self) -> Error {
        let (what, remedy) = (self.to_string(), self.remedy.clone());
        Error { kind: self.kind, scope: self.scope, what, remedy, pause: self.pause, source: None }
    }

    /// Narrows the damage to the folder at hand.
    #[must_use]
    pub fn folder(mut self) -> Self {
        self.scope = Scope::Folder;
        self
    }

    /// Adds how long the server wants to be left alone, where it said so.
    #[must_use]
    pub fn pausing(mut self, pause: Option<Duration>) -> Self {
        self.pause = pause;
        self
    }

    /// Adds the underlying cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A local read or write that failed; `doing` names the act and the path.
    pub fn local_io(doing: impl Into<String>, source: std::io::Error) -> Self {
        let remedy = match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                "Free some space, then run again; nothing was deleted on the server."
            }
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                "Make it writable for this user, then run again; nothing was deleted on the server."
            }
            _ => "Mend the cause, then run again; nothing was deleted on the server.",
        };
        Error::new(Kind::LocalIo, doing, remedy).because(source)
    }

    /// Whether a disk was full, or a quota used up.
    pub fn is_of_space(&self) -> bool {
        let cause = self.source.as_ref().and_then(|e| e.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
        matches!(cause, Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded))
    }

    /// The same, with what it quotes of a server (see [`quoted`]) put through `f`.
    #[must_use]
    pub fn requoted(mut self, f: impl Fn(&str) -> String) -> Self {
        // A server may use the marks too, so everything from the first to the last is taken for its words.
        if let Some((before, opened)) = self.what.split_once('\u{201c}')
            && let Some((theirs, behind)) = opened.rsplit_once('\u{201d}')
        {
            self.what = format!("{before}\u{201c}{}\u{201d}{behind}", f(theirs));
        }
        self
    }

    /// Adds a sentence to the remedy.
    #[must_use]
    pub fn advising(mut self, advice: &str) -> Self {
        self.remedy.push(' ');
        self.remedy.push_str(advice);
        self
    }

    /// The same, with its remedy put through `f`.
    #[must_use]
    pub fn remedied(mut self, f: impl Fn(&str) -> String) -> Self {
        self.remedy = f(&self.remedy);
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How much of the work it ends.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// When the same step may be tried again.
    pub fn retry(&self) -> Retry {
        match self.kind {
            Kind::TryLater | Kind::Protocol | Kind::LocalIo | Kind::CannotCreate => Retry::Later,
            Kind::Usage | Kind::Left | Kind::Guard | Kind::Data | Kind::Unavailable | Kind::Login | Kind::Config => {
                Retry::Never
            }
        }
    }

    /// How long the server wants to be left alone.
    pub fn pause(&self) -> Option<Duration> {
        self.pause
    }

    /// One sentence or more that says what to do next.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut cause = self.source.as_deref().map(|s| s as &dyn std::error::Error);
        while let Some(c) = cause {
            write!(f, ": {c}")?;
            cause = c.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Server text made fit for a message: control characters removed, cut at 200 characters.
pub fn quoted(server_text: &[u8]) -> String {
    let text = String::from_utf8_lossy(server_text);
    let clean: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    format!("\u{201c}{}\u{201d}", clean.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_what_failed_and_every_cause() {
        let io = std::io::Error::new(std::io::ErrorKind::StorageFull, "no space left");
        let e = Error::local_io("cannot write /m/tmp/1", io);
        assert_eq!(e.to_string(), "cannot write /m/tmp/1: no space left");
        assert_eq!((e.kind().exit_code(), e.scope(), e.retry()), (74, Scope::Account, Retry::Later));
        assert!(e.remedy().starts_with("Free some space"));
    }

    #[test]
    fn only_what_a_server_said_is_requoted() {
        let upper = |what: &str| Error::new(Kind::Login, what, "r").requoted(str::to_uppercase).to_string();
        assert_eq!(upper("mx said \u{201c}no\u{201d}"), "mx said \u{201c}NO\u{201d}");
        assert_eq!(upper("a \u{201c}b\u{201d} c (\u{201c}d\u{201d})"), "a \u{201c}B\u{201d} C (\u{201c}D\u{201d})");
        assert_eq!(upper("mx said \u{201c}a\u{201d}b\u{201d}."), "mx said \u{201c}A\u{201d}B\u{201d}.");
        assert_eq!(upper("nothing"), "nothing");
    }

    #[test]
    fn server_text_is_quoted_without_control_characters() {
        assert_eq!(quoted(b"bad \x1b[31mred\r\n"), "\u{201c}bad [31mred\u{201d}");
        assert!(quoted(&[b'x'; 999]).chars().count() == 202);
    }
}
