//! Accounts as a configuration file would say them, with every default written out.

use super::account::LINE_ENDINGS;
use super::server::TLS_MODES;
use super::sync::TRAVELS;
use super::table::dotted;
use super::{Account, Protocol, Sync, units};
use crate::credentials::PasswordSource;
use crate::retrieve::Keep;
use crate::store::{Layout, StoreKind};
use std::fmt::{self, Display};
use std::path::Path;
use toml::Value;

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// TOML that means the same account, but for the password and the command that fetches it, which may hold one.
impl Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Account { server, store, pull, .. } = self;
        let imap = self.protocol == Protocol::Imap;
        let name = dotted("accounts", &self.name);
        writeln!(f, "[{name}]")?;
        writeln!(f, "protocol = {}", text(if imap { "imap" } else { "pop3" }))?;
        writeln!(f, "host = {}", text(&server.host))?;
        writeln!(f, "port = {}", server.port)?;
        writeln!(f, "tls = {}", word(TLS_MODES, server.tls))?;
        if server.allow_cleartext {
            writeln!(f, "allow_cleartext = true")?;
        }
        if let Some(file) = &server.ca_file {
            writeln!(f, "ca_file = {}", path(file))?;
        }
        if !server.pins.is_empty() {
            writeln!(f, "pin_sha256 = {}", texts(&server.pins))?;
        }
        if let Some(compress) = server.compress {
            writeln!(f, "compress = {compress}")?;
        }
        if self.protocol == Protocol::Pop3 {
            writeln!(f, "pipelining = {}", server.pipelining)?;
        }
        writeln!(f, "timeout = {}", text(units::written(server.timeout)))?;
        writeln!(f, "user = {}", text(&self.user))?;
        if let Some(name) = &self.auth_user {
            writeln!(f, "auth_user = {}", text(name))?;
        }
        writeln!(f, "auth = {}", text(self.auth))?;
        writeln!(f, "password = {{ {} }}", password(&self.password))?;

        writeln!(f, "\n[{name}.store]")?;
        writeln!(f, "kind = {}", text(if store.kind == StoreKind::Maildir { "maildir" } else { "mbox" }))?;
        writeln!(f, "path = {}", path(&store.path))?;
        match (store.kind, store.layout) {
            (StoreKind::Maildir, Layout::Nested) => writeln!(f, "layout = \"nested\"")?,
            (StoreKind::Maildir, Layout::MaildirPlusPlus) => writeln!(f, "layout = \"maildir++\"")?,
            (StoreKind::Maildir, Layout::Single) | (StoreKind::Mbox, _) => {}
        }
        writeln!(f, "line_endings = {}", word(LINE_ENDINGS, store.line_endings))?;

        writeln!(f, "\n[{name}.pull]")?;
        match pull.keep {
            Keep::Always => writeln!(f, "keep = true")?,
            Keep::Never => writeln!(f, "keep = false")?,
            Keep::For(time) => writeln!(f, "keep = {}", text(units::written(time)))?,
        }
        if imap {
            writeln!(f, "folders = {}", texts(&pull.folders))?;
        }
        if let Some(octets) = pull.max_size {
            writeln!(f, "max_size = {octets}")?;
        }
        if imap && store.kind == StoreKind::Maildir { write!(f, "\n[{name}.sync]\n{}", self.sync) } else { Ok(()) }
    }
}

/// The keys of its table.
impl Display for Sync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sync { folders, subscribed, policy, limit, connections } = self;
        writeln!(f, "folders = {}", texts(folders))?;
        writeln!(f, "subscribed = {subscribed}")?;
        for (key, travel) in [
            ("create", policy.create),
            ("delete", policy.delete),
            ("flags", policy.marks),
            ("remove_folders", policy.remove_folders),
        ] {
            writeln!(f, "{key} = {}", word(TRAVELS, travel))?;
        }
        if let Some(octets) = policy.max_size {
            writeln!(f, "max_size = {octets}")?;
        }
        if let Some(age) = policy.max_age {
            writeln!(f, "max_age = {}", text(units::written(age)))?;
        }
        if let Some(folder) = &policy.trash {
            writeln!(f, "trash = {}", text(folder))?;
        }
        writeln!(f, "max_delete = {{ percent = {}, count = {} }}", limit.percent, limit.count)?;
        writeln!(f, "connections = {connections}")
    }
}

fn text(value: impl Display) -> Value {
    Value::String(value.to_string())
}

fn texts<T: Display>(values: &[T]) -> Value {
    Value::Array(values.iter().map(text).collect())
}

fn path(path: &Path) -> Value {
    text(path.display())
}

fn word<T: PartialEq>(words: &[(&str, T)], meaning: T) -> Value {
    text(words.iter().find(|(_, m)| *m == meaning).map_or("", |(word, _)| word))
}

fn password(source: &PasswordSource) -> String {
    match source {
        PasswordSource::Command(_) => format!("command = {}", text(HIDDEN)),
        PasswordSource::Env(name) => format!("env = {}", text(name)),
        PasswordSource::File(file) => format!("file = {}", path(file)),
        PasswordSource::Keyring(service) => format!("keyring = {}", text(service)),
        PasswordSource::Netrc => "netrc = true".to_owned(),
        PasswordSource::Prompt => "prompt = true".to_owned(),
        PasswordSource::Value(_) => format!("value = {}", text(HIDDEN)),
    }
}
