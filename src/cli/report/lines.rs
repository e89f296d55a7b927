//! Plain text: problems on stderr always, a summary line an account on a terminal, more on request.

use super::progress::Progress;
use super::units::{messages, octets};
use super::{Report, Summary, colour, problem_text, server_side};
use crate::cli::args::Global;
use crate::error::Error;
use crate::event::{Action, Counts, Event, Observer};
use std::io::{IsTerminal, Write};

/// Prints lines, and progress bars where stderr is a terminal.
pub struct Lines {
    /// Every message is listed on stdout, with what would happen to it.
    rehearsal: bool,
    /// A summary line an account on stdout.
    summary: bool,
    /// Folders on stderr; from 2 on messages too.
    verbose: u8,
    colour: bool,
    progress: Option<Progress>,
}

impl Lines {
    /// Lines as the options and the terminal ask for.
    pub fn new(global: &Global) -> Lines {
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let talks = !global.quiet && !global.json;
        Lines {
            rehearsal: global.dry_run && !global.json,
            summary: talks && (out || global.dry_run || global.verbose > 0),
            verbose: if talks { global.verbose } else { 0 },
            colour: colour(global, err),
            progress: (talks && err && !global.dry_run).then(Progress::new),
        }
    }

    fn err(&self, text: &str) {
        let print = || {
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        };
        match &self.progress {
            Some(progress) => progress.suspend(print),
            None => print(),
        }
    }

    fn message(&self, account: &str, event: Event<'_>) {
        let Event::Message { folder, key, bytes, action, deleted } = event else { return };
        let text = describe(action);
        let key = key.map_or_else(|| "-".to_owned(), ToString::to_string);
        let size = bytes.map_or_else(|| "?".to_owned(), octets);
        let line = format!("{account} {folder} {key} {size}: {text}; server: {}\n", server_side(deleted));
        match action {
            Action::Skipped(_) | Action::Refused(_) if !self.rehearsal => self.err(&format!("warning: {line}")),
            _ if self.rehearsal => {
                let _ = std::io::stdout().lock().write_all(line.as_bytes());
            }
            _ if self.verbose > 1 => self.err(&line),
            _ => {}
        }
    }
}

fn describe(action: Action<'_>) -> String {
    match action {
        Action::Fetched(place) => format!("fetched to {place}"),
        Action::WouldFetch => "would fetch".to_owned(),
        Action::Had => "here already".to_owned(),
        Action::Skipped(reason) => format!("skipped, {reason}"),
        Action::Gone => "skipped, gone from the server meanwhile".to_owned(),
        Action::Refused(reason) => format!("not delivered, tried again next time: {reason}"),
    }
}

impl Observer for Lines {
    fn event(&self, account: &str, event: Event<'_>) {
        match event {
            Event::Folder { folder, outlook } => {
                if let Some(progress) = &self.progress {
                    progress.expect(account, folder, outlook.fetch, outlook.bytes);
                }
                if self.verbose > 0 {
                    let bytes = octets(outlook.bytes);
                    self.err(&format!(
                        "{account} {folder}: {} on the server, {} here already, {} to fetch ({bytes}), {} to skip\n",
                        messages(outlook.listed),
                        outlook.had,
                        outlook.fetch,
                        outlook.skip
                    ));
                }
            }
            Event::Message { .. } => self.message(account, event),
            Event::Deed { .. } => {}
            Event::Progress { folder, messages, bytes } => {
                if let Some(progress) = &self.progress {
                    progress.advance(account, folder, messages, bytes);
                }
            }
            Event::Note(text) if self.verbose > 0 => self.err(&format!("note: {account}: {text}\n")),
            Event::Note(_) => {}
            Event::Warning(text) => self.err(&format!("warning: {account}: {text}\n")),
        }
    }
}

impl Report for Lines {
    fn start(&self, _: &[String]) {}

    fn problem(&self, account: &str, error: &Error) {
        self.err(&problem_text(Some(account), error, self.colour));
    }

    fn finish(&self, summaries: &[Summary], _: u8) {
        if let Some(progress) = &self.progress {
            progress.clear();
        }
        if self.summary {
            let text: String = summaries.iter().map(|s| summary_line(s, self.rehearsal)).collect();
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
        }
    }
}

fn summary_line(s: &Summary, rehearsal: bool) -> String {
    let Counts { had, fetched, adopted, skipped, failed, deleted_remote, undeleted_remote, bytes_in, .. } = s.counts;
    let mut parts = match (rehearsal, fetched) {
        (true, n) => vec![format!("{} would be fetched", messages(n))],
        (false, 0) => vec!["nothing new".to_owned()],
        (false, n) => vec![format!("{} new ({})", messages(n), octets(bytes_in))],
    };
    let mut also = |n: u64, what: &str| {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    };
    also(had, "here already");
    also(adopted, "of them recognised");
    also(skipped, "skipped");
    also(failed, "left");
    also(deleted_remote, "deleted on the server");
    also(undeleted_remote, "not deleted there");
    format!("{}: {}\n", s.account, parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_matters() {
        let mut s = Summary { account: "work".into(), counts: Counts::default(), seconds: 1.0, exit: 0 };
        assert_eq!(summary_line(&s, false), "work: nothing new\n");
        s.counts = Counts { fetched: 1, had: 3, skipped: 2, deleted_remote: 1, bytes_in: 2048, ..Counts::default() };
        assert_eq!(
            summary_line(&s, false),
            "work: 1 message new (2.0 KiB), 3 here already, 2 skipped, 1 deleted on the server\n"
        );
        assert_eq!(
            summary_line(&s, true),
            "work: 1 message would be fetched, 3 here already, 2 skipped, 1 deleted on the server\n"
        );
    }
}
