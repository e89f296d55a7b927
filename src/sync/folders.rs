//! Which folders are synced, and which are made: a pure function of the names on both sides.

use super::Policy;
use crate::error::{Error, Kind, Result};
use crate::imap::{Role, Tree};
use crate::mail::{FolderName, FolderPattern, Side};
use std::collections::BTreeSet;

/// What becomes of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is there on both sides, or is made here.
    Sync,
    /// It is made on the server.
    CreateRemote,
    /// It is left as it is, for this reason.
    Left(String),
}

/// The roles by name (RFC 6154).
const ROLES: [(&str, Role); 7] = [
    ("@all", Role::All),
    ("@archive", Role::Archive),
    ("@drafts", Role::Drafts),
    ("@flagged", Role::Flagged),
    ("@junk", Role::Junk),
    ("@sent", Role::Sent),
    ("@trash", Role::Trash),
];

fn role(name: &str) -> Option<Role> {
    ROLES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, role)| *role)
}

/// Patterns with the folders that have a role in place of the role; a role that no folder has takes none.
pub fn resolved(patterns: &[FolderPattern], tree: &Tree) -> Vec<FolderPattern> {
    let mut resolved = Vec::new();
    for pattern in patterns {
        let Some(role) = role(pattern.as_str()) else {
            resolved.push(pattern.clone());
            continue;
        };
        let not = if pattern.to_string().starts_with('!') { "!" } else { "" };
        let with_role = tree.folders().filter(|f| f.role == Some(role));
        resolved.extend(with_role.filter_map(|f| FolderPattern::parse(&format!("{not}{}", f.name))));
    }
    resolved
}

/// The folder for what is deleted, where it may be named by its role.
pub fn trash(wanted: Option<&FolderName>, tree: &Tree) -> Result<Option<FolderName>> {
    let Some(wanted) = wanted else { return Ok(None) };
    let Some(role) = role(&wanted.to_string()) else { return Ok(Some(wanted.clone())) };
    match tree.folders().find(|f| f.role == Some(role)) {
        Some(folder) => Ok(Some(folder.name.clone())),
        None => Err(Error::new(
            Kind::Config,
            format!("the server does not say which folder is {wanted}"),
            "Write the folder's name instead: `trash = \"Trash\"` in the account's sync table.",
        )),
    }
}

/// What becomes of each folder that the patterns take, the inbox first. `known` were synced before.
pub fn choose(
    tree: &Tree,
    here: &BTreeSet<FolderName>,
    known: &BTreeSet<FolderName>,
    patterns: &[FolderPattern],
    policy: &Policy,
) -> Vec<(FolderName, Fate)> {
    let there: BTreeSet<&FolderName> = tree.folders().map(|f| &f.name).collect();
    let names: BTreeSet<&FolderName> = there.iter().copied().chain(here).collect();
    let mut chosen: Vec<(FolderName, Fate)> = (names.into_iter())
        .filter(|name| FolderPattern::selects(patterns, name))
        .filter_map(|name| {
            let fate = match (there.contains(name), here.contains(name), known.contains(name)) {
                (true, true, _) => Fate::Sync,
                (true, false, false) if policy.create.reaches(Side::Local) => Fate::Sync,
                (false, true, false) if policy.create.reaches(Side::Remote) => Fate::CreateRemote,
                (true, false, true) => Fate::Left(format!(
                    "{name} was removed here; it stays on the server, and is not synced. Create the folder again, or remove it \
                     there too."
                )),
                (false, true, true) if tree.is_cut_short() => return None,
                (false, true, true) => Fate::Left(format!(
                    "{name} was removed on the server; it stays here, and is not synced. Create the folder again, or remove it \
                     here too."
                )),
                _ => return None,
            };
            Some((name.clone(), fate))
        })
        .collect();
    chosen.sort_by_key(|(name, _)| !name.is_inbox());
    chosen
}
