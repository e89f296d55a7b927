//! The separator line of an mbox, called the From_ line: `From SENDER DATE`.

use super::quote::FROM;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mail_parser::{HeaderName, MessageParser};

/// Octets of a message searched for its sender.
const HEADER_LIMIT: usize = 64 * 1024;

/// Octets of a From_ line that are looked at; ours are shorter.
pub(super) const LIMIT: usize = 512;

/// Where a message names no sender.
const NOBODY: &str = "MAILER-DAEMON";

/// A From_ line, without its line end, for a message that begins with `header` and came at the given second since 1970 UTC.
pub(super) fn from_line(header: &[u8], received_at: Option<i64>) -> String {
    let now = Timestamp::now();
    // A year of four digits is what readers expect.
    let sane = received_at.filter(|seconds| (0..253_402_300_800).contains(seconds));
    let time = sane.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(now);
    let date = time.to_zoned(TimeZone::UTC).strftime("%a %b %e %H:%M:%S %Y");
    format!("From {} {date}", sender(header))
}

/// The address in Return-Path, else in From.
fn sender(header: &[u8]) -> String {
    let parser = MessageParser::new()
        .header_text(HeaderName::ReturnPath)
        .header_address(HeaderName::From)
        .default_header_ignore();
    let parsed = parser.parse_headers(header.get(..HEADER_LIMIT).unwrap_or(header));
    let address = parsed.as_ref().and_then(|message| message.return_address()).unwrap_or_default();
    let address = address.trim().trim_start_matches('<').trim_end_matches('>');
    let fits = !address.is_empty() && !address.starts_with('@') && address.len() <= LIMIT / 2;
    if !fits || address.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return NOBODY.to_owned();
    }
    address.to_owned()
}

/// Whether text that begins `From ` reads like a From_ line with its date: `… Www Mmm dd hh:mm…`.
pub(super) fn is_dated(text: &[u8]) -> bool {
    let line = text.split(|b| *b == b'\n').next().unwrap_or_default();
    let Some(rest) = line.strip_prefix(FROM) else { return false };
    let words: Vec<&[u8]> = rest.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty()).take(16).collect();
    let one_of = |names: &str, word: &[u8]| word.len() == 3 && names.as_bytes().chunks(3).any(|name| name == word);
    let number = |text: &[u8]| matches!(text.len(), 1 | 2) && text.iter().all(u8::is_ascii_digit);
    words.windows(4).any(|four| match four {
        [weekday, month, day, time] => {
            one_of("SunMonTueWedThuFriSat", weekday)
                && one_of("JanFebMarAprMayJunJulAugSepOctNovDec", month)
                && number(day)
                && time.split(|b| *b == b':').count() >= 2
                && time.split(|b| *b == b':').all(number)
        }
        _ => false,
    })
}

/// The date of a [dated](is_dated) From_ line in seconds since 1970 UTC; without a zone, it is taken for UTC.
pub(super) fn date(text: &[u8]) -> Option<i64> {
    let line = String::from_utf8_lossy(text.split(|b| *b == b'\n').next()?).into_owned();
    let words: Vec<&str> = line.split_ascii_whitespace().take(20).collect();
    let at = (1..words.len())
        .rfind(|at| is_dated(format!("From {}", words.get(*at..).unwrap_or_default().join(" ")).as_bytes()))?;
    let [_, month, day, time, rest @ ..] = words.get(at..)? else { return None };
    let year = rest.iter().take(3).find(|w| w.len() == 4 && w.bytes().all(|b| b.is_ascii_digit()))?;
    let zone = rest.iter().take(3).find(|w| w.len() == 5 && w.starts_with(['+', '-'])).unwrap_or(&"+0000");
    mail_parser::DateTime::parse_rfc822(&format!(
        "{day} {month} {year} {time}{} {zone}",
        if time.len() < 6 { ":00" } else { "" }
    ))
    .map(|date| date.to_timestamp())
    .filter(|at| *at > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_holds_the_sender_and_the_date() {
        let line = |header: &str| from_line(header.as_bytes(), Some(981_173_106));
        for (header, sender) in [
            ("Return-Path: <bounce@x.example>\r\nFrom: me@y.example\r\n\r\n", "bounce@x.example"),
            ("From: \"Smith <x>, J\" <js@y.example>, b@c\n\n", "js@y.example"),
            ("Subject: x\nfrom: me@y.example\n\nReturn-Path: <no@body>\n", "me@y.example"),
            ("From: =?utf-8?q?J=C3=BCrgen?=\n <j@y.example>\n", "j@y.example"),
            ("From: \"a b\"@y.example\n\n", NOBODY),
            ("Subject: x\n\nFrom: me@y.example\n", NOBODY),
            ("", NOBODY),
            ("\0\u{1}\n\n", NOBODY),
        ] {
            assert_eq!(line(header), format!("From {sender} Sat Feb  3 04:05:06 2001"), "{header:?}");
        }
        let endless = format!("From: {}@x\n\n", "y".repeat(70_000));
        assert!(line(&endless).len() < LIMIT);
    }

    #[test]
    fn a_date_out_of_bounds_is_now() {
        for wrong in [None, Some(-1), Some(i64::MIN), Some(i64::MAX)] {
            let line = from_line(b"", wrong);
            assert!(is_dated(line.as_bytes()));
            assert!(line.ends_with(&Timestamp::now().strftime("%Y").to_string()));
        }
    }

    #[test]
    fn a_date_is_read_with_its_zone() {
        for (line, expected) in [
            ("From a@b Sat Feb  3 04:05:06 2001", Some(981_173_106)),
            ("From a@b Sat Feb 3 05:05:06 +0100 2001", Some(981_173_106)),
            ("From a b Sat Feb  3 04:05 2001 remote from c\nx", Some(981_173_100)),
            ("From - Thu Jan  1 00:00:00 1970", None),
            ("From a@b Sat Feb  3 04:05:06 99", None),
            ("From nowhere", None),
        ] {
            assert_eq!(date(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn a_dated_line_is_told_from_prose() {
        for line in [
            "From a@b Sat Feb  3 04:05:06 2001",
            "From a@b  Sat Feb 3 04:05 +0100 2001\nx",
            "From a b Sat Feb 13 04:05:06 2001 remote from c",
        ] {
            assert!(is_dated(line.as_bytes()), "{line}");
        }
        for line in [
            "From a@b",
            "From there we went\nSat Feb 3 04:05:06 2001",
            "From a Sat Feb 3 2001",
            "from a@b Sat Feb  3 04:05:06 2001",
            "From a@b Sat Feb 3 x:05 2001",
            "From a@b Dec Feb 3 04:05 2001",
        ] {
            assert!(!is_dated(line.as_bytes()), "{line}");
        }
    }
}
