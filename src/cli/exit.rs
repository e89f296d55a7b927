//! Exit codes, and which one speaks for several accounts.

/// Done; also when there was nothing new.
pub const DONE: u8 = 0;
/// Nothing new; with `--exit-code` only.
pub const NOTHING_NEW: u8 = 1;
/// Finished, but some messages or folders were left: run again.
pub const LEFT_SOME: u8 = 2;
/// Stopped by the deletion guard; nothing was deleted.
pub const GUARD: u8 = 3;
/// The command line asks for something impossible.
pub const USAGE: u8 = 64;
/// Try later.
pub const TRY_LATER: u8 = 75;
/// Ctrl-C.
pub const INTERRUPTED: u8 = 130;
/// SIGTERM.
pub const TERMINATED: u8 = 143;

/// From harmless to grave: what a later run may mend by itself, then what somebody has to mend, then an interruption.
const GRAVITY: [u8; 15] =
    [NOTHING_NEW, DONE, LEFT_SOME, TRY_LATER, 76, GUARD, 65, 69, 77, 73, 74, 64, 78, INTERRUPTED, TERMINATED];

/// The gravest of the codes; 0 where there are none. "Nothing new" speaks only where no account had anything new.
pub fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    let rank = |code: &u8| GRAVITY.iter().position(|c| c == code).unwrap_or(GRAVITY.len());
    codes.into_iter().max_by_key(rank).unwrap_or(DONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_decides() {
        for (codes, expected) in [
            (&[][..], 0),
            (&[1, 1], 1),
            (&[1, 0], 0),
            (&[0, 2, 1], 2),
            (&[75, 2], 75),
            (&[75, 77, 0], 77),
            (&[77, 74], 74),
            (&[78, 74], 78),
            (&[78, 130], 130),
        ] {
            assert_eq!(worst(codes.iter().copied()), expected, "{codes:?}");
        }
    }
}
