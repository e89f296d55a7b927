//! The work on one account: lock, state, log-in, and the record of the run.

use super::{Tally, Work};
use crate::cli::args::Global;
use crate::cli::held;
use crate::cli::report::{Report, Summary};
use crate::config::Account;
use crate::credentials::Login;
use crate::error::{Error, Kind, Result};
use crate::event::Counts;
use crate::imap::Access;
use crate::interrupt::Interrupt;
use crate::retrieve::Job;
use crate::state::{Home, Lock};
use crate::store::Layout;
use std::convert::identity;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// An account to be worked on.
pub struct Task {
    /// The account.
    pub account: Account,
    /// Nothing is changed, only told.
    pub dry_run: bool,
    /// Says when to stop.
    pub interrupt: Interrupt,
    home: Home,
    wait: Duration,
    report: Arc<dyn Report>,
}

/// What came of it.
#[derive(Debug)]
pub struct TaskEnd {
    /// What was done.
    pub counts: Counts,
    /// The account's exit code, before signals and `--exit-code`.
    pub exit: u8,
}

/// The fact under which the next allowed log-in is remembered, in seconds since 1970 UTC (RFC 2449 section 6.5).
const NOT_BEFORE: &str = "login_not_before";
/// The longest pause that a server can ask for, in seconds: a server that lies, or a clock that was wrong, must not keep
/// an account from ever being worked on again.
const LONGEST_PAUSE: i64 = 86_400;
/// The fact under which the store's path is remembered,
pub const STORE: &str = "store";
/// and the one under which it is, once it was found missing and the owner was told.
const MISSED: &str = "store_missed";

impl Task {
    /// A task with the options of the command line.
    pub fn new(
        account: Account,
        state_dir: &Path,
        global: &Global,
        report: Arc<dyn Report>,
        interrupt: Interrupt,
    ) -> Task {
        let home = Home::new(state_dir, &account.name);
        Task { account, dry_run: global.dry_run, interrupt, home, wait: Duration::from_secs(global.wait), report }
    }

    /// Does a command's work. Errors are reported where they come up, and end in the exit code.
    pub async fn run<W: Work>(&self, work: &W, begun: Instant) -> TaskEnd {
        let mut tally = Tally::new(&self.account.name, &*self.report);
        let started = jiff::Timestamp::now().as_second();
        if let Err(e) = self.locked(work, &mut tally, started, begun).await {
            tally.failed(&e);
        }
        TaskEnd { exit: tally.exit(), counts: tally.counts() }
    }

    async fn locked<W: Work>(&self, work: &W, tally: &mut Tally<'_>, now: i64, begun: Instant) -> Result<()> {
        let held = held::hold(&self.home, &self.account.name, self.dry_run, self.wait, &self.interrupt);
        let Some((_lock, opened)) = held.await? else { return Ok(()) };
        let job = Job {
            account: self.account.name.clone(),
            ledger: Arc::new(Mutex::new(opened)),
            policy: self.account.pull.clone(),
            by_content: false,
            beside: Vec::new(),
            observer: Arc::new(Arc::clone(&self.report)),
            interrupt: self.interrupt.clone(),
            now,
        };
        let told = work.run(self, &job, tally).await.err().map(|e| {
            tally.failed(&e);
            e.to_string()
        });
        if !self.dry_run {
            let summary = Summary {
                account: self.account.name.clone(),
                counts: tally.counts(),
                seconds: begun.elapsed().as_secs_f64(),
                exit: tally.exit(),
            };
            // What ended the work may well keep this from being written down, too.
            if let Err(e) = held::record(&mut job.ledger(), now, &summary)
                && told.is_none_or(|told| told != e.to_string())
            {
                return Err(e);
            }
        }
        Ok(())
    }

    /// Whether the store was there last time and is gone: a disk that is not mounted, not a wish for a new store.
    pub fn lacks_store(&self, job: &Job) -> Result<bool> {
        Ok(!self.account.store.path.exists() && job.ledger().fact(STORE)? == Some(self.store_fact()))
    }

    /// Why nothing may be brought into the store: it is gone, or its disk is not mounted where it stands. One that the owner
    /// makes anew, once told that it is gone, is not missed any more.
    pub fn misses_store(&self, job: &Job) -> Result<Option<Error>> {
        let (spec, fact) = (&self.account.store, Some(self.store_fact()));
        let path = spec.path.display();
        if job.ledger().fact(STORE)? != fact {
            return Ok(None);
        }
        if !spec.path.exists() {
            job.ledger().set_fact(MISSED, &self.store_fact())?;
            return Ok(Some(Error::new(
                Kind::LocalIo,
                format!("the store {path} was there last time and is gone"),
                "Mount its disk or bring it back; if it is to start anew, create it as an empty folder or file.",
            )));
        }
        if !spec.is_hollow() || job.ledger().fact(MISSED)? == fact || !job.ledger().knows_any()? {
            return Ok(None);
        }
        let first = if spec.layout == Layout::Nested { "INBOX" } else { "cur" };
        Ok(Some(Error::new(
            Kind::LocalIo,
            format!("the store {path} held mail last time and is an empty folder now"),
            format!("Mount its disk or bring it back; if it is to start anew, create the folder {first} in it."),
        )))
    }

    /// Keeps other runs, which keep another state, from bringing mail from the same source into the same store; `None` when
    /// told to stop. Where no such file can be made, nothing is held.
    pub async fn gate(&self, path: Option<PathBuf>) -> Result<Option<Option<Lock>>> {
        let Some(path) = path else { return Ok(Some(None)) };
        let what = format!("the store {}", self.account.store.path.display());
        self.interrupt.unless_raised(Lock::pass(&path, &what, self.wait)).await
    }

    /// Whether the server lets this account log in yet.
    pub fn may_log_in(&self, job: &Job) -> Result<()> {
        let not_before = job.ledger().fact(NOT_BEFORE)?.and_then(|t| t.parse::<i64>().ok());
        match not_before.and_then(|t| pause(job.now, t)) {
            None => Ok(()),
            Some(pause) => Err(Error::new(
                Kind::TryLater,
                format!("{} asks for a pause between log-ins", self.account.server.host),
                format!("Run again in {pause} seconds, and less often from cron."),
            )),
        }
    }

    /// Writes down that the store stands; to be done before anything is put into it.
    pub fn remember_store(&self, job: &Job) -> Result<()> {
        let (mut ledger, fact) = (job.ledger(), self.store_fact());
        if ledger.fact(MISSED)?.is_some_and(|missed| !missed.is_empty()) {
            ledger.set_fact(MISSED, "")?;
        }
        if ledger.fact(STORE)?.as_ref() == Some(&fact) { Ok(()) } else { ledger.set_fact(STORE, &fact) }
    }

    fn store_fact(&self) -> String {
        self.account.store.path.to_string_lossy().into_owned()
    }

    /// Writes down that the server wants no other log-in for so long.
    pub fn pause_after(&self, job: &Job, delay: Duration) -> Result<()> {
        job.ledger().set_fact(NOT_BEFORE, &not_before(job.now, delay).to_string())
    }

    /// User and password.
    pub async fn login(&self) -> Result<Login> {
        let Account { user, auth_user, password, server, .. } = &self.account;
        Login::fetch(user, auth_user.as_deref(), password, &server.host).await
    }

    /// What opens connections to the account's IMAP server; the password is asked for once. `None` when told to stop.
    pub async fn access(&self) -> Result<Option<Access>> {
        let login = self.interrupt.unless_raised(self.login()).await?;
        let Account { server, auth, .. } = &self.account;
        Ok(login.map(|login| Access { server: server.clone(), login, auth: *auth, told: identity }))
    }
}

/// When the next log-in is welcome at a server that asks for a pause.
fn not_before(now: i64, delay: Duration) -> i64 {
    now.saturating_add(i64::try_from(delay.as_secs()).map_or(LONGEST_PAUSE, |s| s.min(LONGEST_PAUSE)))
}

/// Seconds until then, if any.
fn pause(now: i64, not_before: i64) -> Option<i64> {
    Some(not_before.saturating_sub(now)).filter(|pause| (1..=LONGEST_PAUSE).contains(pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_and_is_never_longer_than_a_day() {
        for (delay, later, left) in [
            (0, 0, None),
            (60, 0, Some(60)),
            (60, 59, Some(1)),
            (60, 60, None),
            (86_400, 0, Some(86_400)),
            (u64::MAX, 0, Some(86_400)),
            (u64::MAX, 86_400, None),
            // The clock was years ahead when the pause was written down.
            (60, -100_000_000, None),
        ] {
            let now = 1_700_000_000;
            assert_eq!(pause(now + later, not_before(now, Duration::from_secs(delay))), left, "{delay} {later}");
        }
    }
}
