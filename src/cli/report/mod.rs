//! What the user sees of a run. The only files that print.

mod json;
mod lines;
mod migration;
mod output;
mod pace;
mod progress;
mod summary;
mod units;

use super::args::{Global, When};
use crate::error::{Error, Kind};
use crate::event::{Counts, Event, Observer};
use crate::migrate::FolderReport;
use json::Json;
pub use json::entry as summary_entry;
use lines::Lines;
pub use migration::kept as migration_entry;
pub use output::{failure as output_failure, print};
pub use pace::span;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
pub use units::{messages, octets};

/// What came of an account.
#[derive(Debug)]
pub struct Summary {
    /// Its name.
    pub account: String,
    /// What was done.
    pub counts: Counts,
    /// How long it took.
    pub seconds: f64,
    /// Its exit code.
    pub exit: u8,
}

/// Tells the user about a run: facts while it works, problems where they come up, a summary at the end.
pub trait Report: Observer {
    /// The run begins.
    fn start(&self, accounts: &[String]);
    /// A problem ended a folder or an account.
    fn problem(&self, account: &str, error: &Error);
    /// A migration has come to its end, or would do so: each of its folders.
    fn migrated(&self, account: &str, folders: &[FolderReport]);
    /// What to do now that the work is done.
    fn advise(&self, account: &str, text: &str);
    /// The run ended with this exit code.
    fn finish(&self, summaries: &[Summary], exit: u8);
}

/// The report that the options ask for.
pub fn choose(global: &Global, command: &'static str) -> Arc<dyn Report> {
    let lines = Lines::new(global, command);
    if global.json { Arc::new(Json::new(command, global.dry_run, lines)) } else { Arc::new(lines) }
}

/// Tells why a command failed outside any account's work, and gives its exit code. `working` is the name of a command that
/// works on accounts.
pub fn failure(global: &Global, working: Option<&str>, failure: &anyhow::Error) -> u8 {
    let mut stderr = std::io::stderr().lock();
    let colour = colour(global, stderr.is_terminal());
    let error = failure.downcast_ref::<Error>();
    let (text, code) = match error {
        Some(e) => (problem_text(None, e, colour), e.kind().exit_code()),
        None => (format!("error: {failure:#}\n"), Kind::CannotCreate.exit_code()),
    };
    if let Some(command) = working.filter(|_| global.json) {
        let (message, remedy) = error.map_or((format!("{failure:#}"), ""), |e| (e.to_string(), e.remedy()));
        json::broke_off(command, global.dry_run, &message, remedy, code);
    }
    let _ = stderr.write_all(text.as_bytes());
    code
}

/// Tells why a command line was not understood, without the URLs in it: they may hold a password.
pub fn misuse(error: &clap::Error, line: &[OsString]) {
    let words = || line.iter().filter_map(|word| word.to_str());
    let working = words().find(|word| ["pull", "sync", "adopt", "migrate"].contains(word));
    let told = error.render().to_string();
    let urls: Vec<_> =
        line.iter().filter_map(|word| word.to_str()).filter_map(|w| Some((w, w.split_once("://")?.0))).collect();
    let text = urls.iter().fold(told, |text, (url, scheme)| text.replace(url, &format!("{scheme}://…")));
    if let Some(command) = working.filter(|_| words().any(|word| word == "--json")) {
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        json::broke_off(command, false, message, "Look it up with --help.", super::exit::USAGE);
    }
    if urls.is_empty() {
        // A reader that went away is no error of ours.
        let _ = error.print();
        return;
    }
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// `error: work: what failed: cause`, and on the next line what to do.
fn problem_text(account: Option<&str>, error: &Error, colour: bool) -> String {
    let account = account.map(|a| format!("{a}: ")).unwrap_or_default();
    let (on, off) = if colour { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    format!("{on}error:{off} {account}{error}\n  {}\n", error.remedy())
}

fn colour(global: &Global, terminal: bool) -> bool {
    match global.color {
        When::Always => true,
        When::Never => false,
        When::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    }
}

/// What happens to a message on the server.
fn server_side(deleted: bool) -> &'static str {
    if deleted { "delete" } else { "keep" }
}

impl<R: Report + ?Sized> Observer for Arc<R> {
    fn event(&self, account: &str, event: Event<'_>) {
        (**self).event(account, event);
    }
}
