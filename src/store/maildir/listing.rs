//! What files a Maildir holds, though mail programs may rename them while it is read.
//!
//! A file that is renamed while its directory is read may be listed twice or not at all, and one that moves from `cur` to
//! `new` between the two as well. But every rename changes the time of its directory. So a look at both counts as whole
//! when neither time changed meanwhile, and neither was so young that a change could hide in the grain of the clock.

use super::info::{Letters, Parts};
use super::{Maildir, name};
use crate::error::{Error, Result};
use std::cmp::Reverse;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Looks at a Maildir that will not keep still.
const LOOKS: u8 = 6;

/// The grain of file times: the tick of a kernel (10 ms at most), with a margin.
const GRAIN: i64 = 20_000_000;

/// The same on file systems that keep whole seconds.
const COARSE_GRAIN: i64 = 1_100_000_000;

/// Age beyond which a change that comes after a reading is sure to show.
const TRUSTED: i64 = 2_000_000_000;

/// When `cur` and `new` were last changed, in nanoseconds since 1970 UTC. A folder whose times are the same as at an earlier
/// reading holds what it held then, if they were [settled](FolderTimes::are_settled) at that reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FolderTimes {
    /// The time of `cur`.
    pub cur: i64,
    /// The time of `new`.
    pub new: i64,
}

impl FolderTimes {
    /// Reads them; to be done before the folder is read.
    pub(super) fn of(maildir: &Path) -> io::Result<FolderTimes> {
        // The greater of both: what copies a store may set the first back, but never the second.
        let time = |part: &str| -> io::Result<i64> {
            let meta = fs::metadata(maildir.join(part))?;
            let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
            Ok(nanos(meta.mtime(), meta.mtime_nsec()).max(nanos(meta.ctime(), meta.ctime_nsec())))
        };
        Ok(FolderTimes { cur: time("cur")?, new: time("new")? })
    }

    /// Whether they are so old (over two seconds) that any later change gives other ones.
    pub fn are_settled(&self, now: SystemTime) -> bool {
        self.age(nanos(now)) > TRUSTED
    }

    /// How long ago the later one was; a time to come counts as its distance.
    fn age(&self, now: i64) -> i64 {
        [self.cur, self.new].map(|time| now.saturating_sub(time).saturating_abs()).into_iter().min().unwrap_or_default()
    }

    /// How long to wait until a change would show.
    fn youth(&self, now: i64) -> Option<Duration> {
        let whole_seconds = [self.cur, self.new].iter().all(|time| time % 1_000_000_000 == 0);
        let grain = if whole_seconds { COARSE_GRAIN } else { GRAIN };
        let left = grain - self.age(now);
        u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_nanos)
    }
}

fn nanos(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|d| i64::try_from(d.as_nanos()).ok()).unwrap_or_default()
}

/// A message's file. Small, for there may be very many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    name: OsString,
    /// How much of the name is its base.
    base: u16,
    /// The look that showed it.
    look: u8,
    is_new: bool,
}

impl Entry {
    fn new(part: &str, name: OsString, look: u8) -> Entry {
        let base = u16::try_from(name::base(&name).len()).unwrap_or(u16::MAX);
        Entry { name, base, look, is_new: part == "new" }
    }

    /// `new` or `cur`.
    pub(super) fn part(&self) -> &'static str {
        if self.is_new { "new" } else { "cur" }
    }

    pub(super) fn base(&self) -> &[u8] {
        self.name.as_bytes().get(..self.base.into()).unwrap_or_default()
    }

    pub(super) fn parts(&self) -> Parts<'_> {
        Parts::of(&self.name)
    }
}

/// The files of a Maildir, one for each base name.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// In the order of their base names.
    entries: Vec<Entry>,
    /// Whether it is sure to lack none; else what was seen at any of several looks is in it.
    pub(super) is_whole: bool,
    /// Files that are left out because another one has the same base name: below the Maildir.
    pub(super) twins: Vec<PathBuf>,
}

impl Listing {
    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// The letters that any of the files shows.
    pub(super) fn letters(&self) -> Letters {
        self.entries.iter().fold(Letters::default(), |letters, entry| letters.with(entry.parts().letters))
    }

    /// The file of a base name.
    pub(super) fn find(&self, base: &[u8]) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| entry.base().cmp(base)).ok()?;
        self.entries.get(at)
    }

    /// Of all that one or several looks showed. The last one that showed a message tells where it is, and there `cur` before
    /// `new`.
    fn of(mut entries: Vec<Entry>, is_whole: bool) -> Listing {
        entries.sort_unstable_by(|a, b| {
            let (a_key, b_key) = ((Reverse(a.look), a.is_new), (Reverse(b.look), b.is_new));
            a.base().cmp(b.base()).then(a_key.cmp(&b_key)).then_with(|| b.name.cmp(&a.name))
        });
        let mut twins = Vec::new();
        entries.dedup_by(|later, first| {
            let is_twin = later.base() == first.base();
            if is_twin && is_whole {
                twins.push(Path::new(later.part()).join(&later.name));
            }
            is_twin
        });
        Listing { entries, is_whole, twins }
    }
}

impl Maildir {
    pub(super) fn times(&self) -> Result<FolderTimes> {
        let read = FolderTimes::of(&self.path);
        read.map_err(|e| Error::local_io(format!("cannot read {}", self.path.display()), e).folder())
    }

    /// When `cur` and `new` were made.
    pub(super) fn place(&self) -> Result<Option<String>> {
        let made = |part: &str| {
            let meta = fs::metadata(self.path.join(part));
            let meta = meta.map_err(|e| Error::local_io(format!("cannot read {}", self.path.display()), e).folder())?;
            Ok(meta.created().ok().map(nanos))
        };
        Ok(made("cur")?.zip(made("new")?).map(|(cur, new)| format!("{cur} {new}")))
    }

    /// Every message's file.
    pub(super) fn listing(&self) -> Result<Listing> {
        self.listing_of(|_| true)
    }

    /// The files of the messages with wanted base names. Looks again while mail programs are at work, but not for ever.
    fn listing_of(&self, wanted: impl Fn(&[u8]) -> bool) -> Result<Listing> {
        let mut earlier = Vec::new();
        for look in 0..LOOKS {
            let mut before = self.times()?;
            if let Some(youth) = before.youth(nanos(SystemTime::now())) {
                std::thread::sleep(youth);
                before = self.times()?;
            }
            let is_old = before.youth(nanos(SystemTime::now())).is_none();
            // A message goes from `new` to `cur`, hardly ever back: seen twice rather than not at all.
            let mut seen = Vec::new();
            for part in super::VISIBLE {
                let see = |name| Some(Entry::new(part, name, look)).filter(|entry| wanted(entry.base()));
                self.each_name(part, |name| seen.extend(see(name))).map_err(Error::folder)?;
            }
            if is_old && self.times()? == before {
                return Ok(Listing::of(seen, true));
            }
            earlier.append(&mut seen);
        }
        Ok(Listing::of(earlier, false))
    }

    /// The files of some messages.
    pub(super) fn listing_among<'b>(&self, bases: impl Iterator<Item = &'b [u8]>) -> Result<Listing> {
        let wanted: HashSet<&[u8]> = bases.collect();
        self.listing_of(|base| wanted.contains(base))
    }

    /// Does something to the file of each message, and gives what came of it, in order: `None` for a message that is not
    /// there. What the act finds to be missing was renamed meanwhile, and is looked for again. Tells too whether those
    /// without a result are sure to be gone.
    pub(super) fn visit<T>(
        &self,
        bases: &[&[u8]],
        mut act: impl FnMut(usize, &Entry) -> io::Result<T>,
    ) -> Result<(Vec<Option<T>>, bool)> {
        let mut results: Vec<Option<T>> = bases.iter().map(|_| None).collect();
        let mut open: Vec<usize> = (0..bases.len()).collect();
        for _ in 0..LOOKS {
            if open.is_empty() {
                return Ok((results, true));
            }
            let listing = self.listing_among(open.iter().filter_map(|i| bases.get(*i).copied()))?;
            let mut again = Vec::new();
            for i in open {
                let Some(entry) = bases.get(i).and_then(|base| listing.find(base)) else {
                    // What a whole listing lacks is gone.
                    again.extend((!listing.is_whole).then_some(i));
                    continue;
                };
                match act(i, entry) {
                    Ok(done) => {
                        if let Some(result) = results.get_mut(i) {
                            *result = Some(done);
                        }
                    }
                    Err(e) if e.kind() == io::ErrorKind::NotFound => again.push(i),
                    Err(e) => {
                        let path = self.path_of(entry);
                        return Err(Error::local_io(format!("cannot work on {}", path.display()), e).folder());
                    }
                }
            }
            open = again;
        }
        let is_sure = open.is_empty();
        Ok((results, is_sure))
    }

    pub(super) fn path_of(&self, entry: &Entry) -> PathBuf {
        self.path.join(entry.part()).join(&entry.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(part: &str, name: &str) -> Entry {
        Entry::new(part, name.into(), 0)
    }

    fn shown(listing: &Listing) -> Vec<String> {
        listing.entries.iter().map(|e| format!("{}/{}", e.part(), e.name.display())).collect()
    }

    #[test]
    fn one_file_stands_for_a_base_name() {
        let look = {
            vec![entry("new", "b"), entry("new", "a"), entry("cur", "a:2,S"), entry("cur", "a:2,FS"), entry("cur", "c")]
        };
        let listing = Listing::of(look, true);
        assert_eq!(shown(&listing), ["cur/a:2,S", "new/b", "cur/c"]);
        assert!(listing.is_whole);
        assert_eq!(listing.twins, ["cur/a:2,FS", "new/a"].map(PathBuf::from));
        assert_eq!(listing.find(b"b"), Some(&entry("new", "b")));
        assert_eq!(listing.find(b"d"), None);
        assert_eq!(listing.find(b""), None);
    }

    #[test]
    fn what_any_look_showed_is_there_where_the_last_one_saw_it() {
        let first = [entry("new", "a"), entry("cur", "b:2,S"), entry("cur", "c:2,S")];
        let second = ["a:2,S", "b:2,FS"].map(|name| Entry::new("cur", name.into(), 1));
        let listing = Listing::of([&first[..], &second].concat(), false);
        assert_eq!(shown(&listing), ["cur/a:2,S", "cur/b:2,FS", "cur/c:2,S"]);
        assert_eq!((listing.is_whole, listing.twins.len()), (false, 0));
    }

    #[test]
    fn young_times_are_not_trusted() {
        let second = 1_000_000_000;
        let now = 1_700_000_000 * second;
        let times = |age: i64| FolderTimes { cur: now - age, new: now - 500 * second - 1 };
        for (age, youth) in [
            (0, Some(20)),
            (15_000_000, Some(5)),
            (20_000_000, None),
            (-15_000_000, Some(5)),
            (-60 * second, None),
            (60 * second, None),
        ] {
            assert_eq!(times(age).youth(now), youth.map(Duration::from_millis), "{age}");
        }
        let whole = FolderTimes { cur: now, new: now - 9 * second };
        assert_eq!(whole.youth(now + second), Some(Duration::from_millis(100)));
        assert_eq!(whole.youth(now + 2 * second), None);

        let at = |nanos: i64| UNIX_EPOCH + Duration::from_nanos(nanos.unsigned_abs());
        assert!(!times(2 * second).are_settled(at(now)) && times(2 * second + 1).are_settled(at(now)));
    }
}
