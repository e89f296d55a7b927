//! Octets on their way into a stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use zeroize::Zeroize;

/// What waits to be written, wiped once it is: log-ins pass here.
#[derive(Default)]
pub struct Outbox {
    octets: Vec<u8>,
    /// How many of these the stream has taken.
    written: usize,
}

impl Outbox {
    /// How many octets wait.
    pub fn waiting(&self) -> usize {
        self.octets.len() - self.written
    }

    /// Where more are added, at the end.
    pub fn octets(&mut self) -> &mut Vec<u8> {
        &mut self.octets
    }

    /// Drops all that waits. What was filled is wiped and no more: there may be room for a whole message.
    pub fn clear(&mut self) {
        self.octets.as_mut_slice().zeroize();
        self.octets.clear();
        self.written = 0;
    }

    /// Hands everything to the stream; flushes nothing.
    pub fn poll_drain(&mut self, cx: &mut Context<'_>, stream: &mut (impl AsyncWrite + Unpin)) -> Poll<io::Result<()>> {
        while let Some(rest @ [_, ..]) = self.octets.get(self.written..) {
            match ready!(Pin::new(&mut *stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.written += n,
            }
        }
        self.clear();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, duplex};

    #[tokio::test]
    async fn what_the_stream_does_not_take_waits() {
        let (mut near, mut far) = duplex(4);
        let mut outbox = Outbox::default();
        outbox.octets().extend_from_slice(b"password");
        let drained = poll_fn(|cx| Poll::Ready(outbox.poll_drain(cx, &mut near).is_ready())).await;
        assert_eq!((drained, outbox.waiting()), (false, 4));
        let mut read = [0; 4];
        far.read_exact(&mut read).await.unwrap();
        poll_fn(|cx| outbox.poll_drain(cx, &mut near)).await.unwrap();
        assert_eq!((&read, outbox.waiting()), (b"pass", 0));
        far.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"word");
    }

    #[tokio::test]
    async fn a_stream_that_takes_nothing_is_an_error() {
        struct Full;
        impl AsyncWrite for Full {
            fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
                Poll::Ready(Ok(0))
            }
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
        let mut outbox = Outbox::default();
        poll_fn(|cx| outbox.poll_drain(cx, &mut Full)).await.unwrap();
        outbox.octets().push(b'x');
        let refused = poll_fn(|cx| outbox.poll_drain(cx, &mut Full)).await.unwrap_err();
        assert_eq!((refused.kind(), outbox.waiting()), (io::ErrorKind::WriteZero, 1));
    }
}
