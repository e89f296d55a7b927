//! Whether a run whose connection broke tries again, and when: a function of what went wrong and what was done.

use crate::error::{Error, Kind, Scope};
use crate::interrupt::Interrupt;
use std::time::Duration;

/// The longest pauses before the first and further tries that bring nothing.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(8)];
/// A server that wants to be left alone for longer ends the run.
const LONGEST: Duration = Duration::from_secs(600);

/// Whether the next connection may go on with the work: this one broke, or the server asks for a pause. A log-in that was
/// refused, a certificate and the disk are no matter of patience.
pub fn is_setback(e: &Error) -> bool {
    e.pause().is_some() || (e.kind() == Kind::TryLater && e.scope() == Scope::Account)
}

/// How often a run has tried in vain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patience {
    tries: usize,
    done: u64,
}

impl Patience {
    /// Waits before the next try and tells why; `false` where there is to be none, or when told to stop. `done` counts what
    /// the run has done so far.
    pub async fn waits(&mut self, e: &Error, done: u64, interrupt: &Interrupt, tell: impl FnOnce(&str)) -> bool {
        let Some(pause) = self.pause(e, done, rand::random()).filter(|_| !interrupt.is_raised()) else {
            return false;
        };
        tell(&format!("{e}; trying again in {:.1} s", pause.as_secs_f64()));
        tokio::select! {
            () = tokio::time::sleep(crate::fault::pause(pause)) => true,
            () = interrupt.raised() => false,
        }
    }

    /// How long to wait before the next try; `None` where there is to be none. `done` counts what the run has done so far:
    /// where it has grown, the tries before were not in vain. `chance` is drawn anew from 0 to 1, so that clients that were
    /// cut off together do not come back together.
    fn pause(&mut self, e: &Error, done: u64, chance: f64) -> Option<Duration> {
        if !is_setback(e) {
            return None;
        }
        if done > self.done {
            *self = Patience { tries: 0, done };
        }
        let most = PAUSES.get(self.tries)?;
        self.tries += 1;
        let stated = e.pause().unwrap_or_default();
        (stated <= LONGEST).then(|| stated + most.mul_f64(chance.clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: Kind) -> Error {
        Error::new(kind, "w", "r")
    }

    #[test]
    fn only_what_a_new_connection_may_mend_is_tried_again() {
        for (e, again) in [
            (error(Kind::TryLater), true),
            (error(Kind::TryLater).folder(), false),
            (error(Kind::Login), false),
            (error(Kind::Unavailable), false),
            (error(Kind::Protocol), false),
            (error(Kind::LocalIo), false),
            (error(Kind::Guard), false),
            (error(Kind::TryLater).folder().pausing(Some(Duration::from_secs(3))), true),
        ] {
            assert_eq!(Patience::default().pause(&e, 0, 1.0).is_some(), again, "{e:?}");
        }
    }

    #[test]
    fn pauses_grow_and_tries_end_unless_something_was_done() {
        let (mut patience, e) = (Patience::default(), error(Kind::TryLater));
        let mut after = |done, chance| patience.pause(&e, done, chance).map(|p| p.as_millis());
        assert_eq!(
            (after(0, 1.0), after(0, 0.25), after(0, 1.0), after(0, 1.0)),
            (Some(500), Some(500), Some(8000), None)
        );
        assert_eq!(
            (after(5, 1.0), after(5, 0.0), after(5, 1.0), after(5, 1.0)),
            (Some(500), Some(0), Some(8000), None)
        );
        assert_eq!(
            (after(6, 1.0), after(7, 1.0), after(8, 1.0), after(9, 1.0)),
            (Some(500), Some(500), Some(500), Some(500))
        );
    }

    #[test]
    fn what_the_server_states_is_waited_out_unless_it_is_too_long() {
        let stated = |seconds| {
            let e = error(Kind::TryLater).pausing(Some(Duration::from_secs(seconds)));
            Patience::default().pause(&e, 0, 1.0).map(|p| p.as_millis())
        };
        assert_eq!((stated(299), stated(600), stated(601)), (Some(299_500), Some(600_500), None));
    }
}
