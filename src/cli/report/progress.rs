//! Progress bars on a terminal: one an account, messages and octets, rate, time left.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The bars of a run.
pub struct Progress {
    all: MultiProgress,
    bars: Mutex<BTreeMap<(String, String), (ProgressBar, u64)>>,
}

impl Progress {
    /// Bars on stderr, none yet.
    pub fn new() -> Progress {
        Progress { all: MultiProgress::new(), bars: Mutex::default() }
    }

    /// A folder with so many messages and octets to fetch.
    pub fn expect(&self, account: &str, folder: &str, messages: u64, bytes: u64) {
        if messages == 0 {
            return;
        }
        let style = ProgressStyle::with_template(
            "{prefix} {wide_bar} {msg} messages, {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.all.add(ProgressBar::new(bytes)).with_style(style).with_prefix(format!("{account} {folder}"));
        bar.set_message(format!("0/{messages}"));
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        bars.insert((account.to_owned(), folder.to_owned()), (bar, messages));
    }

    /// So much of the folder is done.
    pub fn advance(&self, account: &str, folder: &str, messages: u64, bytes: u64) {
        let bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((bar, total)) = bars.get(&(account.to_owned(), folder.to_owned())) {
            bar.set_message(format!("{messages}/{total}"));
            bar.set_position(bytes);
            if messages >= *total {
                bar.finish_and_clear();
            }
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
