//! The run of one migration: lock, state, passes, and the record of it.

use super::pass::{self, Ends, Passed};
use super::{ADVICE, Migration};
use crate::cli::accounts::Tally;
use crate::cli::held;
use crate::cli::report::{self, Report, Summary};
use crate::error::{Error, Kind, Result, Scope};
use crate::event::{Counts, Event};
use crate::imap::Room;
use crate::interrupt::Interrupt;
use crate::migrate::{Balance, FolderReport, Sample, TOO_LARGE};
use crate::patience::{Patience, is_setback};
use crate::retrieve::{Job, Keep, Policy};
use crate::state::{Home, Ledger};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// So many passes that each found something new are enough.
const PASSES: usize = 20;

/// The fact that says whether a run is under way, or died.
const UNDER_WAY: &str = "migrating";
/// What a rehearsal cannot know.
const LEAVING: &str = "at most the messages marked `server: delete` would leave the source: those of them that the check finds in the \
                       target, octet by octet, and none if anything fails";

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
    pub migration: Arc<Migration>,
    /// How fast the source is: found out in a dry run, where reading leaves no trace there (POP3 servers mark what was read).
    pub sample: Option<Arc<Sample>>,
    /// How much more the target takes, where that is a matter of telling.
    pub room: OnceLock<Room>,
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
        let sample = (around.dry_run && migration.from.is_imap()).then(Arc::default);
        Run { migration: Arc::new(migration), sample, room: OnceLock::new(), around, home }
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
        // Boxed, for together these futures would not fit the stack of a thread.
        let ends = Box::pin(pass::ends(&self.migration, interrupt, *dry_run));
        let held = held::hold_while(&self.home, name, *dry_run, *wait, interrupt, ends);
        let Some((_lock, ledger, ends)) = held.await? else { return Ok(()) };
        let job = Job {
            account: name.clone(),
            ledger: Arc::new(Mutex::new(ledger)),
            policy: Policy { keep: Keep::Always, folders: Vec::new(), max_size: None },
            // A rehearsal reads no messages.
            by_content: !dry_run,
            beside: Vec::new(),
            observer: Arc::new(Arc::clone(&self.around.report)),
            interrupt: self.around.interrupt.clone(),
            now: self.around.now,
        };
        if !self.around.dry_run {
            job.ledger().set_fact(UNDER_WAY, YES)?;
            // What repeats itself until all is done reads nothing twice; what deletes has looked at all of it.
            if !self.migration.plan.until_idle || self.migration.plan.delete_source {
                job.ledger().compare_anew()?;
            }
        }
        let mut folders = Vec::new();
        // The last leave-taking is not waited for: nothing hangs on it.
        let mut leaving = JoinSet::new();
        let problems = self.passes(&job, ends, &mut leaving, &mut folders, tally).await;
        tally.count(counts(&folders));
        problems.iter().for_each(|e| tally.failed(e));
        if problems.is_empty() {
            self.after(&job, &mut leaving, &mut folders, tally).await;
        }
        for folder in folders.iter().filter(|_| !self.around.dry_run) {
            if let Some(n) = folder.balance.skipped.get(TOO_LARGE) {
                let text = format!("{}: {} skipped, {TOO_LARGE}", folder.from, report::messages(*n));
                self.around.report.event(name, Event::Warning(&text));
            }
        }
        self.around.report.migrated(name, &folders);
        if self.around.dry_run && self.migration.plan.delete_source {
            self.around.report.advise(name, LEAVING);
        }
        self.estimate(&folders);
        self.measure(&folders);
        // What would be is no report of what was.
        if let Some(folder) = self.around.report_dir.as_ref().filter(|_| !self.around.dry_run) {
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

    /// Goes through the folders once, between ends that are open already, or else are opened now.
    async fn pass(&self, job: &Job, ends: Option<Result<Option<Ends>>>, leaving: &mut JoinSet<()>) -> Passed {
        let ends = match ends {
            Some(ends) => ends,
            None => {
                // Some servers let in one connection only.
                std::mem::take(leaving).join_all().await;
                Box::pin(pass::ends(&self.migration, &self.around.interrupt, self.is_dry())).await
            }
        };
        let mut passed = pass::go(self, job, ends).await;
        *leaving = std::mem::take(&mut passed.leaving);
        passed
    }

    /// Goes through the folders until all that can be done is done; gives what ended it early.
    async fn passes(
        &self,
        job: &Job,
        ends: Result<Option<Ends>>,
        leaving: &mut JoinSet<()>,
        folders: &mut Vec<FolderReport>,
        tally: &mut Tally<'_>,
    ) -> Vec<Error> {
        let mut ends = Some(ends);
        let (mut patience, mut done, mut whole) = (Patience::default(), 0, 0);
        let Around { dry_run, report, interrupt, .. } = &self.around;
        loop {
            let pass = self.pass(job, ends.take(), leaving).await;
            let copied = pass.done.iter().map(|f| f.balance.copied).sum::<u64>();
            merge(folders, pass.done);
            done += copied;
            let ends_all = |e: &&Error| e.scope() == Scope::Account && !is_setback(e);
            // What only time can mend holds the others up.
            let held_up = match pass.problems.iter().find(ends_all) {
                Some(_) => None,
                None => pass.problems.iter().find(|e| is_setback(e)),
            };
            match held_up {
                _ if interrupt.is_raised() || *dry_run => return pass.problems,
                Some(e) if !folders.is_empty() => {
                    let tell = |text: &str| report.event(&job.account, Event::Setback(text));
                    if !patience.waits(e, done, interrupt, tell).await {
                        return pass.problems;
                    }
                }
                None if pass.problems.is_empty() && self.migration.plan.until_idle && copied > 0 => {
                    whole += 1;
                    if whole == PASSES {
                        tally.left("more mail has come in every pass; run again to copy what comes next");
                        return pass.problems;
                    }
                }
                _ => return pass.problems,
            }
        }
    }

    /// What is done once all was copied: the findings of the check, and the deletion of the source.
    async fn after(&self, job: &Job, leaving: &mut JoinSet<()>, folders: &mut [FolderReport], tally: &mut Tally<'_>) {
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
        let pass = self.pass(&Job { policy, ..job.clone() }, None, leaving).await;
        let removed = pass.done.iter().map(|f| f.balance.removed).sum();
        pass.problems.iter().for_each(|e| tally.failed(e));
        if pass.kept > 0 {
            tally.left(&format!(
                "in the source stay {}, which the target had before this migration: nothing proves that source and target are not one \
                 mailbox under two names. Delete them there yourself where you know it.",
                report::messages(pass.kept)
            ));
        }
        tally.count(Counts { deleted_remote: removed, ..Counts::default() });
        for done in pass.done {
            if let Some(folder) = folders.iter_mut().find(|f| (&f.from, &f.to) == (&done.from, &done.to)) {
                folder.balance.removed += done.balance.removed;
            }
        }
    }

    /// How long it is going to take, as far as a dry run can tell.
    fn estimate(&self, folders: &[FolderReport]) {
        let measured = self.sample.as_ref().map(|sample| sample.measured()).unwrap_or_default();
        let bytes: u64 = folders.iter().map(|f| f.balance.bytes).sum();
        if let Some(rate) = measured.rate().filter(|_| bytes > 0) {
            let text = format!(
                "about {} for {} at {}/s, which is what the source gave for {} messages over one connection; a slower target takes \
                 longer",
                report::span(bytes as f64 / rate),
                report::octets(bytes),
                report::octets(rate as u64),
                measured.messages
            );
            self.around.report.advise(&self.migration.name, &text);
        }
    }

    /// Whether all of it fits into the target, as far as a dry run can tell.
    fn measure(&self, folders: &[FolderReport]) {
        let Room { octets, messages } = self.room.get().copied().unwrap_or_default();
        let sum = |of: fn(&FolderReport) -> u64| folders.iter().map(of).sum::<u64>();
        let (bytes, copied) = (sum(|f| f.balance.bytes), sum(|f| f.balance.copied));
        let (left, needed) = match (octets, messages) {
            (Some(left), _) if bytes > left => (report::octets(left), report::octets(bytes)),
            (_, Some(left)) if copied > left => (report::messages(left), report::messages(copied)),
            _ => return,
        };
        let text = format!(
            "not all of it fits: the target's quota leaves room for {left}, and {needed} are to be copied. Make room there first, or copy \
             less, by --since or --max-size."
        );
        self.around.report.event(&self.migration.name, Event::Warning(&text));
    }

    fn lost(&self, folder: &FolderReport, missing: u64) -> Error {
        let what = format!("{missing} of the messages of {} are not found in {} of the target", folder.from, folder.to);
        if folder.verified.is_some_and(|v| v.by_content) {
            let remedy = "Nothing was deleted in the source. Messages of the same header and size may stand there with other content: \
                          compare the two, and copy the source once more into another folder, by --into, to have both.";
            return Error::new(Kind::Data, format!("{what}, octet by octet"), remedy).folder();
        }
        let remedy = format!(
            "Nothing was deleted in the source. To have them copied, move {} away and run again: what is there is recognised. If \
             somebody removed the whole folder there on purpose, leave it out: --folders '!{}'.",
            self.home.database().display(),
            folder.from
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
