//! What the other tests stand on does what it says: the scripted server is driven with plain text here.

mod dovecot;
mod faults;
mod imap;
mod pop3;
mod program;
mod stores;

use native_tls::{Certificate, TlsConnector, TlsStream};
use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// A connection in the clear.
fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// All that a server says to these lines (joined with CRLF) until it hangs up.
fn exchange(port: u16, lines: &[&str]) -> String {
    let mut stream = connect(port);
    talk(&mut stream, lines)
}

/// The same on a connection that stands. An end that is no orderly end of TLS is an end too.
fn talk(stream: &mut (impl Read + Write), lines: &[&str]) -> String {
    let said: String = lines.iter().map(|l| format!("{l}\r\n")).collect();
    stream.write_all(said.as_bytes()).unwrap();
    let mut heard = Vec::new();
    match stream.read_to_end(&mut heard) {
        Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => panic!("no end after {:?}", text(&heard)),
        _ => text(&heard),
    }
}

/// The next line.
fn line(stream: &mut impl Read) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(b"\n") {
        let mut one = [0];
        stream.read_exact(&mut one).unwrap_or_else(|e| panic!("{e} after {:?}", text(&heard)));
        heard.push(one[0]);
    }
    text(&heard).trim_end().to_owned()
}

/// TLS over a connection, trusting one CA.
fn secure<S: Read + Write + Debug + 'static>(ca_file: &Path, stream: S) -> Result<TlsStream<S>, String> {
    let ca = Certificate::from_pem(&std::fs::read(ca_file).unwrap()).unwrap();
    let connector = TlsConnector::builder().disable_built_in_roots(true).add_root_certificate(ca).build().unwrap();
    connector.connect("localhost", stream).map_err(|e| e.to_string())
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}
