//! Real handshakes with a real acceptor on a loopback port.

use crate::error::{Error, Kind};
use crate::net::{Pin, Server, Stream, TlsMode, Transport, connect};
use native_tls::{Identity, TlsAcceptor};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A certificate with its key and digest.
struct Shown {
    pem: String,
    key: String,
    pin: Pin,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, format!("test {name}"));
    params
}

fn self_signed(params: CertificateParams) -> Shown {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Shown { pem: certificate.pem(), key: key.serialize_pem(), pin: Pin::of(certificate.der()) }
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, params: CertificateParams) -> Shown {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Shown { pem: certificate.pem(), key: key.serialize_pem(), pin: Pin::of(certificate.der()) }
    }
}

/// How a test server treats its connections.
#[derive(Clone, Copy)]
enum Manner {
    /// TLS at once; echoes one line; takes leave.
    Echo,
    /// The same after a POP3 or IMAP dialogue: greeting, answer to the command.
    After(&'static str, &'static str),
    /// No TLS: says this and closes.
    Clear(&'static str),
    /// Says nothing at all, until the client leaves.
    Mute,
}

/// What the server got on one connection.
#[derive(Debug, PartialEq, Eq)]
struct Got {
    clear: String,
    encrypted: String,
}

/// Serves each connection in turn; the port, and what each one brought.
fn serve(shown: &Shown, manner: Manner) -> (u16, Receiver<Got>) {
    let identity = Identity::from_pkcs8(shown.pem.as_bytes(), shown.key.as_bytes()).unwrap();
    let acceptor = TlsAcceptor::new(identity).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, got) = channel();
    thread::spawn(move || {
        for tcp in listener.incoming() {
            let mut seen = Got { clear: String::new(), encrypted: String::new() };
            let _ = treat(tcp.unwrap(), &acceptor, manner, &mut seen);
            if tell.send(seen).is_err() {
                break;
            }
        }
    });
    (port, got)
}

fn treat(mut tcp: TcpStream, acceptor: &TlsAcceptor, manner: Manner, got: &mut Got) -> io::Result<()> {
    tcp.set_read_timeout(Some(Duration::from_secs(5)))?;
    match manner {
        Manner::Echo => {}
        Manner::After(greeting, answer) => {
            tcp.write_all(greeting.as_bytes())?;
            got.clear = line(&mut tcp)?;
            tcp.write_all(answer.as_bytes())?;
        }
        Manner::Clear(text) => return tcp.write_all(text.as_bytes()),
        Manner::Mute => return tcp.read_to_end(&mut Vec::new()).map(|_| ()),
    }
    let mut tls = acceptor.accept(tcp).map_err(|e| io::Error::other(e.to_string()))?;
    got.encrypted = line(&mut tls)?;
    tls.write_all(got.encrypted.as_bytes())?;
    tls.shutdown()
}

fn line(from: &mut impl Read) -> io::Result<String> {
    let mut line = String::new();
    while !line.ends_with('\n') {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        line.push(byte[0].into());
    }
    Ok(line)
}

fn server(host: &str, port: u16) -> Server {
    Server {
        host: host.into(),
        port,
        tls: TlsMode::Implicit,
        ca_file: None,
        pins: Vec::new(),
        allow_cleartext: false,
        compress: None,
        pipelining: true,
        timeout: Duration::from_secs(5),
    }
}

fn file(dir: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

async fn echoes(stream: &mut Stream) {
    stream.write_all(b"hello\n").await.unwrap();
    let mut back = [0; 6];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"hello\n");
}

async fn refused(server: &Server) -> Error {
    match connect(server).await {
        Ok(_) => panic!("accepted"),
        Err(e) => e,
    }
}

/// Checks a refusal: exit 69, the words, and that not one byte reached the server in any of its connections.
fn check_refusal(e: &Error, words: &str, pin: Pin, got: &Receiver<Got>, connections: usize) {
    assert_eq!(e.kind(), Kind::Unavailable, "{e}");
    assert!(e.to_string().contains(words), "{e}");
    assert!(e.to_string().contains("no password was sent"), "{e}");
    assert!(e.remedy().contains(&format!("`pin_sha256 = [\"{pin}\"]`")), "{}", e.remedy());
    for _ in 0..connections {
        let seen = got.recv_timeout(Duration::from_secs(6)).unwrap();
        assert_eq!(seen, Got { clear: String::new(), encrypted: String::new() });
    }
}

#[tokio::test]
async fn a_ca_file_vouches_for_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let shown = ours.issue(params("localhost"));
    let both = file(&dir, "both.pem", &format!("# two\n{}\n{}", other.0.pem(), ours.0.pem()));
    let (port, got) = serve(&shown, Manner::Echo);
    let mut stream = connect(&Server { ca_file: Some(both), ..server("localhost", port) }).await.unwrap();
    assert!(stream.is_encrypted());
    assert_eq!(stream.peer_sha256(), Some(shown.pin));
    echoes(&mut stream).await;
    assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 0, "a goodbye is a clean end");
    assert_eq!(got.recv().unwrap().encrypted, "hello\n");
}

#[tokio::test]
async fn a_self_signed_certificate_is_its_own_ca_file() {
    let dir = tempfile::tempdir().unwrap();
    let shown = self_signed(params("127.0.0.1"));
    let own = file(&dir, "own.pem", &shown.pem);
    let (port, _got) = serve(&shown, Manner::Echo);
    let mut stream = connect(&Server { ca_file: Some(own), ..server("127.0.0.1", port) }).await.unwrap();
    echoes(&mut stream).await;
}

#[tokio::test]
async fn untrusted_certificates_are_refused_before_anything_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let (ours_pem, other_pem) = (file(&dir, "ours.pem", &ours.0.pem()), file(&dir, "other.pem", &other.0.pem()));
    let mut expired = params("localhost");
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2021, 1, 1);
    let mut future = params("localhost");
    future.not_before = date_time_ymd(3000, 1, 1);
    future.not_after = date_time_ymd(3001, 1, 1);
    let ca = |path: &Path| Some(path.to_owned());
    let table = [
        (
            self_signed(params("localhost")),
            None,
            "no authority that this machine trusts has signed it (self-signed",
            "ca_file",
        ),
        (self_signed(params("localhost")), ca(&ours_pem), "no authority that this machine trusts", "ca_file"),
        (ours.issue(params("localhost")), None, "no authority that this machine trusts", "ca_file"),
        (ours.issue(params("localhost")), ca(&other_pem), "no authority that this machine trusts", "ca_file"),
        (ours.issue(expired), ca(&ours_pem), "it has expired (certificate has expired)", "renew it"),
        (ours.issue(future), ca(&ours_pem), "it is not valid yet", "clock"),
        (
            ours.issue(params("mail.example.org")),
            ca(&ours_pem),
            "it is for another host name (hostname mismatch)",
            "`host`",
        ),
    ];
    for (shown, ca_file, words, remedy) in table {
        let (port, got) = serve(&shown, Manner::Echo);
        let e = refused(&Server { ca_file, ..server("localhost", port) }).await;
        check_refusal(&e, words, shown.pin, &got, 2);
        assert!(e.to_string().contains(&format!("localhost:{port}")), "{e}");
        assert!(e.remedy().contains(remedy) && e.remedy().contains("ca_file"), "{}", e.remedy());
    }
}

#[tokio::test]
async fn an_address_must_be_in_the_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let shown = self_signed(params("localhost"));
    let own = file(&dir, "own.pem", &shown.pem);
    let (port, got) = serve(&shown, Manner::Echo);
    let e = refused(&Server { ca_file: Some(own), ..server("127.0.0.1", port) }).await;
    check_refusal(&e, "it is for another host name (IP address mismatch)", shown.pin, &got, 2);
}

#[tokio::test]
async fn pins_alone_decide() {
    let dir = tempfile::tempdir().unwrap();
    let ours = Authority::new("ours");
    let ours_pem = file(&dir, "ours.pem", &ours.0.pem());
    let stranger = Pin([7; 32]);

    // Wrong name, expired, signed by nobody: the pin stands in for all of that.
    let mut params_ = params("elsewhere.example");
    params_.not_before = date_time_ymd(2020, 1, 1);
    params_.not_after = date_time_ymd(2021, 1, 1);
    let shown = self_signed(params_);
    for pins in [vec![shown.pin], vec![stranger, shown.pin]] {
        let (port, _got) = serve(&shown, Manner::Echo);
        let mut stream = connect(&Server { pins, ..server("localhost", port) }).await.unwrap();
        assert_eq!(stream.peer_sha256(), Some(shown.pin));
        echoes(&mut stream).await;
    }

    // And no authority stands in for a pin.
    let shown = ours.issue(params("localhost"));
    for pins in [vec![stranger], vec![stranger, Pin::of(ours.0.der())]] {
        let (port, got) = serve(&shown, Manner::Echo);
        let e = refused(&Server { pins, ca_file: Some(ours_pem.clone()), ..server("localhost", port) }).await;
        check_refusal(&e, "is not one of those pinned", shown.pin, &got, 1);
    }
}

#[tokio::test]
async fn a_bad_ca_file_is_a_config_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let shown = self_signed(params("localhost"));
    let (port, _got) = serve(&shown, Manner::Echo);
    let torn = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    for (path, words) in [
        (dir.path().join("missing.pem"), "cannot read ca_file"),
        (file(&dir, "empty.pem", ""), "holds no readable PEM certificate"),
        (file(&dir, "key.pem", &shown.key), "holds no readable PEM certificate"),
        (file(&dir, "torn.pem", torn), "holds no readable PEM certificate"),
        (file(&dir, "half.pem", &format!("{}{torn}", shown.pem)), "holds no readable PEM certificate"),
    ] {
        let e = refused(&Server { ca_file: Some(path.clone()), ..server("localhost", port) }).await;
        assert_eq!(e.kind(), Kind::Config, "{e}");
        assert!(e.to_string().contains(words) && e.to_string().contains(path.to_str().unwrap()), "{e}");
    }
}

#[tokio::test]
async fn a_refusal_after_starttls_shows_the_pin_too() {
    for (greeting, command, answer) in [
        ("+OK ready\r\n", "STLS\r\n", "+OK go on\r\n"),
        ("* OK ready\r\n", "1 STARTTLS\r\n", "* CAPABILITY IMAP4rev1\r\n1 OK go on\r\n"),
    ] {
        let shown = self_signed(params("localhost"));
        let (port, got) = serve(&shown, Manner::After(greeting, answer));
        let starttls = Server { tls: TlsMode::StartTls, ..server("localhost", port) };

        for (pins, connections) in [(Vec::new(), 2), (vec![Pin([7; 32])], 1)] {
            let server = Server { pins, ..starttls.clone() };
            let e = agreed(&server, greeting, command, answer).await.start_tls(&server).await.unwrap_err();
            assert_eq!(e.kind(), Kind::Unavailable, "{e}");
            assert!(e.remedy().contains(&shown.pin.to_string()), "{}", e.remedy());
            for _ in 0..connections {
                let seen = got.recv_timeout(Duration::from_secs(6)).unwrap();
                assert_eq!(seen, Got { clear: command.into(), encrypted: String::new() });
            }
        }

        let server = Server { pins: vec![shown.pin], ..starttls };
        let mut stream = agreed(&server, greeting, command, answer).await.start_tls(&server).await.unwrap();
        assert!(stream.is_encrypted());
        echoes(&mut stream).await;
        assert_eq!(got.recv().unwrap(), Got { clear: command.into(), encrypted: "hello\n".into() });
    }
}

/// A clear connection on which the command that starts TLS was answered.
async fn agreed(server: &Server, greeting: &str, command: &str, answer: &str) -> Stream {
    let mut stream = connect(server).await.unwrap();
    assert!(!stream.is_encrypted());
    let mut read = vec![0; greeting.len()];
    stream.read_exact(&mut read).await.unwrap();
    stream.write_all(command.as_bytes()).await.unwrap();
    let mut read = vec![0; answer.len()];
    stream.read_exact(&mut read).await.unwrap();
    stream
}

#[tokio::test]
async fn a_link_cut_in_the_handshake_may_be_tried_again_and_garbage_not() {
    let shown = self_signed(params("localhost"));
    for (manner, kind, words, remedy) in [
        (Manner::Clear(""), Kind::TryLater, "while starting TLS", "Run again later"),
        (Manner::Mute, Kind::TryLater, "for 300 ms while starting TLS", "Run again later"),
        (
            Manner::Clear("* OK IMAP4rev1 ready\r\n"),
            Kind::Unavailable,
            ": wrong version number; no password",
            "tls = \"starttls\"",
        ),
    ] {
        let (port, _got) = serve(&shown, manner);
        let e = refused(&Server { timeout: Duration::from_millis(300), ..server("localhost", port) }).await;
        assert_eq!(e.kind(), kind, "{e}");
        assert!(e.to_string().contains(words), "{e}");
        assert!(e.remedy().contains(remedy), "{}", e.remedy());
    }
}
