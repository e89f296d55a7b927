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

    /// MOVE (RFC 6851): UID MOVE.
    pub fn can_move(&self) -> bool {
        self.has("MOVE") || self.has("IMAP4REV2")
    }

    /// CONDSTORE (RFC 7162), or QRESYNC, which implies it.
    pub fn can_condstore(&self) -> bool {
        self.has("CONDSTORE") || self.has("QRESYNC")
    }

    /// QRESYNC (RFC 7162). It has to be enabled.
    pub fn can_qresync(&self) -> bool {
        self.has("QRESYNC")
    }

    /// NAMESPACE (RFC 2342).
    pub fn can_namespace(&self) -> bool {
        self.has("NAMESPACE") || self.has("IMAP4REV2")
    }

    /// QUOTA (RFC 9208).
    pub fn can_quota(&self) -> bool {
        self.has("QUOTA")
    }

    /// The return options of LIST that the server knows (RFC 5258, RFC 5819, RFC 6154); empty where it knows plain LIST only.
    pub fn list_options(&self, status: bool) -> String {
        let rev2 = self.has("IMAP4REV2");
        if !(rev2 || self.has("LIST-EXTENDED")) {
            return String::new();
        }
        let mut options = vec!["SUBSCRIBED".to_owned()];
        if self.has("SPECIAL-USE") {
            options.push("SPECIAL-USE".to_owned());
        }
        if status && (rev2 || self.has("LIST-STATUS")) {
            let modseq = if self.can_condstore() { " HIGHESTMODSEQ" } else { "" };
            options.push(format!("STATUS (MESSAGES UIDNEXT UIDVALIDITY{modseq})"));
        }
        options.join(" ")
    }

    /// Whether a literal of so many octets may be sent without being asked for (RFC 7888).
    pub fn takes_unasked(&self, octets: u64) -> bool {
        self.has("LITERAL+") || (octets <= 4096 && (self.has("LITERAL-") || self.has("IMAP4REV2")))
    }

    /// MULTIAPPEND (RFC 3502): an APPEND takes several messages; here also that it takes them unasked.
    pub fn takes_many(&self) -> bool {
        self.has("MULTIAPPEND") && self.has("LITERAL+")
    }

    /// APPENDLIMIT (RFC 7889): how many octets a message may have that is added, where one number holds for all folders.
    pub fn append_limit(&self) -> Option<u64> {
        self.0.iter().find_map(|c| c.strip_prefix("APPENDLIMIT=")?.parse().ok())
    }

    /// How many messages of a folder the server shows at most: Yahoo and AOL, who have XYMHIGHESTMODSEQ, show the newest
    /// 10,000 and do not count the others.
    pub fn shows_at_most(&self) -> Option<u32> {
        self.has("XYMHIGHESTMODSEQ").then_some(10_000)
    }

    /// ESEARCH (RFC 4731).
    pub fn can_esearch(&self) -> bool {
        self.has("ESEARCH") || self.has("IMAP4REV2")
    }

    /// Folder names are UTF-8 on the wire: a server without IMAP4rev1 knows no other form (RFC 9051 appendix A). One with both
    /// uses modified UTF-7 until it is told otherwise, which it never is here.
    pub fn names_in_utf8(&self) -> bool {
        self.has("IMAP4REV2") && !self.has("IMAP4REV1")
    }

    /// COMPRESS=DEFLATE (RFC 4978).
    pub fn can_compress(&self) -> bool {
        self.has("COMPRESS=DEFLATE")
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
        assert!(!caps.can_move() && !caps.can_condstore() && !caps.can_namespace());
        let rev2 = Capabilities::of(b"IMAP4rev2 LOGINDISABLED");
        assert!(rev2.can_uid_expunge() && rev2.can_initial_response() && rev2.forbids_login() && !rev2.can_id());
    }

    #[test]
    fn lists_ask_for_what_is_offered() {
        for (words, with_status, without) in [
            ("IMAP4rev1", "", ""),
            // Return options are worth nothing without LIST-EXTENDED.
            ("LIST-STATUS SPECIAL-USE", "", ""),
            ("LIST-EXTENDED", "SUBSCRIBED", "SUBSCRIBED"),
            (
                "LIST-EXTENDED LIST-STATUS SPECIAL-USE QRESYNC",
                "SUBSCRIBED SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)",
                "SUBSCRIBED SPECIAL-USE",
            ),
            ("IMAP4rev2", "SUBSCRIBED STATUS (MESSAGES UIDNEXT UIDVALIDITY)", "SUBSCRIBED"),
        ] {
            let caps = Capabilities::of(words.as_bytes());
            assert_eq!((&*caps.list_options(true), &*caps.list_options(false)), (with_status, without), "{words}");
        }
    }

    #[test]
    fn literals_and_their_limits() {
        for (words, taken, limit) in [
            ("IMAP4rev1", [false; 3], None),
            ("LITERAL-", [true, true, false], None),
            ("LITERAL+ LITERAL- APPENDLIMIT", [true; 3], None),
            ("IMAP4rev2 APPENDLIMIT=35651584", [true, true, false], Some(35_651_584)),
        ] {
            let caps = Capabilities::of(words.as_bytes());
            let taken_here = [0, 4096, 4097].map(|octets| caps.takes_unasked(octets));
            assert_eq!((taken_here, caps.append_limit()), (taken, limit), "{words}");
        }
        assert_eq!(Capabilities::of(b"XYMHIGHESTMODSEQ").shows_at_most(), Some(10_000));
        assert_eq!(Capabilities::of(b"CONDSTORE").shows_at_most(), None);
        for (words, many) in [("MULTIAPPEND LITERAL-", false), ("LITERAL+", false), ("multiappend literal+", true)] {
            assert_eq!(Capabilities::of(words.as_bytes()).takes_many(), many, "{words}");
        }
    }
}
