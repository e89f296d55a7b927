//! The commands. Only this part prints, reads the terminal or exits.

pub mod args;
mod exit;
mod maintenance;
mod pull;
mod report;
mod signals;
mod status;

use args::{Cli, Command};
use clap::Parser;
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::io::Write;

/// Runs a command line and gives its exit code.
pub fn run(line: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(line) {
        Ok(cli) => cli,
        Err(e) => {
            // A reader that went away is no error of ours.
            let _ = e.print();
            return match e.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
                _ => exit::USAGE,
            };
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "error: cannot start: {e}. Close some programs, then run again.");
            return exit::TRY_LATER;
        }
    };
    let code = runtime.block_on(dispatch(&cli));
    // A prompt or a password command may still hold a thread; it is of no more interest.
    runtime.shutdown_background();
    code
}

async fn dispatch(cli: &Cli) -> u8 {
    let done = match &cli.command {
        Command::Pull(args) => pull::run(&cli.global, args).await,
        Command::Status(args) => status::run(&cli.global, args),
        Command::Config(args) => maintenance::config(&cli.global, args),
        Command::Completions { shell } => maintenance::completions(*shell),
        Command::Man { folder } => maintenance::man(folder),
    };
    done.unwrap_or_else(|e| {
        report::problem(&cli.global, None, &e);
        e.kind().exit_code()
    })
}
