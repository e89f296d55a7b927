//! Words that make no sense: in the configuration (78) and on the command line (64).

use super::*;
use crate::support::run::Running;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_mistake_in_the_configuration_is_78_with_line_and_key() {
    let server = server();
    let endpoint = server.endpoint(Protocol::Imap, Security::Implicit);
    for (keys, place, remedy) in [
        (&["hots = \"h\""][..], "2:1: accounts.x.hots: unknown key", "Did you mean `host`?"),
        (&["port = \"143\""], "4:8: accounts.x.port: expected a whole number", "without quotes"),
        (&["tls = \"ssl\""], "5:7: accounts.x.tls: ", "`implicit`, `starttls`"),
        (&["kind = \"mdir\""], "11:8: accounts.x.store.kind: ", "`maildir`"),
        (&["auth = \"apop\""], "2:1: accounts.x.auth: APOP belongs to POP3", "`auth = \"auto\"`"),
        (&["pin_sha256 = [\"12\"]"], "2:15: accounts.x.pin_sha256: ", "64 hexadecimal digits"),
        (&["protocol = imap"], "2:12: not valid TOML", "Mend the line"),
    ] {
        let ferry = home_with(&endpoint, keys);
        for command in [&["pull"][..], &["config", "check"], &["status"], &["pull", "--json"]] {
            let outcome = ferry.run(command).expect(78);
            assert_told(&outcome, &format!("{}:{place}", ferry.config_file().display()));
            assert!(outcome.stderr.contains(remedy), "{}", outcome.stderr);
            assert!(!outcome.stderr.contains(&endpoint.password), "{}", outcome.stderr);
        }
    }
    assert_eq!(server.log().connections, 0);
}

#[test]
fn every_mistake_is_named_at_once() {
    let ferry = Ferry::new();
    ferry.configure("[accounts.a]\nprotocol = \"imap\"\n[accounts.b]\nhost = 1\n");
    let outcome = ferry.run(&["config", "check"]).expect(78);
    assert!(
        outcome.stderr.starts_with(&format!("error: {} has ", ferry.config_file().display())),
        "{}",
        outcome.stderr
    );
    let lines: Vec<&str> =
        outcome.stderr.lines().filter_map(|l| l.strip_prefix(&*ferry.config_file().to_string_lossy())).collect();
    let expected = [
        ":1:11: accounts.a.host: missing",
        ":1:11: accounts.a.user: missing",
        ":1:11: accounts.a.store: missing",
        ":3:11: accounts.b.protocol: missing",
        ":3:11: accounts.b.user: missing",
        ":3:11: accounts.b.store: missing",
        ":4:8: accounts.b.host: expected a text, found a whole number",
    ];
    let faults: Vec<&str> = lines.iter().map(|l| l.split_once(". ").unwrap().0).collect();
    assert_eq!(faults, expected);
    assert!(outcome.stderr.contains(" problems\n"), "{}", outcome.stderr);
}

#[test]
fn without_a_configuration_one_is_shown() {
    let ferry = Ferry::new();
    let outcome = ferry.run(&["pull"]).expect(78);
    let missing = format!("there is no configuration at {}", ferry.config_file().display());
    assert!(outcome.stderr.starts_with(&format!("error: {missing}\n")), "{}", outcome.stderr);
    // The example is one that works.
    let (_, example) = outcome.stderr.split_once("[accounts.work]").unwrap();
    ferry.configure(&format!("[accounts.work]{example}"));
    ferry.run(&["config", "check"]).expect(0);
}

#[test]
fn a_password_in_a_file_that_others_read_is_refused() {
    let server = server();
    let endpoint = server.endpoint(Protocol::Pop3, Security::Implicit);
    let ferry = home_with(&endpoint, &[]);
    std::fs::set_permissions(ferry.config_file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = ferry.run(&["pull"]).expect(78);
    assert!(
        outcome.stderr.contains("accounts.x.password") && outcome.stderr.contains("chmod 600"),
        "{}",
        outcome.stderr
    );

    let secret = ferry.path("secret");
    std::fs::write(&secret, &endpoint.password).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let ferry = home_with(&endpoint, &[&format!("password = {{ file = \"{}\" }}", secret.display())]);
    let outcome = ferry.run(&["pull"]).expect(78);
    assert!(outcome.stderr.contains("chmod 600"), "{}", outcome.stderr);
    assert!(!server.knows_password());
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    ferry.run(&["pull"]).expect(0);
}

#[test]
fn a_wrong_command_line_is_64() {
    let ferry = home_with(&server().endpoint(Protocol::Imap, Security::Implicit), &[]);
    for line in [
        &[][..],
        &["frobnicate"],
        &["pull", "--nope"],
        &["pull", "nobody"],
        &["pull", "imaps://me@h"],
        &["pull", "x", "--to", "maildir:y"],
        &["pull", "--to", "maildir:y"],
        &["pull", "imaps://me@h", "imaps://you@h", "--to", "maildir:y"],
        &["pull", "imaps://me@h", "--to", "y"],
        &["pull", "imaps://me@h", "--to", "imaps://me@h"],
        &["pull", "maildir:x", "--to", "maildir:y"],
        &["pull", "imaps://h", "--to", "maildir:y"],
        &["pull", "ftp://me@h", "--to", "maildir:y"],
        &["pull", "pop3s://me@h/Lists", "--to", "maildir:y"],
        &["pull", "imaps://me@h:0", "--to", "maildir:y"],
        &["pull", "imaps://me@h", "--to", "maildir:y", "--keep", "never"],
        &["pull", "imaps://me@h", "--to", "maildir:y", "--max-size", "big"],
        &["pull", "imaps://me@h", "--to", "maildir:y", "--auth", "magic"],
        &["pull", "imaps://me@h", "--to", "maildir:y", "--pin-sha256", "12"],
        &["pull", "imaps://me@h", "--to", "maildir:y", "--line-endings", "cr"],
        &["pull", "imaps://me@h", "--to", "maildir:y", "--timeout", "0s"],
        &["pull", "--keep", "false"],
        &["pull", "--jobs", "0"],
        &["pull", "--wait", "soon"],
        &["pull", "--color", "red"],
        &["status", "nobody"],
        &["config"],
        &["completions", "nosh"],
        &["man"],
    ] {
        let outcome = ferry.run(line);
        assert_eq!(outcome.code, Some(64), "{line:?}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{line:?}");
        assert!(!outcome.stderr.is_empty(), "{line:?}");
    }
    assert!(!ferry.state_dir().exists() && !ferry.path("y").exists());
}

#[test]
fn a_password_in_a_url_is_refused_and_not_shown_again() {
    let server = server();
    let endpoint = server.endpoint(Protocol::Imap, Security::Implicit);
    let url = endpoint.url().replace('@', &format!(":{}@", endpoint.password));
    let ferry = home_with(&endpoint, &["password = { prompt = true }"]);
    for line in [
        &["pull", &url, "--to", "maildir:y"][..],
        &["pull", &url, "--to", "maildir:y", "--json", "-vv"],
        &["pull", &url],
        &["pull", "imaps://me@h", "--to", &url],
        &["pull", &url, &url, "--to", "maildir:y"],
        &["pull", &url, "--keep", "false"],
        &["pull", &url, "--frob"],
        &["status", &url],
        &[&url],
        &[&url, "--to", "maildir:y"],
        &["pull", "--jobs", &url],
        &["pull", "x", "--auth", &url],
        &["pull", "x", "--keep", &url, "--to", "maildir:y"],
    ] {
        let mut command = ferry.command(line);
        command.env("MAILFERRY_PASSWORD", "x");
        let outcome = Running::start(command).wait();
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!said.contains(&endpoint.password), "{line:?}: {said}");
        assert_eq!(outcome.code, Some(64), "{line:?}: {said}");
    }
    assert_eq!(server.log().connections, 0);
}
