//! Servers, and people in between, that want the password in the clear.

use super::{BOTH, Stage, Trial, each};
use crate::support::certificate::Certificate;
use crate::support::endpoint::Security;
use crate::support::server::{At, Effect, Fault, Protocol};

/// Nothing may be pulled, and no password sent.
#[track_caller]
fn refuses(trial: Trial) -> Stage {
    let stage = trial.start();
    let run = stage.pull().expect(69);
    assert!(!stage.server.knows_password(), "the password was sent");
    assert_eq!(stage.server.log().logins, 0);
    assert!(run.stderr.lines().count() >= 2, "what to do is missing: {}", run.stderr);
    stage
}

fn over(protocol: Protocol, security: Security) -> Trial {
    let mut trial = Trial::of(protocol).keep(false);
    trial.security = security;
    trial
}

#[test]
fn starttls_is_stripped_refused_or_mixed_with_clear_text() {
    let rows = [
        (Protocol::Pop3, "no STLS", None),
        (Protocol::Pop3, "STLS refused", Some(Fault::refuse("STLS", "no TLS today"))),
        (Protocol::Pop3, "STLS injected", Some(Fault::new(At::answered("STLS"), Effect::say("+OK injected\r\n")))),
        (Protocol::Imap, "no STARTTLS", None),
        (Protocol::Imap, "STARTTLS refused", Some(Fault::refuse("STARTTLS", "no TLS today"))),
        (
            Protocol::Imap,
            "STARTTLS injected",
            Some(Fault::new(At::answered("STARTTLS"), Effect::say("* OK injected\r\n"))),
        ),
    ];
    each(rows.map(|(p, name, fault)| (name.to_owned(), (p, fault))), |(protocol, fault)| {
        let trial = over(*protocol, Security::Starttls);
        match fault {
            // One attack is over when it is over.
            Some(fault) => refuses(trial.fault(fault.clone())).heals(),
            None => drop(refuses(trial.scripted(|s| s.without.extend(["STLS".to_owned(), "STARTTLS".to_owned()])))),
        }
    });
}

#[test]
fn preauth_in_the_clear() {
    refuses(over(Protocol::Imap, Security::Starttls).scripted(|s| s.preauth = true));
}

#[test]
fn stls_without_capa() {
    // A server that tells nothing is asked outright.
    let mute = |s: &mut crate::support::server::Script| s.without.push("CAPA".to_owned());
    over(Protocol::Pop3, Security::Starttls).scripted(mute).ends(0);
    let stripped =
        over(Protocol::Pop3, Security::Starttls).scripted(mute).scripted(|s| s.without.push("STLS".to_owned()));
    refuses(stripped);
}

#[test]
fn every_bad_certificate() {
    let bad = [Certificate::SelfSigned, Certificate::Expired, Certificate::WrongName];
    let rows = BOTH.into_iter().flat_map(|p| bad.map(|b| (p, b)));
    let rows = rows.flat_map(|(p, b)| [Security::Implicit, Security::Starttls].map(|s| (p, b, s)));
    each(rows.map(|row| (format!("{row:?}"), row)), |(protocol, certificate, security)| {
        let stage = refuses(over(*protocol, *security).scripted(|s| s.certificate = *certificate));
        assert_eq!(stage.server.inbox().len(), 6);
    });
}

#[test]
fn tls_that_is_none() {
    // The clear port is spoken to as if it were the TLS port.
    for protocol in BOTH {
        let stage = over(protocol, Security::Implicit).start();
        let config = std::fs::read_to_string(stage.ferry.config_file()).unwrap();
        let (tls, clear) = match protocol {
            Protocol::Pop3 => (stage.server.pop3s_port, stage.server.pop3_port),
            Protocol::Imap => (stage.server.imaps_port, stage.server.imap_port),
        };
        stage.ferry.configure(&config.replace(&tls.to_string(), &clear.to_string()));
        stage.pull().expect(69);
        assert!(!stage.server.knows_password());
        stage.ferry.configure(&config);
        stage.heals();
    }
}
