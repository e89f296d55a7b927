//! A connection that enforces its time-out.

use super::Server;
use crate::error::Result;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A TCP connection, clear or encrypted. A read or write that stays silent for the server's time-out fails with
/// [`io::ErrorKind::TimedOut`].
#[derive(Debug)]
pub struct Stream {}

impl Stream {
    /// Starts TLS on a clear connection (after STLS or STARTTLS was agreed). Nothing may have been read ahead.
    pub async fn start_tls(self, server: &Server) -> Result<Stream> {
        let _ = server;
        todo!()
    }

    /// Whether bytes are encrypted.
    pub fn is_encrypted(&self) -> bool {
        todo!()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        todo!()
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        todo!()
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        todo!()
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        todo!()
    }
}
