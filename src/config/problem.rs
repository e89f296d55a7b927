//! What is wrong in a configuration file, and where.

use crate::error::{Error, Kind};
use std::cell::RefCell;
use std::path::Path;

/// So many problems are shown; the rest is counted.
const SHOWN: usize = 20;

/// What is wrong with a value, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Follows the place and a colon. Never holds a secret.
    pub what: String,
    /// A sentence or more.
    pub remedy: String,
}

impl Fault {
    /// A fault with its remedy.
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Fault {
        Fault { what: what.into(), remedy: remedy.into() }
    }
}

/// The problems found so far. Tables that are read side by side share it.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Problem>>);

#[derive(Debug)]
struct Problem {
    at: usize,
    fault: Fault,
}

impl Problems {
    /// Notes a fault of the dotted `key` that stands at the octet offset `at` of the text.
    pub fn add(&self, at: usize, key: &str, mut fault: Fault) {
        if !key.is_empty() {
            fault.what = format!("{key}: {}", fault.what);
        }
        self.0.borrow_mut().push(Problem { at, fault });
    }

    /// All of them as one error about the file at `path`, in the order of its lines; `None` where there are none.
    pub fn into_error(self, path: &Path, text: &str) -> Option<Error> {
        let mut problems = self.0.into_inner();
        problems.sort_by_key(|p| p.at);
        let path = path.display();
        let line = |p: &Problem| {
            let (line, column) = position(text, p.at);
            format!("{path}:{line}:{column}: {}", p.fault.what)
        };
        match problems.as_slice() {
            [] => None,
            [only] => Some(Error::new(Kind::Config, line(only), only.fault.remedy.clone())),
            all => {
                let mut what = format!("{path} has {} problems", all.len());
                for p in all.iter().take(SHOWN) {
                    what.push_str(&format!("\n{}. {}", line(p), p.fault.remedy));
                }
                if all.len() > SHOWN {
                    what.push_str(&format!("\n… and {} more", all.len() - SHOWN));
                }
                Some(Error::new(Kind::Config, what, "Mend these lines, then run again."))
            }
        }
    }
}

/// Line and column of an octet offset, both from 1; columns count characters, and a byte order mark is none.
pub(super) fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |n| n + 1);
    let column = before.get(line_start..).unwrap_or("").chars().filter(|c| *c != '\u{feff}').count() + 1;
    (before.matches('\n').count() + 1, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let text = "\u{feff}a = 1\nü = \"é\" # x\n";
        let at = |needle: &str| position(text, text.find(needle).unwrap());
        assert_eq!(at("a"), (1, 1));
        assert_eq!(at("1"), (1, 5));
        assert_eq!(at("é"), (2, 6));
        assert_eq!(at("x"), (2, 11));
        assert_eq!(position(text, text.len()), (3, 1));
        assert_eq!(position(text, 999), (3, 1));
    }

    #[test]
    fn one_problem_keeps_its_remedy_apart_and_several_are_listed_by_line() {
        let text = "a\nb\nc\n";
        let one = Problems::default();
        one.add(2, "x.b", Fault::new("is odd", "Mend b."));
        let one = one.into_error(Path::new("/c.toml"), text).unwrap();
        assert_eq!((one.to_string().as_str(), one.remedy()), ("/c.toml:2:1: x.b: is odd", "Mend b."));

        let two = Problems::default();
        two.add(4, "c", Fault::new("is odd", "Mend c."));
        two.add(0, "", Fault::new("is even", "Mend a."));
        let two = two.into_error(Path::new("/c.toml"), text).unwrap();
        assert_eq!(
            two.to_string(),
            "/c.toml has 2 problems\n/c.toml:1:1: is even. Mend a.\n/c.toml:3:1: c: is odd. Mend c."
        );
        assert_eq!(two.kind().exit_code(), 78);
    }

    #[test]
    fn a_flood_of_problems_is_counted() {
        let many = Problems::default();
        (0..25).for_each(|n| many.add(n, "k", Fault::new("is odd", "Mend it.")));
        let text = many.into_error(Path::new("c"), "").unwrap().to_string();
        assert_eq!(text.lines().count(), 22);
        assert!(text.ends_with("\n… and 5 more"), "{text}");
    }
}
