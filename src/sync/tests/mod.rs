//! Both sides in memory, and a real ledger: what the engine's pure parts come to when they are carried out.

mod mirror;
mod properties;
mod scenarios;
mod world;

use super::{Policy, Travel};
use crate::mail::{Flags, Keyword, Marks, Side, Sides};

/// Marks as letters, keywords behind them.
fn marks(text: &str) -> Marks {
    let mut words = text.split(' ');
    let flags = Flags::from_letters(words.next().unwrap());
    Marks { flags, keywords: words.filter_map(Keyword::new).collect() }
}

/// Travel seen in a mirror.
fn mirrored(travel: Travel) -> Travel {
    match travel {
        Travel::Local => Travel::Remote,
        Travel::Remote => Travel::Local,
        same => same,
    }
}

fn one_way(to: Side) -> Policy {
    let travel = if to == Side::Local { Travel::Local } else { Travel::Remote };
    Policy { create: travel, delete: travel, marks: travel, ..Policy::default() }
}

#[test]
fn travel_reaches_what_it_names() {
    let reached = |t: Travel| Sides::of(|side| t.reaches(side));
    for (travel, remote, local) in [
        (Travel::Both, true, true),
        (Travel::Local, false, true),
        (Travel::Remote, true, false),
        (Travel::None, false, false),
    ] {
        assert_eq!(reached(travel), Sides { remote, local });
        assert_eq!(reached(mirrored(travel)), Sides { remote, local }.mirrored());
    }
}
