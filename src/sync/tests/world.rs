//! A server and a store in memory, what users do to them, and an engine that carries plans out step by step.

use crate::mail::{Change, Content, Digest, Fingerprint, Flags, FolderName, Key, Marks, Side, Sides};
use crate::state::{FolderId, Home, Ledger};
use crate::store::{Holds, Identity, Snapshot};
use crate::sync::Policy;
use crate::sync::baseline::known_there;
use std::collections::{BTreeMap, HashSet};

mod engine;

pub const FOLDERS: [&str; 2] = ["INBOX", "Archive"];

/// A message: what is in it, and what is written on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub body: u8,
    pub marks: Marks,
}

/// What a user does to one side. Messages are chosen by their place.
#[derive(Debug, Clone)]
pub enum Edit {
    Add {
        folder: usize,
        body: u8,
        marks: Marks,
    },
    Remove {
        folder: usize,
        nth: usize,
    },
    Mark {
        folder: usize,
        nth: usize,
        change: Change,
    },
    /// To the other folder; under a new name, or under the old one (local only).
    Move {
        folder: usize,
        nth: usize,
        renamed: bool,
    },
    /// Another name in the same folder (local only).
    Rename {
        folder: usize,
        nth: usize,
    },
}

pub struct World {
    pub ledger: Ledger,
    pub sides: Sides<[BTreeMap<Key, Message>; 2]>,
    pub holds: Sides<Holds>,
    pub policy: Policy,
    /// Effects that may still happen before the engine dies.
    pub breath: usize,
    pub effects: usize,
    next: u32,
    recognised: bool,
    /// Files that may turn out to be what is downloaded.
    free: HashSet<Key>,
    /// Counts changes on the server, and says which one was the last of a message.
    modseq: u64,
    changed: BTreeMap<Key, u64>,
    /// What the server had, and when, as the plan was made after which the ledger was last to know all of it.
    baselines: [Option<(u64, HashSet<Key>)>; 2],
}

pub fn content(body: u8) -> Content {
    // Body 3 has neither Message-ID nor Date.
    let weak = u8::from(body != 3);
    let fingerprint = Fingerprint([(body << 1) | weak; 16]);
    Content::known(10, Digest([body; 32]), fingerprint)
}

fn identity(side: Side, body: u8) -> Identity {
    let Content { wire_size, digest, fingerprint, .. } = content(body);
    Identity { size: Some(wire_size), fingerprint, digest: (side == Side::Local).then_some(digest), original: None }
}

pub fn name(folder: usize) -> FolderName {
    FolderName::parse(FOLDERS[folder]).unwrap()
}

impl World {
    pub fn new(policy: Policy) -> World {
        let nowhere = tempfile::tempdir().unwrap();
        let all = Holds { marks: Marks::of(Flags::from_letters("DFPRST")), room: usize::MAX, ..Holds::default() };
        let mut world = World {
            ledger: Ledger::open_copy(&Home::new(nowhere.path(), "a")).unwrap(),
            sides: Sides::default(),
            holds: Sides { remote: all.clone(), local: all },
            policy,
            breath: usize::MAX,
            effects: 0,
            next: 100,
            recognised: false,
            free: HashSet::new(),
            modseq: 0,
            changed: BTreeMap::new(),
            baselines: [None, None],
        };
        for folder in FOLDERS {
            world.ledger.begin(folder, "scope", &[], 0).unwrap();
        }
        world
    }

    pub fn id(&self, folder: usize) -> FolderId {
        self.ledger.folder(FOLDERS[folder]).unwrap().unwrap().id
    }

    fn new_key(&mut self, side: Side) -> Key {
        self.next += 1;
        Key::new(match side {
            Side::Remote => self.next.to_string(),
            Side::Local => format!("m{}", self.next),
        })
    }

    pub fn edit(&mut self, side: Side, edit: &Edit) {
        let nth_key = |w: &World, folder: usize, nth: usize| {
            let messages = &w.sides.on(side)[folder];
            (!messages.is_empty()).then(|| messages.keys().nth(nth % messages.len()).unwrap().clone())
        };
        match edit {
            Edit::Add { folder, body, marks } => {
                let key = self.new_key(side);
                let message = Message { body: *body, marks: marks.clone() };
                self.sides.on_mut(side)[*folder].insert(key, message);
            }
            Edit::Remove { folder, nth } => {
                if let Some(key) = nth_key(self, *folder, *nth) {
                    self.sides.on_mut(side)[*folder].remove(&key);
                }
            }
            Edit::Mark { folder, nth, change } => {
                if let Some(key) = nth_key(self, *folder, *nth) {
                    self.change(side, *folder, &key, change);
                }
            }
            Edit::Move { folder, nth, renamed } => {
                if let Some(key) = nth_key(self, *folder, *nth) {
                    let new = if *renamed || side == Side::Remote { self.new_key(side) } else { key.clone() };
                    let message = self.sides.on_mut(side)[*folder].remove(&key).unwrap();
                    self.sides.on_mut(side)[1 - folder].insert(new, message);
                }
            }
            Edit::Rename { folder, nth } => {
                if let (Some(key), Side::Local) = (nth_key(self, *folder, *nth), side) {
                    let new = self.new_key(side);
                    let message = self.sides.local[*folder].remove(&key).unwrap();
                    self.sides.local[*folder].insert(new, message);
                }
            }
        }
    }

    fn change(&mut self, side: Side, folder: usize, key: &Key, change: &Change) {
        if let Some(message) = self.sides.on_mut(side)[folder].get_mut(key) {
            message.marks = message.marks.after(change);
            self.modseq += 1;
            self.changed.insert(key.clone(), self.modseq);
        }
    }

    fn snapshot(&self, side: Side, folder: usize) -> Snapshot {
        let size = (side == Side::Remote).then_some(10);
        let seen = |(key, m): (&Key, &Message)| (key.clone(), m.marks.clone(), size);
        Snapshot { messages: self.sides.on(side)[folder].iter().map(seen).collect(), ..Snapshot::default() }
    }

    /// What the server has, as far as it can be known without asking for more than what changed since the baseline: no mark of
    /// what did not change is another one than the ledger says.
    fn is_known(&self, folder: usize) {
        let Some((modseq, there)) = &self.baselines[folder] else { return };
        let id = self.id(folder);
        let (known, doubtful) = known_there(self.ledger.pairs(id).unwrap(), self.ledger.leftovers(id).unwrap());
        for (key, message) in &self.sides.remote[folder] {
            if there.contains(key) && self.changed.get(key) <= Some(modseq) && !doubtful.contains(&key.uid().unwrap()) {
                let known = known.get(key).unwrap_or_else(|| panic!("{key} was there and is not known in {folder}"));
                assert_eq!(*known.marks, message.marks, "{key} in {folder}");
            }
        }
    }

    /// How often each body is on a side.
    pub fn count(&self, side: Side) -> BTreeMap<u8, usize> {
        let mut counts = BTreeMap::new();
        for message in self.sides.on(side).iter().flat_map(BTreeMap::values) {
            *counts.entry(message.body).or_default() += 1;
        }
        counts
    }

    /// All that is on both sides, without names, in order.
    pub fn told(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for side in Side::BOTH {
            for (folder, messages) in FOLDERS.iter().zip(self.sides.on(side)) {
                let line =
                    |m: &Message| format!("{side} {folder} {} {:?} {:?}", m.body, m.marks.flags, m.marks.keywords);
                lines.extend(messages.values().map(line));
            }
        }
        lines.sort();
        lines
    }
}
