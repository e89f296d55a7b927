//! The `[accounts.NAME.sync]` table.

use super::account::{folder_list, max_size};
use super::problem::Fault;
use super::table::{Table, one_of};
use super::{Protocol, Sync, units};
use crate::error::quoted;
use crate::mail::{FolderName, FolderPattern, Role};
use crate::store::{Spec, StoreKind};
use crate::sync::{Limit, Policy, Travel};

/// The values of `create`, `delete`, `flags` and `remove_folders`.
pub(super) const TRAVELS: &[(&str, Travel)] =
    &[("both", Travel::Both), ("local", Travel::Local), ("remote", Travel::Remote), ("none", Travel::None)];

/// What `mirror` says at once.
const MIRRORED: [&str; 4] = ["create", "delete", "flags", "remove_folders"];

/// Connections at once: fewer than any provider allows.
const CONNECTIONS: usize = 4;

impl Default for Sync {
    /// All folders, both ways.
    fn default() -> Sync {
        let folders = FolderPattern::parse("*").into_iter().collect();
        Sync {
            folders,
            subscribed: false,
            policy: Policy::default(),
            limit: Limit::default(),
            connections: CONNECTIONS,
        }
    }
}

/// Reads the table.
pub(super) fn sync(mut table: Table<'_>, protocol: Option<Protocol>, store: Option<&Spec>) -> Sync {
    let usual = Sync::default();
    let folders = folder_list(&mut table, role);
    let subscribed = table.switch("subscribed");
    let mirror = table.word("mirror", &[("local", Travel::Local), ("remote", Travel::Remote)]);
    if table.has("mirror")
        && let Some(key) = MIRRORED.into_iter().find(|key| table.has(key))
    {
        let fault = Fault::new(
            format!("says what `{key}` says too"),
            "Remove `mirror`, or `create`, `delete`, `flags` and `remove_folders`.",
        );
        table.complain(Some("mirror"), fault);
    }
    let mut travel = |key, usual| table.word(key, TRAVELS).or(mirror).unwrap_or(usual);
    let create = travel("create", usual.policy.create);
    let delete = travel("delete", usual.policy.delete);
    let marks = travel("flags", usual.policy.marks);
    let remove_folders = travel("remove_folders", usual.policy.remove_folders);
    let max_size = max_size(&mut table);
    let max_age = table.text("max_age", units::duration);
    let trash = table.text("trash", trash);
    let limit = table.table("max_delete").map_or(usual.limit, |t| limit(t, usual.limit));
    let connections = table.number("connections", 1..=16).and_then(|n| usize::try_from(n).ok());
    if protocol == Some(Protocol::Pop3) {
        table
            .complain(None, Fault::new("POP3 goes one way only", "Remove this table, or write `protocol = \"imap\"`."));
    }
    if store.is_some_and(|s| s.kind != StoreKind::Maildir) {
        table
            .complain(None, Fault::new("two ways need a Maildir", "Remove this table, or write `kind = \"maildir\"`."));
    }
    table.finish(&[]);
    Sync {
        folders: folders.unwrap_or(usual.folders),
        subscribed: subscribed.unwrap_or(usual.subscribed),
        policy: Policy { create, delete, marks, remove_folders, max_size, max_age, trash },
        limit,
        connections: connections.unwrap_or(usual.connections),
    }
}

fn limit(mut table: Table<'_>, usual: Limit) -> Limit {
    let percent = table.number("percent", 0..=100).and_then(|n| u8::try_from(n).ok());
    let count = table.number("count", 0..=u64::from(u32::MAX));
    table.finish(&[]);
    Limit { percent: percent.unwrap_or(usual.percent), count: count.unwrap_or(usual.count) }
}

/// What begins with `@` is a role, and has to be a known one.
fn role(pattern: &str) -> Result<(), Fault> {
    if pattern.starts_with('@') { one_of(pattern, &Role::WORDS).map(drop) } else { Ok(()) }
}

fn trash(text: &str) -> Result<FolderName, Fault> {
    let known = !text.starts_with('@') || text == "@trash";
    FolderName::parse(text).filter(|_| known).ok_or_else(|| {
        let what = format!("{} cannot be the trash", quoted(text.as_bytes()));
        Fault::new(what, "Write `trash = \"@trash\"`, or a folder's name such as \"Deleted/Old\".")
    })
}
