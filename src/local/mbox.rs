//! An mbox as a source. A message is known by its content, and by which of several equal ones it is.

use super::envelope;
use super::status::marks_of;
use crate::error::{Error, Kind, Result};
use crate::mail::{Content, Digest, Digester, Fingerprint, FolderName, Key, arrival_date};
use crate::retrieve::{Abilities, Finished, Handle, Intake, Listed, Listing, Retriever, SourceId};
use crate::store::{MboxFile, MboxRecord};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use tokio::task::block_in_place;

/// An mbox, which is only read. Calls need a runtime of several threads.
#[derive(Debug)]
pub struct MboxSource {
    file: MboxFile,
    source: SourceId,
    now: i64,
    messages: Vec<(MboxRecord, Content)>,
}

impl MboxSource {
    /// The mbox at a path, as the folder of that name.
    pub fn open(path: &Path, folder: &FolderName, now: i64) -> Result<MboxSource> {
        let source = SourceId { folder: folder.clone(), scope: format!("mbox {}", path.display()) };
        Ok(MboxSource { file: MboxFile::open(path)?, source, now, messages: Vec::new() })
    }

    fn message(&self, handle: Handle) -> Option<&(MboxRecord, Content)> {
        self.messages.get(usize::try_from(handle.0).ok()?)
    }

    fn read_all(&self) -> Result<Vec<(MboxRecord, Content)>> {
        let read = |record: MboxRecord| {
            let mut digester = Digester::default();
            for piece in self.file.pieces(&record) {
                digester.update(&piece?);
            }
            Ok((record, digester.finish().1))
        };
        self.file.records()?.into_iter().map(read).collect()
    }
}

impl Retriever for MboxSource {
    fn source(&self) -> &SourceId {
        &self.source
    }

    fn abilities(&self) -> Abilities {
        Abilities { headers_apart: true, firm_keys: true }
    }

    async fn list(&mut self) -> Result<Listing> {
        self.messages = block_in_place(|| self.read_all()).map_err(Error::folder)?;
        self.file.check_unchanged().map_err(Error::folder)?;
        let mut equal: HashMap<Digest, u32> = HashMap::new();
        let mut key = |digest: &Digest| {
            let ordinal = equal.entry(*digest).or_default();
            *ordinal += 1;
            let hex: String = digest.0.iter().take(16).map(|b| format!("{b:02x}")).collect();
            Key::new(format!("{hex}/{ordinal}"))
        };
        let listed = |(handle, (_, content)): (u32, &(MboxRecord, Content))| Listed {
            handle: Handle(handle),
            key: Some(key(&content.digest)),
            size: Some(content.wire_size),
        };
        Ok(Listing { messages: (0..).zip(&self.messages).map(listed).collect(), notes: Vec::new() })
    }

    async fn fingerprints(&mut self, wanted: &[Handle]) -> Result<BTreeMap<Handle, Fingerprint>> {
        Ok(wanted.iter().filter_map(|handle| Some((*handle, self.message(*handle)?.1.fingerprint))).collect())
    }

    async fn dates(&mut self, wanted: &[Handle]) -> Result<BTreeMap<Handle, i64>> {
        let mut dates = BTreeMap::new();
        for handle in wanted {
            let Some((record, _)) = self.message(*handle) else { continue };
            let start = block_in_place(|| self.file.pieces(record).next()).transpose()?.unwrap_or_default();
            let date = arrival_date(&start, self.now).or(record.dated).unwrap_or(self.file.changed_at());
            dates.insert(*handle, date);
        }
        Ok(dates)
    }

    async fn retrieve(&mut self, wanted: &[Handle], into: &mut impl Intake) -> Result<()> {
        self.file.check_unchanged()?;
        for handle in wanted {
            let Some((record, content)) = self.message(*handle) else {
                into.gone(*handle).await?;
                continue;
            };
            let (mut digester, mut begun) = (Digester::default(), false);
            let mut pieces = self.file.pieces(record);
            while let Some(piece) = block_in_place(|| pieces.next()) {
                let piece = piece?;
                if !begun {
                    let fallback = record.dated.or(Some(self.file.changed_at()));
                    let envelope = envelope(&piece, marks_of(&piece), Some(content.wire_size), fallback, self.now);
                    into.begin(*handle, envelope).await?;
                    begun = true;
                }
                digester.update(&piece);
                into.chunk(&piece).await?;
            }
            match digester.finish().1.digest == content.digest {
                true => into.end().await?,
                false => into.refused(*handle, "it was changed while it was read".to_owned()).await?,
            }
        }
        Ok(())
    }

    async fn dispose(&mut self, handles: &[Handle]) -> Result<()> {
        if handles.is_empty() {
            return Ok(());
        }
        let what = "messages are not taken out of an mbox";
        Err(Error::new(Kind::Usage, what, "Remove the file yourself once you need it no longer."))
    }

    async fn finish(self) -> Result<Finished> {
        Ok(Finished::default())
    }
}
