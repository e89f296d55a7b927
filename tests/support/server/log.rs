//! What a scripted server was told, and how much it did.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The two protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Pop3,
    Imap,
}

/// One command, or one line of an authentication exchange, as the client sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// From 1, in the order of acceptance over all ports.
    pub connection: u32,
    pub protocol: Protocol,
    /// It came under TLS.
    pub tls: bool,
    /// Without the last line end; literals included; bytes that are no UTF-8 replaced.
    pub text: String,
}

/// Everything heard so far, and counters.
#[derive(Debug, Clone, Default)]
pub struct Log {
    pub heard: Vec<Heard>,
    pub connections: u32,
    /// Successful log-ins.
    pub logins: u32,
    /// How often the content of a message was begun: RETR, or `BODY[]` whole or from its first byte.
    pub retrieved: u32,
    /// Before TLS adds its own.
    pub bytes_sent: u64,
    /// What no client may do, such as pipelining where it is not offered.
    pub violations: Vec<String>,
}

impl Heard {
    /// The command, in upper case and without tag: `RETR`, `UID FETCH`.
    pub fn command(&self) -> String {
        let mut words = self.text.split_ascii_whitespace().map(str::to_ascii_uppercase);
        let first = match self.protocol {
            Protocol::Pop3 => words.next(),
            Protocol::Imap => words.nth(1),
        };
        match (first.unwrap_or_default(), words.next()) {
            (uid, Some(what)) if uid == "UID" && self.protocol == Protocol::Imap => format!("UID {what}"),
            (name, _) => name,
        }
    }
}

impl Log {
    /// How often a command came: `RETR`, `UID FETCH`.
    pub fn count(&self, command: &str) -> usize {
        self.heard.iter().filter(|h| h.command() == command).count()
    }

    /// Whether a secret came, in the clear or in the base64 of AUTH PLAIN and LOGIN.
    pub fn knows(&self, user: &str, password: &str) -> bool {
        Self::betrays(self.heard.iter(), user, password)
    }

    /// The same, outside TLS only.
    pub fn overheard(&self, user: &str, password: &str) -> bool {
        Self::betrays(self.heard.iter().filter(|h| !h.tls), user, password)
    }

    fn betrays<'a>(mut heard: impl Iterator<Item = &'a Heard>, user: &str, password: &str) -> bool {
        let shapes = [password.to_owned(), STANDARD.encode(format!("\0{user}\0{password}")), STANDARD.encode(password)];
        heard.any(|h| shapes.iter().any(|s| h.text.contains(s)))
    }
}
