//! A wire to a server that can be cut after so many octets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Which octets are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

/// Listens on a port of its own, and passes on what comes.
pub struct Cutter {
    pub port: u16,
    left: Arc<Mutex<Option<(Way, usize)>>>,
}

impl Cutter {
    /// In front of a port of this machine.
    pub fn before(server: u16) -> Cutter {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let left = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&left);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { continue };
                for way in [Way::ToServer, Way::ToClient] {
                    let (client, server, left) = (clone(&client), clone(&server), Arc::clone(&shared));
                    thread::spawn(move || match way {
                        Way::ToServer => pass(client, server, way, &left),
                        Way::ToClient => pass(server, client, way, &left),
                    });
                }
            }
        });
        Cutter { port, left }
    }

    /// Cuts the connection, once, when so many octets have gone this way.
    pub fn arm(&self, way: Way, octets: usize) {
        *self.left.lock().expect("its state") = Some((way, octets));
    }

    /// No longer cuts; whether it had still to.
    pub fn disarm(&self) -> bool {
        self.left.lock().expect("its state").take().is_some()
    }
}

fn clone(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a second handle")
}

fn pass(mut from: TcpStream, mut to: TcpStream, way: Way, left: &Mutex<Option<(Way, usize)>>) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        let mut state = left.lock().expect("its state");
        let (passes, cut) = match state.as_mut() {
            Some((counted, octets)) if *counted == way && *octets <= n => {
                let passes = *octets;
                *state = None;
                (passes, true)
            }
            Some((counted, octets)) if *counted == way => {
                *octets -= n;
                (n, false)
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
