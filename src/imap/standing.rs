//! What stands in a folder that is a target, message by message.

use super::folder::ImapFolder;
use super::session::Link;
use super::target::ImapTarget;
use crate::error::Result;
use crate::mail::{Content, Digest, Key};
use crate::retrieve::{Handle, Reading, Retriever};
use crate::store::Mailbox;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A message of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its UID.
    pub uid: u32,
    /// Its size, as the server states it.
    pub size: Option<u64>,
    /// What it holds; inferred from header and size where it was not read.
    pub content: Content,
}

impl<S: Link + 'static> ImapTarget<S> {
    /// Every message; read to the last octet are `all`, or else those alone that header and size do not tell from others. What
    /// is `known` of a message by UID and stated size stands for reading it, as long as its header is the same.
    pub fn standing(&self, all: bool, known: impl Fn((u32, u64)) -> Option<Content>) -> Result<Vec<Standing>> {
        self.on(async |folder| {
            let mut there = folder.arrived_since(1).await?;
            let (mut standing, mut unread) = (Vec::new(), Vec::new());
            if all {
                // Headers are asked for only where they may save the reading.
                there.retain(|(key, size)| {
                    let Some(uid) = key.uid() else { return false };
                    let is_known = size.is_some_and(|size| known((uid, size)).is_some());
                    if !is_known {
                        unread.push((uid, *size));
                    }
                    is_known
                });
            }
            let mut alike: HashMap<Digest, Vec<Standing>> = HashMap::new();
            for (uid, size, inferred) in inferred(folder, &there).await? {
                let is_same = |known: &Content| inferred.is_none_or(|c| c.fingerprint == known.fingerprint);
                let content = size.and_then(|size| known((uid, size))).filter(is_same);
                match (content, inferred) {
                    (Some(content), _) => standing.push(Standing { uid, size, content }),
                    (None, Some(content)) if !all => {
                        alike.entry(content.digest).or_default().push(Standing { uid, size, content });
                    }
                    (None, _) => unread.push((uid, size)),
                }
            }
            for group in alike.into_values() {
                match group.as_slice() {
                    [one] => standing.push(*one),
                    several => unread.extend(several.iter().map(|there| (there.uid, there.size))),
                }
            }
            let contents = read(folder, &unread).await?;
            standing.extend(
                unread
                    .into_iter()
                    .filter_map(|(uid, size)| Some(Standing { uid, size, content: *contents.get(&Handle(uid))? })),
            );
            Ok(standing)
        })
    }

    /// The messages that digests were inferred of, read: what each holds, by the digest that was inferred.
    pub(super) fn read_behind(&self, wanted: &HashSet<Digest>) -> Result<Vec<(Digest, Content)>> {
        self.on(async |folder| {
            let there = folder.arrived_since(1).await?;
            let mut there = inferred(folder, &there).await?;
            there.retain(|(.., content)| content.is_some_and(|content| wanted.contains(&content.digest)));
            let uids: Vec<(u32, Option<u64>)> = there.iter().map(|(uid, size, _)| (*uid, *size)).collect();
            let read = read(folder, &uids).await?;
            let behind = |(uid, _, content): &(u32, _, Option<Content>)| {
                Some((content.as_ref()?.digest, *read.get(&Handle(*uid))?))
            };
            Ok(there.iter().filter_map(behind).collect())
        })
    }
}

/// Each message by UID, with its size and what is inferred of it by header and size.
async fn inferred<S: Link>(
    folder: &mut ImapFolder<'_, S>,
    there: &[(Key, Option<u64>)],
) -> Result<Vec<(u32, Option<u64>, Option<Content>)>> {
    let keys: Vec<Key> = there.iter().map(|(key, _)| key.clone()).collect();
    let identities = folder.identify(&keys).await?;
    let inferred = |key: &Key, size: Option<u64>| {
        let identity = identities.get(key)?;
        Content::inferred_from(identity.fingerprint, identity.size.or(size)?)
    };
    Ok(there.iter().filter_map(|(key, size)| Some((key.uid()?, *size, inferred(key, *size)))).collect())
}

/// What messages hold.
async fn read<S: Link>(
    folder: &mut ImapFolder<'_, S>,
    uids: &[(u32, Option<u64>)],
) -> Result<BTreeMap<Handle, Content>> {
    let mut reading = Reading::default();
    if !uids.is_empty() {
        folder.expect_sizes(uids.iter().map(|(uid, size)| (Handle(*uid), *size)));
        let mut wanted: Vec<Handle> = uids.iter().map(|(uid, _)| Handle(*uid)).collect();
        wanted.sort_unstable();
        folder.retrieve(&wanted, &mut reading).await?;
    }
    Ok(reading.contents)
}
