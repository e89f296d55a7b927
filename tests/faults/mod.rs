//! What a pull must survive, row by row, through the real program: a first run with the fault, runs until one ends well, and
//! one more that finds nothing to do.

mod bounds;
mod compress;
mod drops;
mod lacks;
mod names;
mod refusals;
mod secrecy;
mod sweeps;

use crate::support::endpoint::Security;
use crate::support::mail::{message, over_pop3};
use crate::support::run::{Ferry, Outcome};
use crate::support::server::{Fault, Protocol, Script, Server};
use crate::support::stored::{assert_same_mail, maildir_bytes, mbox, unfinished};
use serde_json::Value;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

pub const BOTH: [Protocol; 2] = [Protocol::Pop3, Protocol::Imap];

/// Runs that may be needed after the first until one ends with 0.
const HEALING: usize = 3;

/// A server that does wrong and what an account wants of it.
#[derive(Clone)]
pub struct Trial {
    pub protocol: Protocol,
    pub security: Security,
    pub keep: bool,
    pub kind: &'static str,
    pub script: Script,
    /// A line of the account's own table.
    pub option: &'static str,
    /// Every run has to fetch all messages again to know them: the server gives neither names nor headers.
    pub blind: bool,
}

impl Trial {
    /// Six messages on a well-behaved server, kept there, for a Maildir.
    pub fn of(protocol: Protocol) -> Trial {
        let script = Script::holding(post(6));
        Trial { protocol, security: Security::Clear, keep: true, kind: "maildir", script, option: "", blind: false }
    }

    pub fn keep(mut self, keep: bool) -> Trial {
        self.keep = keep;
        self
    }

    pub fn fault(mut self, fault: Fault) -> Trial {
        self.script.faults.push(fault);
        self
    }

    pub fn scripted(mut self, change: impl FnOnce(&mut Script)) -> Trial {
        change(&mut self.script);
        self
    }

    /// The server and the home, before the first run.
    pub fn start(self) -> Stage {
        let Trial { protocol, security, keep, kind, script, option, blind } = self;
        let all = script.mailbox.folder("INBOX").expect("an inbox").contents();
        let server = Server::start(script);
        let ferry = Ferry::new();
        let endpoint = server.endpoint(protocol, security);
        let account = endpoint.account("a", kind, &ferry.store("a"));
        // There is no certificate to check without TLS.
        let unwanted = |l: &&str| security != Security::Clear || !l.starts_with("ca_file");
        let account: Vec<&str> = account.lines().filter(unwanted).collect();
        let account = account.join("\n").replacen("\n\n", &format!("\n{option}\n\n"), 1);
        let pull = format!("[accounts.a.pull]\nkeep = {keep}\n");
        ferry.configure(&format!("{account}\nline_endings = \"crlf\"\n\n{pull}"));
        Stage { server, ferry, protocol, keep, kind, all, blind }
    }

    /// The whole row: the first run ends with this code, then all comes to its end. Gives the first run.
    #[track_caller]
    pub fn ends(self, first: i32) -> Outcome {
        let stage = self.start();
        let run = stage.pull().expect(first);
        stage.heals();
        stage.is_tidy();
        run
    }
}

/// A row on its way.
pub struct Stage {
    pub server: Server,
    pub ferry: Ferry,
    protocol: Protocol,
    keep: bool,
    kind: &'static str,
    /// Every message that was ever on the server.
    pub all: Vec<Vec<u8>>,
    blind: bool,
}

impl Stage {
    /// One run, after which nothing is lost, nothing is here twice, and the counts balance.
    #[track_caller]
    pub fn pull(&self) -> Outcome {
        self.check(self.ferry.run(&["pull", "--json"]))
    }

    /// What must hold after every run, however it ended.
    #[track_caller]
    pub fn check(&self, run: Outcome) -> Outcome {
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(!said.contains(self.server.password()), "a secret in {said}");
        if run.code.is_some() {
            balance(&run);
        }
        let stored = self.stored();
        let times = |of: &[Vec<u8>], m: &Vec<u8>| of.iter().filter(|o| *o == m).count();
        let expected = self.expected();
        for m in &stored {
            assert!(times(&stored, m) <= times(&expected, m), "stored too often: {}", m.escape_ascii());
        }
        let left = self.server.inbox();
        if self.keep {
            assert_eq!(left.len(), self.all.len(), "messages left the server");
        }
        for (sent, m) in self.all.iter().zip(&expected) {
            assert!(left.contains(sent) || stored.contains(m), "lost: {}", sent.escape_ascii());
        }
        let violations = self.server.log().violations;
        assert!(violations.is_empty(), "{violations:?}");
        run
    }

    /// The messages as they have to stand in the store.
    pub fn expected(&self) -> Vec<Vec<u8>> {
        let wire = |m: &Vec<u8>| if self.protocol == Protocol::Pop3 { over_pop3(m) } else { m.clone() };
        self.all.iter().map(wire).collect()
    }

    pub fn stored(&self) -> Vec<Vec<u8>> {
        let path = self.ferry.store("a");
        let inbox = if self.protocol == Protocol::Pop3 { path } else { path.join("INBOX") };
        if self.kind == "mbox" { mbox(&inbox) } else { maildir_bytes(&inbox) }
    }

    /// Without faults: runs until one ends with 0, then the end that was asked for, then an idle run.
    #[track_caller]
    pub fn heals(&self) {
        self.server.heal();
        let mut runs = (0..HEALING).map(|_| self.pull());
        if !runs.any(|run| run.code == Some(0)) {
            panic!("no end after {HEALING} more runs: {:?}", self.pull());
        }
        self.is_done();
        self.is_idle();
    }

    /// All is here once, and the server ends as configured.
    #[track_caller]
    pub fn is_done(&self) {
        assert_same_mail(&self.stored(), &self.expected());
        assert_eq!(self.server.inbox().len(), if self.keep { self.all.len() } else { 0 }, "left on the server");
    }

    /// One more run finds nothing to do.
    #[track_caller]
    pub fn is_idle(&self) {
        self.server.clear_log();
        let run = self.pull().expect(0);
        let counts = run.summary_of("a");
        for idle in ["fetched", "failed", "skipped", "deleted_remote"] {
            assert_eq!(counts[idle], 0, "{idle} in {counts}");
        }
        assert_eq!(counts["listed"], counts["had"], "{counts}");
        assert!(self.blind || self.server.log().retrieved == 0, "fetched again");
        self.is_done();
    }

    /// No draft stays behind.
    #[track_caller]
    pub fn is_tidy(&self) {
        let path = self.ferry.store("a");
        assert_eq!(unfinished(&path) + unfinished(&path.join("INBOX")), 0, "files in tmp");
    }
}

/// listed = fetched + had + skipped + failed, and as many `message` events as fetched.
#[track_caller]
fn balance(run: &Outcome) {
    let summary = run.summary();
    assert_eq!(summary["exit"].as_i64(), run.code.map(i64::from), "{summary}");
    let events = run.events();
    let fetched = |e: &&Value| e["event"] == "message" && e["action"] == "fetched";
    for counts in summary["accounts"].as_array().expect("accounts") {
        let n = |name: &str| counts[name].as_u64().unwrap_or_else(|| panic!("no {name} in {counts}"));
        assert_eq!(n("listed"), n("fetched") + n("had") + n("skipped") + n("failed"), "{counts}\n{}", run.stderr);
        assert_eq!(n("fetched"), events.iter().filter(fetched).count() as u64, "{counts}");
    }
}

/// Small messages of different sizes, each with lines that break careless programs.
pub fn post(n: usize) -> Vec<Vec<u8>> {
    (1..=n).map(|i| message(i, &format!(".dot\r\n..\r\nFrom here on\r\n{}\r\n", "x".repeat(i * 13)))).collect()
}

/// Does all rows, some at a time, and tells every one that failed.
#[track_caller]
pub fn each<R: Send + Sync>(rows: impl IntoIterator<Item = (String, R)>, test: impl Fn(&R) + Sync) {
    let rows: Vec<(String, R)> = rows.into_iter().collect();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        while let Some((name, row)) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(row))) {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
                failed.lock().unwrap().insert(name.clone(), text.unwrap_or_default());
            }
        }
    };
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().unwrap();
    let told: Vec<String> = failed.iter().map(|(name, text)| format!("== {name}\n{text}")).collect();
    assert!(told.is_empty(), "{} of {} rows failed\n{}", told.len(), rows.len(), told.join("\n"));
}
