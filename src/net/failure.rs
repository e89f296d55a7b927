//! What goes wrong on the way to a server, told to the user.

use super::{Pin, Server, TlsMode};
use crate::error::{Error, Kind};
use std::io;
use std::time::Duration;

/// A connection that broke or fell silent.
pub fn lost(server: &Server, cause: io::Error) -> Error {
    let what = match cause.kind() {
        io::ErrorKind::TimedOut => format!("no answer from {server} for {}", seconds(server.timeout)),
        io::ErrorKind::UnexpectedEof => format!("{server} closed the connection too early"),
        _ => format!("the connection to {server} was lost: {cause}"),
    };
    let e = Error::new(Kind::TryLater, what, "Run again later; the next run goes on where this one stopped.");
    match (server.tls, server.port) {
        (TlsMode::StartTls, 993 | 995) => {
            e.advising(&format!("If it stays so: port {} goes with `tls = \"implicit\"`.", server.port))
        }
        _ => e,
    }
}

/// The name has no address.
pub(super) fn unresolved(server: &Server, cause: io::Error) -> Error {
    let remedy = format!("Check that the name in {server} is spelt right and that the network is up, then run again.");
    Error::new(Kind::TryLater, format!("cannot find the address of {}", server.host), remedy).because(cause)
}

/// None of its addresses answers.
pub(super) fn unreachable(server: &Server, cause: io::Error) -> Error {
    let what = match cause.kind() {
        io::ErrorKind::TimedOut => format!("cannot connect to {server}: no answer for {}", seconds(server.timeout)),
        _ => format!("cannot connect to {server}: {cause}"),
    };
    let remedy = format!("Check host and port ({server}), the network and any firewall, then run again.");
    Error::new(Kind::TryLater, what, remedy)
}

/// Clear text was configured for an address beyond this machine.
pub(super) fn clear_text(server: &Server) -> Error {
    Error::new(
        Kind::Config,
        format!(
            "{server} is not on this machine, and without TLS the password would be readable on the way; nothing was sent"
        ),
        "Set `tls = \"implicit\"` or `tls = \"starttls\"`; or, if the line is safe, `allow_cleartext = true`.",
    )
}

/// The connection ended inside the TLS handshake.
pub(super) fn cut_in_handshake(server: &Server, cause: io::Error) -> Error {
    let what = match cause.kind() {
        io::ErrorKind::TimedOut => {
            format!("no answer from {server} for {} while starting TLS", seconds(server.timeout))
        }
        io::ErrorKind::UnexpectedEof => format!("{server} closed the connection while starting TLS"),
        _ => format!("the connection to {server} was lost while starting TLS: {cause}"),
    };
    let remedy = format!(
        "Run again later; if it stays so, check that {server} speaks TLS there: ports 993 and 995 go with `tls = \"implicit\"`, \
         143 and 110 with `tls = \"starttls\"`."
    );
    Error::new(Kind::TryLater, what, remedy)
}

/// The two sides could not agree on TLS, for a reason other than the certificate.
pub(super) fn tls_failed(server: &Server, cause: &str) -> Error {
    let remedy = if cause.contains("wrong version number") || cause.contains("packet length") {
        format!(
            "{server} seems not to speak TLS from the first byte: set `tls = \"starttls\"`, or the port that does (993 \
             for IMAP, 995 for POP3)."
        )
    } else {
        format!("Ask the owner of {server} for TLS 1.2 or newer with ciphers that are still in use.")
    };
    let reason = library_reason(cause);
    Error::new(Kind::Unavailable, format!("cannot start TLS with {server}: {reason}; no password was sent"), remedy)
}

/// A certificate that is none of the pinned ones.
pub(super) fn unpinned(server: &Server, seen: Pin) -> Error {
    Error::new(
        Kind::Unavailable,
        format!("the certificate of {server} is not one of those pinned; no password was sent"),
        format!(
            "If the server has a new certificate and its owner confirms this SHA-256, set \
             `pin_sha256 = [\"{seen}\"]`; otherwise somebody may be listening in."
        ),
    )
}

/// A certificate that the trusted roots do not vouch for. `cause` is the TLS library's text; `seen` is the certificate,
/// where the server showed it again.
pub(super) fn untrusted(server: &Server, cause: &str, seen: Option<Pin>) -> Error {
    let reason = verify_text(cause);
    let (fault, first) = match Distrust::of(reason) {
        Distrust::Expired => {
            ("it has expired", "The server's owner has to renew it (and check the clock of this machine).")
        }
        Distrust::NotYetValid => ("it is not valid yet", "Check the clock of this machine."),
        Distrust::WrongName => {
            ("it is for another host name", "Set `host` to the name that the certificate is made out to.")
        }
        Distrust::UnknownIssuer => (
            "no authority that this machine trusts has signed it",
            "If the server has an authority of its own, name its certificate: `ca_file = \"/path/to/ca.pem\"`.",
        ),
        Distrust::Other => ("it did not verify", "Ask the server's owner."),
    };
    let pin = match seen {
        Some(seen) => format!("`pin_sha256 = [\"{seen}\"]`"),
        None => "`pin_sha256 = [\"…\"]`".to_owned(),
    };
    Error::new(
        Kind::Unavailable,
        format!("the certificate of {server} was refused: {fault} ({reason}); no password was sent"),
        format!(
            "{first} Or, if the server's owner confirms the certificate's SHA-256, trust just this one with {pin}; then \
             no `ca_file` is needed."
        ),
    )
}

/// Why a certificate did not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Distrust {
    Expired,
    NotYetValid,
    WrongName,
    UnknownIssuer,
    Other,
}

impl Distrust {
    /// Reads the words of OpenSSL 1.1 and 3; those of the macOS and Windows libraries as far as they are alike.
    fn of(reason: &str) -> Distrust {
        let reason = reason.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|w| reason.contains(w));
        if has(&["expired"]) {
            Distrust::Expired
        } else if has(&["not yet valid"]) {
            Distrust::NotYetValid
        } else if has(&["mismatch", "name does not match", "not match the passed"]) {
            Distrust::WrongName
        } else if has(&["self-signed", "self signed", "issuer", "verify the first", "not trusted"]) {
            Distrust::UnknownIssuer
        } else {
            Distrust::Other
        }
    }
}

/// Whether the text of a failed handshake blames the certificate we were shown (and is not the peer's alert).
pub(super) fn blames_certificate(cause: &str) -> bool {
    let cause = cause.to_lowercase();
    cause.contains("certificate") && !cause.contains("alert")
}

/// The reason field of OpenSSL's `error:code:library:function:reason:file:line:data`, else the whole text.
fn library_reason(cause: &str) -> &str {
    cause.strip_prefix("error:").and_then(|fields| fields.split(':').nth(3)).unwrap_or(cause)
}

/// The reason in parentheses at the end of OpenSSL's text, else the whole text.
fn verify_text(cause: &str) -> &str {
    cause.strip_suffix(')').and_then(|c| c.rsplit_once('(')).map_or(cause, |(_, reason)| reason)
}

fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        1 => "1 second".to_owned(),
        n => format!("{n} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        Server {
            host: "mail.example.org".into(),
            port: 993,
            tls: TlsMode::Implicit,
            ca_file: None,
            pins: Vec::new(),
            allow_cleartext: false,
            compress: None,
            pipelining: true,
            timeout: Duration::from_secs(60),
        }
    }

    #[test]
    fn a_lost_connection_may_be_tried_again() {
        for (kind, text) in [
            (io::ErrorKind::TimedOut, "no answer from mail.example.org:993 for 60 seconds"),
            (io::ErrorKind::UnexpectedEof, "mail.example.org:993 closed the connection too early"),
            (io::ErrorKind::ConnectionReset, "the connection to mail.example.org:993 was lost: connection reset"),
        ] {
            let e = lost(&server(), kind.into());
            assert_eq!((e.kind(), e.to_string().as_str()), (Kind::TryLater, text));
            assert!(!e.remedy().contains("993"));
        }
        let e = lost(&Server { tls: TlsMode::StartTls, ..server() }, io::ErrorKind::TimedOut.into());
        assert!(e.remedy().ends_with("port 993 goes with `tls = \"implicit\"`."), "{}", e.remedy());
    }

    #[test]
    fn openssl_reasons_are_told_apart() {
        for (reason, distrust) in [
            ("certificate has expired", Distrust::Expired),
            ("certificate is not yet valid", Distrust::NotYetValid),
            ("hostname mismatch", Distrust::WrongName),
            ("IP address mismatch", Distrust::WrongName),
            ("self-signed certificate", Distrust::UnknownIssuer),
            ("self signed certificate in certificate chain", Distrust::UnknownIssuer),
            ("unable to get local issuer certificate", Distrust::UnknownIssuer),
            ("unable to verify the first certificate", Distrust::UnknownIssuer),
            ("CA certificate key too weak", Distrust::Other),
        ] {
            assert_eq!(Distrust::of(reason), distrust, "{reason}");
        }
    }

    #[test]
    fn only_our_own_verdict_blames_the_certificate() {
        assert!(blames_certificate(
            "error:0A000086:SSL routines::certificate verify failed:x.c:1889: (hostname mismatch)"
        ));
        assert!(!blames_certificate(
            "error:0A000412:SSL routines::sslv3 alert bad certificate:x.c:1586:SSL alert number 42"
        ));
        assert!(!blames_certificate("error:0A00010B:SSL routines::wrong version number:x.c:354:"));
        assert_eq!(verify_text("a: b (c) d (hostname mismatch)"), "hostname mismatch");
        assert_eq!(verify_text("no parentheses"), "no parentheses");
        assert_eq!(
            library_reason("error:0A00010B:SSL routines::wrong version number:x.c:354:"),
            "wrong version number"
        );
        assert_eq!(library_reason("error:short"), "error:short");
    }

    #[test]
    fn a_certificate_that_could_not_be_seen_again_still_has_a_remedy() {
        let e = untrusted(&server(), "(self-signed certificate)", None);
        assert!(e.remedy().contains("pin_sha256 = [\"…\"]") && e.remedy().contains("ca_file"));
    }
}
