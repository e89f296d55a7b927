//! Secrets and where they come from.

mod command;
mod netrc;
mod secret;
mod source;

pub use secret::Secret;
pub use source::{PasswordSource, resolve};

/// Who logs in, with what.
#[derive(Debug, Clone)]
pub struct Login {
    /// The user name as the server wants it.
    pub user: String,
    /// The password, or the access token of XOAUTH2 and OAUTHBEARER.
    pub secret: Secret,
}
