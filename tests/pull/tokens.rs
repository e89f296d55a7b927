//! Access tokens instead of passwords, as a server takes them that asks an issuer on loopback about each (OAuth 2.0, RFC 7662).

use super::*;
use crate::support::mail;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

/// Answers whose a token is: `fresh-NAME` is that of NAME, any other has run out.
fn issuer() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().flatten().for_each(introspect));
    port
}

fn introspect(mut asking: TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        match asking.read(&mut octet) {
            Ok(1) => request.extend(octet),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request);
    let token = request.split_once("token=").and_then(|(_, rest)| rest.split_whitespace().next()).unwrap_or_default();
    let (status, body) = match token.strip_prefix("fresh-") {
        Some(name) => ("200 OK", format!("{{\"active\":true,\"email\":\"{name}\"}}")),
        None => ("401 Unauthorized", "{\"error\":\"invalid_token\"}".to_owned()),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let _ = asking.write_all(answer.as_bytes());
}

#[test]
fn a_command_gives_a_fresh_token_for_each_run() {
    let asked = Ferry::new();
    let settings = asked.path("oauth2.conf.ext");
    let issuer = issuer();
    let told = format!(
        "tokeninfo_url = http://127.0.0.1:{issuer}/?token=\nusername_attribute = email\nactive_attribute = active\nactive_value = true\n"
    );
    fs::write(&settings, told).unwrap();
    let dovecot = Dovecot::start(&format!(
        "auth_mechanisms = plain xoauth2 oauthbearer\npassdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = {}\n}}\n",
        settings.display()
    ));
    let messages = mail::ordinary(2);
    for protocol in PROTOCOLS {
        for auth in ["xoauth2", "oauthbearer"] {
            let (user, ferry) = (dovecot.user(), Ferry::new());
            user.deliver("INBOX", &messages);
            let endpoint = user.endpoint(protocol, Security::Implicit);
            let token = ferry.path("token");
            let account = endpoint.account("x", "maildir", &ferry.store("x")).replace(
                &format!("value = \"{}\"", user.password),
                &format!("command = \"cat {}\" }}\nauth = \"{auth}\"\n# {{", token.display()),
            );
            ferry.configure(&account);
            fs::write(&token, "spent-gZ4vQ9xT").unwrap();
            let refused = ferry.run(&["pull"]).expect(77);
            assert!(refused.stderr.contains("Get a new access token: "), "{auth} {}", refused.stderr);
            assert!(refused.stderr.contains(" (status “"), "{auth} {}", refused.stderr);
            assert!(!refused.stderr.contains("gZ4vQ9xT"), "{auth} {}", refused.stderr);
            fs::write(&token, format!("fresh-{}\n", user.name)).unwrap();
            assert_eq!(pull(&ferry, &[]), "listed 2, fetched 2", "{protocol:?} {auth}");
            assert_eq!(inbox_bytes(&ferry, protocol), stored(protocol, &messages));
        }
    }
}
