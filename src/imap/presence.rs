//! Which messages a folder still holds.

use super::folder::sets_of;
use super::pipeline::{Pipeline, Step};
use super::response::{Row, Untagged};
use super::session::{Link, Session};
use super::set::UidSet;
use super::status::Condition;
use crate::error::Result;
use crate::mail::Marks;
use std::collections::{BTreeMap, BTreeSet};

/// Which of these the open folder still holds; those of which the server does not tell are among them.
pub async fn still_there<S: Link>(session: &mut Session<S>, uids: &BTreeSet<u32>) -> Result<BTreeSet<u32>> {
    Ok(standing(session, uids, "(UID)").await?.into_keys().collect())
}

/// The same, with the marks that the server shows of each.
pub async fn marks_of<S: Link>(session: &mut Session<S>, uids: &BTreeSet<u32>) -> Result<BTreeMap<u32, Option<Marks>>> {
    standing(session, uids, "(UID FLAGS)").await
}

async fn standing<S: Link>(
    session: &mut Session<S>,
    uids: &BTreeSet<u32>,
    items: &str,
) -> Result<BTreeMap<u32, Option<Marks>>> {
    // A server may speak of messages that are gone until it had occasion to say so (RFC 9051 section 7.5.1).
    let noop = ("NOOP".to_owned(), 0, UidSet::default());
    let fetches = sets_of(uids).map(|set| (format!("UID FETCH {set} {items}"), 0, set));
    let mut pipeline = Pipeline::new([noop].into_iter().chain(fetches));
    let (mut there, mut broken) = (BTreeMap::new(), false);
    while let Some(step) = pipeline.step(session).await? {
        match step {
            Step::Untagged(frame) => match Untagged::of(&frame) {
                Untagged::Fetch(Row { uid: Some(uid), marks, .. }) => {
                    let known: &mut Option<Marks> = there.entry(uid).or_default();
                    *known = marks.or(known.take());
                }
                Untagged::Fetch(_) | Untagged::Broken => broken = true,
                _ => {}
            },
            Step::Done(set, status) if status.condition != Condition::Ok => {
                for uid in set.iter() {
                    there.entry(uid).or_default();
                }
            }
            Step::Done(..) => {}
        }
    }
    there.retain(|uid, _| uids.contains(uid));
    if broken {
        for uid in uids {
            there.entry(*uid).or_default();
        }
    }
    Ok(there)
}
