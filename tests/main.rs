//! Everything that is tested from outside, in one binary.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod cli;
mod crash;
mod disk;
mod faults;
mod house;
mod mailbox_contract;
mod maildir_beside_dovecot;
mod migrate;
mod pull;
mod pull_large;
mod refusals;
mod retriever_contract;
mod support;
mod support_check;
mod sync;
mod transcripts;
