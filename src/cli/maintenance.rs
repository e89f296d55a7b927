//! The commands around the work: `config`, `completions`, `man`.

use super::args::{Cli, ConfigArgs, ConfigCommand, Global};
use super::exit;
use crate::config::{self, Account};
use crate::credentials::PasswordSource;
use crate::error::Result;
use anyhow::Context;
use clap::CommandFactory;
use std::io::Write;
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
        ConfigCommand::Show => config::load(&path)?.accounts.iter().map(shown).collect(),
    };
    // A reader that went away is no error of ours.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    Ok(exit::DONE)
}

fn shown(a: &Account) -> String {
    format!(
        "{}\n  server: {} {}@{}:{} ({:?} TLS), log-in {}, password from {}\n  store:  {:?} {}\n  pull:   keep {:?}, max_size {}\n",
        a.name,
        a.protocol,
        a.user,
        a.server.host,
        a.server.port,
        a.server.tls,
        a.auth,
        password_source(&a.password),
        a.store.kind,
        a.store.path.display(),
        a.pull.keep,
        a.pull.max_size.map_or_else(|| "none".to_owned(), |n| n.to_string()),
    )
}

fn password_source(source: &PasswordSource) -> &'static str {
    match source {
        PasswordSource::Command(_) => "a command",
        PasswordSource::Env(_) => "the environment",
        PasswordSource::File(_) => "a file",
        PasswordSource::Netrc => "netrc",
        PasswordSource::Prompt => "a prompt",
        PasswordSource::Value(_) => "the configuration",
    }
}

/// `mailferry completions SHELL`.
pub fn completions(shell: clap_complete::Shell) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mailferry", &mut script);
    let _ = std::io::stdout().lock().write_all(&script);
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
