//! The commands around the work: `config`, `completions`, `man`.

use super::args::{Cli, ConfigArgs, ConfigCommand, Global};
use super::{exit, report};
use crate::config::{self, Account};
use crate::error::Result;
use anyhow::Context;
use clap::CommandFactory;
use std::path::Path;

/// `mailferry config …`.
pub fn config(global: &Global, args: &ConfigArgs) -> Result<u8> {
    let path = config::path(global.config.clone())?;
    let text = match args.command {
        ConfigCommand::Path => format!("{}\n", path.display()),
        ConfigCommand::Check => {
            let found = config::load(&path)?.accounts.len();
            if global.quiet {
                String::new()
            } else {
                format!("{}: {found} account{}, no mistakes\n", path.display(), if found == 1 { "" } else { "s" })
            }
        }
        ConfigCommand::Show => {
            let accounts = config::load(&path)?.accounts;
            accounts.iter().map(Account::to_string).collect::<Vec<_>>().join("\n")
        }
    };
    report::print(text.as_bytes());
    Ok(exit::DONE)
}

/// `mailferry completions SHELL`.
pub fn completions(shell: clap_complete::Shell) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mailferry", &mut script);
    report::print(&script);
    exit::DONE
}

/// `mailferry man DIR`.
pub fn man(folder: &Path) -> anyhow::Result<u8> {
    clap_mangen::generate_to(Cli::command(), folder).with_context(|| {
        format!(
            "cannot write the man pages into {}; name an existing folder that this user may write",
            folder.display()
        )
    })?;
    Ok(exit::DONE)
}
