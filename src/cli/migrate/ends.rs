//! The ends of a migration, as the command line names them.

use super::{Migration, Plan};
use crate::cli::args::{EndArgs, Global, MigrateArgs};
use crate::cli::naming;
use crate::cli::options::Named;
use crate::config::{self, Account, Base, Endpoint, Protocol, option};
use crate::credentials::{Login, PasswordSource};
use crate::error::{Error, Kind, Result};
use crate::local;
use crate::mail::{FolderName, FolderPattern};
use crate::net::{AuthChoice, Server};
use crate::store::{Layout, LineEndings, Maildir, Spec, StoreKind};
use std::fs;
use std::path::{Path, PathBuf};

/// A mailbox on a server.
#[derive(Debug, Clone)]
pub struct Remote {
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Where it is.
    pub server: Server,
    /// How to log in.
    pub auth: AuthChoice,
    user: String,
    auth_user: Option<String>,
    password: PasswordSource,
    /// How it was named.
    pub named: Named,
}

impl Remote {
    /// User and password.
    pub async fn login(&self) -> Result<Login> {
        let login = Login::fetch(&self.user, self.auth_user.as_deref(), &self.password, &self.server.host).await;
        login.map_err(|e| self.named.remedied(e))
    }

    fn of(account: Account) -> Remote {
        let Account { protocol, server, user, auth_user, auth, password, .. } = account;
        Remote { protocol, server, auth, user, auth_user, password, named: Named::Account }
    }

    fn shown(&self) -> String {
        format!("{}@{}", self.user, self.server.host)
    }

    fn identity(&self) -> String {
        format!("{}\0{}\0{}\0{}", self.protocol, self.user, self.server.host.to_lowercase(), self.server.port)
    }
}

/// Where mail comes from.
#[derive(Debug, Clone)]
pub enum From {
    /// A server.
    Server(Box<Remote>),
    /// Maildirs.
    Maildir(Spec),
    /// Mboxes.
    Mbox(PathBuf),
}

impl From {
    /// Whether it is an IMAP server.
    pub fn is_imap(&self) -> bool {
        matches!(self, From::Server(remote) if remote.protocol == Protocol::Imap)
    }

    /// Whether messages may have flags there.
    pub fn has_flags(&self) -> bool {
        !matches!(self, From::Server(remote) if remote.protocol == Protocol::Pop3)
    }

    /// Whether it is one mailbox, not a tree of folders.
    fn is_single(&self) -> bool {
        match self {
            From::Server(remote) => remote.protocol == Protocol::Pop3,
            From::Maildir(spec) => local::maildirs(spec).is_ok_and(|(spec, _)| spec.layout == Layout::Single),
            From::Mbox(path) => path.is_file(),
        }
    }
}

/// Where it goes.
#[derive(Debug, Clone)]
pub enum To {
    /// An IMAP server.
    Server(Box<Remote>),
    /// A store on this machine.
    Store(Spec),
}

impl To {
    /// Whether messages are without flags there.
    pub fn keeps_no_flags(&self) -> bool {
        matches!(self, To::Store(Spec { kind: StoreKind::Mbox, .. }))
    }
}

/// One end, before it is known which.
enum End {
    Server(Box<Remote>, Option<FolderName>),
    Store(Spec),
}

/// How to log in to one end, as far as a table says so.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Where the password comes from.
    pub password: Option<PasswordSource>,
    /// Whose password it is, where not the user's.
    pub auth_user: Option<String>,
}

/// How to log in to both ends. What is not said comes from the options and the environment.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Of the source.
    pub from: Credentials,
    /// Of the target.
    pub to: Credentials,
    /// Whether somebody may be asked.
    pub may_ask: bool,
}

/// The migration between two ends, as a command line or a table names them.
pub fn migration(
    global: &Global,
    (from, to): (&str, &str),
    given: Given,
    args: &MigrateArgs,
    mut plan: Plan,
) -> Result<Migration> {
    let from = end(global, from, &args.ends, (given.from, given.may_ask), true)?;
    let to = end(global, to, &args.ends, (given.to, given.may_ask), false)?;
    let (from_shown, from_identity) = described(&from);
    let (to_shown, to_identity) = described(&to);
    if is_same(&from, &to) {
        return Err(Error::new(Kind::Usage, "FROM and TO are the same mailbox", "Name another one of the two."));
    }
    let mut one = None;
    let from = match from {
        End::Server(remote, folder) => {
            if let Some(folder) = folder {
                if !args.folders.is_empty() {
                    let what = "FROM names a folder, and so does --folders";
                    return Err(Error::new(Kind::Usage, what, "Name folders in one of the two places."));
                }
                plan.folders = vec![FolderPattern::literal(&folder)];
                one = Some(folder);
            }
            From::Server(remote)
        }
        End::Store(Spec { kind: StoreKind::Mbox, path, .. }) => From::Mbox(path),
        End::Store(spec) => From::Maildir(spec),
    };
    let to = match to {
        End::Server(remote, _) if remote.protocol == Protocol::Pop3 => {
            let what = "nothing can be put into a POP3 mailbox";
            return Err(Error::new(Kind::Usage, what, "Name the target by `imaps://`, or another one."));
        }
        End::Server(remote, folder) => {
            plan.mapping.into = plan.mapping.into.or(folder);
            To::Server(remote)
        }
        End::Store(spec) => {
            let alone = (from.is_single() || one.is_some()) && plan.mapping == crate::migrate::Mapping::default();
            To::Store(laid_out(spec, alone))
        }
    };
    // The one folder that the URL names is what goes there, not into it.
    if let (Some(folder), Some(into)) = (one, &plan.mapping.into) {
        plan.mapping.named.push((folder, into.clone()));
    }
    let name = name(&from_shown, &to_shown, &format!("{from_identity}\0\0{to_identity}"));
    Ok(Migration { name, from, to, plan })
}

fn end(
    global: &Global,
    text: &str,
    args: &EndArgs,
    (given, may_ask): (Credentials, bool),
    is_from: bool,
) -> Result<End> {
    if !text.contains(':') {
        let config = config::load(&config::path(global.config.clone())?)?;
        let account = config.select(&[text.to_owned()])?.into_iter().next();
        let missing = || Error::new(Kind::Usage, "no account is named", "Name an account, a URL or a path.");
        let mut remote = Remote::of(account.ok_or_else(missing)?);
        remote.password = given.password.unwrap_or(remote.password);
        if let Some(name) = given.auth_user {
            remote.auth_user = Some(option::auth_user(&name, remote.auth)?);
        }
        return Ok(End::Server(Box::new(remote), None));
    }
    match Endpoint::parse(text, &Base::here()?)? {
        Endpoint::Store(mut spec) => {
            spec.line_endings = args.line_endings.as_deref().map_or(Ok(LineEndings::Lf), option::line_endings)?;
            Ok(End::Store(spec))
        }
        Endpoint::Server { protocol, mut server, user, folder } => {
            let (command, auth, auth_user, pins, variable) = match is_from {
                true => (
                    &args.from_password_command,
                    &args.from_auth,
                    &args.from_auth_user,
                    &args.from_pin_sha256,
                    "MAILFERRY_FROM_PASSWORD",
                ),
                false => (
                    &args.to_password_command,
                    &args.to_auth,
                    &args.to_auth_user,
                    &args.to_pin_sha256,
                    "MAILFERRY_TO_PASSWORD",
                ),
            };
            let auth = auth.as_deref().map_or(Ok(AuthChoice::Auto), option::auth)?;
            let auth_user = given.auth_user.or_else(|| auth_user.clone());
            let auth_user = auth_user.map(|name| option::auth_user(&name, auth)).transpose()?;
            if let Some(text) = &args.timeout {
                server.timeout = option::timeout(text)?;
            }
            server.ca_file.clone_from(&args.ca_file);
            server.pins = pins.iter().map(|p| option::pin_sha256(p)).collect::<Result<_>>()?;
            let named = given.password.or_else(|| command.clone().map(PasswordSource::Command));
            let password = match named {
                Some(named) => named,
                None if std::env::var_os(variable).is_some() => PasswordSource::Env(variable.to_owned()),
                None if may_ask => PasswordSource::Prompt,
                None => {
                    let whose = auth_user.as_ref().unwrap_or(&user);
                    let what = format!("no password of {whose} at {} is named", server.host);
                    let remedy = format!("Fill in a column for it, or set {variable}.");
                    return Err(Error::new(Kind::Usage, what, remedy));
                }
            };
            let named = if is_from { Named::From } else { Named::To };
            Ok(End::Server(Box::new(Remote { protocol, server, auth, user, auth_user, password, named }), folder))
        }
    }
}

/// Whether the two are one mailbox, as far as their names tell.
fn is_same(from: &End, to: &End) -> bool {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match (from, to) {
        (End::Store(a), End::Store(b)) => a.kind == b.kind && real(&a.path) == real(&b.path),
        (End::Server(a, in_a), End::Server(b, in_b)) => in_a == in_b && a.identity() == b.identity(),
        _ => false,
    }
}

/// How an end is shown, and what it is.
fn described(end: &End) -> (String, String) {
    match end {
        End::Server(remote, folder) => {
            let folder = folder.as_ref().map(ToString::to_string).unwrap_or_default();
            (remote.shown(), format!("{}\0{folder}", remote.identity()))
        }
        End::Store(spec) => {
            let file = spec.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            (file, format!("{:?}\0{}", spec.kind, spec.path.display()))
        }
    }
}

/// How folders lie in a store that mail goes into: as those that stand there do, else one mailbox is the path itself.
fn laid_out(spec: Spec, is_single: bool) -> Spec {
    let is_empty = fs::read_dir(&spec.path).map_or(true, |mut entries| entries.next().is_none());
    let layout = match spec.kind {
        StoreKind::Mbox if is_single && !spec.path.is_dir() => Layout::Single,
        StoreKind::Mbox => Layout::Nested,
        StoreKind::Maildir if Maildir::exists(&spec.path) && is_single => Layout::Single,
        StoreKind::Maildir if Maildir::exists(&spec.path) => Layout::MaildirPlusPlus,
        StoreKind::Maildir if is_single && is_empty => Layout::Single,
        StoreKind::Maildir => Layout::Nested,
    };
    Spec { layout, ..spec }
}

/// A name for the state: readable, fit for a file name, and another one for every other pair of ends.
fn name(from: &str, to: &str, identity: &str) -> String {
    let (from, to) = (naming::readable(from, 40), naming::readable(to, 40));
    format!("{}-to-{to}-{}", from.trim_start_matches(['.', '-']), naming::mark(identity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_both_ends() {
        let one = name("me@old.example", "new box", "a");
        assert!(one.starts_with("me@old.example-to-new_box-"), "{one}");
        assert_ne!(one, name("me@old.example", "new box", "b"));
        assert!(name(".x", "y", "").starts_with("x-to-y-"));
    }
}
