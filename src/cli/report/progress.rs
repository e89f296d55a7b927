//! Progress bars on a terminal: one for each folder that is being worked on, and one an account where that is known to have
//! several: messages and octets, rate, time left.

use super::pace::Pace;
use crate::event::Outlook;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The bars of a run.
pub struct Progress {
    all: MultiProgress,
    bars: Mutex<Bars>,
}

#[derive(Default)]
struct Bars {
    folders: BTreeMap<(String, String), (ProgressBar, u64)>,
    accounts: BTreeMap<String, (ProgressBar, Pace)>,
}

impl Progress {
    /// Bars on stderr, none yet.
    pub fn new() -> Progress {
        Progress { all: MultiProgress::new(), bars: Mutex::default() }
    }

    fn bars(&self) -> MutexGuard<'_, Bars> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, template: &str, octets: u64, name: String) -> ProgressBar {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.all.add(ProgressBar::new(octets)).with_style(style).with_prefix(name)
    }

    /// An account with so many messages in all its folders.
    pub fn outset(&self, account: &str, messages: u64) {
        let mut bars = self.bars();
        let add = || (self.add("{prefix} {wide_bar} {msg}", 0, account.to_owned()), Pace::new(Instant::now()));
        bars.accounts.entry(account.to_owned()).or_insert_with(add).1.outset(messages);
    }

    /// A folder that was looked at.
    pub fn expect(&self, account: &str, folder: &str, outlook: Outlook) {
        let mut bars = self.bars();
        if let Some((_, pace)) = bars.accounts.get_mut(account) {
            pace.folder(folder, outlook);
        }
        if outlook.fetch == 0 {
            return;
        }
        let template =
            "{prefix} {wide_bar} {msg} messages, {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";
        let bar = self.add(template, outlook.bytes, format!("{account} {folder}"));
        bar.set_message(format!("0/{}", outlook.fetch));
        bars.folders.insert((account.to_owned(), folder.to_owned()), (bar, outlook.fetch));
    }

    /// So much of the folder is done.
    pub fn advance(&self, account: &str, folder: &str, messages: u64, bytes: u64) {
        let mut bars = self.bars();
        if let Some((bar, total)) = bars.folders.get(&(account.to_owned(), folder.to_owned())) {
            bar.set_message(format!("{messages}/{total}"));
            bar.set_position(bytes);
            if messages >= *total {
                bar.finish_and_clear();
            }
        }
        if let Some((bar, pace)) = bars.accounts.get_mut(account) {
            pace.advance(folder, messages, bytes);
            let (done, all) = pace.octets();
            bar.set_length(all);
            bar.set_position(done);
            bar.set_message(pace.shown(Instant::now()));
        }
    }

    /// The account is held up for now.
    pub fn wait(&self, account: &str) {
        if let Some((bar, _)) = self.bars().accounts.get(account) {
            bar.set_message("waiting for the server");
        }
    }

    /// Prints something between the bars.
    pub fn suspend(&self, print: impl FnOnce()) {
        self.all.suspend(print);
    }

    /// Takes the bars off the screen.
    pub fn clear(&self) {
        let _ = self.all.clear();
    }
}
