//! The known word that an unknown one was probably meant to be.

/// The known word most like `word`; `None` where none is alike. Case does not count, nor does `-` for `_`.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |w: &str| w.to_lowercase().replace('-', "_");
    let word = plain(word);
    known
        .into_iter()
        .map(|k| (strsim::jaro_winkler(&word, &plain(k)), k))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

/// The question to put before the list of known words: `Did you mean "imap"? `, or nothing.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map(|k| format!("Did you mean `{k}`? ")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likely_slips_find_their_word_and_others_find_none() {
        let known = ["host", "user", "password", "port", "protocol", "max_size", "tls", "imap"];
        let table = [
            ("hots", Some("host")),
            ("username", Some("user")),
            ("pasword", Some("password")),
            ("passwd", Some("password")),
            ("max-size", Some("max_size")),
            ("TLS", Some("tls")),
            ("impa", Some("imap")),
            ("server", None),
            ("colour", None),
            ("", None),
        ];
        for (word, meant) in table {
            assert_eq!(nearest(word, known), meant, "{word:?}");
        }
    }
}
