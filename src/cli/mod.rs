//! The commands. Only this part prints, reads the terminal or exits.

mod accounts;
mod adopt;
pub mod args;
mod exit;
mod held;
mod maintenance;
mod migrate;
mod naming;
mod options;
mod pull;
mod report;
mod signals;
mod status;
mod sync;

use anyhow::Context;
use args::{Cli, Command};
use clap::Parser;
use clap::error::ErrorKind;
use std::ffi::OsString;

/// Runs a command line and gives its exit code.
pub fn run(line: impl IntoIterator<Item = OsString>) -> u8 {
    let line: Vec<OsString> = line.into_iter().collect();
    let cli = match Cli::try_parse_from(&line) {
        Ok(cli) => cli,
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            // A reader that went away is no error of ours.
            let _ = e.print();
            return exit::DONE;
        }
        Err(e) => {
            report::misuse(&e, &line);
            return exit::USAGE;
        }
    };
    let working = working(&cli.command);
    let code = start(&cli).unwrap_or_else(|e| report::failure(&cli.global, working, &e));
    match report::output_failure() {
        Some(e) => exit::worst([code, report::failure(&cli.global, None, &e.into())]),
        None => code,
    }
}

/// The name of a command that works on accounts.
fn working(command: &Command) -> Option<&'static str> {
    match command {
        Command::Pull(_) => Some("pull"),
        Command::Sync(_) => Some("sync"),
        Command::Adopt(_) => Some("adopt"),
        Command::Migrate(_) => Some("migrate"),
        Command::Status(_) | Command::Config(_) | Command::Completions { .. } | Command::Man { .. } => None,
    }
}

fn start(cli: &Cli) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start threads; close some programs, then run again")?;
    let code = runtime.block_on(dispatch(cli));
    // A prompt or a password command may still hold a thread; it is of no more interest.
    runtime.shutdown_background();
    code
}

async fn dispatch(cli: &Cli) -> anyhow::Result<u8> {
    match &cli.command {
        Command::Pull(args) => Ok(pull::run(&cli.global, args).await?),
        Command::Sync(args) => Ok(sync::run(&cli.global, args).await?),
        Command::Adopt(args) => Ok(adopt::run(&cli.global, args).await?),
        Command::Migrate(args) => Ok(migrate::run(&cli.global, args).await?),
        Command::Status(args) => Ok(status::run(&cli.global, args)?),
        Command::Config(args) => Ok(maintenance::config(&cli.global, args)?),
        Command::Completions { shell } => Ok(maintenance::completions(*shell)),
        Command::Man { folder } => maintenance::man(folder),
    }
}
