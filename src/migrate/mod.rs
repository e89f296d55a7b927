//! What a migration needs besides a pull: which folder goes where, which messages go, and whether all of them arrived.
//!
//! A migration is a pull whose store is the other end: the messages, one way, with the same exactly-once pipeline.

mod at;
mod balance;
mod dating;
mod mapping;
mod sample;
mod sieve;
mod site;
mod verify;

pub use at::At;
pub use balance::{Balance, Collector, FolderReport};
pub use mapping::{Mapping, Place, label, targets};
pub use sample::{Measured, Sample};
pub use sieve::{Hashing, Learned, Leaving, Lesson, Sieve, TOO_LARGE, Wishes};
pub use site::Site;
pub use verify::{Checked, Found, Verified, by_content, by_header};
