//! The run of one migration: lock, state, passes, and the record of it.

use super::pass::Pass;
use super::{ADVICE, Migration};
use crate::cli::accounts::Tally;
use crate::cli::held;
use crate::cli::report::{self, Report, Summary};
use crate::error::{Error, Kind, Result, Retry, Scope};
use crate::event::{Counts, Event};
use crate::interrupt::Interrupt;
use crate::migrate::{Balance, FolderReport};
use crate::retrieve::{Job, Keep, Policy};
use crate::state::{Home, Ledger};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Passes without end are ended.
const PASSES: usize = 20;

/// Pauses before it is tried again after a connection broke, as long as nothing was copied meanwhile.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(8)];

/// The fact that says whether a run is under way, or died.
const UNDER_WAY: &str = "migrating";
const YES: &str = "yes";

/// Whether the last run on a ledger came to its end, and a good one; `None` where there was none.
pub fn ended_well(ledger: &Ledger) -> Result<Option<bool>> {
    if ledger.fact(UNDER_WAY)?.as_deref() == Some(YES) {
        return Ok(Some(false));
    }
    Ok(ledger.last_run()?.map(|run| run.exit == 0))
}

/// What a run has to do with besides its migration.
pub struct Around {
    /// Where state is kept.
    pub state_dir: PathBuf,
    /// Where the report goes.
    pub report_dir: Option<PathBuf>,
    /// Nothing is changed, only told.
    pub dry_run: bool,
    /// How long to wait for another run.
    pub wait: Duration,
    /// Who is told.
    pub report: Arc<dyn Report>,
    /// Says when to stop.
    pub interrupt: Interrupt,
    /// Seconds since 1970 UTC.
    pub now: i64,
}

/// A migration to be run.
pub struct Run {
    /// What is to be done.
    pub migration: Migration,
    around: Around,
    home: Home,
}

/// What came of it.
pub struct Ended {
    /// What was done.
    pub counts: Counts,
    /// The exit code, before signals and `--exit-code`.
    pub exit: u8,
}

impl Run {
    /// A run of a migration.
    pub fn new(migration: Migration, around: Around) -> Run {
        let home = Home::new(&around.state_dir, &migration.name);
        Run { migration, around, home }
    }

    /// Whether nothing is changed, only told.
    pub fn is_dry(&self) -> bool {
        self.around.dry_run
    }

    /// Runs it. Errors are reported where they come up, and end in the exit code.
    pub async fn run(&self, begun: Instant) -> Ended {
        let mut tally = Tally::new(&self.migration.name, &*self.around.report);
        if let Err(e) = self.locked(&mut tally, begun).await {
            tally.failed(&e);
        }
        Ended { exit: tally.exit(), counts: tally.counts() }
    }

    async fn locked(&self, tally: &mut Tally<'_>, begun: Instant) -> Result<()> {
        let name = &self.migration.name;
        let Around { dry_run, wait, interrupt, .. } = &self.around;
        let held = held::hold(&self.home, name, *dry_run, *wait, interrupt);
        let Some((_lock, ledger)) = held.await? else { return Ok(()) };
        let job = Job {
            account: name.clone(),
            ledger: Arc::new(Mutex::new(ledger)),
            policy: Policy { keep: Keep::Always, folders: Vec::new(), max_size: None },
            observer: Arc::new(Arc::clone(&self.around.report)),
            interrupt: self.around.interrupt.clone(),
            now: self.around.now,
        };
        if !self.around.dry_run {
            job.ledger().set_fact(UNDER_WAY, YES)?;
        }
        let mut folders = Vec::new();
        let problems = self.passes(&job, &mut folders).await;
        tally.count(counts(&folders));
        problems.iter().for_each(|e| tally.failed(e));
        if problems.is_empty() {
            self.after(&job, &mut folders, tally).await;
        }
        self.around.report.migrated(name, &folders);
        if let Some(folder) = &self.around.report_dir {
            let path = folder.join(format!("{name}.json"));
            let text = format!("{}\n", report::migration_entry(name, &folders, tally.exit()));
            let written = std::fs::write(&path, text);
            written.map_err(|e| Error::local_io(format!("cannot write the report {}", path.display()), e))?;
        }
        if !self.around.dry_run {
            let (counts, exit) = (tally.counts(), tally.exit());
            let summary = Summary { account: name.clone(), counts, seconds: begun.elapsed().as_secs_f64(), exit };
            held::record(&mut job.ledger(), self.around.now, &summary)?;
            job.ledger().set_fact(UNDER_WAY, "no")?;
        }
        Ok(())
    }

    /// Goes through the folders until all that can be done is done; gives what ended it early.
    async fn passes(&self, job: &Job, folders: &mut Vec<FolderReport>) -> Vec<Error> {
        let mut failures = 0;
        for _ in 0..PASSES {
            let mut pass = Pass::new(self, job);
            pass.go().await;
            let copied = pass.done.iter().map(|f| f.balance.copied).sum::<u64>();
            merge(folders, pass.done);
            let broken = |e: &Error| {
                e.scope() == Scope::Account
                    && e.retry() == Retry::Later
                    && e.kind() != Kind::LocalIo
                    && !self.around.dry_run
            };
            failures = if copied > 0 { 0 } else { failures };
            match pass.problems.last() {
                _ if self.around.interrupt.is_raised() => return pass.problems,
                Some(e) if broken(e) && !folders.is_empty() && failures < PAUSES.len() => {
                    let pause = PAUSES.get(failures).copied().unwrap_or_default();
                    failures += 1;
                    let note = format!("{e}; going on in {} s", pause.as_secs_f32());
                    self.around.report.event(&job.account, Event::Note(&note));
                    let waited = async { tokio::time::sleep(pause).await };
                    tokio::select! { () = waited => {}, () = self.around.interrupt.raised() => return pass.problems }
                }
                None if self.migration.plan.until_idle && copied > 0 && !self.around.dry_run => {}
                _ => return pass.problems,
            }
        }
        Vec::new()
    }

    /// What is done once all was copied: the findings of the check, and the deletion of the source.
    async fn after(&self, job: &Job, folders: &mut [FolderReport], tally: &mut Tally<'_>) {
        let plan = &self.migration.plan;
        for folder in folders.iter() {
            let missing = folder.verified.map_or(0, |v| v.missing);
            if missing > 0 {
                tally.failed(&self.lost(folder, missing));
            }
        }
        let whole = tally.exit() == 0 && !self.around.interrupt.is_raised() && !self.around.dry_run;
        if whole && plan.until_idle {
            self.around.report.advise(&job.account, ADVICE);
        }
        let is_verified = folders.iter().all(|f| f.verified.is_some_and(|v| v.missing == 0));
        if !(plan.delete_source && whole) {
            return;
        }
        if !is_verified {
            tally.left("nothing was deleted in the source, for not all of it was checked");
            return;
        }
        let policy = Policy { keep: Keep::Never, ..job.policy.clone() };
        let mut pass = Pass::new(self, &Job { policy, ..job.clone() });
        pass.go().await;
        let removed = pass.done.iter().map(|f| f.balance.removed).sum();
        pass.problems.iter().for_each(|e| tally.failed(e));
        tally.count(Counts { deleted_remote: removed, ..Counts::default() });
        for done in pass.done {
            if let Some(folder) = folders.iter_mut().find(|f| (&f.from, &f.to) == (&done.from, &done.to)) {
                folder.balance.removed += done.balance.removed;
            }
        }
    }

    fn lost(&self, folder: &FolderReport, missing: u64) -> Error {
        let what = format!("{missing} of the messages of {} are not found in {} of the target", folder.from, folder.to);
        if folder.verified.is_some_and(|v| v.by_content) {
            let remedy = "Nothing was deleted in the source. Messages of the same header and size may stand there with other content: \
                          compare the two, and copy the source once more into another folder, by --into, to have both.";
            return Error::new(Kind::Data, format!("{what}, octet by octet"), remedy).folder();
        }
        let remedy = format!(
            "Nothing was deleted in the source. If nobody removed them there, move {} away and run again: what is there is \
             recognised, and what is missing is copied.",
            self.home.database().display()
        );
        Error::new(Kind::Data, what, remedy).folder()
    }
}

/// Adds what a later pass has done.
fn merge(folders: &mut Vec<FolderReport>, later: Vec<FolderReport>) {
    for new in later {
        match folders.iter_mut().find(|f| (&f.from, &f.to) == (&new.from, &new.to)) {
            // It was not even looked at.
            Some(_) if new.balance == Balance::default() => {}
            Some(folder) => {
                folder.balance = std::mem::take(&mut folder.balance).then(new.balance);
                folder.verified = new.verified;
            }
            None => folders.push(new),
        }
    }
}

/// The counts of the summary.
fn counts(folders: &[FolderReport]) -> Counts {
    let sum = |of: fn(&FolderReport) -> u64| folders.iter().map(of).sum();
    Counts {
        listed: sum(|f| f.balance.listed),
        had: sum(|f| f.balance.there),
        fetched: sum(|f| f.balance.copied),
        skipped: sum(|f| f.balance.skips()),
        failed: sum(|f| f.balance.failures()),
        bytes_in: sum(|f| f.balance.bytes),
        ..Counts::default()
    }
}
