//! Names for the state of what no configuration names.

use sha2::{Digest, Sha256};

/// As much of a text as fits a file name and can be read: at most so many characters, odd ones replaced.
pub fn readable(text: &str, most: usize) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() || "-_.@".contains(c) { c } else { '_' };
    text.chars().map(fits).take(most).collect()
}

/// Twelve hex digits, others for every other identity.
pub fn mark(identity: &str) -> String {
    Sha256::digest(identity.as_bytes()).iter().take(6).map(|b| format!("{b:02x}")).collect()
}
