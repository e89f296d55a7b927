//! One pass over all folders of a migration.

use super::Migration;
use super::carriage::{Carriage, Folders, Route, Stop};
use super::ends::{From, Remote, To};
use super::locals;
use super::run::Run;
use super::target::Target;
use crate::config::Protocol;
use crate::connections::{Connections, worth};
use crate::credentials::Login;
use crate::error::{Error, Kind, Result};
use crate::event::{Counts, Event, Observer};
use crate::imap::{self, Access, Connection, Inbox, Lines, Tree};
use crate::interrupt::Interrupt;
use crate::mail::{FolderName, FolderPattern, Role};
use crate::migrate::{Collector, FolderReport, Place, Site, targets};
use crate::net::Stream;
use crate::pop3::{self, Pop3};
use crate::retrieve::Job;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// Round trips that a folder costs, whatever is in it,
const FOLDER: u64 = 6;
/// and messages that cost one more.
const MESSAGES: u64 = 50;

/// What has come of a pass.
pub struct Passed {
    /// Each folder that was gone through.
    pub done: Vec<FolderReport>,
    /// What ended the work on folders, or on all of it, early.
    pub problems: Vec<Error>,
    /// How many messages stay in the source, though they are in the target, for the two may be one.
    pub kept: u64,
    /// Connections that take leave.
    pub leaving: JoinSet<()>,
}

impl Passed {
    fn nowhere(problem: Option<Error>) -> Passed {
        Passed { done: Vec::new(), problems: problem.into_iter().collect(), kept: 0, leaving: JoinSet::new() }
    }
}

/// Both ends of a pass, open.
pub struct Ends {
    source: Source,
    target: Target,
}

/// The source of a pass, logged in where it is a server.
enum Source {
    Imap(Connections, Box<Tree>),
    Pop3(Box<Pop3<Stream>>),
    Local,
}

/// Goes through the folders with this ledger. `ends` is what came of opening them.
pub async fn go(run: &Run, job: &Job, ends: Result<Option<Ends>>) -> Passed {
    let Ends { source, target } = match ends {
        Ok(Some(ends)) => ends,
        Ok(None) => return Passed::nowhere(None),
        Err(e) => return Passed::nowhere(Some(e)),
    };
    let leaves = run.is_dry() && run.migration.plan.delete_source;
    let collector = Arc::new(Collector::new(Arc::clone(&job.observer), leaves));
    let observer: Arc<dyn Observer> = Arc::<Collector>::clone(&collector);
    let job = Job { observer, ..job.clone() };
    if run.is_dry()
        && let Ok(room) = target.room().await
    {
        let _ = run.room.set(room);
    }
    let carriage = Arc::new(Carriage::new(run, job, collector, target));
    // Boxed, for together these futures would not fit the stack of a thread.
    let ended = Box::pin(through(&carriage, source)).await;
    let mut passed = carriage.take();
    match ended {
        Ok(leaving) => passed.leaving = leaving,
        Err(e) => passed.problems.push(e),
    }
    passed
}

/// Opens both ends; `None` when told to stop.
pub async fn ends(migration: &Migration, interrupt: &Interrupt, dry: bool) -> Result<Option<Ends>> {
    // One after the other, for they may ask somebody.
    let Some((from, to)) = interrupt.unless_raised(logins(migration)).await? else { return Ok(None) };
    let opened = tokio::try_join!(
        interrupt.unless_raised(source(migration, interrupt, from)),
        interrupt.unless_raised(target(migration, to, dry))
    )?;
    Ok(opened.0.flatten().zip(opened.1).map(|(source, target)| Ends { source, target }))
}

/// User and password for each end that is a server.
async fn logins(migration: &Migration) -> Result<(Option<Login>, Option<Login>)> {
    let Migration { from, to, .. } = migration;
    let from = if let From::Server(remote) = from { Some(remote.login().await?) } else { None };
    let to = if let To::Server(remote) = to { Some(remote.login().await?) } else { None };
    Ok((from, to))
}

fn access(remote: &Remote, login: Option<Login>) -> Result<Access> {
    let login = login.ok_or_else(|| Error::new(Kind::Usage, "no log-in is known", "Report this."))?;
    Ok(Access { server: remote.server.clone(), login, auth: remote.auth, told: remote.named.teller() })
}

async fn source(migration: &Migration, interrupt: &Interrupt, login: Option<Login>) -> Result<Option<Source>> {
    let From::Server(remote) = &migration.from else { return Ok(Some(Source::Local)) };
    let access = access(remote, login)?;
    if remote.protocol == Protocol::Pop3 {
        let session = Box::pin(pop3::open(&access.server, &access.login, access.auth)).await.map_err(access.told)?;
        return Ok(Some(Source::Pop3(Box::new(session))));
    }
    let mut connections = Connections::new(&access, interrupt, migration.plan.connections);
    let Some(imap) = Box::pin(connections.first()).await? else { return Ok(None) };
    // The inbox is there in any case, and its turn comes first.
    let tree = match FolderPattern::selects(&migration.plan.folders, &FolderName::inbox()) {
        true => imap.tree_and_inbox(true, Inbox::Listed).await?,
        false => imap.tree(true).await?,
    };
    Ok(Some(Source::Imap(connections, Box::new(tree))))
}

async fn target(migration: &Migration, login: Option<Login>, dry: bool) -> Result<Target> {
    match &migration.to {
        To::Store(spec) => Ok(Target::Local(spec.clone())),
        To::Server(remote) => {
            let access = access(remote, login)?;
            let mut imap: Connection = Box::pin(access.open()).await?;
            let inbox = places([&FolderName::inbox()]);
            let goes = FolderPattern::selects(&migration.plan.folders, &FolderName::inbox());
            let tree = match targets(&inbox, &[], &migration.plan.mapping, None).first() {
                Some(to) if goes && to.is_inbox() => imap.tree_and_inbox(true, Inbox::Open { writable: !dry }).await?,
                _ => imap.tree(true).await?,
            };
            let lines = Lines::new(imap, &access, migration.plan.connections);
            Ok(Target::Imap(lines, Box::new(Mutex::new(tree))))
        }
    }
}

/// Gives what takes leave of the servers.
async fn through(carriage: &Arc<Carriage>, source: Source) -> Result<JoinSet<()>> {
    match source {
        Source::Imap(connections, tree) => return imap(carriage, connections, &tree).await,
        Source::Pop3(session) => {
            let mut stops = stops(carriage, places([&FolderName::inbox()])).await;
            carriage.set_out(Route { stops: stops.clone(), sites: vec![Site::Unknown] }).await?;
            if let Some(stop) = stops.pop() {
                carriage.folder(&stop, async { Ok(Some(*session)) }).await?;
            }
        }
        Source::Local => locals::through(carriage).await?,
    }
    Ok(carriage.target.leave())
}

async fn imap(carriage: &Arc<Carriage>, mut connections: Connections, tree: &Tree) -> Result<JoinSet<()>> {
    let plan = &carriage.migration.plan;
    let named = |f: &imap::Folder| FolderPattern::names(&plan.folders, &f.name);
    // A view of what other folders hold.
    let folders: Vec<imap::Folder> = tree
        .select(&plan.folders)
        .into_iter()
        .filter(|f| !matches!(f.role, Some(Role::Flagged | Role::Important)) || named(f))
        .collect();
    if let Some(all) = folders.iter().find(|f| f.role == Some(Role::All) && folders.len() > 1 && !named(f)) {
        let note = format!(
            "{0} is a view of all messages of the account, and is copied like the others. To leave it out, add: --folders '!{0}'",
            all.name
        );
        carriage.tell(Event::Warning(&note));
    }
    let places = folders.iter().map(|f| Place { name: f.name.clone(), role: f.role }).collect();
    let mut groups: Vec<Vec<(Stop, imap::Folder)>> = Vec::new();
    let stops = stops(carriage, places).await;
    let sites = stops.iter().map(|stop| carriage.site(stop)).collect::<Result<_>>()?;
    carriage.set_out(Route { stops: stops.clone(), sites }).await?;
    for (stop, folder) in stops.into_iter().zip(folders) {
        for twin in &folder.twins {
            let what = format!(
                "two folders of the source read as {}; \u{201c}{}\u{201d} is left",
                folder.name,
                twin.escape_ascii()
            );
            let e = Error::new(Kind::Unavailable, what, "Rename one of them there, then run again.").folder();
            carriage.problem(e);
        }
        let stop = Stop { subscribed: folder.subscribed, ..stop };
        let same = groups.iter_mut().find(|group| group.iter().any(|(other, _)| other.to == stop.to));
        match same {
            Some(group) => group.push((stop, folder)),
            None => groups.push(vec![(stop, folder)]),
        }
    }
    let messages = |f: &imap::Folder| f.status.as_ref().and_then(|s| s.messages).map_or(0, u64::from);
    let all = || groups.iter().flatten().map(|(_, folder)| folder);
    carriage.tell(Event::Outset { folders: all().count() as u64, messages: all().map(messages).sum() });
    let load = |group: &Vec<(Stop, imap::Folder)>| -> u64 {
        group.iter().map(|(_, folder)| FOLDER + messages(folder) / MESSAGES).sum()
    };
    let wanted = worth(groups.iter().map(load), connections.most());
    carriage.expect(groups.iter().flatten().map(|(stop, folder)| (stop, messages(folder))))?;
    let done = connections.each(Folders(Arc::clone(carriage)), groups, wanted, &mut Counts::default()).await?;
    let mut broken: Vec<Error> = done.into_iter().filter_map(|done| done?.err()).collect();
    let last = broken.pop();
    broken.into_iter().for_each(|e| carriage.problem(e));
    if let Some(e) = last {
        return Err(e);
    }
    let (mut leaving, of_source) = (carriage.target.leave(), connections.leave());
    leaving.spawn(async {
        of_source.join_all().await;
    });
    Ok(leaving)
}

/// The folders that are wanted, each with its target.
pub(super) async fn stops(carriage: &Carriage, mut source: Vec<Place>) -> Vec<Stop> {
    let plan = &carriage.migration.plan;
    source.retain(|place| FolderPattern::selects(&plan.folders, &place.name));
    let target = &carriage.target;
    let to = targets(&source, &target.places().await, &plan.mapping, target.separator().await);
    let stop = |(at, (place, to)): (usize, (Place, FolderName))| Stop { at, from: place.name, to, subscribed: None };
    source.into_iter().zip(to).enumerate().map(stop).collect()
}

pub(super) fn places<'n>(names: impl IntoIterator<Item = &'n FolderName>) -> Vec<Place> {
    names.into_iter().map(|name| Place { name: name.clone(), role: None }).collect()
}
