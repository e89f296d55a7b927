//! The keyring of the desktop: the Secret Service (GNOME Keyring, KWallet, KeePassXC), or the keychain of macOS.
//!
//! Asked by the system's own program for it; `docs/decisions/0013-keyring-by-its-own-program.md` says why.

use super::Secret;
use super::command::output;
use super::source::first_line;
use crate::error::{Error, Kind, Result};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// The program that asks the keyring, how it looks a password up, and how one is stored by hand.
struct Tool {
    program: &'static str,
    lookup: &'static [&'static str],
    service: &'static str,
    user: &'static str,
    /// What else follows.
    rest: &'static [&'static str],
    store: &'static str,
    install: &'static str,
}

/// The attributes `service` and `username` are those of Python's keyring and of Rust's.
const SECRET_SERVICE: Tool = Tool {
    program: "secret-tool",
    lookup: &["lookup"],
    service: "service",
    user: "username",
    rest: &[],
    store: "secret-tool store --label=mailferry",
    install: "Install it (Debian and Ubuntu: libsecret-tools, Fedora and Arch: libsecret)",
};

const KEYCHAIN: Tool = Tool {
    program: "security",
    lookup: &["find-generic-password"],
    service: "-s",
    user: "-a",
    rest: &["-w"],
    store: "security add-generic-password -w",
    install: "It is a part of macOS: make sure that PATH holds /usr/bin",
};

/// Looks up what the keyring has for a user under the name of a service.
pub(super) async fn lookup(service: &str, user: &str, whose: &str, limit: Duration) -> Result<Secret> {
    let tool = if cfg!(target_os = "macos") { KEYCHAIN } else { SECRET_SERVICE };
    tool.ask(Path::new(tool.program), service, user, whose, limit).await
}

impl Tool {
    async fn ask(&self, program: &Path, service: &str, user: &str, whose: &str, limit: Duration) -> Result<Secret> {
        let name = self.program;
        let mut command = Command::new(program);
        command.args(self.lookup).args([self.service, service, self.user, user]).args(self.rest);
        let printed = match timeout(limit, output(command)).await {
            Ok(Ok(printed)) => printed,
            Ok(Err(e)) => {
                let what = format!("cannot run {name}, which asks the keyring for the password of {whose}");
                let remedy = match e.kind() {
                    io::ErrorKind::NotFound => format!("{}, or name another source for the password.", self.install),
                    _ => "Name another source for the password.".to_owned(),
                };
                return Err(Error::new(Kind::Config, what, remedy).because(e));
            }
            Err(_) => {
                let what =
                    format!("the keyring did not give the password of {whose} within {} seconds", limit.as_secs_f32());
                return Err(Error::new(Kind::TryLater, what, "Unlock the keyring, then run again."));
            }
        };
        let stored = first_line(&printed.stdout).ok().filter(|secret| !secret.expose().is_empty());
        match stored.filter(|_| printed.status.success()) {
            Some(secret) => Ok(secret),
            // secret-tool is silent where there is nothing; security says so.
            None if printed.status.success() || printed.stderr.is_empty() || is_missing(&printed.stderr) => {
                Err(Error::new(
                    Kind::Config,
                    format!("the keyring has no password for {user} of the service {service}"),
                    format!(
                        "Store it: {} {} {} {} {}",
                        self.store,
                        self.service,
                        in_shell(service),
                        self.user,
                        in_shell(user)
                    ),
                ))
            }
            None => Err(Error::new(
                Kind::Config,
                format!("the keyring cannot be asked for the password of {whose}{}", printed.complaint()),
                "Log in to the desktop and unlock the keyring. Where there is none, as under cron, name another source for \
                 the password, or set DBUS_SESSION_BUS_ADDRESS to the bus of the session.",
            )),
        }
    }
}

fn is_missing(stderr: &[u8]) -> bool {
    memchr::memmem::find(stderr, b"could not be found in the keychain").is_some()
}

/// A word as the shell takes it.
fn in_shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@._-+/:".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use tempfile::TempDir;

    /// A stand-in for secret-tool; its path goes with the folder. Written by another process: one that is forked here
    /// meanwhile would keep it open, and it could not be run.
    fn tool(script: &str) -> (TempDir, PathBuf) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("secret-tool");
        let write = "printf '#!/bin/sh\n%s\n' \"$1\" > \"$2\" && chmod 700 \"$2\"";
        let written = std::process::Command::new("sh").args(["-c", write, "sh", script]).arg(&path).status();
        assert!(written.unwrap().success());
        (dir, path)
    }

    async fn ask(script: &str, service: &str, user: &str) -> Result<Secret> {
        let (_dir, path) = tool(script);
        SECRET_SERVICE.ask(&path, service, user, "me at mx", Duration::from_secs(20)).await
    }

    #[tokio::test]
    async fn words_are_handed_over_as_they_are() {
        let script = "[ \"$*\" = 'lookup service mailferry username a b;$(c)' ] && [ $# = 5 ] && printf hunter2";
        assert_eq!(ask(script, "mailferry", "a b;$(c)").await.unwrap().expose(), "hunter2");
        let keychain = "[ \"$*\" = 'find-generic-password -s mail -a me -w' ] && echo hunter2";
        let (_dir, path) = tool(keychain);
        let found = KEYCHAIN.ask(&path, "mail", "me", "me at mx", Duration::from_secs(20)).await;
        assert_eq!(found.unwrap().expose(), "hunter2");
    }

    #[tokio::test]
    async fn what_is_wrong_is_told_with_its_remedy() {
        for (script, what, remedy) in [
            (
                "exit 1",
                "the keyring has no password for o'n of the service mail",
                "Store it: secret-tool store --label=mailferry service mail username 'o'\\''n'",
            ),
            ("exit 0", "the keyring has no password for o'n of the service mail", "Store it: "),
            (
                "echo 'Cannot autolaunch D-Bus without X11 $DISPLAY' >&2; exit 1",
                "the keyring cannot be asked for the password of me at mx: \u{201c}Cannot autolaunch D-Bus without X11 $DISPLAY\u{201d}",
                "Log in to the desktop",
            ),
            (
                "echo 'security: The specified item could not be found in the keychain.' >&2; exit 44",
                "the keyring has no password for o'n of the service mail",
                "Store it: ",
            ),
            ("echo hunter2; echo no >&2; exit 1", "the keyring cannot be asked", "Log in to the desktop"),
        ] {
            let e = ask(script, "mail", "o'n").await.unwrap_err();
            assert_eq!(e.kind(), Kind::Config, "{script}");
            assert!(e.to_string().starts_with(what) && e.remedy().starts_with(remedy), "{script}: {e}: {}", e.remedy());
            assert!(!e.to_string().contains("hunter2"));
        }
    }

    #[tokio::test]
    async fn a_missing_program_and_a_locked_keyring() {
        let none = Path::new("/nonexistent/secret-tool");
        let e = SECRET_SERVICE.ask(none, "mail", "me", "me at mx", Duration::from_secs(20)).await.unwrap_err();
        assert_eq!(e.kind(), Kind::Config);
        assert!(e.to_string().starts_with("cannot run secret-tool, which asks the keyring"), "{e}");
        assert!(e.remedy().contains("libsecret-tools"), "{}", e.remedy());
        let (_dir, path) = tool("exec sleep 600");
        let e = SECRET_SERVICE.ask(&path, "mail", "me", "me at mx", Duration::from_millis(200)).await.unwrap_err();
        assert_eq!((e.kind(), e.remedy()), (Kind::TryLater, "Unlock the keyring, then run again."));
    }
}
