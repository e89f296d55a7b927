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
}

impl Delay {
    /// Delays each direction by `one_way`; with nothing to delay, the server's own port is as good.
    pub fn start(server: u16, one_way: Duration) -> Delay {
        let from_server = Arc::new(AtomicU64::new(0));
        if one_way.is_zero() {
            return Delay { port: server, from_server };
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let counter = Arc::clone(&from_server);
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                pump(client.try_clone().unwrap(), server.try_clone().unwrap(), one_way, Arc::default());
                pump(server, client, one_way, Arc::clone(&counter));
            }
        });
        Delay { port, from_server }
    }

    /// Octets that came from the server so far.
    pub fn received(&self) -> u64 {
        self.from_server.load(Ordering::SeqCst)
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, delay: Duration, counter: Arc<AtomicU64>) {
    let (sender, receiver) = sync_channel::<(Instant, Vec<u8>)>(1024);
    thread::spawn(move || {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            counter.fetch_add(n as u64, Ordering::SeqCst);
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
