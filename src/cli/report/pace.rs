//! How far a run has come, how fast it is, and how long it has to go.

use super::units::{messages, octets};
use crate::event::Outlook;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How far the work on an account has come.
#[derive(Debug)]
pub struct Pace {
    begun: Instant,
    /// Messages of all folders, where that was told at the outset.
    outset: Option<u64>,
    folders: BTreeMap<String, Folder>,
    /// What earlier looks at these folders brought.
    before: Done,
}

#[derive(Debug, Default)]
struct Folder {
    outlook: Outlook,
    done: Done,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Done {
    messages: u64,
    bytes: u64,
}

impl Pace {
    /// Work that begins now.
    pub fn new(now: Instant) -> Pace {
        Pace { begun: now, outset: None, folders: BTreeMap::new(), before: Done::default() }
    }

    /// All folders together hold so many messages.
    pub fn outset(&mut self, messages: u64) {
        self.outset = Some(messages);
    }

    /// A folder was looked at.
    pub fn folder(&mut self, name: &str, outlook: Outlook) {
        let earlier = self.folders.insert(name.to_owned(), Folder { outlook, done: Done::default() });
        let Done { messages, bytes } = earlier.map(|f| f.done).unwrap_or_default();
        self.before = Done { messages: self.before.messages + messages, bytes: self.before.bytes + bytes };
    }

    /// So much of a folder is done.
    pub fn advance(&mut self, name: &str, messages: u64, bytes: u64) {
        if let Some(folder) = self.folders.get_mut(name) {
            folder.done = Done { messages, bytes };
        }
    }

    /// Messages and octets that are done, and that there are to do in all, as far as known: of folders that were not looked at
    /// yet, all messages, of the size that those of others have.
    fn extent(&self) -> (Done, Done) {
        let (mut done, mut all, mut listed) = (self.before, self.before, 0);
        for Folder { outlook, done: of } in self.folders.values() {
            done = Done { messages: done.messages + of.messages, bytes: done.bytes + of.bytes };
            all = Done { messages: all.messages + outlook.fetch, bytes: all.bytes + outlook.bytes.max(of.bytes) };
            listed += outlook.listed;
        }
        let unknown = self.outset.unwrap_or(0).saturating_sub(listed);
        let each = all.bytes.checked_div(all.messages).unwrap_or(0);
        let all =
            Done { messages: all.messages + unknown, bytes: all.bytes.saturating_add(each.saturating_mul(unknown)) };
        (done, all)
    }

    /// Octets that are done, and in all.
    pub fn octets(&self) -> (u64, u64) {
        let (done, all) = self.extent();
        (done.bytes, all.bytes)
    }

    /// All of it in a few words: `120 of 300 messages, 1.5 MiB of 3.8 MiB, 310.0 KiB/s, 7 s left`.
    pub fn shown(&self, now: Instant) -> String {
        let (done, all) = self.extent();
        let seconds = now.saturating_duration_since(self.begun).as_secs_f64();
        let rate = if seconds > 0.0 { done.bytes as f64 / seconds } else { 0.0 };
        let left = all.bytes.saturating_sub(done.bytes) as f64 / rate;
        let left = if left.is_finite() { format!(", {} left", span(left)) } else { String::new() };
        format!(
            "{} of {}, {} of {}, {}/s{left}",
            done.messages,
            messages(all.messages),
            octets(done.bytes),
            octets(all.bytes),
            octets(rate as u64)
        )
    }

    /// The folders that are being worked on: `INBOX 120/200`.
    pub fn under_way(&self) -> Vec<String> {
        let open = self.folders.iter().filter(|(_, f)| f.done.messages > 0 && f.done.messages < f.outlook.fetch);
        open.map(|(name, f)| format!("{name} {}/{}", f.done.messages, f.outlook.fetch)).collect()
    }
}

/// Seconds as people read them: `42 s`, `3 min`, `2 h 05 min`.
pub fn span(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds.max(0.0)).map_or(u64::MAX, |d| d.as_secs());
    match whole {
        0..100 => format!("{whole} s"),
        100..6000 => format!("{} min", whole.div_ceil(60)),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_what_is_done_and_what_is_left() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut pace = Pace::new(begun);
        assert_eq!(pace.shown(begun), "0 of 0 messages, 0 B of 0 B, 0 B/s");
        pace.outset(400);
        pace.folder("INBOX", Outlook { listed: 300, had: 100, fetch: 200, bytes: 204_800, ..Outlook::default() });
        assert_eq!(pace.shown(begun), "0 of 300 messages, 0 B of 300.0 KiB, 0 B/s");
        pace.advance("INBOX", 50, 51_200);
        assert_eq!(pace.shown(after(10)), "50 of 300 messages, 50.0 KiB of 300.0 KiB, 5.0 KiB/s, 50 s left");
        assert_eq!((pace.under_way(), pace.octets()), (vec!["INBOX 50/200".to_owned()], (51_200, 307_200)));
        // A second look at the same folder: what was done stays done.
        pace.folder("INBOX", Outlook { listed: 300, had: 150, fetch: 150, bytes: 153_600, ..Outlook::default() });
        pace.advance("INBOX", 150, 153_600);
        pace.folder("Lists", Outlook { listed: 100, had: 100, ..Outlook::default() });
        assert_eq!(pace.shown(after(20)), "200 of 200 messages, 200.0 KiB of 200.0 KiB, 10.0 KiB/s, 0 s left");
        assert!(pace.under_way().is_empty());
    }

    #[test]
    fn spans_are_short() {
        for (seconds, text) in
            [(0.4, "0 s"), (99.0, "99 s"), (100.0, "2 min"), (5999.0, "100 min"), (7500.0, "2 h 05 min")]
        {
            assert_eq!(span(seconds), text);
        }
    }
}
