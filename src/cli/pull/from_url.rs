//! An account made of a URL, a store and options, for scripts without a configuration.

use crate::cli::args::UrlArgs;
use crate::cli::naming;
use crate::config::{Account, Base, Endpoint, Protocol, Sync, option};
use crate::credentials::PasswordSource;
use crate::error::{Error, Kind, Result};
use crate::mail::{FolderName, FolderPattern};
use crate::net::AuthChoice;
use crate::retrieve::{Keep, Policy};
use crate::store::{Layout, LineEndings, Maildir, Spec, StoreKind};

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
    let folder = folder.unwrap_or_else(FolderName::inbox);
    let Endpoint::Store(mut store) = Endpoint::parse(to, &base)? else {
        return Err(Error::new(Kind::Usage, "--to names no store", "Write `--to maildir:PATH` or `--to mbox:PATH`."));
    };
    if let Some(text) = &args.timeout {
        server.timeout = option::timeout(text)?;
    }
    server.ca_file.clone_from(&args.ca_file);
    server.pins = args.pin_sha256.iter().map(|p| option::pin_sha256(p)).collect::<Result<_>>()?;
    let auth = args.auth.as_deref().map_or(Ok(AuthChoice::Auto), option::auth)?;
    let keep = args.keep.as_deref().map_or(Ok(Keep::Always), option::keep)?;
    let max_size = args.max_size.as_deref().map(option::max_size).transpose()?;
    store.line_endings = args.line_endings.as_deref().map_or(Ok(LineEndings::Lf), option::line_endings)?;
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
        auth_user: None,
        auth,
        password,
        store,
        pull: Policy { keep, folders: vec![folders], max_size },
        sync: Sync::default(),
    })
}

/// A name for the state: readable, fit for a file name, and another one for every other source or store.
fn name(protocol: Protocol, user: &str, host: &str, port: u16, folder: &str, store: &Spec) -> String {
    let whole = format!("{protocol}\0{user}\0{host}\0{port}\0{folder}\0{:?}\0{}", store.kind, store.path.display());
    format!("{}-{}", naming::readable(&format!("{user}@{host}"), 60), naming::mark(&whole))
}
