//! An account made of a URL, a store and options, for scripts without a configuration.

use crate::cli::args::UrlArgs;
use crate::config::{self, Account, Base, Endpoint, Protocol};
use crate::credentials::PasswordSource;
use crate::error::{Error, Kind, Result};
use crate::mail::FolderPattern;
use crate::net::{AuthChoice, Pin};
use crate::retrieve::{Keep, Policy};
use crate::store::{Layout, LineEndings, Maildir, Spec, StoreKind};
use sha2::{Digest, Sha256};

/// The environment variable that may hold the password.
const PASSWORD: &str = "MAILFERRY_PASSWORD";

/// The account that `mailferry pull URL --to STORE` means.
pub fn account(url: &str, to: &str, args: &UrlArgs) -> Result<Account> {
    let base = Base::here()?;
    let Endpoint::Server { protocol, mut server, user, folder } = Endpoint::parse(url, &base)? else {
        return Err(Error::new(
            Kind::Usage,
            "pull fetches from a server",
            "Write `pop3s://USER@HOST` or `imaps://USER@HOST/FOLDER` before --to.",
        ));
    };
    let Endpoint::Store(mut store) = Endpoint::parse(to, &base)? else {
        return Err(Error::new(Kind::Usage, "--to names no store", "Write `--to maildir:PATH` or `--to mbox:PATH`."));
    };
    let option =
        |name: &str, e: String| Error::new(Kind::Usage, format!("--{name}: {e}"), "See `mailferry pull --help`.");
    if let Some(text) = &args.timeout {
        server.timeout = config::duration(text).map_err(|e| option("timeout", e))?;
    }
    server.ca_file.clone_from(&args.ca_file);
    server.pins = args
        .pin_sha256
        .iter()
        .map(|p| p.parse::<Pin>())
        .collect::<Result<_, _>>()
        .map_err(|e| option("pin-sha256", e.to_string()))?;
    let auth = match &args.auth {
        Some(text) => text.parse::<AuthChoice>().map_err(|e| option("auth", e.to_string()))?,
        None => AuthChoice::Auto,
    };
    let keep = match &args.keep {
        Some(text) => config::keep(text).map_err(|e| option("keep", e))?,
        None => Keep::Always,
    };
    let max_size = args.max_size.as_ref().map(|t| config::size(t)).transpose().map_err(|e| option("max-size", e))?;
    store.line_endings = match args.line_endings.as_deref() {
        None | Some("lf") => LineEndings::Lf,
        Some("crlf") => LineEndings::Crlf,
        Some(other) => {
            return Err(option("line-endings", format!("`{}` is neither lf nor crlf", other.escape_debug())));
        }
    };
    let is_mailbox = store.kind == StoreKind::Mbox || protocol == Protocol::Pop3 || Maildir::exists(&store.path);
    store.layout = if is_mailbox { Layout::Single } else { Layout::Nested };
    let password = match &args.password_command {
        Some(command) => PasswordSource::Command(command.clone()),
        None if std::env::var_os(PASSWORD).is_some() => PasswordSource::Env(PASSWORD.to_owned()),
        None => PasswordSource::Prompt,
    };
    let folders = FolderPattern::literal(&folder);
    Ok(Account {
        name: name(protocol, &user, &server.host, server.port, &folder.to_string(), &store),
        protocol,
        server,
        user,
        auth,
        password,
        store,
        pull: Policy { keep, folders: vec![folders], max_size },
    })
}

/// A name for the state: readable, fit for a file name, and another one for every other source or store.
fn name(protocol: Protocol, user: &str, host: &str, port: u16, folder: &str, store: &Spec) -> String {
    let whole = format!("{protocol}\0{user}\0{host}\0{port}\0{folder}\0{:?}\0{}", store.kind, store.path.display());
    let digest = Sha256::digest(whole.as_bytes());
    let hex: String = digest.iter().take(6).map(|b| format!("{b:02x}")).collect();
    let plain: String = format!("{user}@{host}")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.@".contains(c) { c } else { '_' })
        .take(60)
        .collect();
    format!("{plain}-{hex}")
}
