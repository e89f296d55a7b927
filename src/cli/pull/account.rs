//! The pull of one account: lock, state, log-in, folder after folder.

use super::super::exit;
use super::super::report::{self, Report, Summary};
use crate::cli::args::Global;
use crate::config::{Account, Protocol};
use crate::credentials::{Login, resolve};
use crate::error::{Error, Kind, Result, Scope};
use crate::event::Counts;
use crate::interrupt::Interrupt;
use crate::mail::FolderName;
use crate::retrieve::{Job, Keep, Outcome, Retriever};
use crate::state::{Home, Ledger, Lock, Run};
use crate::store::{Maildir, Mbox, Spec, Store, StoreKind};
use crate::{imap, pop3};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
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
        let (_lock, ledger) = if self.dry_run {
            (None, Ledger::open_copy(&self.home)?)
        } else {
            let lock = Lock::take(&self.home.lock_file(), &self.account.name, self.wait).await?;
            (Some(lock), Ledger::open(&self.home)?)
        };
        let ledger = Arc::new(Mutex::new(ledger));
        let job = Job {
            account: self.account.name.clone(),
            ledger: Arc::clone(&ledger),
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
            ledger.lock().unwrap_or_else(PoisonError::into_inner).record(&run)?;
        }
        Ok(())
    }

    async fn pull(&self, job: &Job, tally: &mut Tally<'_>) -> Result<()> {
        let with_ledger = |f: &mut dyn FnMut(&mut Ledger) -> Result<()>| {
            f(&mut job.ledger.lock().unwrap_or_else(PoisonError::into_inner))
        };
        let store_path = self.account.store.path.to_string_lossy().into_owned();
        let mut last_store = None;
        let mut not_before = None;
        with_ledger(&mut |l| {
            last_store = l.fact(STORE)?;
            not_before = l.fact(NOT_BEFORE)?.and_then(|t| t.parse::<i64>().ok());
            Ok(())
        })?;
        self.store_stands(last_store.as_deref() == Some(&*store_path))?;
        if let Some(pause) = not_before.map(|t| t - job.now).filter(|pause| *pause > 0) {
            return Err(Error::new(
                Kind::TryLater,
                format!("{} asks for a pause between log-ins", self.account.server.host),
                format!("Run again in {pause} seconds, and less often from cron."),
            ));
        }
        match self.account.protocol {
            Protocol::Pop3 => self.pull_pop3(job, tally).await?,
            Protocol::Imap => self.pull_imap(job, tally).await?,
        }
        if !self.dry_run && last_store.as_deref() != Some(&*store_path) && self.account.store.path.exists() {
            with_ledger(&mut |l| l.set_fact(STORE, &store_path))?;
        }
        Ok(())
    }

    /// A store that was there last time and is gone now is a disk that is not mounted, not a wish for a new one.
    fn store_stands(&self, was_there: bool) -> Result<()> {
        let path = &self.account.store.path;
        if !was_there || path.exists() {
            return Ok(());
        }
        Err(Error::new(
            Kind::LocalIo,
            format!("the store {} was there last time and is gone", path.display()),
            "Mount its disk or bring it back; if it is to start anew, create it as an empty folder or file.",
        ))
    }

    async fn pull_pop3(&self, job: &Job, tally: &mut Tally<'_>) -> Result<()> {
        let path = self.account.store.mailbox_path(&FolderName::inbox())?;
        let Some(login) = self.interrupt.unless_raised(self.login()).await? else { return Ok(()) };
        // Trouble with the store is found before the server is bothered.
        if !self.dry_run {
            self.try_store(path.clone())?;
        }
        let session = pop3::open(&self.account.server, &login, self.account.auth);
        let Some(session) = self.interrupt.unless_raised(session).await? else { return Ok(()) };
        if let Some(delay) = session.login_delay() {
            let until = job.now.saturating_add(i64::try_from(delay.as_secs()).unwrap_or(i64::MAX));
            job.ledger.lock().unwrap_or_else(PoisonError::into_inner).set_fact(NOT_BEFORE, &until.to_string())?;
        }
        tally.add(self.deliver(job, session, path).await?)
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
            let done = async {
                let path = self.account.store.mailbox_path(&folder.name)?;
                let Some(opened) = self.interrupt.unless_raised(session.open_folder(&folder, writable)).await? else {
                    return Ok(Outcome::default());
                };
                self.deliver(job, opened, path).await
            };
            match done.await {
                Ok(outcome) => tally.add(outcome)?,
                Err(e) if e.scope() == Scope::Folder => tally.failed(&e),
                Err(e) => return Err(e),
            }
        }
        session.logout().await
    }

    async fn login(&self) -> Result<Login> {
        let Account { user, password, server, .. } = &self.account;
        Ok(Login { user: user.clone(), secret: resolve(password, user, &server.host).await? })
    }

    /// Makes sure that the store can be opened.
    fn try_store(&self, path: PathBuf) -> Result<()> {
        let ends = self.account.store.line_endings;
        match self.account.store.kind {
            StoreKind::Maildir => Maildir::open(path, ends).map(drop),
            StoreKind::Mbox => Mbox::open(path, ends).map(drop),
        }
    }

    async fn deliver<R: Retriever>(&self, job: &Job, source: R, path: PathBuf) -> Result<Outcome> {
        let Spec { kind, line_endings, .. } = self.account.store;
        match kind {
            StoreKind::Maildir => {
                self.carry(job, source, || Maildir::open(path.clone(), line_endings), Maildir::exists(&path)).await
            }
            StoreKind::Mbox => self.carry(job, source, || Mbox::open(path.clone(), line_endings), path.exists()).await,
        }
    }

    async fn carry<R: Retriever, S: Store>(
        &self,
        job: &Job,
        source: R,
        open: impl Fn() -> Result<S>,
        exists: bool,
    ) -> Result<Outcome> {
        if self.dry_run {
            let store = if exists { Some(Arc::new(open()?)) } else { None };
            return Ok(job.rehearse(source, store).await);
        }
        Ok(job.pull(source, Arc::new(open()?)).await)
    }
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
            None if outcome.counts.failed > 0 => self.codes.push(exit::LEFT_SOME),
            None => {}
        }
        Ok(())
    }

    fn failed(&mut self, e: &Error) {
        self.task.report.problem(&self.task.account.name, e);
        self.codes.push(e.kind().exit_code());
    }

    fn exit(&self) -> u8 {
        exit::worst(self.codes.iter().copied())
    }
}
