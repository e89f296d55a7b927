//! When it cannot or must not go on: each cause has its exit code and its remedy, and no secret leaves.

mod stores;
mod trust;
mod words;

use crate::support::endpoint::{Endpoint, Security};
use crate::support::mail;
use crate::support::run::{Ferry, Outcome};
use crate::support::server::{Protocol, Script, Server, closed_port};

const PROTOCOLS: [Protocol; 2] = [Protocol::Pop3, Protocol::Imap];

/// A server with three messages.
fn server() -> Server {
    Server::start(Script::holding(mail::ordinary(3)))
}

/// A home whose account `x` has other keys: each line of `keys` goes before the password, or replaces the line of that key.
fn home_with(endpoint: &Endpoint, keys: &[&str]) -> Ferry {
    let ferry = Ferry::new();
    let mut lines: Vec<String> =
        endpoint.account("x", "maildir", &ferry.store("x")).lines().map(str::to_owned).collect();
    for key in keys {
        let name = key.split(' ').next().unwrap();
        let place = lines.iter().position(|l| l.starts_with(&format!("{name} = ")));
        match place {
            Some(at) => lines[at] = (*key).to_owned(),
            None => lines.insert(1, (*key).to_owned()),
        }
    }
    ferry.configure(&lines.join("\n"));
    ferry
}

/// Fails unless the first problem starts so and is followed by a remedy.
#[track_caller]
fn assert_told(outcome: &Outcome, start: &str) {
    let (problem, rest) = outcome.stderr.split_once("\n  ").unwrap_or_else(|| panic!("no remedy: {}", outcome.stderr));
    assert!(problem.starts_with(&format!("error: {start}")), "{}", outcome.stderr);
    assert!(rest.lines().next().is_some_and(|remedy| remedy.ends_with('.')), "{}", outcome.stderr);
}

#[test]
fn a_wrong_password_is_77() {
    for protocol in PROTOCOLS {
        let server = server();
        let mut endpoint = server.endpoint(protocol, Security::Implicit);
        endpoint.password = "wr0ng-Pa55".to_owned();
        let ferry = home_with(&endpoint, &[]);
        let outcome = ferry.run(&["pull"]).expect(77);
        assert_told(&outcome, "x: ");
        assert!(outcome.stderr.contains("wrong user or password"), "the server's words: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("wr0ng-Pa55"));
        assert_eq!((server.log().logins, server.log().retrieved), (0, 0));
    }
}

#[test]
fn nobody_there_is_75() {
    for protocol in PROTOCOLS {
        let mut endpoint = server().endpoint(protocol, Security::Implicit);
        endpoint.port = closed_port();
        let told = format!("x: cannot connect to 127.0.0.1:{}: Connection refused", endpoint.port);
        assert_told(&home_with(&endpoint, &[]).run(&["pull"]).expect(75), &told);
        let ferry = home_with(&endpoint, &["host = \"nonexistent.invalid\""]);
        assert_told(&ferry.run(&["pull"]).expect(75), "x: cannot find the address of nonexistent.invalid: ");
    }
}

#[test]
fn a_server_that_stays_silent_is_75_in_time() {
    use crate::support::server::{At, Effect, Fault};
    use std::time::Duration;
    for protocol in PROTOCOLS {
        let silence = Fault::new(At::received("connect"), Effect::Pause(Duration::from_secs(5)));
        let server = Server::start(Script::holding(mail::ordinary(1)).fault(silence));
        let ferry = home_with(&server.endpoint(protocol, Security::Implicit), &["timeout = \"1s\""]);
        let outcome = ferry.run(&["pull"]).expect(75);
        assert_told(&outcome, "x: no answer from 127.0.0.1:");
        assert!(outcome.took < Duration::from_secs(4), "{:?}", outcome.took);
    }
}
