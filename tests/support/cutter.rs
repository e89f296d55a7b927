//! A wire to a server that can be cut after so many octets, or before a certain command.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Which octets are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

/// When the wire is cut.
#[derive(Debug, Clone, Copy)]
enum At {
    Octets(Way, usize),
    Command(&'static str),
}

/// Listens on a port of its own, and passes on what comes.
pub struct Cutter {
    pub port: u16,
    left: Arc<Mutex<Option<At>>>,
    received: Arc<AtomicU64>,
}

impl Cutter {
    /// In front of a port of this machine.
    pub fn before(server: u16) -> Cutter {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let left = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&left);
        let received = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&received);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { continue };
                for way in [Way::ToServer, Way::ToClient] {
                    let (client, server, left) = (clone(&client), clone(&server), Arc::clone(&shared));
                    let counter = Arc::clone(&counter);
                    thread::spawn(move || match way {
                        Way::ToServer => pass(client, server, way, &left, &AtomicU64::new(0)),
                        Way::ToClient => pass(server, client, way, &left, &counter),
                    });
                }
            }
        });
        Cutter { port, left, received }
    }

    /// Octets that came from the server so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }

    /// Cuts the connection, once, when so many octets have gone this way.
    pub fn arm(&self, way: Way, octets: usize) {
        *self.left.lock().expect("its state") = Some(At::Octets(way, octets));
    }

    /// Cuts the connection, once, instead of passing on a command to the server that holds this text.
    pub fn arm_before(&self, text: &'static str) {
        *self.left.lock().expect("its state") = Some(At::Command(text));
    }

    /// No longer cuts; whether it had still to.
    pub fn disarm(&self) -> bool {
        self.left.lock().expect("its state").take().is_some()
    }
}

fn clone(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a second handle")
}

fn pass(mut from: TcpStream, mut to: TcpStream, way: Way, left: &Mutex<Option<At>>, counter: &AtomicU64) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        counter.fetch_add(n as u64, Ordering::SeqCst);
        let mut state = left.lock().expect("its state");
        let (passes, cut) = match state.as_mut() {
            Some(At::Octets(counted, octets)) if *counted == way && *octets <= n => {
                let passes = *octets;
                *state = None;
                (passes, true)
            }
            Some(At::Octets(counted, octets)) if *counted == way => {
                *octets -= n;
                (n, false)
            }
            Some(At::Command(text))
                if way == Way::ToServer && buffer[..n].windows(text.len()).any(|w| w == text.as_bytes()) =>
            {
                *state = None;
                (0, true)
            }
            _ => (n, false),
        };
        drop(state);
        if to.write_all(&buffer[..passes]).is_err() || cut {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
