//! Where a password comes from.

use super::{Secret, command, keyring, netrc};
use crate::error::{Error, Kind, Result};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

/// How long a password command or a keyring may take, and the person it may ask for a pass phrase.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// Bytes of a password or netrc file that are read at most.
const MOST: u64 = 1024 * 1024;

/// The `password` key of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// First line of a command's output; run by the shell.
    Command(String),
    /// An environment variable.
    Env(String),
    /// First line of a file.
    File(PathBuf),
    /// The keyring of the desktop, by the name of a service and the user.
    Keyring(String),
    /// `~/.netrc`, by host and user.
    Netrc,
    /// Asked for on the terminal.
    Prompt,
    /// In the configuration itself.
    Value(Secret),
}

/// Fetches the password of `user` at `host`.
pub async fn resolve(source: &PasswordSource, user: &str, host: &str) -> Result<Secret> {
    let whose = format!("{user} at {host}");
    match source {
        PasswordSource::Command(command) => command::run(command, &whose, COMMAND_LIMIT).await,
        PasswordSource::Env(name) => from_variable(name, std::env::var_os(name), &whose),
        PasswordSource::File(path) => {
            let path = path.clone();
            aside(move || from_file(&path, &whose)).await
        }
        PasswordSource::Keyring(service) => keyring::lookup(service, user, &whose, COMMAND_LIMIT).await,
        PasswordSource::Netrc => {
            let path = netrc_path()?;
            let (user, host) = (user.to_owned(), host.to_owned());
            aside(move || from_netrc(&path, &host, &user)).await
        }
        PasswordSource::Prompt => prompt(&whose).await,
        PasswordSource::Value(secret) => Ok(secret.clone()),
    }
}

/// Runs what may block, such as reading a named pipe or the terminal.
async fn aside(work: impl FnOnce() -> Result<Secret> + Send + 'static) -> Result<Secret> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(e) => Err(Error::new(Kind::TryLater, "reading the password was interrupted", "Run again.").because(e)),
    }
}

/// The first line as a password, without its line end; else what is wrong with it.
pub(super) fn first_line(bytes: &[u8]) -> Result<Secret, &'static str> {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok("") if bytes.is_empty() => Err("nothing"),
        Ok("") => Err("an empty first line"),
        Ok(text) if text.contains('\0') => Err("a first line with a NUL in it"),
        Ok(text) => Ok(Secret::new(text.to_owned())),
        Err(_) => Err("a first line that is not UTF-8"),
    }
}

fn from_variable(name: &str, value: Option<std::ffi::OsString>, whose: &str) -> Result<Secret> {
    let problem = match value.map(|value| value.into_string().map(Secret::new)) {
        Some(Ok(secret)) if !secret.expose().is_empty() => return Ok(secret),
        Some(Ok(_)) => "is empty",
        Some(Err(_)) => "is not UTF-8",
        None => "is not set",
    };
    Err(Error::new(
        Kind::Config,
        format!("the environment variable {name}, meant to hold the password of {whose}, {problem}"),
        format!("Set and export {name}, or name another source with `password = {{ … }}`."),
    ))
}

fn from_file(path: &Path, whose: &str) -> Result<Secret> {
    let shown = path.display();
    first_line(&private(path, "password file")?).map_err(|problem| {
        Error::new(
            Kind::Config,
            format!("the password file {shown} has {problem}"),
            format!("Write the password of {whose} on the first line of {shown}."),
        )
    })
}

fn from_netrc(path: &Path, host: &str, user: &str) -> Result<Secret> {
    let shown = path.display();
    let bytes = private(path, "netrc file")?;
    let found = match std::str::from_utf8(&bytes) {
        Ok(text) => netrc::password(text, host, user),
        Err(_) => Err("it is not UTF-8".to_owned()),
    };
    match found {
        Ok(Some(secret)) => Ok(secret),
        Ok(None) => Err(Error::new(
            Kind::Config,
            format!("{shown} has no password for {user} at {host}"),
            format!("Add the line: machine {host} login {user} password …"),
        )),
        Err(problem) => Err(Error::new(
            Kind::Config,
            format!("cannot read {shown}: {problem}"),
            "Correct the file; a password with blanks belongs in double quotes.",
        )),
    }
}

/// Where `$NETRC` says, else in the home directory.
fn netrc_path() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("NETRC").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().join(".netrc"));
    home.ok_or_else(|| {
        Error::new(
            Kind::Config,
            "cannot find ~/.netrc, as this user has no home directory",
            "Set HOME, or NETRC to the path of the file.",
        )
    })
}

/// Reads a file that nobody but its owner may read.
fn private(path: &Path, what: &str) -> Result<Zeroizing<Vec<u8>>> {
    let shown = path.display();
    let unreadable = |e: io::Error| {
        Error::new(
            Kind::Config,
            format!("cannot read the {what} {shown}"),
            "Correct the path, or make the file readable for this user and nobody else.",
        )
        .because(e)
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::new(
            Kind::Config,
            format!("others may read or change the {what} {shown} (mode {mode:03o})"),
            format!("Run: chmod 600 {shown}"),
        ));
    }
    // With its full size from the start the buffer never moves, so no copy stays behind in memory.
    let size = usize::try_from(about.len().min(MOST)).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(size.saturating_add(1)));
    file.take(MOST).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// Asks on the terminal, one account at a time.
async fn prompt(whose: &str) -> Result<Secret> {
    static TERMINAL: Mutex<()> = Mutex::const_new(());
    let _turn = TERMINAL.lock().await;
    let whose = whose.to_owned();
    aside(move || match rpassword::prompt_password(format!("Password of {whose}: ")) {
        Ok(text) if !text.is_empty() => Ok(Secret::new(text)),
        Ok(_) => {
            Err(Error::new(Kind::Config, format!("no password was entered for {whose}"), "Run again and enter it."))
        }
        Err(e) => Err(Error::new(
            Kind::Config,
            format!("cannot ask for the password of {whose} on the terminal"),
            "Run it from a terminal, or name a source that needs none, such as `password = { command = \"…\" }`.",
        )
        .because(e)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::OpenOptionsExt;

    fn file(dir: &tempfile::TempDir, mode: u32, text: &[u8]) -> PathBuf {
        let path = dir.path().join(format!("{mode:o}-{}", dir.path().read_dir().unwrap().count()));
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).unwrap();
        io::Write::write_all(&mut file, text).unwrap();
        path
    }

    async fn get(source: PasswordSource) -> Result<Secret> {
        resolve(&source, "me", "mail.example.org").await
    }

    #[tokio::test]
    async fn values_commands_and_files() {
        let dir = tempfile::tempdir().unwrap();
        let value = PasswordSource::Value(Secret::new("v".into()));
        assert_eq!(get(value).await.unwrap().expose(), "v");
        assert_eq!(get(PasswordSource::Command("echo c".into())).await.unwrap().expose(), "c");
        assert_eq!(get(PasswordSource::File(file(&dir, 0o600, b"f f\r\nmore"))).await.unwrap().expose(), "f f");
        assert_eq!(get(PasswordSource::File(file(&dir, 0o400, b"f"))).await.unwrap().expose(), "f");
    }

    #[tokio::test]
    async fn files_that_others_may_touch_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644] {
            let path = file(&dir, 0o600, b"hunter2");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let e = get(PasswordSource::File(path.clone())).await.unwrap_err();
            assert_eq!(e.kind(), Kind::Config);
            assert!(e.to_string().contains(&format!("(mode {mode:o})")), "{e}");
            assert_eq!(e.remedy(), format!("Run: chmod 600 {}", path.display()));
            assert_eq!(from_netrc(&path, "h", "u").unwrap_err().remedy(), e.remedy());
        }
    }

    #[tokio::test]
    async fn useless_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            (dir.path().join("missing"), "No such file"),
            (file(&dir, 0o600, b""), "has nothing"),
            (file(&dir, 0o600, b"\nhunter2"), "has an empty first line"),
        ] {
            let e = get(PasswordSource::File(path.clone())).await.unwrap_err();
            assert_eq!(e.kind(), Kind::Config);
            assert!(e.to_string().contains(text) && e.to_string().contains(path.to_str().unwrap()), "{e}");
            assert!(!e.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn netrc_by_host_and_user() {
        let dir = tempfile::tempdir().unwrap();
        let path = file(&dir, 0o600, b"machine h login u password p");
        assert_eq!(from_netrc(&path, "h", "u").unwrap().expose(), "p");
        let e = from_netrc(&path, "h", "v").unwrap_err();
        assert_eq!((e.kind(), e.remedy()), (Kind::Config, "Add the line: machine h login v password …"));
        let e = from_netrc(&file(&dir, 0o600, b"machine h password p hunter2"), "h", "u").unwrap_err();
        assert!(e.to_string().ends_with("line 1 has a word where a keyword belongs"), "{e}");
    }

    #[test]
    fn variables() {
        assert_eq!(from_variable("X", Some("p".into()), "me at h").unwrap().expose(), "p");
        for (value, problem) in [(None, "is not set"), (Some("".into()), "is empty")] {
            let e = from_variable("X", value, "me at h").unwrap_err();
            assert_eq!(e.kind(), Kind::Config);
            assert!(e.to_string().ends_with(problem), "{e}");
            assert!(e.remedy().starts_with("Set and export X"));
        }
    }

    #[tokio::test]
    async fn an_unset_variable_is_found_out() {
        let e = get(PasswordSource::Env("MAILFERRY_NO_SUCH_VARIABLE".into())).await.unwrap_err();
        assert!(e.to_string().contains("MAILFERRY_NO_SUCH_VARIABLE"), "{e}");
    }
}
