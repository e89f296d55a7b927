//! Folder names: UTF-8, levels separated by `/`, INBOX in any case.

use std::fmt;

/// A folder's name as users write it: UTF-8 levels joined by `/`. The inbox is `INBOX`, whatever the case on the wire.
///
/// A level may hold any character but NUL; one that holds a `/` itself (a server with another separator) is told apart
/// from two levels, because levels are kept as a list.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FolderName(Vec<String>);

impl FolderName {
    /// The inbox.
    pub fn inbox() -> FolderName {
        FolderName(vec!["INBOX".to_owned()])
    }

    /// A folder of the given levels; `None` where a level is empty or holds NUL.
    pub fn from_levels(levels: Vec<String>) -> Option<FolderName> {
        if levels.is_empty() || levels.iter().any(|l| l.is_empty() || l.contains('\0')) {
            return None;
        }
        let mut levels = levels;
        if let Some(first) = levels.first_mut()
            && first.eq_ignore_ascii_case("INBOX")
        {
            "INBOX".clone_into(first);
        }
        Some(FolderName(levels))
    }

    /// The folder a user means by `Lists/rust`.
    pub fn parse(name: &str) -> Option<FolderName> {
        FolderName::from_levels(name.split('/').map(str::to_owned).collect())
    }

    /// The levels, outermost first; never empty.
    pub fn levels(&self) -> &[String] {
        &self.0
    }

    /// Whether it is the inbox itself.
    pub fn is_inbox(&self) -> bool {
        matches!(self.0.as_slice(), [only] if only == "INBOX")
    }
}

impl fmt::Display for FolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

impl fmt::Debug for FolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.join("/"))
    }
}

/// One entry of a `folders` list: a name with `*` (any characters) and `%` (any within one level), or the same behind `!`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderPattern {
    pattern: String,
    excludes: bool,
}

/// As it is written in the list.
impl fmt::Display for FolderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.excludes { "!" } else { "" }, self.pattern)
    }
}

impl FolderPattern {
    /// Reads one entry; `None` where it is empty.
    pub fn parse(text: &str) -> Option<FolderPattern> {
        let (excludes, pattern) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let pattern = match pattern.get(..5) {
            Some(head)
                if head.eq_ignore_ascii_case("INBOX") && matches!(pattern.as_bytes().get(5), None | Some(b'/')) =>
            {
                format!("INBOX{}", &pattern[5..])
            }
            _ => pattern.to_owned(),
        };
        (!pattern.is_empty()).then_some(FolderPattern { pattern, excludes })
    }

    /// The pattern that takes this folder alone. A `*` or `%` in its name is a wildcard all the same.
    pub fn literal(folder: &FolderName) -> FolderPattern {
        FolderPattern { pattern: folder.to_string(), excludes: false }
    }

    /// Whether it holds no wildcard, so that it names one folder only.
    pub fn is_literal(&self) -> bool {
        !self.excludes && !self.pattern.contains(['*', '%'])
    }

    /// The pattern without its `!`.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// Whether an entry of the list names the folder outright.
    pub fn names(list: &[FolderPattern], folder: &FolderName) -> bool {
        let name = folder.to_string();
        list.iter().any(|p| p.is_literal() && p.pattern == name)
    }

    /// Whether a list of entries takes the folder: the last entry that matches decides, and none means no.
    pub fn selects(list: &[FolderPattern], folder: &FolderName) -> bool {
        let name = folder.to_string();
        list.iter().rev().find(|p| matches(p.pattern.as_bytes(), name.as_bytes())).is_some_and(|p| !p.excludes)
    }
}

/// Wildcard match without recursion on stars, so that no pattern takes exponential time.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where to go on after a mismatch: the last `*` and the last `%`, each with the name position tried last.
    let mut star = None;
    let mut percent = None;
    loop {
        match (pattern.get(p), name.get(n)) {
            (Some(b'*'), _) => {
                star = Some((p, n));
                percent = None;
                p += 1;
                continue;
            }
            (Some(b'%'), _) => {
                percent = Some((p, n));
                p += 1;
                continue;
            }
            (None, None) => return true,
            (Some(a), Some(b)) if a == b => {
                p += 1;
                n += 1;
                continue;
            }
            _ => {}
        }
        match (percent, star) {
            (Some((at, tried)), _) if name.get(tried).is_some_and(|c| *c != b'/') => {
                percent = Some((at, tried + 1));
                (p, n) = (at + 1, tried + 1);
            }
            (_, Some((at, tried))) if tried < name.len() => {
                star = Some((at, tried + 1));
                percent = None;
                (p, n) = (at + 1, tried + 1);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbox_in_any_case_is_one_folder() {
        assert_eq!(FolderName::parse("inbox"), Some(FolderName::inbox()));
        assert_eq!(FolderName::parse("Inbox/Work").map(|f| f.to_string()).as_deref(), Some("INBOX/Work"));
        assert_eq!(FolderName::parse("a//b"), None);
    }

    #[test]
    fn the_last_matching_pattern_decides() {
        let takes = |list: &[&str], name: &str| {
            let list: Vec<_> = list.iter().filter_map(|p| FolderPattern::parse(p)).collect();
            FolderPattern::selects(&list, &FolderName::parse(name).unwrap())
        };
        assert!(takes(&["*"], "Lists/rust"));
        assert!(!takes(&["%"], "Lists/rust"));
        assert!(takes(&["Lists/%"], "Lists/rust"));
        assert!(!takes(&["Lists/%"], "Lists/rust/old"));
        assert!(takes(&["*old"], "a/b/old"));
        assert!(takes(&["%/%/old"], "a/b/old"));
        assert!(!takes(&["*", "!Spam"], "Spam"));
        assert!(takes(&["*", "!Lists/*", "Lists/rust"], "Lists/rust"));
        assert!(takes(&["inbox"], "INBOX"));
        assert!(!takes(&["INBOX"], "INBOX/Work"));
        assert!(!takes(&[], "INBOX"));
    }
}
