//! Which messages a folder still holds.

use super::folder::sets_of;
use super::pipeline::{Pipeline, Step};
use super::response::{Row, Untagged};
use super::session::{Link, Session};
use super::set::UidSet;
use super::status::Condition;
use crate::error::Result;
use std::collections::BTreeSet;

/// Which of these the open folder still holds; those of which the server does not tell are among them.
pub async fn still_there<S: Link>(session: &mut Session<S>, uids: &BTreeSet<u32>) -> Result<BTreeSet<u32>> {
    // A server may speak of messages that are gone until it had occasion to say so (RFC 9051 section 7.5.1).
    let noop = ("NOOP".to_owned(), 0, UidSet::default());
    let fetches = sets_of(uids).map(|set| (format!("UID FETCH {set} (UID)"), 0, set));
    let mut pipeline = Pipeline::new([noop].into_iter().chain(fetches));
    let (mut there, mut broken) = (BTreeSet::new(), false);
    while let Some(step) = pipeline.step(session).await? {
        match step {
            Step::Untagged(frame) => match Untagged::of(&frame) {
                Untagged::Fetch(Row { uid: Some(uid), .. }) => drop(there.insert(uid)),
                Untagged::Fetch(_) | Untagged::Broken => broken = true,
                _ => {}
            },
            Step::Done(set, status) if status.condition != Condition::Ok => there.extend(set.iter()),
            Step::Done(..) => {}
        }
    }
    there.retain(|uid| uids.contains(uid));
    if broken {
        there.extend(uids);
    }
    Ok(there)
}
