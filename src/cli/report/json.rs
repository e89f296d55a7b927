//! `--json`: one object a line on stdout. `docs/json.md` describes the schema.

use super::{Lines, Report, Summary, server_side};
use crate::error::Error;
use crate::event::{Action, Counts, Event, Observer};
use serde_json::{Map, Value, json};
use std::io::Write;

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
    let mut object = Map::new();
    object.insert("event".into(), event.into());
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    // A reader that went away is no error of ours: the work goes on.
    let _ = writeln!(std::io::stdout().lock(), "{}", Value::Object(object));
}

impl Observer for Json {
    fn event(&self, account: &str, event: Event<'_>) {
        match event {
            Event::Folder { folder, outlook: o } => emit(
                "folder",
                json!({"account": account, "folder": folder, "listed": o.listed, "had": o.had, "fetch": o.fetch,
                       "bytes": o.bytes, "skip": o.skip, "delete": o.delete}),
            ),
            Event::Message { folder, key, bytes, action, deleted } => {
                let (action, detail) = match action {
                    Action::Fetched(place) => ("fetched", Some(("place", place))),
                    Action::WouldFetch => ("would_fetch", None),
                    Action::Had => ("had", None),
                    Action::Skipped(reason) => ("skipped", Some(("reason", reason))),
                    Action::Gone => ("skipped", Some(("reason", "gone"))),
                    Action::Refused(reason) => ("failed", Some(("reason", reason))),
                };
                let mut fields = json!({"account": account, "folder": folder, "key": key.map(ToString::to_string),
                                        "bytes": bytes, "action": action, "server": server_side(deleted)});
                if let (Some((name, value)), Value::Object(map)) = (detail, &mut fields) {
                    map.insert(name.into(), value.into());
                }
                emit("message", fields);
            }
            Event::Deed { .. } => {}
            Event::Progress { folder, messages, bytes } => {
                emit("progress", json!({"account": account, "folder": folder, "messages": messages, "bytes": bytes}));
            }
            Event::Note(text) => emit("note", json!({"account": account, "message": text})),
            Event::Warning(text) => {
                emit("warning", json!({"account": account, "message": text}));
                self.lines.event(account, event);
            }
        }
    }
}

impl Report for Json {
    fn start(&self, accounts: &[String]) {
        emit(
            "start",
            json!({"schema": SCHEMA, "version": env!("CARGO_PKG_VERSION"), "command": self.command,
                   "dry_run": self.dry_run, "accounts": accounts, "time": jiff::Timestamp::now().to_string()}),
        );
    }

    fn problem(&self, account: &str, error: &Error) {
        let fields = json!({"account": account, "message": error.to_string(), "remedy": error.remedy(),
                            "exit": error.kind().exit_code()});
        emit("error", fields);
        self.lines.problem(account, error);
    }

    fn finish(&self, summaries: &[Summary], exit: u8) {
        let accounts: Vec<Value> = summaries.iter().map(entry).collect();
        emit("summary", json!({"accounts": accounts, "exit": exit}));
    }
}

/// The account's entry of the summary; listed = fetched + had + skipped + failed.
pub fn entry(s: &Summary) -> Value {
    let Counts { listed, had, fetched, adopted, skipped, failed, deleted_remote, undeleted_remote, bytes_in, .. } =
        s.counts;
    json!({"account": s.account, "listed": listed, "had": had, "fetched": fetched, "uploaded": 0, "flags_local": 0,
           "flags_remote": 0, "deleted_local": 0, "deleted_remote": deleted_remote,
           "undeleted_remote": undeleted_remote, "moved_local": 0, "moved_remote": 0,
           "adopted": adopted, "skipped": skipped, "failed": failed, "bytes_in": bytes_in, "bytes_out": 0,
           "seconds": (s.seconds * 1000.0).round() / 1000.0, "exit": s.exit})
}
