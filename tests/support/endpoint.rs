//! Where a test server can be reached, and how one logs in.

use crate::support::server::{Protocol, Server};
use std::path::{Path, PathBuf};

/// How a connection becomes TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Implicit,
    /// STLS or STARTTLS.
    Starttls,
    /// None.
    Clear,
}

/// One port of a server, with the credentials of one user.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub protocol: Protocol,
    pub security: Security,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub ca_file: PathBuf,
}

impl Endpoint {
    /// The URL for the command line; STARTTLS where not implicit.
    pub fn url(&self) -> String {
        let scheme = match self.protocol {
            Protocol::Pop3 => "pop3",
            Protocol::Imap => "imap",
        };
        let s = if self.security == Security::Implicit { "s" } else { "" };
        format!("{scheme}{s}://{}@127.0.0.1:{}", self.user, self.port)
    }

    /// The section of an account in the configuration file, up to its store.
    pub fn account(&self, name: &str, store_kind: &str, store: &Path) -> String {
        let protocol = if self.protocol == Protocol::Pop3 { "pop3" } else { "imap" };
        let tls = match self.security {
            Security::Implicit => "implicit",
            Security::Starttls => "starttls",
            Security::Clear => "none",
        };
        let ca_file = match self.security {
            Security::Clear => String::new(),
            _ => format!("ca_file = \"{}\"\n", self.ca_file.display()),
        };
        format!(
            "[accounts.{name}]\nprotocol = \"{protocol}\"\nhost = \"127.0.0.1\"\nport = {}\ntls = \"{tls}\"\nuser = \"{}\"\n\
             password = {{ value = \"{}\" }}\n{ca_file}\n[accounts.{name}.store]\nkind = \"{store_kind}\"\npath = \"{}\"\n",
            self.port,
            self.user,
            self.password,
            store.display(),
        )
    }
}

impl Server {
    /// One of its ports.
    pub fn endpoint(&self, protocol: Protocol, security: Security) -> Endpoint {
        let port = match (protocol, security) {
            (Protocol::Pop3, Security::Implicit) => self.pop3s_port,
            (Protocol::Pop3, _) => self.pop3_port,
            (Protocol::Imap, Security::Implicit) => self.imaps_port,
            (Protocol::Imap, _) => self.imap_port,
        };
        let (user, password) = (self.user().to_owned(), self.password().to_owned());
        Endpoint { protocol, security, port, user, password, ca_file: self.ca_file().to_owned() }
    }
}
