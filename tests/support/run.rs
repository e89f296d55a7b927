//! Runs of the real program in a home of its own.

use super::endpoint::Endpoint;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No run of a test takes longer; one that does is killed and fails its test.
const LONGEST_RUN: Duration = Duration::from_secs(120);

/// A home with configuration, state and stores, in which the program runs; it goes when dropped.
pub struct Ferry {
    dir: TempDir,
    program: PathBuf,
}

/// How a run ended and what it said.
#[derive(Debug)]
pub struct Outcome {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// Peak memory in KiB, where the system tells (Linux), as last seen while it ran.
    pub peak_kib: Option<u64>,
    pub took: Duration,
}

/// A run that goes on.
pub struct Running {
    child: Child,
    started: Instant,
    stdout: JoinHandle<Vec<u8>>,
    stderr: JoinHandle<Vec<u8>>,
}

impl Ferry {
    /// An empty home for the program that cargo built for these tests.
    pub fn new() -> Ferry {
        let Some(program) = option_env!("CARGO_BIN_EXE_mailferry") else {
            panic!("cargo names the program only in tests")
        };
        Ferry::of(program.into())
    }

    /// An empty home for a program at a path.
    pub fn of(program: PathBuf) -> Ferry {
        let dir = TempDir::with_prefix("mailferry-").expect("a temporary directory");
        Ferry { dir, program }
    }

    /// A path in the home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn config_file(&self) -> PathBuf {
        self.path("config.toml")
    }

    pub fn state_dir(&self) -> PathBuf {
        self.path("state")
    }

    /// Where the account of [`account`](Self::account) stores its mail.
    pub fn store(&self, account: &str) -> PathBuf {
        self.path("mail").join(account)
    }

    /// Writes the configuration file, readable by its owner alone.
    pub fn configure(&self, toml: &str) {
        fs::write(self.config_file(), toml).expect("the configuration file");
        fs::set_permissions(self.config_file(), fs::Permissions::from_mode(0o600)).expect("its mode");
    }

    /// Adds an account with a Maildir to the configuration; `more` is TOML behind its store section, such as `[accounts.x.pull]`.
    pub fn account(&self, name: &str, endpoint: &Endpoint, more: &str) {
        self.account_with(name, endpoint, "maildir", &self.store(name), more);
    }

    /// Adds an account with any store.
    pub fn account_with(&self, name: &str, endpoint: &Endpoint, kind: &str, store: &Path, more: &str) {
        let before = fs::read_to_string(self.config_file()).unwrap_or_default();
        self.configure(&format!("{before}{}{more}\n", endpoint.account(name, kind, store)));
    }

    /// The program with arguments, in this home, in an otherwise empty environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(self.dir.path()).env_clear();
        command.envs(std::env::var_os("PATH").map(|p| ("PATH", p)));
        command.env("HOME", self.dir.path()).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        // No roots but those that a test names: to read the system's takes longer than the rest of a run.
        command.env("SSL_CERT_FILE", "/dev/null").env("SSL_CERT_DIR", "/dev/null");
        command.env("MAILFERRY_FAULT_PAUSE", "5");
        command.env("MAILFERRY_CONFIG", self.config_file()).env("MAILFERRY_STATE_DIR", self.state_dir());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, args: &[&str]) -> Outcome {
        self.spawn(args).wait()
    }

    /// Starts it.
    pub fn spawn(&self, args: &[&str]) -> Running {
        Running::start(self.command(args))
    }
}

impl Running {
    /// Starts a command, which may have been changed before.
    pub fn start(mut command: Command) -> Running {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        let stdout = read_all(child.stdout.take());
        let stderr = read_all(child.stderr.take());
        Running { child, started: Instant::now(), stdout, stderr }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("the signal is sent");
    }

    /// `kill -9`, at once.
    pub fn kill(mut self) -> Outcome {
        self.child.kill().expect("it is killed");
        self.wait()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for the end.
    pub fn wait(mut self) -> Outcome {
        let mut peak_kib = None;
        let status = loop {
            peak_kib = peak_kib_of(self.child.id()).or(peak_kib);
            if let Some(status) = self.child.try_wait().expect("its status") {
                break status;
            }
            if self.started.elapsed() > LONGEST_RUN {
                self.child.kill().expect("it is killed");
                panic!("still running after {LONGEST_RUN:?}; stderr: {}", text(self.stderr));
            }
            sleep(Duration::from_millis(2));
        };
        let took = self.started.elapsed();
        let (stdout, stderr) = (text(self.stdout), text(self.stderr));
        Outcome { code: status.code(), signal: status.signal(), stdout, stderr, peak_kib, took }
    }
}

impl Outcome {
    /// Fails, with all that was said, unless the exit code is this.
    #[track_caller]
    pub fn expect(self, code: i32) -> Outcome {
        let Outcome { stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "signal {:?}\n-- stdout\n{stdout}-- stderr\n{stderr}", self.signal);
        self
    }

    /// The lines of `--json`.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let parse = |l: &str| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e} in the line {l}"));
        self.stdout.lines().map(parse).collect()
    }

    /// The last line of `--json`, which must be the summary.
    #[track_caller]
    pub fn summary(&self) -> Value {
        let last = self.events().pop().unwrap_or_else(|| panic!("no output; stderr: {}", self.stderr));
        assert_eq!(last["event"], "summary", "{last}");
        last
    }

    /// The summary of one account.
    #[track_caller]
    pub fn summary_of(&self, account: &str) -> Value {
        let summary = self.summary();
        let mut accounts = summary["accounts"].as_array().into_iter().flatten();
        accounts.find(|a| a["account"] == account).unwrap_or_else(|| panic!("no {account} in {summary}")).clone()
    }
}

fn read_all(from: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    let mut from = from.expect("a pipe");
    thread::spawn(move || {
        let mut all = Vec::new();
        from.read_to_end(&mut all).expect("its output");
        all
    })
}

fn text(output: JoinHandle<Vec<u8>>) -> String {
    String::from_utf8(output.join().expect("its output")).expect("output in UTF-8")
}

fn peak_kib_of(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?.trim().parse().ok()
}
