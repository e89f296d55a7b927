//! Reads one TOML table key by key, and knows in the end which keys nobody asked for.

use super::nearest::did_you_mean;
use super::problem::{Fault, Problems};
use crate::error::quoted;
use std::ops::RangeInclusive;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table being read. Whatever is wrong goes to the shared [`Problems`]; the getters answer `None` then, as for a missing
/// key, so that reading goes on and all problems come out at once.
#[derive(Clone)]
pub(super) struct Table<'a> {
    name: String,
    at: usize,
    entries: &'a DeTable<'a>,
    problems: &'a Problems,
    asked: Vec<&'static str>,
}

impl<'a> Table<'a> {
    /// The table of a whole file.
    pub fn root(entries: &'a DeTable<'a>, problems: &'a Problems) -> Table<'a> {
        Table { name: String::new(), at: 0, entries, problems, asked: Vec::new() }
    }

    /// Its dotted name as TOML writes it: `accounts.work`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the key stands here, right or wrong.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Whether no key stands here at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a key as `read` takes it.
    pub fn value<T>(&mut self, key: &'static str, read: impl FnOnce(&'a DeValue<'a>) -> Result<T, Fault>) -> Option<T> {
        self.asked.push(key);
        let value = self.entries.get(key)?;
        match read(value.get_ref()) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.add(value.span().start, key, fault);
                None
            }
        }
    }

    /// A text as `read` takes it.
    pub fn text<T>(&mut self, key: &'static str, read: impl FnOnce(&str) -> Result<T, Fault>) -> Option<T> {
        self.value(key, |v| match v {
            DeValue::String(text) => read(text),
            other => Err(wrong_type("a text", other, format!("Write a text in quotes: `{key} = \"\u{2026}\"`."))),
        })
    }

    /// One of some words, each with its meaning.
    pub fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        self.text(key, |text| one_of(text, words))
    }

    /// A whole number within a range.
    pub fn number(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        self.value(key, |v| match v {
            DeValue::Integer(n) => {
                let number = u64::from_str_radix(n.as_str(), n.radix()).ok().filter(|n| range.contains(n));
                number.ok_or_else(|| {
                    let limits = format!("{} to {}", range.start(), range.end());
                    Fault::new(format!("{} is out of range", n.as_str()), format!("Write a number from {limits}."))
                })
            }
            other => Err(wrong_type("a whole number", other, "Write a whole number, without quotes.")),
        })
    }

    /// `true` or `false`.
    pub fn switch(&mut self, key: &'static str) -> Option<bool> {
        self.value(key, |v| match v {
            DeValue::Boolean(on) => Ok(*on),
            other => Err(wrong_type(
                "true or false",
                other,
                format!("Write `{key} = true` or `{key} = false`, without quotes."),
            )),
        })
    }

    /// A list of texts, each as `read` takes it.
    pub fn texts<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, Fault>) -> Option<Vec<T>> {
        let example = format!("Write a list of texts in quotes: `{key} = [\"\u{2026}\"]`.");
        let entries = self.value(key, |v| match v {
            DeValue::Array(entries) => Ok(entries.iter()),
            other => Err(wrong_type("a list", other, example.clone())),
        })?;
        let mut values = Vec::new();
        for entry in entries {
            let value = match entry.get_ref() {
                DeValue::String(text) => read(text),
                other => Err(wrong_type("a list of texts", other, example.clone())),
            };
            match value {
                Ok(value) => values.push(value),
                Err(fault) => self.add(entry.span().start, key, fault),
            }
        }
        Some(values)
    }

    /// The table under a key.
    pub fn table(&mut self, key: &'static str) -> Option<Table<'a>> {
        self.asked.push(key);
        let (key, value) = self.entries.get_key_value(key)?;
        self.open(key, value)
    }

    /// Every entry as a table, in the order of the file, with its name. All count as asked for.
    pub fn tables(self) -> Vec<(&'a str, Table<'a>)> {
        let mut tables: Vec<_> =
            self.entries.iter().filter_map(|(k, v)| Some((k.get_ref().as_ref(), self.open(k, v)?))).collect();
        tables.sort_by_key(|(_, table)| table.at);
        tables
    }

    fn open(&self, key: &Spanned<std::borrow::Cow<'a, str>>, value: &'a Spanned<DeValue<'a>>) -> Option<Table<'a>> {
        let name = dotted(&self.name, key.get_ref());
        match value.get_ref() {
            DeValue::Table(entries) => {
                Some(Table { name, at: key.span().start, entries, problems: self.problems, asked: Vec::new() })
            }
            other => {
                let fault = wrong_type("a table", other, format!("Write a table: `[{name}]`, with its keys below."));
                self.problems.add(value.span().start, &name, fault);
                None
            }
        }
    }

    /// Where it stands in the text, as an octet offset.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Notes a fault of a key that stands here, or of the whole table.
    pub fn complain(&self, key: Option<&str>, fault: Fault) {
        match key {
            Some(key) => self.add(self.entries.get_key_value(key).map_or(self.at, |(k, _)| k.span().start), key, fault),
            None => self.problems.add(self.at, &self.name, fault),
        }
    }

    /// Notes that a key must stand here, unless it does.
    pub fn demand(&self, key: &str, remedy: impl Into<String>) {
        if !self.has(key) {
            self.add(self.at, key, Fault::new("missing", remedy));
        }
    }

    /// Notes every key that nobody asked for. `elsewhere` tells of keys that stand in a table below this one.
    pub fn finish(mut self, elsewhere: &[(&str, &[&str])]) {
        self.asked.sort_unstable();
        self.asked.dedup();
        for key in self.entries.keys() {
            let word = key.get_ref().as_ref();
            if self.asked.contains(&word) {
                continue;
            }
            let owner = elsewhere.iter().find(|(_, keys)| keys.contains(&word));
            let remedy = match owner {
                Some((table, _)) => format!("Write it under `[{}]`.", dotted(&self.name, table)),
                None => {
                    let known: Vec<_> = self.asked.iter().map(|k| format!("`{k}`")).collect();
                    format!("{}Known keys here: {}.", did_you_mean(word, self.asked.iter().copied()), known.join(", "))
                }
            };
            self.add(key.span().start, word, Fault::new("unknown key", remedy));
        }
    }

    fn add(&self, at: usize, key: &str, fault: Fault) {
        self.problems.add(at, &dotted(&self.name, key), fault);
    }
}

/// The meaning of a word.
pub(super) fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Fault> {
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        Fault::new(
            format!("{} is not known", quoted(text.as_bytes())),
            format!("{}Write one of {}.", did_you_mean(text, words.iter().map(|(w, _)| *w)), known.join(", ")),
        )
    })
}

/// A value of another type than the key takes. Never shows the value.
pub(super) fn wrong_type(wanted: &str, found: &DeValue<'_>, remedy: impl Into<String>) -> Fault {
    let found = match found {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Fault::new(format!("expected {wanted}, found {found}"), remedy)
}

/// A dotted key as TOML writes it: parts that need quotes get them.
pub(super) fn dotted(parent: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if parent.is_empty() { key } else { format!("{parent}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn problems(text: &str, read: impl FnOnce(Table<'_>)) -> String {
        let document = DeTable::parse(text).unwrap();
        let problems = Problems::default();
        read(Table::root(document.get_ref(), &problems));
        problems.into_error(Path::new("c"), text).map_or(String::new(), |e| format!("{e} | {}", e.remedy()))
    }

    #[test]
    fn keys_nobody_asked_for_are_unknown() {
        let told = problems("port = 1\nprot = 2\n", |mut t| {
            assert_eq!(t.number("port", 0..=9), Some(1));
            assert_eq!(t.switch("quick"), None);
            t.finish(&[]);
        });
        assert_eq!(told, "c:2:1: prot: unknown key | Did you mean `port`? Known keys here: `port`, `quick`.");
    }

    #[test]
    fn a_key_of_a_table_below_is_sent_there() {
        let told = problems("keep = true\n", |t| t.finish(&[("pull", &["keep"])]));
        assert_eq!(told, "c:1:1: keep: unknown key | Write it under `[pull]`.");
    }

    #[test]
    fn wrong_types_are_named_and_never_shown() {
        let told = problems("a = \"hunter2\"\nb = 1\nc = [1]\nd = 1.5\n", |mut t| {
            assert_eq!(t.number("a", 0..=9), None);
            assert_eq!(t.text("b", |_| Ok(())), None);
            assert_eq!(t.texts("c", |_| Ok(())), Some(vec![]));
            assert!(t.table("d").is_none());
        });
        assert_eq!(
            told,
            "c has 4 problems\n\
             c:1:5: a: expected a whole number, found a text. Write a whole number, without quotes.\n\
             c:2:5: b: expected a text, found a whole number. Write a text in quotes: `b = \"\u{2026}\"`.\n\
             c:3:6: c: expected a list of texts, found a whole number. Write a list of texts in quotes: `c = [\"\u{2026}\"]`.\n\
             c:4:5: d: expected a table, found a fraction. Write a table: `[d]`, with its keys below. | \
             Mend these lines, then run again."
        );
    }

    #[test]
    fn numbers_keep_to_their_range_in_any_notation() {
        for (written, number) in [("0x10", Some(16)), ("1_0", Some(10)), ("+7", Some(7)), ("-1", None), ("99", None)] {
            problems(&format!("n = {written}"), |mut t| assert_eq!(t.number("n", 0..=16), number, "{written}"));
        }
        let told = problems("n = 99999999999999999999", |mut t| assert_eq!(t.number("n", 1..=16), None));
        assert_eq!(told, "c:1:5: n: 99999999999999999999 is out of range | Write a number from 1 to 16.");
    }

    #[test]
    fn odd_keys_are_quoted() {
        assert_eq!(dotted("accounts", "me@example.com"), "accounts.\"me@example.com\"");
        assert_eq!(dotted("", "a\u{1b}b"), "\"a\\u{1b}b\"");
        assert_eq!(dotted("a", ""), "a.\"\"");
    }
}
