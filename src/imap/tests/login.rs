//! From the greeting to the log-in.

use super::*;
use crate::error::Kind;
use crate::net::Mechanism;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Logs in at a server; what came of it, and the commands it got.
async fn log_in(
    greeting: &str,
    tls: TlsMode,
    auth: AuthChoice,
    login: Login,
    answer: impl FnMut(&str, &str) -> Vec<u8> + Send + 'static,
) -> (Result<()>, Vec<String>) {
    let (mut pipe, task) = serve(greeting, usize::MAX, answer);
    pipe.encrypted = tls == TlsMode::Implicit;
    let result = Imap::over(pipe, &server(tls), &login, auth).await.map(drop);
    (result, task.await.unwrap())
}

/// A server with these capabilities that lets everybody in.
fn open_to_all(capabilities: &'static str) -> impl FnMut(&str, &str) -> Vec<u8> {
    move |tag, command| match command {
        "CAPABILITY" => format!("* CAPABILITY {capabilities}\r\n{tag} OK x\r\n").into_bytes(),
        _ => format!("{tag} OK x\r\n").into_bytes(),
    }
}

const HI: &str = "* OK hi\r\n";

#[tokio::test]
async fn login_with_capabilities_before_and_after() {
    let (result, commands) = log_in(HI, TlsMode::Implicit, AuthChoice::Auto, me(), open_to_all("IMAP4rev1")).await;
    result.unwrap();
    assert_eq!(commands, ["CAPABILITY", "LOGIN \"me\" \"pass\"", "CAPABILITY"]);
}

#[tokio::test]
async fn capabilities_that_come_along_are_not_asked_for_and_id_is_sent_where_offered() {
    let answer = |tag: &str, _: &str| format!("{tag} OK [CAPABILITY IMAP4rev2 ID] in\r\n").into_bytes();
    let greeting = "* OK [CAPABILITY IMAP4rev2 LITERAL-] hi\r\n";
    let (result, commands) = log_in(greeting, TlsMode::Implicit, AuthChoice::Auto, me(), answer).await;
    result.unwrap();
    assert_eq!(commands[0], "LOGIN \"me\" \"pass\"");
    assert!(commands[1].starts_with("ID (\"name\" \"mailferry\" \"version\" \""), "{commands:?}");
    assert_eq!(commands.len(), 2);
}

#[tokio::test]
async fn odd_names_and_passwords_are_escaped_or_sent_as_literals() {
    let login = |user: &str, pass: &str| Login::new(user, Secret::new(pass.into()));
    for (login, expected) in [
        (login("a\"b", "c\\d {3}"), "LOGIN \"a\\\"b\" \"c\\\\d {3}\""),
        (login("me", "p\u{e4}\u{df}"), "LOGIN \"me\" {5}\r\np\u{e4}\u{df}"),
        (login("m\u{fc}", "p\u{e4} \"x"), "LOGIN {3}\r\nm\u{fc} {6}\r\np\u{e4} \"x"),
        (login("m\u{fc}", ""), "LOGIN {3}\r\nm\u{fc} \"\""),
    ] {
        let answer = open_to_all("IMAP4rev1");
        let (result, commands) = log_in(HI, TlsMode::Implicit, AuthChoice::UserPass, login, answer).await;
        result.unwrap();
        assert_eq!(commands[1], expected);
    }
}

#[tokio::test]
async fn each_refusal_has_its_kind() {
    for (refusal, kind) in [
        ("NO wrong", Kind::Login),
        ("NO [AUTHENTICATIONFAILED] wrong", Kind::Login),
        ("NO [EXPIRED] old", Kind::Login),
        ("NO [UNAVAILABLE] later", Kind::TryLater),
        ("NO [ALERT] Too many simultaneous connections. (Failure)", Kind::TryLater),
        ("NO [PRIVACYREQUIRED] tls", Kind::Unavailable),
        ("BAD what", Kind::Protocol),
    ] {
        let answer = move |tag: &str, command: &str| match basics(tag, command) {
            Some(text) if !command.starts_with("LOGIN") => text.into_bytes(),
            _ => format!("{tag} {refusal}\r\n").into_bytes(),
        };
        let (result, _) = log_in(HI, TlsMode::None, AuthChoice::UserPass, me(), answer).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), kind, "{refusal}");
        let words = refusal.rsplit(']').next().unwrap().trim_start_matches("NO ").trim_start_matches("BAD ").trim();
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.to_string().contains("pass"), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_greeting_is_told() {
    for (greeting, kind) in [
        ("* BYE too many of you\r\n", Kind::TryLater),
        ("SSH-2.0-OpenSSH_9.2\r\n", Kind::Protocol),
        ("+OK POP3 ready\r\n", Kind::Protocol),
        ("220 smtp ESMTP\r\n", Kind::Protocol),
        ("* 3 EXISTS\r\n", Kind::Protocol),
        ("A0001 OK\r\n", Kind::Protocol),
        ("* NO go away\r\n", Kind::TryLater),
    ] {
        let answer = open_to_all("IMAP4rev1");
        let (result, commands) = log_in(greeting, TlsMode::None, AuthChoice::UserPass, me(), answer).await;
        assert_eq!(result.unwrap_err().kind(), kind, "{greeting}");
        assert!(commands.is_empty());
    }
}

#[tokio::test]
async fn preauth_needs_no_log_in_but_tls() {
    let greeting = "* PREAUTH welcome\r\n";
    let (result, commands) =
        log_in(greeting, TlsMode::Implicit, AuthChoice::Auto, me(), open_to_all("IMAP4rev1")).await;
    result.unwrap();
    assert_eq!(commands, ["CAPABILITY"]);
    let (result, commands) =
        log_in(greeting, TlsMode::StartTls, AuthChoice::Auto, me(), open_to_all("IMAP4rev1 STARTTLS")).await;
    assert_eq!(result.unwrap_err().kind(), Kind::Unavailable);
    assert!(commands.is_empty());
}

#[tokio::test]
async fn after_starttls_capabilities_are_asked_anew() {
    let mut encrypted = false;
    let answer = move |tag: &str, command: &str| {
        let offer = if encrypted { "IMAP4rev1" } else { "IMAP4rev1 STARTTLS LOGINDISABLED" };
        encrypted |= command == "STARTTLS";
        match command {
            "CAPABILITY" => format!("* CAPABILITY {offer}\r\n{tag} OK x\r\n").into_bytes(),
            _ => format!("{tag} OK x\r\n").into_bytes(),
        }
    };
    let (result, commands) = log_in(HI, TlsMode::StartTls, AuthChoice::Auto, me(), answer).await;
    result.unwrap();
    assert_eq!(commands, ["CAPABILITY", "STARTTLS", "CAPABILITY", "LOGIN \"me\" \"pass\"", "CAPABILITY"]);
}

#[tokio::test]
async fn a_stripped_or_refused_or_injected_starttls_sends_no_password() {
    for (offer, reply) in [
        ("IMAP4rev1", "OK x\r\n"),
        ("IMAP4rev1 STARTTLS", "NO x\r\n"),
        ("IMAP4rev1 STARTTLS", "BAD x\r\n"),
        ("IMAP4rev1 STARTTLS", "OK x\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"),
        ("IMAP4rev1 STARTTLS", "OK x\r\nA0004 OK logged in\r\n"),
        ("IMAP4rev1 STARTTLS", "OK x\r\n*"),
    ] {
        let answer = move |tag: &str, command: &str| match command {
            "CAPABILITY" => format!("* CAPABILITY {offer}\r\n{tag} OK x\r\n").into_bytes(),
            _ => format!("{tag} {reply}").into_bytes(),
        };
        let (result, commands) = log_in(HI, TlsMode::StartTls, AuthChoice::Auto, me(), answer).await;
        assert_eq!(result.unwrap_err().kind(), Kind::Unavailable, "{offer} {reply}");
        assert!(commands.iter().all(|c| ["CAPABILITY", "STARTTLS"].contains(&c.as_str())), "{commands:?}");
    }
}

#[tokio::test]
async fn logindisabled_is_obeyed() {
    let answer = open_to_all("IMAP4rev1 LOGINDISABLED");
    let (result, commands) = log_in(HI, TlsMode::None, AuthChoice::Auto, me(), answer).await;
    assert_eq!(result.unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(commands, ["CAPABILITY"]);
}

#[tokio::test]
async fn a_choice_that_cannot_be_had_sends_nothing() {
    for (auth, kind) in [
        (AuthChoice::Apop, Kind::Config),
        (AuthChoice::Sasl(Mechanism::CramMd5), Kind::Unavailable),
        (AuthChoice::Sasl(Mechanism::XOAuth2), Kind::Unavailable),
    ] {
        let answer = open_to_all("IMAP4rev1 AUTH=PLAIN");
        let (result, commands) = log_in(HI, TlsMode::Implicit, auth, me(), answer).await;
        assert_eq!(result.unwrap_err().kind(), kind);
        assert_eq!(commands, ["CAPABILITY"]);
    }
}

#[tokio::test]
async fn authenticate_takes_the_first_response_along_where_it_may() {
    let plain = STANDARD.encode("\0me\0pass");
    let answer = open_to_all("IMAP4rev1 AUTH=PLAIN SASL-IR");
    let (result, commands) = log_in(HI, TlsMode::Implicit, AuthChoice::Auto, me(), answer).await;
    result.unwrap();
    assert_eq!(commands[1], format!("AUTHENTICATE PLAIN {plain}"));

    let answer = |tag: &str, command: &str| match command {
        "CAPABILITY" => format!("* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK x\r\n").into_bytes(),
        "AUTHENTICATE PLAIN" => b"+\r\n".to_vec(),
        _ => format!("* CAPABILITY IMAP4rev1\r\n{tag} OK in\r\n").into_bytes(),
    };
    let (result, commands) = log_in(HI, TlsMode::Implicit, AuthChoice::Auto, me(), answer).await;
    result.unwrap();
    assert_eq!(commands, ["CAPABILITY", "AUTHENTICATE PLAIN", &plain]);
}

/// A server of one mechanism: what it answers to each line in turn.
fn script(capability: &'static str, replies: &[&str]) -> impl FnMut(&str, &str) -> Vec<u8> + use<> {
    let mut replies: std::collections::VecDeque<String> = replies.iter().map(|r| (*r).to_owned()).collect();
    move |tag, command| match command {
        "CAPABILITY" => format!("* CAPABILITY IMAP4rev1 {capability}\r\n{tag} OK x\r\n").into_bytes(),
        _ => replies.pop_front().unwrap_or_default().replace("TAG", tag).into_bytes(),
    }
}

#[tokio::test]
async fn challenges_are_answered_and_nonsense_is_cancelled() {
    let auth = AuthChoice::Sasl(Mechanism::CramMd5);
    let challenge = STANDARD.encode("<1896.697170952@postoffice.example>");
    let answer = script("AUTH=CRAM-MD5", &[&format!("+ {challenge}\r\n"), "TAG OK in\r\n"]);
    let (result, commands) = log_in(HI, TlsMode::None, auth, me(), answer).await;
    result.unwrap();
    let sent = String::from_utf8(STANDARD.decode(&commands[2]).unwrap()).unwrap();
    assert!(sent.starts_with("me ") && sent.len() == 3 + 32, "{sent}");

    let answer = script("AUTH=CRAM-MD5", &["+ ???\r\n", "TAG BAD cancelled\r\n"]);
    let (result, commands) = log_in(HI, TlsMode::None, auth, me(), answer).await;
    assert_eq!(result.unwrap_err().kind(), Kind::Protocol);
    assert_eq!(commands, ["CAPABILITY", "AUTHENTICATE CRAM-MD5", "*"]);

    let again = format!("+ {challenge}\r\n");
    let answer = script("AUTH=CRAM-MD5", &[&again, &again, &again, &again]);
    let (result, commands) = log_in(HI, TlsMode::None, auth, me(), answer).await;
    assert_eq!(result.unwrap_err().kind(), Kind::Protocol);
    assert!(commands.len() <= 5, "{commands:?}");
}

#[tokio::test]
async fn the_reason_of_an_oauth_refusal_is_told() {
    let document = STANDARD.encode("{\"status\":\"400\",\"scope\":\"https://mail.example/\"}");
    let replies = [&format!("+ {document}\r\n"), "TAG NO [AUTHENTICATIONFAILED] invalid\r\n"];
    let answer = script("AUTH=XOAUTH2 SASL-IR", &replies);
    let (result, commands) = log_in(HI, TlsMode::Implicit, AuthChoice::Sasl(Mechanism::XOAuth2), me(), answer).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Login);
    assert!(error.to_string().contains("400") && error.to_string().contains("invalid"), "{error}");
    assert_eq!(commands[2], "");
}

#[tokio::test]
async fn a_server_that_does_not_prove_itself_is_not_believed() {
    let auth = AuthChoice::Sasl(Mechanism::ScramSha256);
    let answer = script("AUTH=SCRAM-SHA-256 SASL-IR", &["TAG OK come in\r\n"]);
    let (result, _) = log_in(HI, TlsMode::Implicit, auth, me(), answer).await;
    assert_eq!(result.unwrap_err().kind(), Kind::Unavailable);
}

#[tokio::test]
async fn a_continuation_nobody_asked_for_is_an_error() {
    let answer = |_: &str, _: &str| b"+ go on\r\n".to_vec();
    let (result, _) = log_in(HI, TlsMode::None, AuthChoice::UserPass, me(), answer).await;
    assert_eq!(result.unwrap_err().kind(), Kind::Protocol);
}

#[tokio::test]
async fn nobody_logs_in_as_an_administrator_where_one_name_is_all_that_goes() {
    let login = Login { auth_user: Some("admin".into()), ..me() };
    for offered in ["IMAP4rev1", "IMAP4rev1 AUTH=LOGIN AUTH=CRAM-MD5"] {
        let (result, commands) =
            log_in(HI, TlsMode::Implicit, AuthChoice::Auto, login.clone(), open_to_all(offered)).await;
        let e = result.unwrap_err();
        assert_eq!(e.to_string(), "mail.example offers no way in which admin could log in for me");
        assert_eq!((e.kind(), commands), (Kind::Unavailable, vec!["CAPABILITY".to_owned()]));
    }
}

#[tokio::test]
async fn the_completion_of_another_command_is_an_error() {
    let answer = |_: &str, _: &str| b"A9999 OK done\r\n".to_vec();
    let (result, _) = log_in(HI, TlsMode::None, AuthChoice::UserPass, me(), answer).await;
    assert_eq!(result.unwrap_err().kind(), Kind::Protocol);
}

#[tokio::test]
async fn a_server_that_repeats_the_password_does_not_make_us_repeat_it() {
    for auth in [AuthChoice::UserPass, AuthChoice::Sasl(Mechanism::Plain)] {
        for before in ["{} NO bad command ", "{} BAD ", "* BYE ", "", "+ "] {
            let login = Login::new("me", Secret::new("pa\"ss\\word".into()));
            let (result, commands) = log_in(HI, TlsMode::Implicit, auth, login, move |tag, command| match command {
                "CAPABILITY" => format!("* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\n{tag} OK x\r\n").into(),
                _ => format!("{}{command}\r\n", before.replace("{}", tag)).into(),
            })
            .await;
            let e = result.unwrap_err();
            for word in ["ss\\word", "ss\\\\word", &STANDARD.encode("\0me\0pa\"ss\\word")] {
                assert!(commands.len() > 1 && !e.to_string().contains(word), "{before}{auth}: {e}");
            }
        }
    }
}
