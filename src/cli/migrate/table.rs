//! The table of a batch: CSV (RFC 4180), a mailbox a line, the first line naming the columns.

use crate::error::{Error, Kind, Result, quoted};
use csv::{ErrorKind, Position, ReaderBuilder, StringRecord};
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

/// A line of the table that names a mailbox.
#[derive(Debug)]
pub struct Row {
    /// The line on which it begins, from 1 on.
    line: u64,
    /// What stands in each column; `None` where it is empty.
    fields: [Option<String>; COLUMNS.len()],
    /// The name of the file.
    file: String,
}

impl Row {
    /// What stands in a column, unless that is empty or not there.
    pub fn field(&self, column: &str) -> Option<&str> {
        let at = COLUMNS.iter().position(|name| *name == column)?;
        self.fields.get(at)?.as_deref()
    }

    /// What is wrong with the line.
    pub fn wrong(&self, what: impl std::fmt::Display, remedy: impl Into<String>) -> Error {
        wrong(&self.file, self.line, what, remedy)
    }
}

fn wrong(file: &str, line: u64, what: impl std::fmt::Display, remedy: impl Into<String>) -> Error {
    Error::new(Kind::Config, format!("{file}: line {line}: {what}"), remedy)
}

/// Reads a table. Lines that are empty or begin with `#` are none.
pub fn rows(file: &Path, text: &[u8]) -> Result<Vec<Row>> {
    let file = file.display().to_string();
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let line = |position: Option<&Position>| position.map_or(1, |position| line(text, position));
    let unreadable = |e| unreadable(&file, line, &e);
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).comment(Some(b'#')).from_reader(text);
    let mut records = reader.records();
    let head = records.next().transpose().map_err(unreadable)?.unwrap_or_default();
    let columns = columns(&file, line(head.position()), &head)?;
    let row = |record: csv::Result<StringRecord>| {
        let record = record.map_err(unreadable)?;
        row(&file, &columns, line(record.position()), &record)
    };
    records.map(row).collect()
}

/// Which column each field of a line is in.
fn columns(file: &str, line: u64, head: &StringRecord) -> Result<Vec<usize>> {
    let remedy = format!("The first line names the columns: {}.", COLUMNS.join(", "));
    let mut columns = Vec::with_capacity(head.len());
    for name in head {
        let name = name.trim();
        let is_word = name.len() <= 40 && name.chars().all(|c| c.is_alphanumeric() || "_- ".contains(c));
        let Some(column) = COLUMNS.iter().position(|known| known.eq_ignore_ascii_case(name)) else {
            // What is no name may be a URL with a password in it.
            let what = match is_word {
                true => format!("{} is no column", quoted(name.as_bytes())),
                false => "it does not name the columns".to_owned(),
            };
            return Err(wrong(file, line, what, remedy));
        };
        if columns.contains(&column) {
            return Err(wrong(file, line, format!("the column {name} is named twice"), "Remove one of the two."));
        }
        columns.push(column);
    }
    if [0, 1].iter().all(|needed| columns.contains(needed)) {
        return Ok(columns);
    }
    Err(wrong(file, line, "the columns from and to are needed", "Write `from,to,…` in the first line."))
}

fn row(file: &str, columns: &[usize], line: u64, record: &StringRecord) -> Result<Row> {
    let mut row = Row { line, fields: Default::default(), file: file.to_owned() };
    if record.len() > columns.len() {
        let what = format!("{} fields, but there are {} columns", record.len(), columns.len());
        return Err(row.wrong(what, "Put a field with a comma in it between quotes: `\"a,b\"`."));
    }
    for (column, text) in columns.iter().zip(record) {
        let name = COLUMNS.get(*column).copied().unwrap_or_default();
        if text.contains(['\n', '\r', '\0']) {
            let what = format!("column {name}: what stands there goes over several lines");
            return Err(row.wrong(what, "Close the quote with which it begins."));
        }
        let text = text.trim();
        if let Some(field) = row.fields.get_mut(*column) {
            *field = (!text.is_empty()).then(|| text.to_owned());
        }
    }
    let empty = ["from", "to"].into_iter().find(|name| row.field(name).is_none());
    empty.map_or(Ok(()), |name| Err(row.wrong(format!("column {name}: it is empty"), "Name both ends.")))?;
    Ok(row)
}

/// The line on which a record begins: its position may be that of lines before it that are none.
fn line(text: &[u8], position: &Position) -> u64 {
    let mut rest = usize::try_from(position.byte()).ok().and_then(|at| text.get(at..)).unwrap_or_default();
    let mut line = position.line();
    while let Some(end) = memchr::memchr(b'\n', rest)
        && let Some((skipped, behind)) = rest.split_at_checked(end + 1)
        && (skipped.trim_ascii().is_empty() || skipped.starts_with(b"#"))
    {
        (line, rest) = (line + 1, behind);
    }
    line
}

fn unreadable(file: &str, line: impl Fn(Option<&Position>) -> u64, e: &csv::Error) -> Error {
    let line = line(e.position());
    let what = match e.kind() {
        ErrorKind::Utf8 { err, .. } => format!("field {} is not UTF-8", err.field() + 1),
        _ => e.to_string(),
    };
    wrong(file, line, what, "Save the table as CSV in UTF-8, with commas between the fields.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8]) -> Result<Vec<Row>> {
        rows(Path::new("users.csv"), text)
    }

    #[test]
    fn tables_are_read_as_spreadsheets_write_them() {
        let text = "\u{feff}# all of them\r\nFrom, TO ,to_password_command\r\n\r\na,\"b, \"\"c\"\"\",echo 1\r\n# not this\r\n\"#x\",y\r\n z ,é,\r\n";
        let told: Vec<String> = read(text.as_bytes())
            .unwrap()
            .iter()
            .map(|r| {
                let fields = ["from", "to", "to_password_command", "from_auth_user", "other"].map(|c| r.field(c));
                format!("{} {fields:?}", r.line)
            })
            .collect();
        assert_eq!(
            told,
            [
                "4 [Some(\"a\"), Some(\"b, \\\"c\\\"\"), Some(\"echo 1\"), None, None]",
                "6 [Some(\"#x\"), Some(\"y\"), None, None, None]",
                "7 [Some(\"z\"), Some(\"é\"), None, None, None]",
            ]
        );
        assert!(read(b"from,to").unwrap().is_empty());
    }

    #[test]
    fn mistakes_are_told_with_line_column_and_remedy() {
        for (text, told) in [
            (&b""[..], "line 1: the columns from and to are needed. Write `from,to"),
            (b"from\nx\n", "line 1: the columns from and to are needed"),
            (b"from,to,to\n", "line 1: the column to is named twice"),
            (b"from,too\n", "line 1: \u{201c}too\u{201d} is no column. The first line names the columns: from, to, "),
            (b"\n\nfrom,too\n", "line 3: \u{201c}too\u{201d} is no column"),
            (b"imaps://a:secret@x,imaps://b@x\n", "line 1: it does not name the columns. The first line names"),
            (b"from;to\n", "line 1: it does not name the columns"),
            (b"from,to\na,b,c\n", "line 2: 3 fields, but there are 2 columns. Put a field with a comma"),
            (b"from,to\na,\n", "line 2: column to: it is empty"),
            (b"from,to\na\n", "line 2: column to: it is empty"),
            (b"from,to\n\na,\"b\nc,d\ne,f\n", "line 3: column to: what stands there goes over several lines. Close"),
            (b"from,to\na,b\nc,\xff\n", "line 3: field 2 is not UTF-8. Save the table as CSV in UTF-8"),
        ] {
            let e = read(text).unwrap_err();
            let shown = format!("{e}. {}", e.remedy());
            assert!(shown.starts_with(&format!("users.csv: {told}")), "{}: {shown}", text.escape_ascii());
            assert!(e.kind() == Kind::Config && !shown.contains("secret"));
        }
    }

    proptest! {
        #[test]
        fn no_table_panics(text in "(from,to\n)?[a#\",\r\n ]{0,30}") {
            let _ = read(text.as_bytes());
        }
    }
}
