//! The program dies at any of its points in the midst of changes on both sides; the next run makes both sides equal.

use super::model::Dice;
use super::*;
use crate::support::run::Running;

/// Points come in one order over one connection.
const ALONE: &str = "\n[accounts.x.sync]\nconnections = 1\n";

/// Something of everything, on sides that were alike; from then on with this policy.
fn changed(policy: &str) -> Pair {
    let pair = Pair::of(8, ALONE);
    if policy.contains("Trash") {
        pair.add_here("Trash", 30);
    }
    pair.add_here("Archive", 20);
    pair.sync();
    let config = fs::read_to_string(pair.ferry.config_file()).unwrap();
    pair.ferry.configure(&config.replace(ALONE, &format!("{ALONE}{policy}\n")));
    edit(&pair);
    pair
}

/// Something of everything, where both sides have messages 1 to 8.
pub fn change(pair: &Pair) {
    pair.add_here("Archive", 20);
    pair.sync();
    edit(pair);
}

fn edit(pair: &Pair) {
    pair.add_here("INBOX", 9);
    pair.add_here("INBOX", 10);
    pair.user.deliver("INBOX", &[message(11), message(12)]);
    pair.mark_here(1, "FS");
    pair.there(&["flags add", "\\Answered"], 2);
    fs::remove_file(pair.file("INBOX", 3)).unwrap();
    pair.there(&["expunge"], 4);
    let moved = pair.file("INBOX", 5);
    fs::rename(&moved, pair.path("Archive").join("cur").join(moved.file_name().unwrap())).unwrap();
    pair.there(&["move", "Archive"], 6);
}

/// What both sides have of that in the end: the inbox and the archive.
pub const CHANGED: (&str, &str) = ("1FS 2R 7 8 9S 10S 11 12", "5 6 20S");

#[test]
fn at_every_numbered_point() {
    sweep(1);
}

/// The same with fewer points, where it takes longer.
pub fn at_some_points() {
    sweep(5);
}

fn sweep(stride: usize) {
    for n in (1..).step_by(stride) {
        assert!(n < 200, "no end of points");
        let pair = changed("");
        let mut command = pair.ferry.command(&["sync", "--json"]);
        command.env("MAILFERRY_FAULT_BATCH", "1").env("MAILFERRY_FAULT_POINT", n.to_string());
        let died = Running::start(command).wait();
        let alive = died.signal != Some(9);
        assert!(!alive || died.code == Some(0), "point {n}: {}", died.stderr);
        let healed = pair.run(&[]);
        assert_eq!(healed.code, Some(0), "after point {n}: {}", healed.stderr);
        let (inbox, archive) = (pair.both("INBOX"), pair.both("Archive"));
        assert_eq!((inbox.as_str(), archive.as_str()), CHANGED, "after point {n}");
        assert_eq!(pair.sync(), "", "after point {n}, a run right after a clean one");
        if alive {
            assert!(n > 20, "only {n} points");
            return;
        }
    }
}

/// A folder into which a message was moved is not taken for finished before the other side has it there, too: in the folder
/// that it left, it would look deleted.
#[test]
fn on_the_way_to_a_folder_at_rest() {
    for n in 1..5 {
        let pair = Pair::of(2, ALONE);
        pair.add_here("Archive", 3);
        pair.user.deliver("Archive", &[message(4)]);
        pair.sync();
        let moved = pair.file("Archive", 3);
        fs::rename(&moved, pair.path("INBOX").join("cur").join(moved.file_name().unwrap())).unwrap();
        let user = &pair.user;
        user.doveadm(&["move", "-u", &user.name, "INBOX", "mailbox", "Archive", "HEADER", "Subject", "message 004"]);
        let rest = || ["INBOX", "Archive"].iter().for_each(|folder| pair.rest(folder));
        rest();
        let mut command = pair.ferry.command(&["sync", "--json"]);
        command.env("MAILFERRY_FAULT_POINT", n.to_string());
        assert_eq!(Running::start(command).wait().signal, Some(9), "point {n}");
        rest();
        assert_eq!(pair.run(&[]).code, Some(0), "after point {n}");
        assert_eq!((pair.both("INBOX"), pair.both("Archive")), ("1 2 3S 4".into(), String::new()), "after point {n}");
    }
}

/// What each side holds.
fn sides(pair: &Pair) -> Vec<String> {
    let shown = |stored: Vec<Stored>| {
        let mut all: Vec<String> = stored.iter().map(|m| format!("{}{}", number(m), m.flags)).collect();
        all.sort();
        all.join(" ")
    };
    let sides = |folder: &str| [shown(pair.here(folder)), shown(pair.user.messages(folder))];
    ["INBOX", "Archive", "Trash"].into_iter().flat_map(sides).collect()
}

/// Under any policy, a run that dies and is done again ends like one that does not die.
#[test]
fn at_points_under_other_policies() {
    for (first, policy) in
        [(2, "mirror = \"local\""), (4, "mirror = \"remote\""), (6, "delete = \"none\""), (8, "trash = \"Trash\"")]
    {
        let undisturbed = changed(policy);
        undisturbed.run(&[]).expect(0);
        undisturbed.is_idle();
        let expected = sides(&undisturbed);
        for n in (first..).step_by(9) {
            assert!(n < 200, "no end of points");
            let pair = changed(policy);
            let mut command = pair.ferry.command(&["sync", "--json"]);
            command.env("MAILFERRY_FAULT_BATCH", "1").env("MAILFERRY_FAULT_POINT", n.to_string());
            let alive = Running::start(command).wait().signal != Some(9);
            pair.run(&[]).expect(0);
            assert_eq!(sides(&pair), expected, "{policy}, after point {n}");
            pair.is_idle();
            if alive {
                break;
            }
        }
    }
}

/// Of four folders, each side has removed one and renamed one.
fn reshaped() -> Pair {
    let pair = Pair::with(&format!("{ALONE}remove_folders = \"both\"\n"));
    pair.user.deliver("INBOX", &[message(1)]);
    for (folder, n) in [("A", 2), ("B", 3), ("C", 4), ("D", 5)] {
        pair.add_here(folder, n);
    }
    pair.sync();
    fs::remove_dir_all(pair.path("A")).unwrap();
    fs::rename(pair.path("C"), pair.path("Y")).unwrap();
    pair.user.doveadm(&["mailbox", "delete", "-u", &pair.user.name, "B"]);
    pair.user.doveadm(&["mailbox", "rename", "-u", &pair.user.name, "D", "Z"]);
    pair
}

#[test]
fn at_every_numbered_point_of_changes_to_folders() {
    for n in 1.. {
        assert!(n < 100, "no end of points");
        let pair = reshaped();
        let mut command = pair.ferry.command(&["sync", "--json"]);
        command.env("MAILFERRY_FAULT_POINT", n.to_string());
        let died = Running::start(command).wait();
        let alive = died.signal != Some(9);
        let healed = pair.run(&[]);
        assert_eq!(healed.code, Some(0), "after point {n}: {}", healed.stderr);
        assert_eq!((pair.both("INBOX"), pair.both("Y"), pair.both("Z")), ("1".into(), "4S".into(), "5S".into()));
        let mut there: Vec<String> =
            pair.user.doveadm(&["mailbox", "list", "-u", &pair.user.name]).lines().map(str::to_owned).collect();
        there.sort();
        assert_eq!(there, ["INBOX", "Y", "Z"], "after point {n}");
        assert!(["A", "B", "C", "D"].iter().all(|folder| !pair.path(folder).exists()), "after point {n}");
        assert_eq!(pair.sync(), "", "after point {n}, a run right after a clean one");
        if alive {
            assert!(n > 10, "only {n} points");
            return;
        }
    }
}

#[test]
fn at_points_of_healing() {
    for lost in [true, false] {
        for n in (1..).step_by(3) {
            assert!(n < 200, "no end of points");
            let pair = Pair::of(6, ALONE);
            pair.mark_here(1, "F");
            pair.sync();
            pair.add_here("INBOX", 7);
            pair.add_here("INBOX", 8);
            pair.user.deliver("INBOX", &[message(8), message(9)]);
            match lost {
                true => fs::remove_dir_all(pair.ferry.state_dir()).unwrap(),
                false => {
                    let update = ["mailbox", "update", "-u", &pair.user.name, "--uid-validity", "1234567890", "INBOX"];
                    drop(pair.user.doveadm(&update));
                }
            }
            let mut command = pair.ferry.command(&["sync", "--json"]);
            command.env("MAILFERRY_FAULT_BATCH", "1").env("MAILFERRY_FAULT_POINT", n.to_string());
            let alive = Running::start(command).wait().signal != Some(9);
            let healed = pair.run(&[]);
            assert_eq!(healed.code, Some(0), "lost {lost}, point {n}: {}", healed.stderr);
            assert_eq!(pair.both("INBOX"), "1F 2 3 4 5 6 7S 8S 9", "lost {lost}, after point {n}");
            assert_eq!(pair.sync(), "", "lost {lost}, after point {n}, a run right after a clean one");
            if alive {
                break;
            }
        }
    }
}

#[test]
fn at_points_of_throwing_away() {
    for n in (1..).step_by(2) {
        assert!(n < 200, "no end of points");
        let pair = Pair::of(5, &format!("{ALONE}trash = \"Trash\"\n"));
        pair.add_here("Trash", 20);
        pair.sync();
        fs::remove_file(pair.file("INBOX", 1)).unwrap();
        pair.there(&["expunge"], 2);
        pair.there(&["flags add", "\\Deleted"], 3);
        pair.mark_here(4, "ST");
        let mut command = pair.ferry.command(&["sync", "--json"]);
        command.env("MAILFERRY_FAULT_BATCH", "1").env("MAILFERRY_FAULT_POINT", n.to_string());
        let alive = Running::start(command).wait().signal != Some(9);
        pair.run(&[]).expect(0);
        assert_eq!(pair.both("INBOX"), "5", "after point {n}");
        assert_eq!(pair.both("Trash").replace('S', ""), "1 2 3 4 20", "after point {n}");
        pair.is_idle();
        if alive {
            return;
        }
    }
}

#[test]
fn at_random_points_over_several_connections() {
    let (pair, cutter) = Pair::behind_cutter(Dovecot::shared(), "");
    let mut dice = Dice(7);
    let folder = |n: usize| format!("F{:02}", n % 12);
    let (mut next, mut most) = (0, 0);
    for round in 0..14 {
        for _ in 0..20 {
            match dice.below(2) {
                0 => pair.user.deliver(&folder(next), &[message(next)]),
                _ => pair.add_here(&folder(next), next),
            }
            next += 1;
        }
        let mut command = pair.ferry.command(&["sync", "--json"]);
        let point = 1 + dice.below(120);
        command.env("MAILFERRY_FAULT_BATCH", "1").env("MAILFERRY_FAULT_POINT", point.to_string());
        let died = Running::start(command).wait();
        assert!(died.signal == Some(9) || died.code == Some(0), "point {point}: {}", died.stderr);
        most = most.max(cutter.connections().1);
        let healed = pair.run(&[]);
        assert_eq!(healed.code, Some(0), "round {round}, point {point}: {}", healed.stderr);
        for at in 0..12 {
            let found = pair.both(&folder(at)).replace('S', "");
            let expected: Vec<String> = (at..next).step_by(12).map(|n| n.to_string()).collect();
            assert_eq!(found, expected.join(" "), "round {round}, after point {point}");
        }
        pair.is_idle();
    }
    assert!(most > 1, "never more than one connection");
}
