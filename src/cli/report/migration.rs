//! The folders of a migration, as lines and as JSON.

use super::units::{messages, octets};
use crate::migrate::{Balance, FolderReport, Verified};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The line of a folder, with its line end.
pub fn line(account: &str, folder: &FolderReport, rehearsal: bool) -> String {
    let FolderReport { from, to, balance, verified } = folder;
    let name = if from == to { from.to_string() } else { format!("{from} \u{2192} {to}") };
    let Balance { listed, copied, there, skipped, failed, bytes, removed } = balance;
    let verb = if rehearsal { "to copy" } else { "copied" };
    let mut parts = vec![format!("{copied} {verb} ({})", octets(*bytes))];
    if *there > 0 {
        parts.push(format!("{there} there already"));
    }
    parts.extend(reasons(skipped, "skipped").chain(reasons(failed, "failed")));
    if *removed > 0 {
        parts.push(format!("{removed} deleted in the source"));
    }
    let checked = match verified {
        None => String::new(),
        Some(Verified { missing: 0, by_content: true, .. }) => "; all there, octet by octet".to_owned(),
        Some(Verified { missing: 0, .. }) => "; all there, by header and size".to_owned(),
        Some(Verified { missing, .. }) => format!("; {missing} NOT FOUND in the target"),
    };
    format!("{account} {name}: {}: {}{checked}\n", messages(*listed), parts.join(", "))
}

fn reasons<'r>(reasons: &'r BTreeMap<String, u64>, what: &'r str) -> impl Iterator<Item = String> + 'r {
    reasons.iter().map(move |(reason, n)| format!("{n} {what} ({reason})"))
}

/// The fields of a `migration` event.
pub fn entry(account: &str, folders: &[FolderReport]) -> Value {
    let of = |f: &FolderReport| {
        let b = &f.balance;
        let verified = f.verified.map(|v| {
            let by = if v.by_content { "content" } else { "header" };
            json!({"expected": v.expected, "missing": v.missing, "by": by})
        });
        json!({"from": f.from.to_string(), "to": f.to.to_string(), "listed": b.listed, "copied": b.copied,
               "there": b.there, "skipped": b.skipped, "failed": b.failed, "bytes": b.bytes, "removed": b.removed,
               "verified": verified})
    };
    json!({"account": account, "folders": folders.iter().map(of).collect::<Vec<_>>()})
}

/// The report of a mailbox as it is kept in a file.
pub fn kept(account: &str, folders: &[FolderReport], exit: u8) -> Value {
    let mut report = entry(account, folders);
    if let Value::Object(fields) = &mut report {
        fields.insert("exit".to_owned(), exit.into());
        fields.insert("time".to_owned(), jiff::Timestamp::now().to_string().into());
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::FolderName;

    fn report() -> FolderReport {
        let reasons = |list: &[(&str, u64)]| list.iter().map(|(r, n)| ((*r).to_owned(), *n)).collect();
        FolderReport {
            from: FolderName::parse("Sent Items").unwrap(),
            to: FolderName::parse("Sent").unwrap(),
            balance: Balance {
                listed: 10,
                copied: 4,
                there: 3,
                skipped: reasons(&[("older than --since", 1)]),
                failed: reasons(&[("full", 2)]),
                bytes: 2048,
                removed: 0,
            },
            verified: Some(Verified { expected: 7, missing: 0, by_content: false }),
        }
    }

    #[test]
    fn a_line_balances() {
        assert_eq!(
            line("work", &report(), false),
            "work Sent Items \u{2192} Sent: 10 messages: 4 copied (2.0 KiB), 3 there already, 1 skipped (older than --since), \
             2 failed (full); all there, by header and size\n"
        );
        let missing = Verified { expected: 7, missing: 2, by_content: true };
        let none = FolderReport { balance: Balance::default(), verified: Some(missing), ..report() };
        assert_eq!(
            line("work", &none, true),
            "work Sent Items \u{2192} Sent: 0 messages: 0 to copy (0 B); 2 NOT FOUND in the target\n"
        );
    }

    #[test]
    fn json_tells_the_same() {
        let expected = json!({"account": "work", "folders": [{"from": "Sent Items", "to": "Sent", "listed": 10, "copied": 4,
            "there": 3, "skipped": {"older than --since": 1}, "failed": {"full": 2}, "bytes": 2048, "removed": 0,
            "verified": {"expected": 7, "missing": 0, "by": "header"}}]});
        assert_eq!(entry("work", &[report()]), expected);
    }
}
