//! Deflated octets in both directions (RFC 4978), between the connection and those who speak IMAP on it.

use super::framer::Garbled;
use crate::net::Outbox;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop;

/// Deflated octets read at once,
const INPUT: usize = 16 << 10;
/// and held back before they are written.
const OUTPUT: usize = 16 << 10;

/// A connection, as it is or deflated.
pub enum Line<S> {
    /// As it is.
    Plain(S),
    /// Both sides deflate what they send.
    Deflated(Box<Deflated<S>>),
}

impl<S> Line<S> {
    /// The connection beneath.
    pub fn stream(&self) -> &S {
        match self {
            Line::Plain(stream) => stream,
            Line::Deflated(deflated) => &deflated.stream,
        }
    }

    /// The connection, as long as nothing is deflated.
    pub fn into_plain(self) -> Option<S> {
        match self {
            Line::Plain(stream) => Some(stream),
            Line::Deflated(_) => None,
        }
    }

    /// From here on, octets are deflated; the server's first ones were read already.
    pub fn deflated(self, read: &[u8]) -> Line<S> {
        match self {
            Line::Plain(stream) => Line::Deflated(Box::new(Deflated::over(stream, read))),
            deflated => deflated,
        }
    }
}

/// A connection on which both sides deflate.
///
/// What the other side sends is inflated into the room that the reader offers, and not before: a few octets that stand for
/// very many take no more memory than these.
pub struct Deflated<S> {
    stream: S,
    inflate: Decompress,
    input: Vec<u8>,
    /// The part of `input` not yet inflated.
    unread: Range<usize>,
    deflate: Compress,
    /// Deflated and not yet written.
    output: Outbox,
    /// The deflater holds something back.
    holds: bool,
}

impl<S> Deflated<S> {
    fn over(stream: S, read: &[u8]) -> Deflated<S> {
        let mut input = read.to_vec();
        input.resize(read.len().max(INPUT), 0);
        Deflated {
            stream,
            inflate: Decompress::new(false),
            input,
            unread: 0..read.len(),
            // Mail that is mostly base64 does not get much smaller by more work.
            deflate: Compress::new(Compression::fast(), false),
            output: Outbox::default(),
            holds: false,
        }
    }

    /// Inflates what was read; how many octets came of it, and whether the other side has ended.
    fn inflate(&mut self, into: &mut [u8]) -> Result<(usize, bool), Garbled> {
        loop {
            let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
            let input = self.input.get(self.unread.clone()).unwrap_or_default();
            let status = self.inflate.decompress(input, into, FlushDecompress::None);
            let status = status.map_err(|_| Garbled::Inflated)?;
            let taken = advance(taken, self.inflate.total_in());
            let given = advance(given, self.inflate.total_out());
            self.unread.start += taken;
            match status {
                _ if given > 0 || self.unread.is_empty() || status == Status::StreamEnd => {
                    return Ok((given, status == Status::StreamEnd));
                }
                _ if taken == 0 => return Err(Garbled::Inflated),
                _ => {}
            }
        }
    }

    fn deflate(&mut self, mut octets: &[u8], flush: FlushCompress) -> io::Result<()> {
        let output = self.output.octets();
        loop {
            output.reserve(OUTPUT);
            let taken = self.deflate.total_in();
            self.deflate.compress_vec(octets, output, flush).map_err(io::Error::other)?;
            octets = octets.get(advance(taken, self.deflate.total_in())..).unwrap_or_default();
            // What is full may have had no room for all.
            if octets.is_empty() && output.len() < output.capacity() {
                return Ok(());
            }
        }
    }
}

/// How far a count went, both times within one buffer's length.
fn advance(before: u64, after: u64) -> usize {
    usize::try_from(after.saturating_sub(before)).unwrap_or_default()
}

impl<S: AsyncWrite + Unpin> Deflated<S> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.output.poll_drain(cx, &mut self.stream)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Deflated<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        // One octet may stand for a thousand: others have to get their turn while they are read.
        let turn = ready!(coop::poll_proceed(cx));
        loop {
            let (given, ended) = me.inflate(into.initialize_unfilled()).map_err(Garbled::into_io)?;
            if given > 0 || ended || into.remaining() == 0 {
                into.advance(given);
                turn.made_progress();
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut me.input);
            ready!(Pin::new(&mut me.stream).poll_read(cx, &mut buffer))?;
            me.unread = 0..buffer.filled().len();
            if me.unread.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Deflated<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        if me.output.waiting() >= OUTPUT {
            ready!(me.poll_drain(cx))?;
        }
        me.deflate(octets, FlushCompress::None)?;
        me.holds |= !octets.is_empty();
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        if std::mem::take(&mut me.holds) {
            me.deflate(&[], FlushCompress::Sync)?;
        }
        ready!(me.poll_drain(cx))?;
        Pin::new(&mut me.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        ready!(Pin::new(&mut *me).poll_flush(cx))?;
        Pin::new(&mut me.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Line::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            Line::Deflated(deflated) => Pin::new(deflated.as_mut()).poll_read(cx, into),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Line::Plain(stream) => Pin::new(stream).poll_write(cx, octets),
            Line::Deflated(deflated) => Pin::new(deflated.as_mut()).poll_write(cx, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Line::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Line::Deflated(deflated) => Pin::new(deflated.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Line::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Line::Deflated(deflated) => Pin::new(deflated.as_mut()).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    fn pair(room: usize) -> (Deflated<DuplexStream>, Deflated<DuplexStream>) {
        let (near, far) = duplex(room);
        (Deflated::over(near, &[]), Deflated::over(far, &[]))
    }

    fn deflated(octets: &[u8]) -> Vec<u8> {
        let mut deflater = Deflated::over((), &[]);
        deflater.deflate(octets, FlushCompress::Sync).unwrap();
        std::mem::take(deflater.output.octets())
    }

    #[tokio::test]
    async fn each_flush_can_be_read_to_its_end() {
        let (mut near, mut far) = pair(1 << 16);
        let mut read = [0; 64];
        for text in ["A0001 NOOP\r\n", "A0002 LOGOUT\r\n", "x"] {
            near.write_all(text.as_bytes()).await.unwrap();
            near.flush().await.unwrap();
            let n = far.read(&mut read).await.unwrap();
            assert_eq!(&read[..n], text.as_bytes());
        }
        // A flush without anything before it sends nothing.
        near.flush().await.unwrap();
        drop(near);
        assert_eq!(far.stream.read(&mut read).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn what_was_read_ahead_comes_first() {
        let (near, mut far) = duplex(64);
        let octets = deflated(b"* OK one\r\n* OK two\r\n");
        let (ahead, later) = octets.split_at(5);
        let mut line = Line::Plain(near).deflated(ahead);
        far.write_all(later).await.unwrap();
        let mut read = [0; 64];
        let n = line.read(&mut read).await.unwrap();
        let m = if n < 20 { line.read(&mut read[n..]).await.unwrap() } else { 0 };
        assert_eq!(&read[..n + m], b"* OK one\r\n* OK two\r\n");
        assert!(line.into_plain().is_none());
    }

    #[tokio::test]
    async fn garbage_is_an_error_and_the_end_is_the_end() {
        // The last is the end of a deflated stream with something behind it.
        for (octets, garbled) in [(&b"\x07\x07"[..], true), (b"", false), (b"\x03\x00A1 OK", false)] {
            let (near, mut far) = duplex(64);
            far.write_all(octets).await.unwrap();
            drop(far);
            let read = Deflated::over(near, &[]).read(&mut [0; 64]).await;
            assert_eq!(read.is_err(), garbled, "{}", String::from_utf8_lossy(octets));
            assert_eq!(read.unwrap_or_default(), 0);
        }
    }

    #[test]
    fn a_bomb_is_inflated_into_the_room_there_is() {
        let bomb = deflated(&vec![b'x'; 1 << 20]);
        assert!(bomb.len() < 16 << 10, "{}", bomb.len());
        let (mut deflated, mut room, mut whole) = (Deflated::over((), &bomb), [0; 1000], 0);
        while let (given @ 1.., false) = deflated.inflate(&mut room).unwrap() {
            assert!(room[..given].iter().all(|b| *b == b'x'));
            whole += given;
        }
        assert_eq!((whole, deflated.unread.len()), (1 << 20, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn what_goes_in_comes_out(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20_000), 1..4), room in 100..5000usize) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let back = runtime.block_on(async {
                let (mut near, mut far) = pair(room);
                let writes = async {
                    for piece in &pieces {
                        near.write_all(piece).await.unwrap();
                        near.flush().await.unwrap();
                    }
                    near.shutdown().await.unwrap();
                };
                let mut back = Vec::new();
                tokio::join!(writes, async { far.read_to_end(&mut back).await.unwrap() });
                back
            });
            prop_assert_eq!(back, pieces.concat());
        }

        #[test]
        fn random_bytes_never_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            let (mut deflated, mut room) = (Deflated::over((), &octets), [0; 100]);
            while let Ok((1.., false)) = deflated.inflate(&mut room) {}
            prop_assert!(deflated.unread.start <= octets.len());
        }
    }
}
