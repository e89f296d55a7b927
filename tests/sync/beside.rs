//! Others change both sides all the time while syncs run.

use super::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[test]
fn others_at_work_on_both_sides() {
    const LAST: usize = 72;
    let pair = Pair::with("");
    let more = |from: usize| (from..from + 20).map(message).collect::<Vec<_>>();
    pair.user.deliver("INBOX", &more(1));
    pair.add_here("Archive", 500);
    pair.sync();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..=LAST {
                reader(&pair, n);
            }
            over.store(true, Ordering::SeqCst);
        });
        let elsewhere = scope.spawn(|| {
            for n in (1..).take_while(|n| *n <= LAST || !over.load(Ordering::SeqCst)) {
                let user = &pair.user.name;
                let mail = |n: usize| format!("message {:03}", n % 20 + 1);
                let query = ["mailbox", "INBOX", "HEADER", "Subject", &mail(n * 7)];
                match n % 6 {
                    0 => drop(pair.user.doveadm(&[&["copy", "-u", user, "Archive"], &query[..]].concat())),
                    1 if n == 13 => drop(pair.user.doveadm(&[&["expunge", "-u", user], &query[..]].concat())),
                    2 | 4 => drop(
                        pair.user.doveadm(&[&["flags", "add", "-u", user, "\\Flagged later"], &query[..]].concat()),
                    ),
                    _ => drop(pair.user.doveadm(&[&["flags", "remove", "-u", user, "\\Flagged"], &query[..]].concat())),
                }
            }
        });
        let mut runs = 0;
        while !over.load(Ordering::SeqCst) || !elsewhere.is_finished() {
            let run = pair.run(&[]);
            assert!(matches!(run.code, Some(0 | 2 | 75)), "{:?}: {}", run.code, run.stderr);
            runs += 1;
        }
        assert!(runs > 3, "only {runs} runs beside the others");
    });
    pair.run(&[]).expect(0);
    pair.is_idle();
    let mut copies: BTreeMap<usize, usize> = BTreeMap::new();
    for folder in ["INBOX", "Archive"] {
        pair.both(folder);
        pair.here(folder).iter().for_each(|m| *copies.entry(number(m)).or_default() += 1);
    }
    // What the reader added, and did not delete again.
    for n in 1..=LAST {
        let expected = usize::from(n % 4 == 0 && n % 12 != 0);
        assert_eq!(copies.get(&(200 + n)).copied().unwrap_or(0), expected, "message {}", 200 + n);
    }
}

/// What a mail reader does in a moment.
fn reader(pair: &Pair, n: usize) {
    thread::sleep(std::time::Duration::from_millis(40));
    let here = pair.path("INBOX");
    // A file may be renamed by the sync between being seen and being touched: a reader tries again.
    let change = |wanted: usize, to: &dyn Fn(&Path, &str) -> std::io::Result<()>| {
        for _ in 0..50 {
            let names =
                |place: &str| fs::read_dir(here.join(place)).unwrap().flatten().map(|f| f.path()).collect::<Vec<_>>();
            let all = [names("new"), names("cur")].concat();
            let is_it = |p: &&PathBuf| {
                fs::read(p).is_ok_and(|b| crate::support::stored::subject(&b) == Some(format!("message {wanted:03}")))
            };
            let Some(file) = all.iter().find(is_it) else { return };
            if to(file, file.file_name().unwrap().to_str().unwrap()).is_ok() {
                return;
            }
        }
    };
    let flagged = |file: &Path, name: &str| {
        let (base, letters) = name.split_once(":2,").unwrap_or((name, ""));
        let mut letters: std::collections::BTreeSet<char> = letters.chars().collect();
        if !letters.remove(&'S') {
            letters.insert('S');
        }
        fs::rename(file, here.join("cur").join(format!("{base}:2,{}", letters.into_iter().collect::<String>())))
    };
    match n % 4 {
        0 => {
            pair.add_here("INBOX", 200 + n);
            if n.is_multiple_of(12) {
                change(200 + n, &|file, _| fs::remove_file(file));
            }
        }
        1 => change(n % 20 + 1, &|file, name| fs::rename(file, pair.path("Archive").join("cur").join(name))),
        _ => change(n % 20 + 1, &flagged),
    }
}
