//! Which folders are synced, and which are made: a pure function of the names on both sides.

use super::{Action, Comparison, Plan, Policy, Step, Tally, Travel};
use crate::error::{Error, Kind, Result};
use crate::imap::Tree;
use crate::mail::{FolderName, FolderPattern, Role, Side, Sides};
use std::collections::BTreeSet;

/// What becomes of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is there on both sides, or is made here.
    Sync,
    /// It is made on the server.
    CreateRemote,
    /// It was removed on the other side, and is to be removed on this one.
    Remove(Side),
    /// It is on neither side any longer.
    Gone,
    /// It is missing on this side, and left as it is on the other, for this reason.
    Left(Side, String),
}

/// Patterns with the folders that have a role in place of the role; a role that no folder has takes none.
pub fn resolved(patterns: &[FolderPattern], tree: &Tree) -> Vec<FolderPattern> {
    let mut resolved = Vec::new();
    for pattern in patterns {
        let Some(role) = Role::of_word(pattern.as_str()) else {
            resolved.push(pattern.clone());
            continue;
        };
        let not = if pattern.to_string().starts_with('!') { "!" } else { "" };
        let with_role = tree.folders().filter(|f| f.role == Some(role));
        resolved.extend(with_role.filter_map(|f| FolderPattern::parse(&format!("{not}{}", f.name))));
    }
    resolved
}

/// Folders of the server that are left out unless the patterns name them: those without mail, and those that show once more
/// what stands in others. Of these, the user is told.
pub fn set_aside(patterns: &[FolderPattern], tree: &Tree) -> Vec<(FolderPattern, Option<String>)> {
    let taken = tree
        .folders()
        .filter(|f| !FolderPattern::names(patterns, &f.name) && FolderPattern::selects(patterns, &f.name));
    let aside = taken.filter_map(|f| {
        let is_view = f.role.is_some_and(Role::is_view);
        let note = is_view.then(|| {
            format!(
                "{0} shows messages of other folders, and is left out. To sync it too, name it in folders: \"{0}\"",
                f.name
            )
        });
        let pattern = FolderPattern::parse(&format!("!{}", f.name)).filter(|_| is_view || tree.is_no_mail(&f.name))?;
        Some((pattern, note))
    });
    aside.collect()
}

/// The folder for what is deleted, where it may be named by its role.
pub fn trash(wanted: Option<&FolderName>, tree: &Tree) -> Result<Option<FolderName>> {
    let Some(wanted) = wanted else { return Ok(None) };
    let Some(role) = Role::of_word(&wanted.to_string()) else { return Ok(Some(wanted.clone())) };
    match tree.folders().find(|f| f.role == Some(role)) {
        Some(folder) => Ok(Some(folder.name.clone())),
        None => Err(Error::new(
            Kind::Config,
            format!("the server does not say which folder is {wanted}"),
            "Write the folder's name instead: `trash = \"Trash\"` in the account's sync table.",
        )),
    }
}

/// What becomes of each folder that the patterns take, the inbox first. `known` were synced before. Where only those are
/// wanted that are subscribed to on the server, one that is not is left alone on both sides.
pub fn choose(
    tree: &Tree,
    here: &BTreeSet<FolderName>,
    known: &BTreeSet<FolderName>,
    patterns: &[FolderPattern],
    subscribed: bool,
    policy: &Policy,
) -> Vec<(FolderName, Fate)> {
    let there: BTreeSet<&FolderName> = tree.folders().map(|f| &f.name).collect();
    let names: BTreeSet<&FolderName> = there.iter().copied().chain(here).chain(known).collect();
    let mut chosen: Vec<(FolderName, Fate)> = (names.into_iter())
        .filter(|name| FolderPattern::selects(patterns, name))
        .filter(|name| !subscribed || name.is_inbox() || tree.get(name).is_none_or(|f| f.subscribed != Some(false)))
        .filter_map(|name| {
            let fate = match (there.contains(name), here.contains(name), known.contains(name)) {
                (true, true, _) => Fate::Sync,
                (true, false, false) if policy.create.reaches(Side::Local) => Fate::Sync,
                (false, true, false) if policy.create.reaches(Side::Remote) => Fate::CreateRemote,
                (true, false, true) if may_go(name, policy, Side::Remote) => Fate::Remove(Side::Remote),
                // There always is an inbox.
                (true, false, true) if name.is_inbox() && policy.create.reaches(Side::Local) => Fate::Sync,
                (true, false, true) => {
                    let note = format!(
                        "{name} was removed here; it stays on the server, and is not synced. Create the folder again, and its \
                         mail is copied into it, or remove it there too."
                    );
                    Fate::Left(Side::Local, note)
                }
                (false, _, true) if tree.is_cut_short() => return None,
                (false, false, true) => Fate::Gone,
                (false, true, true) if may_go(name, policy, Side::Local) => Fate::Remove(Side::Local),
                (false, true, true) => {
                    let note = format!(
                        "{name} was removed on the server; it stays here, and is not synced. Create the folder again, and its \
                         mail is copied into it, or remove it here too."
                    );
                    Fate::Left(Side::Remote, note)
                }
                _ => return None,
            };
            Some((name.clone(), fate))
        })
        .collect();
    chosen.sort_by_key(|(name, _)| !name.is_inbox());
    chosen
}

/// Which folders may have been given another name on a side, each with the names it may have there now, outer folders
/// first. A folder that was synced is missing there; a new one stands there, which the other side lacks, or has only where
/// it lacks the old one too: then it was renamed on both. `there` and `here` are what the sides have: the one that is asked
/// about, and the other.
pub fn maybe_renamed<'a>(
    there: &'a BTreeSet<FolderName>,
    here: &'a BTreeSet<FolderName>,
    known: &'a BTreeSet<FolderName>,
    patterns: &[FolderPattern],
) -> Vec<(&'a FolderName, Vec<&'a FolderName>)> {
    let taken = |name: &&FolderName| FolderPattern::selects(patterns, name) && !name.is_inbox();
    let missing = known.iter().filter(taken).filter(|name| !there.contains(*name));
    let new: Vec<&FolderName> = there.iter().filter(taken).filter(|name| !known.contains(*name)).collect();
    let candidates = |old: &FolderName| {
        let fits = |name: &&FolderName| here.contains(*name) != here.contains(old) && below(name, old).is_none();
        new.iter().copied().filter(fits).collect::<Vec<_>>()
    };
    missing.map(|old| (old, candidates(old))).filter(|(_, candidates)| !candidates.is_empty()).collect()
}

/// What is to be renamed with a folder on a side that has `here`, and has been renamed on the side that has `there`: the
/// folders below it, each with its new name. `None` where they were not renamed along there, or a name is taken here.
pub fn renamed_along(
    from: &FolderName,
    to: &FolderName,
    there: &BTreeSet<FolderName>,
    here: &BTreeSet<FolderName>,
) -> Option<Vec<(FolderName, FolderName)>> {
    let mut renamed = vec![(from.clone(), to.clone())];
    for name in here {
        if let Some(rest) = below(name, from) {
            if there.contains(name) {
                return None;
            }
            let levels = to.levels().iter().chain(rest).cloned().collect();
            renamed.push((name.clone(), FolderName::from_levels(levels)?));
        }
    }
    let is_free = |name: &FolderName| !here.iter().any(|h| h == name || below(h, name).is_some());
    (is_free(to) && below(to, from).is_none() && below(from, to).is_none()).then_some(renamed)
}

/// The levels of a folder that lies in another.
fn below<'a>(name: &'a FolderName, outer: &FolderName) -> Option<&'a [String]> {
    name.levels().strip_prefix(outer.levels()).filter(|rest| !rest.is_empty())
}

fn may_go(name: &FolderName, policy: &Policy, side: Side) -> bool {
    !name.is_inbox() && policy.remove_folders.reaches(side)
}

/// What holds in a folder that was removed on one side: its messages go where it goes, and nothing is copied any more.
pub fn removing(policy: &Policy) -> Policy {
    Policy { create: Travel::None, delete: policy.remove_folders, marks: Travel::None, ..policy.clone() }
}

/// Holds a folder that is to be removed on a side against what would be left in it there: where anything would, the
/// plan deletes nothing, and the reason is told.
pub fn keep_what_is_left(plan: &mut Plan, comparison: &Comparison, name: &FolderName, side: Side) -> Option<String> {
    let leaves = |step: &&Step| match &step.action {
        Action::Remove { on, .. } | Action::Relocate { on, .. } => *on == side,
        _ => false,
    };
    let leaving = plan.steps.iter().filter(leaves).count() as u64;
    let left = comparison.shown.on(side).saturating_sub(leaving);
    plan.skipped.clear();
    if left == 0 && !comparison.cut_short.on(side) {
        return None;
    }
    plan.steps.retain(|step| matches!(step.action, Action::Relocate { .. }));
    plan.tally = Tally { removals: Sides::default(), messages: 0, ..std::mem::take(&mut plan.tally) };
    let (gone, here) = match side {
        Side::Local => ("on the server", "here"),
        Side::Remote => ("here", "on the server"),
    };
    Some(if left == 0 {
        format!("{name} was removed {gone}; it stays {here}, for not all that is in it could be listed. Run again.")
    } else {
        let are = if left == 1 { "1 message in it is" } else { &format!("{left} messages in it are") };
        format!(
            "{name} was removed {gone}; it stays {here}, for {are} {here} alone. Move that mail away, or remove the folder yourself."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> BTreeSet<FolderName> {
        text.split_whitespace().map(|name| FolderName::parse(name).unwrap()).collect()
    }

    #[test]
    fn a_folder_was_renamed_where_it_is_missing_and_a_new_one_stands() {
        let all = [FolderPattern::parse("*").unwrap(), FolderPattern::parse("!Secret").unwrap()];
        for (there, here, known, expected) in [
            ("INBOX B", "INBOX A", "INBOX A", "A: B"),
            ("INBOX B C", "INBOX A", "INBOX A", "A: B C"),
            ("INBOX B", "INBOX A B", "INBOX A", ""),
            ("INBOX B", "INBOX B", "INBOX A", "A: B"),
            ("INBOX B", "INBOX", "INBOX A", ""),
            ("INBOX A B", "INBOX A", "INBOX A", ""),
            ("INBOX Secret", "INBOX A", "INBOX A", ""),
            ("INBOX A/B", "INBOX A", "INBOX A", ""),
            ("B B/x", "A A/x", "A A/x", "A: B B/x, A/x: B B/x"),
            ("B", "INBOX", "INBOX", ""),
        ] {
            let (there, here, known) = (names(there), names(here), names(known));
            let list = |names: Vec<&FolderName>| names.iter().map(|n| format!(" {n}")).collect::<String>();
            let found = maybe_renamed(&there, &here, &known, &all);
            let found: Vec<String> = found.into_iter().map(|(old, new)| format!("{old}:{}", list(new))).collect();
            assert_eq!(found.join(", "), expected, "{there:?} {here:?} {known:?}");
        }
    }

    #[test]
    fn what_lies_in_a_folder_is_renamed_with_it() {
        for (there, here, expected) in [
            ("B", "A", Some("A>B")),
            ("B B/x", "A A/x AB", Some("A>B A/x>B/x")),
            ("B A/x", "A A/x", None),
            ("B", "A B", None),
            ("B", "A B/y", None),
        ] {
            let of = |name| FolderName::parse(name).unwrap();
            let found = renamed_along(&of("A"), &of("B"), &names(there), &names(here));
            let shown = |(from, to): (FolderName, FolderName)| format!("{from}>{to}");
            let found = found.map(|all| all.into_iter().map(shown).collect::<Vec<_>>().join(" "));
            assert_eq!(found.as_deref(), expected, "{there} {here}");
        }
        let of = |name| FolderName::parse(name).unwrap();
        assert_eq!(renamed_along(&of("A/B"), &of("A"), &names("A"), &names("A/B")), None);
    }

    #[test]
    fn a_missing_folder_is_removed_where_that_travels() {
        let all = [FolderPattern::parse("*").unwrap()];
        let tree = Tree::default();
        for (here, travel, expected) in [
            ("A", Travel::Local, "A Remove(Local)"),
            ("A", Travel::Both, "A Remove(Local)"),
            ("A", Travel::Remote, "A Left"),
            ("", Travel::None, "A Gone"),
            ("INBOX", Travel::Both, "INBOX Left, A Gone"),
        ] {
            let policy = Policy { remove_folders: travel, ..Policy::default() };
            let chosen = choose(&tree, &names(here), &names(&format!("A {here}")), &all, false, &policy);
            let shown = |(name, fate): &(FolderName, Fate)| match fate {
                Fate::Left(..) => format!("{name} Left"),
                fate => format!("{name} {fate:?}"),
            };
            assert_eq!(chosen.iter().map(shown).collect::<Vec<_>>().join(", "), expected, "{here} {travel:?}");
        }
    }
}
