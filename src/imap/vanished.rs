//! VANISHED (RFC 7162 section 3.2.10): UIDs of messages that are gone.

use super::scan::Scan;

/// UIDs of messages that are gone, as they stand in the response: there may be very many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vanished<'a> {
    /// They were gone before the folder was opened, and count no longer; some may never have been there.
    pub earlier: bool,
    set: &'a [u8],
}

impl<'a> Vanished<'a> {
    /// Reads what follows `VANISHED`.
    pub fn read(scan: &mut Scan<'a>) -> Option<Vanished<'a>> {
        scan.blanks();
        let earlier = scan.tag(b"(EARLIER)").is_some();
        let vanished = Vanished { earlier, set: scan.rest().trim_ascii() };
        vanished.parts().all(|part| range(part).is_some()).then_some(vanished)
    }

    /// First and last UID of each range.
    pub fn ranges(&self) -> impl Iterator<Item = (u32, u32)> {
        self.parts().filter_map(range)
    }

    /// How many messages these are.
    pub fn count(&self) -> u32 {
        self.ranges().fold(0, |sum, (first, last)| sum.saturating_add(last - first).saturating_add(1))
    }

    fn parts(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.set.split(|b| *b == b',')
    }
}

fn range(part: &[u8]) -> Option<(u32, u32)> {
    let text = std::str::from_utf8(part).ok()?;
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let uid = |text: &str| text.parse::<u32>().ok().filter(|uid| *uid > 0);
    let (first, last) = (uid(first)?, uid(last)?);
    Some((first.min(last), first.max(last)))
}

#[cfg(test)]
mod tests {
    use crate::imap::framer::Frame;
    use crate::imap::response::Untagged;

    #[test]
    fn ranges_are_read_and_nonsense_is_told() {
        let told = |text: &str| {
            let frame = Frame { text: text.into(), literals: Vec::new() };
            match Untagged::of(&frame) {
                Untagged::Vanished(v) => Some((v.earlier, v.ranges().collect::<Vec<_>>(), v.count())),
                Untagged::Broken => None,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(told("* VANISHED (EARLIER) 41,43:116,300"), Some((true, vec![(41, 41), (43, 116), (300, 300)], 76)));
        assert_eq!(told("* vanished 9:7 "), Some((false, vec![(7, 9)], 3)));
        assert_eq!(told("* VANISHED 1:4294967295,5"), Some((false, vec![(1, u32::MAX), (5, 5)], u32::MAX)));
        for broken in ["", " x", " 0", " 1:*", " 1,,2", " (EARLIER)", " (LATER) 1", " 1:2:3", " -1"] {
            assert_eq!(told(&format!("* VANISHED{broken}")), None, "{broken}");
        }
    }
}
