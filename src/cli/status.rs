//! `mailferry status`: what the state tells about each account.

use super::accounts::STORE;
use super::args::{AccountArgs, Global};
use super::report::{self, messages};
use crate::config::{self, Account};
use crate::error::Result;
use crate::state::{FolderStatus, Home, Ledger, Run};
use serde_json::{Value, json};

/// Runs the command and gives its exit code.
pub fn run(global: &Global, args: &AccountArgs) -> Result<u8> {
    let state_dir = config::state_dir(global.state_dir.clone())?;
    let (accounts, others) = chosen(global, &args.accounts, &Home::names(&state_dir)?)?;
    let mut text = String::new();
    for (name, configured) in accounts.iter().map(|n| (n, true)).chain(others.iter().map(|n| (n, false))) {
        let ledger = Ledger::open_copy(&Home::new(&state_dir, name))?;
        let (run, folders) = (ledger.last_run()?, ledger.folders()?);
        // Of a migration there may be many, with many folders each.
        let in_short = !configured && args.accounts.is_empty() && global.verbose == 0;
        text.push_str(&match (global.json, in_short) {
            (true, _) => as_json(name, configured, run.as_ref(), &folders),
            (false, true) => in_a_line(name, run.as_ref(), &folders, ledger.fact(STORE)?.as_deref()),
            (false, false) => as_text(name, run.as_ref(), &folders),
        });
    }
    report::print(text.as_bytes());
    Ok(super::exit::DONE)
}

/// Accounts, and what else has a state: URLs that were pulled, migrations, accounts that are no longer in the configuration.
fn chosen(global: &Global, named: &[String], kept: &[String]) -> Result<(Vec<String>, Vec<String>)> {
    let path = config::path(global.config.clone())?;
    let accounts: Vec<Account> = match global.config {
        // Who works with URLs alone needs no configuration.
        None if !path.exists() && !kept.is_empty() && named.iter().all(|name| kept.contains(name)) => Vec::new(),
        _ => {
            let config = config::load(&path)?;
            let is_other = |name: &&String| kept.contains(name) && config.accounts.iter().all(|a| a.name != **name);
            match named.iter().filter(|name| !is_other(name)).cloned().collect::<Vec<_>>() {
                rest if rest.is_empty() && !named.is_empty() => Vec::new(),
                rest => config.select(&rest)?,
            }
        }
    };
    let accounts: Vec<String> = accounts.into_iter().map(|a| a.name).collect();
    let others = kept.iter().filter(|name| !accounts.contains(name) && (named.is_empty() || named.contains(name)));
    let others = others.cloned().collect();
    Ok((accounts, others))
}

fn in_a_line(name: &str, run: Option<&Run>, folders: &[FolderStatus], store: Option<&str>) -> String {
    let pulled = messages(folders.iter().map(|f| f.delivered).sum());
    let place = store.map_or(String::new(), |path| format!(" in {path}"));
    let left = match folders.iter().map(|f| f.quarantined.len()).sum() {
        0 => String::new(),
        left => format!(", {left} left"),
    };
    format!("{}, {pulled}{place}{left}\n", last_run(name, run))
}

fn last_run(account: &str, run: Option<&Run>) -> String {
    match run {
        None => format!("{account}: never pulled"),
        Some(run) => {
            let when = jiff::Timestamp::from_second(run.started).map_or_else(|_| "?".to_owned(), |t| t.to_string());
            format!("{account}: last run {when}, {:.1} s, exit {}", run.seconds, run.exit)
        }
    }
}

fn as_text(account: &str, run: Option<&Run>, folders: &[FolderStatus]) -> String {
    let mut text = last_run(account, run) + "\n";
    for f in folders {
        let held = match f.synced {
            true => format!("{} on both sides", messages(f.paired)),
            false => format!("{} pulled", messages(f.delivered)),
        };
        text.push_str(&format!("  {}: {held}", f.name));
        for (n, what) in [
            (f.delete_sent, "to be deleted on the server"),
            (f.arriving, "on their way when a run ended"),
            (f.sending, "on their way to the server when a run ended"),
        ] {
            if n > 0 {
                text.push_str(&format!(", {n} {what}"));
            }
        }
        text.push('\n');
        for q in &f.quarantined {
            let tries = if q.tries == 1 { "1 try".to_owned() } else { format!("{} tries", q.tries) };
            text.push_str(&format!("    left: {} ({tries}): {}\n", q.key, q.reason));
        }
    }
    text
}

fn as_json(account: &str, configured: bool, run: Option<&Run>, folders: &[FolderStatus]) -> String {
    let folders: Vec<Value> = (folders.iter())
        .map(|f| {
            let left: Vec<Value> = f
                .quarantined
                .iter()
                .map(|q| json!({"key": q.key.to_string(), "tries": q.tries, "reason": q.reason}))
                .collect();
            json!({"folder": f.name, "delivered": f.delivered, "delete_sent": f.delete_sent, "arriving": f.arriving,
                   "synced": f.synced, "paired": f.paired, "sending": f.sending, "quarantined": left})
        })
        .collect();
    let run = run.map(|r| {
        json!({"started": r.started, "seconds": r.seconds, "exit": r.exit,
                                 "counts": serde_json::from_str::<Value>(&r.counts).unwrap_or_default()})
    });
    format!(
        "{}\n",
        json!({"event": "status", "account": account, "configured": configured, "last_run": run, "folders": folders})
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str, synced: bool) -> FolderStatus {
        FolderStatus {
            name: name.into(),
            delivered: 9,
            delete_sent: 0,
            arriving: 0,
            synced,
            paired: 7,
            sending: 0,
            quarantined: Vec::new(),
        }
    }

    #[test]
    fn a_folder_tells_what_both_sides_have_and_what_is_open() {
        let open = FolderStatus { arriving: 1, sending: 2, delete_sent: 3, ..folder("Lists/rust", true) };
        assert_eq!(
            as_text("work", None, &[folder("INBOX", false), FolderStatus { paired: 1, ..folder("Sent", true) }, open]),
            "work: never pulled\n  INBOX: 9 messages pulled\n  Sent: 1 message on both sides\n  Lists/rust: 7 messages on \
             both sides, 3 to be deleted on the server, 1 on their way when a run ended, 2 on their way to the server when a \
             run ended\n"
        );
    }
}
