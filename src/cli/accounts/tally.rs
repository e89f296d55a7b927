//! What comes of an account, while the work goes on.

use super::super::exit;
use super::super::report::Report;
use crate::error::{Error, Result, Scope};
use crate::event::{Counts, Event};
use crate::retrieve::Outcome;

/// Counts and codes as they come in.
pub struct Tally<'a> {
    account: &'a str,
    report: &'a dyn Report,
    counts: Counts,
    codes: Vec<u8>,
}

impl<'a> Tally<'a> {
    /// An account's, still empty.
    pub fn new(account: &'a str, report: &'a dyn Report) -> Tally<'a> {
        Tally { account, report, counts: Counts::default(), codes: Vec::new() }
    }

    /// A folder's outcome; an error that reaches beyond the folder is handed on.
    pub fn add(&mut self, outcome: Outcome) -> Result<()> {
        self.count(outcome.counts);
        match outcome.error {
            Some(e) if e.scope() == Scope::Account => return Err(e),
            Some(e) => self.failed(&e),
            None => {}
        }
        Ok(())
    }

    /// What was done.
    pub fn count(&mut self, counts: Counts) {
        self.counts += counts;
        if counts.failed + counts.left + counts.undeleted_remote > 0 {
            self.codes.push(exit::LEFT_SOME);
        }
    }

    /// Something stays undone, for a reason that ends nothing else.
    pub fn left(&mut self, warning: &str) {
        self.report.event(self.account, Event::Warning(warning));
        self.codes.push(exit::LEFT_SOME);
    }

    /// Something ended early; it is told at once.
    pub fn failed(&mut self, e: &Error) {
        self.report.problem(self.account, e);
        self.codes.push(e.kind().exit_code());
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The gravest code so far.
    pub fn exit(&self) -> u8 {
        exit::worst(self.codes.iter().copied())
    }
}
