//! Opens a connection.

use super::{Server, Stream};
use crate::error::Result;

/// Connects by TCP and, for [`TlsMode::Implicit`](super::TlsMode::Implicit), TLS.
pub async fn connect(server: &Server) -> Result<Stream> {
    let _ = server;
    todo!()
}
