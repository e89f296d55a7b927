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
    from_server: Arc<AtomicU64>,
    after_log_in: Arc<AtomicU64>,
}

/// How Dovecot ends its answer to a log-in, where the line is not encrypted.
const LOGGED_IN: &[u8] = b"Logged in\r\n";

impl Delay {
    /// Delays each direction by `one_way`; with nothing to delay, the server's own port is as good.
    pub fn start(server: u16, one_way: Duration) -> Delay {
        let (from_server, after_log_in) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        if one_way.is_zero() {
            return Delay { port: server, from_server, after_log_in };
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let counters = [Arc::clone(&from_server), Arc::clone(&after_log_in)];
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                pump(client.try_clone().unwrap(), server.try_clone().unwrap(), one_way, Default::default());
                pump(server, client, one_way, counters.clone());
            }
        });
        Delay { port, from_server, after_log_in }
    }

    /// Octets that came from the server so far.
    pub fn received(&self) -> u64 {
        self.from_server.load(Ordering::SeqCst)
    }

    /// Those of them that came after a log-in, on a line that is not encrypted.
    pub fn received_after_log_in(&self) -> u64 {
        self.after_log_in.load(Ordering::SeqCst)
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, delay: Duration, [all, after_log_in]: [Arc<AtomicU64>; 2]) {
    let (sender, receiver) = sync_channel::<(Instant, Vec<u8>)>(1024);
    thread::spawn(move || {
        let mut buffer = vec![0; 16 * 1024];
        let mut is_logged_in = false;
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            all.fetch_add(n as u64, Ordering::SeqCst);
            let said = buffer[..n].windows(LOGGED_IN.len()).position(|w| w == LOGGED_IN);
            let before = if is_logged_in { Some(0) } else { said.map(|at| at + LOGGED_IN.len()) };
            is_logged_in |= said.is_some();
            after_log_in.fetch_add(before.map_or(0, |before| (n - before) as u64), Ordering::SeqCst);
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
