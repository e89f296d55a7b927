//! Mail providers whose servers are known.

use super::Protocol;
use crate::net::{AuthChoice, Mechanism};

/// What is known of a provider. All of them offer implicit TLS on the standard ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preset {
    imap: &'static str,
    pop3: Option<&'static str>,
    /// How to log in.
    pub auth: AuthChoice,
}

impl Preset {
    /// The host for a protocol; `None` where the provider does not offer it.
    pub fn host(&self, protocol: Protocol) -> Option<&'static str> {
        match protocol {
            Protocol::Imap => Some(self.imap),
            Protocol::Pop3 => self.pop3,
        }
    }
}

const fn preset(imap: &'static str, pop3: Option<&'static str>) -> Preset {
    Preset { imap, pop3, auth: AuthChoice::Auto }
}

/// The presets by name.
pub(super) const PRESETS: &[(&str, Preset)] = &[
    ("fastmail", preset("imap.fastmail.com", Some("pop.fastmail.com"))),
    ("gmail", preset("imap.gmail.com", Some("pop.gmail.com"))),
    ("gmx", preset("imap.gmx.net", Some("pop.gmx.net"))),
    ("icloud", preset("imap.mail.me.com", None)),
    // Microsoft takes no passwords any more.
    (
        "outlook",
        Preset {
            imap: "outlook.office365.com",
            pop3: Some("outlook.office365.com"),
            auth: AuthChoice::Sasl(Mechanism::XOAuth2),
        },
    ),
    ("posteo", preset("posteo.de", Some("posteo.de"))),
    ("yahoo", preset("imap.mail.yahoo.com", Some("pop.mail.yahoo.com"))),
];
