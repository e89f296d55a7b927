//! Messages that are read for what their bytes tell, and not kept.

use super::{Handle, Intake};
use crate::error::Result;
use crate::mail::{Content, Digester, Envelope};
use std::collections::BTreeMap;

/// Keeps of messages only what their bytes tell; those that are refused or gone are left out.
#[derive(Default)]
pub struct Reading {
    /// What came so far.
    pub contents: BTreeMap<Handle, Content>,
    open: Option<(Handle, Digester)>,
}

impl Intake for Reading {
    async fn begin(&mut self, handle: Handle, _: Envelope) -> Result<()> {
        self.open = Some((handle, Digester::default()));
        Ok(())
    }

    async fn chunk(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some((_, digester)) = &mut self.open {
            digester.update(bytes);
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<()> {
        if let Some((handle, digester)) = self.open.take() {
            self.contents.insert(handle, digester.finish().1);
        }
        Ok(())
    }

    async fn refused(&mut self, _: Handle, _: String) -> Result<()> {
        self.open = None;
        Ok(())
    }

    async fn gone(&mut self, _: Handle) -> Result<()> {
        Ok(())
    }
}
