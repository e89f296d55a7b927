//! What a server says it can do (RFC 9051 section 6.1.1).

use std::collections::BTreeSet;

/// The capabilities a server announced, in upper case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities(BTreeSet<String>);

impl Capabilities {
    /// Reads the words behind `CAPABILITY`.
    pub fn of(words: &[u8]) -> Capabilities {
        let words = words.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty());
        Capabilities(words.map(|w| String::from_utf8_lossy(w).to_ascii_uppercase()).collect())
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// STARTTLS.
    pub fn can_start_tls(&self) -> bool {
        self.has("STARTTLS")
    }

    /// LOGINDISABLED: the server refuses LOGIN on this connection.
    pub fn forbids_login(&self) -> bool {
        self.has("LOGINDISABLED")
    }

    /// SASL-IR (RFC 4959): AUTHENTICATE takes the first response along.
    pub fn can_initial_response(&self) -> bool {
        self.has("SASL-IR") || self.has("IMAP4REV2")
    }

    /// UIDPLUS (RFC 4315): UID EXPUNGE removes just the messages it names.
    pub fn can_uid_expunge(&self) -> bool {
        self.has("UIDPLUS") || self.has("IMAP4REV2")
    }

    /// ID (RFC 2971).
    pub fn can_id(&self) -> bool {
        self.has("ID")
    }

    /// The SASL mechanisms by name.
    pub fn mechanisms(&self) -> Vec<String> {
        self.0.iter().filter_map(|c| c.strip_prefix("AUTH=")).map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_answer_questions() {
        let caps = Capabilities::of(b" IMAP4rev1  Auth=Plain AUTH=SCRAM-SHA-256 sasl-ir uidplus ID STARTTLS ");
        assert!(caps.can_initial_response() && caps.can_uid_expunge() && caps.can_id() && caps.can_start_tls());
        assert!(!caps.forbids_login());
        assert_eq!(caps.mechanisms(), ["PLAIN", "SCRAM-SHA-256"]);
        let rev2 = Capabilities::of(b"IMAP4rev2 LOGINDISABLED");
        assert!(rev2.can_uid_expunge() && rev2.can_initial_response() && rev2.forbids_login() && !rev2.can_id());
    }
}
