//! Certificates, pins, STARTTLS, and no clear text: the password is for the right server alone.

use super::*;
use crate::support::certificate::Certificate;
use crate::support::run::Running;

const TLS: [Security; 2] = [Security::Implicit, Security::Starttls];

fn server_with(certificate: Certificate) -> Server {
    Server::start(Script::holding(mail::ordinary(3)).certificate(certificate))
}

/// Fails unless the run was refused with 69, the server never heard the password, and nobody logged in.
#[track_caller]
fn assert_untrusted(server: &Server, ferry: &Ferry, why: &str) {
    let outcome = ferry.run(&["pull"]).expect(69);
    assert_told(&outcome, "x: the certificate of 127.0.0.1:");
    assert!(outcome.stderr.contains(why) && outcome.stderr.contains("; no password was sent\n"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(&format!("pin_sha256 = [\"{}\"]", server.pin)), "{}", outcome.stderr);
    assert!(!server.knows_password());
    assert_eq!(server.log().logins, 0);
}

#[test]
fn a_bad_certificate_is_69_and_gets_no_password() {
    for (certificate, why) in [
        (Certificate::SelfSigned, "no authority that this machine trusts has signed it"),
        (Certificate::Expired, "it has expired"),
        (Certificate::WrongName, "it is for another host name"),
    ] {
        for protocol in PROTOCOLS {
            for security in TLS {
                let server = server_with(certificate);
                let ferry = home_with(&server.endpoint(protocol, security), &[]);
                assert_untrusted(&server, &ferry, why);
            }
        }
    }
}

#[test]
fn what_to_do_about_a_url_can_be_typed() {
    for protocol in PROTOCOLS {
        let server = server_with(Certificate::SelfSigned);
        let url = server.endpoint(protocol, Security::Implicit).url();
        let print = format!("echo {}", server.password());
        let ferry = Ferry::new();
        let from = ["migrate", &url, "maildir:copied", "--quiet", "--from-password-command", &print];
        let to = ["migrate", "maildir:pulled/INBOX", &url, "--quiet", "--to-password-command", &print];
        let migration = if protocol == Protocol::Pop3 { ("from-", from) } else { ("to-", to) };
        let pull = ("", ["pull", &url, "--to", "maildir:pulled", "--password-command", &print]);
        for (side, line) in [pull, migration] {
            let pin = format!("--{side}pin-sha256");
            let refused = ferry.run(&line).expect(69);
            assert!(refused.stderr.contains(&format!("`{pin} {}`", server.pin)), "{}", refused.stderr);
            assert!(refused.stderr.contains("`--ca-file "), "{}", refused.stderr);
            if side != "to-" {
                ferry.run(&[&line[..], &[&pin, &server.pin]].concat()).expect(0);
            }
        }
    }
}

#[test]
fn only_a_known_authority_is_trusted() {
    for protocol in PROTOCOLS {
        for security in TLS {
            let (server, other) = (server_with(Certificate::Good), server_with(Certificate::Good));
            let mut endpoint = server.endpoint(protocol, security);
            // The CA of another server is not the one.
            endpoint.ca_file = other.ca_file().to_owned();
            let ferry = home_with(&endpoint, &[]);
            assert_untrusted(&server, &ferry, "no authority that this machine trusts has signed it");
            endpoint.ca_file = server.ca_file().to_owned();
            ferry.configure(&endpoint.account("x", "maildir", &ferry.store("x")));
            ferry.run(&["pull"]).expect(0);
            assert!(!server.overheard_password());
            assert_eq!(server.log().logins, 1);
        }
    }
}

#[test]
fn the_roots_of_the_system_are_trusted() {
    let server = server_with(Certificate::Good);
    let ferry = Ferry::new();
    let endpoint = server.endpoint(Protocol::Imap, Security::Implicit);
    let account = endpoint.account("x", "maildir", &ferry.store("x"));
    let without: Vec<&str> = account.lines().filter(|l| !l.starts_with("ca_file")).collect();
    ferry.configure(&without.join("\n"));
    ferry.run(&["pull"]).expect(69);
    // Where the system keeps them, as OpenSSL is told.
    let mut command = ferry.command(&["pull"]);
    command.env("SSL_CERT_FILE", server.ca_file());
    Running::start(command).wait().expect(0);
}

#[test]
fn a_bundle_that_a_hashed_directory_holds_too_is_spared_and_nobody_notices() {
    let server = server_with(Certificate::Good);
    let ferry = Ferry::new();
    let roots = ferry.path("roots");
    std::fs::create_dir(&roots).unwrap();
    let bundle = roots.join("bundle.pem");
    std::fs::copy(server.ca_file(), &bundle).unwrap();
    let seen = ferry.path("seen");
    let endpoint = server.endpoint(Protocol::Imap, Security::Implicit);
    let account = endpoint.account("x", "maildir", &ferry.store("x"));
    let command =
        format!("password = {{ command = 'printenv SSL_CERT_FILE > {}; echo {}' }}", seen.display(), endpoint.password);
    let lines: Vec<&str> = (account.lines().filter(|l| !l.starts_with("ca_file")))
        .map(|l| if l.starts_with("password") { command.as_str() } else { l })
        .collect();
    ferry.configure(&lines.join("\n"));
    let pull = || {
        let mut command = ferry.command(&["pull"]);
        command.env("SSL_CERT_FILE", &bundle).env("SSL_CERT_DIR", &roots);
        Running::start(command).wait()
    };
    // Nothing stands in the directory under a hash yet: the bundle counts.
    pull().expect(0);
    let rehash = std::process::Command::new("openssl").arg("rehash").arg(&roots).status().expect("openssl");
    assert!(rehash.success());
    pull().expect(0);
    // Whatever a password command does about TLS is its own business.
    assert_eq!(std::fs::read_to_string(&seen).unwrap().trim(), bundle.to_str().unwrap());
    // Without either, the server is a stranger.
    std::fs::remove_file(&bundle).unwrap();
    pull().expect(69);
}

#[test]
fn a_ca_file_that_is_none_is_a_config_error() {
    let server = server_with(Certificate::Good);
    let endpoint = server.endpoint(Protocol::Imap, Security::Implicit);
    for file in ["/nonexistent/ca.pem", "/dev/null"] {
        let ferry = home_with(&endpoint, &[&format!("ca_file = \"{file}\"")]);
        let outcome = ferry.run(&["pull"]).expect(78);
        assert!(outcome.stderr.contains(file), "{}", outcome.stderr);
        assert!(!server.knows_password());
    }
}

#[test]
fn a_pin_admits_its_certificate_and_no_other() {
    let stranger = "ab".repeat(32);
    for certificate in [Certificate::SelfSigned, Certificate::Expired, Certificate::WrongName, Certificate::Good] {
        for (protocol, security) in [(Protocol::Pop3, Security::Starttls), (Protocol::Imap, Security::Implicit)] {
            let server = server_with(certificate);
            let endpoint = server.endpoint(protocol, security);
            // A good chain does not make up for a wrong pin.
            let wrong = home_with(&endpoint, &[&format!("pin_sha256 = [\"{stranger}\"]")]);
            assert_untrusted(&server, &wrong, "is not one of those pinned");
            let right = home_with(&endpoint, &[&format!("pin_sha256 = [\"{stranger}\", \"{}\"]", server.pin)]);
            right.run(&["pull"]).expect(0);
            assert!(!server.overheard_password());
        }
    }
}

#[test]
fn a_server_without_starttls_gets_no_password() {
    for (protocol, name) in [(Protocol::Pop3, "STLS"), (Protocol::Imap, "STARTTLS")] {
        let server = Server::start(Script::holding(mail::ordinary(1)).without(name));
        let ferry = home_with(&server.endpoint(protocol, Security::Starttls), &[]);
        let outcome = ferry.run(&["pull"]).expect(69);
        assert_told(&outcome, "x: ");
        assert!(outcome.stderr.contains(name), "{}", outcome.stderr);
        assert!(!server.knows_password());
    }
}

#[test]
fn clear_text_goes_to_this_machine_alone() {
    for protocol in PROTOCOLS {
        let server = server_with(Certificate::SelfSigned);
        let endpoint = server.endpoint(protocol, Security::Clear);
        for host in ["127.0.0.1", "localhost"] {
            home_with(&endpoint, &[&format!("host = \"{host}\"")]).run(&["pull"]).expect(0);
        }
        assert!(server.log().logins == 2 && server.log().heard.iter().all(|h| !h.tls));
        for host in ["mail.example.org", "192.0.2.1", "2001:db8::1"] {
            let ferry = home_with(&endpoint, &[&format!("host = \"{host}\"")]);
            let outcome = ferry.run(&["pull"]).expect(78);
            let place = format!("{}:5:1: accounts.x.tls: without TLS everyone", ferry.config_file().display());
            assert_told(&outcome, &place);
            assert!(outcome.stderr.contains("`allow_cleartext = true`"), "{}", outcome.stderr);
        }
        // The name says nothing, the address does: 0.0.0.0 reaches this machine, and is not loopback.
        let ferry = home_with(&endpoint, &["host = \"0.0.0.0\"", "allow_cleartext = true"]);
        ferry.run(&["pull"]).expect(0);
    }
}
