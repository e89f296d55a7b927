//! The beginning of a message, as its bytes come in.

/// What came of a message so far, as long as its header goes on.
#[derive(Debug, Default)]
pub struct Beginning(Vec<u8>);

impl Beginning {
    /// Octets: a header that is longer is looked at no further.
    pub const LIMIT: usize = 64 << 10;

    /// Takes the next bytes. Whether that is enough: the header has ended, or is longer than any that is looked at.
    pub fn take(&mut self, bytes: &[u8]) -> bool {
        let looked_at = self.0.len().saturating_sub(2);
        self.0.extend_from_slice(bytes);
        let fresh = self.0.get(looked_at..).unwrap_or_default();
        let ends = [&b"\n\n"[..], b"\n\r\n"].iter().any(|end| memchr::memmem::find(fresh, end).is_some());
        ends || self.0.len() > Beginning::LIMIT
    }

    /// All that came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_ends_at_a_blank_line_however_it_is_cut() {
        for (text, enough) in [("a: b\n\nc", 6), ("a: b\r\n\r\nc", 8), ("a\n b\n\r\n", 7), ("\n\n", 2)] {
            for cut in 1..=text.len() {
                let mut beginning = Beginning::default();
                let (mut came, mut ended) = (0, None);
                for piece in text.as_bytes().chunks(cut) {
                    came += piece.len();
                    if beginning.take(piece) && ended.is_none() {
                        ended = Some(came);
                    }
                }
                assert_eq!(ended, Some(usize::next_multiple_of(enough, cut).min(text.len())), "{text:?} {cut}");
                assert_eq!(beginning.as_bytes(), text.as_bytes());
            }
        }
    }

    #[test]
    fn one_without_end_is_enough_at_the_limit() {
        let mut beginning = Beginning::default();
        assert!(!beginning.take(&[b'x'; Beginning::LIMIT]));
        assert!(beginning.take(b"x"));
    }
}
