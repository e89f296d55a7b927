//! From the greeting to the TRANSACTION state: capabilities, TLS, authentication.

use super::capabilities::Capabilities;
use super::connection::{CAPA, Connection};
use super::refusal::{login_refused, turned_away};
use super::wire::{Reply, timestamp};
use crate::credentials::Login;
use crate::error::{Error, Kind, Result, quoted};
use crate::net::{self, AuthChoice, Exchange, Mechanism, Server, TlsMode, choose};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest as _, Md5};
use std::future::Future;
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

/// What a session runs on.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + Sized {
    /// Starts TLS. Nothing may have been read ahead.
    fn start_tls(self, server: &Server) -> impl Future<Output = Result<Self>> + Send;

    /// Whether octets are encrypted.
    fn is_encrypted(&self) -> bool;
}

impl Transport for net::Stream {
    async fn start_tls(self, server: &Server) -> Result<Self> {
        net::Stream::start_tls(self, server).await
    }

    fn is_encrypted(&self) -> bool {
        net::Stream::is_encrypted(self)
    }
}

/// Octets of an AUTH command with its initial response and CRLF (RFC 5034 section 4, RFC 2449 section 4).
const AUTH_LINE: usize = 255;

/// Refuses a user name or secret that would end its line early.
pub(super) fn check(login: &Login) -> Result<()> {
    let sound = |text: &str| !text.contains(['\r', '\n', '\0']);
    for (what, value) in [("user name", login.user.as_str()), ("password", login.secret.expose())] {
        if !sound(value) {
            return Err(Error::new(
                Kind::Config,
                format!("the {what} holds a line break or NUL, which no mail server can take; nothing was sent"),
                format!("Set the {what} without line breaks; a password command must print it on its first line."),
            ));
        }
    }
    Ok(())
}

/// Takes a new connection to the TRANSACTION state. Gives the capabilities of that state, `None` where the server
/// does not tell.
pub(super) async fn log_in<S: Transport>(
    stream: S,
    server: &Server,
    login: &Login,
    auth: AuthChoice,
) -> Result<(Connection<S>, Option<Capabilities>)> {
    check(login)?;
    let mut connection = Connection::new(stream, server.clone());
    let stamp = match connection.reply().await?.0 {
        Reply::Ok(text) => timestamp(text).map(<[u8]>::to_vec),
        Reply::Err(text) => {
            let text = text.to_vec();
            return Err(turned_away(server, &text));
        }
        Reply::Challenge(_) => return Err(connection.broken("greets with a challenge")),
    };
    let mut offered = capabilities(&mut connection).await?;
    if server.tls == TlsMode::StartTls && !connection.stream().is_encrypted() {
        connection = start_tls(connection, offered.as_ref()).await?;
        offered = capabilities(&mut connection).await?;
    }
    if offered.as_ref().is_some_and(|c| c.utf8) {
        // Refused, mail with headers in UTF-8 comes down-graded (RFC 6856 section 2), as it does without the command.
        connection.command(&[b"UTF8"]).await?;
    }
    let encrypted = connection.stream().is_encrypted();
    let means = means(auth, offered.as_ref().map(|c| c.sasl.as_slice()), stamp.is_some(), encrypted)
        .map_err(|wanted| unoffered(server, wanted, offered.as_ref()))?;
    let mut attempt = Attempt { connection: &mut connection, login, sent: Vec::new(), reason: None };
    let welcome = match means {
        Means::Sasl(mechanism) => attempt.sasl(mechanism).await,
        Means::Apop => attempt.apop(stamp.as_deref().unwrap_or_default()).await,
        Means::UserPass => attempt.user_pass().await,
    }?;
    if let Err(text) = welcome {
        let text = scrubbed(&text, &attempt.sent);
        let delay = offered.and_then(|c| c.login_delay);
        return Err(login_refused(server, &login.user, &text, attempt.reason.as_deref(), delay));
    }
    let offered = capabilities(&mut connection).await?;
    Ok((connection, offered))
}

/// Asks what the server can do in its present state; `None` where it does not know the question.
async fn capabilities<S: Transport>(connection: &mut Connection<S>) -> Result<Option<Capabilities>> {
    match connection.command(&[b"CAPA"]).await? {
        Reply::Ok(_) => {}
        Reply::Err(_) => return Ok(None),
        Reply::Challenge(_) => return Err(connection.broken("answered CAPA with a challenge")),
    }
    let mut offered = Capabilities::default();
    connection
        .rows(CAPA, |row| {
            offered.add(row);
            Some(())
        })
        .await?;
    Ok(Some(offered))
}

/// Changes to TLS by STLS (RFC 2595 section 4), or not at all.
async fn start_tls<S: Transport>(
    mut connection: Connection<S>,
    offered: Option<&Capabilities>,
) -> Result<Connection<S>> {
    let server = connection.server().clone();
    let stripped = |how: String| {
        Error::new(
            Kind::Unavailable,
            format!("{} {how}; somebody on the way may be stripping it. No password was sent", server.host),
            "Set `tls = \"implicit\"` (port 995); if the server knows no TLS at all, ask the mail provider.",
        )
    };
    if offered.is_some_and(|c| !c.stls) {
        return Err(stripped("offers no STLS".to_owned()));
    }
    match connection.command(&[b"STLS"]).await? {
        Reply::Ok(_) => {}
        Reply::Err(text) => return Err(stripped(format!("refused STLS: {}", quoted(text)))),
        Reply::Challenge(_) => return Err(connection.broken("answered STLS with a challenge")),
    }
    if !connection.ahead().is_empty() {
        return Err(Error::new(
            Kind::Unavailable,
            format!(
                "{} sent more in clear text behind its answer to STLS; somebody may be tampering. No password was sent",
                server.host
            ),
            "Set `tls = \"implicit\"` (port 995), or use another network.",
        ));
    }
    let stream = connection.into_stream().start_tls(&server).await?;
    Ok(Connection::new(stream, server))
}

/// How to prove who the user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    Sasl(Mechanism),
    Apop,
    UserPass,
}

/// Picks the means; `Err` names the one that was asked for and is not offered. On a clear line (which the user allowed)
/// those that hide the secret come first.
fn means(auth: AuthChoice, offered: Option<&[String]>, stamped: bool, encrypted: bool) -> Result<Means, &'static str> {
    match auth {
        AuthChoice::UserPass => Ok(Means::UserPass),
        AuthChoice::Apop if stamped => Ok(Means::Apop),
        AuthChoice::Apop => Err("APOP"),
        AuthChoice::Sasl(mechanism) => match offered {
            None => Ok(Means::Sasl(mechanism)),
            Some(names) if names.iter().any(|n| n == mechanism.name()) => Ok(Means::Sasl(mechanism)),
            Some(_) => Err(mechanism.name()),
        },
        AuthChoice::Auto => {
            let names = offered.unwrap_or_default();
            let hidden = choose(AuthChoice::Auto, names, encrypted).map(Means::Sasl);
            let stamp = (!encrypted && stamped).then_some(Means::Apop);
            let clear = || choose(AuthChoice::Auto, names, true).map(Means::Sasl);
            Ok(hidden.or(stamp).or_else(clear).unwrap_or(Means::UserPass))
        }
    }
}

fn unoffered(server: &Server, wanted: &str, offered: Option<&Capabilities>) -> Error {
    let names = offered.map(|c| c.sasl.join(" ")).filter(|names| !names.is_empty());
    let instead = names.map_or(String::new(), |names| format!("; it offers {}", quoted(names.as_bytes())));
    Error::new(
        Kind::Unavailable,
        format!("{} does not offer {wanted}{instead}", server.host),
        "Set `auth = \"auto\"` to use what the server offers.",
    )
}

/// What the server said in the end: welcome, or the text of its refusal.
type Verdict = Result<(), Vec<u8>>;

/// One try to authenticate.
struct Attempt<'a, S> {
    connection: &'a mut Connection<S>,
    login: &'a Login,
    /// What must not be shown, should the server repeat it.
    sent: Vec<Zeroizing<String>>,
    /// What the server said of a token, apart from its refusal.
    reason: Option<String>,
}

impl<S: Transport> Attempt<'_, S> {
    async fn user_pass(&mut self) -> Result<Verdict> {
        let user = self.plain(&[b"USER ", self.login.user.as_bytes()]).await?;
        if user.is_err() {
            return Ok(user);
        }
        let secret = self.login.secret.expose();
        self.sent.push(Zeroizing::new(secret.to_owned()));
        self.plain(&[b"PASS ", secret.as_bytes()]).await
    }

    /// RFC 1939 section 7.
    async fn apop(&mut self, stamp: &[u8]) -> Result<Verdict> {
        let digest = Md5::new().chain_update(stamp).chain_update(self.login.secret.expose()).finalize();
        let digest: String = digest.iter().map(|b| format!("{b:02x}")).collect();
        self.plain(&[b"APOP ", self.login.user.as_bytes(), b" ", digest.as_bytes()]).await
    }

    async fn plain(&mut self, command: &[&[u8]]) -> Result<Verdict> {
        match self.connection.command(command).await? {
            Reply::Ok(_) => Ok(Ok(())),
            Reply::Err(text) => Ok(Err(text.to_vec())),
            Reply::Challenge(_) => Err(self.connection.broken("sent a challenge that nobody asked for")),
        }
    }

    /// RFC 5034 section 4.
    async fn sasl(&mut self, mechanism: Mechanism) -> Result<Verdict> {
        let server = self.connection.server();
        let mut exchange = Exchange::new(mechanism, self.login, &server.host, server.port);
        self.sent.push(Zeroizing::new(self.login.secret.expose().to_owned()));
        let name = mechanism.name();
        let mut initial = exchange.initial().map(encoded);
        match initial.take_if(|i| "AUTH ".len() + name.len() + " ".len() + i.len() + "\r\n".len() <= AUTH_LINE) {
            Some(initial) => {
                let word = if initial.is_empty() { "=" } else { initial.as_str() };
                self.connection.queue(&[b"AUTH ", name.as_bytes(), b" ", word.as_bytes()]);
                self.sent.push(initial);
            }
            None => self.connection.queue(&[b"AUTH ", name.as_bytes()]),
        }
        // Ends, because no exchange answers more than its few challenges.
        loop {
            let challenge = match self.connection.reply().await?.0 {
                Reply::Ok(_) if exchange.is_satisfied() => return Ok(Ok(())),
                Reply::Ok(_) => return Err(unproven(self.connection.server(), name)),
                Reply::Err(text) => {
                    self.reason = exchange.server_reason();
                    return Ok(Err(text.to_vec()));
                }
                Reply::Challenge(challenge) => BASE64.decode(challenge),
            };
            let answer = match (initial.take(), challenge) {
                (Some(initial), _) => Ok(initial),
                (None, Ok(challenge)) => exchange.respond(&challenge).map(encoded),
                (None, Err(_)) => Err(self.connection.broken("sent a challenge that is not base64")),
            };
            match answer {
                Ok(answer) => {
                    self.connection.queue(&[answer.as_bytes()]);
                    self.sent.push(answer);
                }
                Err(e) => {
                    // The reply to the cancellation changes nothing.
                    let _ = self.connection.command(&[b"*"]).await;
                    return Err(e);
                }
            }
        }
    }
}

fn encoded(bytes: Vec<u8>) -> Zeroizing<String> {
    let bytes = Zeroizing::new(bytes);
    Zeroizing::new(BASE64.encode(&*bytes))
}

fn unproven(server: &Server, mechanism: &str) -> Error {
    Error::new(
        Kind::Unavailable,
        format!("{} claims success without having proved that it knows the password ({mechanism})", server.host),
        "Make sure that this is the right server; somebody may be posing as it.",
    )
}

/// Takes out of a refusal what was sent in confidence, where the server repeats it, or a good part of it.
fn scrubbed(text: &[u8], sent: &[Zeroizing<String>]) -> Vec<u8> {
    let repeated = |text: &[u8], secret: &str| {
        let octets = text.iter().zip(secret.as_bytes()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
        if octets == secret.len() || octets >= 8 { octets } else { 0 }
    };
    let (mut clean, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((first, behind)) = rest.split_first() {
        match sent.iter().map(|secret| repeated(rest, secret)).max() {
            Some(octets @ 1..) => {
                clean.extend_from_slice(b"***");
                rest = rest.get(octets..).unwrap_or_default();
            }
            _ => {
                clean.push(*first);
                rest = behind;
            }
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Secret;
    use crate::pop3::script::{self, Pipe, play};

    /// What the log-in gave, and what the client said beyond the transcript.
    struct Outcome {
        result: Result<Option<Capabilities>>,
        beyond: String,
    }

    impl Outcome {
        fn error(self) -> Error {
            assert_eq!(self.beyond, "", "nothing more was sent");
            self.result.unwrap_err()
        }
    }

    struct Case {
        server: Server,
        login: Login,
        auth: AuthChoice,
        encrypted: bool,
    }

    impl Case {
        fn clear(auth: AuthChoice) -> Case {
            Case { server: script::server(), login: script::login(), auth, encrypted: false }
        }

        fn encrypted(auth: AuthChoice) -> Case {
            let mut case = Case { encrypted: true, ..Case::clear(auth) };
            case.server.tls = TlsMode::Implicit;
            case
        }

        fn stls() -> Case {
            let mut case = Case::clear(AuthChoice::Auto);
            case.server.tls = TlsMode::StartTls;
            case
        }

        fn with_login(mut self, user: &str, secret: &str) -> Case {
            self.login = Login { user: user.to_owned(), secret: Secret::new(secret.to_owned()) };
            self
        }

        async fn run(self, transcript: &str) -> Outcome {
            let (pipe, peer) = play(transcript);
            let pipe = if self.encrypted { Pipe::encrypted(pipe) } else { Pipe::clear(pipe) };
            let result = log_in(pipe, &self.server, &self.login, self.auth).await.map(|(_, offered)| offered);
            Outcome { result, beyond: peer.await.unwrap() }
        }
    }

    #[tokio::test]
    async fn a_server_of_1996() {
        let outcome = Case::clear(AuthChoice::Auto)
            .run(
                "S: +OK
                 C: CAPA
                 S: -ERR unknown command
                 C: USER me
                 S: +OK
                 C: PASS secret
                 S: +OK
                 C: CAPA
                 S: -ERR unknown command",
            )
            .await;
        assert_eq!(outcome.result.unwrap(), None);
    }

    #[tokio::test]
    async fn capabilities_are_asked_for_in_each_state_and_the_earlier_ones_forgotten() {
        let outcome = Case::stls()
            .run(
                "S: +OK ready
                 C: CAPA
                 S: +OK
                 S: STLS
                 S: SASL CRAM-MD5
                 S: PIPELINING
                 S: LOGIN-DELAY 900
                 S: .
                 C: STLS
                 S: +OK begin
                 C: CAPA
                 S: +OK
                 S: UTF8
                 S: SASL PLAIN LOGIN
                 S: .
                 C: UTF8
                 S: -ERR not now
                 C: AUTH PLAIN AG1lAHNlY3JldA==
                 S: +OK
                 C: CAPA
                 S: +OK
                 S: TOP
                 S: .",
            )
            .await;
        assert_eq!(outcome.result.unwrap(), Some(Capabilities { top: true, ..Capabilities::default() }));
    }

    #[tokio::test]
    async fn stls_is_tried_where_the_server_does_not_tell() {
        let outcome = Case::stls()
            .run(
                "S: +OK
                 C: CAPA
                 S: -ERR
                 C: STLS
                 S: +OK
                 C: CAPA
                 S: -ERR
                 C: USER me
                 S: +OK
                 C: PASS secret
                 S: +OK
                 C: CAPA
                 S: -ERR",
            )
            .await;
        assert_eq!(outcome.result.unwrap(), None);
    }

    #[tokio::test]
    async fn no_password_goes_out_without_the_tls_that_was_asked_for() {
        let stripped = "S: +OK
             C: CAPA
             S: +OK
             S: SASL PLAIN
             S: .";
        let refused = "S: +OK
             C: CAPA
             S: +OK
             S: STLS
             S: .
             C: STLS
             S: -ERR no certificate";
        let injected = "S: +OK
             C: CAPA
             S: +OK
             S: STLS
             S: .
             C: STLS
             S: +OK
             S: +OK injected";
        for (transcript, text) in [
            (stripped, "mx.example offers no STLS; somebody on the way may be stripping it. No password was sent"),
            (refused, "mx.example refused STLS: \u{201c}no certificate\u{201d}; somebody"),
            (injected, "mx.example sent more in clear text behind its answer to STLS"),
        ] {
            let e = Case::stls().run(transcript).await.error();
            assert_eq!(e.kind(), Kind::Unavailable);
            assert!(e.to_string().starts_with(text), "{e}");
        }
    }

    /// Greeting and capabilities, then `talk`, then the capabilities of a session.
    fn offering(sasl: &str, talk: &str) -> String {
        format!("S: +OK\nC: CAPA\nS: +OK\nS: SASL {sasl}\nS: .\n{talk}\nC: CAPA\nS: -ERR")
    }

    #[tokio::test]
    async fn each_mechanism() {
        use Mechanism::{CramMd5, Login as LoginMechanism, Plain};
        for (mechanism, offered, talk) in [
            (Plain, "PLAIN", "C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\nS: +OK"),
            (
                LoginMechanism,
                "PLAIN LOGIN",
                "C: AUTH LOGIN
                 S: + VXNlcm5hbWU6
                 C: dGlt
                 S: + UGFzc3dvcmQ6
                 C: dGFuc3RhYWZ0YW5zdGFhZg==
                 S: +OK",
            ),
            // The example of RFC 2195 section 3.
            (
                CramMd5,
                "CRAM-MD5",
                "C: AUTH CRAM-MD5
                 S: + PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+
                 C: dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw
                 S: +OK",
            ),
        ] {
            let case = Case::encrypted(AuthChoice::Sasl(mechanism)).with_login("tim", "tanstaaftanstaaf");
            let outcome = case.run(&offering(offered, talk)).await;
            assert_eq!(outcome.result.unwrap(), None, "{mechanism:?}");
        }
    }

    #[tokio::test]
    async fn a_response_too_long_for_the_command_waits_for_its_challenge() {
        let long = "x".repeat(177);
        let response = BASE64.encode(format!("\0me\0{long}"));
        for challenge in ["+ ", "+", "+ go ahead"] {
            let talk = format!("C: AUTH PLAIN\nS: {challenge}\nC: {response}\nS: +OK");
            let outcome =
                Case::encrypted(AuthChoice::Auto).with_login("me", &long).run(&offering("PLAIN", &talk)).await;
            assert_eq!(outcome.result.unwrap(), None);
        }
        let short = "x".repeat(176);
        let response = BASE64.encode(format!("\0me\0{short}"));
        assert_eq!(format!("AUTH PLAIN {response}\r\n").len(), 253);
        let talk = format!("C: AUTH PLAIN {response}\nS: +OK");
        let outcome = Case::encrypted(AuthChoice::Auto).with_login("me", &short).run(&offering("PLAIN", &talk)).await;
        assert_eq!(outcome.result.unwrap(), None);
    }

    #[tokio::test]
    async fn scram_ends_well_only_with_the_proof_of_the_server() {
        let scram = || Case::encrypted(AuthChoice::Sasl(Mechanism::ScramSha256));
        let early = "S: +OK
             C: CAPA
             S: +OK
             S: SASL SCRAM-SHA-256
             S: .
             C: AUTH SCRAM-SHA-256 *
             S: +OK welcome";
        let e = scram().run(early).await.error();
        assert_eq!(e.kind(), Kind::Unavailable);
        let foreign_nonce = "S: +OK
             C: CAPA
             S: +OK
             S: SASL SCRAM-SHA-256
             S: .
             C: AUTH SCRAM-SHA-256 *
             S: + cj1mb3JlaWduLHM9YWJjZCxpPTQwOTY=
             C: *
             S: -ERR cancelled";
        assert_eq!(scram().run(foreign_nonce).await.error().kind(), Kind::Protocol);
    }

    #[tokio::test]
    async fn what_a_server_says_of_a_token_reaches_the_user() {
        let talk = "S: +OK
             C: CAPA
             S: +OK
             S: SASL XOAUTH2
             S: .
             C: AUTH XOAUTH2 dXNlcj1tZQFhdXRoPUJlYXJlciB0b2tlbgEB
             S: + eyJzdGF0dXMiOiI0MDEifQ==
             C:
             S: -ERR [AUTH] no";
        let case = Case::encrypted(AuthChoice::Sasl(Mechanism::XOAuth2)).with_login("me", "token");
        let e = case.run(talk).await.error();
        assert_eq!(e.kind(), Kind::Login);
        assert!(e.to_string().contains("401"), "{e}");
    }

    #[tokio::test]
    async fn a_challenge_that_is_none_is_cancelled() {
        let talk = "S: +OK
             C: CAPA
             S: +OK
             S: SASL LOGIN
             S: .
             C: AUTH LOGIN
             S: + !!!
             C: *
             S: -ERR";
        assert_eq!(Case::encrypted(AuthChoice::Auto).run(talk).await.error().kind(), Kind::Protocol);
        let endless = "S: +OK
             C: CAPA
             S: +OK
             S: SASL CRAM-MD5
             S: .
             C: AUTH CRAM-MD5
             S: + PDFAeD4=
             C: bWUg *
             S: + PDFAeD4=
             C: *
             S: + PDFAeD4=";
        let case = Case::encrypted(AuthChoice::Sasl(Mechanism::CramMd5));
        assert_eq!(case.run(endless).await.error().kind(), Kind::Protocol);
    }

    #[tokio::test]
    async fn apop() {
        // The example of RFC 1939 section 7.
        let transcript = "S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>
             C: CAPA
             S: -ERR
             C: APOP mrose c4c9334bac560ecc979e58001b3e22fb
             S: +OK
             C: CAPA
             S: -ERR";
        for auth in [AuthChoice::Apop, AuthChoice::Auto] {
            let outcome = Case::clear(auth).with_login("mrose", "tanstaaf").run(transcript).await;
            assert_eq!(outcome.result.unwrap(), None, "{auth:?}");
        }
        let e = Case::encrypted(AuthChoice::Apop).run("S: +OK\nC: CAPA\nS: -ERR").await.error();
        assert_eq!((e.kind(), e.to_string().as_str()), (Kind::Unavailable, "mx.example does not offer APOP"));
    }

    #[test]
    fn what_is_used_follows_from_what_is_offered() {
        use Means::{Apop, Sasl, UserPass};
        let auto = AuthChoice::Auto;
        for (auth, offered, stamped, encrypted, chosen) in [
            (auto, None, false, true, Ok(UserPass)),
            (auto, None, true, true, Ok(UserPass)),
            (auto, None, true, false, Ok(Apop)),
            (auto, Some("PLAIN SCRAM-SHA-256"), true, true, Ok(Sasl(Mechanism::ScramSha256))),
            (auto, Some("PLAIN"), true, true, Ok(Sasl(Mechanism::Plain))),
            (auto, Some("PLAIN CRAM-MD5"), true, false, Ok(Sasl(Mechanism::CramMd5))),
            (auto, Some("PLAIN"), true, false, Ok(Apop)),
            (auto, Some("PLAIN"), false, false, Ok(Sasl(Mechanism::Plain))),
            (auto, Some("GSSAPI"), false, true, Ok(UserPass)),
            (AuthChoice::UserPass, Some("PLAIN"), true, false, Ok(UserPass)),
            (AuthChoice::Apop, Some("PLAIN"), true, true, Ok(Apop)),
            (AuthChoice::Apop, None, false, false, Err("APOP")),
            (AuthChoice::Sasl(Mechanism::Login), None, false, true, Ok(Sasl(Mechanism::Login))),
            (AuthChoice::Sasl(Mechanism::Login), Some("PLAIN"), false, true, Err("LOGIN")),
        ] {
            let names: Option<Vec<String>> = offered.map(|o: &str| o.split(' ').map(str::to_owned).collect());
            assert_eq!(means(auth, names.as_deref(), stamped, encrypted), chosen, "{auth:?} {offered:?}");
        }
    }

    #[tokio::test]
    async fn refusals_at_each_step() {
        let capa = "S: +OK\nC: CAPA\nS: +OK\nS: LOGIN-DELAY 900\nS: .\n";
        for (talk, kind, text) in [
            ("S: -ERR too many connections", Kind::TryLater, "mx.example turned the connection away: "),
            ("S: -ERR [SYS/PERM] closed", Kind::TryLater, "mx.example turned the connection away: "),
            ("S: * OK IMAP4rev1", Kind::Protocol, "mx.example sent what is no POP3 reply: "),
            ("S: + x", Kind::Protocol, "mx.example greets with a challenge"),
            ("", Kind::TryLater, "mx.example:110 closed the connection"),
            (&format!("{capa}C: USER me\nS: -ERR nobody"), Kind::Login, "mx.example refused the log-in of me: "),
            (&format!("{capa}C: USER me\nS: +OK\nC: PASS secret\nS: -ERR no"), Kind::Login, "mx.example refused"),
            (&format!("{capa}C: USER me\nS: +OK\nC: PASS secret\nS: -ERR [IN-USE] x"), Kind::TryLater, "mx.example"),
            (&format!("{capa}C: USER me\nS: +OK\nC: PASS secret\nS: -ERR locked"), Kind::TryLater, "mx.example"),
            (&format!("{capa}C: USER me\nS: + x"), Kind::Protocol, "mx.example sent a challenge"),
        ] {
            let e = Case::clear(AuthChoice::UserPass).run(talk).await.error();
            assert_eq!(e.kind(), kind, "{talk}");
            assert!(e.to_string().starts_with(text), "{e}");
        }
        let delayed = format!("{capa}C: USER me\nS: +OK\nC: PASS secret\nS: -ERR [LOGIN-DELAY] x");
        let e = Case::clear(AuthChoice::UserPass).run(&delayed).await.error();
        assert_eq!((e.kind(), e.remedy().contains("15 minutes")), (Kind::TryLater, true), "{}", e.remedy());
    }

    #[tokio::test]
    async fn what_would_end_a_line_early_is_never_sent() {
        for (user, secret) in [("me", "a\r\nDELE 1"), ("me", "a\n"), ("me", "a\0"), ("m\re", "a"), ("m\0", "a")] {
            let e = Case::clear(AuthChoice::UserPass).with_login(user, secret).run("").await.error();
            assert_eq!(e.kind(), Kind::Config);
            assert!(!e.to_string().contains("DELE") && !e.remedy().contains("DELE"));
        }
    }

    #[tokio::test]
    async fn a_server_that_repeats_the_password_does_not_make_us_repeat_it() {
        let pass = "S: +OK\nC: CAPA\nS: -ERR\nC: USER me\nS: +OK\nC: PASS secret\nS: -ERR bad command PASS SECRET (me)";
        let e = Case::clear(AuthChoice::UserPass).run(pass).await.error();
        assert!(e.to_string().ends_with("bad command PASS *** (me)\u{201d}"), "{e}");
        let plain =
            "S: +OK\nC: CAPA\nS: +OK\nS: SASL PLAIN\nS: .\nC: AUTH PLAIN AG1lAHNlY3JldA==\nS: -ERR ? AG1lAHNlY3Jl";
        let e = Case::encrypted(AuthChoice::Auto).run(plain).await.error();
        assert!(e.to_string().ends_with("\u{201c}? ***\u{201d}"), "{e}");
    }
}
