//! What became of a batch whose run ended early.

use super::from_line;
use super::{Site, reader, size};
use crate::mail::Digest;
use crate::store::Place;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Octets of line ends written at a time.
const CHUNK: u64 = 64 * 1024;

/// What stands where a record was going to stand.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// The record.
    Whole,
    /// The beginning of it, up to an offset.
    Torn(u64),
    /// Nothing, or something else.
    Other,
}

/// Tells for each message whether it stands in the mbox; what stands there of the others is taken away.
pub(super) fn settle(
    file: &File,
    arriving: &[(Place, Digest)],
    delivered: &[(Place, Digest)],
) -> io::Result<Vec<bool>> {
    let size = size(file)?;
    let mut stands = vec![false; arriving.len()];
    let mut taken = BTreeSet::new();
    let mut torn = Vec::new();
    let mut missing = Vec::new();
    for ((place, digest), stands) in arriving.iter().zip(&mut stands) {
        let Some(site) = Site::of(place) else { continue };
        match look(file, size, site, digest)? {
            Found::Whole => {
                taken.insert(site.at);
                *stands = true;
            }
            Found::Torn(end) => torn.push(site.at..end),
            Found::Other => missing.push((site, digest, stands)),
        }
    }
    if !missing.is_empty() {
        // A mail program may have rewritten the mbox since, so that everything stands elsewhere. What arrived before comes first.
        let mut others: Vec<Digest> = delivered.iter().map(|(_, digest)| *digest).collect();
        reader::records(file, 0, size, |record| {
            let is_torn = torn.iter().any(|range: &Range<u64>| range.start == record.at);
            let is_it = |(site, digest, _): &(Site<'_>, &Digest, &mut bool)| {
                record.content.digest == **digest
                    && record.from_line == site.from_line.as_bytes()
                    && (!is_torn || record.end - record.at == site.length)
            };
            if taken.contains(&record.at) {
                return;
            }
            if let Some(i) = others.iter().position(|digest| *digest == record.content.digest) {
                others.swap_remove(i);
            } else if let Some(i) = missing.iter().position(is_it) {
                *missing.swap_remove(i).2 = true;
                taken.insert(record.at);
            }
        })?;
    }
    // What moved to where the beginning of another record could stand is no such beginning.
    torn.retain(|range| !taken.contains(&range.start));
    remove(file, size, torn)?;
    // The run may have ended before it made durable what stands.
    file.sync_all()?;
    Ok(stands)
}

fn look(file: &File, size: u64, site: Site<'_>, digest: &Digest) -> io::Result<Found> {
    if site.at >= size || !starts_a_line(file, site.at)? {
        return Ok(Found::Other);
    }
    if site.end() <= size {
        let (mut first, mut count) = (false, 0);
        reader::records(file, site.at, site.end(), |record| {
            let is_it = record.from_line == site.from_line.as_bytes() && record.content.digest == *digest;
            first |= record.at == site.at && is_it;
            count += 1;
        })?;
        if first && count == 1 {
            return Ok(Found::Whole);
        }
    }
    let end = match reader::next_from_line(file, site.at + 1, site.end())? {
        Some(next) => next,
        None if size <= site.end() => size,
        None => return Ok(Found::Other),
    };
    let mut start = vec![0; (end - site.at).min(from_line::LIMIT as u64) as usize];
    file.read_exact_at(&mut start, site.at)?;
    Ok(if is_beginning(&start, site.from_line) { Found::Torn(end) } else { Found::Other })
}

/// Whether a record with this From_ line may begin so: with the line, or with a part of it and line ends added by others.
fn is_beginning(start: &[u8], from_line: &str) -> bool {
    let first = start.split(|b| *b == b'\n').next().unwrap_or_default().trim_ascii_end();
    let only = first.len() == start.trim_ascii_end().len();
    first == from_line.as_bytes() || (only && !first.is_empty() && from_line.as_bytes().starts_with(first))
}

fn starts_a_line(file: &File, at: u64) -> io::Result<bool> {
    let mut before = *b"\n";
    if at > 0 {
        file.read_exact_at(&mut before, at - 1)?;
    }
    Ok(before == *b"\n")
}

/// Takes unfinished records away: cuts them off at the end of the file, and turns them into line ends elsewhere.
fn remove(file: &File, mut size: u64, mut torn: Vec<Range<u64>>) -> io::Result<()> {
    torn.sort_by_key(|range| range.start);
    while let Some(range) = torn.pop() {
        if range.end == size {
            file.set_len(range.start)?;
            size = range.start;
        } else {
            blank(file, range)?;
        }
        crate::fault::point();
        file.sync_all()?;
    }
    Ok(())
}

/// Overwrites a record with line ends; its From_ line last, so that a crash here leaves a beginning that is ours as before.
fn blank(file: &File, mut range: Range<u64>) -> io::Result<()> {
    let head = range.end.min(range.start + from_line::LIMIT as u64);
    if range.start == 0 {
        // Dovecot refuses an mbox that begins with line ends: an empty message has to stay.
        let mut start = vec![0; head as usize];
        file.read_exact_at(&mut start, 0)?;
        if let Some(line_end) = memchr::memchr(b'\n', &start)
            && from_line::is_dated(&start)
        {
            range.start = line_end as u64 + 1;
        }
    }
    let mut at = head;
    while at < range.end {
        let some = (range.end - at).min(CHUNK);
        file.write_all_at(&vec![b'\n'; some as usize], at)?;
        at += some;
    }
    crate::fault::point();
    file.sync_all()?;
    file.write_all_at(&vec![b'\n'; (head - range.start) as usize], range.start)
}
