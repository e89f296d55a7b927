//! Reads the data items of one response (RFC 9051 section 9), as leniently as honest servers need.

use super::framer::Frame;
use std::borrow::Cow;

/// A place in a response. Every reading method gives `None`, and stays where it is, where something else stands there.
#[derive(Debug, Clone)]
pub struct Scan<'a> {
    rest: &'a [u8],
    literals: std::slice::Iter<'a, Vec<u8>>,
}

impl<'a> Scan<'a> {
    /// The start of a response.
    pub fn new(frame: &'a Frame) -> Scan<'a> {
        Scan { rest: &frame.text, literals: frame.literals.iter() }
    }

    /// All that is left.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Passes over blanks.
    pub fn blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// The given bytes, in any case.
    pub fn tag(&mut self, wanted: &[u8]) -> Option<()> {
        let (head, tail) = self.rest.split_at_checked(wanted.len())?;
        head.eq_ignore_ascii_case(wanted).then(|| self.rest = tail)
    }

    /// The given word whole, in any case; takes it.
    pub fn atom_is(&mut self, word: &[u8]) -> bool {
        let mut ahead = self.clone();
        let found = ahead.atom().is_some_and(|a| a.eq_ignore_ascii_case(word));
        if found {
            *self = ahead;
        }
        found
    }

    /// Passes over everything up to the given byte, and that.
    pub fn until(&mut self, stop: u8) -> Option<()> {
        let at = memchr::memchr(stop, self.rest)?;
        self.rest = self.rest.get(at + 1..)?;
        Some(())
    }

    /// A run of bytes up to a blank, a parenthesis, a quote or a bracket; never empty.
    pub fn atom(&mut self) -> Option<&'a [u8]> {
        self.run(|b| !matches!(b, b' ' | b'(' | b')' | b'"' | b'[' | b']' | b'<' | b'>' | b'\r' | b'\n'))
    }

    /// A run of bytes up to a blank or a parenthesis, whatever else is in it: a flag, as odd as it may be.
    pub fn word(&mut self) -> Option<&'a [u8]> {
        self.run(|b| !matches!(b, b' ' | b'(' | b')' | b'\r' | b'\n'))
    }

    fn run(&mut self, of: impl Fn(u8) -> bool) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|b| !of(*b)).unwrap_or(self.rest.len());
        let (head, tail) = self.rest.split_at(end);
        (!head.is_empty()).then(|| {
            self.rest = tail;
            head
        })
    }

    /// A number of 32 bits.
    pub fn number(&mut self) -> Option<u32> {
        let before = self.clone();
        let value = self.long_number().and_then(|n| u32::try_from(n).ok());
        if value.is_none() {
            *self = before;
        }
        value
    }

    /// A number of 63 bits (RFC 9051 section 9, `number64`).
    pub fn long_number(&mut self) -> Option<u64> {
        let end = self.rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, tail) = self.rest.split_at(end);
        let value = std::str::from_utf8(digits).ok()?.parse::<i64>().ok()?.try_into().ok()?;
        self.rest = tail;
        Some(value)
    }

    /// A quoted string without its escapes, or a literal.
    pub fn string(&mut self) -> Option<Cow<'a, [u8]>> {
        match self.rest {
            [b'"', inner @ ..] => {
                let (text, tail) = quoted(inner)?;
                self.rest = tail;
                Some(text)
            }
            _ => self.literal().map(Cow::Borrowed),
        }
    }

    fn literal(&mut self) -> Option<&'a [u8]> {
        let at = self.rest.strip_prefix(b"~").unwrap_or(self.rest);
        let header = at.strip_prefix(b"{")?;
        let end = memchr::memchr(b'\n', header)?;
        let (digits, tail) = header.split_at(end + 1);
        let digits = digits.strip_suffix(b"}\r\n")?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.rest = tail;
        self.literals.next().map(Vec::as_slice)
    }

    /// A string, or `None` inside for NIL.
    pub fn nstring(&mut self) -> Option<Option<Cow<'a, [u8]>>> {
        if self.tag(b"NIL").is_some() { Some(None) } else { self.string().map(Some) }
    }

    /// Passes over one value of any kind, nested as deep as it may be.
    pub fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            match self.rest.first()? {
                b'(' => {
                    depth += 1;
                    self.rest = self.rest.get(1..)?;
                }
                b')' => {
                    depth = depth.checked_sub(1)?;
                    self.rest = self.rest.get(1..)?;
                }
                b' ' if depth > 0 => self.blanks(),
                _ => {
                    let before = self.rest.len();
                    if self.string().is_none() && self.run(|b| !matches!(b, b' ' | b'(' | b')' | b'"')).is_none() {
                        return None;
                    }
                    debug_assert!(self.rest.len() < before);
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

/// The text of a quoted string behind its opening quote, and what follows it.
fn quoted(inner: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let stop = memchr::memchr2(b'"', b'\\', inner)?;
    let (plain, mut rest) = inner.split_at(stop);
    if let [b'"', tail @ ..] = rest {
        return Some((Cow::Borrowed(plain), tail));
    }
    let mut text = plain.to_vec();
    loop {
        match rest {
            [b'"', tail @ ..] => return Some((Cow::Owned(text), tail)),
            [b'\\', escaped, tail @ ..] => {
                text.push(*escaped);
                rest = tail;
            }
            [other, tail @ ..] => {
                text.push(*other);
                rest = tail;
            }
            [] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(text: &str, literals: &[&str]) -> Frame {
        Frame { text: text.into(), literals: literals.iter().map(|l| l.as_bytes().to_vec()).collect() }
    }

    #[test]
    fn strings_in_each_form() {
        for (text, literals, value, rest) in [
            (r#""" x"#, &[][..], Some(Some("")), " x"),
            (r#""a b" x"#, &[], Some(Some("a b")), " x"),
            (r#""a\"\\b"x"#, &[], Some(Some(r#"a"\b"#)), "x"),
            ("{3}\r\n x", &["a\\b"], Some(Some("a\\b")), " x"),
            ("~{3}\r\n)", &["abc"], Some(Some("abc")), ")"),
            ("nil)", &[], Some(None), ")"),
            ("\"open", &[], None, "\"open"),
            ("\"open\\", &[], None, "\"open\\"),
            ("{x}\r\n", &[], None, "{x}\r\n"),
            ("atom", &[], None, "atom"),
        ] {
            let frame = frame(text, literals);
            let mut scan = Scan::new(&frame);
            let read = scan.nstring().map(|v| v.map(|s| String::from_utf8(s.into_owned()).unwrap()));
            assert_eq!(read, value.map(|v| v.map(str::to_owned)), "{text}");
            assert_eq!(scan.rest(), rest.as_bytes(), "{text}");
        }
    }

    #[test]
    fn a_value_of_any_kind_is_passed_over() {
        for (text, rest) in [
            ("(a (b \"c)\" {2}\r\n) d) UID", Some(" UID")),
            ("123 UID", Some(" UID")),
            ("\"a b\" UID", Some(" UID")),
            ("NIL)", Some(")")),
            ("((", None),
            (")", None),
            ("", None),
        ] {
            let frame = frame(text, &["))"]);
            let mut scan = Scan::new(&frame);
            assert_eq!(scan.skip_value().map(|()| scan.rest()), rest.map(str::as_bytes), "{text}");
        }
        let deep = frame(&"(".repeat(1_000_000), &[]);
        assert_eq!(Scan::new(&deep).skip_value(), None);
    }

    proptest! {
        #[test]
        fn random_text_never_panics(text in "[\\x00-\\x7f]{0,40}", literals in prop::collection::vec(".{0,3}", 0..2)) {
            let frame = frame(&text, &literals.iter().map(String::as_str).collect::<Vec<_>>());
            let reads: [fn(&mut Scan<'_>) -> bool; 3] =
                [|s| s.nstring().is_some(), |s| s.skip_value().is_some(), |s| s.number().is_some()];
            for read in reads {
                let mut scan = Scan::new(&frame);
                let ok = read(&mut scan);
                prop_assert!(!ok || scan.rest().len() < text.len());
            }
        }
    }
}
