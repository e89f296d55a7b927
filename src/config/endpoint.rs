//! Endpoint URLs: a mailbox on a server, or a local store, in one argument of the command line.

use super::problem::Fault;
use super::{Base, Protocol, server};
use crate::error::{Error, Kind, Result, quoted};
use crate::mail::FolderName;
use crate::net::{Server, TlsMode};
use crate::store::{Layout, LineEndings, Spec, StoreKind};

/// What a URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `pop3://`, `pop3s://`, `imap://`, `imaps://`: a folder on a server.
    Server {
        /// By the scheme.
        protocol: Protocol,
        /// TLS is implicit for `…s://`, else it starts by STARTTLS or STLS; never none. Time-out and trust are the defaults.
        server: Server,
        /// Percent-decoded.
        user: String,
        /// The folder that the URL names; none for POP3.
        folder: Option<FolderName>,
    },
    /// `maildir:PATH`, `mbox:PATH`: a local store. Its layout is [`Layout::Nested`]; whether a Maildir already stands at
    /// PATH itself, so that [`Layout::MaildirPlusPlus`] fits better, is for the caller to look up.
    Store(Spec),
}

const SCHEMES: &[(&str, Protocol, TlsMode)] = &[
    ("imaps", Protocol::Imap, TlsMode::Implicit),
    ("imap", Protocol::Imap, TlsMode::StartTls),
    ("pop3s", Protocol::Pop3, TlsMode::Implicit),
    ("pop3", Protocol::Pop3, TlsMode::StartTls),
];

impl Endpoint {
    /// Reads a URL; `base` says what a relative PATH is relative to. A password in the URL is refused. Errors never show
    /// the part of a URL that could hold one.
    ///
    /// An account's name never holds a colon, an endpoint always does.
    pub fn parse(text: &str, base: &Base) -> Result<Endpoint> {
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        let scheme = scheme.to_ascii_lowercase();
        let usage = |f: Fault| Error::new(Kind::Usage, format!("{scheme}: {}", f.what), f.remedy);
        let local = match scheme.as_str() {
            "maildir" => Some(StoreKind::Maildir),
            "mbox" => Some(StoreKind::Mbox),
            _ => None,
        };
        if let Some(kind) = local {
            return store(kind, rest, base).map(Endpoint::Store).map_err(usage);
        }
        match (SCHEMES.iter().find(|(name, ..)| *name == scheme), rest.strip_prefix("//")) {
            (Some((_, protocol, tls)), Some(rest)) => remote(*protocol, *tls, rest)
                .map_err(|f| Error::new(Kind::Usage, format!("the URL {scheme}://…: {}", f.what), f.remedy)),
            (Some(_), None) => Err(usage(Fault::new(
                "`//` is missing",
                format!("Write `{scheme}://USER@HOST`, or `{scheme}://USER@HOST/FOLDER` for a folder."),
            ))),
            (None, _) => Err(Error::new(
                Kind::Usage,
                match text.contains(':') {
                    true => format!("{} is no kind of endpoint", quoted(format!("{scheme}:").as_bytes())),
                    false => format!("{} is neither a URL nor a store", quoted(text.as_bytes())),
                },
                "Write `imaps://USER@HOST/FOLDER`, `imap://…`, `pop3s://USER@HOST`, `pop3://…`, `maildir:PATH` or `mbox:PATH`.",
            )),
        }
    }
}

fn store(kind: StoreKind, path: &str, base: &Base) -> Result<Spec, Fault> {
    if path.starts_with("//") {
        return Err(Fault::new("a path follows, not a URL", "Write the path right after the colon, without `//`."));
    }
    Ok(Spec { kind, path: base.expand(path)?, layout: Layout::default(), line_endings: LineEndings::default() })
}

/// What follows the `//`. No fault may show any of it: a misplaced password can stand in every part.
fn remote(protocol: Protocol, tls: TlsMode, rest: &str) -> Result<Endpoint, Fault> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) if !user.is_empty() => (user, host),
        // A password with a `/` in it moves the `@` behind the slash.
        None if authority.contains(':') && path.contains('@') => return Err(password()),
        _ => {
            return Err(Fault::new(
                "the user is missing",
                "Write USER@HOST; an `@` in the user is fine: `me@example.com@imap.example.com`.",
            ));
        }
    };
    if user.contains(':') {
        return Err(password());
    }
    let user = decoded(user).filter(|u| !u.chars().any(char::is_control)).ok_or_else(|| {
        Fault::new("the user is not readable", "Write `%` itself as `%25`, and other characters as they are in UTF-8.")
    })?;
    let (host, port) = host_and_port(host)?;
    let port = port.unwrap_or_else(|| server::default_port(protocol, tls));
    let folder = folder(path)?;
    if protocol == Protocol::Pop3 && !path.is_empty() {
        return Err(Fault::new("POP3 knows no folders", "Write `pop3s://USER@HOST` alone, or use `imaps://`."));
    }
    let server = Server {
        host,
        port,
        tls,
        ca_file: None,
        pins: Vec::new(),
        allow_cleartext: false,
        compress: None,
        pipelining: true,
        timeout: server::TIMEOUT,
    };
    Ok(Endpoint::Server { protocol, server, user, folder })
}

fn password() -> Fault {
    Fault::new(
        "a password in a URL ends up in process lists and shell histories",
        "Remove it (a `:` in the user is `%3A`); give the password by --password-command, in the environment variable \
         MAILFERRY_PASSWORD, or at the prompt (migrate: --from-password-command, MAILFERRY_FROM_PASSWORD, and the same with \
         to).",
    )
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), Fault> {
    let (host, port) = match text.strip_prefix('[').and_then(|t| t.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or("no port"))),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let host = server::host(host).map_err(|_| {
        Fault::new(
            "the host is not a host name",
            "Write USER@HOST or USER@HOST:PORT; an IPv6 address stands in brackets.",
        )
    })?;
    let port = match port {
        None => None,
        Some(digits) => match digits.parse() {
            Ok(port) if port > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => Some(port),
            _ => {
                return Err(Fault::new(
                    "the port is not a number from 1 to 65535",
                    "Write USER@HOST:PORT; an IPv6 address stands in brackets.",
                ));
            }
        },
    };
    Ok((host, port))
}

/// The folder of a URL's path; nothing, or a slash at the end, adds no level. A `%2F` is part of its level.
fn folder(path: &str) -> Result<Option<FolderName>, Fault> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(None);
    }
    let levels: Option<Vec<_>> = path.split('/').map(decoded).collect();
    levels.and_then(FolderName::from_levels).map(Some).ok_or_else(|| {
        Fault::new(
            "the folder is not readable",
            "Write it in UTF-8 with `/` between the levels, `%` itself as `%25`, and no level empty.",
        )
    })
}

/// Percent-decoding (RFC 3986 section 2.1) to UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            _ => byte,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Endpoint> {
        Endpoint::parse(text, &Base::fixed("/here", Some("/home/me")))
    }

    /// `protocol tls host port user folder`, or `kind path`.
    fn read(text: &str) -> String {
        match parse(text).unwrap() {
            Endpoint::Server { protocol, server, user, folder } => {
                assert_eq!((server.allow_cleartext, server.timeout), (false, server::TIMEOUT));
                let folder = folder.map_or_else(|| "-".to_owned(), |f| f.to_string());
                format!("{protocol} {:?} {} {} {user} {folder}", server.tls, server.host, server.port)
            }
            Endpoint::Store(spec) => {
                assert_eq!((spec.layout, spec.line_endings), (Layout::Nested, LineEndings::Lf));
                format!("{:?} {}", spec.kind, spec.path.display())
            }
        }
    }

    #[test]
    fn urls_name_servers_and_stores() {
        let table = [
            ("imaps://me@h.example", "IMAP Implicit h.example 993 me -"),
            ("imap://me@h.example", "IMAP StartTls h.example 143 me -"),
            ("pop3s://me@h.example", "POP3 Implicit h.example 995 me -"),
            ("pop3://me@h.example", "POP3 StartTls h.example 110 me -"),
            ("IMAPS://me@h.example/", "IMAP Implicit h.example 993 me -"),
            ("pop3s://me@h.example/", "POP3 Implicit h.example 995 me -"),
            ("imaps://me@h.example:1993/inbox", "IMAP Implicit h.example 1993 me INBOX"),
            ("imaps://me@ex.org@h.example/Lists/rust/", "IMAP Implicit h.example 993 me@ex.org Lists/rust"),
            ("imaps://me%40ex.org@h.example/Entw%C3%BCrfe", "IMAP Implicit h.example 993 me@ex.org Entwürfe"),
            ("imaps://a%3Ab@h.example/Entwürfe 2", "IMAP Implicit h.example 993 a:b Entwürfe 2"),
            ("imaps://me@h.example/a@b:c", "IMAP Implicit h.example 993 me a@b:c"),
            ("imaps://me@[::1]:1143/x", "IMAP Implicit ::1 1143 me x"),
            ("imaps://me@[::1]", "IMAP Implicit ::1 993 me -"),
            ("imaps://me@127.0.0.1:1", "IMAP Implicit 127.0.0.1 1 me -"),
            ("maildir:/var/Mail", "Maildir /var/Mail"),
            ("maildir:Mail/in box", "Maildir /here/Mail/in box"),
            ("Maildir:~/Mail", "Maildir /home/me/Mail"),
            ("mbox:in.mbox", "Mbox /here/in.mbox"),
        ];
        for (text, means) in table {
            assert_eq!(read(text), means, "{text}");
        }
    }

    #[test]
    fn a_percent_coded_slash_stays_within_its_level() {
        let Endpoint::Server { folder, .. } = parse("imaps://me@h/a%2Fb/c").unwrap() else { panic!("not a server") };
        assert_eq!(folder.unwrap().levels(), ["a/b", "c"]);
    }

    #[test]
    fn wrong_urls_are_told_apart() {
        let table = [
            ("work", "\u{201c}work\u{201d} is neither a URL nor a store"),
            ("", "\u{201c}\u{201d} is neither a URL nor a store"),
            ("http://me@h", "\u{201c}http:\u{201d} is no kind of endpoint"),
            ("imaps:me@h", "imaps: `//` is missing"),
            ("imaps://h.example", "the URL imaps://…: the user is missing"),
            ("imaps://@h.example", "the URL imaps://…: the user is missing"),
            ("imaps://h.example/a@b", "the URL imaps://…: the user is missing"),
            ("imaps://m%zz@h", "the URL imaps://…: the user is not readable"),
            ("imaps://m%0d%0ax@h", "the URL imaps://…: the user is not readable"),
            ("imaps://m%ff@h", "the URL imaps://…: the user is not readable"),
            ("imaps://me@", "the URL imaps://…: the host is not a host name"),
            ("imaps://me@a b", "the URL imaps://…: the host is not a host name"),
            ("imaps://me@[::1", "the URL imaps://…: the host is not a host name"),
            ("imaps://me@::1", "the URL imaps://…: the host is not a host name"),
            ("imaps://me@h:", "the URL imaps://…: the port is not a number from 1 to 65535"),
            ("imaps://me@h:0", "the URL imaps://…: the port is not a number from 1 to 65535"),
            ("imaps://me@h:+9", "the URL imaps://…: the port is not a number from 1 to 65535"),
            ("imaps://me@h:65536", "the URL imaps://…: the port is not a number from 1 to 65535"),
            ("imaps://me@[::1]993", "the URL imaps://…: the port is not a number from 1 to 65535"),
            ("imaps://me@h/a//b", "the URL imaps://…: the folder is not readable"),
            ("imaps://me@h/a%00", "the URL imaps://…: the folder is not readable"),
            ("imaps://me@h/%", "the URL imaps://…: the folder is not readable"),
            ("pop3s://me@h/INBOX", "the URL pop3s://…: POP3 knows no folders"),
            ("maildir:", "maildir: is empty"),
            ("mbox://srv/x", "mbox: a path follows, not a URL"),
            ("maildir:~you/x", "maildir: other users' homes are not looked up"),
        ];
        for (text, told) in table {
            let e = parse(text).unwrap_err();
            assert_eq!(e.to_string(), told, "{text}");
            assert_eq!(e.kind(), Kind::Usage, "{text}");
            assert!(e.remedy().ends_with('.'), "{text}");
        }
    }

    #[test]
    fn passwords_are_refused_and_never_shown() {
        let refused = [
            "imaps://me:hunter2@h.example/INBOX",
            "imaps://me@ex.org:hunter2@h.example",
            "imaps://me:hun/hunter2@h.example",
            "imaps://me:hunter2/@h.example",
            "imaps://:hunter2@h.example",
            "imaps://me:@h.example",
        ];
        for text in refused {
            let e = parse(text).unwrap_err();
            assert_eq!(
                e.to_string(),
                "the URL imaps://…: a password in a URL ends up in process lists and shell histories",
                "{text}"
            );
            assert!(e.remedy().contains("MAILFERRY_PASSWORD") && !e.remedy().contains("hunter2"));
        }
        let misplaced = [
            "imaps://me:hunter2",
            "imaps:me:hunter2@h",
            "imaps://me@h:hunter2",
            "imaps://me@h:hunter2/x",
            "imaps://hunter2%@h",
            "imaps://me@hunter2!",
            "pop3s://me@h/hunter2",
            "imaps://me@h/hunter2//",
            "imapz://me:hunter2@h",
        ];
        for text in misplaced {
            let e = parse(text).unwrap_err();
            assert!(!format!("{e:?} {e} {}", e.remedy()).contains("hunter2"), "{text}: {e}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "((imap|pop3)s?|maildir|mbox)?:?/{0,2}\\PC{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn no_password_is_ever_shown(secret in "[a-z]{12}", before in "[a-z:@/%]{0,6}", after in "[a-z:@/%]{0,6}") {
            if let Err(e) = parse(&format!("imaps://{before}{secret}{after}@h.example")) {
                let told = format!("{e:?} {}", e.remedy());
                prop_assert!(!told.contains(&secret), "{}", told);
            }
        }

        #[test]
        fn every_user_can_be_written(user in "[^\\p{C}]{1,20}") {
            let coded: String = user.bytes().map(|b| format!("%{b:02X}")).collect();
            match parse(&format!("imaps://{coded}@h.example")) {
                Ok(Endpoint::Server { user: read, .. }) => prop_assert_eq!(read, user),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
