//! Reads and writes one connection: buffered, bounded, and never waiting to write while the server waits to write.

use super::refusal::{broken, refused};
use super::wire::Reply;
use crate::error::{Error, Result, quoted};
use crate::net::{Outbox, Server, lost};
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Octets read at once.
const BUFFER: usize = 64 * 1024;
/// Octets of a status or listing line; RFC 2449 section 4 allows 512, long UIDLs exist.
const LINE: usize = 8 * 1024;
/// Octets of a whole listing, which is kept in memory: some hundred thousand messages.
pub(super) const LISTING: usize = 32 << 20;
/// Octets of a whole CAPA reply.
pub(super) const CAPA: usize = 64 << 10;

/// Octets that a line of a listing counts as besides its text: its share of what is made of it.
const ROW: usize = 64;

/// A connection with what was read ahead and what is still to be written.
pub(super) struct Connection<S> {
    stream: S,
    server: Server,
    input: Box<[u8]>,
    /// What of `input` was read and not used yet.
    ahead: Range<usize>,
    output: Outbox,
    flushed: bool,
}

/// A line without its line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub text: &'a [u8],
    /// It ended with LF alone.
    pub bare_lf: bool,
}

impl<S> Connection<S> {
    pub fn new(stream: S, server: Server) -> Connection<S> {
        let input = vec![0; BUFFER].into_boxed_slice();
        Connection { stream, server, input, ahead: 0..0, output: Outbox::default(), flushed: true }
    }

    /// The other end.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// What carries the octets.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// The bare stream; what was read ahead is dropped.
    pub fn into_stream(self) -> S {
        self.stream
    }

    /// What was read and not used yet.
    pub fn ahead(&self) -> &[u8] {
        self.input.get(self.ahead.clone()).unwrap_or_default()
    }

    /// So many octets of [`ahead`](Self::ahead) are done with.
    pub fn used(&mut self, octets: usize) {
        self.ahead.start = (self.ahead.start + octets).min(self.ahead.end);
    }

    /// Queues a command made of these parts; the line end is added. It goes out with [`push`](Self::push), or
    /// while a reply is waited for.
    pub fn queue(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.output.octets().extend_from_slice(part));
        self.output.octets().extend_from_slice(b"\r\n");
    }

    /// The other end broke the protocol.
    pub fn broken(&self, what: &str) -> Error {
        broken(&self.server, what)
    }

    /// The other end sent a challenge that nobody asked for.
    pub fn unasked(&self) -> Error {
        self.broken("sent a challenge that nobody asked for")
    }

    /// The other end answered `-ERR` to what has to work.
    pub fn refused(&self, command: &str, text: &[u8]) -> Error {
        refused(&self.server, command, text)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Sends what is queued as far as the other end takes it now, without waiting. A failure shows at the next read.
    pub async fn push(&mut self) {
        let _ = poll_fn(|cx| Poll::Ready(self.poll_send(cx))).await;
    }

    /// Reads more, sending what is queued meanwhile. The end of the connection is an error.
    pub async fn fill(&mut self) -> Result<()> {
        if self.ahead.is_empty() {
            self.ahead = 0..0;
        } else if self.ahead.end == self.input.len() {
            self.input.copy_within(self.ahead.clone(), 0);
            self.ahead = 0..self.ahead.len();
        }
        let read = poll_fn(|cx| self.poll_exchange(cx)).await;
        read.map_err(|e| lost(&self.server, e))
    }

    /// Where the next line stands in `input`, without its LF. The line is used up, and stays until the next read.
    async fn take_line(&mut self) -> Result<Range<usize>> {
        let mut searched = 0;
        let length = loop {
            let ahead = self.ahead();
            match memchr::memchr(b'\n', ahead.get(searched..).unwrap_or_default()) {
                Some(i) if searched + i <= LINE => break searched + i,
                None if ahead.len() <= LINE => searched = ahead.len(),
                _ => return Err(self.broken("sent a line without end")),
            }
            self.fill().await?;
        };
        let start = self.ahead.start;
        self.used(length + 1);
        Ok(start..start + length)
    }

    fn taken(&self, line: Range<usize>) -> Line<'_> {
        let text = self.input.get(line).unwrap_or_default();
        match text.strip_suffix(b"\r") {
            Some(text) => Line { text, bare_lf: false },
            None => Line { text, bare_lf: true },
        }
    }

    /// The first line of a reply, and whether it ended with LF alone.
    pub async fn reply(&mut self) -> Result<(Reply<'_>, bool)> {
        let line = self.take_line().await?;
        let line = self.taken(line);
        match Reply::parse(line.text) {
            Some(reply) => Ok((reply, line.bare_lf)),
            None => Err(self.broken(&format!("sent what is no POP3 reply: {}", quoted(line.text)))),
        }
    }

    /// Sends one command and waits for the first line of its reply.
    pub async fn command(&mut self, parts: &[&[u8]]) -> Result<Reply<'_>> {
        self.queue(parts);
        Ok(self.reply().await?.0)
    }

    /// The lines behind `+OK`, each without its line end and leading dot, at most so many octets together.
    pub async fn rows(&mut self, most: usize, mut each: impl FnMut(&[u8]) -> Option<()> + Send) -> Result<()> {
        let mut octets = 0;
        loop {
            let row = self.take_line().await?;
            let row = self.taken(row).text;
            if row == b"." {
                return Ok(());
            }
            octets += row.len() + ROW;
            if octets > most {
                return Err(self.broken("sent a listing without end"));
            }
            if each(row.strip_prefix(b".").unwrap_or(row)).is_none() {
                return Err(self.broken(&format!("sent a listing line that makes no sense: {}", quoted(row))));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Writes and flushes what is queued.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushed &= self.output.waiting() == 0;
        ready!(self.output.poll_drain(cx, &mut self.stream))?;
        if !self.flushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what the other end takes and reads what it has. A failed write counts only where nothing can be read: what a
    /// server said before it hung up tells more.
    fn poll_exchange(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = self.poll_send(cx);
        let mut free = ReadBuf::new(self.input.get_mut(self.ahead.end..).unwrap_or_default());
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut free);
        let octets = free.filled().len();
        match (read, sent) {
            (Poll::Ready(Ok(())), _) if octets > 0 => {
                self.ahead.end += octets;
                Poll::Ready(Ok(()))
            }
            (_, Poll::Ready(Err(e))) | (Poll::Ready(Err(e)), _) => Poll::Ready(Err(e)),
            (Poll::Ready(Ok(())), _) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            (Poll::Pending, _) => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::pop3::script::server;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    fn pair(capacity: usize) -> (Connection<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(capacity);
        (Connection::new(ours, server()), theirs)
    }

    #[tokio::test]
    async fn lines_come_one_by_one_however_they_arrive() {
        let (mut c, mut peer) = pair(3);
        let feed =
            tokio::spawn(async move { peer.write_all(b"+OK a\r\n-ERR b\n+ Yw==\r\n+OK\r\n1 2\r\n..x\r\n.\r\n").await });
        assert_eq!(c.reply().await.unwrap(), (Reply::Ok(b"a"), false));
        assert_eq!(c.reply().await.unwrap(), (Reply::Err(b"b"), true));
        assert_eq!(c.reply().await.unwrap(), (Reply::Challenge(b"Yw=="), false));
        assert_eq!(c.reply().await.unwrap(), (Reply::Ok(b""), false));
        let mut rows = Vec::new();
        let keep = |row: &[u8]| {
            rows.push(row.to_vec());
            Some(())
        };
        c.rows(LISTING, keep).await.unwrap();
        assert_eq!(rows, [b"1 2", &b".x"[..]]);
        feed.await.unwrap().unwrap();
        let e = c.reply().await.unwrap_err();
        assert_eq!(e.kind(), Kind::TryLater);
    }

    #[tokio::test]
    async fn a_line_of_8_kib_is_read_and_a_longer_one_is_refused() {
        for (length, kind) in [(LINE - 5, None), (LINE, Some(Kind::Protocol)), (10 * BUFFER, Some(Kind::Protocol))] {
            let (mut c, mut peer) = pair(1 << 20);
            let line = [b"+OK ".as_slice(), &vec![b'x'; length], b"\r\n"].concat();
            peer.write_all(&line).await.unwrap();
            assert_eq!(c.reply().await.err().map(|e| e.kind()), kind, "{length}");
            assert_eq!(c.input.len(), BUFFER);
        }
    }

    #[tokio::test]
    async fn a_line_across_the_end_of_the_buffer_is_whole() {
        let (mut c, mut peer) = pair(1 << 20);
        let rows: Vec<String> = (1..30).map(|i| format!("{i} {}", "u".repeat(5000))).collect();
        let wire = format!("{}\r\n.\r\n", rows.join("\r\n"));
        peer.write_all(wire.as_bytes()).await.unwrap();
        let mut got = Vec::new();
        let keep = |row: &[u8]| {
            got.push(String::from_utf8_lossy(row).into_owned());
            Some(())
        };
        c.rows(LISTING, keep).await.unwrap();
        assert_eq!(got, rows);
    }

    #[tokio::test]
    async fn an_endless_listing_is_refused() {
        let (mut c, mut peer) = pair(1 << 20);
        peer.write_all(&b"X-ABILITY\r\n".repeat(CAPA / 11 + 2)).await.unwrap();
        let e = c.rows(CAPA, |_| Some(())).await.unwrap_err();
        assert_eq!((e.kind(), e.to_string().as_str()), (Kind::Protocol, "mx.example sent a listing without end"));
    }

    #[tokio::test]
    async fn what_is_no_reply_is_quoted() {
        let (mut c, mut peer) = pair(100);
        peer.write_all(b"220 mail\x1b ESMTP\r\n").await.unwrap();
        let e = c.reply().await.unwrap_err();
        assert_eq!(e.to_string(), "mx.example sent what is no POP3 reply: \u{201c}220 mail ESMTP\u{201d}");
        assert_eq!(e.kind(), Kind::Protocol);
    }

    #[tokio::test]
    async fn neither_side_waits_for_the_other_to_read() {
        let (mut c, mut peer) = pair(16);
        (0..100).for_each(|_| c.queue(&[b"COMMAND"]));
        c.push().await;
        assert_eq!(900 - c.output.waiting(), 16, "as far as it goes");
        let talk = tokio::spawn(async move {
            peer.write_all(&b"+OK\r\n".repeat(100)).await.unwrap();
            let mut commands = vec![0; 900];
            peer.read_exact(&mut commands).await.unwrap();
            commands
        });
        for _ in 0..100 {
            assert_eq!(c.reply().await.unwrap().0, Reply::Ok(b""));
        }
        while c.output.waiting() > 0 {
            c.push().await;
            tokio::task::yield_now().await;
        }
        assert_eq!(talk.await.unwrap(), b"COMMAND\r\n".repeat(100));
    }

    #[tokio::test]
    async fn the_last_words_of_a_server_count_more_than_a_failed_write() {
        let (mut c, mut peer) = pair(100);
        peer.write_all(b"-ERR [SYS/TEMP] going down\r\n").await.unwrap();
        drop(peer);
        assert_eq!(c.command(&[b"NOOP"]).await.unwrap(), Reply::Err(b"[SYS/TEMP] going down"));
        assert_eq!(c.command(&[b"NOOP"]).await.unwrap_err().kind(), Kind::TryLater);
    }
}
