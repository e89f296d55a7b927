//! One `[accounts.NAME]` table and the tables below it.

use super::problem::Fault;
use super::provider::{PRESETS, Preset};
use super::table::{Table, one_of, wrong_type};
use super::{Account, Base, Protocol, server, units};
use crate::credentials::{PasswordSource, Secret};
use crate::error::quoted;
use crate::mail::FolderPattern;
use crate::net::{AuthChoice, Mechanism, Pin, Server, TlsMode};
use crate::retrieve::{Keep, Policy};
use crate::store::{Layout, LineEndings, Spec, StoreKind};
use std::path::Path;
use std::time::Duration;
use toml::de::DeValue;

/// What an account depends on beside its own tables.
pub(super) struct Surroundings<'a> {
    /// The configuration file.
    pub file: &'a Path,
    /// What paths in it are relative to.
    pub base: &'a Base,
    /// Whether nobody but the file's owner can read it.
    pub private: bool,
}

const PROTOCOLS: &[(&str, Protocol)] = &[("imap", Protocol::Imap), ("pop3", Protocol::Pop3)];

const TLS_MODES: &[(&str, TlsMode)] =
    &[("implicit", TlsMode::Implicit), ("starttls", TlsMode::StartTls), ("none", TlsMode::None)];

const AUTH_CHOICES: &[(&str, AuthChoice)] = &[
    ("auto", AuthChoice::Auto),
    ("plain", AuthChoice::Sasl(Mechanism::Plain)),
    ("login", AuthChoice::Sasl(Mechanism::Login)),
    ("cram-md5", AuthChoice::Sasl(Mechanism::CramMd5)),
    ("scram-sha-256", AuthChoice::Sasl(Mechanism::ScramSha256)),
    ("xoauth2", AuthChoice::Sasl(Mechanism::XOAuth2)),
    ("oauthbearer", AuthChoice::Sasl(Mechanism::OAuthBearer)),
    ("apop", AuthChoice::Apop),
    ("userpass", AuthChoice::UserPass),
];

/// Keys that people write one table too high.
const BELOW: &[(&str, &[&str])] = &[
    ("pull", &["keep", "folders", "max_size"]),
    ("store", &["kind", "path", "layout", "line_endings"]),
    ("sync", &["create", "delete", "remove_folders", "max_delete"]),
];

/// Reads an account. `None` where something that cannot be guessed is missing or wrong; whatever is wrong has been noted.
pub(super) fn account(name: &str, mut table: Table<'_>, around: &Surroundings<'_>) -> Option<Account> {
    if let Err(fault) = check_name(name) {
        table.complain(None, fault);
    }
    let protocol = table.word("protocol", PROTOCOLS);
    table.demand("protocol", "Write `protocol = \"imap\"` or `protocol = \"pop3\"`.");
    let preset = table.word("provider", PRESETS);
    let server = server(&mut table, protocol, preset.as_ref(), around);
    let user = table.text("user", user_name);
    table.demand("user", "Write the name you log in with, often the whole mail address: `user = \"me@example.com\"`.");
    let auth = table.word("auth", AUTH_CHOICES).or(preset.map(|p| p.auth)).unwrap_or_default();
    if auth == AuthChoice::Apop && protocol == Some(Protocol::Imap) {
        let fault = Fault::new("APOP belongs to POP3", "Write `auth = \"auto\"`, or leave it out.");
        table.complain(Some("auth"), fault);
    }
    let password = match table.has("password") {
        true => password(&mut table, around),
        false => Some(PasswordSource::Prompt),
    };
    let store = table.table("store").and_then(|t| store(t, around.base));
    let remedy = format!("Add a table `[{}.store]` with `kind` and `path`.", table.name());
    table.demand("store", remedy);
    let pull = match table.table("pull") {
        Some(t) => pull(t, protocol),
        None => Policy { keep: Keep::Always, folders: inbox_only(), max_size: None },
    };
    if let Some(t) = table.table("sync") {
        sync(t, protocol, store.as_ref());
    }
    table.finish(BELOW);
    Some(Account {
        name: name.to_owned(),
        protocol: protocol?,
        server: server?,
        user: user?,
        auth,
        password: password?,
        store: store?,
        pull,
    })
}

/// Whether a name can name a state file, and cannot be taken for an option or a URL.
fn check_name(name: &str) -> Result<(), Fault> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@');
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(fits) && !name.starts_with(['.', '-']) {
        return Ok(());
    }
    Err(Fault::new(
        "not fit for an account's name",
        "Use up to 64 letters a-z, digits, `-`, `_`, `.` and `@`, with a letter or digit first.",
    ))
}

fn server(
    table: &mut Table<'_>,
    protocol: Option<Protocol>,
    preset: Option<&Preset>,
    around: &Surroundings<'_>,
) -> Option<Server> {
    let tls = table.word("tls", TLS_MODES).unwrap_or(TlsMode::Implicit);
    let port = table.number("port", 1..=65535).and_then(|n| u16::try_from(n).ok());
    let allow_cleartext = table.switch("allow_cleartext").unwrap_or(false);
    let ca_file = table.text("ca_file", |text| around.base.expand(text));
    let pins = table.texts("pin_sha256", pin);
    let timeout = table.text("timeout", timeout).unwrap_or(server::TIMEOUT);

    let mut host = table.text("host", server::host);
    if !table.has("host")
        && let (Some(preset), Some(protocol)) = (preset, protocol)
    {
        host = preset.host(protocol).map(str::to_owned);
        if host.is_none() {
            let fault = Fault::new(format!("offers no {protocol}"), "Write `protocol = \"imap\"`, or name a `host`.");
            table.complain(Some("provider"), fault);
        }
    }
    if !table.has("provider") {
        table.demand("host", "Write the server's name: `host = \"imap.example.com\"`, or a `provider`.");
    }

    if tls == TlsMode::None {
        if !allow_cleartext && host.as_deref().is_some_and(server::plainly_remote) {
            table.complain(
                Some("tls"),
                Fault::new(
                    "without TLS everyone on the way can read the password and the mail",
                    "Write `tls = \"implicit\"` or `tls = \"starttls\"`; if it must be so, add `allow_cleartext = true`.",
                ),
            );
        }
        for key in ["ca_file", "pin_sha256"] {
            if table.has(key) {
                let fault = Fault::new(
                    "there is no certificate to check with `tls = \"none\"`",
                    format!("Write `tls = \"implicit\"` or `tls = \"starttls\"`, or remove `{key}`."),
                );
                table.complain(Some(key), fault);
            }
        }
    }
    Some(Server {
        host: host?,
        port: port.or(protocol.map(|p| server::default_port(p, tls)))?,
        tls,
        ca_file,
        pins: pins.unwrap_or_default(),
        allow_cleartext,
        timeout,
    })
}

/// SHA-256 in hexadecimal, with or without colons between the octets.
fn pin(text: &str) -> Result<Pin, Fault> {
    let digits: Option<Vec<u8>> =
        text.chars().filter(|c| *c != ':').map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let octets = digits
        .unwrap_or_default()
        .chunks(2)
        .filter_map(|pair| match pair {
            [high, low] => Some(high << 4 | low),
            _ => None,
        })
        .collect::<Vec<u8>>();
    octets.try_into().map(Pin).map_err(|_| {
        Fault::new(
            format!("{} is not a SHA-256 fingerprint", quoted(text.as_bytes())),
            "Write the 64 hexadecimal digits of the certificate's SHA-256; colons between them are fine.",
        )
    })
}

fn timeout(text: &str) -> Result<Duration, Fault> {
    match duration(text)? {
        Duration::ZERO => Err(Fault::new("no server can answer in no time", "Write a longer one, such as \"60s\".")),
        time => Ok(time),
    }
}

fn duration(text: &str) -> Result<Duration, Fault> {
    units::duration(text).ok_or_else(|| {
        Fault::new(
            format!("{} is not a duration", quoted(text.as_bytes())),
            "Write a whole number and a unit (s, min, h, d, w), such as \"90s\" or \"30d\".",
        )
    })
}

fn user_name(text: &str) -> Result<String, Fault> {
    if text.is_empty() {
        return Err(Fault::new("is empty", "Write the name you log in with."));
    }
    if text.chars().any(char::is_control) {
        return Err(Fault::new("holds a control character", "Write the name you log in with, without it."));
    }
    Ok(text.to_owned())
}

/// The `password` table: one source, and only one.
fn password(table: &mut Table<'_>, around: &Surroundings<'_>) -> Option<PasswordSource> {
    const EXAMPLE: &str = "Write, for example, `password = { command = \"pass show mail/work\" }`.";
    const SOURCES: [&str; 7] = ["command", "env", "file", "value", "netrc", "prompt", "keyring"];
    // A password written where a table belongs deserves better advice than the reader's own.
    table.value("password", |v| match v {
        DeValue::Table(_) => Ok(()),
        other => Err(wrong_type("a table that tells where the password is", other, EXAMPLE)),
    })?;
    let mut table = table.table("password")?;
    let filled = |text: &str| match text.contains(['\0', '\r', '\n']) {
        _ if text.is_empty() => Err(Fault::new("is empty", EXAMPLE)),
        true => Err(Fault::new("holds a line break or NUL character", "Write it without.")),
        false => Ok(text.to_owned()),
    };
    let only_true = |key: &str, source: PasswordSource| {
        let remedy = format!("Write `password = {{ {key} = true }}`.");
        move |v: &DeValue<'_>| match v {
            DeValue::Boolean(true) => Ok(source),
            _ => Err(Fault::new("takes `true` only", remedy)),
        }
    };
    let unavailable = Fault::new("not available in this version", format!("Use `command`. {EXAMPLE}"));
    let sources = [
        table.text("command", |t| match t.trim() {
            "" => Err(Fault::new("is empty", EXAMPLE)),
            _ => Ok(PasswordSource::Command(t.to_owned())),
        }),
        table.text("env", |t| match t.contains(['=', '\0']) {
            true => {
                Err(Fault::new("is not the name of a variable", "Write the name alone, such as \"MAIL_PASSWORD\"."))
            }
            false => filled(t).map(PasswordSource::Env),
        }),
        table.text("file", |t| around.base.expand(t).map(PasswordSource::File)),
        table.text("value", |t| match around.private {
            true => filled(t).map(|t| PasswordSource::Value(Secret::new(t))),
            false => Err(Fault::new(
                "other users can read this file, and with it the password",
                format!("Run `chmod 600 {}`, or use `command`.", around.file.display()),
            )),
        }),
        table.value("netrc", only_true("netrc", PasswordSource::Netrc)),
        table.value("prompt", only_true("prompt", PasswordSource::Prompt)),
        table.value("keyring", |_| Err(unavailable)),
    ];
    let stated = SOURCES.iter().filter(|key| table.has(key)).count();
    if stated > 1 {
        table.complain(None, Fault::new("names several sources", format!("Keep one of them. {EXAMPLE}")));
    } else if table.is_empty() {
        table.complain(None, Fault::new("names no source", EXAMPLE));
    }
    table.finish(&[]);
    sources.into_iter().flatten().next()
}

fn store(mut table: Table<'_>, base: &Base) -> Option<Spec> {
    const KINDS: &[(&str, StoreKind)] = &[("maildir", StoreKind::Maildir), ("mbox", StoreKind::Mbox)];
    let kind = table.text("kind", |text| match text {
        "archive" => Err(Fault::new(
            "archives are not available in this version",
            "Write `kind = \"maildir\"` or `kind = \"mbox\"`.",
        )),
        _ => one_of(text, KINDS),
    });
    table.demand("kind", "Write `kind = \"maildir\"` or `kind = \"mbox\"`.");
    let path = table.text("path", |text| base.expand(text));
    table.demand("path", "Write where the mail goes: `path = \"~/Mail/work\"`.");
    let layout = table.word("layout", &[("nested", Layout::Nested), ("maildir++", Layout::MaildirPlusPlus)]);
    if table.has("layout") && kind == Some(StoreKind::Mbox) {
        table.complain(Some("layout"), Fault::new("belongs to Maildir", "Remove it, or write `kind = \"maildir\"`."));
    }
    let line_endings = table.word("line_endings", &[("lf", LineEndings::Lf), ("crlf", LineEndings::Crlf)]);
    table.finish(&[]);
    Some(Spec {
        kind: kind?,
        path: path?,
        layout: layout.unwrap_or_default(),
        line_endings: line_endings.unwrap_or_default(),
    })
}

fn pull(mut table: Table<'_>, protocol: Option<Protocol>) -> Policy {
    let keep = table.value("keep", |v| match v {
        DeValue::Boolean(true) => Ok(Keep::Always),
        DeValue::Boolean(false) => Ok(Keep::Never),
        DeValue::String(text) => match duration(text)? {
            Duration::ZERO => {
                Err(Fault::new("no time at all", "Write `keep = false` to delete as soon as mail is safe."))
            }
            time => Ok(Keep::For(time)),
        },
        other => Err(wrong_type("true, false or a duration", other, "Write true, false, or days such as \"30d\".")),
    });
    let folders = table.texts("folders", pattern);
    if table.has("folders") && protocol == Some(Protocol::Pop3) {
        let fault = Fault::new("POP3 knows no folders", "Remove it, or write `protocol = \"imap\"`.");
        table.complain(Some("folders"), fault);
    } else if let Some(folders) = &folders
        && folders.iter().all(|(_, excludes)| *excludes)
    {
        let fault = Fault::new("takes no folder", "Name the folders to take first, such as [\"*\", \"!Spam\"].");
        table.complain(Some("folders"), fault);
    }
    let max_size = table.value("max_size", |v| match v {
        DeValue::String(text) => size(text),
        DeValue::Integer(number) => size(number.as_str()),
        other => Err(wrong_type("a size", other, "Write a size such as \"50 MiB\".")),
    });
    table.finish(&[]);
    Policy {
        keep: keep.unwrap_or(Keep::Always),
        folders: folders.map_or_else(inbox_only, |list| list.into_iter().map(|(pattern, _)| pattern).collect()),
        max_size,
    }
}

fn size(text: &str) -> Result<u64, Fault> {
    units::size(text).filter(|octets| *octets > 0).ok_or_else(|| {
        Fault::new(
            format!("{} is not a size", quoted(text.as_bytes())),
            "Write a whole number of octets, or one with a unit: kB, MB, GB, KiB, MiB, GiB; such as \"50 MiB\".",
        )
    })
}

/// A pattern, and whether it excludes.
fn pattern(text: &str) -> Result<(FolderPattern, bool), Fault> {
    let pattern = FolderPattern::parse(text).ok_or_else(|| {
        Fault::new("an empty name", "Write a folder's name, a pattern such as \"Lists/*\", or \"!Spam\".")
    })?;
    Ok((pattern, text.starts_with('!')))
}

fn inbox_only() -> Vec<FolderPattern> {
    FolderPattern::parse("INBOX").into_iter().collect()
}

/// The `sync` table. `pull` needs nothing of it; it is checked, so that one file serves every command.
fn sync(mut table: Table<'_>, protocol: Option<Protocol>, store: Option<&Spec>) {
    const SIDES: &[(&str, ())] = &[("both", ()), ("local", ()), ("remote", ()), ("none", ())];
    table.texts("folders", pattern);
    table.word("create", SIDES);
    table.word("delete", SIDES);
    table.word("remove_folders", SIDES);
    if let Some(mut guard) = table.table("max_delete") {
        guard.number("percent", 0..=100);
        guard.number("count", 0..=u64::from(u32::MAX));
        guard.finish(&[]);
    }
    if protocol == Some(Protocol::Pop3) {
        table
            .complain(None, Fault::new("POP3 goes one way only", "Remove this table, or write `protocol = \"imap\"`."));
    }
    if store.is_some_and(|s| s.kind != StoreKind::Maildir) {
        table
            .complain(None, Fault::new("two ways need a Maildir", "Remove this table, or write `kind = \"maildir\"`."));
    }
    table.finish(&[]);
}
