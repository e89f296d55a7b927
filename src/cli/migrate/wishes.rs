//! What the options of a migration wish for.

use super::Plan;
use crate::cli::args::{MigrateArgs, Verify};
use crate::config::option;
use crate::error::{Error, Kind, Result, quoted};
use crate::mail::{FolderName, FolderPattern};
use crate::migrate::{Mapping, Wishes};

/// The plan of a command line.
pub fn plan(args: &MigrateArgs, now: i64) -> Result<Plan> {
    let given: Vec<&str> = args.folders.iter().map(String::as_str).collect();
    let takes = given.iter().any(|pattern| !pattern.starts_with('!'));
    let patterns = if takes { given } else { [&["*"], &*given].concat() };
    let folders = patterns.into_iter().map(pattern).collect::<Result<_>>()?;
    let into = args.into.as_deref().map(|name| folder("into", name)).transpose()?;
    let named = args.map.iter().map(|pair| mapped(pair)).collect::<Result<_>>()?;
    let wishes = Wishes {
        since: args.since.as_deref().map(|text| day("since", text, now)).transpose()?,
        before: args.before.as_deref().map(|text| day("before", text, now)).transpose()?,
        max_size: args.max_size.as_deref().map(option::max_size).transpose()?,
        seen: args.seen,
        no_flags: args.no_flags,
        dedupe: args.dedupe,
    };
    Ok(Plan {
        folders,
        mapping: Mapping { into, named },
        wishes,
        // Nothing is deleted for a header and a size.
        by_content: (!args.no_verify).then_some(args.verify == Verify::Content || args.delete_source),
        delete_source: args.delete_source,
        until_idle: args.until_idle,
        connections: args.connections.into(),
    })
}

fn usage(option: &str, what: &str, remedy: &str) -> Error {
    Error::new(Kind::Usage, format!("--{option}: {what}"), remedy)
}

fn pattern(text: &str) -> Result<FolderPattern> {
    FolderPattern::parse(text)
        .ok_or_else(|| usage("folders", "an empty name", "Write a folder's name, or a pattern such as `Lists/*`."))
}

fn folder(option: &str, text: &str) -> Result<FolderName> {
    FolderName::parse(text).ok_or_else(|| {
        let what = format!("{} is no folder", quoted(text.as_bytes()));
        usage(option, &what, "Write its name, with `/` between levels and none of them empty.")
    })
}

fn mapped(pair: &str) -> Result<(FolderName, FolderName)> {
    let (from, to) = pair.split_once('=').ok_or_else(|| {
        let what = format!("{} has no `=`", quoted(pair.as_bytes()));
        usage("map", &what, "Write `--map 'OLD/NAME=NEW'`.")
    })?;
    Ok((folder("map", from)?, folder("map", to)?))
}

/// The start of a day in UTC, or so long ago, in seconds since 1970 UTC.
fn day(option: &str, text: &str, now: i64) -> Result<i64> {
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && let Ok(start) = date.to_zoned(jiff::tz::TimeZone::UTC)
    {
        return Ok(start.timestamp().as_second());
    }
    option::age(option, text).map(|age| now.saturating_sub_unsigned(age.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_ages() {
        let now = 1_700_000_000;
        for (text, at) in
            [("2023-11-14", 1_699_920_000), ("1970-01-02", 86_400), ("1d", now - 86_400), ("2 w", now - 1_209_600)]
        {
            assert_eq!(day("since", text, now).unwrap(), at, "{text}");
        }
        for wrong in ["", "yesterday", "2023-13-01", "14.11.2023", "-1d"] {
            let e = day("since", wrong, now).unwrap_err();
            assert!(e.kind() == Kind::Usage && e.to_string().starts_with("--since: "), "{wrong}: {e}");
        }
    }

    #[test]
    fn maps_are_pairs_of_folders() {
        let (from, to) = mapped("a/b=c=d").unwrap();
        assert_eq!((from.to_string().as_str(), to.to_string().as_str()), ("a/b", "c=d"));
        for wrong in ["a", "=b", "a=", "a//b=c"] {
            assert_eq!(mapped(wrong).unwrap_err().kind(), Kind::Usage, "{wrong}");
        }
    }
}
