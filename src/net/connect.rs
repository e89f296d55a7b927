//! Opens a connection.

use super::{Server, Stream, TlsMode, Transport, failure};
use crate::error::Result;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// How long one address may take while there is another to try: a broken IPv6 route must not cost a minute.
const NEXT_ADDRESS_AFTER: Duration = Duration::from_secs(5);

/// Connects by TCP and, for [`TlsMode::Implicit`], TLS.
///
/// With [`TlsMode::None`] nothing is sent unless every address of the host is this machine itself, or clear text was
/// allowed: such a connection may carry the secret.
pub async fn connect(server: &Server) -> Result<Stream> {
    let addresses = resolve(server).await?;
    if !may_connect(server, &addresses) {
        return Err(failure::clear_text(server));
    }
    let tcp = dial(&addresses, server.timeout).await.map_err(|e| failure::unreachable(server, e))?;
    let stream = Stream::clear(tcp, server.timeout);
    match server.tls {
        TlsMode::Implicit => stream.start_tls(server).await,
        TlsMode::StartTls | TlsMode::None => Ok(stream),
    }
}

async fn resolve(server: &Server) -> Result<Vec<SocketAddr>> {
    let found = match timeout(server.timeout, lookup_host((server.host.as_str(), server.port))).await {
        Ok(found) => found.map(Vec::from_iter),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    match found {
        Ok(addresses) if addresses.is_empty() => Err(failure::unresolved(server, io::ErrorKind::NotFound.into())),
        Ok(addresses) => Ok(addresses),
        Err(e) => Err(failure::unresolved(server, e)),
    }
}

fn may_connect(server: &Server, addresses: &[SocketAddr]) -> bool {
    match server.tls {
        TlsMode::Implicit | TlsMode::StartTls => true,
        TlsMode::None => server.allow_cleartext || addresses.iter().all(|a| a.ip().to_canonical().is_loopback()),
    }
}

/// Tries the addresses in the order given; the error is that of the last one.
async fn dial(addresses: &[SocketAddr], limit: Duration) -> io::Result<TcpStream> {
    let mut failed = io::ErrorKind::NotFound.into();
    for (left, address) in (0..addresses.len()).rev().zip(addresses) {
        let patience = if left == 0 { limit } else { limit.min(NEXT_ADDRESS_AFTER) };
        match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                tcp.set_nodelay(true)?;
                return Ok(tcp);
            }
            Ok(Err(e)) => failed = e,
            Err(_) => failed = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn server(host: &str, port: u16, tls: TlsMode) -> Server {
        Server {
            host: host.into(),
            port,
            tls,
            ca_file: None,
            pins: Vec::new(),
            allow_cleartext: false,
            compress: None,
            pipelining: true,
            timeout: Duration::from_millis(100),
        }
    }

    #[test]
    fn clear_text_stays_on_this_machine_unless_allowed() {
        let table = [
            ("127.0.0.1:110", true),
            ("127.8.9.10:110", true),
            ("[::1]:110", true),
            ("[::ffff:127.0.0.1]:110", true),
            ("0.0.0.0:110", false),
            ("192.0.2.1:110", false),
            ("[2001:db8::1]:110", false),
            ("[::ffff:192.0.2.1]:110", false),
        ];
        let mut clear = server("x", 110, TlsMode::None);
        for (address, allowed) in table {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(may_connect(&clear, &[address]), allowed, "{address}");
            assert!(may_connect(&server("x", 110, TlsMode::StartTls), &[address]));
            let local = "127.0.0.1:110".parse().unwrap();
            assert_eq!(may_connect(&clear, &[local, address]), allowed, "each address counts: {address}");
        }
        clear.allow_cleartext = true;
        assert!(may_connect(&clear, &["192.0.2.1:110".parse().unwrap()]));
    }

    #[tokio::test]
    async fn clear_text_to_elsewhere_is_a_config_error_before_anything_is_sent() {
        let e = connect(&server("192.0.2.1", 110, TlsMode::None)).await.unwrap_err();
        assert_eq!(e.kind(), Kind::Config);
        assert!(e.to_string().starts_with("192.0.2.1:110 is not on this machine"), "{e}");
        assert!(e.remedy().contains("allow_cleartext = true"), "{}", e.remedy());
    }

    #[tokio::test]
    async fn nobody_there_may_be_tried_later() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let e = connect(&server("127.0.0.1", port, TlsMode::None)).await.unwrap_err();
        assert_eq!(e.kind(), Kind::TryLater);
        assert!(e.to_string().contains(&format!("cannot connect to 127.0.0.1:{port}: Connection refused")), "{e}");
        assert!(e.remedy().contains(&format!("127.0.0.1:{port}")), "{}", e.remedy());

        let e = connect(&server("no.such.host.invalid", 993, TlsMode::Implicit)).await.unwrap_err();
        assert_eq!(e.kind(), Kind::TryLater);
        assert!(e.to_string().starts_with("cannot find the address of no.such.host.invalid: "), "{e}");
        assert!(e.remedy().contains("no.such.host.invalid:993"), "{}", e.remedy());
    }

    #[tokio::test]
    async fn the_next_address_is_tried() {
        let there = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let gone = there;
        let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
        let tcp = dial(&[gone, listener.local_addr().unwrap()], Duration::from_secs(5)).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), listener.local_addr().unwrap());
        assert!(tcp.nodelay().unwrap());
    }

    #[tokio::test]
    async fn silence_times_out_and_traffic_does_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = server("127.0.0.1", listener.local_addr().unwrap().port(), TlsMode::None);
        let mut stream = connect(&server).await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        assert!(!stream.is_encrypted() && stream.is_near());
        assert_eq!(stream.peer_sha256(), None);

        peer.write_all(b"+OK\r\n").await.unwrap();
        let mut read = [0; 16];
        assert_eq!(stream.read(&mut read).await.unwrap(), 5);
        assert_eq!(stream.read(&mut read).await.unwrap_err().kind(), io::ErrorKind::TimedOut);

        // A peer that does not read: the writes fill the buffers of the system, then fall silent.
        let chunk = [0; 64 * 1024];
        let stuck = loop {
            if let Err(e) = stream.write_all(&chunk).await {
                break e;
            }
        };
        assert_eq!(stuck.kind(), io::ErrorKind::TimedOut);

        // A peer that leaves with our bytes unread resets the connection.
        drop(peer);
        assert_eq!(stream.read(&mut read).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn streams_and_their_making_may_move_between_threads() {
        fn movable<T: Send + Unpin + std::fmt::Debug>() {}
        fn sends<T: Send>(_: &T) {}
        movable::<Stream>();
        sends(&connect(&server("127.0.0.1", 1, TlsMode::Implicit)));
    }
}
