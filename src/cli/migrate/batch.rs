//! Many migrations in one file: a table in CSV (RFC 4180), a mailbox a line.

use super::ends::{self, Credentials, Given};
use super::{Migration, wishes};
use crate::cli::args::{Global, MigrateArgs};
use crate::config::Base;
use crate::credentials::PasswordSource;
use crate::error::{Error, Kind, Result, quoted};
use crate::state::{Home, Ledger};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The columns, by the names in the first line.
const COLUMNS: [&str; 8] = [
    "from",
    "to",
    "from_password_command",
    "to_password_command",
    "from_password_file",
    "to_password_file",
    "from_auth_user",
    "to_auth_user",
];

/// The part of a batch that one of several machines does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shard {
    /// From 1 on.
    index: u64,
    count: u64,
}

impl Shard {
    fn parse(text: &str) -> Option<Shard> {
        let (index, count) = text.split_once('/')?;
        let shard = Shard { index: index.parse().ok()?, count: count.parse().ok()? };
        (1..=shard.count).contains(&shard.index).then_some(shard)
    }

    /// Whether a mailbox is this one's: the same on every machine, and of one shard alone.
    fn takes(self, from: &str) -> bool {
        let digest = Sha256::digest(from.as_bytes());
        let hash = digest.iter().take(8).fold(0u64, |hash, byte| hash << 8 | u64::from(*byte));
        hash % self.count == self.index - 1
    }
}

/// The migrations of a file that are wanted.
pub fn migrations(
    global: &Global,
    args: &MigrateArgs,
    file: &Path,
    state_dir: &Path,
    now: i64,
) -> Result<Vec<Migration>> {
    let plan = wishes::plan(args, now)?;
    let shard = args.shard.as_deref().map(|text| {
        Shard::parse(text).ok_or_else(|| {
            let what = format!("--shard: {} is no shard", quoted(text.as_bytes()));
            Error::new(Kind::Usage, what, "Write I/N, such as 3/16 for the third of sixteen.")
        })
    });
    let shard = shard.transpose()?;
    let shown = file.display();
    let text = fs::read_to_string(file).map_err(|e| Error::local_io(format!("cannot read {shown}"), e))?;
    let wrong = |line: usize, what: String, remedy: &str| {
        Error::new(Kind::Config, format!("{shown}: line {line}: {what}"), remedy.to_owned())
    };
    let mut rows = records(&text).map_err(|line| wrong(line, "a quote has no end".into(), "Close it."))?.into_iter();
    let head = rows.next().map(|(_, fields)| fields).unwrap_or_default();
    let names: Vec<String> = head.iter().map(|name| name.trim().to_lowercase()).collect();
    if let Some(unknown) = names.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
        let remedy = format!("The first line names the columns: {}.", COLUMNS.join(", "));
        return Err(wrong(1, format!("{} is no column", quoted(unknown.as_bytes())), &remedy));
    }
    if !["from", "to"].iter().all(|name| names.iter().any(|n| n == name)) {
        return Err(wrong(1, "the columns from and to are needed".into(), "Write `from,to,…` in the first line."));
    }
    let base = Base::here()?;
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for (line, fields) in rows {
        let field = |name: &str| {
            let at = names.iter().position(|n| n == name)?;
            fields.get(at).map(|text| text.trim()).filter(|text| !text.is_empty())
        };
        let (Some(from), Some(to)) = (field("from"), field("to")) else {
            return Err(wrong(line, "from or to is empty".into(), "Name both ends."));
        };
        if shard.is_some_and(|shard| !shard.takes(from)) {
            continue;
        }
        let password = |end: &str| -> Result<Option<PasswordSource>> {
            if let Some(command) = field(&format!("{end}_password_command")) {
                return Ok(Some(PasswordSource::Command(command.to_owned())));
            }
            let file = field(&format!("{end}_password_file"));
            Ok(file.map(|file| base.path(file)).transpose()?.map(PasswordSource::File))
        };
        let end = |end: &str| -> Result<Credentials> {
            let auth_user = field(&format!("{end}_auth_user")).map(str::to_owned);
            Ok(Credentials { password: password(end)?, auth_user })
        };
        let given = Given { from: end("from")?, to: end("to")?, may_ask: false };
        let told = |e: Error| Error::new(Kind::Config, format!("{shown}: line {line}: {e}"), e.remedy());
        let migration = ends::migration(global, (from, to), given, args, plan.clone()).map_err(told)?;
        super::refuse_impossible(&migration).map_err(told)?;
        if !seen.insert(migration.name.clone()) {
            return Err(wrong(line, "this mailbox was named before".into(), "Remove one of the two lines."));
        }
        if is_wanted(args, state_dir, &migration)? {
            found.push(migration);
        }
    }
    Ok(found)
}

/// Whether what the last run left asks for another one.
fn is_wanted(args: &MigrateArgs, state_dir: &Path, migration: &Migration) -> Result<bool> {
    if !args.resume && !args.only_failed {
        return Ok(true);
    }
    let home = Home::new(state_dir, &migration.name);
    let last = if home.database().exists() { Ledger::open_copy(&home)?.last_run()? } else { None };
    Ok(match last {
        None => args.resume,
        Some(run) => run.exit != 0,
    })
}

/// The records of a table with the line on which each begins; empty lines are none. The line of a quote without an end is
/// the error.
fn records(text: &str) -> Result<Vec<(usize, Vec<String>)>, usize> {
    let (mut all, mut fields, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut start, mut quote) = (1, 1, None);
    let mut chars = text.trim_start_matches('\u{feff}').chars().peekable();
    loop {
        let next = chars.next();
        match (next, quote) {
            (None, Some(opened)) => return Err(opened),
            (Some('"'), Some(_)) if chars.next_if_eq(&'"').is_some() => field.push('"'),
            (Some('"'), Some(_)) => quote = None,
            (Some('"'), None) if field.is_empty() => quote = Some(line),
            (Some(','), None) => fields.push(std::mem::take(&mut field)),
            (Some('\r'), None) if chars.peek() == Some(&'\n') => {}
            (Some('\n') | None, None) => {
                fields.push(std::mem::take(&mut field));
                let fields = std::mem::take(&mut fields);
                if fields.iter().any(|f| !f.is_empty()) {
                    all.push((start, fields));
                }
                start = line + 1;
            }
            (Some(other), _) => field.push(other),
        }
        match next {
            None => return Ok(all),
            Some('\n') => line += 1,
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tables_are_read_as_spreadsheets_write_them() {
        let read = |text| {
            let records = records(text).unwrap();
            records.into_iter().map(|(line, fields)| format!("{line}:{}", fields.join("|"))).collect::<Vec<_>>()
        };
        assert_eq!(read("\u{feff}a,b\r\n1,\"x, \"\"y\"\"\nz\"\r\n\r\n2,\n"), ["1:a|b", "2:1|x, \"y\"\nz", "5:2|"]);
        assert_eq!(read("a\nb\"c\",d"), ["1:a", "2:b\"c\"|d"]);
        assert!(read("").is_empty());
        assert_eq!(records("a\n\"b\nc"), Err(2));
    }

    #[test]
    fn shards_are_written_as_a_fraction() {
        assert_eq!(Shard::parse("3/16"), Some(Shard { index: 3, count: 16 }));
        for wrong in ["", "1", "0/4", "5/4", "1/0", "a/b", "1/2/3"] {
            assert_eq!(Shard::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn each_mailbox_is_in_one_shard(users in proptest::collection::vec("[a-z]{1,8}", 1..40), count in 1u64..9) {
            for user in users {
                let takers = (1..=count).filter(|index| Shard { index: *index, count }.takes(&user)).count();
                prop_assert_eq!(takers, 1);
            }
        }

        #[test]
        fn no_table_panics(text in "[a\",\r\n ]{0,30}") {
            let _ = records(&text);
        }
    }
}
