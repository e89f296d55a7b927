//! Plain text: problems on stderr always, a summary line an account on a terminal, more on request.

use super::pace::Pace;
use super::progress::Progress;
use super::summary::{line, table};
use super::units::{messages, octets};
use super::{Report, Summary, colour, migration, print, problem_text, server_side};
use crate::cli::args::Global;
use crate::error::Error;
use crate::event::{Action, Deed, Event, FolderDeed, Observer};
use crate::mail::{Key, Marks};
use crate::migrate::FolderReport;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Prints lines, and progress bars where stderr is a terminal.
pub struct Lines {
    command: &'static str,
    /// Every message is listed on stdout, with what would happen to it.
    rehearsal: bool,
    /// A summary line an account on stdout.
    summary: bool,
    /// Folders on stderr; from 2 on messages too.
    verbose: u8,
    colour: bool,
    progress: Option<Progress>,
    /// How far each account has come, and when that was told last; where somebody looks into a log.
    log: Option<Mutex<BTreeMap<String, (Pace, Instant)>>>,
}

/// A line in a log tells so often how far a migration has come.
const EVERY: Duration = Duration::from_secs(30);

impl Lines {
    /// Lines as the options and the terminal ask for.
    pub fn new(global: &Global, command: &'static str) -> Lines {
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let talks = !global.quiet && !global.json;
        Lines {
            command,
            rehearsal: global.dry_run && !global.json,
            summary: talks && (out || global.dry_run || global.verbose > 0),
            verbose: if talks { global.verbose } else { 0 },
            colour: colour(global, err),
            progress: (talks && err && !global.dry_run).then(Progress::new),
            log: (talks && !err && !global.dry_run && global.verbose > 0 && command == "migrate").then(Mutex::default),
        }
    }

    fn err(&self, text: &str) {
        let tell = || {
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        };
        match &self.progress {
            Some(progress) => progress.suspend(tell),
            None => tell(),
        }
    }

    /// Tells how far the account has come, from time to time.
    fn log(&self, account: &str, event: Event<'_>) {
        let Some(log) = &self.log else { return };
        let now = Instant::now();
        let mut all = log.lock().unwrap_or_else(PoisonError::into_inner);
        let (pace, told) = all.entry(account.to_owned()).or_insert_with(|| (Pace::new(now), now));
        match event {
            Event::Outset { messages, .. } => pace.outset(messages),
            Event::Folder { folder, outlook } => pace.folder(folder, outlook),
            Event::Progress { folder, messages, bytes } => pace.advance(folder, messages, bytes),
            _ => return,
        }
        if matches!(event, Event::Progress { .. }) && now.duration_since(*told) >= crate::fault::pause(EVERY) {
            *told = now;
            let folders = pace.under_way();
            let folders = if folders.is_empty() { String::new() } else { format!("; {}", folders.join(", ")) };
            self.err(&format!("{account}: {}{folders}\n", pace.shown(now)));
        }
    }

    fn message(&self, account: &str, event: Event<'_>) {
        let Event::Message { folder, key, bytes, action, deleted } = event else { return };
        let text = describe(action);
        let key = key.map_or_else(|| "-".to_owned(), ToString::to_string);
        let size = bytes.map_or_else(|| "?".to_owned(), octets);
        let line = format!("{account} {folder} {key} {size}: {text}; server: {}\n", server_side(deleted));
        match action {
            // There may be a hundred thousand of them, as the user wished: the report counts them.
            Action::Skipped(_) if self.command == "migrate" => self.detail(&line),
            Action::Skipped(_) | Action::Refused(_) if !self.rehearsal => self.err(&format!("warning: {line}")),
            _ => self.detail(&line),
        }
    }

    /// Something about one message: told in rehearsals, and to who asks for it.
    fn detail(&self, line: &str) {
        if self.rehearsal {
            print(line.as_bytes());
        } else if self.verbose > 1 {
            self.err(line);
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

fn describe_deed(deed: Deed<'_>, key: &Key, rehearsal: bool) -> String {
    let would = if rehearsal { "would " } else { "" };
    match deed {
        Deed::Copy => format!("{would}copy {key}"),
        Deed::Mark(change) => {
            let (add, remove) = (signed('+', &change.add), signed('-', &change.remove));
            format!("{would}mark {key}{add}{remove}")
        }
        Deed::Move(to) => format!("{would}move {key} to {to}"),
        Deed::Remove => format!("{would}delete {key}"),
        Deed::Skip => format!("{would}skip {key}"),
    }
}

/// The names of marks, each after a space and a sign.
fn signed(sign: char, marks: &Marks) -> String {
    marks.imap_names().iter().map(|name| format!(" {sign}{name}")).collect()
}

impl Observer for Lines {
    fn event(&self, account: &str, event: Event<'_>) {
        self.log(account, event);
        match event {
            Event::Outset { messages, .. } => {
                if let Some(progress) = &self.progress {
                    progress.outset(account, messages);
                }
            }
            Event::Folder { folder, outlook } => {
                if let Some(progress) = &self.progress {
                    progress.expect(account, folder, outlook);
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
            Event::Deed { folder, on, deed, key, subject, reason, rehearsal } => {
                let done = describe_deed(deed, key, rehearsal);
                let about = subject.map(|s| format!(" \u{201c}{s}\u{201d}")).unwrap_or_default();
                self.detail(&format!("{account} {folder} {on}: {done}{about}: {reason}\n"));
            }
            Event::FolderDeed { folder, on, deed, rehearsal } => {
                let would = if rehearsal { "would " } else { "" };
                let line = match deed {
                    FolderDeed::Create => format!("{account} {folder} {on}: {would}make the folder\n"),
                    FolderDeed::Remove => format!("{account} {folder} {on}: {would}remove the folder\n"),
                    FolderDeed::Rename(to) => format!("{account} {folder} {on}: {would}rename the folder to {to}\n"),
                };
                if self.rehearsal || self.verbose != 1 { self.detail(&line) } else { self.err(&line) }
            }
            Event::Progress { folder, messages, bytes } => {
                if let Some(progress) = &self.progress {
                    progress.advance(account, folder, messages, bytes);
                }
            }
            Event::Note(text) if self.verbose > 0 => self.err(&format!("note: {account}: {text}\n")),
            Event::Note(_) => {}
            // Who looks on wants to know why nothing moves; cron does not.
            Event::Setback(text) if self.verbose > 0 || self.progress.is_some() => {
                if let Some(progress) = &self.progress {
                    progress.wait(account);
                }
                self.err(&format!("note: {account}: {text}\n"));
            }
            Event::Setback(_) => {}
            Event::Warning(text) => self.err(&format!("warning: {account}: {text}\n")),
        }
    }
}

impl Report for Lines {
    fn start(&self, _: &[String]) {}

    fn problem(&self, account: &str, error: &Error) {
        self.err(&problem_text(Some(account), error, self.colour));
    }

    fn migrated(&self, account: &str, folders: &[FolderReport]) {
        if self.summary {
            let text: String = folders.iter().map(|f| migration::line(account, f, self.rehearsal)).collect();
            print(text.as_bytes());
        }
    }

    fn advise(&self, account: &str, text: &str) {
        if self.summary {
            print(format!("{account}: {text}\n").as_bytes());
        }
    }

    fn finish(&self, summaries: &[Summary], _: u8) {
        if let Some(progress) = &self.progress {
            progress.clear();
        }
        if self.summary {
            let text: String = match self.command {
                "migrate" if summaries.len() > 1 => table(summaries, self.rehearsal),
                _ => summaries.iter().map(|s| line(self.command, s, self.rehearsal)).collect(),
            };
            print(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Change, Flags, Keyword};

    #[test]
    fn a_deed_is_one_line() {
        let marks = |letters, keyword| Marks {
            flags: Flags::from_letters(letters),
            keywords: Keyword::new(keyword).into_iter().collect(),
        };
        let (seen, back) = (marks("S", ""), marks("F", "work"));
        let change = |add: &Marks, remove: &Marks| Change { add: add.clone(), remove: remove.clone() };
        let (both, none) = (change(&seen, &back), Marks::default());
        for (deed, rehearsal, line) in [
            (Deed::Copy, true, "would copy 1700.a"),
            (Deed::Copy, false, "copy 1700.a"),
            (Deed::Mark(&both), true, "would mark 1700.a +\\Seen -\\Flagged -work"),
            (Deed::Mark(&change(&none, &seen)), false, "mark 1700.a -\\Seen"),
            (Deed::Move("Old/2024"), true, "would move 1700.a to Old/2024"),
            (Deed::Remove, false, "delete 1700.a"),
            (Deed::Skip, true, "would skip 1700.a"),
        ] {
            assert_eq!(describe_deed(deed, &Key::new("1700.a"), rehearsal), line);
        }
    }
}
