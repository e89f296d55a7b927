//! When a message arrived, as its own header tells it.

use mail_parser::DateTime;

/// Octets of a header that are looked at.
const LIMIT: usize = 64 * 1024;

/// How far ahead of the clock a date may be, in seconds.
const AHEAD: i64 = 2 * 86_400;

/// When a message with this header (the body may follow) arrived, in seconds since 1970 UTC: the date of the topmost
/// Received field, else that of Date; of dates before 1970 or after `now`, neither.
pub fn arrival_date(header: &[u8], now: i64) -> Option<i64> {
    let (mut received, mut date) = (None, None);
    let mut field: Vec<u8> = Vec::new();
    let mut take = |field: &[u8]| {
        let Some(colon) = memchr::memchr(b':', field) else { return };
        let (name, value) = field.split_at(colon);
        let value = String::from_utf8_lossy(value.get(1..).unwrap_or_default()).into_owned();
        match name.trim_ascii_end() {
            name if name.eq_ignore_ascii_case(b"received") && received.is_none() => {
                received = Some(value.rsplit_once(';').map_or(String::new(), |(_, date)| date.to_owned()));
            }
            name if name.eq_ignore_ascii_case(b"date") && date.is_none() => date = Some(value),
            _ => {}
        }
    };
    for line in header.get(..LIMIT).unwrap_or(header).split(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            take(&field);
            field.clear();
        }
        if line.is_empty() {
            break;
        }
        field.extend_from_slice(line);
    }
    take(&field);
    [received, date].into_iter().flatten().find_map(|text| read(&text, now))
}

fn read(text: &str, now: i64) -> Option<i64> {
    let date = DateTime::parse_rfc822(text.trim()).filter(|d| d.is_valid() && d.year >= 1970)?;
    Some(date.to_timestamp()).filter(|at| (1..=now.saturating_add(AHEAD)).contains(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn the_topmost_received_field_tells_and_then_date() {
        for (header, expected) in [
            (
                "Received: from a by b;\r\n\tFri, 1 Mar 2024 10:00:00 +0100\r\nReceived: x; 2 Mar 2024 10:00:00 +0000\r\n",
                Some(1_709_283_600),
            ),
            (
                "Date: Thu, 01 Jan 1998 00:00:30 -0500 (EST)\nSubject: x\n\nReceived: x; 1 Mar 2024 10:00:00 +0000",
                Some(883_630_830),
            ),
            ("Received: by x with SMTP\nDate: 1 Mar 2024 09:00:00 +0000\n\n", Some(1_709_283_600)),
            ("Received: x; not a date\nDate: 1 Mar 24 09:00:00 GMT\n\n", Some(1_709_283_600)),
            ("Received: x; 1 Mar 2099 09:00:00 +0000\nDate: 1 Mar 2024 09:00:00 +0000\n", Some(1_709_283_600)),
            ("Date: 1 Mar 1924 09:00:00 +0000\n\n", None),
            ("Date: 31 Dec 1969 23:59:59 +0000\n\n", None),
            ("Date: \nSubject: x\n\n", None),
            ("Subject: x\n\nDate: 1 Mar 2024 09:00:00 +0000\n", None),
            ("", None),
            ("\0\u{ff}:;:\n", None),
        ] {
            assert_eq!(arrival_date(header.as_bytes(), NOW), expected, "{header:?}");
        }
    }
}
