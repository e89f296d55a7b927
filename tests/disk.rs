//! Disks that are full, read-only, gone or closed to us: nothing leaves the server, and once that is mended all arrives once.

use crate::faults::{BOTH, Stage, Trial, each};
use crate::support::mail::message;
use crate::support::run::{Outcome, Running};
use crate::support::server::Protocol;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A mount namespace in which a small file system of its own stands at a path, for as long as this lives.
pub struct Room {
    keeper: Child,
}

impl Room {
    /// Mounts a tmpfs of so many KiB. Fails where the system lets nobody do that: then nothing here can be shown.
    pub fn new(at: &Path, kib: usize) -> Room {
        fs::create_dir_all(at).unwrap();
        let mut unshare = Command::new("unshare");
        unshare.args(if is_root() { ["-m", "--propagation=private"].as_slice() } else { &["-rm"] });
        let script =
            format!("mount -t tmpfs -o size={kib}k,mode=0700 none '{}' && echo ready && exec cat", at.display());
        unshare.args(["sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = unshare.spawn().expect("unshare of util-linux");
        let mut said = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n", "no small disk can be made here: `unshare -m` or `mount -t tmpfs` is refused");
        Room { keeper }
    }

    /// Runs a command in it.
    pub fn command(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        let whose: &[&str] = if is_root() { &["-m"] } else { &["-U", "-m", "--preserve-credentials"] };
        inside.args(["-t", &self.keeper.id().to_string()]).args(whose).arg(command.get_program());
        inside.args(command.get_args()).env_clear();
        inside.envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
        inside
    }

    pub fn shell(&self, line: String) {
        let done = self.command(Command::new("sh").args(["-c", &line]).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"));
        assert!({ done }.status().unwrap().success(), "{line}");
    }

    fn pull(&self, stage: &Stage) -> Outcome {
        Running::start(self.command(&stage.ferry.command(&["pull", "--json"]))).wait()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// What stands on the small disk.
#[derive(Debug, Clone, Copy, PartialEq)]
enum On {
    Store,
    State,
}

/// A run that cannot write: it says so, and the server keeps everything.
#[track_caller]
fn fails(stage: &Stage, run: Outcome, code: i32) {
    let run = run.expect(code);
    assert_eq!(stage.server.inbox().len(), stage.all.len(), "something left the server");
    let error = run.events().into_iter().find(|e| e["event"] == "error");
    let error = error.unwrap_or_else(|| panic!("no error: {}", run.stdout));
    assert!(error["remedy"].as_str().unwrap().len() > 10, "{error}");
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
}

fn large_post(stage: &mut Trial) {
    let inbox = stage.script.mailbox.folder_mut("INBOX");
    for n in 60..66 {
        inbox.add(message(n, &"fills the disk, line by line\r\n".repeat(2000)));
    }
}

#[test]
fn full() {
    let rows = BOTH.into_iter().flat_map(|p| ["maildir", "mbox"].map(|k| (p, k)));
    let rows = rows.flat_map(|(p, k)| {
        [(p, k, On::Store, 200), (p, k, On::Store, 30), (p, k, On::State, 64), (p, k, On::State, 100)]
    });
    each(rows.map(|row| (format!("{row:?}"), row)), |(protocol, kind, on, kib)| {
        let mut trial = Trial::of(*protocol).keep(false);
        trial.kind = kind;
        large_post(&mut trial);
        let stage = trial.start();
        // An mbox is a file, so the folder above it is the disk.
        let disk = if *on == On::Store { stage.ferry.path("mail") } else { stage.ferry.state_dir() };
        let room = Room::new(&disk, *kib);
        for _ in 0..2 {
            fails(&stage, room.pull(&stage), 74);
        }
        room.shell(format!("mount -o remount,size=50m '{}'", disk.display()));
        room.pull(&stage).expect(0);
        assert_eq!(stage.server.inbox().len(), 0);
        let idle = room.pull(&stage).expect(0);
        assert_eq!(idle.summary_of("a")["listed"], 0);
        // Out of the namespace, to be looked at.
        let (out, mail) = (stage.ferry.path("out"), stage.ferry.path("mail"));
        room.shell(format!("cp -a '{}' '{}'", mail.display(), out.display()));
        drop(room);
        if *on == On::Store {
            fs::remove_dir(&mail).unwrap();
            fs::rename(&out, &mail).unwrap();
        }
        stage.is_done();
        stage.is_tidy();
    });
}

#[test]
fn read_only() {
    let rows = BOTH.into_iter().flat_map(|p| ["maildir", "mbox"].map(|k| (p, k)));
    let rows = rows.flat_map(|(p, k)| [(p, k, On::Store), (p, k, On::State)]);
    each(rows.map(|row| (format!("{row:?}"), row)), |(protocol, kind, on)| {
        let mut trial = Trial::of(*protocol).keep(false);
        trial.kind = kind;
        let mut stage = trial.start();
        stage.pull().expect(0);
        let later = message(70, "arrived later\r\n");
        stage.server.mailbox().folder_mut("INBOX").add(later.clone());
        let before = std::mem::replace(&mut stage.all, vec![later]);
        let disk = if *on == On::Store { stage.ferry.path("mail") } else { stage.ferry.state_dir() };
        let room = Room::new(&stage.ferry.path("elsewhere"), 64);
        let path = disk.display();
        room.shell(format!("mount --bind '{path}' '{path}' && mount -o remount,bind,ro '{path}'"));
        for _ in 0..2 {
            fails(&stage, room.pull(&stage), 74);
        }
        drop(room);
        stage.all = [before, stage.all.clone()].concat();
        stage.ferry.run(&["pull", "--json"]).expect(0);
        stage.is_done();
        stage.is_idle();
    });
}

#[test]
fn gone() {
    let rows = BOTH.into_iter().flat_map(|p| ["maildir", "mbox"].map(|k| (p, k)));
    each(rows.map(|row| (format!("{row:?}"), row)), |(protocol, kind)| {
        let mut trial = Trial::of(*protocol);
        trial.kind = kind;
        let stage = trial.start();
        stage.pull().expect(0);
        let (mail, away) = (stage.ferry.store("a"), stage.ferry.path("away"));
        fs::rename(&mail, &away).unwrap();
        stage.server.clear_log();
        for _ in 0..2 {
            let run = stage.ferry.run(&["pull", "--json"]);
            fails(&stage, run, 74);
            assert!(!mail.exists(), "nothing is made in its place");
        }
        assert_eq!(stage.server.log().retrieved, 0);
        fs::rename(&away, &mail).unwrap();
        stage.heals();
    });
}

/// As somebody whom permissions bind, which they do not bind root.
fn bound(command: &Command) -> Command {
    if !is_root() {
        let mut same = Command::new(command.get_program());
        same.args(command.get_args()).env_clear().envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
        return same;
    }
    let mut bound = Command::new("setpriv");
    bound.args(["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]);
    bound.arg(command.get_program()).args(command.get_args()).env_clear();
    bound.envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
    bound
}

#[test]
fn forbidden() {
    let mut rows = Vec::new();
    for protocol in BOTH {
        let inbox = if protocol == Protocol::Pop3 { "mail/a" } else { "mail/a/INBOX" };
        // An existing store, one that cannot be made, the state folder, and one that cannot be made.
        rows.push((protocol, "maildir", format!("{inbox}/tmp"), true, 74));
        rows.push((protocol, "maildir", format!("{inbox}/new"), true, 74));
        rows.push((protocol, "mbox", inbox.to_owned(), true, 74));
        rows.push((protocol, "maildir", "mail".to_owned(), false, 73));
        rows.push((protocol, "mbox", "mail".to_owned(), false, 73));
        rows.push((protocol, "maildir", "state/accounts/a.sqlite".to_owned(), true, 74));
        rows.push((protocol, "maildir", "state".to_owned(), false, 73));
    }
    each(rows.into_iter().map(|row| (format!("{row:?}"), row)), |(protocol, kind, path, exists, code)| {
        let mut trial = Trial::of(*protocol).keep(false);
        trial.kind = kind;
        let mut stage = trial.start();
        let path = stage.ferry.path(path);
        let mut before = Vec::new();
        if *exists {
            stage.pull().expect(0);
            let later = message(70, "arrived later\r\n");
            stage.server.mailbox().folder_mut("INBOX").add(later.clone());
            before = std::mem::replace(&mut stage.all, vec![later]);
        } else {
            fs::create_dir_all(&path).unwrap();
        }
        let mode = path.metadata().unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(if path.is_dir() { 0o500 } else { 0o400 })).unwrap();
        for _ in 0..2 {
            fails(&stage, Running::start(bound(&stage.ferry.command(&["pull", "--json"]))).wait(), *code);
        }
        fs::set_permissions(&path, mode).unwrap();
        stage.all = [before, stage.all.clone()].concat();
        stage.ferry.run(&["pull", "--json"]).expect(0);
        stage.is_done();
        stage.is_idle();
    });
}
