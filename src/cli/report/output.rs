//! Standard output, and whether all of it could be written.

use crate::error::{Error, Kind};
use std::io::{self, Write};
use std::sync::OnceLock;

static FAILED: OnceLock<io::Error> = OnceLock::new();

/// Prints to stdout. A reader that went away is no error of ours, and the work goes on whatever happens.
pub fn print(text: &[u8]) {
    let mut out = io::stdout().lock();
    if let Err(e) = out.write_all(text).and_then(|()| out.flush())
        && e.kind() != io::ErrorKind::BrokenPipe
    {
        FAILED.get_or_init(|| e);
    }
}

/// Why something could not be printed, if so.
pub fn failure() -> Option<Error> {
    let cause = FAILED.get()?.to_string();
    let remedy = "What the run did is done and written down; free some space, or send the output elsewhere.";
    Some(Error::new(Kind::LocalIo, "cannot write to standard output", remedy).because(cause))
}
