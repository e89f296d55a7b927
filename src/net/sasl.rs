//! SASL mechanisms (RFC 4422): their names, and which one to use.

use crate::error::{Error, Kind};
use std::fmt;

/// The `auth` key of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthChoice {
    /// The strongest that the server offers and the secret fits.
    #[default]
    Auto,
    /// This SASL mechanism.
    Sasl(Mechanism),
    /// POP3 APOP (RFC 1939 section 7).
    Apop,
    /// POP3 USER and PASS, IMAP LOGIN.
    UserPass,
}

/// A SASL mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login.
    Login,
    /// RFC 2195.
    CramMd5,
    /// RFC 7677.
    ScramSha256,
    /// Google's XOAUTH2.
    XOAuth2,
    /// RFC 7628.
    OAuthBearer,
}

impl Mechanism {
    /// The name in the IANA registry, as capabilities and commands spell it.
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
            Mechanism::CramMd5 => "CRAM-MD5",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::XOAuth2 => "XOAUTH2",
            Mechanism::OAuthBearer => "OAUTHBEARER",
        }
    }

    /// Whether somebody who listens in learns neither password nor token.
    pub fn hides_secret(self) -> bool {
        matches!(self, Mechanism::ScramSha256 | Mechanism::CramMd5)
    }
}

impl fmt::Display for AuthChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuthChoice::Auto => f.write_str("auto"),
            AuthChoice::Sasl(mechanism) => f.write_str(&mechanism.name().to_ascii_lowercase()),
            AuthChoice::Apop => f.write_str("apop"),
            AuthChoice::UserPass => f.write_str("userpass"),
        }
    }
}

impl AuthChoice {
    /// Whether it can carry an authorization identity beside the name whose password it is (RFC 4422 section 3.4.1), so that
    /// an administrator logs in for somebody else.
    pub fn carries_authzid(self) -> bool {
        matches!(self, AuthChoice::Auto | AuthChoice::Sasl(Mechanism::Plain | Mechanism::ScramSha256))
    }
}

/// Picks the mechanism: the one asked for, or the best of those offered by name; `None` where none of them will do.
/// On a clear line, which exists only where it may carry the secret, those that hide it come first. The OAuth mechanisms
/// are used only when asked for, as they need a token in place of a password. Where an administrator logs in for somebody
/// else (`delegated`), PLAIN comes before SCRAM: it is what servers know for that.
pub fn choose(wanted: AuthChoice, offered: &[String], encrypted: bool, delegated: bool) -> Option<Mechanism> {
    use Mechanism::{CramMd5, Login, Plain, ScramSha256};
    let candidates: &[Mechanism] = match &wanted {
        AuthChoice::Auto if delegated && encrypted => &[Plain, ScramSha256],
        AuthChoice::Auto if delegated => &[ScramSha256, Plain],
        AuthChoice::Sasl(_) if delegated && !wanted.carries_authzid() => &[],
        // CRAM-MD5 obliges the server to keep the password itself, so it is the last choice where the line is safe.
        AuthChoice::Auto if encrypted => &[ScramSha256, Plain, Login, CramMd5],
        AuthChoice::Auto => &[ScramSha256, CramMd5, Plain, Login],
        AuthChoice::Sasl(mechanism) => std::slice::from_ref(mechanism),
        AuthChoice::Apop | AuthChoice::UserPass => &[],
    };
    candidates.iter().copied().find(|m| offered.iter().any(|name| name.eq_ignore_ascii_case(m.name())))
}

/// What to do where the server does not take an access token.
const TOKEN: &str = "Get a new access token: this one may have run out, or be for another user or purpose. A command can print \
                     a fresh one for each run: `password = { command = \"…\" }`.";

/// A refused log-in, with the advice that goes with its mechanism: of an access token, and where the user did not choose the
/// mechanism and it may not be the password's fault.
pub fn advised(e: Error, wanted: AuthChoice, used: Mechanism) -> Error {
    match used {
        Mechanism::XOAuth2 | Mechanism::OAuthBearer if e.kind() == Kind::Login => e.remedied(|_| TOKEN.to_owned()),
        Mechanism::ScramSha256 | Mechanism::CramMd5 if wanted == AuthChoice::Auto && e.kind() == Kind::Login => {
            let name = used.name();
            e.advising(&format!(
                "If these are right, the server may keep the password in a form that {name} cannot work with: with TLS, set \
                 `auth = \"plain\"`."
            ))
        }
        _ => e,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_put_down_to_the_mechanism_only_where_nobody_chose_it() {
        let (auto, scram, plain) = (AuthChoice::Auto, Mechanism::ScramSha256, Mechanism::Plain);
        for (kind, wanted, used, advises) in [
            (Kind::Login, auto, scram, true),
            (Kind::TryLater, auto, scram, false),
            (Kind::Login, auto, plain, false),
            (Kind::Login, AuthChoice::Sasl(scram), scram, false),
        ] {
            let e = advised(Error::new(kind, "refused", "Check it."), wanted, used);
            assert_eq!(e.remedy().contains("SCRAM-SHA-256"), advises, "{kind:?} {wanted} {used:?}");
            assert!(e.remedy().starts_with("Check it."));
        }
    }

    #[test]
    fn a_token_is_not_a_password() {
        for used in [Mechanism::XOAuth2, Mechanism::OAuthBearer] {
            for (kind, remedy) in [(Kind::Login, TOKEN), (Kind::TryLater, "Check it.")] {
                let e = advised(Error::new(kind, "refused", "Check it."), AuthChoice::Sasl(used), used);
                assert_eq!(e.remedy(), remedy, "{kind:?} {used:?}");
            }
        }
    }

    #[test]
    fn picks_the_strongest_that_fits() {
        use Mechanism::*;
        let all = ["XOAUTH2", "OAUTHBEARER", "LOGIN", "plain", "Cram-MD5", "SCRAM-SHA-1", "scram-sha-256"];
        let weak = ["LOGIN", "PLAIN", "CRAM-MD5"];
        let sasl = AuthChoice::Sasl;
        let auto = AuthChoice::Auto;
        let table: [(AuthChoice, &[&str], bool, Option<Mechanism>); 17] = [
            (auto, &all, true, Some(ScramSha256)),
            (auto, &all, false, Some(ScramSha256)),
            (auto, &weak, true, Some(Plain)),
            (auto, &weak, false, Some(CramMd5)),
            (auto, &["CRAM-MD5", "LOGIN"], true, Some(Login)),
            (auto, &["CRAM-MD5"], true, Some(CramMd5)),
            (auto, &["PLAIN", "LOGIN"], false, Some(Plain)),
            (auto, &["XOAUTH2", "OAUTHBEARER", "SCRAM-SHA-256-PLUS"], true, None),
            (auto, &[], true, None),
            (sasl(XOAuth2), &all, true, Some(XOAuth2)),
            (sasl(XOAuth2), &all, false, Some(XOAuth2)),
            (sasl(OAuthBearer), &all, true, Some(OAuthBearer)),
            (sasl(Plain), &all, false, Some(Plain)),
            (sasl(CramMd5), &all, true, Some(CramMd5)),
            (sasl(ScramSha256), &weak, true, None),
            (AuthChoice::Apop, &all, true, None),
            (AuthChoice::UserPass, &all, true, None),
        ];
        for (wanted, offered, encrypted, expected) in table {
            let offered: Vec<String> = offered.iter().map(|s| s.to_string()).collect();
            assert_eq!(choose(wanted, &offered, encrypted, false), expected, "{wanted} {offered:?} {encrypted}");
        }
        let all = all.map(str::to_owned);
        for (wanted, offered, encrypted, expected) in [
            (auto, &all[..], true, Some(Plain)),
            (auto, &all, false, Some(ScramSha256)),
            (auto, &all[..3], true, None),
            (sasl(ScramSha256), &all, true, Some(ScramSha256)),
            (sasl(Login), &all, true, None),
            (sasl(OAuthBearer), &all, true, None),
        ] {
            assert_eq!(choose(wanted, offered, encrypted, true), expected, "{wanted} for somebody else");
        }
    }
}
