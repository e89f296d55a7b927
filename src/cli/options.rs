//! Remedies in the words of the command line.

use crate::error::Error;

/// How a server was named, and so what stands in for the keys of a configuration, in which remedies speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// An account: the keys themselves.
    Account,
    /// The URL of a pull.
    Url,
    /// The URL from which a migration takes,
    From,
    /// and the one to which it goes.
    To,
}

impl Named {
    /// [`remedied`](Self::remedied), for what connects by itself later on.
    pub fn teller(self) -> fn(Error) -> Error {
        match self {
            Named::Account => |e| e,
            Named::Url => |e| Named::Url.remedied(e),
            Named::From => |e| Named::From.remedied(e),
            Named::To => |e| Named::To.remedied(e),
        }
    }

    /// The error with a remedy that names what can be typed.
    pub fn remedied(self, e: Error) -> Error {
        let side = match self {
            Named::Account => return e,
            Named::Url => "",
            Named::From => "from-",
            Named::To => "to-",
        };
        e.remedied(|remedy| by_options(remedy, side))
    }
}

/// Replaces what is written `` `KEY` `` or `` `KEY = VALUE` ``.
fn by_options(remedy: &str, side: &str) -> String {
    let mut told = String::with_capacity(remedy.len());
    for (at, part) in remedy.split('`').enumerate() {
        match at % 2 {
            0 => told.push_str(part),
            _ => told.push_str(&option(part, side).unwrap_or_else(|| format!("`{part}`"))),
        }
    }
    told
}

/// What stands in for a key, if anything does.
fn option(set: &str, side: &str) -> Option<String> {
    let (key, value) = set.split_once(" = ").unwrap_or((set, ""));
    let value = value.trim_matches(['[', ']', '{', '}', ' ']).trim_start_matches("command = ").trim_matches('"');
    let name = match (key, value) {
        ("host", _) => return Some("the host of the URL".to_owned()),
        ("tls", "implicit") => return Some("`imaps://` or `pop3s://` in the URL".to_owned()),
        ("tls", "starttls") => return Some("`imap://` or `pop3://` in the URL".to_owned()),
        ("ca_file", _) => "ca-file".to_owned(),
        ("auth", _) => format!("{side}auth"),
        ("auth_user", _) => format!("{side}auth-user"),
        ("pin_sha256", _) => format!("{side}pin-sha256"),
        ("password", _) => format!("{side}password-command"),
        _ => return None,
    };
    Some(if value.is_empty() { format!("`--{name}`") } else { format!("`--{name} {value}`") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use crate::error::Kind;
    use clap::CommandFactory;

    #[test]
    fn remedies_name_what_can_be_typed() {
        for (named, remedy, told) in [
            (Named::Account, "Set `auth = \"plain\"`.", "Set `auth = \"plain\"`."),
            (Named::Url, "With `auth`, such as `auth = \"plain\"`.", "With `--auth`, such as `--auth plain`."),
            (
                Named::From,
                "With {`pin_sha256 = [\"ab\"]`}; no `ca_file`.",
                "With {`--from-pin-sha256 ab`}; no `--ca-file`.",
            ),
            (Named::To, "Leave `auth_user` out: `a*b`.", "Leave `--to-auth-user` out: `a*b`."),
            (Named::Url, "Name it: `ca_file = \"/a/b.pem\"`.", "Name it: `--ca-file /a/b.pem`."),
            (Named::To, "Or `password = { … }`.", "Or `--to-password-command …`."),
            (Named::Url, "Or `password = { command = \"…\" }`.", "Or `--password-command …`."),
            (Named::Url, "Set `host` to it.", "Set the host of the URL to it."),
            (Named::Url, "Set `tls = \"implicit\"` (port 995).", "Set `imaps://` or `pop3s://` in the URL (port 995)."),
            (Named::Url, "Set `tls = \"starttls\"`.", "Set `imap://` or `pop3://` in the URL."),
            (Named::Url, "Nothing `else`, `at all", "Nothing `else`, `at all`"),
        ] {
            let e = named.remedied(Error::new(Kind::Login, "what", remedy));
            assert_eq!((e.remedy(), e.to_string().as_str()), (told, "what"));
            let e = named.teller()(Error::new(Kind::Login, "what", remedy));
            assert_eq!(e.remedy(), told);
        }
    }

    #[test]
    fn every_option_is_there() {
        let commands = Cli::command();
        for (command, side) in [("pull", ""), ("migrate", "from-"), ("migrate", "to-")] {
            for key in ["ca_file", "auth", "pin_sha256", "password"] {
                let option = option(key, side).unwrap();
                let known = commands.find_subcommand(command).unwrap().get_arguments().filter_map(|a| a.get_long());
                assert!(known.map(|long| format!("`--{long}`")).any(|long| long == option), "{command} {option}");
            }
        }
    }
}
