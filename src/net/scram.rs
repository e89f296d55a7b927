//! SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding.
//!
//! Here the client prepares name and password by SASLprep (RFC 4013), for the server keeps no more than a hash of what was
//! prepared. Where it keeps or forwards the password itself (PLAIN, LOGIN), preparing is its own task (RFC 4616 section 2).

use crate::credentials::{Login, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use zeroize::Zeroizing;

/// Fewer make the proof easy prey for whoever recorded it (RFC 7677 section 4); more would keep us busy for seconds.
const ITERATIONS: std::ops::RangeInclusive<u32> = 4096..=10_000_000;

/// The client's side of one exchange.
pub(super) struct Scram {
    /// What channel binding is used, none, and for whom somebody else logs in: `gs2-header`.
    header: String,
    user: String,
    password: Secret,
    nonce: String,
    state: State,
}

enum State {
    /// The server's first message is awaited.
    Greeted,
    /// The proof is out; holds what verifies the server's signature.
    Proven(Hmac<Sha256>),
    /// The server has proven that it knows the password too.
    Done,
}

/// Why an exchange cannot go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The message is not what the RFC allows here.
    Malformed(&'static str),
    /// The server asks for this number of iterations.
    Iterations(String),
    /// The server refuses, in its own words.
    Refused(Vec<u8>),
    /// The server does not know the password.
    Impostor,
}

impl Scram {
    pub(super) fn new(login: &Login) -> Scram {
        Scram::with_nonce(login, BASE64.encode(rand::random::<[u8; 24]>()))
    }

    fn with_nonce(login: &Login, nonce: String) -> Scram {
        let name = |name| prepared(name).replace('=', "=3D").replace(',', "=2C");
        let user = name(login.authcid());
        let header = login.authzid().map_or("n,,".to_owned(), |authzid| format!("n,a={},", name(authzid)));
        let password = match prepared(login.secret.expose()) {
            Cow::Borrowed(_) => login.secret.clone(),
            Cow::Owned(text) => Secret::new(text),
        };
        Scram { header, user, password, nonce, state: State::Greeted }
    }

    fn first_bare(&self) -> String {
        format!("n={},r={}", self.user, self.nonce)
    }

    /// `client-first-message`.
    pub(super) fn first(&self) -> Vec<u8> {
        format!("{}{}", self.header, self.first_bare()).into_bytes()
    }

    /// The answer to a message of the server; empty to its last one.
    pub(super) fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Stop> {
        match std::mem::replace(&mut self.state, State::Greeted) {
            State::Done => Err(Stop::Malformed("a message after the last one")),
            State::Greeted => self.prove(challenge),
            State::Proven(signature) => {
                verify(signature, challenge)?;
                self.state = State::Done;
                Ok(Vec::new())
            }
        }
    }

    /// Whether the server has proven itself.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Answers `server-first-message` with `client-final-message`.
    fn prove(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Stop> {
        let server_first = text(challenge)?;
        let Some((nonce, salt, iterations)) = server_first_parts(server_first) else {
            return Err(Stop::Malformed("not a SCRAM first message"));
        };
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err(Stop::Malformed("a nonce that does not continue ours"));
        }
        let salt = BASE64.decode(salt).map_err(|_| Stop::Malformed("a salt that is not base64"))?;
        let count = iterations.parse().ok().filter(|n| ITERATIONS.contains(n));
        let count = count.ok_or_else(|| Stop::Iterations(iterations.chars().take(20).collect()))?;

        let salted = salted_password(self.password.expose().as_bytes(), &salt, count);
        let client_key = Zeroizing::new(hmac(&*salted, b"Client Key"));
        let stored_key = Sha256::digest(*client_key);
        let without_proof = format!("c={},r={nonce}", BASE64.encode(&self.header));
        let signed = format!("{},{server_first},{without_proof}", self.first_bare());
        let signature = hmac(&stored_key, signed.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, sign)| key ^ sign).collect();

        let server_key = Zeroizing::new(hmac(&*salted, b"Server Key"));
        self.state = State::Proven(keyed(&*server_key).chain_update(signed.as_bytes()));
        Ok(format!("{without_proof},p={}", BASE64.encode(proof)).into_bytes())
    }
}

/// SASLprep (RFC 4013). What it refuses goes as it is, such as characters younger than Unicode 3.2: most servers take them.
fn prepared(text: &str) -> Cow<'_, str> {
    stringprep::saslprep(text).ok().filter(|text| !text.is_empty()).unwrap_or(Cow::Borrowed(text))
}

/// Nonce, salt and iteration count of a `server-first-message`; `None` also for a mandatory extension (`m=`).
fn server_first_parts(message: &str) -> Option<(&str, &str, &str)> {
    let mut parts = message.split(',');
    let nonce = parts.next()?.strip_prefix("r=")?;
    let salt = parts.next()?.strip_prefix("s=")?;
    let iterations = parts.next()?.strip_prefix("i=")?;
    Some((nonce, salt, iterations))
}

/// Checks `server-final-message`, in constant time.
fn verify(signature: Hmac<Sha256>, message: &[u8]) -> Result<(), Stop> {
    let message = text(message)?;
    let first = message.split(',').next().unwrap_or_default();
    if let Some(reason) = first.strip_prefix("e=") {
        return Err(Stop::Refused(reason.as_bytes().to_vec()));
    }
    let shown = first.strip_prefix("v=").and_then(|v| BASE64.decode(v).ok());
    let shown = shown.ok_or(Stop::Malformed("not a SCRAM final message"))?;
    signature.verify_slice(&shown).map_err(|_| Stop::Impostor)
}

fn text(message: &[u8]) -> Result<&str, Stop> {
    std::str::from_utf8(message).map_err(|_| Stop::Malformed("text that is not UTF-8"))
}

/// `Hi` of RFC 5802 section 2.2, which is PBKDF2 with one block.
fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> Zeroizing<[u8; 32]> {
    let keyed = keyed(password);
    let mut last: [u8; 32] =
        keyed.clone().chain_update(salt).chain_update(1_u32.to_be_bytes()).finalize().into_bytes().into();
    let mut sum = Zeroizing::new(last);
    for _ in 1..iterations {
        last = keyed.clone().chain_update(last).finalize().into_bytes().into();
        sum.iter_mut().zip(last).for_each(|(sum, last)| *sum ^= last);
    }
    sum
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    keyed(key).chain_update(message).finalize().into_bytes().into()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn scram(user: &str, password: &str) -> Scram {
        Scram::with_nonce(&Login::new(user, Secret::new(password.into())), NONCE.into())
    }

    fn greeted() -> Scram {
        scram("user", "pencil")
    }

    fn proven() -> Scram {
        let mut scram = greeted();
        scram.respond(SERVER_FIRST.as_bytes()).unwrap();
        scram
    }

    #[test]
    fn the_example_of_rfc_7677_section_3() {
        let mut scram = scram("user", "pencil");
        assert_eq!(scram.first(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        assert_eq!(
            String::from_utf8(scram.respond(SERVER_FIRST.as_bytes()).unwrap()).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(!scram.is_done());
        assert_eq!(scram.respond(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap(), b"");
        assert!(scram.is_done());
        assert_eq!(scram.respond(b""), Err(Stop::Malformed("a message after the last one")));
        assert!(!scram.is_done());
    }

    #[test]
    fn the_examples_of_rfc_4013_section_3() {
        for (text, expected) in [
            ("I\u{ad}X", "IX"),
            ("user", "user"),
            ("USER", "USER"),
            ("\u{aa}", "a"),
            ("\u{2168}", "IX"),
            // Refused there: a control character, text in two directions; and what is left of nothing, and what is too young.
            ("\u{7}", "\u{7}"),
            ("\u{627}1", "\u{627}1"),
            ("\u{ad}", "\u{ad}"),
            ("\u{1f511}", "\u{1f511}"),
            ("u\u{308}\u{a0}x", "\u{fc} x"),
        ] {
            assert_eq!(prepared(text), expected, "{text:?}");
        }
    }

    #[test]
    fn equal_as_prepared_is_equal_as_proof() {
        let proof = |user: &str, password: &str| scram(user, password).respond(SERVER_FIRST.as_bytes()).unwrap();
        assert_eq!(proof("u\u{ad}ser", "p\u{aa}ss\u{2168}\u{a0}u\u{308}"), proof("user", "passIX \u{fc}"));
        assert_ne!(proof("user", "passIX"), proof("user", "pass9"));
        assert_eq!(scram("\u{2168}=", "").first(), format!("n,,n=IX=3D,r={NONCE}").into_bytes());
    }

    #[test]
    fn names_are_escaped_and_nonces_differ() {
        assert_eq!(scram("a=b,c", "").first(), format!("n,,n=a=3Db=2Cc,r={NONCE}").into_bytes());
        let login = Login::new("user", Secret::new("x".into()));
        assert_ne!(Scram::new(&login).first(), Scram::new(&login).first());
        assert!(!Scram::new(&login).nonce.contains(','));
    }

    #[test]
    fn a_bad_first_message_gets_no_proof() {
        let nonce = Stop::Malformed("a nonce that does not continue ours");
        let table = [
            ("r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", nonce),
            ("r=other-nonce-altogether,s=W22Z,i=4096", Stop::Malformed("a nonce that does not continue ours")),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=!,i=4096", Stop::Malformed("a salt that is not base64")),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=4095", Stop::Iterations("4095".into())),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=10000001", Stop::Iterations("10000001".into())),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=-1", Stop::Iterations("-1".into())),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=W22Z", Stop::Malformed("not a SCRAM first message")),
            ("m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=4096", Stop::Malformed("not a SCRAM first message")),
            ("", Stop::Malformed("not a SCRAM first message")),
        ];
        for (message, stop) in table {
            assert_eq!(greeted().respond(message.as_bytes()), Err(stop), "{message}");
        }
        assert_eq!(greeted().respond(b"r=\xff"), Err(Stop::Malformed("text that is not UTF-8")));
    }

    #[test]
    fn a_server_that_cannot_prove_itself_is_refused() {
        let table: [(&[u8], Stop); 4] = [
            (b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", Stop::Impostor),
            (b"v=", Stop::Impostor),
            (b"e=invalid-proof", Stop::Refused(b"invalid-proof".to_vec())),
            (b"", Stop::Malformed("not a SCRAM final message")),
        ];
        for (message, stop) in table {
            let mut scram = proven();
            assert_eq!(scram.respond(message), Err(stop));
            assert!(!scram.is_done());
        }
    }
}
