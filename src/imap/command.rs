//! A command as it goes to the server.

/// A command: its first line, and those that follow when the server asks for them (literals, SASL).
#[derive(Debug, Default)]
pub struct Command {
    pub(super) line: String,
    pub(super) rest: Vec<Vec<u8>>,
}

impl Command {
    /// A command that starts so.
    pub fn new(start: impl Into<String>) -> Command {
        Command { line: start.into(), rest: Vec::new() }
    }

    /// Adds an argument: quoted, or as a literal where it holds what must not stand between quotes.
    #[must_use]
    pub fn argument(mut self, value: &[u8]) -> Command {
        if value.iter().all(|b| matches!(b, b' '..=b'~')) {
            let escaped = value.iter().flat_map(|b| matches!(b, b'"' | b'\\').then_some(b'\\').into_iter().chain([*b]));
            self.put(&[b" \"", &*escaped.collect::<Vec<_>>(), b"\""].concat());
        } else {
            self.put(format!(" {{{}}}", value.len()).as_bytes());
            self.rest.push(value.to_vec());
        }
        self
    }

    /// Adds text that needs no quotes.
    #[must_use]
    pub fn text(mut self, text: &str) -> Command {
        self.put(text.as_bytes());
        self
    }

    /// Its one line, where the server need not ask for more.
    pub fn line(&self) -> Option<&str> {
        self.rest.is_empty().then_some(&*self.line)
    }

    fn put(&mut self, text: &[u8]) {
        match self.rest.last_mut() {
            Some(last) => last.extend_from_slice(text),
            // ASCII in both callers.
            None => self.line.push_str(&String::from_utf8_lossy(text)),
        }
    }
}

impl Drop for Command {
    /// Passwords pass here.
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.line);
        zeroize::Zeroize::zeroize(&mut self.rest);
    }
}
