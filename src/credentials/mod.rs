//! Secrets and where they come from.

mod command;
mod keyring;
mod login;
mod netrc;
mod secret;
mod source;

pub use login::Login;
pub use secret::Secret;
pub use source::{PasswordSource, resolve};
