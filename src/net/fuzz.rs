//! A server whose every word was written down beforehand, for fuzzing.

use super::{Server, TlsMode, Transport};
use crate::credentials::{Login, Secret};
use crate::error::Result;
use std::io::Cursor;
use std::time::Duration;
use tokio::io::{Join, Sink, join, sink};

/// A connection on which all that the server ever says has come already, and what the client says is lost.
pub type Recorded = Join<Cursor<Vec<u8>>, Sink>;

impl Transport for Recorded {
    async fn start_tls(self, _: &Server) -> Result<Recorded> {
        Ok(self)
    }

    fn is_encrypted(&self) -> bool {
        false
    }

    fn is_near(&self) -> bool {
        true
    }
}

/// Runs a session with a server that says this.
pub fn session<W: Future<Output = Result<()>>>(said: &[u8], work: impl FnOnce(Recorded, Server, Login) -> W) {
    let server = Server {
        host: "mx.example".to_owned(),
        port: 1,
        tls: TlsMode::None,
        ca_file: None,
        pins: Vec::new(),
        allow_cleartext: false,
        compress: None,
        pipelining: true,
        timeout: Duration::from_secs(1),
    };
    let login = Login::new("ada", Secret::new("pencil".to_owned()));
    let stream = join(Cursor::new(said.to_vec()), sink());
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() {
        // How it ends is no matter, as long as it does.
        let _ = runtime.block_on(work(stream, server, login));
    }
}
