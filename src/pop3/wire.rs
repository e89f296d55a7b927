//! Status lines, response codes and listing lines (RFC 1939 sections 3, 5 and 7; RFC 2449 section 8).

/// The first line of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply<'a> {
    /// `+OK` and its text.
    Ok(&'a [u8]),
    /// `-ERR` and its text.
    Err(&'a [u8]),
    /// `+ ` and a challenge in base64 (RFC 5034 section 4); sound within AUTH only.
    Challenge(&'a [u8]),
}

impl Reply<'_> {
    /// Reads a line without its line end.
    pub fn parse(line: &[u8]) -> Option<Reply<'_>> {
        if let Some(text) = behind(line, b"+OK") {
            Some(Reply::Ok(text.trim_ascii()))
        } else if let Some(text) = behind(line, b"-ERR") {
            Some(Reply::Err(text.trim_ascii()))
        } else {
            match line {
                b"+" => Some(Reply::Challenge(b"")),
                [b'+', b' ', challenge @ ..] => Some(Reply::Challenge(challenge.trim_ascii())),
                _ => None,
            }
        }
    }
}

/// What stands behind a status indicator, which no longer word may begin with.
fn behind<'a>(line: &'a [u8], indicator: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = line.split_at_checked(indicator.len())?;
    let ends = rest.first().is_none_or(|b| !b.is_ascii_alphanumeric());
    (ends && head.eq_ignore_ascii_case(indicator)).then_some(rest)
}

/// The response codes that decide what a refusal means (RFC 2449 section 8.1, RFC 3206).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// `[AUTH]`: it was the user name or the password.
    Auth,
    /// `[IN-USE]`: another session holds the mailbox.
    InUse,
    /// `[LOGIN-DELAY]`: the last log-in was too short ago.
    LoginDelay,
    /// `[SYS/TEMP]`: trouble of the server's own that will pass.
    SysTemp,
    /// `[SYS/PERM]`: trouble of the server's own that somebody has to mend.
    SysPerm,
}

impl Code {
    /// The code at the start of a refusal's text. Deeper levels (`SYS/TEMP/DISK`) count as the level known here.
    pub fn of(text: &[u8]) -> Option<Code> {
        let inner = text.trim_ascii_start().strip_prefix(b"[")?;
        let end = memchr::memchr(b']', inner)?;
        let mut levels = inner.get(..end)?.split(|b| *b == b'/').map(<[u8]>::to_ascii_uppercase);
        let (first, second) = (levels.next()?, levels.next());
        match (first.as_slice(), second.as_deref()) {
            (b"AUTH", _) => Some(Code::Auth),
            (b"IN-USE", _) => Some(Code::InUse),
            (b"LOGIN-DELAY", _) => Some(Code::LoginDelay),
            (b"SYS", Some(b"TEMP")) => Some(Code::SysTemp),
            (b"SYS", Some(b"PERM")) => Some(Code::SysPerm),
            _ => None,
        }
    }
}

/// The time stamp of a greeting, with its angle brackets, where the server offers APOP (RFC 1939 section 7).
///
/// It must look like a message identifier of printable ASCII: a peer that may choose any octets could work out
/// the password from the answers.
pub(super) fn timestamp(greeting: &[u8]) -> Option<&[u8]> {
    let start = memchr::memchr(b'<', greeting)?;
    let from_start = greeting.get(start..)?;
    let end = memchr::memchr(b'>', from_start)?;
    let stamp = from_start.get(..=end)?;
    let sound = stamp.iter().all(u8::is_ascii_graphic) && stamp.iter().filter(|b| **b == b'@').count() == 1;
    sound.then_some(stamp)
}

/// A line of the `LIST` reply: message number and octets. Octets that make no number of 63 bits are unknown.
pub(super) fn list_line(line: &[u8]) -> Option<(u32, Option<u64>)> {
    let (number, rest) = number_and_rest(line)?;
    let size = rest.split(u8::is_ascii_whitespace).next().filter(|s| !s.is_empty())?;
    Some((number, decimal(size).filter(|octets| i64::try_from(*octets).is_ok())))
}

/// A line of the `UIDL` reply: message number and unique-id, which may be any octets at all; an empty one is none.
pub(super) fn uidl_line(line: &[u8]) -> Option<(u32, Option<&[u8]>)> {
    let (number, id) = number_and_rest(line)?;
    Some((number, Some(id).filter(|id| !id.is_empty())))
}

fn number_and_rest(line: &[u8]) -> Option<(u32, &[u8])> {
    let line = line.trim_ascii();
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let (digits, rest) = line.split_at(end);
    let number = u32::try_from(decimal(digits)?).ok().filter(|n| *n > 0)?;
    Some((number, rest.trim_ascii_start()))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn status_lines() {
        for (line, reply) in [
            (&b"+OK"[..], Some(Reply::Ok(b""))),
            (b"+OK 2 320", Some(Reply::Ok(b"2 320"))),
            (b"+ok\tready ", Some(Reply::Ok(b"ready"))),
            (b"-ERR", Some(Reply::Err(b""))),
            (b"-Err [AUTH] no", Some(Reply::Err(b"[AUTH] no"))),
            (b"+", Some(Reply::Challenge(b""))),
            (b"+ ", Some(Reply::Challenge(b""))),
            (b"+ PDE+", Some(Reply::Challenge(b"PDE+"))),
            (b"", None),
            (b"+O", None),
            (b"+OKAY", None),
            (b"OK", None),
            (b"* OK IMAP4rev1", None),
            (b"220 smtp", None),
            (b" +OK", None),
        ] {
            assert_eq!(Reply::parse(line), reply, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn response_codes() {
        for (text, code) in [
            (&b"[AUTH] bad password"[..], Some(Code::Auth)),
            (b"[in-use] locked", Some(Code::InUse)),
            (b"[LOGIN-DELAY]", Some(Code::LoginDelay)),
            (b"[SYS/TEMP] disk", Some(Code::SysTemp)),
            (b" [SYS/PERM] gone", Some(Code::SysPerm)),
            (b"[SYS/TEMP/DISK] full", Some(Code::SysTemp)),
            (b"[SYS] ?", None),
            (b"[XYZ] ?", None),
            (b"[AUTH no end", None),
            (b"no [AUTH] code", None),
            (b"", None),
        ] {
            assert_eq!(Code::of(text), code, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn timestamps() {
        let rfc = b"POP3 server ready <1896.697170952@dbc.mtview.ca.us> hi";
        assert_eq!(timestamp(rfc), Some(&b"<1896.697170952@dbc.mtview.ca.us>"[..]));
        for none in [&b"ready"[..], b"<no at>", b"<1@x", b"<\xff@x>", b"<a@b@c>", b"<\x01@x>", b"> <"] {
            assert_eq!(timestamp(none), None, "{}", none.escape_ascii());
        }
    }

    #[test]
    fn list_lines() {
        for (line, row) in [
            (&b"1 120"[..], Some((1, Some(120)))),
            (b" 2\t 200 extra", Some((2, Some(200)))),
            (b"3 99999999999999999999", Some((3, None))),
            (b"4 -1", Some((4, None))),
            (b"4 9223372036854775807", Some((4, Some(i64::MAX as u64)))),
            (b"4 9223372036854775808", Some((4, None))),
            (b"5", None),
            (b"0 10", None),
            (b"x 10", None),
            (b"+1 10", None),
            (b"4294967296 1", None),
            (b"", None),
        ] {
            assert_eq!(list_line(line), row, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn uidl_lines() {
        let long = [b"7 ".as_slice(), &[b'u'; 8000]].concat();
        for (line, row) in [
            (&b"1 whqtswO00WBw418f9t5JxYwZ"[..], Some((1, Some(&b"whqtswO00WBw418f9t5JxYwZ"[..])))),
            (b"2 a b  c ", Some((2, Some(b"a b  c")))),
            (b"3 \xff\x00\xfe", Some((3, Some(b"\xff\x00\xfe")))),
            (b"4", Some((4, None))),
            (b"4 ", Some((4, None))),
            (b"uid 4", None),
            (b"", None),
            (&long, Some((7, Some(&long[2..])))),
        ] {
            assert_eq!(uidl_line(line), row, "{}", line.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(line in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Some(Reply::Ok(t) | Reply::Err(t) | Reply::Challenge(t)) = Reply::parse(&line) {
                prop_assert!(t.len() < line.len());
            }
            prop_assert!(Code::of(&line).is_none() || line.contains(&b'['));
            prop_assert!(timestamp(&line).is_none_or(|t| t.starts_with(b"<") && t.ends_with(b">")));
            prop_assert!(list_line(&line).is_none_or(|(n, _)| n > 0));
            prop_assert!(uidl_line(&line).is_none_or(|(n, id)| n > 0 && id != Some(b"")));
        }

        #[test]
        fn rows_come_back(number in 1u32.., size in 0..=i64::MAX as u64, id in "[!-~]{1,70}") {
            prop_assert_eq!(list_line(format!("{number} {size}").as_bytes()), Some((number, Some(size))));
            let line = format!("{number} {id}");
            prop_assert_eq!(uidl_line(line.as_bytes()), Some((number, Some(id.as_bytes()))));
        }
    }
}
