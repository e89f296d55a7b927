//! Where a password comes from.

use super::Secret;
use crate::error::Result;
use std::path::PathBuf;

/// The `password` key of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// First line of a command's output; run by the shell.
    Command(String),
    /// An environment variable.
    Env(String),
    /// First line of a file.
    File(PathBuf),
    /// `~/.netrc`, by host and user.
    Netrc,
    /// Asked for on the terminal.
    Prompt,
    /// In the configuration itself.
    Value(Secret),
}

/// Fetches the password of `user` at `host`.
pub async fn resolve(source: &PasswordSource, user: &str, host: &str) -> Result<Secret> {
    let _ = (source, user, host);
    todo!()
}
