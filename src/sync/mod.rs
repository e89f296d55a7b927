//! Two ways: what has to be done on either side, so that both have the same messages in the same folders with the same
//! marks. Nothing here acts.
//!
//! [`compare`] holds two snapshots against the ledger. [`pair`] recognises what it does not know by name; that is written
//! to the ledger and compared again. [`plan`] decides for all folders of an account, moves between them included, and
//! [`judge`] stops it where too much would be deleted.

mod account;
mod action;
mod adopt;
mod astray;
mod baseline;
mod compare;
mod crossed;
mod depart;
mod execute;
mod folders;
mod footing;
mod guard;
mod look;
mod merge;
mod moves;
mod observe;
mod overtaken;
mod pairing;
mod plan;
mod policy;
mod rehearse;
mod rename;
mod reshape;
mod round;
mod stumbles;
mod survey;
mod tell;
mod traits;
mod unkept;
mod upload;

#[cfg(test)]
mod tests;

pub use account::{Ended, Job};
pub use action::{Action, Reason, Skipped, Step};
pub use compare::{Comparison, Open, Presence, Sought, Unpaired, compare};
pub use crossed::{Crossing, crossings};
pub use guard::{Cause, Limit, Stop, Tally, judge};
pub use pairing::{Pairing, pair};
pub use plan::{Folder, Plan, plan};
pub use policy::{Policy, Travel};
pub use stumbles::Stumbles;
pub use survey::store_is_gone;
pub use traits::Traits;
