//! The `.netrc` file of ftp, curl and fetchmail.

use super::Secret;
use zeroize::Zeroizing;

/// The password for `user` at `host`: the first entry of that machine (or the default entry) that names this user or none.
/// An error says what is wrong with the file, and never quotes it.
pub(super) fn password(text: &str, host: &str, user: &str) -> Result<Option<Secret>, String> {
    let mut tokens = Tokens { rest: text, line: 1 };
    let mut entry: Option<Entry> = None;
    while let Some(word) = tokens.next()? {
        let fits = match word.as_str() {
            "machine" => tokens.value("machine")?.eq_ignore_ascii_case(host),
            "default" => true,
            "login" => {
                let login = tokens.value("login")?;
                entry.iter_mut().for_each(|e| e.fits &= *login == user);
                continue;
            }
            "password" => {
                let password = tokens.value("password")?;
                entry.iter_mut().for_each(|e| e.password = Some(Secret::new((*password).clone())));
                continue;
            }
            "account" => {
                tokens.value("account")?;
                continue;
            }
            "macdef" => {
                tokens.skip_macro();
                continue;
            }
            comment if comment.starts_with('#') => {
                tokens.skip_line();
                continue;
            }
            _ => return Err(format!("line {} has a word where a keyword belongs", tokens.line)),
        };
        if let Some(password) = entry.take().and_then(Entry::answer) {
            return Ok(Some(password));
        }
        entry = Some(Entry { fits, password: None });
    }
    Ok(entry.and_then(Entry::answer))
}

/// One machine.
struct Entry {
    fits: bool,
    password: Option<Secret>,
}

impl Entry {
    fn answer(self) -> Option<Secret> {
        self.password.filter(|_| self.fits)
    }
}

/// The words of the file, unquoted.
struct Tokens<'a> {
    rest: &'a str,
    line: usize,
}

impl Tokens<'_> {
    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
        self.line += usize::from(c == '\n');
        Some(c)
    }

    /// The next word. In double quotes a word may hold blanks, and `\"`, `\\`, `\n`, `\r` and `\t`, as in curl.
    fn next(&mut self) -> Result<Option<Zeroizing<String>>, String> {
        while self.rest.starts_with(char::is_whitespace) {
            self.take();
        }
        // Room for any word, so that no copy of a half-read password stays in memory.
        let mut word = Zeroizing::new(String::with_capacity(self.rest.len().min(1024)));
        if self.rest.starts_with('"') {
            let line = self.line;
            let unclosed = || format!("line {line} has a quotation mark that is never closed");
            self.take();
            loop {
                match self.take().ok_or_else(unclosed)? {
                    '"' => return Ok(Some(word)),
                    '\\' => word.push(match self.take().ok_or_else(unclosed)? {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        other => other,
                    }),
                    plain => word.push(plain),
                }
            }
        }
        while !self.rest.starts_with(char::is_whitespace) {
            match self.take() {
                Some(c) => word.push(c),
                None => break,
            }
        }
        Ok((!word.is_empty()).then_some(word))
    }

    /// The word after a keyword.
    fn value(&mut self, keyword: &str) -> Result<Zeroizing<String>, String> {
        let line = self.line;
        self.next()?.ok_or_else(|| format!("nothing follows “{keyword}” in line {line}"))
    }

    fn skip_line(&mut self) {
        // The comment's first word may have been its last.
        while !self.rest.is_empty() && !self.rest.starts_with('\n') {
            self.take();
        }
    }

    /// A macro ends at an empty line.
    fn skip_macro(&mut self) {
        while !self.rest.is_empty() {
            self.skip_line();
            self.take();
            if self.rest.trim_start_matches('\r').starts_with('\n') {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn find(text: &str, host: &str, user: &str) -> Result<Option<String>, String> {
        password(text, host, user).map(|p| p.map(|p| p.expose().to_owned()))
    }

    const FILE: &str = r##"
# machine pop.example.org login commented password out
machine mail.example.org login anna password "a \"quoted\" \\ pass\tword"
machine mail.example.org
	login	ben
	password	#hash
machine MAIL2.example.org account acme password any-user
machine ftp.example.org login anna password x macdef init
 machine mail.example.org login carl password from-a-macro
 password nonsense

machine mail.example.org password for-the-rest #comment at the end
default login ftp password guest
"##;

    #[test]
    fn the_first_entry_that_fits_wins() {
        let table = [
            ("mail.example.org", "anna", Some("a \"quoted\" \\ pass\tword")),
            ("mail.example.org", "ben", Some("#hash")),
            ("mail.example.org", "carl", Some("for-the-rest")),
            ("Mail.Example.ORG", "ben", Some("#hash")),
            ("mail2.example.org", "anyone", Some("any-user")),
            ("ftp.example.org", "anna", Some("x")),
            ("pop.example.org", "commented", None),
            ("elsewhere.example.org", "ftp", Some("guest")),
            ("elsewhere.example.org", "anna", None),
        ];
        for (host, user, expected) in table {
            assert_eq!(find(FILE, host, user).unwrap().as_deref(), expected, "{user} at {host}");
        }
    }

    #[test]
    fn the_order_of_login_and_password_does_not_matter() {
        assert_eq!(find("machine h password p login u", "h", "u").unwrap().as_deref(), Some("p"));
        assert_eq!(find("machine h password p login u", "h", "v"), Ok(None));
        assert_eq!(find("machine h login u\nmachine h login v password q", "h", "u"), Ok(None));
        assert_eq!(find("machine h login u password p\r\n", "h", "u").unwrap().as_deref(), Some("p"));
        assert_eq!(find("", "h", "u"), Ok(None));
        assert_eq!(find("macdef x\nno end", "h", "u"), Ok(None));
    }

    #[test]
    fn mistakes_are_named_by_line_without_a_word_of_the_file() {
        for (text, problem) in [
            ("machine h login u\npassword two words", "line 2 has a word where a keyword belongs"),
            ("machine h\nlogin u password", "nothing follows “password” in line 2"),
            ("machine h login u password \"open\nend", "line 1 has a quotation mark that is never closed"),
            ("machine h login u password \"open\\", "line 1 has a quotation mark that is never closed"),
        ] {
            assert_eq!(find(text, "h", "u"), Err(problem.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn any_quoted_password_reads_back(secret in "\\PC*") {
            let escaped = secret.replace('\\', "\\\\").replace('"', "\\\"");
            let text = format!("machine h login u password \"{escaped}\"\ndefault password no");
            prop_assert_eq!(find(&text, "h", "u"), Ok(Some(secret)));
        }

        #[test]
        fn any_text_ends(text in "(machine |default |login |password |macdef |#|\"|\\\\|\n|h |u |\\PC)*") {
            let answer = find(&text, "h", "u");
            prop_assert!(answer.is_err() || text.contains("password") || answer == Ok(None));
        }
    }
}
