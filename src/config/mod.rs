//! What the user configured: the TOML file and endpoint URLs, turned into validated values.
//!
//! [`load`] reads a file; [`Endpoint::parse`] reads a URL of the command line. Everything that can be told to be wrong
//! without asking a server is told here, with line, key and remedy, and all of it at once. Tables are read key by key; a
//! key that nobody asked for is unknown, so no key is accepted and then ignored. The manual of both is `docs/config.md`.

mod account;
mod endpoint;
mod file;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod nearest;
pub mod option;
mod password;
mod place;
mod problem;
mod provider;
mod server;
mod shown;
mod sync;
mod table;
#[cfg(test)]
mod tests;
mod units;

pub use endpoint::Endpoint;
pub use file::load;
pub use place::{Base, path, state_dir};

use crate::credentials::PasswordSource;
use crate::error::{Error, Kind, Result};
use crate::mail::FolderPattern;
use crate::{net, retrieve, store};
use std::fmt;

/// A configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Its accounts, at least one, in the order of the file.
    pub accounts: Vec<Account>,
}

/// An account: a mailbox on a server, and where its mail goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name: 1 to 64 ASCII letters, digits, `-`, `_`, `.` and `@`, no `.` or `-` first, so that it may name a file. No
    /// two accounts of a configuration have names that differ in case only.
    pub name: String,
    /// The protocol its server speaks.
    pub protocol: Protocol,
    /// Where the server is, and whom to trust there.
    pub server: net::Server,
    /// The user name as the server wants it.
    pub user: String,
    /// Whose password it is, where it is an administrator's who logs in for `user`.
    pub auth_user: Option<String>,
    /// How to log in.
    pub auth: net::AuthChoice,
    /// Where the password comes from.
    pub password: PasswordSource,
    /// Where pulled mail goes.
    pub store: store::Spec,
    /// What is pulled and what stays on the server.
    pub pull: retrieve::Policy,
    /// How it goes both ways; of use with IMAP and a Maildir only.
    pub sync: Sync,
}

/// The `[accounts.NAME.sync]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    /// Which folders. What begins with `@` is a role (RFC 6154), such as `@sent`: the folder that the server has for it.
    pub folders: Vec<FolderPattern>,
    /// Of the server's folders, only those that are subscribed to, and the inbox.
    pub subscribed: bool,
    /// What travels, and where to. The trash `@trash` is the folder that the server has for it.
    pub policy: crate::sync::Policy,
    /// `max_delete`.
    pub limit: crate::sync::Limit,
    /// How many connections a sync may hold open at once.
    pub connections: usize,
}

/// How a server is spoken to. Displays as its name in prose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RFC 9051 and RFC 3501.
    Imap,
    /// RFC 1939.
    Pop3,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Imap => "IMAP",
            Protocol::Pop3 => "POP3",
        })
    }
}

impl Config {
    /// The accounts of these names, in the given order and each once; all where no name is given.
    pub fn select(self, names: &[String]) -> Result<Vec<Account>> {
        if names.is_empty() {
            return Ok(self.accounts);
        }
        let mut selected: Vec<Account> = Vec::new();
        for name in names {
            let Some(account) = self.accounts.iter().find(|a| a.name == *name) else {
                let known: Vec<_> = self.accounts.iter().map(|a| format!("`{}`", a.name)).collect();
                let guess = nearest::did_you_mean(name, self.accounts.iter().map(|a| a.name.as_str()));
                let remedy = format!("{guess}Known accounts: {}.", known.join(", "));
                let what = match name.contains(':') {
                    // It may hold a password.
                    true => "a URL is not the name of an account".to_owned(),
                    false => format!("no account is named `{}`", name.escape_debug()),
                };
                return Err(Error::new(Kind::Usage, what, remedy));
            };
            if !selected.iter().any(|a| a.name == *name) {
                selected.push(account.clone());
            }
        }
        Ok(selected)
    }
}
