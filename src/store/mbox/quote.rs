//! The quoting of mboxrd: a line that begins `From `, after any number of `>`, gets one more `>`.

/// What begins a separator line.
pub(super) const FROM: &[u8] = b"From ";

/// Quotes a message that comes in chunks cut anywhere.
#[derive(Debug)]
pub(super) struct Quoter {
    at: At,
}

#[derive(Debug)]
enum At {
    /// At the start of a line, or behind its `>`s, with this many octets of `From ` held back.
    Start(usize),
    /// Where nothing needs quoting before the next line.
    Line,
}

impl Default for Quoter {
    fn default() -> Self {
        Quoter { at: At::Start(0) }
    }
}

impl Quoter {
    /// Appends the quoted bytes to `out`; the start of a `From ` is held back until it is known.
    pub(super) fn quote(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while let Some(&next) = bytes.first() {
            let taken = match self.at {
                At::Line => match memchr::memchr(b'\n', bytes) {
                    Some(end) => {
                        self.at = At::Start(0);
                        out.extend_from_slice(bytes.get(..=end).unwrap_or_default());
                        end + 1
                    }
                    None => {
                        out.extend_from_slice(bytes);
                        bytes.len()
                    }
                },
                At::Start(0) if next == b'>' => {
                    out.push(b'>');
                    1
                }
                At::Start(matched) if FROM.get(matched) == Some(&next) => {
                    self.at = At::Start(matched + 1);
                    if matched + 1 == FROM.len() {
                        // Among the `>`s it does not matter which one is new.
                        out.push(b'>');
                        out.extend_from_slice(FROM);
                        self.at = At::Line;
                    }
                    1
                }
                At::Start(_) => {
                    out.extend_from_slice(self.finish());
                    self.at = At::Line;
                    0
                }
            };
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    /// What was held back.
    pub(super) fn finish(&self) -> &'static [u8] {
        match self.at {
            At::Start(matched) => FROM.get(..matched).unwrap_or_default(),
            At::Line => b"",
        }
    }
}

/// `>` at the start of a line that are looked at; a line with more is no quoted one.
const QUOTES: usize = 1024;

/// Takes the quoting away from a message that comes in chunks cut anywhere: one `>` of each line that begins `>From `,
/// after any number of further `>`.
#[derive(Debug)]
pub(super) struct Unquoter {
    at: Held,
}

#[derive(Debug)]
enum Held {
    /// At the start of a line, behind so many `>` and so many octets of `From `.
    Start { quotes: usize, matched: usize },
    /// Where nothing can be quoted before the next line.
    Line,
}

impl Default for Unquoter {
    fn default() -> Self {
        Unquoter { at: Held::Start { quotes: 0, matched: 0 } }
    }
}

impl Unquoter {
    /// Appends the unquoted bytes to `out`; the start of a line is held back until it is known.
    pub(super) fn unquote(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while let Some(&next) = bytes.first() {
            let taken = match self.at {
                Held::Line => match memchr::memchr(b'\n', bytes) {
                    Some(end) => {
                        self.at = Held::Start { quotes: 0, matched: 0 };
                        out.extend_from_slice(bytes.get(..=end).unwrap_or_default());
                        end + 1
                    }
                    None => {
                        out.extend_from_slice(bytes);
                        bytes.len()
                    }
                },
                Held::Start { quotes, matched: 0 } if next == b'>' && quotes < QUOTES => {
                    self.at = Held::Start { quotes: quotes + 1, matched: 0 };
                    1
                }
                Held::Start { quotes, matched } if FROM.get(matched) == Some(&next) => {
                    self.at = Held::Start { quotes, matched: matched + 1 };
                    if matched + 1 == FROM.len() {
                        self.at = Held::Start { quotes: quotes.saturating_sub(1), matched: matched + 1 };
                        self.finish(out);
                    }
                    1
                }
                Held::Start { .. } => {
                    self.finish(out);
                    0
                }
            };
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    /// Appends what was held back.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if let Held::Start { quotes, matched } = std::mem::replace(&mut self.at, Held::Line) {
            out.resize(out.len() + quotes, b'>');
            out.extend_from_slice(FROM.get(..matched).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quoted(chunks: &[&[u8]]) -> Vec<u8> {
        let (mut quoter, mut out) = (Quoter::default(), Vec::new());
        chunks.iter().for_each(|c| quoter.quote(c, &mut out));
        out.extend_from_slice(quoter.finish());
        out
    }

    #[test]
    fn only_from_at_the_start_of_a_line_is_quoted() {
        for (plain, expected) in [
            ("From x\nFrom y", ">From x\n>From y"),
            (">From x\r\n>>From \n", ">>From x\r\n>>>From \n"),
            ("From: x\n From y\nFrom\n\nFro", "From: x\n From y\nFrom\n\nFro"),
            ("a From b\n> From c\nfrom d\rFrom e", "a From b\n> From c\nfrom d\rFrom e"),
            ("", ""),
            ("\n\nFrom ", "\n\n>From "),
        ] {
            assert_eq!(quoted(&[plain.as_bytes()]), expected.as_bytes());
        }
    }

    fn unquoted(chunks: &[&[u8]]) -> Vec<u8> {
        let (mut unquoter, mut out) = (Unquoter::default(), Vec::new());
        chunks.iter().for_each(|c| unquoter.unquote(c, &mut out));
        unquoter.finish(&mut out);
        out
    }

    #[test]
    fn one_mark_is_taken_from_each_quoted_line() {
        for (stored, expected) in [
            (">From x\n>>From y\r\n", "From x\n>From y\r\n"),
            ("> From x\n>from\n>Fro\n>>\n\n", "> From x\n>from\n>Fro\n>>\n\n"),
            ("From x\n>From", "From x\n>From"),
        ] {
            assert_eq!(unquoted(&[stored.as_bytes()]), expected.as_bytes());
        }
        let many = [">".repeat(5000), "From x\n".to_owned()].concat();
        assert_eq!(unquoted(&[many.as_bytes()]), many.as_bytes());
    }

    proptest! {
        #[test]
        fn what_was_quoted_comes_back(lines in proptest::collection::vec("(>{0,2}(From |Fro|x)?y?\r?\n?)", 0..8), cut in 0..60usize) {
            let text = lines.concat();
            let stored = quoted(&[text.as_bytes()]);
            let cut = cut.min(stored.len());
            prop_assert_eq!(unquoted(&[&stored[..cut], &stored[cut..]]), text.into_bytes());
        }

        #[test]
        fn cuts_do_not_matter(lines in proptest::collection::vec("(>{0,2}(From |Fro|x)?y?\r?\n?)", 0..8), cut in 0..60usize) {
            let text = lines.concat();
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            prop_assert_eq!(quoted(&[&bytes[..cut], &bytes[cut..]]), quoted(&[bytes]));
        }
    }
}
