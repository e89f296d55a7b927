//! Random edits on both sides, most runs killed or cut off at a random point, held against a model of what has to come of it.

use super::evidence::{ledger, listed};
use super::model::*;
use super::*;
use crate::support::cutter::Way;
use crate::support::run::Running;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy)]
enum Peril {
    Death,
    Cut,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum On {
    Here,
    There,
}

fn keywords(folder: &Path) -> BTreeMap<char, String> {
    let text = fs::read_to_string(folder.join("dovecot-keywords")).unwrap_or_default();
    let line = |l: &str| {
        let (n, name) = l.split_once(' ').unwrap();
        (char::from(b'a' + n.parse::<u8>().unwrap()), name.to_owned())
    };
    text.lines().map(line).collect()
}

fn look(at: impl Fn(&str) -> PathBuf) -> World {
    let mut world = World::new();
    for folder in FOLDERS {
        let names = keywords(&at(folder));
        for stored in maildir(&at(folder)) {
            let marks = stored.flags.chars();
            let marks = marks.map(|c| names.get(&c).cloned().unwrap_or_else(|| c.to_string())).collect();
            let n = number(&stored);
            assert_eq!(stored.bytes, mail::with_lf(&message(n)), "message {n} in {folder}");
            world.entry(n).or_default().push((folder, marks));
        }
    }
    world.values_mut().for_each(|copies| copies.sort());
    world
}

struct Trial {
    pair: Pair,
    /// Runs are cut off, not killed.
    cutter: Option<Cutter>,
    dice: Dice,
    world: World,
    next: usize,
    /// Of the messages of which there is one copy.
    done: BTreeMap<usize, [Done; 2]>,
    /// Those that are new, or have several copies: changed at most once, on one side.
    wanted: World,
    edits: Vec<String>,
    /// What the runs since have said.
    runs: Vec<String>,
    rests: bool,
}

impl Trial {
    fn new(seed: u64, peril: Peril) -> Trial {
        let (pair, cutter) = match peril {
            Peril::Death => (Pair::with(""), None),
            Peril::Cut => {
                let (pair, cutter) = Pair::with_cutter();
                (pair, Some(cutter))
            }
        };
        for folder in FOLDERS {
            pair.user.deliver(folder, &[]);
        }
        let mut trial = Trial {
            pair,
            cutter,
            dice: Dice(seed),
            world: World::new(),
            next: 1,
            done: BTreeMap::new(),
            wanted: World::new(),
            edits: Vec::new(),
            runs: Vec::new(),
            rests: seed % 2 == 1,
        };
        (0..12).for_each(|i| trial.add(if i % 2 == 0 { On::Here } else { On::There }));
        trial.pair.run(&[]).expect(0);
        trial.settles("at first");
        trial
    }

    fn there(&self, folder: &str) -> PathBuf {
        let root = self.pair.user.maildir();
        if folder == "INBOX" { root } else { root.join(format!(".{folder}")) }
    }

    fn dir(&self, on: On, folder: &str) -> PathBuf {
        if on == On::Here { self.pair.path(folder) } else { self.there(folder) }
    }

    fn doveadm(&self, verb: &[&str], args: &[&str], folder: &str, uid: &str) {
        let query = ["mailbox", folder, "uid", uid];
        self.pair.user.doveadm(&[verb, &["-u", &self.pair.user.name], args, &query].concat());
    }

    /// The UID of a copy of a message on the server.
    fn uid(&self, folder: &str, n: usize, which: usize) -> String {
        let subject = format!("message {n:03}");
        let query = ["fetch", "-u", &self.pair.user.name, "uid", "mailbox", folder, "HEADER", "Subject", &subject];
        let said = self.pair.user.doveadm(&[&["-f", "tab"], &query[..]].concat());
        let uids: Vec<&str> = said.lines().skip(1).collect();
        uids[which % uids.len()].to_owned()
    }

    fn file(&self, folder: &str, n: usize, which: usize) -> PathBuf {
        let all: Vec<Stored> = self.pair.here(folder).into_iter().filter(|m| number(m) == n).collect();
        let m = &all[which % all.len()];
        self.pair.path(folder).join(m.place).join(&m.file_name)
    }

    fn add(&mut self, on: On) {
        let (folder, letters) = (self.dice.of(&FOLDERS), self.dice.of(&["", "S", "FS"]));
        let n = self.next;
        self.next += 1;
        let copies = if self.dice.below(4) == 0 { 2 } else { 1 };
        for copy in 0..copies {
            match on {
                On::Here => {
                    let cur = self.pair.path(folder).join("cur");
                    for part in ["tmp", "new", "cur"] {
                        fs::create_dir_all(self.pair.path(folder).join(part)).unwrap();
                    }
                    fs::write(cur.join(format!("{n}.{copy}.reader:2,{letters}")), mail::with_lf(&message(n))).unwrap();
                }
                On::There => {
                    let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
                    self.pair.user.deliver_as(folder, &message(n), letters, at);
                }
            }
        }
        let copy = (folder, letters.chars().map(String::from).collect());
        self.edits.push(format!("{on:?}: {copies} new {n} in {folder}"));
        self.wanted.insert(n, vec![copy; copies]);
    }

    fn edit(&mut self) {
        let on = self.dice.of(&[On::Here, On::There]);
        let known: Vec<usize> = self.world.keys().copied().collect();
        if known.is_empty() || self.dice.below(5) == 0 {
            return self.add(on);
        }
        let n = self.dice.of(&known);
        if self.wanted.contains_key(&n) {
            return;
        }
        let copies = self.world[&n].clone();
        let which = self.dice.below(copies.len());
        let (mut folder, marks) = copies[which].clone();
        if copies.len() > 1 {
            // Which of equal copies is which cannot be told from outside: those of a folder have to have equal marks.
            if self.done.contains_key(&n) || copies.iter().any(|(f, m)| *f == folder && *m != marks) {
                return;
            }
        }
        let side = on as usize;
        let before = self.done.get(&n).cloned().unwrap_or_default();
        match before[side].fate {
            Some(Fate::Deleted) => return,
            Some(Fate::Moved(to)) => folder = to,
            _ => {}
        }
        let settled = before[side].fate.is_some();
        let mut done = Done::default();
        let (at, chosen) = (self.dir(on, folder), self.dice.below(9));
        match chosen {
            0..4 => {
                let mark = self.dice.of(&MARKS);
                if before[side].toggled.contains(mark) {
                    return;
                }
                self.toggle(on, folder, n, which, mark);
                done.toggled.insert(mark);
            }
            4 if !settled => {
                self.delete(on, folder, n, which);
                done.fate = Some(Fate::Deleted);
            }
            5 | 6 if !settled => {
                let to = self.dice.of(&FOLDERS);
                if to == folder {
                    return;
                }
                self.shift(on, folder, to, n, which);
                done.fate = Some(Fate::Moved(to));
            }
            7 if !settled && on == On::Here => {
                let file = self.file(folder, n, which);
                let info = info(&file);
                fs::rename(&file, at.join("cur").join(format!("re{}.named{info}", self.dice.below(1 << 30)))).unwrap();
                done.fate = Some(Fate::Renamed);
            }
            8 if on == On::Here && !self.done.contains_key(&n) => {
                let file = self.file(folder, n, which);
                fs::copy(&file, at.join("cur").join(format!("copy{}{}", self.dice.below(1 << 30), info(&file))))
                    .unwrap();
                self.edits.push(format!("{on:?}: copied {n} in {folder}"));
                self.wanted.insert(n, [copies.clone(), vec![copies[which].clone()]].concat());
                return;
            }
            _ => return,
        }
        self.edits.push(format!("{on:?}: {n} of {folder} ({} copies) {done:?}", copies.len()));
        if copies.len() > 1 {
            let mut wanted = copies;
            wanted.remove(which);
            if let Wanted::Exactly(one) = wants(&(folder, marks), &[done, Done::default()]) {
                wanted.extend(one);
            }
            wanted.sort();
            self.wanted.insert(n, wanted);
            return;
        }
        let all = &mut self.done.entry(n).or_default()[side];
        all.toggled.extend(done.toggled);
        all.fate = done.fate.or(all.fate);
    }

    fn toggle(&mut self, on: On, folder: &str, n: usize, which: usize, mark: &str) {
        if on == On::There {
            let name = match mark {
                "F" => "\\Flagged",
                "R" => "\\Answered",
                "S" => "\\Seen",
                keyword => keyword,
            };
            let uid = self.uid(folder, n, which);
            let user = &self.pair.user;
            let query = ["-f", "tab", "fetch", "-u", &user.name, "flags", "mailbox", folder, "uid", &uid];
            let has = user.doveadm(&query).lines().nth(1).unwrap().split(' ').any(|f| f == name);
            return self.doveadm(&["flags", if has { "remove" } else { "add" }], &[name], folder, &uid);
        }
        let at = self.pair.path(folder);
        let mut names = keywords(&at);
        let letter = if mark.len() == 1 {
            mark.chars().next().unwrap()
        } else if let Some((letter, _)) = names.iter().find(|(_, name)| *name == mark) {
            *letter
        } else {
            let letter = ('a'..='z').find(|c| !names.contains_key(c)).unwrap();
            names.insert(letter, mark.to_owned());
            let lines = names.iter().map(|(c, name)| format!("{} {name}\n", u32::from(*c) - u32::from('a')));
            fs::write(at.join("dovecot-keywords"), lines.collect::<String>()).unwrap();
            letter
        };
        let file = self.file(folder, n, which);
        let name = file.file_name().unwrap().to_str().unwrap();
        let (base, letters) = name.split_once(":2,").unwrap_or((name, ""));
        let mut letters: BTreeSet<char> = letters.chars().collect();
        if !letters.remove(&letter) {
            letters.insert(letter);
        }
        let letters: String = letters.into_iter().collect();
        fs::rename(&file, at.join("cur").join(format!("{base}:2,{letters}"))).unwrap();
    }

    fn delete(&mut self, on: On, folder: &str, n: usize, which: usize) {
        let marked = self.dice.below(2) == 0;
        if on == On::There {
            let uid = self.uid(folder, n, which);
            return match marked {
                true => self.doveadm(&["flags", "add"], &["\\Deleted"], folder, &uid),
                false => self.doveadm(&["expunge"], &[], folder, &uid),
            };
        }
        let file = self.file(folder, n, which);
        if !marked {
            return fs::remove_file(&file).unwrap();
        }
        let info = info(&file);
        let info = if info.is_empty() { ":2,T".to_owned() } else { format!("{info}T") };
        let name = file.file_name().unwrap().to_str().unwrap().split(':').next().unwrap().to_owned();
        fs::rename(&file, self.pair.path(folder).join("cur").join(name + &info)).unwrap();
    }

    fn shift(&mut self, on: On, folder: &str, to: &str, n: usize, which: usize) {
        if on == On::There {
            let uid = self.uid(folder, n, which);
            return self.doveadm(&["move"], &[to], folder, &uid);
        }
        let file = self.file(folder, n, which);
        // The letters of keywords mean others there.
        let mut letters: BTreeSet<char> = info(&file).chars().filter(char::is_ascii_uppercase).collect();
        let (from_names, mut to_names) = (keywords(&self.pair.path(folder)), keywords(&self.pair.path(to)));
        for letter in info(&file).chars().filter(char::is_ascii_lowercase) {
            let name = &from_names[&letter];
            let there = to_names.iter().find(|(_, n)| *n == name).map(|(c, _)| *c);
            let there = there.unwrap_or_else(|| ('a'..='z').find(|c| !to_names.contains_key(c)).unwrap());
            to_names.insert(there, name.clone());
            letters.insert(there);
        }
        let lines = to_names.iter().map(|(c, name)| format!("{} {name}\n", u32::from(*c) - u32::from('a')));
        fs::write(self.pair.path(to).join("dovecot-keywords"), lines.collect::<String>()).unwrap();
        let base = file.file_name().unwrap().to_str().unwrap().split(':').next().unwrap().to_owned();
        let base = if self.dice.below(2) == 0 { base } else { format!("moved{}.it", self.dice.below(1 << 30)) };
        let letters: String = letters.into_iter().collect();
        fs::rename(&file, self.pair.path(to).join("cur").join(format!("{base}:2,{letters}"))).unwrap();
    }

    /// Lets the folders here look so old that they are left unread where nothing has changed; those of even seeds never do.
    fn rest(&self) {
        if self.rests {
            FOLDERS.iter().for_each(|folder| self.pair.rest(folder));
        }
    }

    /// A run that may not come to its end, and how it fared.
    fn endangered(&mut self) -> String {
        self.rest();
        let Some(cutter) = &self.cutter else { return self.killed() };
        let (way, most) = self.dice.of(&[(Way::ToServer, 2500), (Way::ToClient, 6000)]);
        let octets = 1 + self.dice.below(most);
        let stays = self.dice.below(2) == 0;
        cutter.arm(way, octets);
        if stays {
            cutter.stay_cut();
        }
        let run = self.pair.run(&[]);
        let cut = !cutter.disarm();
        assert!(matches!((run.code, cut), (Some(0), _) | (Some(75), true)), "{:?}: {}", run.code, run.stderr);
        self.runs.push(run.stdout);
        format!("{octets} octets {way:?}, for good {stays}: {}", if cut { "cut" } else { "alive" })
    }

    fn killed(&mut self) -> String {
        let mut command = self.pair.ferry.command(&["sync", "--json"]);
        let (point, batch) = (1 + self.dice.below(40), 1 + self.dice.below(3));
        command.env("MAILFERRY_FAULT_BATCH", batch.to_string()).env("MAILFERRY_FAULT_POINT", point.to_string());
        let died = Running::start(command).wait();
        assert!(died.signal == Some(9) || died.code == Some(0), "{}", died.stderr);
        self.runs.push(died.stdout);
        format!("point {point}, batch {batch}: {}", if died.signal.is_some() { "killed" } else { "alive" })
    }

    /// Both sides are equal and as the model wants them, and a second run is idle.
    fn settles(&mut self, round: &str) {
        let told = || format!("{round}\n  {}\n{}", self.edits.join("\n  "), self.evidence());
        let (here, there) = (look(|f| self.pair.path(f)), look(|f| self.there(f)));
        for n in 1..self.next {
            let (here, there) = (here.get(&n), there.get(&n));
            assert_eq!(here, there, "message {n} differs: {}", told());
            let wanted = match (self.wanted.get(&n), self.world.get(&n)) {
                (Some(wanted), _) => Wanted::Exactly(wanted.clone()),
                (None, Some(before)) if before.len() == 1 => {
                    wants(&before[0], &self.done.get(&n).cloned().unwrap_or_default())
                }
                (None, before) => Wanted::Exactly(before.cloned().unwrap_or_default()),
            };
            let found = here.cloned().unwrap_or_default();
            match wanted {
                Wanted::Exactly(mut copies) => {
                    copies.sort();
                    assert_eq!(found, copies, "message {n}: {}", told());
                }
                Wanted::At(folder) => {
                    let at: Vec<&str> = found.iter().map(|(at, _)| *at).collect();
                    assert_eq!(at, [folder], "message {n}: {}", told());
                }
            }
        }
        self.rest();
        let again = self.pair.run(&[]).expect(0);
        assert_eq!(counts(&again), "", "a second run: {}\n{}", told(), again.stdout);
        self.world = here;
        (self.done, self.wanted) = (BTreeMap::new(), World::new());
        self.edits.clear();
        self.runs.clear();
    }

    /// All that tells why the sides are not as they should be: whether they still are not, what the runs did, what the ledger
    /// holds, and what one more run makes of it.
    fn evidence(&self) -> String {
        let sides = || format!("here {:?}\n  there {:?}", look(|f| self.pair.path(f)), look(|f| self.there(f)));
        let (now, ledger, there) = (sides(), ledger(&self.pair), listed(&self.pair));
        let again = self.pair.run(&[]);
        format!(
            "now {now}\nruns:\n{}\nledger:\n{ledger}\nDovecot lists:\n{there}\none more run: {:?} {}{}  then {}",
            self.runs.join("--\n"),
            again.code,
            again.stdout,
            again.stderr,
            sides()
        )
    }

    fn round(&mut self, round: &str) {
        for _ in 0..1 + self.dice.below(14) {
            self.edit();
        }
        let mut round = round.to_owned();
        for _ in 0..self.dice.below(3) {
            round = format!("{round}, {}", self.endangered());
        }
        self.rest();
        let healed = self.pair.run(&[]);
        assert_eq!(healed.code, Some(0), "{round}: {}", healed.stderr);
        self.runs.push(healed.stdout);
        self.settles(&round);
    }
}

/// What follows the base name of a file.
fn info(file: &Path) -> String {
    let name = file.file_name().unwrap().to_str().unwrap();
    name.find(':').map(|at| name[at..].to_owned()).unwrap_or_default()
}

/// Rounds of one seed.
fn trial(seed: u64, rounds: usize, peril: Peril) {
    let mut trial = Trial::new(seed, peril);
    for round in 1..=rounds {
        trial.round(&format!("seed {seed}, round {round}"));
    }
}

/// The first seed alone, or those of `MAILFERRY_TEST_SEEDS=2..40`.
fn seeds() -> std::ops::Range<u64> {
    let seeds = std::env::var("MAILFERRY_TEST_SEEDS").unwrap_or_else(|_| "1..2".to_owned());
    let (from, to) = seeds.split_once("..").unwrap();
    from.parse().unwrap()..to.parse().unwrap()
}

#[test]
pub fn edits_and_deaths() {
    seeds().for_each(|seed| trial(seed, 8, Peril::Death));
}

#[test]
pub fn edits_and_cut_links() {
    seeds().for_each(|seed| trial(seed, 10, Peril::Cut));
}
