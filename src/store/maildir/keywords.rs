//! Keywords by the convention of Dovecot: the small letters of the info part, named by the file `dovecot-keywords` in the
//! Maildir, a line `N NAME` for each, where 0 is `a`.

use super::info::Letters;
use crate::mail::{Change, Flags, Keyword, Marks};
use crate::store::{Holds, directory};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The file's name.
pub(super) const FILE: &str = "dovecot-keywords";

/// Octets beyond which the file is none of Dovecot's.
const LIMIT: u64 = 256 * 1024;

/// What a small letter stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    Keyword(Keyword),
    /// Dovecot writes `$Forwarded` with a small letter; here it is a flag.
    Flag(Flags),
    /// A name that is no keyword; the letter is taken all the same.
    Nothing,
}

/// The keywords of one Maildir, as its file names them.
#[derive(Debug, Clone, Default)]
pub(super) struct Keywords {
    /// Letters and what they stand for, in the order of the file. Two letters may stand for one keyword.
    meanings: Vec<(u8, Meaning)>,
    /// Names that IMAP has no keyword for, with their letters.
    odd: Vec<(u8, String)>,
    /// The file, byte by byte.
    raw: Vec<u8>,
}

impl Keywords {
    /// Reads the file of a Maildir. Where there is none, no letter has a name; what cannot be understood of it is passed
    /// over.
    pub(super) fn read(maildir: &Path) -> io::Result<Keywords> {
        let mut raw = Vec::new();
        match File::open(maildir.join(FILE)) {
            Ok(file) => file.take(LIMIT + 1).read_to_end(&mut raw)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            Err(e) => return Err(e),
        };
        Ok(Keywords::parse(raw))
    }

    pub(super) fn parse(raw: Vec<u8>) -> Keywords {
        if raw.len() as u64 > LIMIT {
            // Cut off: it must never be written back.
            let meanings = (b'a'..=b'z').map(|letter| (letter, Meaning::Nothing)).collect();
            return Keywords { meanings, odd: Vec::new(), raw };
        }
        let mut odd = Vec::new();
        let mut meanings: Vec<(u8, Meaning)> = Vec::new();
        for line in String::from_utf8_lossy(&raw).lines() {
            let Some((number, name)) = line.trim().split_once(' ') else { continue };
            let letter = number.parse().ok().and_then(|n: u8| b'a'.checked_add(n)).filter(u8::is_ascii_lowercase);
            let Some(letter) = letter.filter(|letter| meanings.iter().all(|(other, _)| other != letter)) else {
                continue;
            };
            let flag = Flags::from_imap(name);
            let meaning = match Keyword::new(name) {
                Some(keyword) => Meaning::Keyword(keyword),
                None if flag.is_empty() => {
                    odd.push((letter, name.to_owned()));
                    Meaning::Nothing
                }
                None => Meaning::Flag(flag),
            };
            meanings.push((letter, meaning));
        }
        Keywords { meanings, odd, raw }
    }

    /// Names that IMAP has no keyword for, of letters that files show.
    pub(super) fn odd_names(&self, in_use: Letters) -> Vec<String> {
        self.odd.iter().filter(|(letter, _)| in_use.contains(*letter)).map(|(_, name)| name.clone()).collect()
    }

    /// The keywords that have a letter.
    pub(super) fn named(&self) -> BTreeSet<Keyword> {
        let keyword = |(_, meaning): &(u8, Meaning)| match meaning {
            Meaning::Keyword(keyword) => Some(keyword.clone()),
            _ => None,
        };
        self.meanings.iter().filter_map(keyword).collect()
    }

    /// What such a Maildir can hold, where files show the letters `in_use`.
    pub(super) fn holds(&self, in_use: Letters) -> Holds {
        let marks = Marks { flags: Flags::from_letters("DFPRST"), keywords: self.named() };
        Holds { marks, room: self.free(in_use).count(), ..Holds::default() }
    }

    /// Letters that stand for nothing yet. One that files show without a name had one once: it would mark those files.
    pub(super) fn free(&self, in_use: Letters) -> impl Iterator<Item = u8> {
        let taken: Letters = self.meanings.iter().map(|(letter, _)| *letter).collect();
        (b'a'..=b'z').filter(move |letter| !taken.with(in_use).contains(*letter))
    }

    /// What letters say; a small letter without a name says nothing.
    pub(super) fn marks(&self, letters: Letters) -> Marks {
        let mut marks = Marks::of(Flags::from_letters(&letters.to_string()));
        for (letter, meaning) in &self.meanings {
            match meaning {
                _ if !letters.contains(*letter) => {}
                Meaning::Keyword(keyword) => {
                    marks.keywords.insert(keyword.clone());
                }
                Meaning::Flag(flag) => marks.flags = marks.flags | *flag,
                Meaning::Nothing => {}
            }
        }
        marks
    }

    /// The letters that say this; a keyword without a letter is left out.
    pub(super) fn letters(&self, marks: &Marks) -> Letters {
        let first = |keyword: &Keyword| {
            self.meanings.iter().find(|(_, meaning)| matches!(meaning, Meaning::Keyword(named) if named == keyword))
        };
        let small = marks.keywords.iter().filter_map(first).map(|(letter, _)| *letter);
        small.chain(marks.flags.letters().bytes()).collect()
    }

    /// Letters after a change; those that say nothing stay.
    pub(super) fn changed(&self, letters: Letters, change: &Change) -> Letters {
        let says = |meaning: &Meaning| match meaning {
            Meaning::Keyword(keyword) => change.remove.keywords.contains(keyword),
            Meaning::Flag(flag) => change.remove.flags.contains(*flag),
            Meaning::Nothing => false,
        };
        let small = self.meanings.iter().filter(|(_, meaning)| says(meaning)).map(|(letter, _)| *letter);
        let removed = small.chain(change.remove.flags.letters().bytes()).collect();
        // What is there already, under whatever letter, is not written a second time.
        let missing = change.add.without(&self.marks(letters.without(removed)));
        letters.without(removed).with(self.letters(&missing))
    }

    /// Gives letters to keywords that have none, as far as there are letters, and tells whether any was given.
    pub(super) fn name(&mut self, wanted: &BTreeSet<Keyword>, in_use: Letters) -> bool {
        let named = self.named();
        let free: Vec<u8> = self.free(in_use).collect();
        let before = self.meanings.len();
        for (keyword, letter) in wanted.difference(&named).zip(free) {
            if self.raw.last().is_some_and(|b| *b != b'\n') {
                self.raw.push(b'\n');
            }
            self.raw.extend(format!("{} {}\n", letter - b'a', keyword.as_str()).bytes());
            self.meanings.push((letter, Meaning::Keyword(keyword.clone())));
        }
        self.meanings.len() > before
    }

    /// Puts the file into a Maildir, durably, at once or not at all.
    pub(super) fn write(&self, maildir: &Path) -> io::Result<()> {
        directory::replace(&maildir.join(FILE), &self.raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keywords(file: &str) -> Keywords {
        Keywords::parse(file.as_bytes().to_vec())
    }

    fn set(names: &[&str]) -> BTreeSet<Keyword> {
        names.iter().map(|name| Keyword::new(name).unwrap()).collect()
    }

    fn letters(text: &str) -> Letters {
        text.bytes().collect()
    }

    fn marks(flags: &str, names: &[&str]) -> Marks {
        Marks { flags: Flags::from_letters(flags), keywords: set(names) }
    }

    #[test]
    fn letters_say_what_the_file_names() {
        let k = keywords(
            "0 $Junk\n1 work\n\ngarbage\n26 far\n300 farther\n-1 x\n1 again\n3 two words\n4 $Forwarded\n5 WORK\n",
        );
        for (there, said) in [
            ("FSab", marks("FS", &["$Junk", "work"])),
            ("f", marks("", &["Work"])),
            ("de", marks("P", &[])),
            ("xQ", marks("", &[])),
        ] {
            assert_eq!(k.marks(letters(there)), said, "{there}");
        }
        assert_eq!(k.named(), set(&["$Junk", "work"]));
        assert_eq!((k.odd_names(letters("Sad")), k.odd_names(letters("SaQ"))), (vec!["two words".to_owned()], vec![]));
        assert_eq!(k.letters(&marks("PS", &["WORK", "unknown"])), letters("PSb"));
        assert_eq!(k.holds(letters("Sab")).room, 21);
        assert_eq!(k.holds(letters("Sxyz")).room, 18);
    }

    #[test]
    fn a_change_touches_only_what_it_names() {
        let k = keywords("0 $Junk\n1 work\n4 $Forwarded\n5 WORK");
        for (before, add, remove, after) in [
            ("S", marks("F", &["work"]), marks("", &[]), "FSb"),
            ("SQzf", marks("", &["work"]), marks("S", &[]), "Qfz"),
            ("bf", marks("", &["$Junk"]), marks("", &["work"]), "a"),
            ("Pe", marks("", &[]), marks("P", &[]), ""),
            ("e", marks("P", &[]), marks("", &[]), "e"),
        ] {
            assert_eq!(k.changed(letters(before), &Change { add, remove }), letters(after), "{before}");
        }
    }

    #[test]
    fn new_keywords_get_letters_that_no_file_shows() {
        let mut k = keywords("0 a\nodd line\n2 c");
        k.name(&set(&["A", "new", "other"]), letters("Sbd"));
        assert_eq!(k.raw, b"0 a\nodd line\n2 c\n4 new\n5 other\n");
        assert_eq!(k.letters(&marks("", &["a", "new", "other"])), letters("aef"));

        let many: Vec<String> = (0..30).map(|i| format!("k{i:02}")).collect();
        let many: BTreeSet<Keyword> = many.iter().filter_map(|name| Keyword::new(name)).collect();
        k.name(&many, letters(""));
        assert_eq!((k.named().len(), k.holds(letters("")).room), (26, 0));
        assert_eq!(k.letters(&Marks { flags: Flags::NONE, keywords: many }).iter().count(), 22);
    }

    #[test]
    fn a_file_too_large_is_left_alone() {
        let k = Keywords::parse(vec![b'\n'; LIMIT as usize + 1]);
        assert_eq!((k.holds(letters("")).room, k.named()), (0, set(&[])));
    }

    #[test]
    fn the_file_is_replaced_whole() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Keywords::read(root.path()).unwrap().raw, b"");
        std::fs::write(root.path().join(FILE), b"\xff\n3 x\n").unwrap();
        let mut k = Keywords::read(root.path()).unwrap();
        k.name(&set(&["y"]), letters(""));
        k.write(root.path()).unwrap();
        assert_eq!(std::fs::read(root.path().join(FILE)).unwrap(), b"\xff\n3 x\n0 y\n");
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
