//! The pull of one account: lock, state, log-in, folder after folder.

use super::super::exit;
use super::super::report::{self, Report, Summary};
use crate::cli::args::Global;
use crate::config::{Account, Protocol};
use crate::credentials::{Login, resolve};
use crate::error::{Error, Kind, Result, Scope};
use crate::event::{Counts, Event};
use crate::interrupt::Interrupt;
use crate::mail::FolderName;
use crate::retrieve::{Job, Keep, Outcome, Retriever, SourceId};
use crate::state::{Home, Ledger, Lock, Run};
use crate::store::{Maildir, Mbox, Store, StoreKind};
use crate::{imap, pop3};
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// An account to be pulled.
pub struct Task {
    account: Account,
    home: Home,
    wait: Duration,
    dry_run: bool,
    report: Arc<dyn Report>,
    interrupt: Interrupt,
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
/// an account from ever being pulled again.
const LONGEST_PAUSE: i64 = 86_400;
/// The fact under which the store's path is remembered.
const STORE: &str = "store";

impl Task {
    /// A task with the options of the command line.
    pub fn new(
        account: Account,
        state_dir: &std::path::Path,
        global: &Global,
        report: Arc<dyn Report>,
        interrupt: Interrupt,
    ) -> Task {
        let home = Home::new(state_dir, &account.name);
        Task { account, home, wait: Duration::from_secs(global.wait), dry_run: global.dry_run, report, interrupt }
    }

    /// Does it. Errors are reported where they come up, and end in the exit code.
    pub async fn run(&self, begun: Instant) -> TaskEnd {
        let mut tally = Tally::new(self);
        let started = jiff::Timestamp::now().as_second();
        if let Err(e) = self.work(&mut tally, started, begun).await {
            tally.failed(&e);
        }
        TaskEnd { exit: tally.exit(), counts: tally.counts }
    }

    async fn work(&self, tally: &mut Tally<'_>, now: i64, begun: Instant) -> Result<()> {
        let (_lock, opened) = if self.dry_run {
            (None, Ledger::open_copy(&self.home)?)
        } else {
            let path = self.home.lock_file();
            let lock = self.interrupt.unless_raised(Lock::take(&path, &self.account.name, self.wait));
            let Some(lock) = lock.await? else { return Ok(()) };
            (Some(lock), Ledger::open(&self.home)?)
        };
        let job = Job {
            account: self.account.name.clone(),
            ledger: Arc::new(Mutex::new(opened)),
            policy: self.account.pull.clone(),
            observer: Arc::new(Arc::clone(&self.report)),
            interrupt: self.interrupt.clone(),
            now,
        };
        let result = self.pull(&job, tally).await;
        if let Err(e) = &result {
            tally.failed(e);
        }
        if !self.dry_run {
            let summary = Summary {
                account: self.account.name.clone(),
                counts: tally.counts,
                seconds: begun.elapsed().as_secs_f64(),
                exit: tally.exit(),
            };
            let counts = report::summary_entry(&summary).to_string();
            let run = Run { started: now, seconds: summary.seconds, exit: summary.exit, counts };
            job.ledger().record(&run)?;
        }
        Ok(())
    }

    async fn pull(&self, job: &Job, tally: &mut Tally<'_>) -> Result<()> {
        self.store_stands(job)?;
        let not_before = job.ledger().fact(NOT_BEFORE)?.and_then(|t| t.parse::<i64>().ok());
        if let Some(pause) = not_before.and_then(|t| pause(job.now, t)) {
            return Err(Error::new(
                Kind::TryLater,
                format!("{} asks for a pause between log-ins", self.account.server.host),
                format!("Run again in {pause} seconds, and less often from cron."),
            ));
        }
        match self.account.protocol {
            Protocol::Pop3 => self.pull_pop3(job, tally).await,
            Protocol::Imap => self.pull_imap(job, tally).await,
        }
    }

    /// A store that was there last time and is gone now is a disk that is not mounted, not a wish for a new one.
    fn store_stands(&self, job: &Job) -> Result<()> {
        let path = &self.account.store.path;
        if path.exists() || job.ledger().fact(STORE)? != Some(self.store_fact()) {
            return Ok(());
        }
        Err(Error::new(
            Kind::LocalIo,
            format!("the store {} was there last time and is gone", path.display()),
            "Mount its disk or bring it back; if it is to start anew, create it as an empty folder or file.",
        ))
    }

    /// Writes down that the store stands; to be done before anything is put into it.
    fn remember_store(&self, job: &Job) -> Result<()> {
        let (mut ledger, fact) = (job.ledger(), self.store_fact());
        if ledger.fact(STORE)?.as_ref() == Some(&fact) { Ok(()) } else { ledger.set_fact(STORE, &fact) }
    }

    fn store_fact(&self) -> String {
        self.account.store.path.to_string_lossy().into_owned()
    }

    async fn pull_pop3(&self, job: &Job, tally: &mut Tally<'_>) -> Result<()> {
        let path = self.account.store.mailbox_path(&FolderName::inbox())?;
        let Some(login) = self.interrupt.unless_raised(self.login()).await? else { return Ok(()) };
        let source = pop3::source(&self.account.server, &login.user);
        let connecting = async {
            let session = pop3::open(&self.account.server, &login, self.account.auth);
            let Some(session) = self.interrupt.unless_raised(session).await? else { return Ok(None) };
            if let Some(delay) = session.login_delay() {
                job.ledger().set_fact(NOT_BEFORE, &not_before(job.now, delay).to_string())?;
            }
            Ok(Some(session))
        };
        tally.add(self.deliver(job, &source, connecting, path).await?)
    }

    async fn pull_imap(&self, job: &Job, tally: &mut Tally<'_>) -> Result<()> {
        let Some(login) = self.interrupt.unless_raised(self.login()).await? else { return Ok(()) };
        let session = imap::open(&self.account.server, &login, self.account.auth);
        let Some(mut session) = self.interrupt.unless_raised(session).await? else { return Ok(()) };
        let Some(folders) = self.interrupt.unless_raised(session.folders(&self.account.pull.folders)).await? else {
            return Ok(());
        };
        let writable = self.account.pull.keep != Keep::Always && !self.dry_run;
        for folder in folders {
            if self.interrupt.is_raised() {
                return Ok(());
            }
            for twin in &folder.twins {
                tally.left(&format!(
                    "two folders on the server read as {}: \u{201c}{}\u{201d} is pulled, \u{201c}{}\u{201d} is left. Rename one of \
                     them on the server.",
                    folder.name,
                    folder.wire.escape_ascii(),
                    twin.escape_ascii()
                ));
            }
            let done = async {
                let path = self.account.store.mailbox_path(&folder.name)?;
                let Some(opened) = self.interrupt.unless_raised(session.open_folder(&folder, writable)).await? else {
                    return Ok(Outcome::default());
                };
                let source = opened.source().clone();
                self.deliver(job, &source, async { Ok(Some(opened)) }, path).await
            };
            match done.await {
                Ok(outcome) => tally.add(outcome)?,
                Err(e) if e.scope() == Scope::Folder => tally.failed(&e),
                Err(e) => return Err(e),
            }
        }
        session.logout().await;
        Ok(())
    }

    async fn login(&self) -> Result<Login> {
        let Account { user, password, server, .. } = &self.account;
        Ok(Login { user: user.clone(), secret: resolve(password, user, &server.host).await? })
    }

    /// Opens the store, then the source: trouble with the store is found before the server is bothered.
    async fn deliver<R: Retriever>(
        &self,
        job: &Job,
        source: &SourceId,
        connecting: impl Future<Output = Result<Option<R>>>,
        path: PathBuf,
    ) -> Result<Outcome> {
        let ends = self.account.store.line_endings;
        match (self.account.store.kind, self.dry_run) {
            (StoreKind::Maildir, true) => Ok(job.rehearse(source, connecting, Maildir::standing(path, ends)).await),
            (StoreKind::Mbox, true) => Ok(job.rehearse(source, connecting, Mbox::standing(path, ends)?).await),
            (StoreKind::Maildir, false) => self.carry(job, source, connecting, Maildir::open(path, ends)?).await,
            (StoreKind::Mbox, false) => self.carry(job, source, connecting, Mbox::open(path, ends)?).await,
        }
    }

    async fn carry<R: Retriever, S: Store>(
        &self,
        job: &Job,
        source: &SourceId,
        connecting: impl Future<Output = Result<Option<R>>>,
        store: S,
    ) -> Result<Outcome> {
        self.remember_store(job)?;
        Ok(job.pull(source, connecting, Arc::new(store)).await)
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

/// Counts and codes as they come in.
struct Tally<'a> {
    task: &'a Task,
    counts: Counts,
    codes: Vec<u8>,
}

impl<'a> Tally<'a> {
    fn new(task: &'a Task) -> Tally<'a> {
        Tally { task, counts: Counts::default(), codes: Vec::new() }
    }

    /// A folder's outcome; an error that reaches beyond the folder is handed on.
    fn add(&mut self, outcome: Outcome) -> Result<()> {
        self.counts += outcome.counts;
        match outcome.error {
            Some(e) if e.scope() == Scope::Account => return Err(e),
            Some(e) => self.failed(&e),
            None if outcome.counts.failed + outcome.counts.undeleted_remote > 0 => self.codes.push(exit::LEFT_SOME),
            None => {}
        }
        Ok(())
    }

    /// Something stays undone, for a reason that ends nothing else.
    fn left(&mut self, warning: &str) {
        self.task.report.event(&self.task.account.name, Event::Warning(warning));
        self.codes.push(exit::LEFT_SOME);
    }

    fn failed(&mut self, e: &Error) {
        self.task.report.problem(&self.task.account.name, e);
        self.codes.push(e.kind().exit_code());
    }

    fn exit(&self) -> u8 {
        exit::worst(self.codes.iter().copied())
    }
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
