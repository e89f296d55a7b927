//! Dovecot cannot be told not to offer PIPELINING: this stands before it, hides the offer, and fails whoever pipelines.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread;

/// A port that leads to another.
pub struct Lockstep {
    pub port: u16,
}

impl Lockstep {
    /// One that stands before a port of this machine.
    pub fn before(port: u16) -> Lockstep {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let own = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
                let (back_client, back_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || pass(back_server, back_client, hide));
                thread::spawn(move || pass(client, server, one_command));
            }
        });
        Lockstep { port: own }
    }
}

/// Hands on until either end is done; a connection whose words are not allowed ends.
fn pass(mut from: TcpStream, mut to: TcpStream, allow: impl Fn(&mut [u8]) -> bool) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if !allow(&mut buffer[..n]) || to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

fn hide(said: &mut [u8]) -> bool {
    if let Some(at) = said.windows(12).position(|w| w == b"PIPELINING\r\n") {
        said[at..at + 10].copy_from_slice(b"X-LOCKSTEP");
    }
    true
}

fn one_command(said: &mut [u8]) -> bool {
    said.iter().filter(|b| **b == b'\n').count() <= 1
}
