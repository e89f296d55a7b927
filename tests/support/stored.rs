//! What stands in a Maildir or an mbox, read without any code of the program under test.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// One message of a Maildir.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub bytes: Vec<u8>,
    /// The letters behind `:2,`; empty in `new`.
    pub flags: String,
    /// When the file was last changed, which is the date of arrival.
    pub time: SystemTime,
    /// `new` or `cur`.
    pub place: &'static str,
    pub file_name: String,
}

/// The messages of one Maildir in the order of their file names; none where there is none. A file left in `tmp` is no message.
pub fn maildir(path: &Path) -> Vec<Stored> {
    let mut all = Vec::new();
    for place in ["new", "cur"] {
        let Ok(files) = fs::read_dir(path.join(place)) else { continue };
        for file in files {
            let file = file.expect("an entry of the Maildir");
            let file_name = file.file_name().into_string().expect("a name in UTF-8");
            let flags = file_name.split_once(":2,").map(|(_, f)| f.to_owned()).unwrap_or_default();
            let bytes = fs::read(file.path()).expect("a message");
            let time = file.metadata().and_then(|m| m.modified()).expect("its time");
            all.push(Stored { bytes, flags, time, place, file_name });
        }
    }
    all.sort_by_cached_key(|m| numbers_padded(&m.file_name));
    all
}

/// A name that sorts by the value of its numbers: Dovecot writes microseconds as `M9` and `M10`.
fn numbers_padded(name: &str) -> String {
    let padded = |piece: &[u8]| {
        let text = String::from_utf8_lossy(piece);
        if piece[0].is_ascii_digit() { format!("{text:0>12}") } else { text.into_owned() }
    };
    name.as_bytes().chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()).map(padded).collect()
}

/// The bytes of the messages of one Maildir.
pub fn maildir_bytes(path: &Path) -> Vec<Vec<u8>> {
    maildir(path).into_iter().map(|m| m.bytes).collect()
}

/// Files in `tmp` of a Maildir.
pub fn unfinished(path: &Path) -> usize {
    fs::read_dir(path.join("tmp")).map_or(0, |d| d.count())
}

/// The messages of an mbox (mboxrd) in order, unquoted, with the blank line behind each taken off; none where there is no file.
pub fn mbox(path: &Path) -> Vec<Vec<u8>> {
    let Ok(bytes) = fs::read(path) else { return Vec::new() };
    assert!(bytes.is_empty() || bytes.starts_with(b"From "), "{} starts with no From line", path.display());
    let mut messages: Vec<Vec<u8>> = Vec::new();
    let mut blank = true;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        if blank && line.starts_with(b"From ") {
            if let Some(last) = messages.last_mut() {
                take_blank_line(last);
            }
            messages.push(Vec::new());
            blank = false;
            continue;
        }
        blank = line == b"\n" || line == b"\r\n";
        let quotes = line.iter().take_while(|b| **b == b'>').count();
        let quoted = quotes > 0 && line[quotes..].starts_with(b"From ");
        if let Some(message) = messages.last_mut() {
            message.extend_from_slice(if quoted { &line[1..] } else { line });
        }
    }
    if let Some(last) = messages.last_mut() {
        take_blank_line(last);
    }
    messages
}

fn take_blank_line(message: &mut Vec<u8>) {
    let end = if message.ends_with(b"\r\n") { 2 } else { usize::from(message.ends_with(b"\n")) };
    message.truncate(message.len() - end);
}

/// Fails unless both hold the same messages, each as often, in any order; says which differ.
#[track_caller]
pub fn assert_same_mail(found: &[Vec<u8>], expected: &[Vec<u8>]) {
    let mut counts: BTreeMap<&[u8], (i64, i64)> = BTreeMap::new();
    found.iter().for_each(|m| counts.entry(m).or_default().0 += 1);
    expected.iter().for_each(|m| counts.entry(m).or_default().1 += 1);
    let wrong: Vec<String> = counts
        .iter()
        .filter(|(_, (found, expected))| found != expected)
        .take(10)
        .map(|(m, (found, expected))| format!("{found} instead of {expected} of {}", sketch(m)))
        .collect();
    let (found, expected) = (found.len(), expected.len());
    assert!(wrong.is_empty(), "{found} messages, {expected} expected:\n  {}", wrong.join("\n  "));
}

/// A message in a line: its length, subject and ends.
fn sketch(message: &[u8]) -> String {
    let subject = subject(message).unwrap_or_else(|| "no subject".to_owned());
    let (head, tail) = (&message[..message.len().min(40)], &message[message.len().saturating_sub(40)..]);
    format!(
        "{} bytes, {subject}, \u{201c}{}\u{2026}{}\u{201d}",
        message.len(),
        head.escape_ascii(),
        tail.escape_ascii()
    )
}

/// The subject of a message.
pub fn subject(message: &[u8]) -> Option<String> {
    let line =
        message.split(|b| *b == b'\n').find(|l| l.get(..8).is_some_and(|n| n.eq_ignore_ascii_case(b"subject:")))?;
    Some(String::from_utf8_lossy(&line[8..]).trim().to_owned())
}
