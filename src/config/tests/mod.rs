//! Whole configuration files.

mod accepted;
mod refused;

use super::*;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

fn parse(text: &str) -> Result<Config> {
    file::parse(text, Path::new("/etc/mf/c.toml"), &Base::fixed("/etc/mf", Some("/home/me")), true)
}

/// What is told of a bad file: the message and, after a bar, the remedy.
fn told(text: &str) -> String {
    match parse(text) {
        Ok(config) => format!("accepted: {config:?}"),
        Err(e) => {
            assert_eq!(e.kind(), Kind::Config);
            format!("{e} | {}", e.remedy())
        }
    }
}

/// An account that lacks nothing, with lines added to its own table.
fn imap(lines: &str) -> String {
    format!(
        "[accounts.work]\nprotocol='imap'\nhost='h.example'\nuser='u'\nstore={{kind='maildir',path='/m'}}\n{lines}\n"
    )
}

fn pop3(lines: &str) -> String {
    imap(lines).replace("'imap'", "'pop3'")
}

fn only(text: &str) -> Account {
    let mut accounts = parse(text).unwrap_or_else(|e| panic!("{e}\n{text}")).accounts;
    assert_eq!(accounts.len(), 1);
    accounts.remove(0)
}

#[test]
fn a_file_is_read_from_disk_relative_to_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    fs::write(&path, imap("").replace("/m", "mail")).unwrap();
    assert_eq!(load(&path).unwrap().accounts[0].store.path, dir.path().join("mail"));
}

#[test]
fn files_that_cannot_be_read_are_configuration_errors() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name);
    let missing = load(&file("none.toml")).unwrap_err();
    assert_eq!(missing.to_string(), format!("there is no configuration at {}", file("none.toml").display()));
    assert!(missing.remedy().contains("\n[accounts.work]\nprotocol = \"imap\"\n"));
    let folder = load(dir.path()).unwrap_err();
    assert!(folder.to_string().starts_with(&format!("cannot read the configuration {}: ", dir.path().display())));
    fs::write(file("latin1.toml"), b"# a\nuser = \"J\xf6rg\"\n").unwrap();
    let latin1 = load(&file("latin1.toml")).unwrap_err();
    assert_eq!(latin1.to_string(), format!("{}:2:10: not UTF-8", file("latin1.toml").display()));
    fs::write(file("long.toml"), vec![b'#'; (1 << 20) + 1]).unwrap();
    let long = load(&file("long.toml")).unwrap_err();
    assert_eq!(long.to_string(), format!("{} is longer than 1 MiB", file("long.toml").display()));
    for e in [missing, folder, latin1, long] {
        assert_eq!((e.kind(), e.remedy().is_empty()), (Kind::Config, false), "{e}");
    }
}

#[cfg(unix)]
#[test]
fn a_password_in_the_file_needs_a_private_file() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    fs::write(&path, imap("password={value='hunter2'}")).unwrap();
    for (mode, private) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o644, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        match load(&path) {
            Ok(config) => assert!(private && config.accounts.len() == 1, "{mode:o}"),
            Err(e) => {
                assert!(!private, "{mode:o}: {e}");
                let what = "accounts.work.password.value: other users can read this file, and with it the password";
                assert_eq!(e.to_string(), format!("{}:6:17: {what}", path.display()));
                assert_eq!(e.remedy(), format!("Run `chmod 600 {}`, or use `command`.", path.display()));
            }
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "(\\[accounts\\.[a\"\\.]{0,3}\\]\n)?([a-z_]{1,8}[ =.\\[\\]{}'\"0-9a-z\\n\\PC]{0,12}\n?){0,8}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_value_of_any_key_panics_or_shows_a_password(
        key in prop::sample::select(vec![
            "protocol", "host", "port", "tls", "user", "auth", "password", "ca_file", "pin_sha256", "provider", "timeout",
            "allow_cleartext", "compress", "store", "pull", "sync", "pull.keep", "pull.folders", "pull.max_size", "sync.max_delete",
            "store.kind", "store.path", "password.value", "password.file", "password.command", "password.netrc",
        ]),
        value in prop::sample::select(vec![
            "1", "-1", "0x7fffffffffffffffffff", "1e400", "nan", "true", "''", "\"\\u0000\"", "'~'", "[]", "[[]]", "{}",
            "{a.b.c=1}", "1979-05-27", "'\u{feff}é'", "'hunter2'", "['hunter2', 1]", "{value=['hunter2']}", "{hun={x='hunter2'}}",
        ]),
    ) {
        let text = format!("[accounts.a]\n{key}={value}\n");
        let e = parse(&text).unwrap_err();
        let told = format!("{e:?} {}", e.remedy());
        prop_assert!(!key.starts_with("password") || !told.contains("hunter2"), "{}", told);
    }
}
