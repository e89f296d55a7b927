//! Many migrations in one file.

use super::ends::{self, Credentials, Given};
use super::table::{self, Row};
use super::{Migration, run, wishes};
use crate::cli::args::{Global, MigrateArgs};
use crate::config::Base;
use crate::credentials::PasswordSource;
use crate::error::{Error, Kind, Result, quoted};
use crate::state::{Home, Ledger};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

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
    let text = fs::read(file).map_err(|e| Error::local_io(format!("cannot read {}", file.display()), e))?;
    let base = Base::here()?;
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for row in table::rows(file, &text)? {
        let (from, to) = (row.field("from").unwrap_or_default(), row.field("to").unwrap_or_default());
        if shard.is_some_and(|shard| !shard.takes(from)) {
            continue;
        }
        let told = |e: Error| row.wrong(&e, e.remedy());
        let given =
            Given { from: credentials(&row, "from", &base)?, to: credentials(&row, "to", &base)?, may_ask: false };
        let migration = ends::migration(global, (from, to), given, args, plan.clone()).map_err(told)?;
        super::refuse_impossible(&migration).map_err(told)?;
        if !seen.insert(migration.name.clone()) {
            return Err(row.wrong("this mailbox was named before", "Remove one of the two lines."));
        }
        if is_wanted(args, state_dir, &migration)? {
            found.push(migration);
        }
    }
    Ok(found)
}

/// How to log in to one end, as far as a line says so.
fn credentials(row: &Row, end: &str, base: &Base) -> Result<Credentials> {
    let field = |what: &str| row.field(&format!("{end}_{what}"));
    let auth_user = field("auth_user").map(str::to_owned);
    let password = match (field("password_command"), field("password_file")) {
        (Some(_), Some(_)) => {
            let what = format!("column {end}_password_file: the password comes from a command already");
            return Err(row.wrong(what, "Fill in one of the two."));
        }
        (Some(command), None) => Some(PasswordSource::Command(command.to_owned())),
        (None, file) => file.map(|file| base.path(file)).transpose()?.map(PasswordSource::File),
    };
    Ok(Credentials { password, auth_user })
}

/// Whether what the last run left asks for another one.
fn is_wanted(args: &MigrateArgs, state_dir: &Path, migration: &Migration) -> Result<bool> {
    if !args.resume && !args.only_failed {
        return Ok(true);
    }
    let home = Home::new(state_dir, &migration.name);
    let last = if home.database().exists() { run::ended_well(&Ledger::open_copy(&home)?)? } else { None };
    Ok(last.map_or(args.resume, |well| !well))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
    }
}
