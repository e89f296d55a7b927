//! Connections: TCP, TLS and what it trusts, time-outs, SASL mechanisms.

mod connect;
mod exchange;
mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod outbox;
mod pin;
mod probe;
mod sasl;
mod scram;
mod stream;
mod tls;

pub use connect::connect;
pub use exchange::Exchange;
pub use failure::lost;
pub use outbox::Outbox;
pub use pin::Pin;
pub use sasl::{AuthChoice, Mechanism, advised, choose};
pub use stream::{Stream, Transport};

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// When TLS starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// With the first byte (RFC 8314 section 3): POP3S on port 995, IMAPS on port 993.
    Implicit,
    /// By STLS (RFC 2595) or STARTTLS (RFC 9051 section 6.2.1) on the clear port; never goes on without it.
    StartTls,
    /// Never; to loopback addresses, or where the user allowed clear text.
    None,
}

/// Where to connect, and whom to trust there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// When TLS starts.
    pub tls: TlsMode,
    /// Further trusted roots, as PEM.
    pub ca_file: Option<PathBuf>,
    /// Certificates to accept, and no others; a pin stands in for a CA.
    pub pins: Vec<Pin>,
    /// Whether clear text is allowed to addresses other than loopback.
    pub allow_cleartext: bool,
    /// Whether to compress what goes over the line, where the server can (IMAP only); where this is `None`, unless it is
    /// this machine.
    pub compress: Option<bool>,
    /// Whether commands may follow each other without waiting, where the server offers that (POP3 only).
    pub pipelining: bool,
    /// How long any one step may be silent.
    pub timeout: Duration,
}

/// `host:port`, with brackets around an IPv6 address.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}
