//! Who logs in, and how to keep the secret out of what servers repeat.

use super::{PasswordSource, Secret, resolve};
use crate::error::{Error, Kind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fmt;
use zeroize::Zeroizing;

/// Who logs in, with what.
#[derive(Debug, Clone)]
pub struct Login {
    /// Whose mailbox it is, as the server wants the name: the authorization identity of SASL.
    pub user: String,
    /// Whose password it is, where it is not that of `user`: an administrator's, the authentication identity of SASL.
    pub auth_user: Option<String>,
    /// The password, or the access token of XOAUTH2 and OAUTHBEARER.
    pub secret: Secret,
}

/// Octets of a form of the secret that give it away: so many, and the text counts as the secret cut short.
const TELLING: usize = 8;

impl Login {
    /// Somebody with a password of their own.
    pub fn new(user: impl Into<String>, secret: Secret) -> Login {
        Login { user: user.into(), auth_user: None, secret }
    }

    /// Fetches the password, which is that of `auth_user` where one is named.
    pub async fn fetch(user: &str, auth_user: Option<&str>, password: &PasswordSource, host: &str) -> Result<Login> {
        let secret = resolve(password, auth_user.unwrap_or(user), host).await?;
        Ok(Login { auth_user: auth_user.map(str::to_owned), ..Login::new(user, secret) })
    }

    /// Who proves to know the password.
    pub fn authcid(&self) -> &str {
        self.auth_user.as_ref().unwrap_or(&self.user)
    }

    /// Whose mailbox is asked for, where that is not plain from who asks.
    pub fn authzid(&self) -> Option<&str> {
        self.auth_user.as_ref().map(|_| self.user.as_str())
    }

    /// The message of SASL PLAIN (RFC 4616).
    pub fn plain(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}\0{}\0{}", self.authzid().unwrap_or_default(), self.authcid(), self.secret.expose()))
    }

    /// Refuses a user name or secret that would end its line early.
    pub fn check(&self) -> Result<()> {
        let Login { user, auth_user, secret } = self;
        let names = [Some(user), auth_user.as_ref()].into_iter().flatten().map(|name| ("user name", name.as_str()));
        for (what, value) in names.chain([("password", secret.expose())]) {
            if value.contains(['\r', '\n', '\0']) {
                return Err(Error::new(
                    Kind::Config,
                    format!("the {what} holds a line break or NUL, which no mail server can take; nothing was sent"),
                    format!("Set the {what} without line breaks; a password command must print it on its first line."),
                ));
            }
        }
        Ok(())
    }

    /// Why nobody can log in for somebody else.
    pub fn undelegated(&self, host: &str) -> Error {
        Error::new(
            Kind::Unavailable,
            format!("{host} offers no way in which {} could log in for {}", self.authcid(), self.user),
            "Neither SASL PLAIN nor SCRAM-SHA-256 is offered there. On Dovecot with master users, leave `auth_user` out and write \
             both names as the user: `alice*admin`.",
        )
    }

    /// The error without the secret, should the server have repeated it: refusals quote whole commands now and then.
    pub fn conceal(&self, error: Error) -> Error {
        let forms = self.forms();
        error.requoted(|text| without(text, &forms))
    }

    /// The secret in each form in which it goes over the wire, as far as a message would show it.
    fn forms(&self) -> Vec<Zeroizing<String>> {
        let secret = self.secret.expose();
        let escaped = Zeroizing::new(secret.replace('\\', "\\\\").replace('"', "\\\""));
        let shown = |text: &str| Zeroizing::new(text.chars().filter(|c| !c.is_control()).collect::<String>());
        let mut forms = vec![
            shown(secret),
            shown(&escaped),
            Zeroizing::new(BASE64.encode(secret)),
            Zeroizing::new(BASE64.encode(self.plain().as_bytes())),
        ];
        forms.extend((0..3).map(|before| in_base64(secret, before)).filter(|form| form.len() >= TELLING));
        forms.retain(|form| !form.is_empty());
        forms
    }
}

/// Whose mailbox, and by whose password.
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.user)?;
        self.auth_user.as_ref().map_or(Ok(()), |admin| write!(f, " (by {admin})"))
    }
}

/// The digits that the secret makes in base64 behind so many other octets (modulo 3), whatever these are and whatever
/// follows.
fn in_base64(secret: &str, before: usize) -> Zeroizing<String> {
    let whole = Zeroizing::new(format!("{}{secret}", "\0".repeat(before)));
    let digits = Zeroizing::new(BASE64.encode(&*whole));
    // A digit holds 6 bits; one that holds bits of something else as well tells nothing.
    let (first, last) = ((before * 8).div_ceil(6), whole.len() * 8 / 6);
    Zeroizing::new(digits.get(first..last).unwrap_or_default().to_owned())
}

/// The text with `***` for each of the forms, or for a telling beginning of one.
fn without(text: &str, forms: &[Zeroizing<String>]) -> String {
    let repeated = |text: &str, form: &str| {
        let same = |(a, b): &(char, char)| a.eq_ignore_ascii_case(b);
        let octets = text.chars().zip(form.chars()).take_while(same).map(|(a, _)| a.len_utf8()).sum();
        if octets == form.len() || octets >= TELLING { octets } else { 0 }
    };
    let (mut clean, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(first) = rest.chars().next() {
        let octets = forms.iter().map(|form| repeated(rest, form)).max().unwrap_or(0);
        if octets > 0 {
            clean.push_str("***");
        } else {
            clean.push(first);
        }
        rest = rest.get(octets.max(first.len_utf8())..).unwrap_or_default();
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::quoted;
    use proptest::prelude::*;

    fn login(user: &str, secret: &str) -> Login {
        Login::new(user, Secret::new(secret.into()))
    }

    /// What is left of a server's words.
    fn concealed(secret: &str, said: &str) -> String {
        let e = Error::new(Kind::Login, format!("mx refused me: {}", quoted(said.as_bytes())), "Try.");
        login("me", secret).conceal(e).to_string().strip_prefix("mx refused me: ").unwrap().to_owned()
    }

    #[test]
    fn no_form_of_the_secret_is_repeated() {
        for (secret, said, shown) in [
            ("secret", "bad PASS SECRET (me)", "“bad PASS *** (me)”"),
            ("secret", "? AG1lAHNlY3JldA==", "“? ***”"),
            ("secret", "? AG1lAHNlY3Jl", "“? ***”"),
            ("secret", "c2VjcmV0 secre", "“*** secre”"),
            ("pw", "no pw here", "“no *** here”"),
            ("a\"b\\c", "LOGIN me \"a\\\"b\\\\c\"", "“LOGIN me \"***\"”"),
            ("p\u{e4}ss\u{20ac}", "PASS p\u{e4}ss\u{20ac}!", "“PASS ***!”"),
            ("tab\there", "PASS tab\there", "“PASS ***”"),
            ("longer-than-a-line", "PASS longer-than", "“PASS ***”"),
            ("secret", "nothing to hide", "“nothing to hide”"),
            ("", "nothing to hide", "“nothing to hide”"),
        ] {
            assert_eq!(concealed(secret, said), shown, "{said}");
        }
        let e = Error::new(Kind::Login, "mx refused mail: “mail”", "Try.");
        assert_eq!(login("me", "mail").conceal(e).to_string(), "mx refused mail: “***”", "our own words tell nothing");
    }

    #[test]
    fn a_token_is_found_in_whatever_base64_holds_it() {
        let token = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg";
        for before in ["", "u", "user=", "user=someuser@example.com\u{1}auth=Bearer "] {
            let sent = BASE64.encode(format!("{before}{token}\u{1}\u{1}"));
            let shown = concealed(token, &sent);
            assert!(shown.contains("***") && shown.len() < before.len() * 2 + 20, "{shown}");
        }
    }

    #[test]
    fn what_would_end_a_line_early_is_refused() {
        for (user, secret) in [("me", "a\r\nDELE 1"), ("me", "a\n"), ("me", "a\0"), ("m\re", "a"), ("m\0", "a")] {
            let e = login(user, secret).check().unwrap_err();
            assert_eq!(e.kind(), Kind::Config);
            assert!(!e.to_string().contains("DELE") && !e.remedy().contains("DELE"));
        }
        login("m\u{fc} @x", "\t\"'\\ \u{20ac}").check().unwrap();
    }

    proptest! {
        #[test]
        fn whatever_stands_around_it(secret in "[!-~\u{e4}\u{20ac}]{9,30}", before in "[ -~]{0,20}", behind in "[ -~]{0,20}") {
            let sent = [secret.clone(), BASE64.encode(&secret), BASE64.encode(format!("\0me\0{secret}"))];
            for sent in sent {
                let said = format!("{before}{sent}{behind}");
                prop_assert!(!concealed(&secret, &said).contains(&sent));
            }
        }
    }
}
