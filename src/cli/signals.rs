//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second leaves at once. Both are safe.

use super::exit;
use crate::interrupt::Interrupt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// The signal that came, if one did.
#[derive(Debug, Clone, Default)]
pub struct Signals(Arc<AtomicU8>);

impl Signals {
    /// Raises the interrupt when a signal comes. Without signal handling the process simply dies of it, which is safe.
    pub fn watch(interrupt: Interrupt) -> Signals {
        let signals = Signals::default();
        let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
            return signals;
        };
        let came = signals.clone();
        tokio::spawn(async move {
            loop {
                let code = tokio::select! {
                    _ = int.recv() => exit::INTERRUPTED,
                    _ = term.recv() => exit::TERMINATED,
                };
                if came.0.swap(code, Ordering::SeqCst) != 0 {
                    #[allow(clippy::exit, reason = "the user asked twice")]
                    std::process::exit(code.into());
                }
                interrupt.raise();
            }
        });
        signals
    }

    /// The exit code of the signal that came.
    pub fn exit_code(&self) -> Option<u8> {
        Some(self.0.load(Ordering::SeqCst)).filter(|code| *code != 0)
    }
}
