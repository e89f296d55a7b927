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
use std::path::{Path, PathBuf};

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

/// A path by which a store is known however it was written: without symbolic links, as far as it stands.
fn resolved(path: &Path, links: usize) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return path.to_owned() };
    // A link to what does not stand, such as a disk that is not mounted.
    match path.read_link() {
        Ok(target) if links > 0 => resolved(&parent.join(target), links - 1),
        _ => resolved(parent, links).join(name),
    }
}

/// A name for the state: readable, fit for a file name, and another one for every other source or store.
fn name(protocol: Protocol, user: &str, host: &str, port: u16, folder: &str, store: &Spec) -> String {
    let path = resolved(&store.path, 8);
    let whole = format!("{protocol}\0{user}\0{host}\0{port}\0{folder}\0{:?}\0{}", store.kind, path.display());
    format!("{}-{}", naming::readable(&format!("{user}@{host}"), 60), naming::mark(&whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_known_however_its_path_is_written() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("mail")).unwrap();
        for (link, target) in [("link", "mail"), ("dangling", "disk/mail"), ("loop", "loop")] {
            std::os::unix::fs::symlink(target, root.join(link)).unwrap();
        }
        for (written, meant) in [
            ("mail/", "mail"),
            ("mail/.", "mail"),
            ("link", "mail"),
            ("link/new/", "mail/new"),
            ("mail/../later", "later"),
            ("dangling", "disk/mail"),
            ("loop", "loop"),
        ] {
            assert_eq!(resolved(&root.join(written), 8), root.join(meant), "{written}");
        }
    }
}
