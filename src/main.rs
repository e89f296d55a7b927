//! The `mailferry` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    mailferry::roots::hide_bundle();
    mailferry::cli::run(std::env::args_os()).into()
}
