//! The wish to stop early.

use tokio::sync::watch;

/// Tells every part of a run that it is to stop soon. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Sender<bool>);

impl Default for Interrupt {
    fn default() -> Self {
        Interrupt(watch::Sender::new(false))
    }
}

impl Interrupt {
    /// Asks the run to stop.
    pub fn raise(&self) {
        self.0.send_replace(true);
    }

    /// Whether somebody asked.
    pub fn is_raised(&self) -> bool {
        *self.0.borrow()
    }

    /// The result of the work, or `None` where somebody asked before it was done.
    pub async fn unless_raised<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<Option<T>, E> {
        tokio::select! {
            done = work => done.map(Some),
            () = self.raised() => Ok(None),
        }
    }

    /// Returns when somebody asks.
    pub async fn raised(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|raised| *raised).await;
    }
}
