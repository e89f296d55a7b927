//! One `[accounts.NAME]` table and the tables below it.

use super::problem::Fault;
use super::provider::PRESETS;
use super::sync::sync;
use super::table::{Table, one_of, wrong_type};
use super::{Account, Base, Protocol, Sync, password, server, units};
use crate::mail::FolderPattern;
use crate::net::{AuthChoice, Mechanism};
use crate::retrieve::{Keep, Policy};
use crate::store::{Layout, LineEndings, Spec, StoreKind};
use std::cell::Cell;
use std::path::Path;
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

/// The values of `auth`.
pub(super) const AUTH_CHOICES: &[(&str, AuthChoice)] = &[
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

/// The values of `line_endings`.
pub(super) const LINE_ENDINGS: &[(&str, LineEndings)] = &[("lf", LineEndings::Lf), ("crlf", LineEndings::Crlf)];

/// Keys that people write one table too high.
const BELOW: &[(&str, &[&str])] = &[
    ("pull", &["keep", "folders", "max_size"]),
    ("store", &["kind", "path", "layout", "line_endings"]),
    (
        "sync",
        &[
            "subscribed",
            "create",
            "delete",
            "flags",
            "remove_folders",
            "mirror",
            "max_age",
            "max_delete",
            "trash",
            "connections",
        ],
    ),
];

/// Reads an account. `None` where something that cannot be guessed is missing or wrong; whatever is wrong has been noted.
pub(super) fn account(name: &str, mut table: Table<'_>, around: &Surroundings<'_>) -> Option<Account> {
    if let Err(fault) = check_name(name) {
        table.complain(None, fault);
    }
    let protocol = table.word("protocol", PROTOCOLS);
    table.demand("protocol", "Write `protocol = \"imap\"` or `protocol = \"pop3\"`.");
    let preset = table.word("provider", PRESETS);
    let server = server::server(&mut table, protocol, preset.as_ref(), around);
    let user = table.text("user", user_name);
    table.demand("user", "Write the name you log in with, often the whole mail address: `user = \"me@example.com\"`.");
    let auth = table.word("auth", AUTH_CHOICES).or(preset.map(|p| p.auth)).unwrap_or_default();
    if auth == AuthChoice::Apop && protocol == Some(Protocol::Imap) {
        let fault = Fault::new("APOP belongs to POP3", "Write `auth = \"auto\"`, or leave it out.");
        table.complain(Some("auth"), fault);
    }
    let auth_user = table.text("auth_user", user_name);
    if auth_user.is_some() && !auth.carries_authzid() {
        table.complain(Some("auth_user"), Fault::new(one_name(auth), ONE_NAME));
    }
    let password = password::password(&mut table, around);
    let store = table.table("store").and_then(|t| store(t, protocol, around.base));
    let remedy = format!("Add a table `[{}.store]` with `kind` and `path`.", table.name());
    table.demand("store", remedy);
    let pull = match table.table("pull") {
        Some(t) => pull(t, protocol),
        None => Policy { keep: Keep::Always, folders: inbox_only(), max_size: None },
    };
    let sync = table.table("sync").map_or_else(Sync::default, |t| sync(t, protocol, store.as_ref()));
    table.finish(BELOW);
    Some(Account {
        name: name.to_owned(),
        protocol: protocol?,
        server: server?,
        user: user?,
        auth_user,
        auth,
        password: password?,
        store: store?,
        pull,
        sync,
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

/// A name to log in with.
pub(super) fn user_name(text: &str) -> Result<String, Fault> {
    if text.is_empty() {
        return Err(Fault::new("is empty", "Write the name you log in with."));
    }
    if text.chars().any(char::is_control) {
        return Err(Fault::new("holds a control character", "Write the name you log in with, without it."));
    }
    Ok(text.to_owned())
}

/// Why an administrator cannot log in for somebody else.
pub(super) fn one_name(auth: AuthChoice) -> String {
    format!("a log-in by `auth = \"{auth}\"` carries one name, not two")
}

/// What to do about it.
pub(super) const ONE_NAME: &str = "Write `auth = \"plain\"`, or leave `auth` out; or, on Dovecot with master users, write both \
                                   names as the user: `alice*admin`.";

fn store(mut table: Table<'_>, protocol: Option<Protocol>, base: &Base) -> Option<Spec> {
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
    } else if table.has("layout") && protocol == Some(Protocol::Pop3) {
        table.complain(Some("layout"), Fault::new("POP3 knows no folders", "Remove it: `path` is the Maildir itself."));
    }
    let line_endings = table.word("line_endings", LINE_ENDINGS);
    table.finish(&[]);
    Some(Spec {
        kind: kind?,
        path: path?,
        layout: if protocol == Some(Protocol::Pop3) { Layout::Single } else { layout.unwrap_or_default() },
        line_endings: line_endings.unwrap_or_default(),
    })
}

fn pull(mut table: Table<'_>, protocol: Option<Protocol>) -> Policy {
    let keep = table.value("keep", |v| match v {
        DeValue::Boolean(true) => Ok(Keep::Always),
        DeValue::Boolean(false) => Ok(Keep::Never),
        DeValue::String(text) => units::duration(text).map(Keep::For),
        other => Err(wrong_type("true, false or a duration", other, "Write true, false, or days such as \"30d\".")),
    });
    let folders = folder_list(&mut table, |_| Ok(()));
    if table.has("folders") && protocol == Some(Protocol::Pop3) {
        let fault = Fault::new("POP3 knows no folders", "Remove it, or write `protocol = \"imap\"`.");
        table.complain(Some("folders"), fault);
    }
    let max_size = max_size(&mut table);
    table.finish(&[]);
    Policy { keep: keep.unwrap_or(Keep::Always), folders: folders.unwrap_or_else(inbox_only), max_size }
}

/// `folders`: each pattern is shown to `check` without its `!`, and at least one takes folders.
pub(super) fn folder_list(
    table: &mut Table<'_>,
    check: impl Fn(&str) -> Result<(), Fault>,
) -> Option<Vec<FolderPattern>> {
    // One that is wrong counts too: it was meant to take something.
    let takes = Cell::new(false);
    let folders = table.texts("folders", |text| {
        takes.set(takes.get() || !text.starts_with('!'));
        let pattern = FolderPattern::parse(text).ok_or_else(|| {
            Fault::new("an empty name", "Write a folder's name, a pattern such as \"Lists/*\", or \"!Spam\".")
        })?;
        check(pattern.as_str()).map(|()| pattern)
    })?;
    if !takes.get() {
        let fault = Fault::new("takes no folder", "Name the folders to take first, such as [\"*\", \"!Spam\"].");
        table.complain(Some("folders"), fault);
    }
    Some(folders)
}

/// `max_size`, in octets.
pub(super) fn max_size(table: &mut Table<'_>) -> Option<u64> {
    table.value("max_size", |v| match v {
        DeValue::String(text) => units::size(text),
        DeValue::Integer(number) => units::size(&number.to_string()),
        other => Err(wrong_type("a size", other, "Write a size such as \"50 MiB\".")),
    })
}

fn inbox_only() -> Vec<FolderPattern> {
    FolderPattern::parse("INBOX").into_iter().collect()
}
