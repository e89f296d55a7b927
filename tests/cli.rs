//! The command line itself: help, version, completions, man pages, and what is said to whom.

use crate::support::dovecot::Dovecot;
use crate::support::endpoint::Security;
use crate::support::mail;
use crate::support::run::{Ferry, Running};
use crate::support::server::{Protocol, Script, Server};
use clap::CommandFactory;
use mailferry::cli::args::Cli;
use std::fs;
use std::path::Path;
use std::process::Stdio;

/// Every command, each with its names from the top: `["config", "check"]`.
fn commands() -> Vec<(Vec<String>, clap::Command)> {
    let mut found = Vec::new();
    let mut open = vec![(Vec::new(), Cli::command())];
    while let Some((path, command)) = open.pop() {
        for sub in command.get_subcommands() {
            let path = [path.clone(), vec![sub.get_name().to_owned()]].concat();
            open.push((path, sub.clone()));
        }
        found.push((path, command));
    }
    assert!(found.len() >= 8);
    found
}

fn in_the_tree(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_default()
}

#[test]
fn what_cannot_be_printed_is_an_error_but_for_a_reader_that_went_away() {
    let ferry = Ferry::new();
    ferry.configure("");
    for (line, code) in
        [(&["completions", "bash"][..], 74), (&["config", "path"], 74), (&["pull", "nobody", "--json"], 78)]
    {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let out = ferry.command(line).stdin(Stdio::null()).stdout(full).output().unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(code), "{line:?}: {said}");
        assert!(said.contains("cannot write to standard output"), "{said}");
    }
}

#[test]
fn json_has_its_first_and_last_event_however_early_a_run_ends() {
    let ferry = Ferry::new();
    ferry.configure("nonsense = 1\n");
    for (line, code) in
        [(&["pull", "--json"][..], 78), (&["sync", "--json"], 78), (&["pull", "--json", "--jobs", "0"], 64)]
    {
        let outcome = ferry.run(line).expect(code);
        let events = outcome.events();
        let names: Vec<_> = events.iter().map(|e| e["event"].as_str().unwrap()).collect();
        assert_eq!(names, ["start", "error", "summary"], "{line:?}");
        assert_eq!((&events[0]["command"], &events[1]["exit"]), (&line[0].into(), &code.into()));
        assert_eq!(events[2], serde_json::json!({"event": "summary", "accounts": [], "exit": code}));
        assert!(!outcome.stderr.is_empty());
    }
}

#[test]
fn help_and_version_are_for_stdout() {
    let ferry = Ferry::new();
    let version = ferry.run(&["--version"]).expect(0);
    let expected = format!("mailferry {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.stdout, version.stderr), (expected, String::new()));
    for (path, command) in commands() {
        let line: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = ferry.run(&line).expect(0);
        assert_eq!(help.stderr, "");
        let usage = format!("Usage: {} ", [&["mailferry".to_owned()], &*path].concat().join(" "));
        assert!(help.stdout.contains(&usage), "{line:?}: {}", help.stdout);
        for sub in command.get_subcommands() {
            assert!(help.stdout.contains(&format!("\n  {} ", sub.get_name())), "{line:?} and {}", sub.get_name());
        }
        for long in command.get_arguments().filter_map(|a| a.get_long()) {
            assert!(help.stdout.contains(&format!("--{long}")), "{line:?} and --{long}");
        }
    }
    assert!(!ferry.state_dir().exists());
}

/// Generated anew with `UPDATE=1 cargo test completions`.
#[test]
fn the_completions_in_the_tree_are_those_of_the_program() {
    let ferry = Ferry::new();
    for (shell, file) in [("bash", "mailferry.bash"), ("zsh", "_mailferry"), ("fish", "mailferry.fish")] {
        let printed = ferry.run(&["completions", shell]).expect(0).stdout;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(file);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &printed).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap();
        assert!(kept == printed, "completions/{file} is old: UPDATE=1 cargo test completions");
        assert!(printed.contains("pin-sha256"));
    }
}

#[test]
fn there_is_a_man_page_for_each_command() {
    let ferry = Ferry::new();
    let folder = ferry.path("man");
    let missing = ferry.run(&["man", &folder.display().to_string()]).expect(73);
    assert!(missing.stderr.contains("name an existing folder"), "{}", missing.stderr);
    fs::create_dir(&folder).unwrap();
    ferry.run(&["man", &folder.display().to_string()]).expect(0);
    let mut expected: Vec<String> = commands()
        .into_iter()
        .map(|(path, _)| format!("{}.1", [&["mailferry".to_owned()], &*path].concat().join("-")))
        .collect();
    let mut found: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    for page in found {
        let text = fs::read_to_string(folder.join(&page)).unwrap();
        assert!(text.contains(".TH mailferry") && text.contains(".SH SYNOPSIS"), "{page}");
    }
}

#[test]
fn every_command_and_option_is_in_the_manual() {
    let manual = ["README.md", "docs/manual.md", "docs/config.md", "docs/json.md"].map(in_the_tree).concat();
    let mut missing = Vec::new();
    for (path, command) in commands() {
        if !path.is_empty() && !manual.contains(&format!("mailferry {}", path.join(" "))) {
            missing.push(path.join(" "));
        }
        let own = command.get_arguments().filter_map(|a| a.get_long());
        missing.extend(own.filter(|long| !manual.contains(&format!("--{long}"))).map(|long| format!("--{long}")));
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let user = Dovecot::shared().user();
    user.deliver("INBOX", &mail::ordinary(2));
    let ferry = Ferry::new();
    ferry.account("x", &user.endpoint(Protocol::Imap, Security::Implicit), "");
    for line in [
        &["pull", "--dry-run"][..],
        &["pull", "--json", "-vv"],
        &["pull", "-v"],
        &["status"],
        &["config", "show"],
        &["completions", "bash"],
        &["--help"],
        &["--version"],
    ] {
        // The other end is closed before anything is said.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = ferry.command(line);
        let out = command.stdin(Stdio::null()).stdout(writer).output().unwrap();
        assert_eq!(out.status.code(), Some(0), "{line:?}: {out:?}");
        let said = String::from_utf8(out.stderr).unwrap();
        assert!(!said.to_lowercase().contains("pipe") && !said.contains("panicked"), "{line:?}: {said}");
    }
    // And the work was done all the same.
    assert!(ferry.run(&["status"]).expect(0).stdout.contains("INBOX: 2 messages pulled"));
}

#[test]
fn the_configuration_is_found_checked_and_shown() {
    let user = Dovecot::shared().user();
    let ferry = Ferry::new();
    ferry.account("x", &user.endpoint(Protocol::Pop3, Security::Starttls), "");
    let path = ferry.config_file().display().to_string();
    assert_eq!(ferry.run(&["config", "path"]).expect(0).stdout, format!("{path}\n"));
    assert_eq!(ferry.run(&["config", "check"]).expect(0).stdout, format!("{path}: 1 account, no mistakes\n"));
    assert_eq!(ferry.run(&["config", "check", "-q"]).expect(0).stdout, "");
    let shown = ferry.run(&["config", "show"]).expect(0).stdout;
    let port = Dovecot::shared().pop3_port;
    let start = format!("[accounts.x]\nprotocol = \"pop3\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"starttls\"\n");
    assert!(shown.starts_with(&start) && shown.ends_with("\n[accounts.x.pull]\nkeep = true\n"), "{shown}");
    assert!(shown.contains("password = { value = \"***\" }\n") && !shown.contains(&user.password), "{shown}");
    // It is a configuration itself.
    ferry.configure(&shown);
    assert_eq!(ferry.run(&["config", "show"]).expect(0).stdout, shown);

    // The option wins over the environment, and the environment over the platform's place.
    let elsewhere = ferry.path("elsewhere.toml");
    let given = ferry.run(&["config", "path", "--config", &elsewhere.display().to_string()]).expect(0);
    assert_eq!(given.stdout, format!("{}\n", elsewhere.display()));
    let mut plain = ferry.command(&["config", "path"]);
    plain.env_remove("MAILFERRY_CONFIG");
    let usual = ferry.path(".config/mailferry/config.toml");
    assert_eq!(Running::start(plain).wait().expect(0).stdout, format!("{}\n", usual.display()));
}

#[test]
fn colour_is_for_terminals_and_for_who_asks() {
    let ferry = Ferry::new();
    for (args, colour) in [
        (&["pull"][..], false),
        (&["pull", "--color", "auto"], false),
        (&["pull", "--color", "never"], false),
        (&["pull", "--color", "always"], true),
    ] {
        assert_eq!(ferry.run(args).expect(78).stderr.contains('\x1b'), colour, "{args:?}");
    }
}

#[test]
fn a_password_is_said_nowhere() {
    const SECRET: &str = "Xk7-never-to-be-shown-\u{e9}";
    for protocol in [Protocol::Pop3, Protocol::Imap] {
        let mut script = Script::holding(mail::ordinary(1));
        script.password = "another".to_owned();
        let server = Server::start(script);
        let endpoint = server.endpoint(protocol, Security::Implicit);
        let ferry = Ferry::new();
        fs::write(ferry.path("secret"), format!("{SECRET}\n")).unwrap();
        fs::set_permissions(ferry.path("secret"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let mut wrong = endpoint.clone();
        wrong.password = SECRET.to_owned();
        ferry.account("x", &wrong, "");
        let url = endpoint.url();
        let ca = endpoint.ca_file.display().to_string();
        for line in [
            &["pull", "-vv", "--json"][..],
            &["pull", "-vv"],
            &["pull", "--dry-run", "-v"],
            &["pull", &url, "--to", "maildir:y", "--ca-file", &ca, "-vv", "--json", "--password-command", "cat secret"],
            &["pull", &url, "--to", "maildir:y", "--ca-file", &ca, "-vv", "--json"],
        ] {
            let mut command = ferry.command(line);
            command.env("MAILFERRY_PASSWORD", SECRET).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
            let outcome = Running::start(command).wait().expect(77);
            for said in [&outcome.stdout, &outcome.stderr] {
                assert!(!said.contains(SECRET) && !said.contains("Xk7"), "{line:?}: {said}");
            }
        }
        assert!(server.log().heard.iter().all(|h| h.tls) && server.log().logins == 0);
        // Nor is it kept: only in the files that the test has written.
        let mut folders = vec![ferry.path("")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                } else if ![ferry.path("secret"), ferry.config_file()].contains(&entry) {
                    let bytes = fs::read(&entry).unwrap();
                    assert!(!bytes.windows(3).any(|w| w == b"Xk7"), "{}", entry.display());
                }
            }
        }
    }
}
