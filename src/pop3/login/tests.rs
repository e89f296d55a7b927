//! Log-ins against a scripted other end.

use super::*;
use crate::credentials::Secret;
use crate::net::Mechanism;
use crate::pop3::script::{self, Pipe, play};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

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
        self.login = Login::new(user, Secret::new(secret.to_owned()));
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
        let outcome = Case::encrypted(AuthChoice::Auto).with_login("me", &long).run(&offering("PLAIN", &talk)).await;
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
    assert_eq!(e.to_string(), "mx.example refused the log-in of me (status “401”): “[AUTH] no”");
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
async fn a_server_that_repeats_the_password_does_not_make_us_repeat_it() {
    let pass = "S: +OK\nC: CAPA\nS: -ERR\nC: USER me\nS: +OK\nC: PASS secret\nS: -ERR bad command PASS SECRET (me)";
    let e = Case::clear(AuthChoice::UserPass).run(pass).await.error();
    assert!(e.to_string().ends_with("bad command PASS *** (me)\u{201d}"), "{e}");
    let plain = "S: +OK\nC: CAPA\nS: +OK\nS: SASL PLAIN\nS: .\nC: AUTH PLAIN AG1lAHNlY3JldA==\nS: -ERR ? AG1lAHNlY3Jl";
    let e = Case::encrypted(AuthChoice::Auto).run(plain).await.error();
    assert!(e.to_string().ends_with("\u{201c}? ***\u{201d}"), "{e}");
    let raw = "S: +OK\nC: CAPA\nS: -ERR\nC: USER me\nS: +OK\nC: PASS secret\nS: PASS secret";
    let e = Case::clear(AuthChoice::UserPass).run(raw).await.error();
    assert_eq!((e.kind(), e.to_string().contains("secret")), (Kind::Protocol, false), "{e}");
}
