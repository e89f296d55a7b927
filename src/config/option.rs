//! The same values as options of the command line: a wrong one is a usage error that names the option.

use super::account::{AUTH_CHOICES, LINE_ENDINGS, ONE_NAME, one_name, user_name};
use super::problem::Fault;
use super::server::pin;
use super::table::one_of;
use super::units;
use crate::error::{Error, Kind, Result, quoted};
use crate::net::{AuthChoice, Pin};
use crate::retrieve::Keep;
use crate::store::LineEndings;
use std::time::Duration;

/// `--auth`.
pub fn auth(text: &str) -> Result<AuthChoice> {
    read("auth", text, |t| one_of(t, AUTH_CHOICES))
}

/// `--from-auth-user` and `--to-auth-user`, for a log-in by `auth`.
pub fn auth_user(name: &str, auth: AuthChoice) -> Result<String> {
    let fits = |name: &str| match auth.carries_authzid() {
        true => user_name(name),
        false => Err(Fault::new(one_name(auth), ONE_NAME)),
    };
    read("auth-user", name, fits)
}

/// `--keep`: `true`, `false` or a time such as `30d`.
pub fn keep(text: &str) -> Result<Keep> {
    read("keep", text, |t| match t {
        "true" => Ok(Keep::Always),
        "false" => Ok(Keep::Never),
        _ => units::duration(t).map(Keep::For),
    })
}

/// `--line-endings`.
pub fn line_endings(text: &str) -> Result<LineEndings> {
    read("line-endings", text, |t| one_of(t, LINE_ENDINGS))
}

/// `--max-size`, in octets.
pub fn max_size(text: &str) -> Result<u64> {
    read("max-size", text, units::size)
}

/// `--pin-sha256`.
pub fn pin_sha256(text: &str) -> Result<Pin> {
    read("pin-sha256", text, pin)
}

/// `--timeout`.
pub fn timeout(text: &str) -> Result<Duration> {
    read("timeout", text, units::duration)
}

/// A time such as `90d` behind any option that also takes a date.
pub fn age(option: &str, text: &str) -> Result<Duration> {
    read(option, text, |t| {
        units::duration(t).map_err(|_| {
            let what = format!("{} is neither a date nor a time", quoted(t.as_bytes()));
            Fault::new(what, "Write a day such as 2024-01-31, or a time such as 90d.")
        })
    })
}

fn read<T>(option: &str, text: &str, parse: impl Fn(&str) -> Result<T, Fault>) -> Result<T> {
    parse(text).map_err(|f| Error::new(Kind::Usage, format!("--{option}: {}", f.what), f.remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_mean_what_keys_mean() {
        assert_eq!(keep("30d").unwrap(), Keep::For(Duration::from_secs(30 * 86_400)));
        assert_eq!((keep("true").unwrap(), keep("false").unwrap()), (Keep::Always, Keep::Never));
        assert_eq!(max_size("1 KiB").unwrap(), 1024);
        for (word, choice) in AUTH_CHOICES {
            assert_eq!((auth(word).unwrap(), choice.to_string().as_str()), (*choice, *word));
        }
        let e = auth("plane").unwrap_err();
        assert_eq!(e.kind(), Kind::Usage);
        assert!(e.to_string().starts_with("--auth: "), "{e}");
    }
}
