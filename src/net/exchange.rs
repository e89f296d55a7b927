//! One SASL exchange, as bytes before base64.

use super::Mechanism;
use super::scram::{Scram, Stop};
use crate::credentials::Login;
use crate::error::{Error, Kind, Result, quoted};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

/// One authentication under way.
pub struct Exchange {
    mechanism: Mechanism,
    login: Login,
    host: String,
    port: u16,
    /// Of SCRAM only.
    scram: Option<Scram>,
    /// Challenges so far.
    challenges: u32,
    /// The error document of an OAuth mechanism.
    refusal: Option<Vec<u8>>,
}

impl Exchange {
    /// Starts one. Host and port are those of the server, as OAUTHBEARER repeats them.
    pub fn new(mechanism: Mechanism, login: &Login, host: &str, port: u16) -> Exchange {
        Exchange {
            mechanism,
            login: login.clone(),
            host: host.to_owned(),
            port,
            scram: (mechanism == Mechanism::ScramSha256).then(|| Scram::new(login)),
            challenges: 0,
            refusal: None,
        }
    }

    /// What the client may send along with the command (SASL-IR); `None` where the server speaks first. A server that
    /// takes nothing along sends an empty challenge, which [`respond`](Self::respond) answers with the same.
    pub fn initial(&mut self) -> Option<Vec<u8>> {
        let (user, secret) = (&self.login.user, self.login.secret.expose());
        match self.mechanism {
            Mechanism::Plain => Some(self.login.plain().as_bytes().to_vec()),
            Mechanism::Login | Mechanism::CramMd5 => None,
            Mechanism::ScramSha256 => self.scram.as_ref().map(Scram::first),
            Mechanism::XOAuth2 => Some(format!("user={user}\x01auth=Bearer {secret}\x01\x01").into_bytes()),
            Mechanism::OAuthBearer => {
                let user = user.replace('=', "=3D").replace(',', "=2C");
                let (host, port) = (&self.host, self.port);
                Some(format!("n,a={user},\x01host={host}\x01port={port}\x01auth=Bearer {secret}\x01\x01").into_bytes())
            }
        }
    }

    /// The answer to a challenge. An error ends the exchange: nothing more may be sent in it but its cancellation.
    pub fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>> {
        self.challenges = self.challenges.saturating_add(1);
        if challenge.is_empty()
            && self.challenges == 1
            && let Some(initial) = self.initial()
        {
            return Ok(initial);
        }
        match (self.mechanism, self.challenges) {
            (Mechanism::Login, 1) => Ok(self.login.user.clone().into_bytes()),
            (Mechanism::Login, 2) => Ok(self.login.secret.expose().as_bytes().to_vec()),
            (Mechanism::CramMd5, 1) if !challenge.is_empty() => Ok(cram_md5(&self.login, challenge)),
            (Mechanism::ScramSha256, _) => match self.scram.as_mut().map(|scram| scram.respond(challenge)) {
                Some(Ok(answer)) => Ok(answer),
                Some(Err(stop)) => Err(self.stopped(stop)),
                None => Err(self.unexpected(challenge)),
            },
            // The refusal still wants an answer before the server says NO.
            (Mechanism::XOAuth2, _) if self.refusal.is_none() => {
                self.refusal = Some(challenge.to_vec());
                Ok(Vec::new())
            }
            (Mechanism::OAuthBearer, _) if self.refusal.is_none() => {
                self.refusal = Some(challenge.to_vec());
                Ok(b"\x01".to_vec())
            }
            _ => Err(self.unexpected(challenge)),
        }
    }

    /// Whether the exchange may end with success now: SCRAM demands that the server proved itself.
    pub fn is_satisfied(&self) -> bool {
        self.scram.as_ref().is_none_or(Scram::is_done)
    }

    /// The reason a server gave in its last challenge (OAuth's error document), for the message to the user.
    pub fn server_reason(&self) -> Option<String> {
        self.refusal.as_deref().map(oauth_reason)
    }

    fn unexpected(&self, challenge: &[u8]) -> Error {
        let (name, host) = (self.mechanism.name(), &self.host);
        Error::new(
            Kind::Protocol,
            format!("{host} sent an unexpected challenge in the log-in by {name}: {}", quoted(challenge)),
            "Choose another way to log in with `auth`, such as `auth = \"plain\"`.",
        )
    }

    fn stopped(&self, stop: Stop) -> Error {
        let (name, host) = (self.mechanism.name(), &self.host);
        let other_way = "Choose another way to log in with `auth`, such as `auth = \"plain\"`.";
        match stop {
            Stop::Malformed(what) => {
                Error::new(Kind::Protocol, format!("{host} sent {what} in the log-in by {name}"), other_way)
            }
            Stop::Iterations(count) => Error::new(
                Kind::Unavailable,
                format!(
                    "{host} asks for {} iterations in the log-in by {name}, which is out of bounds",
                    quoted(count.as_bytes())
                ),
                other_way,
            ),
            Stop::Refused(reason) => Error::new(
                Kind::Login,
                format!("{host} refused the log-in of {} by {name}: {}", self.login, quoted(&reason)),
                "Check user and password.",
            ),
            Stop::Impostor => Error::new(
                Kind::Unavailable,
                format!(
                    "{host} could not prove in the log-in by {name} that it knows the password of {}",
                    self.login.authcid()
                ),
                "Somebody may stand between: make sure of host and certificate before any other attempt.",
            ),
        }
    }
}

/// RFC 2195 section 2.
fn cram_md5(login: &Login, challenge: &[u8]) -> Vec<u8> {
    let keyed = Hmac::<Md5>::new_from_slice(login.secret.expose().as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    let digest = keyed.chain_update(challenge).finalize().into_bytes();
    let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    format!("{} {hex}", login.user).into_bytes()
}

/// The telling members of the JSON document of RFC 7628 section 3.2.2 (Google's and Microsoft's look alike), or the raw
/// text where it is none.
fn oauth_reason(document: &[u8]) -> String {
    let members = match serde_json::from_slice(document) {
        Ok(serde_json::Value::Object(members)) => members,
        _ => return quoted(document),
    };
    let told: Vec<String> = ["status", "error", "error_description", "scope"]
        .iter()
        .filter_map(|name| match members.get(*name)? {
            serde_json::Value::String(text) => Some(format!("{name} {}", quoted(text.as_bytes()))),
            serde_json::Value::Number(number) => Some(format!("{name} {number}")),
            _ => None,
        })
        .collect();
    if told.is_empty() { quoted(document) } else { told.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Secret;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD as BASE64;

    fn exchange(mechanism: Mechanism, user: &str, secret: &str) -> Exchange {
        let login = Login::new(user, Secret::new(secret.into()));
        Exchange::new(mechanism, &login, "server.example.com", 143)
    }

    #[test]
    fn plain_as_in_rfc_4616_section_4() {
        let mut plain = exchange(Mechanism::Plain, "tim", "tanstaaftanstaaf");
        assert_eq!(plain.initial().unwrap(), b"\0tim\0tanstaaftanstaaf");
        assert_eq!(plain.respond(b"").unwrap(), b"\0tim\0tanstaaftanstaaf");
        assert!(plain.is_satisfied());
        let e = plain.respond(b"what else?").unwrap_err();
        assert_eq!(e.kind(), Kind::Protocol);
        assert!(!e.to_string().contains("tanstaaf"));
        assert!(plain.respond(b"").is_err());
        assert_eq!(
            exchange(Mechanism::Plain, "j\u{fc}rg", "\u{20ac}").initial().unwrap(),
            b"\0j\xc3\xbcrg\0\xe2\x82\xac"
        );
    }

    #[test]
    fn an_administrator_logs_in_for_somebody_else() {
        let login = Login { auth_user: Some("admin".into()), ..Login::new("Ursel,", Secret::new("xipj3plmq".into())) };
        let mut plain = Exchange::new(Mechanism::Plain, &login, "server.example.com", 143);
        assert_eq!(plain.initial().unwrap(), b"Ursel,\0admin\0xipj3plmq");
        let mut scram = Exchange::new(Mechanism::ScramSha256, &login, "server.example.com", 143);
        let first = String::from_utf8(scram.initial().unwrap()).unwrap();
        assert!(first.starts_with("n,a=Ursel=2C,n=admin,r="), "{first}");
        let nonce = first.split_once("r=").unwrap().1;
        let proof = scram.respond(format!("r={nonce}x,s=W22Z,i=4096").as_bytes()).unwrap();
        let header = BASE64.encode("n,a=Ursel=2C,");
        assert!(proof.starts_with(format!("c={header},r={nonce}x,p=").as_bytes()));
    }

    #[test]
    fn login_answers_twice() {
        let mut login = exchange(Mechanism::Login, "tim", "secret");
        assert_eq!(login.initial(), None);
        assert_eq!(login.respond(b"Username:").unwrap(), b"tim");
        assert_eq!(login.respond(b"Password:").unwrap(), b"secret");
        assert_eq!(login.respond(b"More:").unwrap_err().kind(), Kind::Protocol);
        assert_eq!(exchange(Mechanism::Login, "tim", "secret").respond(b"").unwrap(), b"tim");
    }

    #[test]
    fn cram_md5_as_in_rfc_2195_section_2() {
        let mut cram = exchange(Mechanism::CramMd5, "tim", "tanstaaftanstaaf");
        assert_eq!(cram.initial(), None);
        let answer = cram.respond(b"<1896.697170952@postoffice.reston.mci.net>").unwrap();
        assert_eq!(answer, b"tim b913a602c7eda7a495b4e6e7334d3890");
        assert_eq!(cram.respond(b"<again@x>").unwrap_err().kind(), Kind::Protocol);
        assert_eq!(exchange(Mechanism::CramMd5, "tim", "x").respond(b"").unwrap_err().kind(), Kind::Protocol);
    }

    #[test]
    fn scram_needs_the_servers_proof() {
        let mut scram = exchange(Mechanism::ScramSha256, "user", "pencil");
        let first = scram.initial().unwrap();
        assert!(first.starts_with(b"n,,n=user,r="));
        assert_eq!(scram.respond(b"").unwrap(), first, "the same nonce for a server that takes nothing along");
        assert!(!scram.is_satisfied());
        let nonce = String::from_utf8(first).unwrap().split_once("r=").unwrap().1.to_owned();
        let proof = scram.respond(format!("r={nonce}x,s=W22Z,i=4096").as_bytes()).unwrap();
        assert!(proof.starts_with(format!("c=biws,r={nonce}x,p=").as_bytes()));
        assert!(!scram.is_satisfied());
        let e = scram.respond(b"v=AAAA").unwrap_err();
        assert_eq!(e.kind(), Kind::Unavailable);
        assert!(e.to_string().contains("could not prove"), "{e}");
        assert!(!scram.is_satisfied());
        let e = exchange(Mechanism::ScramSha256, "user", "pencil").respond(b"nonsense").unwrap_err();
        assert_eq!((e.kind(), e.to_string().contains("pencil")), (Kind::Protocol, false));
    }

    #[test]
    fn xoauth2_as_google_documents_it() {
        let mut oauth =
            exchange(Mechanism::XOAuth2, "someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
        assert_eq!(
            BASE64.encode(oauth.initial().unwrap()),
            "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ=="
        );
        assert_eq!(oauth.server_reason(), None);
        let document = br#"{"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"}"#;
        assert_eq!(oauth.respond(document).unwrap(), b"");
        assert_eq!(oauth.server_reason().unwrap(), "status “401”, scope “https://mail.google.com/”");
        assert_eq!(oauth.respond(document).unwrap_err().kind(), Kind::Protocol);
    }

    #[test]
    fn oauthbearer_as_in_rfc_7628_section_4() {
        let mut oauth =
            exchange(Mechanism::OAuthBearer, "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
        assert_eq!(
            BASE64.encode(oauth.initial().unwrap()),
            "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52\
             YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
        );
        let document = br#"{"status":"invalid_token","scope":"example_scope","openid-configuration":"https://x"}"#;
        assert_eq!(oauth.respond(document).unwrap(), b"\x01");
        assert_eq!(oauth.server_reason().unwrap(), "status “invalid_token”, scope “example_scope”");
        assert!(exchange(Mechanism::OAuthBearer, "a=b,c", "t").initial().unwrap().starts_with(b"n,a=a=3Db=2Cc,\x01"));
    }

    #[test]
    fn odd_error_documents_are_quoted() {
        for (document, reason) in [
            (&b"not json\r\n"[..], "“not json”"),
            (b"[1,2]", "“[1,2]”"),
            (b"{\"status\":400}", "status 400"),
            (b"{\"status\":{}}", "“{\"status\":{}}”"),
            (b"{\"error\":\"a\\u001bb\"}", "error “ab”"),
        ] {
            assert_eq!(oauth_reason(document), reason);
        }
    }
}
