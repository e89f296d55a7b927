//! The folders of an account, put together from what the server tells of them.

use super::listing::ListEntry;
use super::names::{Names, trimmed};
use crate::mail::{FolderName, FolderPattern, Role};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A folder on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its name for people and for the ledger.
    pub name: FolderName,
    /// Its name as the server wrote it, or wants it written; sent back unchanged even where it cannot be decoded.
    pub wire: Vec<u8>,
    /// Other folders on the server whose names read the same; they cannot be told from it here, and are left out.
    pub twins: Vec<Vec<u8>>,
    /// What it is for, where the server tells.
    pub role: Option<Role>,
    /// Whether the user subscribed to it; `None` where that was not asked.
    pub subscribed: Option<bool>,
    /// What was in it, where the server told along with the list.
    pub status: Option<FolderStatus>,
}

impl Folder {
    /// A folder of which only its names are known.
    pub(super) fn new(name: FolderName, wire: Vec<u8>) -> Folder {
        Folder { name, wire, twins: Vec::new(), role: None, subscribed: None, status: None }
    }

    /// What the user is told of each of its twins, where this one is `taken`.
    pub fn tell_twins(&self, taken: &str) -> impl Iterator<Item = String> {
        self.twins.iter().map(move |twin| {
            format!(
                "two folders on the server read as {}: \u{201c}{}\u{201d} is {taken}, \u{201c}{}\u{201d} is left. Rename one of \
                 them on the server.",
                self.name,
                self.wire.escape_ascii(),
                twin.escape_ascii()
            )
        })
    }
}

/// What STATUS tells of a folder (RFC 9051 section 6.3.11); each as far as the server told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FolderStatus {
    /// How many messages it holds.
    pub messages: Option<u32>,
    /// No message has had this UID or a higher one.
    pub uidnext: Option<u32>,
    /// What its UIDs hold good for; never 0.
    pub uidvalidity: Option<u32>,
    /// Grows with every change (RFC 7162); never 0.
    pub highestmodseq: Option<u64>,
}

/// Every folder of an account, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    pub(super) names: Names,
    folders: BTreeMap<FolderName, Folder>,
    cut_short: bool,
    exchange: bool,
}

impl Tree {
    /// The folders, the inbox first.
    pub fn folders(&self) -> impl Iterator<Item = &Folder> {
        let (inbox, others): (Vec<_>, Vec<_>) = self.folders.values().partition(|f| f.name.is_inbox());
        inbox.into_iter().chain(others)
    }

    /// What separates the levels of names on the wire, where that is known.
    pub fn separator(&self) -> Option<char> {
        self.names.separator.map(char::from)
    }

    /// A folder by its name.
    pub fn get(&self, name: &FolderName) -> Option<&Folder> {
        self.folders.get(name)
    }

    /// Parts of the answer made no sense: what it lacks may still be there.
    pub fn is_cut_short(&self) -> bool {
        self.cut_short
    }

    /// Whether a folder holds no mail: calendars and the like, which Exchange lists among the others.
    pub fn is_no_mail(&self, name: &FolderName) -> bool {
        const NO_MAIL: [&str; 6] = ["Calendar", "Contacts", "Journal", "Notes", "Sync Issues", "Tasks"];
        self.exchange && name.levels().first().is_some_and(|outer| NO_MAIL.contains(&outer.as_str()))
    }

    /// The folders that the patterns take, the inbox first. One that is named outright is among them even if the server
    /// did not list it: opening it will tell.
    pub fn select(&self, patterns: &[FolderPattern]) -> Vec<Folder> {
        let mut chosen = self.folders.clone();
        for name in patterns.iter().filter(|p| p.is_literal()).filter_map(|p| FolderName::parse(p.as_str())) {
            chosen.entry(name).or_insert_with_key(|name| Folder::new(name.clone(), self.names.guess(name)));
        }
        let mut folders: Vec<_> = chosen.into_values().filter(|f| FolderPattern::selects(patterns, &f.name)).collect();
        folders.sort_by_key(|f| !f.name.is_inbox());
        folders
    }

    /// Up to three names that look like this one.
    pub fn close_to(&self, name: &FolderName) -> Vec<String> {
        let last_level = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let wanted = name.to_string().to_lowercase();
        let mut close: Vec<(f64, String)> = Vec::new();
        for name in self.folders.keys().map(FolderName::to_string) {
            let lower = name.to_lowercase();
            let pairs = [(&*wanted, &*lower), (&wanted, &*last_level(&lower)), (&last_level(&wanted), &lower)]
                .map(|(a, b)| strsim::jaro_winkler(a, b));
            close.push((pairs.into_iter().fold(0.0, f64::max), name));
        }
        close.retain(|(likeness, _)| *likeness > 0.8);
        close.sort_by(|a, b| b.0.total_cmp(&a.0));
        close.into_iter().take(3).map(|(_, name)| name).collect()
    }

    /// Adds a folder that was created.
    pub(super) fn insert(&mut self, name: &FolderName, wire: Vec<u8>) -> Folder {
        let folder = Folder::new(name.clone(), wire);
        self.folders.insert(name.clone(), folder.clone());
        folder
    }

    /// Adds a folder that was created on another connection.
    pub fn add(&mut self, folder: Folder) {
        self.folders.insert(folder.name.clone(), folder);
    }

    /// Takes a folder out.
    pub fn remove(&mut self, name: &FolderName) {
        self.folders.remove(name);
    }
}

/// What has come so far of the answers that tell of folders; they come in any order.
#[derive(Debug, Default)]
pub struct Gathering {
    /// Prefix and separator of the first of the user's own namespaces.
    pub namespace: Option<(Vec<u8>, Option<u8>)>,
    /// Something came that made no sense.
    pub broken: bool,
    /// Names are UTF-8.
    pub utf8: bool,
    /// The server is Microsoft Exchange.
    pub exchange: bool,
    entries: Vec<Entry>,
    subscribed: HashSet<Vec<u8>>,
    statuses: HashMap<Vec<u8>, FolderStatus>,
}

#[derive(Debug)]
struct Entry {
    wire: Vec<u8>,
    separator: Option<u8>,
    selectable: bool,
    subscribed: bool,
    role: Option<Role>,
}

impl Gathering {
    /// LIST told of a folder.
    pub fn listed(&mut self, entry: &ListEntry<'_>) {
        self.entries.push(Entry {
            wire: entry.wire.to_vec(),
            separator: entry.separator,
            selectable: entry.selectable,
            subscribed: entry.subscribed,
            role: entry.role,
        });
    }

    /// LSUB told of a folder.
    pub fn subscribed(&mut self, entry: &ListEntry<'_>) {
        self.subscribed.insert(same(&entry.wire, entry.separator));
    }

    /// STATUS told of a folder.
    pub fn status(&mut self, wire: &[u8], status: FolderStatus) {
        self.statuses.insert(same(wire, None), status);
    }

    /// The folders. `told` says whether the server was asked which ones are subscribed to.
    pub fn tree(mut self, told: bool) -> Tree {
        let (prefix, of_prefix) = self.namespace.take().unwrap_or_default();
        let separator = of_prefix.or_else(|| self.entries.iter().find_map(|e| e.separator));
        let mut tree = Tree {
            names: Names { separator, prefix, utf8: self.utf8 },
            folders: BTreeMap::new(),
            cut_short: self.broken,
            exchange: self.exchange,
        };
        // By name, what stands for it on the wire: mostly one form.
        let mut forms: BTreeMap<FolderName, BTreeSet<Vec<u8>>> = BTreeMap::new();
        for entry in self.entries.iter().filter(|e| e.selectable) {
            let names = Names { separator: entry.separator, ..tree.names.clone() };
            let name = names.name_of(&entry.wire);
            let is_inbox = name.is_inbox();
            let known = forms.entry(name).or_default();
            let same_form = |f: &Vec<u8>| trimmed(f, entry.separator) == trimmed(&entry.wire, entry.separator);
            // INBOX is one folder however it is spelt.
            if known.is_empty() || !(is_inbox || known.iter().any(same_form)) {
                known.insert(entry.wire.clone());
            }
        }
        let of_wire: HashMap<&[u8], &Entry> = self.entries.iter().map(|e| (&*e.wire, e)).collect();
        for (name, forms) in forms {
            let mut forms = forms.into_iter();
            let Some(wire) = forms.next() else { continue };
            let entry = of_wire.get(&*wire);
            let key = same(&wire, entry.and_then(|e| e.separator));
            let subscribed = entry.is_some_and(|e| e.subscribed) || self.subscribed.contains(&key);
            let status = self.statuses.get(&key).or_else(|| self.statuses.get(&same(&wire, None))).copied();
            let folder = Folder {
                name: name.clone(),
                wire,
                twins: forms.collect(),
                role: entry.and_then(|e| e.role),
                subscribed: told.then_some(subscribed),
                status,
            };
            tree.folders.insert(name, folder);
        }
        tree
    }
}

/// One spelling of a wire form for all answers that name the folder.
pub fn same(wire: &[u8], separator: Option<u8>) -> Vec<u8> {
    let wire = trimmed(wire, separator);
    if wire.eq_ignore_ascii_case(b"INBOX") { b"INBOX".to_vec() } else { wire.to_vec() }
}

/// The folders that patterns name, as far as that can be told without asking the server: no wildcards, no levels, whose
/// separator only the server knows, and where names may have a hidden prefix, only the inbox.
pub fn without_list(patterns: &[FolderPattern], may_have_prefix: bool) -> Option<Vec<Folder>> {
    let known = patterns.iter().all(|p| {
        let text = p.as_str();
        match p.is_literal() {
            true if may_have_prefix => text.eq_ignore_ascii_case("INBOX"),
            true => !text.contains('/'),
            // What is neither literal nor holds wildcards is an exclusion, and can only take away.
            false => !text.contains(['*', '%']),
        }
    });
    known.then(|| Tree::default().select(patterns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn patterns(list: &[&str]) -> Vec<FolderPattern> {
        list.iter().map(|p| FolderPattern::parse(p).unwrap()).collect()
    }

    fn entry(separator: Option<u8>, wire: &[u8]) -> ListEntry<'_> {
        ListEntry { selectable: true, subscribed: false, role: None, separator, wire: Cow::Borrowed(wire) }
    }

    fn listed(separator: Option<u8>, names: &[&[u8]]) -> Tree {
        let mut gathering = Gathering::default();
        names.iter().for_each(|name| gathering.listed(&entry(separator, name)));
        gathering.tree(false)
    }

    fn shown(folders: Vec<Folder>) -> Vec<(String, String)> {
        folders.into_iter().map(|f| (f.name.to_string(), String::from_utf8_lossy(&f.wire).into_owned())).collect()
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn patterns_select_and_keep_the_wire_form() {
        let listed = listed(Some(b'.'), &[b"Lists.rust", b"Entw&APw-rfe", b"Inbox", b"Spam", b"Stra\xdfe"]);
        let all = shown(listed.select(&patterns(&["*", "!Spam"])));
        let names: Vec<_> = all.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, ["INBOX", "Entw\u{fc}rfe", "Lists/rust", "Stra\u{fffd}e"]);
        assert_eq!(listed.select(&patterns(&["Stra*"]))[0].wire, b"Stra\xdfe");
        assert_eq!(shown(listed.select(&patterns(&["INBOX"]))), pairs(&[("INBOX", "Inbox")]));
        let missing = shown(listed.select(&patterns(&["Lists/r\u{fc}st"])));
        assert_eq!(missing, pairs(&[("Lists/r\u{fc}st", "Lists.r&APw-st")]));
        assert!(listed.select(&patterns(&["Spam", "!S*"])).is_empty());
    }

    #[test]
    fn a_prefix_is_hidden_and_put_before_what_is_not_listed() {
        let mut gathering = Gathering { namespace: Some((b"INBOX.".to_vec(), Some(b'.'))), ..Gathering::default() };
        for name in [&b"INBOX"[..], b"INBOX.Sent", b"INBOX.Work.a", b"shared.x"] {
            gathering.listed(&entry(Some(b'.'), name));
        }
        let tree = gathering.tree(false);
        let expected =
            [("INBOX", "INBOX"), ("Sent", "INBOX.Sent"), ("Work/a", "INBOX.Work.a"), ("shared/x", "shared.x")];
        assert_eq!(shown(tree.select(&patterns(&["*"]))), pairs(&expected));
        assert_eq!(shown(tree.select(&patterns(&["New/b"]))), pairs(&[("New/b", "INBOX.New.b")]));
        // Who wrote the prefix into the configuration is helped.
        assert_eq!(tree.close_to(&FolderName::parse("INBOX/Sent").unwrap())[0], "Sent");
    }

    #[test]
    fn folders_whose_names_read_the_same_are_twins() {
        let names: &[&[u8]] =
            &[b"inbox", b"INBOX", b"Stra\xfce", b"Stra\xdfe", b"\xc3\xbc", b"&APw-", b"a", b"a/", b"a", b"A"];
        let twins = |f: Folder| (!f.twins.is_empty()).then_some((f.name.to_string(), f.wire, f.twins));
        let found: Vec<_> = listed(Some(b'/'), names).select(&patterns(&["*"])).into_iter().filter_map(twins).collect();
        let expected = [
            ("Stra\u{fffd}e".to_owned(), b"Stra\xdfe".to_vec(), vec![b"Stra\xfce".to_vec()]),
            ("\u{fc}".to_owned(), b"&APw-".to_vec(), vec![b"\xc3\xbc".to_vec()]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn plain_names_need_no_list_unless_names_have_a_prefix() {
        let folders = without_list(&patterns(&["inbox", "Entw\u{fc}rfe", "!Spam"]), false).map(shown);
        assert_eq!(folders, Some(pairs(&[("INBOX", "INBOX"), ("Entw\u{fc}rfe", "Entw&APw-rfe")])));
        assert_eq!(without_list(&patterns(&["INBOX", "Lists/rust"]), false), None);
        assert_eq!(without_list(&patterns(&["*"]), false), None);
        assert_eq!(without_list(&patterns(&["Sent"]), true), None);
        assert_eq!(without_list(&patterns(&["inbox", "!Sent"]), true).map(shown), Some(pairs(&[("INBOX", "INBOX")])));
    }

    #[test]
    fn folders_that_cannot_be_opened_are_passed_over_but_tell_the_separator() {
        let mut gathering = Gathering::default();
        gathering.listed(&ListEntry { selectable: false, ..entry(Some(b'.'), b"Lists") });
        let tree = gathering.tree(false);
        assert!(tree.select(&patterns(&["*"])).is_empty());
        assert_eq!(shown(tree.select(&patterns(&["a/b"]))), pairs(&[("a/b", "a.b")]));
    }

    #[test]
    fn what_is_told_apart_finds_its_folder() {
        let mut gathering = Gathering::default();
        gathering.status(b"inbox", FolderStatus { messages: Some(3), ..FolderStatus::default() });
        gathering.listed(&entry(Some(b'/'), b"INBOX"));
        gathering.listed(&ListEntry { role: Some(Role::Sent), ..entry(Some(b'/'), b"Sent/") });
        gathering.listed(&ListEntry { subscribed: true, ..entry(Some(b'/'), b"a") });
        gathering.subscribed(&entry(Some(b'/'), b"Sent"));
        gathering.status(b"Sent/", FolderStatus { messages: Some(4), ..FolderStatus::default() });
        let tree = gathering.tree(true);
        let told: Vec<_> = tree.folders().map(|f| (f.status.and_then(|s| s.messages), f.subscribed, f.role)).collect();
        let expected =
            [(Some(3), Some(false), None), (Some(4), Some(true), Some(Role::Sent)), (None, Some(true), None)];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_holds_no_mail_is_known_on_exchange_alone() {
        for exchange in [true, false] {
            let mut gathering = Gathering { exchange, ..Gathering::default() };
            let names: [&[u8]; 5] = [b"Calendar/Birthdays", b"INBOX", b"Notes", b"Work/Notes", b"Notes2"];
            names.iter().for_each(|name| gathering.listed(&entry(Some(b'/'), name)));
            let tree = gathering.tree(false);
            let found: Vec<_> = tree.folders().map(|f| &f.name).filter(|n| tree.is_no_mail(n)).collect();
            assert_eq!(
                found.iter().map(ToString::to_string).collect::<Vec<_>>(),
                if exchange { vec!["Calendar/Birthdays", "Notes"] } else { vec![] }
            );
        }
    }

    #[test]
    fn close_names_are_found() {
        let listed = listed(Some(b'/'), &[b"INBOX", b"Lists/rust", b"Sent Messages", b"Archive"]);
        assert_eq!(listed.close_to(&FolderName::parse("rust").unwrap()), ["Lists/rust"]);
        assert_eq!(listed.close_to(&FolderName::parse("sent").unwrap()), ["Sent Messages"]);
        assert_eq!(listed.close_to(&FolderName::parse("Archiv").unwrap()), ["Archive"]);
        assert!(listed.close_to(&FolderName::parse("zzz").unwrap()).is_empty());
    }
}
