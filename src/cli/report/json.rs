//! `--json`: one object a line on stdout. `docs/json.md` describes the schema.

use super::{Lines, Report, Summary, migration, print, server_side};
use crate::error::Error;
use crate::event::{Action, Counts, Deed, Event, FolderDeed, Observer};
use crate::migrate::FolderReport;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

/// The version of the schema: raised when a script that reads it would break.
const SCHEMA: u32 = 1;

/// Prints events; problems go to stderr as well, for whoever reads that.
pub struct Json {
    command: &'static str,
    dry_run: bool,
    lines: Lines,
}

impl Json {
    /// A report whose problems are told by `lines` as well.
    pub fn new(command: &'static str, dry_run: bool, lines: Lines) -> Json {
        Json { command, dry_run, lines }
    }
}

fn emit(event: &str, fields: Value) {
    let object = with(json!({"event": event}), fields);
    print(format!("{object}\n").as_bytes());
}

impl Observer for Json {
    fn event(&self, account: &str, event: Event<'_>) {
        match event {
            Event::Outset { folders, messages } => {
                emit("outset", json!({"account": account, "folders": folders, "messages": messages}));
            }
            Event::Folder { folder, outlook: o } => emit(
                "folder",
                json!({"account": account, "folder": folder, "listed": o.listed, "had": o.had, "fetch": o.fetch,
                       "bytes": o.bytes, "skip": o.skip, "delete": o.delete}),
            ),
            Event::Message { folder, key, bytes, action, deleted } => {
                let (action, detail) = match action {
                    Action::Fetched(place) => ("fetched", json!({"place": place})),
                    Action::WouldFetch => ("would_fetch", json!({})),
                    Action::Had => ("had", json!({})),
                    Action::Skipped(reason) => ("skipped", json!({"reason": reason})),
                    Action::Gone => ("skipped", json!({"reason": "gone"})),
                    Action::Refused(reason) => ("failed", json!({"reason": reason})),
                };
                let fields = json!({"account": account, "folder": folder, "key": key.map(ToString::to_string),
                                    "bytes": bytes, "action": action, "server": server_side(deleted)});
                emit("message", with(fields, detail));
            }
            Event::Deed { folder, on, deed, key, subject, reason, rehearsal } => {
                let about = json!({"account": account, "folder": folder, "side": on.to_string(),
                                   "key": key.to_string(), "reason": reason});
                let subject = subject.map_or_else(|| json!({}), |subject| json!({"subject": subject}));
                emit("message", with(with(about, subject), action(deed, rehearsal)));
            }
            Event::FolderDeed { folder, on, deed, rehearsal } => {
                let (action, to) = match deed {
                    FolderDeed::Create => ("create", json!({})),
                    FolderDeed::Remove => ("remove", json!({})),
                    FolderDeed::Rename(to) => ("rename", json!({"to": to})),
                };
                let would = if rehearsal { "would_" } else { "" };
                let about = json!({"account": account, "folder": folder, "side": on.to_string(),
                                   "action": format!("{would}{action}")});
                emit("folder_change", with(about, to));
            }
            Event::Progress { folder, messages, bytes } => {
                emit("progress", json!({"account": account, "folder": folder, "messages": messages, "bytes": bytes}));
            }
            Event::Note(text) => emit("note", json!({"account": account, "message": text})),
            Event::Warning(text) | Event::Setback(text) => {
                emit("warning", json!({"account": account, "message": text}));
                self.lines.event(account, event);
            }
        }
    }
}

/// What is done to a message, and what belongs to that.
fn action(deed: Deed<'_>, rehearsal: bool) -> Value {
    let (action, more) = match deed {
        Deed::Copy => ("copy", json!({})),
        Deed::Mark(change) => ("flags", json!({"add": change.add.imap_names(), "remove": change.remove.imap_names()})),
        Deed::Move(to) => ("move", json!({"to": to})),
        Deed::Remove => ("delete", json!({})),
        Deed::Skip => ("skip", json!({})),
    };
    let would = if rehearsal { "would_" } else { "" };
    with(json!({"action": format!("{would}{action}")}), more)
}

/// One object of the fields of both.
fn with(mut fields: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
        fields.extend(more);
    }
    fields
}

impl Report for Json {
    fn start(&self, accounts: &[String]) {
        start(self.command, self.dry_run, accounts);
    }

    fn problem(&self, account: &str, error: &Error) {
        let fields = json!({"account": account, "message": error.to_string(), "remedy": error.remedy(),
                            "exit": error.kind().exit_code()});
        emit("error", fields);
        self.lines.problem(account, error);
    }

    fn migrated(&self, account: &str, folders: &[FolderReport]) {
        emit("migration", migration::entry(account, folders));
    }

    fn advise(&self, account: &str, text: &str) {
        emit("note", json!({"account": account, "message": text}));
    }

    fn finish(&self, summaries: &[Summary], exit: u8) {
        finish(summaries.iter().map(entry).collect(), exit);
    }
}

/// Whether the first event was printed.
static STARTED: AtomicBool = AtomicBool::new(false);
/// Whether the last was.
static FINISHED: AtomicBool = AtomicBool::new(false);

fn start(command: &str, dry_run: bool, accounts: &[String]) {
    STARTED.store(true, Ordering::Relaxed);
    emit(
        "start",
        json!({"schema": SCHEMA, "version": env!("CARGO_PKG_VERSION"), "command": command, "dry_run": dry_run,
               "accounts": accounts, "time": jiff::Timestamp::now().to_string()}),
    );
}

fn finish(accounts: Vec<Value>, exit: u8) {
    FINISHED.store(true, Ordering::Relaxed);
    emit("summary", json!({"accounts": accounts, "exit": exit}));
}

/// A command that came to no account's work, or not to the end of it: what is missing of its first and last events, and why.
pub fn broke_off(command: &str, dry_run: bool, message: &str, remedy: &str, exit: u8) {
    if FINISHED.load(Ordering::Relaxed) {
        return;
    }
    if !STARTED.load(Ordering::Relaxed) {
        start(command, dry_run, &[]);
    }
    emit("error", json!({"account": null, "message": message, "remedy": remedy, "exit": exit}));
    finish(Vec::new(), exit);
}

/// The account's entry of the summary; of a pull, listed = fetched + had + skipped + failed.
pub fn entry(s: &Summary) -> Value {
    let Counts {
        listed,
        had,
        fetched,
        adopted,
        skipped,
        failed,
        left,
        deleted_remote,
        undeleted_remote,
        uploaded,
        flags_local,
        flags_remote,
        deleted_local,
        moved_local,
        moved_remote,
        folders,
        bytes_in,
        bytes_out,
    } = s.counts;
    json!({"account": s.account, "listed": listed, "had": had, "fetched": fetched, "uploaded": uploaded,
           "flags_local": flags_local, "flags_remote": flags_remote, "deleted_local": deleted_local,
           "deleted_remote": deleted_remote, "undeleted_remote": undeleted_remote, "moved_local": moved_local,
           "moved_remote": moved_remote, "folders": folders, "adopted": adopted, "skipped": skipped, "failed": failed,
           "left": left, "bytes_in": bytes_in, "bytes_out": bytes_out, "seconds": (s.seconds * 1000.0).round() / 1000.0, "exit": s.exit})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Change, Flags, Keyword, Marks};

    #[test]
    fn an_action_tells_what_belongs_to_it() {
        let marks = |letters, keyword| Marks {
            flags: Flags::from_letters(letters),
            keywords: Keyword::new(keyword).into_iter().collect(),
        };
        let change = Change { add: marks("PS", "$Junk"), remove: marks("F", "") };
        let (add, remove) = (["$Forwarded", "\\Seen", "$Junk"], ["\\Flagged"]);
        for (deed, rehearsal, expected) in [
            (Deed::Copy, false, json!({"action": "copy"})),
            (Deed::Copy, true, json!({"action": "would_copy"})),
            (Deed::Mark(&change), false, json!({"action": "flags", "add": add, "remove": remove})),
            (Deed::Mark(&change), true, json!({"action": "would_flags", "add": add, "remove": remove})),
            (Deed::Move("Old/2024"), true, json!({"action": "would_move", "to": "Old/2024"})),
            (Deed::Remove, false, json!({"action": "delete"})),
            (Deed::Skip, true, json!({"action": "would_skip"})),
        ] {
            assert_eq!(action(deed, rehearsal), expected);
        }
    }

    #[test]
    fn the_summary_has_every_count_under_its_name() {
        let counts = Counts {
            listed: 1,
            had: 2,
            fetched: 3,
            adopted: 4,
            skipped: 5,
            failed: 6,
            left: 18,
            deleted_remote: 7,
            undeleted_remote: 8,
            uploaded: 9,
            flags_local: 10,
            flags_remote: 11,
            deleted_local: 12,
            moved_local: 13,
            moved_remote: 14,
            folders: 17,
            bytes_in: 15,
            bytes_out: 16,
        };
        let expected = json!({"account": "work", "listed": 1, "had": 2, "fetched": 3, "adopted": 4, "skipped": 5,
            "failed": 6, "left": 18, "deleted_remote": 7, "undeleted_remote": 8, "uploaded": 9, "flags_local": 10,
            "flags_remote": 11, "deleted_local": 12, "moved_local": 13, "moved_remote": 14, "bytes_in": 15,
            "bytes_out": 16, "folders": 17, "seconds": 0.123, "exit": 2});
        assert_eq!(entry(&Summary { account: "work".into(), counts, seconds: 0.123_456, exit: 2 }), expected);
    }
}
