//! What a scripted server holds and how it behaves, as data.

use super::fault::Fault;
use super::mailbox::Mailbox;
use crate::support::certificate::Certificate;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::time::Duration;

/// How one server behaves. Build it with [`Script::holding`], then change what the test is about.
#[derive(Debug, Clone)]
pub struct Script {
    pub user: String,
    pub password: String,
    /// What the server starts with; POP3 serves its INBOX.
    pub mailbox: Mailbox,
    pub certificate: Certificate,
    /// Capabilities that are neither named nor obeyed, in upper case: `CAPA`, `UIDL`, `TOP`, `PIPELINING`, `STLS`, `APOP`, `USER`,
    /// `SASL`; `STARTTLS`, `UIDPLUS`, `LITERAL+`, `SASL-IR`, `ID`, `UNSELECT`, `AUTH=PLAIN`, `LOGIN` (then LOGINDISABLED is named).
    pub without: Vec<String>,
    /// Lines that the POP3 capability list has on top, such as `LOGIN-DELAY 60`.
    pub pop3_extra: Vec<String>,
    /// Names that the IMAP capability list has on top.
    pub imap_extra: Vec<String>,
    /// IMAP greets with PREAUTH, as somebody would who strips STARTTLS.
    pub preauth: bool,
    pub slow: Option<Slow>,
    pub faults: Vec<Fault>,
}

/// A slow line: a pause before each chunk that is sent.
#[derive(Debug, Clone, Copy)]
pub struct Slow {
    pub chunk: usize,
    pub delay: Duration,
}

impl Script {
    /// A well-behaved server whose INBOX holds these messages (bytes as on the wire).
    pub fn holding<M: Into<Vec<u8>>>(messages: impl IntoIterator<Item = M>) -> Script {
        let mut mailbox = Mailbox::default();
        for m in messages {
            mailbox.folder_mut("INBOX").add(m);
        }
        Script {
            user: "ada".to_owned(),
            password: "s3cret-Pa55".to_owned(),
            mailbox,
            certificate: Certificate::Good,
            without: Vec::new(),
            pop3_extra: Vec::new(),
            imap_extra: Vec::new(),
            preauth: false,
            slow: None,
            faults: Vec::new(),
        }
    }

    /// Adds a fault.
    pub fn fault(mut self, fault: Fault) -> Script {
        self.faults.push(fault);
        self
    }

    /// Takes a capability away.
    pub fn without(mut self, name: &str) -> Script {
        self.without.push(name.to_ascii_uppercase());
        self
    }

    /// Serves another certificate.
    pub fn certificate(mut self, certificate: Certificate) -> Script {
        self.certificate = certificate;
        self
    }

    /// The user of a response to AUTH PLAIN in base64, and whether the password is right.
    pub(super) fn judge_plain(&self, response: &str) -> (String, bool) {
        let bytes = STANDARD.decode(response).unwrap_or_default();
        let mut parts = bytes.split(|b| *b == 0).skip(1);
        let user = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
        (user, parts.next() == Some(self.password.as_bytes()))
    }

    pub(super) fn offers(&self, name: &str) -> bool {
        !self.without.iter().any(|w| w == name)
    }
}
