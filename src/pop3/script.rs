//! The other end for tests: plays a transcript, or sends octets and hangs up.

use crate::credentials::{Login, Secret};
use crate::error::Result;
use crate::net::{Server, TlsMode, Transport};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, ReadBuf, duplex};
use tokio::task::JoinHandle;

/// `mx.example` on a clear line.
pub(super) fn server() -> Server {
    Server {
        host: "mx.example".to_owned(),
        port: 110,
        tls: TlsMode::None,
        ca_file: None,
        pins: Vec::new(),
        allow_cleartext: true,
        compress: None,
        pipelining: true,
        timeout: Duration::from_secs(10),
    }
}

/// `me` with `secret`.
pub(super) fn login() -> Login {
    Login::new("me", Secret::new("secret".to_owned()))
}

/// A pipe that stands in for a TCP connection, and takes TLS for granted.
#[derive(Debug)]
pub(super) struct Pipe {
    inner: DuplexStream,
    encrypted: bool,
}

impl Pipe {
    pub fn clear(inner: DuplexStream) -> Pipe {
        Pipe { inner, encrypted: false }
    }

    pub fn encrypted(inner: DuplexStream) -> Pipe {
        Pipe { inner, encrypted: true }
    }
}

impl Transport for Pipe {
    async fn start_tls(self, _: &Server) -> Result<Pipe> {
        Ok(Pipe::encrypted(self.inner))
    }

    fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    fn is_near(&self) -> bool {
        true
    }
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Plays a transcript: `C: ` lines are demanded, `S: ` lines are said, those that follow each other in one write. At its
/// end the other end hangs up. A demanded line that ends with ` *` may go on. The task gives what the client said beyond it.
pub(super) fn play(transcript: &str) -> (DuplexStream, JoinHandle<String>) {
    let (ours, theirs) = duplex(1 << 20);
    let lines: Vec<String> = transcript.lines().map(|l| l.trim_start().to_owned()).filter(|l| !l.is_empty()).collect();
    let task = tokio::spawn(async move {
        let (read, mut write) = tokio::io::split(theirs);
        let mut read = BufReader::new(read);
        let mut speech = Vec::new();
        for line in lines {
            if let Some(said) = line.strip_prefix("S:") {
                speech.extend_from_slice(said.strip_prefix(' ').unwrap_or(said).as_bytes());
                speech.extend_from_slice(b"\r\n");
                continue;
            }
            write.write_all(&std::mem::take(&mut speech)).await.unwrap();
            let demanded = line.strip_prefix("C:").unwrap_or_else(|| panic!("neither C: nor S: {line}"));
            let demanded = demanded.strip_prefix(' ').unwrap_or(demanded);
            let mut heard = String::new();
            read.read_line(&mut heard).await.unwrap();
            match demanded.strip_suffix(" *") {
                Some(start) => assert!(heard.starts_with(start), "{heard}"),
                None => assert_eq!(heard.trim_end_matches("\r\n"), demanded),
            }
            assert!(heard.ends_with("\r\n"), "the client hung up where {demanded} was due");
        }
        write.write_all(&speech).await.unwrap();
        write.shutdown().await.unwrap();
        let mut beyond = String::new();
        while read.read_line(&mut beyond).await.is_ok_and(|n| n > 0) {}
        beyond
    });
    (ours, task)
}

/// Says all at once, whatever the client says, and hangs up.
pub(super) fn say(octets: &[u8]) -> DuplexStream {
    let (ours, mut theirs) = duplex(1 << 20);
    let octets = octets.to_vec();
    tokio::spawn(async move {
        theirs.write_all(&octets).await.unwrap();
        theirs.shutdown().await.unwrap();
        tokio::io::copy(&mut theirs, &mut tokio::io::sink()).await.unwrap();
    });
    ours
}
