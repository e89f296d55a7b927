//! TLS and what it trusts.

use super::{Pin, Server, failure, probe};
use crate::error::{Error, Kind, Result};
use async_native_tls::{Certificate, Protocol, TlsConnector, TlsStream};
use std::io;
use std::path::Path;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[cfg(test)]
mod tests;

/// Octets read at once: OpenSSL alone asks for each TLS record twice, for its five octets of header and for its body.
const AT_ONCE: usize = 64 << 10;

/// A connection under TLS.
pub(super) type Encrypted = TlsStream<BufReader<TcpStream>>;

/// Encrypts a connection and makes sure of the server: by its pins where there are any, else by the roots of the system
/// and `ca_file`. Where it fails, no byte of ours was sent inside or after the handshake.
pub(super) async fn handshake(tcp: TcpStream, server: &Server) -> Result<Encrypted> {
    let peer = tcp.peer_addr();
    let pinned = !server.pins.is_empty();
    let connector = if pinned { trusting_any() } else { trusting_roots(server.ca_file.as_deref())? };
    let tls =
        match timeout(server.timeout, connector.connect(server.host.as_str(), BufReader::with_capacity(AT_ONCE, tcp)))
            .await
        {
            Ok(Ok(tls)) => tls,
            Ok(Err(e)) => match cut(&e) {
                Some(cause) => return Err(failure::cut_in_handshake(server, cause)),
                None if failure::blames_certificate(&e.to_string()) => {
                    let seen = match peer {
                        Ok(peer) => probe::peer_pin(peer, server).await,
                        Err(_) => None,
                    };
                    return Err(failure::untrusted(server, &e.to_string(), seen));
                }
                None => return Err(failure::tls_failed(server, &e.to_string())),
            },
            Err(_) => return Err(failure::cut_in_handshake(server, io::ErrorKind::TimedOut.into())),
        };
    if pinned {
        match peer_pin(&tls) {
            Some(pin) if server.pins.contains(&pin) => {}
            Some(pin) => return Err(failure::unpinned(server, pin)),
            None => return Err(failure::tls_failed(server, "the server showed no certificate")),
        }
    }
    Ok(tls)
}

/// SHA-256 of the certificate that the other side showed.
pub(super) fn peer_pin<S: AsyncRead + AsyncWrite + Unpin>(tls: &TlsStream<S>) -> Option<Pin> {
    let certificate = tls.peer_certificate().ok()??;
    Some(Pin::of(&certificate.to_der().ok()?))
}

/// Accepts whatever certificate is shown, provided that the peer holds its key: for pins and for [`probe`] only.
pub(super) fn trusting_any() -> TlsConnector {
    modern().danger_accept_invalid_certs(true).danger_accept_invalid_hostnames(true)
}

fn trusting_roots(ca_file: Option<&Path>) -> Result<TlsConnector> {
    Ok(certificates(ca_file)?.into_iter().fold(modern(), TlsConnector::add_root_certificate))
}

/// RFC 8996: nothing below TLS 1.2.
fn modern() -> TlsConnector {
    TlsConnector::new().min_protocol_version(Some(Protocol::Tlsv12))
}

/// The certificates of a PEM file; at least one.
fn certificates(ca_file: Option<&Path>) -> Result<Vec<Certificate>> {
    let Some(path) = ca_file else { return Ok(Vec::new()) };
    let shown = path.display();
    let pem = std::fs::read(path).map_err(|e| {
        Error::new(Kind::Config, format!("cannot read ca_file {shown}"), "Correct the path or make the file readable.")
            .because(e)
    })?;
    match native_tls::Certificate::stack_from_pem(&pem) {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(Error::new(
            Kind::Config,
            format!("ca_file {shown} holds no readable PEM certificate"),
            "Name a file with one or more blocks that begin with -----BEGIN CERTIFICATE-----.",
        )),
    }
}

/// The broken connection behind a failed handshake, if that is what it was.
fn cut(e: &async_native_tls::Error) -> Option<io::Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(e);
    while let Some(c) = cause {
        if let Some(io) = c.downcast_ref::<io::Error>() {
            return Some(io.kind().into());
        }
        cause = c.source();
    }
    e.to_string().to_lowercase().contains("unexpected eof").then(|| io::ErrorKind::UnexpectedEof.into())
}
