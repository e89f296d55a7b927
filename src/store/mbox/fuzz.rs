//! Whatever an mbox may hold, for fuzzing.

use super::from_line::is_dated;
use super::reader::{Piece, Reader};

/// The file as it is; how it is cut into chunks must not matter.
pub fn file(data: &[u8]) {
    let whole = messages(data, data.len());
    let piece = usize::from(data.first().copied().unwrap_or_default() % 17) + 1;
    assert_eq!(messages(data, piece), whole, "cut every {piece} octets");
    assert!(whole.is_sorted_by(|a, b| a.0 < b.0), "messages overlap");
    let octets: usize = whole.iter().map(|(_, _, bytes)| bytes.len()).sum();
    assert!(octets <= data.len(), "{octets} octets of {}", data.len());
    is_dated(data);
}

/// Where each message begins, its From_ line and its octets.
fn messages(data: &[u8], piece: usize) -> Vec<(u64, Vec<u8>, Vec<u8>)> {
    let mut all: Vec<(u64, Vec<u8>, Vec<u8>)> = Vec::new();
    let mut take = |piece: Piece<'_>| match piece {
        Piece::Start(at, line) => all.push((at, line.to_vec(), Vec::new())),
        Piece::Bytes(bytes) => {
            if let Some((_, _, message)) = all.last_mut() {
                message.extend_from_slice(bytes);
            }
        }
    };
    let mut reader = Reader::new(0);
    data.chunks(piece.max(1)).for_each(|chunk| reader.feed(chunk, &mut take));
    reader.finish(&mut take);
    all
}
