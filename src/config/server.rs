//! Where a server is and whom to trust there: the keys of an account, host names, ports.

use super::account::Surroundings;
use super::problem::Fault;
use super::provider::Preset;
use super::table::Table;
use super::{Protocol, units};
use crate::error::quoted;
use crate::net::{Pin, Server, TlsMode};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// How long a server may be silent, unless the user says otherwise.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);

/// The values of `tls`.
pub(super) const TLS_MODES: &[(&str, TlsMode)] =
    &[("implicit", TlsMode::Implicit), ("starttls", TlsMode::StartTls), ("none", TlsMode::None)];

/// The keys of an account that say where its server is and whom to trust there.
pub(super) fn server(
    table: &mut Table<'_>,
    protocol: Option<Protocol>,
    preset: Option<&Preset>,
    around: &Surroundings<'_>,
) -> Option<Server> {
    let tls = table.word("tls", TLS_MODES).unwrap_or(TlsMode::Implicit);
    let port = table.number("port", 1..=65535).and_then(|n| u16::try_from(n).ok());
    let allow_cleartext = table.switch("allow_cleartext").unwrap_or(false);
    let ca_file = table.text("ca_file", |text| around.base.expand(text));
    let pins = table.texts("pin_sha256", pin);
    let compress = table.switch("compress");
    if compress.is_some() && protocol == Some(Protocol::Pop3) {
        table.complain(Some("compress"), Fault::new("POP3 knows no compression", "Remove it."));
    }
    let pipelining = table.switch("pipelining");
    if pipelining.is_some() && protocol == Some(Protocol::Imap) {
        table.complain(Some("pipelining"), Fault::new("every IMAP server takes commands in a row", "Remove it."));
    }
    let timeout = table.text("timeout", units::duration).unwrap_or(TIMEOUT);

    let mut host = table.text("host", host);
    if !table.has("host")
        && let (Some(preset), Some(protocol)) = (preset, protocol)
    {
        host = preset.host(protocol).map(str::to_owned);
        if host.is_none() {
            let fault = Fault::new(format!("offers no {protocol}"), "Write `protocol = \"imap\"`, or name a `host`.");
            table.complain(Some("provider"), fault);
        }
    }
    if !table.has("provider") {
        table.demand("host", "Write the server's name: `host = \"imap.example.com\"`, or a `provider`.");
    }

    if tls == TlsMode::None {
        if !allow_cleartext && host.as_deref().is_some_and(plainly_remote) {
            table.complain(
                Some("tls"),
                Fault::new(
                    "without TLS everyone on the way can read the password and the mail",
                    "Write `tls = \"implicit\"` or `tls = \"starttls\"`; if it must be so, add `allow_cleartext = true`.",
                ),
            );
        }
        for key in ["ca_file", "pin_sha256"] {
            if table.has(key) {
                let fault = Fault::new(
                    "there is no certificate to check with `tls = \"none\"`",
                    format!("Write `tls = \"implicit\"` or `tls = \"starttls\"`, or remove `{key}`."),
                );
                table.complain(Some(key), fault);
            }
        }
    }
    Some(Server {
        host: host?,
        port: port.or(protocol.map(|p| default_port(p, tls)))?,
        tls,
        ca_file,
        pins: pins.unwrap_or_default(),
        allow_cleartext,
        compress,
        pipelining: pipelining.unwrap_or(true),
        timeout,
    })
}

/// A certificate's SHA-256.
pub(super) fn pin(text: &str) -> Result<Pin, Fault> {
    text.parse().map_err(|e: String| {
        Fault::new(e, "Write the 64 hexadecimal digits of the certificate's SHA-256; colons between them are fine.")
    })
}

/// The registered port.
pub(super) fn default_port(protocol: Protocol, tls: TlsMode) -> u16 {
    match (protocol, tls) {
        (Protocol::Pop3, TlsMode::Implicit) => 995,
        (Protocol::Pop3, TlsMode::StartTls | TlsMode::None) => 110,
        (Protocol::Imap, TlsMode::Implicit) => 993,
        (Protocol::Imap, TlsMode::StartTls | TlsMode::None) => 143,
    }
}

/// A host name or address as the network code wants it: without the brackets of an IPv6 address.
pub(super) fn host(text: &str) -> Result<String, Fault> {
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).or(Some(text))
        && inner.parse::<Ipv6Addr>().is_ok()
    {
        return Ok(inner.to_owned());
    }
    if text.is_empty() {
        return Err(Fault::new("is empty", "Write the server's name, such as `imap.example.com`."));
    }
    let fault = |remedy: &str| Err(Fault::new(format!("{} is not a host name", quoted(text.as_bytes())), remedy));
    if text.contains("://") || text.contains('/') {
        return fault("Write the name alone, such as `imap.example.com`, without `imaps://` and `/`.");
    }
    if text.contains('@') {
        return fault("Write the server's name alone, such as `imap.example.com`; the address goes to `user`.");
    }
    if text.contains(':') {
        return fault("Write the name alone, such as `imap.example.com`; the port goes to `port`.");
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !text.chars().all(plain) || text.starts_with(['.', '-']) || text.len() > 255 {
        return fault("Write a name such as `imap.example.com`, or an address.");
    }
    Ok(text.to_owned())
}

/// Whether a host cannot be this machine, as far as its name tells. Where this is false, the address decides on connecting.
pub(super) fn plainly_remote(host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        return !address.to_canonical().is_loopback();
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name.contains('.') && !name.ends_with(".localhost") && !name.starts_with("localhost.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_protocol_and_tls() {
        let table = [
            (Protocol::Pop3, TlsMode::Implicit, 995),
            (Protocol::Pop3, TlsMode::StartTls, 110),
            (Protocol::Pop3, TlsMode::None, 110),
            (Protocol::Imap, TlsMode::Implicit, 993),
            (Protocol::Imap, TlsMode::StartTls, 143),
            (Protocol::Imap, TlsMode::None, 143),
        ];
        for (protocol, tls, port) in table {
            assert_eq!(default_port(protocol, tls), port, "{protocol:?} {tls:?}");
        }
    }

    #[test]
    fn pins_have_exactly_64_hexadecimal_digits() {
        assert_eq!(pin(&"0F".repeat(32)), Ok(Pin([0x0f; 32])));
        assert_eq!(pin(&("0f:".repeat(31) + "0F")), Ok(Pin([0x0f; 32])));
        for bad in ["".to_owned(), "0".repeat(63), "0".repeat(65), "0".repeat(66), "+f".repeat(32), "é".repeat(32)] {
            assert!(pin(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        let good = [
            ("imap.example.com", "imap.example.com"),
            ("localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("bücher.example", "bücher.example"),
            ("my_host", "my_host"),
        ];
        for (text, read) in good {
            assert_eq!(host(text).as_deref(), Ok(read));
        }
        let bad = [
            ("", "is empty"),
            ("imaps://a", "without"),
            ("a/b", "without"),
            ("me@a", "`user`"),
            ("a:993", "`port`"),
            ("[::1]:993", "`port`"),
            ("a b", "or an address"),
            ("a\r\nb", "or an address"),
            ("-a", "or an address"),
            (".", "or an address"),
        ];
        for (text, told) in bad {
            let fault = host(text).unwrap_err();
            assert!(format!("{} {}", fault.what, fault.remedy).contains(told), "{text:?}: {fault:?}");
        }
    }

    #[test]
    fn only_names_that_cannot_be_here_are_plainly_remote() {
        for here in ["localhost", "LOCALHOST", "a.localhost", "localhost.localdomain", "127.3.2.1", "::1", "mailhub"] {
            assert!(!plainly_remote(here), "{here}");
        }
        for there in ["mail.example.com", "192.0.2.1", "2001:db8::1", "notlocalhost.example", "0.0.0.0"] {
            assert!(plainly_remote(there), "{there}");
        }
        assert!(!plainly_remote("::ffff:127.0.0.1"));
    }
}
