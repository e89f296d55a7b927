//! What a test that found a difference tells beside it.

use super::*;
use rusqlite::types::ValueRef;

/// The rows of the ledger, and where the folders were left.
pub fn ledger(pair: &Pair) -> String {
    let db = rusqlite::Connection::open(pair.ferry.state_dir().join("accounts/x.sqlite")).unwrap();
    let tables = ["folder", "message", "intent", "leftover"];
    tables.iter().map(|table| rows(&db, table)).collect()
}

fn rows(db: &rusqlite::Connection, table: &str) -> String {
    let mut query = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let names: Vec<String> = query.column_names().map(str::to_owned).collect();
    let mut rows = query.query([]).unwrap();
    let mut told = String::new();
    while let Some(row) = rows.next().unwrap() {
        let fields = names.iter().enumerate();
        let fields: Vec<String> =
            fields.map(|(at, name)| format!("{name}={}", value(row.get_ref(at).unwrap()))).collect();
        told.push_str(&format!("  {table}: {}\n", fields.join(" ")));
    }
    told
}

fn value(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(blob) if blob.is_ascii() => String::from_utf8_lossy(blob).into_owned(),
        ValueRef::Blob(blob) => blob.iter().take(4).map(|b| format!("{b:02x}")).collect(),
        ValueRef::Integer(n) => n.to_string(),
        _ => "-".to_owned(),
    }
}

/// The folders and messages of the server, as Dovecot tells them.
pub fn listed(pair: &Pair) -> String {
    let user = &pair.user.name;
    let status = pair.user.doveadm(&["mailbox", "status", "-u", user, "messages uidnext highestmodseq", "*"]);
    let messages =
        pair.user.doveadm(&["-f", "tab", "fetch", "-u", user, "mailbox uid modseq flags hdr.subject", "all"]);
    status + &messages
}
