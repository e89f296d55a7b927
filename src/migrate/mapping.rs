//! Which folder of the source goes into which folder of the target: a pure function of the folders on both ends.

use crate::mail::{FolderName, Role};
use std::collections::{BTreeMap, BTreeSet};

/// A folder of either end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub name: FolderName,
    /// What it is for, where the server tells.
    pub role: Option<Role>,
}

/// What the user says about folders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Everything goes into this folder: the inbox itself, and other folders inside it.
    pub into: Option<FolderName>,
    /// Folders, with those inside them, and where they go. The longest one that fits decides.
    pub named: Vec<(FolderName, FolderName)>,
}

/// Roles that a folder may have by its name alone, with their names: the first is the usual one.
const USUAL: [(Role, &[&str]); 5] = [
    (
        Role::Sent,
        &[
            "Sent",
            "Sent Items",
            "Sent Messages",
            "Sent Mail",
            "Gesendet",
            "Gesendete Elemente",
            "Gesendete Objekte",
            "Éléments envoyés",
            "Envoyés",
            "Elementos enviados",
            "Enviados",
            "Posta inviata",
            "Verzonden items",
        ],
    ),
    (Role::Drafts, &["Drafts", "Draft", "Entwürfe", "Brouillons", "Borradores", "Bozze", "Concepten"]),
    (
        Role::Trash,
        &[
            "Trash",
            "Deleted Items",
            "Deleted Messages",
            "Bin",
            "Papierkorb",
            "Gelöschte Elemente",
            "Gelöschte Objekte",
            "Corbeille",
            "Éléments supprimés",
            "Elementos eliminados",
            "Papelera",
            "Cestino",
            "Verwijderde items",
        ],
    ),
    (
        Role::Junk,
        &["Junk", "Spam", "Junk E-mail", "Junk Email", "Bulk Mail", "Courrier indésirable", "Correo no deseado"],
    ),
    (Role::Archive, &["Archive", "Archives", "Archiv", "Archivo", "Archivio", "Archief"]),
];

/// The role of each folder: as the server tells, and where it tells of no folder for a role, by name.
fn roles(places: &[Place]) -> Vec<Option<Role>> {
    let mut roles: Vec<Option<Role>> = places.iter().map(|p| p.role).collect();
    for (role, names) in USUAL {
        if roles.contains(&Some(role)) {
            continue;
        }
        let is_named = |place: &Place, name: &str| match place.name.levels() {
            [only] => only.to_lowercase() == name.to_lowercase(),
            _ => false,
        };
        let found = names.iter().find_map(|name| places.iter().position(|p| p.role.is_none() && is_named(p, name)));
        if let Some(slot) = found.and_then(|at| roles.get_mut(at)) {
            *slot = Some(role);
        }
    }
    roles
}

/// The folder of the target for each folder of the source. Two of these may go into one. A `separator` of the target within
/// a level becomes `_`.
pub fn targets(source: &[Place], target: &[Place], mapping: &Mapping, separator: Option<char>) -> Vec<FolderName> {
    let (from, to) = (roles(source), roles(target));
    let with_role = |role: Role| target.iter().zip(&to).find(|(_, r)| **r == Some(role)).map(|(p, _)| p.name.clone());
    let taken: BTreeSet<&FolderName> = source.iter().map(|p| &p.name).collect();
    let by_role = |place: &Place, role: Role| {
        let (_, names) = USUAL.iter().find(|(r, _)| *r == role)?;
        // `[Gmail]/Sent Mail` and the like.
        let usual =
            || FolderName::parse(names.first()?).filter(|name| place.name.levels().len() > 1 && !taken.contains(name));
        with_role(role).or_else(usual)
    };
    let choose = |(place, role): (&Place, &Option<Role>)| {
        if let Some(name) = named(&place.name, &mapping.named) {
            return name;
        }
        match &mapping.into {
            Some(into) if place.name.is_inbox() => into.clone(),
            Some(into) => inside(into, place.name.levels()),
            None => role.and_then(|role| by_role(place, role)).unwrap_or_else(|| place.name.clone()),
        }
    };
    let chosen: Vec<FolderName> = source.iter().zip(&from).map(choose).collect();
    separator.map_or(chosen.clone(), |separator| parted_by(separator, chosen))
}

/// The names without the separator in their levels, each unlike the others that were unlike it before.
fn parted_by(separator: char, names: Vec<FolderName>) -> Vec<FolderName> {
    let fits = |name: &FolderName| !name.levels().iter().any(|level| level.contains(separator));
    let mut given: BTreeMap<FolderName, FolderName> =
        names.iter().filter(|name| fits(name)).map(|name| (name.clone(), name.clone())).collect();
    let mut taken: BTreeSet<FolderName> = given.keys().cloned().collect();
    let mut give = |name: FolderName| {
        if let Some(known) = given.get(&name) {
            return known.clone();
        }
        let mut levels: Vec<String> = name.levels().iter().map(|level| level.replace(separator, "_")).collect();
        let fitting = loop {
            match FolderName::from_levels(levels.clone()) {
                Some(fitting) if !taken.insert(fitting.clone()) => levels.iter_mut().last().map(|last| last.push('_')),
                Some(fitting) => break fitting,
                None => break name.clone(),
            };
        };
        given.insert(name, fitting.clone());
        fitting
    };
    names.into_iter().map(&mut give).collect()
}

fn named(name: &FolderName, map: &[(FolderName, FolderName)]) -> Option<FolderName> {
    let fits = map.iter().filter_map(|(from, to)| Some((to, name.levels().strip_prefix(from.levels())?)));
    fits.min_by_key(|(_, rest)| rest.len()).map(|(to, rest)| inside(to, rest))
}

fn inside(outer: &FolderName, levels: &[String]) -> FolderName {
    let all = outer.levels().iter().chain(levels).cloned().collect();
    FolderName::from_levels(all).unwrap_or_else(|| outer.clone())
}

/// The name under which a folder and its target are told of and remembered: the folder's own, and where it goes into
/// another one, `A → B`.
pub fn label(from: &FolderName, to: &FolderName) -> FolderName {
    if from == to {
        return from.clone();
    }
    FolderName::from_levels(vec![format!("{from} \u{2192} {to}")]).unwrap_or_else(|| from.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(list: &[(&str, Option<Role>)]) -> Vec<Place> {
        list.iter().map(|(name, role)| Place { name: FolderName::parse(name).unwrap(), role: *role }).collect()
    }

    fn mapped(source: &[(&str, Option<Role>)], target: &[(&str, Option<Role>)], mapping: &Mapping) -> Vec<String> {
        targets(&places(source), &places(target), mapping, None).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn roles_find_each_other() {
        let none = Mapping::default();
        for (source, target, expected) in [
            (&[("INBOX", None), ("a/b", None)][..], &[][..], &["INBOX", "a/b"][..]),
            (&[("Sent Items", None)], &[("Sent", None)], &["Sent"]),
            (&[("Sent Items", None)], &[], &["Sent Items"]),
            (&[("Sent Items", Some(Role::Sent)), ("Sent", None)], &[("Gesendet", None)], &["Gesendet", "Sent"]),
            (
                &[("gesendete elemente", None), ("Spam", None)],
                &[("X", Some(Role::Sent)), ("Junk", None)],
                &["X", "Junk"],
            ),
            (
                &[("[Gmail]/Sent Mail", Some(Role::Sent)), ("[Gmail]/All Mail", Some(Role::All))],
                &[],
                &["Sent", "[Gmail]/All Mail"],
            ),
            // The usual name is another folder's.
            (&[("[Gmail]/Sent Mail", Some(Role::Sent)), ("Sent", None)], &[], &["[Gmail]/Sent Mail", "Sent"]),
            (&[("Work/Sent", None)], &[("Sent", None)], &["Work/Sent"]),
            (&[("Trash", None)], &[("Deleted Items", Some(Role::Trash)), ("Trash", None)], &["Deleted Items"]),
        ] {
            assert_eq!(mapped(source, target, &none), expected, "{source:?}");
        }
    }

    #[test]
    fn the_user_decides_first() {
        let name = |text| FolderName::parse(text).unwrap();
        let mapping = Mapping {
            into: Some(name("Old")),
            named: vec![(name("a"), name("c")), (name("a/b"), name("d/e")), (name("INBOX"), name("New"))],
        };
        let source = [("INBOX", None), ("INBOX/x", None), ("a", None), ("a/b/z", None), ("ab", None), ("Sent", None)];
        let expected = ["New", "New/x", "c", "d/e/z", "Old/ab", "Old/Sent"];
        assert_eq!(mapped(&source, &[("Sent", None)], &mapping), expected);
        let into = Mapping { into: Some(name("Old")), named: Vec::new() };
        assert_eq!(mapped(&[("INBOX", None), ("INBOX/x", None)], &[], &into), ["Old", "Old/INBOX/x"]);
    }

    #[test]
    fn levels_do_not_hold_what_separates_them() {
        let names = ["INBOX", "a.b", "a_b", "a.b/c.d", "a..b", "v1", "a.b"];
        let source = places(&names.map(|name| (name, None)));
        let parted = targets(&source, &[], &Mapping::default(), Some('.'));
        let parted: Vec<String> = parted.iter().map(ToString::to_string).collect();
        assert_eq!(parted, ["INBOX", "a_b_", "a_b", "a_b/c_d", "a__b", "v1", "a_b_"]);
    }

    #[test]
    fn a_label_names_both_where_they_differ() {
        let name = |text| FolderName::parse(text).unwrap();
        assert_eq!(label(&name("a/b"), &name("a/b")), name("a/b"));
        assert_eq!(label(&name("inbox"), &name("a/b")).to_string(), "INBOX \u{2192} a/b");
    }
}
