//! The stream under async-imap: what of the server's output reaches imap-proto, and what our own parsers take.
//!
//! imap-proto 0.17 gives up the connection at a line it does not know, panics on some server text, takes quadratic time
//! for long lines and drops the escapes of quoted strings; async-imap 0.12 holds every literal in memory twice. So each
//! response is cut out here and kept for us ([`Wire::take`]), and async-imap is given a line in its place that it cannot
//! stumble over: for a completion its tag and status, for `+` a bare `+`, for anything else an empty `* OK`. It reads one
//! response at a time: nothing of the next is taken before that.

use super::deflate::Line;
use super::framer::{Frame, Framer, Garbled};
use crate::net::Outbox;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const READ_BUFFER: usize = 64 << 10;
/// Octets of commands held back before a flush is asked for.
const WRITE_BUFFER: usize = 16 << 10;

/// A connection as async-imap sees it. Without a stream it answers one log-in by itself: the only way to a
/// [`async_imap::Session`], whose own log-in can neither continue a literal nor hand on what the server said.
pub struct Wire<S> {
    line: Option<Line<S>>,
    input: Box<[u8]>,
    /// The part of `input` not yet cut.
    unread: std::ops::Range<usize>,
    framer: Framer,
    frame: Option<Frame>,
    /// What async-imap reads next.
    stand_in: VecDeque<u8>,
    output: Outbox,
    /// Flushes wait.
    corked: bool,
    /// One has waited, and is not done yet.
    owing: bool,
}

/// Bytes that came in clear text behind the agreement to start TLS.
#[derive(Debug, PartialEq, Eq)]
pub struct Injected;

impl<S> Wire<S> {
    /// A wire without a stream. The log-in it answers is the first command of a session.
    pub fn rehearsal() -> Wire<S> {
        Wire {
            line: None,
            input: vec![0; READ_BUFFER].into_boxed_slice(),
            unread: 0..0,
            framer: Framer::default(),
            frame: None,
            stand_in: VecDeque::from(*b"A0001 OK\r\n"),
            output: Outbox::default(),
            corked: false,
            owing: false,
        }
    }

    /// Connects it.
    pub fn attach(&mut self, stream: S) {
        self.line = Some(Line::Plain(stream));
    }

    /// The stream, to start TLS on it.
    pub fn detach(&mut self) -> Result<Option<S>, Injected> {
        if !self.unread.is_empty() || !self.framer.begun().is_empty() || !self.stand_in.is_empty() {
            return Err(Injected);
        }
        Ok(self.line.take().and_then(Line::into_plain))
    }

    /// From the next octet on, both sides deflate what they send (RFC 4978). What is behind the response that was taken last
    /// is deflated already.
    pub fn deflate(&mut self) {
        let read = self.input.get(std::mem::take(&mut self.unread)).unwrap_or_default();
        self.line = self.line.take().map(|line| line.deflated(read));
    }

    /// Whether they do.
    pub fn is_deflated(&self) -> bool {
        matches!(self.line, Some(Line::Deflated(_)))
    }

    /// Lets flushes wait, so that short pieces go out together, or no longer; whether one has waited, and was not done since.
    pub fn cork(&mut self, corked: bool) -> bool {
        self.owing |= self.corked;
        self.corked = corked;
        self.owing
    }

    /// Sends nothing more of what was written: the server does not read it.
    pub fn drop_output(&mut self) {
        self.output.clear();
        (self.corked, self.owing) = (false, false);
    }

    /// Ends the connection. What is written from now on goes nowhere, and what is read is the end.
    pub fn hang_up(&mut self) {
        self.line = None;
        self.unread = 0..0;
        self.framer = Framer::default();
        self.stand_in.clear();
        self.output.clear();
    }

    /// The connected stream.
    pub fn stream(&self) -> Option<&S> {
        self.line.as_ref().map(Line::stream)
    }

    /// The response behind the line that async-imap read last.
    pub fn take(&mut self) -> Option<Frame> {
        self.frame.take()
    }

    /// Cuts the next response out of what was read; whether there is one.
    fn cut(&mut self) -> Result<bool, Garbled> {
        let bytes = self.input.get(self.unread.clone()).unwrap_or_default();
        let (used, frame) = self.framer.feed(bytes)?;
        self.unread.start += used;
        let Some(frame) = frame else { return Ok(false) };
        self.stand_in.extend(stand_in(&frame.text)?);
        self.frame = Some(frame);
        Ok(true)
    }

    /// The end of the stream, or garbage where the peer does not even speak in lines.
    fn ended(&self) -> io::Result<()> {
        match self.framer.begun() {
            [] | [b'*' | b'+' | b'A', ..] => Ok(()),
            text => Err(Garbled::NoResponse(text.to_vec()).into_io()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(line) = self.line.as_mut() else {
            self.output.clear();
            return Poll::Ready(Ok(()));
        };
        match self.output.poll_drain(cx, line) {
            Poll::Pending => self.read_ahead(cx),
            done => done,
        }
    }

    /// Nothing can be written for now: the server may not read on before its answers are read. Takes in what there is to
    /// read, as far as there is room for it.
    fn read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(line) = self.line.as_mut() else { return Poll::Pending };
        self.input.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        loop {
            let room = self.input.get_mut(self.unread.end..).unwrap_or_default();
            let mut buffer = ReadBuf::new(room);
            if buffer.capacity() == 0 || Pin::new(&mut *line).poll_read(cx, &mut buffer)?.is_pending() {
                return Poll::Pending;
            }
            match buffer.filled().len() {
                // The end: writing fails as well, or soon will.
                0 => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                n => self.unread.end += n,
            }
        }
    }
}

/// The line that async-imap reads in place of a response.
fn stand_in(text: &[u8]) -> Result<Vec<u8>, Garbled> {
    match text {
        [b'*', b' ' | b'\t', ..] => return Ok(b"* OK\r\n".to_vec()),
        [b'+', ..] => return Ok(b"+ \r\n".to_vec()),
        _ => {}
    }
    let mut words = text.splitn(3, |b| *b == b' ');
    let (tag, status) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let known = [&b"OK"[..], b"NO", b"BAD"].iter().any(|s| s.eq_ignore_ascii_case(status));
    if !known || tag.is_empty() || !tag.iter().all(u8::is_ascii_alphanumeric) {
        return Err(Garbled::NoResponse(text.to_vec()));
    }
    Ok([tag, b" ", status, b"\r\n"].concat())
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        while me.stand_in.is_empty() {
            if me.cut().map_err(Garbled::into_io)? {
                break;
            }
            let Some(line) = me.line.as_mut() else { return Poll::Ready(Ok(())) };
            let mut buffer = ReadBuf::new(&mut me.input);
            ready!(Pin::new(line).poll_read(cx, &mut buffer))?;
            me.unread = 0..buffer.filled().len();
            if me.unread.is_empty() {
                return Poll::Ready(me.ended());
            }
        }
        let n = me.stand_in.len().min(into.remaining());
        me.stand_in.drain(..n).for_each(|b| into.put_slice(&[b]));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        if me.output.waiting() >= WRITE_BUFFER {
            ready!(me.poll_drain(cx))?;
        }
        me.output.octets().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        if me.corked {
            return Poll::Ready(Ok(()));
        }
        ready!(me.poll_drain(cx))?;
        let Some(line) = me.line.as_mut() else { return Poll::Ready(Ok(())) };
        match Pin::new(line).poll_flush(cx) {
            Poll::Pending => me.read_ahead(cx),
            Poll::Ready(done) => {
                me.owing = false;
                Poll::Ready(done)
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        ready!(me.poll_drain(cx))?;
        me.line.as_mut().map_or(Poll::Ready(Ok(())), |line| Pin::new(line).poll_shutdown(cx))
    }
}

/// Shows nothing of what passes.
impl<S> fmt::Debug for Wire<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    #[test]
    fn nothing_a_server_says_reaches_imap_proto() {
        for (text, line) in [
            ("* 1 FETCH (INTERNALDATE NIL)", Some("* OK\r\n")),
            ("*  NO [ALERT]\u{fc}", Some("* OK\r\n")),
            ("+ [ALERT]\u{fc}", Some("+ \r\n")),
            ("+", Some("+ \r\n")),
            ("A0002 OK [ALERT]\u{fc}", Some("A0002 OK\r\n")),
            ("A0002 no", Some("A0002 no\r\n")),
            ("A0002 BYE", None),
            ("A0002", None),
            ("\u{fc} OK", None),
            ("HTTP/1.1 400 Bad Request", None),
            ("*", None),
        ] {
            let expected = line.map(|l| l.as_bytes().to_vec()).ok_or(Garbled::NoResponse(text.into()));
            assert_eq!(stand_in(text.as_bytes()), expected, "{text}");
        }
    }

    /// The guard of the trick that everything here leans on.
    #[tokio::test]
    async fn a_rehearsed_log_in_gives_a_session_and_writes_nothing() {
        let (near, mut far) = duplex(1024);
        let rehearsed = async_imap::Client::new(Wire::rehearsal()).login("", "").await;
        let mut session: async_imap::Session<Wire<DuplexStream>> = rehearsed.map_err(|(e, _)| e).unwrap();
        session.get_mut().attach(near);
        assert_eq!(session.run_command("NOOP").await.unwrap().0, "A0002");
        let mut sent = [0; 64];
        let n = far.read(&mut sent).await.unwrap();
        assert_eq!(&sent[..n], b"A0002 NOOP\r\n");
    }

    #[tokio::test]
    async fn async_imap_reads_one_response_at_a_time() {
        let (near, mut far) = duplex(1024);
        let rehearsed = async_imap::Client::new(Wire::rehearsal()).login("", "").await;
        let mut session: async_imap::Session<Wire<DuplexStream>> = rehearsed.map_err(|(e, _)| e).unwrap();
        session.get_mut().attach(near);
        far.write_all(b"* OK hi\r\n* 1 FETCH (BODY[] {2}\r\nab)\r\nA0002 OK x\r\nevil").await.unwrap();
        for expected in ["* OK hi", "* 1 FETCH (BODY[] {2}\r\n)", "A0002 OK x"] {
            let response = session.read_response().await.unwrap().unwrap();
            assert_eq!(response.request_id().is_some(), expected.starts_with('A'));
            assert_eq!(session.get_mut().take().unwrap().text, expected.as_bytes());
        }
        assert_eq!(session.get_mut().detach().unwrap_err(), Injected);
    }

    #[tokio::test]
    async fn the_end_amid_something_else_than_imap_is_told_from_a_lost_line() {
        for (bytes, kind) in [(&b"\x15\x03\x01"[..], Some(io::ErrorKind::InvalidData)), (b"* OK he", None), (b"", None)]
        {
            let (near, mut far) = duplex(64);
            let mut wire = Wire::rehearsal();
            wire.stand_in.clear();
            wire.attach(near);
            far.write_all(bytes).await.unwrap();
            drop(far);
            assert_eq!(wire.read(&mut [0; 9]).await.map_err(|e| e.kind()), kind.map_or(Ok(0), Err));
        }
    }

    #[tokio::test]
    async fn a_server_that_wants_its_answers_read_first_gets_its_way() {
        let noise: Vec<u8> = (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for deflated in [false, true] {
            let (near, far) = duplex(1000);
            let (mut wire, mut line) = (Wire::rehearsal(), Line::Plain(far));
            wire.attach(near);
            if deflated {
                wire.deflate();
                line = line.deflated(&[]);
            }
            let commands = async {
                wire.write_all(&noise).await.unwrap();
                wire.flush().await.unwrap();
            };
            let answers = async {
                line.write_all(&noise[..50_000]).await.unwrap();
                line.flush().await.unwrap();
                let mut read = vec![0; noise.len()];
                line.read_exact(&mut read).await.unwrap();
                read
            };
            let (read, ()) = tokio::join!(answers, commands);
            assert_eq!(read, noise);
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic_and_give_only_stand_ins(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut wire = Wire::<DuplexStream>::rehearsal();
            wire.stand_in.clear();
            let n = bytes.len();
            wire.input[..n].copy_from_slice(&bytes);
            wire.unread = 0..n;
            while let Ok(true) = wire.cut() {
                let line: Vec<u8> = wire.stand_in.drain(..).collect();
                prop_assert!(imap_proto::Response::parse(&line).is_ok_and(|(rest, _)| rest.is_empty()));
            }
        }
    }
}
