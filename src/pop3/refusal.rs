//! What the user is told when a server refuses a step or breaks the protocol.

use super::capabilities::in_words;
use super::wire::Code;
use crate::credentials::Login;
use crate::error::{Error, Kind, quoted};
use crate::net::Server;
use std::time::Duration;

/// The server sent what no POP3 server may send; `what` begins behind its name.
pub(super) fn broken(server: &Server, what: &str) -> Error {
    Error::new(
        Kind::Protocol,
        format!("{} {what}", server.host),
        "Check that a POP3 server answers on this port and run again; if it stays so, report it to the mail provider.",
    )
}

/// The greeting was `-ERR`.
pub(super) fn turned_away(server: &Server, text: &[u8]) -> Error {
    let what = format!("{} turned the connection away: {}", server.host, quoted(text));
    trouble(what, Code::of(text), None).unwrap_or_else(|what| {
        Error::new(Kind::TryLater, what, "Run again later; servers turn away too many connections in a short time.")
    })
}

/// A command that has to work was answered with `-ERR`.
pub(super) fn refused(server: &Server, command: &str, text: &[u8]) -> Error {
    let what = format!("{} refused {command}: {}", server.host, quoted(text));
    trouble(what, meaning(text), None).unwrap_or_else(|what| {
        let remedy = "Run again later; if it stays so, report it to the mail provider.";
        Error::new(Kind::Protocol, what, remedy)
    })
}

/// The log-in was answered with `-ERR`. Without a code it was the password, unless the text speaks of a lock.
/// `delay` is what the server announced as LOGIN-DELAY; `reason` is what it said of a token, [quoted].
pub(super) fn login_refused(
    server: &Server,
    login: &Login,
    text: &[u8],
    reason: Option<&str>,
    delay: Option<Duration>,
) -> Error {
    let reason = reason.map_or(String::new(), |r| format!(" ({r})"));
    let what = format!("{} refused the log-in of {login}{reason}: {}", server.host, quoted(text));
    trouble(what, meaning(text), delay).unwrap_or_else(|what| {
        Error::new(
            Kind::Login,
            what,
            "Check the user name and the password. Many providers want POP3 switched on in their settings, and an app \
             password or `auth = \"xoauth2\"` in place of the usual password.",
        )
    })
}

/// A code, or what a text without one plainly says.
fn meaning(text: &[u8]) -> Option<Code> {
    Code::of(text).or_else(|| {
        let text = String::from_utf8_lossy(text).to_lowercase();
        let busy = ["lock", "in use", "busy", "already", "too many"].iter().any(|word| text.contains(word));
        busy.then_some(Code::InUse)
    })
}

/// The error for all that is not the user's fault; `Err` gives the text back.
fn trouble(what: String, code: Option<Code>, delay: Option<Duration>) -> Result<Error, String> {
    let remedy = match code {
        Some(Code::InUse) => {
            "Another session holds the mailbox: close it, or wait some minutes, then run again. After a \
             broken connection servers keep the lock for a while."
                .to_owned()
        }
        Some(Code::LoginDelay) => match delay {
            Some(d) => format!("The last log-in was too short ago: the server wants {} between two.", in_words(d)),
            None => "The last log-in was too short ago: wait some minutes, then run again.".to_owned(),
        },
        Some(Code::SysTemp) => "The server has trouble that it expects to pass: run again later.".to_owned(),
        Some(Code::SysPerm) => {
            "The server says that this will not pass by itself: contact the mail provider, then run again.".to_owned()
        }
        Some(Code::Auth) | None => return Err(what),
    };
    Ok(Error::new(Kind::TryLater, what, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pop3::script::{login, server};

    #[test]
    fn refused_log_ins() {
        for (text, kind, remedy) in [
            ("[AUTH] Authentication failed.", Kind::Login, "Check the user name"),
            ("invalid password", Kind::Login, "Check the user name"),
            ("", Kind::Login, "Check the user name"),
            ("[AUTH] account locked", Kind::Login, "Check the user name"),
            ("[IN-USE] mailbox", Kind::TryLater, "Another session"),
            (
                "[LOGIN-DELAY] slow down",
                Kind::TryLater,
                "The last log-in was too short ago: the server wants 2 minutes",
            ),
            ("[SYS/TEMP] no memory", Kind::TryLater, "The server has trouble"),
            ("[SYS/PERM] mailbox damaged", Kind::TryLater, "The server says that this will not pass"),
            ("Unable to lock maildrop", Kind::TryLater, "Another session"),
            ("mailbox already open", Kind::TryLater, "Another session"),
            ("Too many sessions", Kind::TryLater, "Another session"),
        ] {
            let e = login_refused(&server(), &login(), text.as_bytes(), None, Some(Duration::from_secs(120)));
            assert_eq!(e.kind(), kind, "{text}");
            assert!(e.remedy().starts_with(remedy), "{text}: {}", e.remedy());
            assert_eq!(e.to_string(), format!("mx.example refused the log-in of me: \u{201c}{text}\u{201d}"));
        }
        let e = login_refused(&server(), &login(), b"no", Some("status 401"), None);
        assert!(e.to_string().ends_with(" of me (status 401): \u{201c}no\u{201d}"), "{e}");
    }

    #[test]
    fn refused_connections_and_commands() {
        for (text, kind) in [("go away", Kind::TryLater), ("[SYS/PERM] gone", Kind::TryLater)] {
            assert_eq!(turned_away(&server(), text.as_bytes()).kind(), kind, "{text}");
        }
        for (text, kind) in [("what?", Kind::Protocol), ("[SYS/TEMP] disk", Kind::TryLater)] {
            assert_eq!(refused(&server(), "LIST", text.as_bytes()).kind(), kind, "{text}");
        }
    }
}
