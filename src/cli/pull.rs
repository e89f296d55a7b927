//! `mailferry pull`: which accounts, or which URL.

mod account;
mod from_url;

pub use account::Pull;

use super::accounts;
use super::args::{Global, PullArgs};
use super::options::Named;
use crate::config::{self, Account};
use crate::error::{Error, Kind, Result};

/// Runs the command and gives its exit code.
pub async fn run(global: &Global, args: &PullArgs) -> Result<u8> {
    let named = if args.url.to.is_some() { Named::Url } else { Named::Account };
    accounts::run(global, chosen(global, args)?, Pull(named)).await
}

fn chosen(global: &Global, args: &PullArgs) -> Result<Vec<Account>> {
    let is_url = |s: &String| s.contains(':');
    match (args.sources.as_slice(), &args.url.to) {
        ([url], Some(to)) if is_url(url) => from_url::account(url, to, &args.url).map(|a| vec![a]),
        (_, Some(_)) => Err(Error::new(
            Kind::Usage,
            "--to goes with one URL",
            "Write `mailferry pull imaps://USER@HOST --to maildir:PATH`; accounts of the configuration have their own store.",
        )),
        (sources, None) if sources.iter().any(is_url) => Err(Error::new(
            Kind::Usage,
            "a URL needs a store to deliver into",
            "Add `--to maildir:PATH` or `--to mbox:PATH`.",
        )),
        (names, None) => config::load(&config::path(global.config.clone())?)?.select(names),
    }
}
