//! Flags and keywords that mail programs keep in the header of a message in an mbox.

use crate::mail::{Flags, Keyword, Marks};

/// Bits of X-Mozilla-Status, each with the flag it stands for (Thunderbird).
const MOZILLA: [(u32, &str); 5] = [
    (0x0001, "\\Seen"),
    (0x0002, "\\Answered"),
    (0x0004, "\\Flagged"),
    // Thrown away, and still in the file until that is compacted.
    (0x0008, "\\Deleted"),
    (0x1000, "$Forwarded"),
];

/// Letters of Status and X-Status (mutt, Dovecot, UW).
const LETTERS: [(char, &str); 5] =
    [('R', "\\Seen"), ('A', "\\Answered"), ('F', "\\Flagged"), ('D', "\\Deleted"), ('T', "\\Draft")];

/// The marks of a message that begins so.
pub fn marks_of(start: &[u8]) -> Marks {
    let mut marks = Marks::default();
    for line in start.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end).take_while(|line| !line.is_empty()) {
        let Some((name, value)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(':')) else {
            continue;
        };
        let value = value.trim();
        let is = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(name));
        if is(&["Status", "X-Status"]) {
            for (_, flag) in LETTERS.iter().filter(|(letter, _)| value.contains(*letter)) {
                marks.flags = marks.flags | Flags::from_imap(flag);
            }
        } else if is(&["X-Mozilla-Status"]) {
            let bits = u32::from_str_radix(value, 16).unwrap_or_default();
            for (_, flag) in MOZILLA.iter().filter(|(bit, _)| bits & bit != 0) {
                marks.flags = marks.flags | Flags::from_imap(flag);
            }
        } else if is(&["X-Mozilla-Keys", "X-Keywords"]) {
            marks.keywords.extend(value.split_ascii_whitespace().filter_map(Keyword::new));
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_has_its_fields() {
        for (header, letters, keywords) in [
            ("Status: RO\r\nX-Status: AF\r\n\r\n", "FRS", &[][..]),
            ("Status: O\nX-Keywords: work  $Junk\n\n", "", &["$Junk", "work"]),
            (
                "X-Mozilla-Status: 1007\nX-Mozilla-Status2: 00800000\nX-Mozilla-Keys: $label1  \n\n",
                "FPRS",
                &["$label1"],
            ),
            ("x-mozilla-status: 0008\n\n", "T", &[]),
            ("X-Mozilla-Status: zz\nSubject: Status: R\n\nStatus: R\n", "", &[]),
            ("\u{ff}: R\n", "", &[]),
        ] {
            let marks = marks_of(header.as_bytes());
            let found: Vec<&str> = marks.keywords.iter().map(Keyword::as_str).collect();
            assert_eq!((marks.flags.letters().as_str(), found.as_slice()), (letters, keywords), "{header:?}");
        }
    }
}
