//! Whatever a configuration file or an endpoint may say, for fuzzing.

use super::{Base, Endpoint, file};
use std::path::Path;

/// A configuration file, and an endpoint on the command line.
pub fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let base = Base::fixed("/etc/mf", Some("/home/me"));
    let _ = file::parse(text, Path::new("/etc/mf/c.toml"), &base, true);
    if let Err(e) = Endpoint::parse(text, &base) {
        assert!(!e.remedy().is_empty(), "an error without a remedy");
    }
}
