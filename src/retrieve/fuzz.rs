//! Messages that go nowhere, for fuzzing.

use super::{Handle, Intake};
use crate::error::Result;
use crate::mail::Envelope;

/// Takes what comes, and insists on the order of [`Intake`]: nothing comes of a message that was not begun.
#[derive(Debug, Default)]
pub struct Swallow {
    open: Option<Handle>,
}

impl Intake for Swallow {
    async fn begin(&mut self, handle: Handle, _: Envelope) -> Result<()> {
        assert_eq!(self.open.replace(handle), None, "a message begins within another");
        Ok(())
    }

    async fn chunk(&mut self, _: &[u8]) -> Result<()> {
        assert!(self.open.is_some(), "octets of no message");
        Ok(())
    }

    async fn end(&mut self) -> Result<()> {
        assert!(self.open.take().is_some(), "the end of no message");
        Ok(())
    }

    async fn refused(&mut self, handle: Handle, _: String) -> Result<()> {
        // Behind a message on which the session broke off, others may be told of.
        self.open.take_if(|open| *open == handle);
        Ok(())
    }

    async fn gone(&mut self, _: Handle) -> Result<()> {
        assert_eq!(self.open, None, "a message is open");
        Ok(())
    }
}
