//! A POP3 and IMAP server on loopback, in this process, that behaves exactly as its script says.
//!
//! Both protocols serve one mailbox in memory, in the clear (with STLS and STARTTLS) and under TLS. Tests look into the mailbox and
//! the log, and change mailbox and faults at run time.

mod fault;
mod imap;
mod log;
mod mailbox;
mod pop3;
mod script;
mod wire;

pub use fault::{At, Call, Effect, Fault};
pub use log::{Log, Protocol};
pub use mailbox::{Folder, Mailbox, Message, Sizes, Uidls};
pub use script::{Script, Slow};

use fault::Faults;
use native_tls::TlsAcceptor;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use tempfile::TempDir;
use wire::Wire;

/// A running server; it stops when dropped.
pub struct Server {
    pub pop3_port: u16,
    pub imap_port: u16,
    pub pop3s_port: u16,
    pub imaps_port: u16,
    /// SHA-256 of its certificate, in lower-case hexadecimal digits.
    pub pin: String,
    shared: Arc<Shared>,
    ca: PathBuf,
    _dir: TempDir,
}

/// What all connections share.
pub struct Shared {
    script: Script,
    acceptor: TlsAcceptor,
    faults: Faults,
    mailbox: Mutex<Mailbox>,
    log: Mutex<Log>,
    open: Mutex<Vec<(u32, TcpStream)>>,
    next: AtomicU32,
    stopping: AtomicBool,
}

impl Server {
    /// Starts a server on four free ports of 127.0.0.1.
    pub fn start(script: Script) -> Server {
        let identity = script.certificate.issue();
        let dir = TempDir::new().expect("a temporary directory");
        let ca = dir.path().join("ca.pem");
        std::fs::write(&ca, &identity.ca_pem).expect("the CA file");
        let key = native_tls::Identity::from_pkcs8(identity.certificate_pem.as_bytes(), identity.key_pem.as_bytes());
        let shared = Arc::new(Shared {
            acceptor: TlsAcceptor::new(key.expect("an identity")).expect("a TLS acceptor"),
            faults: Faults::new(script.faults.clone()),
            mailbox: Mutex::new(script.mailbox.clone()),
            log: Mutex::default(),
            open: Mutex::default(),
            next: AtomicU32::new(1),
            stopping: AtomicBool::new(false),
            script,
        });
        Server {
            pop3_port: listen(&shared, Protocol::Pop3, false),
            imap_port: listen(&shared, Protocol::Imap, false),
            pop3s_port: listen(&shared, Protocol::Pop3, true),
            imaps_port: listen(&shared, Protocol::Imap, true),
            pin: identity.pin,
            shared,
            ca,
            _dir: dir,
        }
    }

    /// The PEM file of the CA that signed its certificate.
    pub fn ca_file(&self) -> &Path {
        &self.ca
    }

    pub fn user(&self) -> &str {
        &self.shared.script.user
    }

    pub fn password(&self) -> &str {
        &self.shared.script.password
    }

    /// The mail, to look at and to change. Sessions wait while it is held.
    pub fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        self.shared.mailbox()
    }

    /// What INBOX holds now.
    pub fn inbox(&self) -> Vec<Vec<u8>> {
        self.mailbox().folder_mut("INBOX").contents()
    }

    /// A copy of the log as it is now.
    pub fn log(&self) -> Log {
        self.shared.log().clone()
    }

    /// Forgets what was logged, so that the next run stands alone.
    pub fn clear_log(&self) {
        *self.shared.log() = Log::default();
    }

    /// Whether the password came, in the clear or in base64, under TLS or not.
    pub fn knows_password(&self) -> bool {
        self.shared.log().knows(self.user(), self.password())
    }

    /// Whether the password came outside TLS.
    pub fn overheard_password(&self) -> bool {
        self.shared.log().overheard(self.user(), self.password())
    }

    /// Adds a fault from now on; its occasions count from now.
    pub fn fault(&self, fault: Fault) {
        self.shared.faults.add(fault);
    }

    /// From now on nothing goes wrong.
    pub fn heal(&self) {
        self.shared.faults.clear();
    }
}

impl Shared {
    fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, Vec<(u32, TcpStream)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        for (_, socket) in self.shared.open().drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
        for port in [self.pop3_port, self.imap_port, self.pop3s_port, self.imaps_port] {
            // Wakes the thread that accepts, so that it sees that all is over.
            let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        }
    }
}

/// A port on which nobody listens.
pub fn closed_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn listen(shared: &Arc<Shared>, protocol: Protocol, tls: bool) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let Ok(kept) = socket.try_clone() else { continue };
            let number = shared.next.fetch_add(1, Ordering::SeqCst);
            {
                let mut open = shared.open();
                if shared.stopping.load(Ordering::SeqCst) {
                    return;
                }
                open.push((number, kept));
            }
            shared.log().connections += 1;
            let shared = Arc::clone(&shared);
            thread::spawn(move || serve(shared, protocol, tls, number, socket));
        }
    });
    port
}

/// Serves one connection to its end. An error here is the client's, or a fault of the script; the client sees it too.
fn serve(shared: Arc<Shared>, protocol: Protocol, tls: bool, number: u32, socket: TcpStream) {
    let _open = Open { shared: Arc::clone(&shared), number };
    let ended = Wire::new(shared, number, protocol, socket).and_then(|mut wire| {
        if tls {
            wire.start_tls()?;
        }
        match protocol {
            Protocol::Pop3 => pop3::Session::new(wire).run(),
            Protocol::Imap => imap::Session::new(wire).run(),
        }
    });
    drop(ended);
}

/// An entry in the list of open connections, which ends also when a session panics.
struct Open {
    shared: Arc<Shared>,
    number: u32,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.open().retain(|(n, _)| *n != self.number);
    }
}
