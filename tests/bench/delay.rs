//! A line with a round-trip time: what goes in comes out later, in both directions.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

/// A port on loopback behind which a server seems farther away.
pub struct Delay {
    pub port: u16,
    from_server: Arc<Received>,
}

/// Octets that came from the server.
#[derive(Default)]
struct Received {
    all: AtomicU64,
    /// Those that came after a log-in, on lines that are not encrypted.
    after_log_in: AtomicU64,
}

/// How Dovecot ends its answer to a log-in, where the line is not encrypted;
const LOGGED_IN: &[u8] = b"Logged in\r\n";
/// among the first octets, or it is encrypted.
const EARLY: u64 = 16 * 1024;

impl Delay {
    /// Delays each direction by `one_way`; with nothing to delay, the server's own port is as good.
    pub fn start(server: u16, one_way: Duration) -> Delay {
        let from_server = Arc::new(Received::default());
        if one_way.is_zero() {
            return Delay { port: server, from_server };
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::clone(&from_server);
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                pump(client.try_clone().unwrap(), server.try_clone().unwrap(), one_way, |_| ());
                let (received, mut before, mut is_logged_in) = (Arc::clone(&received), 0, false);
                pump(server, client, one_way, move |octets| {
                    let n = octets.len() as u64;
                    received.all.fetch_add(n, Ordering::SeqCst);
                    if is_logged_in {
                        received.after_log_in.fetch_add(n, Ordering::SeqCst);
                    } else if before < EARLY
                        && let Some(at) = octets.windows(LOGGED_IN.len()).position(|w| w == LOGGED_IN)
                    {
                        is_logged_in = true;
                        received.after_log_in.fetch_add(n - (at + LOGGED_IN.len()) as u64, Ordering::SeqCst);
                    }
                    before += n;
                });
            }
        });
        Delay { port, from_server }
    }

    /// Octets that came from the server so far.
    pub fn received(&self) -> u64 {
        self.from_server.all.load(Ordering::SeqCst)
    }

    /// Those of them that came after a log-in, on a line that is not encrypted.
    pub fn received_after_log_in(&self) -> u64 {
        self.from_server.after_log_in.load(Ordering::SeqCst)
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, delay: Duration, mut saw: impl FnMut(&[u8]) + Send + 'static) {
    let (sender, receiver) = sync_channel::<(Instant, Vec<u8>)>(1024);
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            saw(&buffer[..n]);
            if sender.send((Instant::now() + delay, buffer[..n].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        while let Ok((due, bytes)) = receiver.recv() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                return;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
