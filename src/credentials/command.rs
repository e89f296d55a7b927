//! Commands that print a password.

use super::Secret;
use super::source::first_line;
use crate::error::{Error, Kind, Result, quoted};
use crate::roots;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Bytes of output that are kept; the rest is read and dropped.
const KEPT: usize = 64 * 1024;

/// How long output may stay open after the command has ended: it may have left a daemon behind that holds it.
const AFTERMATH: Duration = Duration::from_millis(500);

const BY_HAND: &str = "Run the command by hand as the same user: it has to print the password on its first line and exit \
                       with status 0.";

/// Runs `command` in the shell and takes the first line it prints, within `limit`. It keeps the terminal, as it may ask
/// for a pass phrase there. `whose` names the account; the command itself is not shown, as it may hold a secret.
pub(super) async fn run(command: &str, whose: &str, limit: Duration) -> Result<Secret> {
    let what = |problem: &str| format!("the password command of {whose} {problem}");
    let failed = |problem: &str| Error::new(Kind::Config, what(problem), BY_HAND);
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    let printed = match timeout(limit, output(shell)).await {
        Ok(Ok(printed)) => printed,
        Ok(Err(e)) => return Err(failed("cannot be run").because(e)),
        Err(_) => {
            return Err(Error::new(
                Kind::TryLater,
                what(&format!("did not end within {} seconds and was stopped", limit.as_secs_f32())),
                "It may be waiting for a pass phrase: unlock its store, then run again.",
            ));
        }
    };
    if !printed.status.success() {
        return Err(failed(&format!("failed ({}){}", printed.status, printed.complaint())));
    }
    match first_line(&printed.stdout) {
        Ok(secret) => Ok(secret),
        Err(problem) => Err(failed(&format!("printed {problem}"))),
    }
}

/// How a program ended, and what it printed.
pub(super) struct Printed {
    pub status: ExitStatus,
    pub stdout: Zeroizing<Vec<u8>>,
    pub stderr: Vec<u8>,
}

impl Printed {
    /// What it said on stderr, behind a colon; nothing where it said nothing.
    pub fn complaint(&self) -> String {
        // Line ends are control characters: they would vanish in quotes and glue words together.
        let said: Vec<u8> = self.stderr.iter().map(|b| if *b == b'\n' { b' ' } else { *b }).collect();
        if said.trim_ascii().is_empty() { String::new() } else { format!(": {}", quoted(&said)) }
    }
}

/// Runs a program to its end; dropped before, it is killed.
pub(super) async fn output(mut program: Command) -> io::Result<Printed> {
    match roots::for_children() {
        Some((name, Some(value))) => program.env(name, value),
        Some((name, None)) => program.env_remove(name),
        None => &mut program,
    };
    program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = program.spawn()?;
    let (mut stdout, mut stderr) = (Zeroizing::new(Vec::with_capacity(KEPT)), Vec::new());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    {
        let mut reading = std::pin::pin!(async { tokio::join!(drain(out, &mut stdout), drain(err, &mut stderr)) });
        tokio::select! {
            biased;
            _ = &mut reading => {}
            _ = child.wait() => {
                let _ = timeout(AFTERMATH, reading).await;
            }
        }
    }
    Ok(Printed { status: child.wait().await?, stdout, stderr })
}

/// Reads to the end and keeps the beginning. Whoever writes must never be blocked or cut off, as that would fail it.
async fn drain(from: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut chunk = Zeroizing::new([0; 4096]);
    while let Ok(n @ 1..) = from.read(&mut *chunk).await {
        let room = KEPT.saturating_sub(kept.len());
        kept.extend(chunk.iter().take(n.min(room)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    async fn run(command: &str) -> Result<Secret> {
        super::run(command, "me@mail.example.org", Duration::from_secs(20)).await
    }

    #[tokio::test]
    async fn the_first_line_is_the_password() {
        for (command, password) in [
            ("echo hunter2", "hunter2"),
            ("printf 'no line end'", "no line end"),
            ("printf '  with blanks \\r\\nuser: me\\n'", "  with blanks "),
            ("echo hunter2; echo noise >&2", "hunter2"),
            ("echo hunter2; head -c 300000 /dev/zero", "hunter2"),
            ("printf 'p\\303\\244ss\\n'", "p\u{e4}ss"),
            ("cat; echo \"stdin is empty\"", "stdin is empty"),
        ] {
            assert_eq!(run(command).await.unwrap().expose(), password, "{command}");
        }
    }

    #[tokio::test]
    async fn failures_quote_stderr_and_never_stdout_or_the_command() {
        for (command, text) in [
            (
                "echo hunter2; echo 'gpg: no key' >&2; echo 'bad luck' >&2; exit 3",
                "failed (exit status: 3): “gpg: no key bad luck”",
            ),
            ("echo hunter2; false", "failed (exit status: 1)"),
            ("echo hunter2; kill -9 $$", "failed (signal: 9 (SIGKILL))"),
            ("true hunter2", "printed nothing"),
            ("echo; echo hunter2", "printed an empty first line"),
            ("printf 'hunter2\\377\\n'", "printed a first line that is not UTF-8"),
            ("printf 'hunter2\\000\\n'", "printed a first line with a NUL in it"),
        ] {
            let e = run(command).await.unwrap_err();
            assert_eq!(e.kind(), Kind::Config, "{command}");
            assert_eq!(e.to_string(), format!("the password command of me@mail.example.org {text}"));
            assert!(e.remedy().starts_with("Run the command by hand"));
        }
        let e = run("no-such-command-xyz").await.unwrap_err();
        assert!(e.to_string().contains("exit status: 127") && e.to_string().contains("not found"), "{e}");
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let command = format!("echo $$ > {}; exec sleep 600", pid.display());
        let e = super::run(&command, "me@x", Duration::from_millis(300)).await.unwrap_err();
        assert_eq!(e.kind(), Kind::TryLater);
        assert!(e.to_string().contains("did not end within 0.3 seconds"), "{e}");
        let pid = std::fs::read_to_string(pid).unwrap();
        let gone = |status: String| status.is_empty() || status.contains("State:\tZ");
        let deadline = Instant::now() + Duration::from_secs(5);
        while !gone(std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default()) {
            assert!(Instant::now() < deadline, "still running");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_daemon_left_behind_does_not_hold_us_up() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let begun = Instant::now();
        let command = format!("sleep 20 & echo $! > {}; echo hunter2", pid.display());
        assert_eq!(run(&command).await.unwrap().expose(), "hunter2");
        assert!(begun.elapsed() < Duration::from_secs(10));
        let daemon = std::fs::read_to_string(pid).unwrap();
        assert!(std::process::Command::new("kill").arg(daemon.trim()).status().unwrap().success());
    }
}
