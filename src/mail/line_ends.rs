//! Line ends: CRLF on the wire, LF in most stores.

use memchr::memchr_iter;

/// Turns CRLF into LF in a stream of chunks cut anywhere; a bare CR or LF stays what it is.
#[derive(Debug, Default)]
pub struct ToLf {
    held_cr: bool,
}

impl ToLf {
    /// Appends the converted bytes to `out`; a CR at the end is held back until its successor is known.
    pub fn convert(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.reserve(bytes.len() + 1);
        if self.held_cr && !bytes.is_empty() {
            self.held_cr = false;
            if bytes.first() != Some(&b'\n') {
                out.push(b'\r');
            }
        }
        let mut from = 0;
        for at in memchr_iter(b'\r', bytes) {
            let next = bytes.get(at + 1);
            if next.is_none_or(|b| *b == b'\n') {
                out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
                from = at + 1;
                self.held_cr = next.is_none();
            }
        }
        out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    }

    /// What was held back.
    pub fn finish(&mut self) -> &'static [u8] {
        if std::mem::take(&mut self.held_cr) { b"\r" } else { b"" }
    }
}

/// Turns LF into CRLF in a stream of chunks cut anywhere; what is CRLF already stays, and so does a bare CR.
#[derive(Debug, Default)]
pub struct ToCrlf {
    after_cr: bool,
}

impl ToCrlf {
    /// Appends the converted bytes to `out`.
    pub fn convert(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let mut from = 0;
        for at in memchr_iter(b'\n', text) {
            out.extend_from_slice(text.get(from..at).unwrap_or_default());
            let has_cr = if at == 0 { self.after_cr } else { text.get(at - 1) == Some(&b'\r') };
            out.extend_from_slice(if has_cr { b"\n" } else { b"\r\n" });
            from = at + 1;
        }
        out.extend_from_slice(text.get(from..).unwrap_or_default());
        if let Some(last) = text.last() {
            self.after_cr = *last == b'\r';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn converted(chunks: &[&[u8]]) -> Vec<u8> {
        let (mut lf, mut out) = (ToLf::default(), Vec::new());
        chunks.iter().for_each(|c| lf.convert(c, &mut out));
        out.extend_from_slice(lf.finish());
        out
    }

    #[test]
    fn only_crlf_changes() {
        assert_eq!(converted(&[b"a\r\nb\nc\rd\r\r\n\r"]), b"a\nb\nc\rd\r\n\r");
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(text in "[ab\r\n]{0,24}", cut in 0..24usize) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            prop_assert_eq!(converted(&[&bytes[..cut], &bytes[cut..]]), text.replace("\r\n", "\n").into_bytes());
        }
    }
}
