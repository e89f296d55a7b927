//! The configuration file as a whole.

use super::account::{Surroundings, account};
use super::problem::{Fault, Problems, position};
use super::table::Table;
use super::{Account, Base, Config, Protocol};
use crate::error::{Error, Kind, Result};
use crate::store::StoreKind;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use toml::de::DeTable;
use zeroize::Zeroizing;

/// No configuration is longer; the octets that are read at most.
const LONGEST: u64 = 1 << 20;

const EXAMPLE: &str = "\
[accounts.work]
protocol = \"imap\"
host = \"imap.example.com\"
user = \"me@example.com\"
store = { kind = \"maildir\", path = \"~/Mail/work\" }";

/// Reads and validates the configuration file. The error holds every problem found, each with its line.
pub fn load(path: &Path) -> Result<Config> {
    let unreadable = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound => {
            Error::new(Kind::Config, format!("there is no configuration at {}", path.display()), advice())
        }
        _ => {
            let what = format!("cannot read the configuration {}", path.display());
            let remedy = "Make it readable for this user, or name another with --config.";
            Error::new(Kind::Config, what, remedy).because(e)
        }
    };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    // A password may stand in the file; room enough from the start leaves no copy of it behind.
    let room = usize::try_from(metadata.len().min(LONGEST)).unwrap_or_default() + 64;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST {
        let what = format!("{} is longer than 1 MiB", path.display());
        return Err(Error::new(Kind::Config, what, "Name a configuration file with --config."));
    }
    let text = std::str::from_utf8(&bytes).map_err(|e| {
        let sound = String::from_utf8_lossy(bytes.get(..e.valid_up_to()).unwrap_or_default());
        let (line, column) = position(&sound, sound.len());
        Error::new(Kind::Config, format!("{}:{line}:{column}: not UTF-8", path.display()), "Save the file as UTF-8.")
    })?;
    parse(text, path, &Base::of(path)?, is_private(&metadata))
}

fn advice() -> String {
    format!(
        "Write one, for example these lines, or do without: `mailferry pull imaps://USER@HOST --to maildir:PATH`.\n{EXAMPLE}"
    )
}

#[cfg(unix)]
fn is_private(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o077 == 0
}

#[cfg(not(unix))]
fn is_private(_: &Metadata) -> bool {
    true
}

/// Validates the text of the configuration file `path`. `private` says that only its owner can read it.
pub(super) fn parse(text: &str, path: &Path, base: &Base, private: bool) -> Result<Config> {
    let problems = Problems::default();
    let accounts = match DeTable::parse(text) {
        Ok(document) => {
            let around = Surroundings { file: path, base, private };
            accounts(Table::root(document.get_ref(), &problems), &around, text)
        }
        Err(e) => {
            // The error's own display shows the line, which may hold a password.
            let fault = Fault::new(
                format!("not valid TOML: {}", e.message().trim_end()),
                "Mend the line: `key = \"text\"`, with texts and odd names in quotes, and no key twice.",
            );
            problems.add(e.span().map_or(0, |span| span.start), "", fault);
            Vec::new()
        }
    };
    match problems.into_error(path, text) {
        Some(error) => Err(error),
        None if accounts.is_empty() => {
            Err(Error::new(Kind::Config, format!("{} names no account", path.display()), advice()))
        }
        None => Ok(Config { accounts }),
    }
}

fn accounts(mut root: Table<'_>, around: &Surroundings<'_>, text: &str) -> Vec<Account> {
    let mut accounts: Vec<(Account, usize)> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for (name, table) in root.table("accounts").map(Table::tables).unwrap_or_default() {
        if let Some(twin) = names.iter().find(|n| n.eq_ignore_ascii_case(name)) {
            let what = format!("differs from `{}` in case only", twin.escape_debug());
            table.complain(None, Fault::new(what, "Rename one of the two accounts."));
        }
        names.push(name);
        let place = table.clone();
        let Some(account) = account(name, table, around) else { continue };
        let others = accounts.iter().filter(|(other, _)| resolved(&other.store.path) == resolved(&account.store.path));
        let collision = others.filter_map(|(other, at)| Some((collide(other, &account)?, other, at))).next();
        if let Some((remedy, other, at)) = collision {
            let (line, _) = position(text, *at);
            let what = format!("its store is also the store of `{}` (line {line})", other.name);
            place.complain(None, Fault::new(what, remedy));
        }
        accounts.push((account, place.at()));
    }
    root.finish(&[]);
    accounts.into_iter().map(|(account, _)| account).collect()
}

/// A path without symbolic links, as far as it stands.
fn resolved(path: &Path) -> PathBuf {
    let mut tail = Vec::new();
    for above in path.ancestors() {
        if let Ok(real) = above.canonicalize() {
            return tail.into_iter().rev().fold(real, |path, name| path.join(name));
        }
        tail.extend(above.file_name());
    }
    path.to_owned()
}

/// What to do about two accounts with one path, unless they may share it: mail is only pulled into it, from both as the
/// same thing. Of two accounts that sync one Maildir, each would copy the other's mail to its server.
fn collide(a: &Account, b: &Account) -> Option<&'static str> {
    let is_synced = |account: &Account| account.protocol == Protocol::Imap && account.store.kind == StoreKind::Maildir;
    if is_synced(a) || is_synced(b) {
        return Some("Give it another `path`: a Maildir that can be synced belongs to one account.");
    }
    let differ = (a.store.kind, a.store.layout) != (b.store.kind, b.store.layout);
    differ.then_some("Give it another `path`, or the same `kind` and `layout`.")
}
