//! Numbered points at which a test build can be made to die, to prove that dying there does no harm.
//!
//! In debug builds `MAILFERRY_FAULT_POINT=N` kills the process, as `kill -9` would, when it reaches its Nth point,
//! `MAILFERRY_FAULT_BATCH=N` makes batches of N messages, so that few messages make several, and `MAILFERRY_FAULT_PAUSE=N`
//! cuts pauses down to N milliseconds. Release builds hold none of it.

use std::time::Duration;

/// One of the points.
#[inline]
pub fn point() {
    #[cfg(debug_assertions)]
    armed::count();
}

/// How many messages a batch has: `usual`, unless a test wants fewer.
#[inline]
pub fn batch(usual: usize) -> usize {
    #[cfg(debug_assertions)]
    let usual = armed::BATCH.unwrap_or(usual);
    usual
}

/// How long to pause: so long, unless a test is in a hurry.
#[inline]
pub fn pause(usual: Duration) -> Duration {
    #[cfg(debug_assertions)]
    let usual = armed::PAUSE.map_or(usual, |most| usual.min(Duration::from_millis(most)));
    usual
}

#[cfg(debug_assertions)]
mod armed {
    use std::str::FromStr;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static REACHED: AtomicU64 = AtomicU64::new(0);
    static DEADLY: LazyLock<Option<u64>> = LazyLock::new(|| told("MAILFERRY_FAULT_POINT"));
    pub static PAUSE: LazyLock<Option<u64>> = LazyLock::new(|| told("MAILFERRY_FAULT_PAUSE"));
    pub static BATCH: LazyLock<Option<usize>> = LazyLock::new(|| told("MAILFERRY_FAULT_BATCH"));

    fn told<N: FromStr>(name: &str) -> Option<N> {
        std::env::var(name).ok().and_then(|n| n.parse().ok())
    }

    pub fn count() {
        if let Some(deadly) = *DEADLY
            && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == deadly
        {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
}
