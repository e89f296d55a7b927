//! What `CAPA` tells (RFC 2449 section 5 and 6).

use std::time::Duration;

/// The capabilities this client makes use of. A server without `CAPA` has none of these values, not empty ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Capabilities {
    /// TLS may start on this connection (RFC 2595).
    pub stls: bool,
    /// `TOP` gives headers alone.
    pub top: bool,
    /// Messages have unique-ids.
    pub uidl: bool,
    /// Commands may be sent before the replies to earlier ones have come.
    pub pipelining: bool,
    /// The `UTF8` command exists (RFC 6856).
    pub utf8: bool,
    /// SASL mechanisms by name.
    pub sasl: Vec<String>,
    /// How much time must pass between two log-ins.
    pub login_delay: Option<Duration>,
    /// After how many days the server itself deletes mail; 0 means as soon as it was retrieved. `None`: never, or unsaid.
    pub expire_days: Option<u32>,
}

impl Capabilities {
    /// Takes one line of the reply; unknown ones are passed over. LOGIN-DELAY and EXPIRE may end with `USER`, which says
    /// that the value differs between users and this one is the strictest.
    pub fn add(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_ascii_whitespace();
        let Some(name) = words.next() else { return };
        match name.to_ascii_uppercase().as_str() {
            "STLS" => self.stls = true,
            "TOP" => self.top = true,
            "UIDL" => self.uidl = true,
            "PIPELINING" => self.pipelining = true,
            "UTF8" => self.utf8 = true,
            "SASL" => self.sasl.extend(words.map(str::to_ascii_uppercase)),
            "LOGIN-DELAY" => self.login_delay = words.find_map(|w| w.parse().ok()).map(Duration::from_secs),
            "EXPIRE" => self.expire_days = words.find_map(|w| w.parse().ok()),
            _ => {}
        }
    }

    /// What the user should know about mail kept on this server, in plain words.
    pub fn notes(&self, host: &str) -> Vec<String> {
        let expiry = self.expire_days.map(|days| match days {
            0 => format!(
                "{host} itself deletes each message once it was retrieved, also where it is to be kept (EXPIRE 0)"
            ),
            1 => format!("{host} itself deletes mail after 1 day (EXPIRE 1)"),
            n => format!("{host} itself deletes mail after {n} days (EXPIRE {n})"),
        });
        let delay = self
            .login_delay
            .filter(|d| !d.is_zero())
            .map(|d| format!("{host} asks for at least {} between two log-ins (LOGIN-DELAY)", in_words(d)));
        expiry.into_iter().chain(delay).collect()
    }
}

/// `90 seconds`, `15 minutes`.
pub(super) fn in_words(time: Duration) -> String {
    match time.as_secs() {
        1 => "1 second".to_owned(),
        60 => "1 minute".to_owned(),
        s if s > 0 && s.is_multiple_of(60) => format!("{} minutes", s / 60),
        s => format!("{s} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Capabilities {
        let mut c = Capabilities::default();
        lines.iter().for_each(|l| c.add(l.as_bytes()));
        c
    }

    #[test]
    fn what_is_used_is_read() {
        let c =
            read(&["top", "UIDL", "SASL PLAIN scram-sha-256", "", "STLS", "PIPELINING", "UTF8 USER", "X-ODD \u{fffd}"]);
        let all = Capabilities {
            stls: true,
            top: true,
            uidl: true,
            pipelining: true,
            utf8: true,
            sasl: vec!["PLAIN".into(), "SCRAM-SHA-256".into()],
            login_delay: None,
            expire_days: None,
        };
        assert_eq!(c, all);
        assert_eq!(read(&["STLSX", "SASL", "RESP-CODES", "USER"]), Capabilities::default());
    }

    #[test]
    fn delays_and_expiry() {
        for (line, delay, days) in [
            ("LOGIN-DELAY 120", Some(120), None),
            ("LOGIN-DELAY 120 USER", Some(120), None),
            ("LOGIN-DELAY USER", None, None),
            ("EXPIRE 60", None, Some(60)),
            ("EXPIRE 0 USER", None, Some(0)),
            ("EXPIRE NEVER", None, None),
            ("EXPIRE USER", None, None),
            ("EXPIRE -3", None, None),
        ] {
            let c = read(&[line]);
            assert_eq!((c.login_delay.map(|d| d.as_secs()), c.expire_days), (delay, days), "{line}");
        }
    }

    #[test]
    fn notes_are_plain() {
        assert_eq!(read(&["EXPIRE NEVER", "LOGIN-DELAY 0"]).notes("mx"), Vec::<String>::new());
        assert_eq!(
            read(&["EXPIRE 30", "LOGIN-DELAY 900"]).notes("mx"),
            [
                "mx itself deletes mail after 30 days (EXPIRE 30)",
                "mx asks for at least 15 minutes between two log-ins (LOGIN-DELAY)"
            ]
        );
        assert!(read(&["EXPIRE 0"]).notes("mx")[0].contains("once it was retrieved"));
    }
}
