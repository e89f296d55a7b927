//! A second look at a refused certificate, so that its owner can be asked about it.

use super::{Pin, Server, TlsMode, tls};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Octets of clear text that the server may send before TLS.
const MOST: usize = 16 * 1024;

/// Connects once more, accepts whatever certificate is shown and hangs up at once; nothing is sent but the command that
/// starts TLS. `None` where that does not work out within ten seconds.
pub(super) async fn peer_pin(peer: SocketAddr, server: &Server) -> Option<Pin> {
    let look = async {
        let mut tcp = TcpStream::connect(peer).await.ok()?;
        if server.tls == TlsMode::StartTls {
            ask_for_tls(&mut tcp).await?;
        }
        let tls = tls::trusting_any().connect(server.host.as_str(), tcp).await.ok()?;
        tls::peer_pin(&tls)
    };
    timeout(server.timeout.min(Duration::from_secs(10)), look).await.ok()?
}

/// Says STLS (RFC 2595 section 4) or STARTTLS (RFC 9051 section 6.2.1), whichever the greeting calls for.
async fn ask_for_tls(tcp: &mut TcpStream) -> Option<()> {
    let mut left = MOST;
    let greeting = line(tcp, &mut left).await?;
    if greeting.starts_with(b"+OK") {
        tcp.write_all(b"STLS\r\n").await.ok()?;
        return line(tcp, &mut left).await?.starts_with(b"+OK").then_some(());
    }
    if greeting.starts_with(b"* OK") {
        tcp.write_all(b"1 STARTTLS\r\n").await.ok()?;
        loop {
            let answer = line(tcp, &mut left).await?;
            if answer.starts_with(b"1 ") {
                return answer.to_ascii_uppercase().starts_with(b"1 OK").then_some(());
            }
        }
    }
    None
}

/// Reads one line byte by byte: what follows it belongs to the handshake.
async fn line(tcp: &mut TcpStream, left: &mut usize) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        *left = left.checked_sub(1)?;
        line.push(tcp.read_u8().await.ok()?);
    }
    Some(line)
}
