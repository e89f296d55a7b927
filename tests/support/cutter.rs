//! A wire to a server that can be cut after so many octets, or before a certain command; or something is done before that
//! command passes on.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// Which octets are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

/// When the wire is cut, or what is done in between.
enum At {
    Octets(Way, usize),
    Command(&'static str),
    Meanwhile(&'static str, Box<dyn FnOnce() + Send>),
}

/// Listens on a port of its own, and passes on what comes.
pub struct Cutter {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    at: Option<At>,
    /// Once cut, nothing gets through.
    stays: bool,
    is_cut: bool,
    /// Connections so far, now, and at most at once.
    connections: usize,
    open: usize,
    most: usize,
    /// Octets that came from the server.
    received: u64,
}

impl Cutter {
    /// In front of a port of this machine.
    pub fn before(server: u16) -> Cutter {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                {
                    let mut state = lock(&shared);
                    state.connections += 1;
                    if state.is_cut {
                        continue;
                    }
                    state.open += 1;
                    state.most = state.most.max(state.open);
                }
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { continue };
                let (there, back, state) = (clone(&client), clone(&server), Arc::clone(&shared));
                let answers = Arc::clone(&shared);
                thread::spawn(move || pass(server, client, Way::ToClient, &answers));
                thread::spawn(move || {
                    pass(there, back, Way::ToServer, &state);
                    lock(&state).open -= 1;
                });
            }
        });
        Cutter { port, state }
    }

    /// Octets that came from the server so far.
    pub fn received(&self) -> u64 {
        lock(&self.state).received
    }

    /// Cuts the connection, once, when so many octets have gone this way.
    pub fn arm(&self, way: Way, octets: usize) {
        lock(&self.state).at = Some(At::Octets(way, octets));
    }

    /// Cuts the connection, once, instead of passing on a command to the server that holds this text.
    pub fn arm_before(&self, text: &'static str) {
        lock(&self.state).at = Some(At::Command(text));
    }

    /// Does something, once, before a command to the server that holds this text is passed on.
    pub fn meanwhile(&self, text: &'static str, act: impl FnOnce() + Send + 'static) {
        lock(&self.state).at = Some(At::Meanwhile(text, Box::new(act)));
    }

    /// Once it has cut, nothing gets through any more.
    pub fn stay_cut(&self) {
        lock(&self.state).stays = true;
    }

    /// No longer cuts, and lets everything through; whether it had still to cut.
    pub fn disarm(&self) -> bool {
        let mut state = lock(&self.state);
        (state.stays, state.is_cut) = (false, false);
        state.at.take().is_some()
    }

    /// How many connections there were since this was last asked, and how many at once.
    pub fn connections(&self) -> (usize, usize) {
        let mut state = lock(&self.state);
        let open = state.open;
        (std::mem::take(&mut state.connections), std::mem::replace(&mut state.most, open))
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("its state")
}

fn clone(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a second handle")
}

fn pass(mut from: TcpStream, mut to: TcpStream, way: Way, state: &Mutex<State>) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        let holds = |text: &str| buffer[..n].windows(text.len()).any(|w| w == text.as_bytes());
        let act = {
            let mut state = lock(state);
            let is_due = matches!(&state.at, Some(At::Meanwhile(text, _)) if way == Way::ToServer && holds(text));
            state.at.take_if(|_| is_due)
        };
        if let Some(At::Meanwhile(_, act)) = act {
            act();
        }
        let (passes, cut) = {
            let mut state = lock(state);
            if way == Way::ToClient {
                state.received += n as u64;
            }
            let passes = match state.at.as_mut() {
                Some(At::Octets(counted, octets)) if *counted == way && *octets <= n => Some(*octets),
                Some(At::Octets(counted, octets)) if *counted == way => {
                    *octets -= n;
                    None
                }
                Some(At::Command(text)) if way == Way::ToServer => holds(text).then_some(0),
                _ => None,
            };
            if passes.is_some() {
                state.at = None;
                state.is_cut = state.stays;
            }
            match passes {
                Some(passes) => (passes, true),
                None if state.is_cut => (0, true),
                None => (n, false),
            }
        };
        if to.write_all(&buffer[..passes]).is_err() || cut {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
