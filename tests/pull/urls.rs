//! A pull by URL, without a configuration.

use super::*;
use crate::support::mail;
use crate::support::run::Running;
use crate::support::stored::{assert_same_mail, mbox};
use std::process::Command;

/// `pull URL --to STORE` for a user, with the CA of the server and no password yet.
fn command(ferry: &Ferry, user: &User<'_>, protocol: Protocol, folder: &str, to: &str, more: &[&str]) -> Command {
    let endpoint = user.endpoint(protocol, Security::Implicit);
    let url = format!("{}{folder}", endpoint.url());
    let ca = endpoint.ca_file.display().to_string();
    ferry.command(&[&["pull", &url, "--to", to, "--ca-file", &ca], more].concat())
}

fn run(command: Command) -> Outcome {
    Running::start(command).wait()
}

/// The same with the password from a command, with counts of the one account.
#[track_caller]
fn told(ferry: &Ferry, user: &User<'_>, protocol: Protocol, folder: &str, to: &str, more: &[&str]) -> String {
    let print = format!("echo {}", user.password);
    let more = [&["--json", "--password-command", &print], more].concat();
    let outcome = run(command(ferry, user, protocol, folder, to, &more)).expect(0);
    let account = outcome.events()[0]["accounts"][0].as_str().unwrap().to_owned();
    assert!(account.starts_with(&format!("{}@127.0.0.1-", user.name)), "{account}");
    counts(&outcome, &account)
}

#[test]
fn a_url_and_a_store_are_enough() {
    let messages = mail::ordinary(3);
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let ferry = Ferry::new();
        assert_eq!(told(&ferry, &user, protocol, "", "maildir:mail", &[]), "listed 3, fetched 3");
        assert_eq!(told(&ferry, &user, protocol, "", "maildir:mail", &[]), "listed 3, had 3");
        let maildir = match protocol {
            Protocol::Pop3 => ferry.path("mail"),
            Protocol::Imap => ferry.path("mail/INBOX"),
        };
        assert_same_mail(&maildir_bytes(&maildir), &stored(protocol, &messages));
        // Another store is another account; an mbox is the mailbox itself.
        assert_eq!(told(&ferry, &user, protocol, "", "mbox:~/box", &[]), "listed 3, fetched 3");
        assert_eq!(mbox(&ferry.path("box")), stored(protocol, &messages));
        assert!(!ferry.config_file().exists());
        assert_eq!(left(&user).len(), 3);
    }
}

#[test]
fn a_folder_may_stand_in_the_url() {
    let user = Dovecot::shared().user();
    user.deliver("INBOX", &mail::ordinary(1));
    user.deliver("Lists/rust", &[mail::message(5, "rust\r\n")]);
    user.deliver("Entw&APw-rfe &- Co", &[mail::message(6, "drafts\r\n")]);
    let ferry = Ferry::new();
    let rust = stored(Protocol::Imap, &[mail::message(5, "rust\r\n")]);
    assert_eq!(told(&ferry, &user, Protocol::Imap, "/Lists/rust", "maildir:mail", &[]), "listed 1, fetched 1");
    assert_eq!(maildir_bytes(&ferry.path("mail/Lists/rust")), rust);
    assert_eq!(told(&ferry, &user, Protocol::Imap, "/Lists/rust", "mbox:rust", &[]), "listed 1, fetched 1");
    assert_eq!(mbox(&ferry.path("rust")), rust);
    let drafts = "/Entw%C3%BCrfe%20&%20Co";
    assert_eq!(told(&ferry, &user, Protocol::Imap, drafts, "maildir:mail", &[]), "listed 1, fetched 1");
    assert_eq!(maildir_bytes(&ferry.path("mail/Entwürfe & Co")).len(), 1);
    // A Maildir that is there already takes the mail itself.
    for part in ["tmp", "new", "cur"] {
        std::fs::create_dir_all(ferry.path("mine").join(part)).unwrap();
    }
    assert_eq!(told(&ferry, &user, Protocol::Imap, "/Lists/rust", "maildir:mine", &[]), "listed 1, fetched 1");
    assert_eq!(maildir_bytes(&ferry.path("mine")), rust);
}

#[test]
fn options_stand_in_for_the_configuration() {
    let messages = [mail::message(1, "small\r\n"), mail::large(60_000)];
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let ferry = Ferry::new();
        let options =
            ["--keep", "false", "--max-size", "50kB", "--line-endings", "crlf", "--timeout", "20s", "--auth", "plain"];
        assert_eq!(
            told(&ferry, &user, protocol, "", "mbox:box", &options),
            "listed 2, fetched 1, skipped 1, deleted_remote 1"
        );
        assert_eq!(mbox(&ferry.path("box")), [messages[0].clone()]);
        assert_same_mail(&left(&user), &stored(protocol, &messages[1..]));
    }
}

#[test]
fn the_password_comes_from_the_environment_or_a_command() {
    let user = user_with(&mail::ordinary(1));
    let ferry = Ferry::new();
    let plain = |to: &str, more: &[&str]| command(&ferry, &user, Protocol::Pop3, "", to, more);

    let mut by_environment = plain("mbox:one", &[]);
    by_environment.env("MAILFERRY_PASSWORD", &user.password);
    run(by_environment).expect(0);
    assert_eq!(mbox(&ferry.path("one")).len(), 1);

    // The command wins.
    let mut both = plain("mbox:two", &["--password-command", &format!("echo {}", user.password)]);
    both.env("MAILFERRY_PASSWORD", "not-it");
    run(both).expect(0);
    assert_eq!(mbox(&ferry.path("two")).len(), 1);

    let outcome = run(plain("mbox:three", &["--password-command", "echo not-it"])).expect(77);
    assert!(outcome.stderr.contains("error: "), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("not-it"));

    let outcome = run(plain("mbox:three", &["--password-command", "echo not-it; exit 3"])).expect(78);
    assert!(outcome.stderr.contains("failed (exit status: 3)"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("not-it"));

    // Nobody to ask, and no terminal to ask on.
    let outcome = run(plain("mbox:three", &[])).expect(78);
    assert!(outcome.stderr.contains("password"), "{}", outcome.stderr);
    assert_eq!(mbox(&ferry.path("three")), [[0; 0]; 0]);
}

#[test]
fn a_pin_stands_in_for_a_ca() {
    let user = user_with(&mail::ordinary(1));
    let ferry = Ferry::new();
    let endpoint = user.endpoint(Protocol::Imap, Security::Starttls);
    let print = format!("echo {}", user.password);
    let pull = |pins: &[&str]| {
        let url = endpoint.url();
        ferry.run(&[&["pull", &url, "--to", "mbox:box", "--password-command", &print], pins].concat())
    };
    pull(&[]).expect(69);
    let wrong = "00".repeat(32);
    pull(&["--pin-sha256", &wrong]).expect(69);
    assert_eq!(mbox(&ferry.path("box")), [[0; 0]; 0]);
    pull(&["--pin-sha256", &wrong, "--pin-sha256", &Dovecot::shared().pin]).expect(0);
    assert_eq!(mbox(&ferry.path("box")).len(), 1);
}

#[test]
fn status_knows_what_urls_brought() {
    let user = user_with(&mail::ordinary(3));
    let ferry = Ferry::new();
    let command = |args: &[&str]| {
        let mut command = ferry.command(&[&["status"], args].concat());
        // One that is named has to be there.
        command.env_remove("MAILFERRY_CONFIG");
        run(command)
    };
    command(&[]).expect(78);
    told(&ferry, &user, Protocol::Imap, "", "maildir:mail", &[]);
    let alone = |args: &[&str]| command(args).expect(0).stdout;
    let short = alone(&[]);
    let name = short.split(": ").next().unwrap();
    let end = format!(" s, exit 0, 3 messages in {}\n", ferry.path("mail").display());
    assert!(short.starts_with(&format!("{}@127.0.0.1-", user.name)) && short.ends_with(&end), "{short}");
    for long in [alone(&[name]), alone(&["-v"])] {
        assert!(long.ends_with(" s, exit 0\n  INBOX: 3 messages pulled\n"), "{long}");
    }
    command(&["nobody"]).expect(78);
    ferry.run(&["status"]).expect(78);
    // Beside accounts it comes last.
    ferry.account("x", &user.endpoint(Protocol::Imap, Security::Implicit), "");
    let status = |args: &[&str]| ferry.run(&[&["status"], args].concat()).expect(0).stdout;
    assert_eq!(status(&[]), format!("x: never pulled\n{short}"));
    assert_eq!(status(&["x"]), "x: never pulled\n");
    assert!(status(&["x", name]).starts_with(&format!("x: never pulled\n{name}: last run ")));
    let events = ferry.run(&["status", "--json"]).expect(0).events();
    let configured: Vec<_> = events.iter().map(|e| (e["account"].as_str().unwrap(), e["configured"] == true)).collect();
    assert_eq!(configured, [("x", true), (name, false)]);
    ferry.run(&["status", "nobody"]).expect(64);
}
