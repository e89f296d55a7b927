//! The real program in a home of its own, against both servers.

use crate::support::dovecot::Dovecot;
use crate::support::endpoint::{Endpoint, Security};
use crate::support::mail;
use crate::support::run::Ferry;
use crate::support::server::{Protocol, Script, Server};
use crate::support::stored::{assert_same_mail, maildir_bytes};

const PROTOCOLS: [Protocol; 2] = [Protocol::Pop3, Protocol::Imap];
const WAYS: [Security; 3] = [Security::Implicit, Security::Starttls, Security::Clear];

/// What one account brings into its Maildir.
fn pulled(endpoint: &Endpoint, expected: usize) -> Vec<Vec<u8>> {
    let ferry = Ferry::new();
    ferry.account("x", endpoint, "");
    let outcome = ferry.run(&["pull", "--json"]).expect(0);
    assert_eq!(outcome.summary_of("x")["fetched"], expected, "{endpoint:?}");
    match endpoint.protocol {
        Protocol::Pop3 => maildir_bytes(&ferry.store("x")),
        Protocol::Imap => maildir_bytes(&ferry.store("x").join("INBOX")),
    }
}

#[test]
fn pulls_nasty_mail_from_the_scripted_server() {
    let messages = mail::nasty_bytes();
    for protocol in PROTOCOLS {
        for security in WAYS {
            let server = Server::start(Script::holding(messages.clone()));
            let found = pulled(&server.endpoint(protocol, security), messages.len());
            let wire = |m: &Vec<u8>| if protocol == Protocol::Pop3 { mail::over_pop3(m) } else { m.clone() };
            let expected: Vec<Vec<u8>> = messages.iter().map(|m| mail::with_lf(&wire(m))).collect();
            assert_same_mail(&found, &expected);
            assert_same_mail(&server.inbox(), &messages);
            let log = server.log();
            assert_eq!(log.violations, [""; 0], "{protocol:?} {security:?}");
            assert!(security == Security::Clear || !server.overheard_password());
        }
    }
}

#[test]
fn pulls_from_dovecot() {
    let messages = mail::ordinary(20);
    let expected: Vec<Vec<u8>> = messages.iter().map(|m| mail::with_lf(m)).collect();
    for protocol in PROTOCOLS {
        for security in WAYS {
            let user = Dovecot::shared().user();
            user.deliver("INBOX", &messages);
            assert_same_mail(&pulled(&user.endpoint(protocol, security), messages.len()), &expected);
            let left: Vec<Vec<u8>> = user.messages("INBOX").into_iter().map(|m| m.bytes).collect();
            assert_same_mail(&left, &expected);
        }
    }
}
