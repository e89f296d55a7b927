//! A connection that enforces its time-out.

use super::{Pin, Server, tls};
use crate::error::Result;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin as StdPin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// What a session runs on: a [`Stream`], or one in memory.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug + Sized {
    /// Starts TLS, after both sides agreed to. Nothing may have been read ahead.
    fn start_tls(self, server: &Server) -> impl Future<Output = Result<Self>> + Send;

    /// Whether octets are encrypted.
    fn is_encrypted(&self) -> bool;

    /// Whether the other side is this machine: octets cost nothing then.
    fn is_near(&self) -> bool;
}

/// A TCP connection, clear or encrypted. A read or write that stays silent for the server's time-out fails with
/// [`io::ErrorKind::TimedOut`].
///
/// Trap: the end of the stream is no proof that the server was done, not even with TLS, as the TLS library may report a
/// cut link in the same way. Only the protocol's own end of an answer is.
pub struct Stream {
    line: Line,
    near: bool,
    reads: Silence,
    writes: Silence,
}

enum Line {
    Clear(TcpStream),
    Tls(Box<tls::Encrypted>),
}

impl Stream {
    pub(super) fn clear(tcp: TcpStream, timeout: Duration) -> Stream {
        let near = tcp.peer_addr().is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
        Stream { line: Line::Clear(tcp), near, reads: Silence::new(timeout), writes: Silence::new(timeout) }
    }

    /// SHA-256 of the certificate that the server showed; `None` on a clear connection.
    pub fn peer_sha256(&self) -> Option<Pin> {
        match &self.line {
            Line::Clear(_) => None,
            Line::Tls(tls) => tls::peer_pin(tls),
        }
    }
}

impl Transport for Stream {
    /// A connection that is encrypted already stays as it is.
    async fn start_tls(self, server: &Server) -> Result<Stream> {
        let line = match self.line {
            Line::Clear(tcp) => Line::Tls(Box::new(tls::handshake(tcp, server).await?)),
            tls => tls,
        };
        Ok(Stream { line, reads: Silence::new(server.timeout), writes: Silence::new(server.timeout), ..self })
    }

    fn is_encrypted(&self) -> bool {
        matches!(self.line, Line::Tls(_))
    }

    fn is_near(&self) -> bool {
        self.near
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("encrypted", &self.is_encrypted()).finish_non_exhaustive()
    }
}

/// Measures how long one direction has been waiting. The timer is set only once something waits, so that a busy
/// connection never touches it.
struct Silence {
    limit: Duration,
    timer: Option<StdPin<Box<Sleep>>>,
    waiting: bool,
}

impl Silence {
    fn new(limit: Duration) -> Silence {
        Silence { limit, timer: None, waiting: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let deadline = Instant::now() + self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if !self.waiting {
            self.waiting = true;
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx).map(|()| io::ErrorKind::TimedOut.into())
    }
}

impl Stream {
    /// Turns an outcome of `step` into the final one. Whatever moves, in either direction, ends the silence of both: a
    /// long upload must not time out the read that waits for its answer.
    fn guard<T>(
        &mut self,
        cx: &mut Context<'_>,
        direction: fn(&mut Stream) -> &mut Silence,
        step: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match step {
            Poll::Ready(outcome) => {
                self.reads.waiting = false;
                self.writes.waiting = false;
                Poll::Ready(outcome)
            }
            Poll::Pending => direction(self).poll(cx).map(Err),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: StdPin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let step = match &mut self.line {
            Line::Clear(tcp) => StdPin::new(tcp).poll_read(cx, buf),
            Line::Tls(tls) => StdPin::new(tls.as_mut()).poll_read(cx, buf),
        };
        self.guard(cx, |s| &mut s.reads, step)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: StdPin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let step = match &mut self.line {
            Line::Clear(tcp) => StdPin::new(tcp).poll_write(cx, buf),
            Line::Tls(tls) => StdPin::new(tls.as_mut()).poll_write(cx, buf),
        };
        self.guard(cx, |s| &mut s.writes, step)
    }

    fn poll_flush(mut self: StdPin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let step = match &mut self.line {
            Line::Clear(tcp) => StdPin::new(tcp).poll_flush(cx),
            Line::Tls(tls) => StdPin::new(tls.as_mut()).poll_flush(cx),
        };
        self.guard(cx, |s| &mut s.writes, step)
    }

    fn poll_shutdown(mut self: StdPin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let step = match &mut self.line {
            Line::Clear(tcp) => StdPin::new(tcp).poll_shutdown(cx),
            Line::Tls(tls) => StdPin::new(tls.as_mut()).poll_shutdown(cx),
        };
        self.guard(cx, |s| &mut s.writes, step)
    }
}
