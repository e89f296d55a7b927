//! Carries mail between POP3 and IMAP servers and local stores, every message exactly once.
//!
//! # The way of a message
//! `cli` builds a [`retrieve::Retriever`] ([`pop3`] or [`imap`]) and a [`store::Store`] (Maildir or mbox) and hands both,
//! with the [`state`] of the account, to [`retrieve::Job`]. There the listing is compared with the ledger
//! (`retrieve::select`, a pure function), the wanted messages stream into the store in durable batches, the ledger
//! records each step, and only then the server is asked to delete what the policy gives up.
//!
//! # Code map
//! | module | is |
//! |---|---|
//! | [`mail`] | what every part speaks of: flags, folder names, fingerprints, headers |
//! | [`net`] | connections, TLS, SASL mechanisms, time-outs |
//! | [`roots`] | keeps OpenSSL from parsing every root of the system at every connection |
//! | [`credentials`] | secrets and where they come from |
//! | [`config`] | the TOML file and endpoint URLs, turned into validated accounts |
//! | [`pop3`], [`imap`] | the two protocols, each a [`retrieve::Retriever`] |
//! | [`store`] | Maildir and mbox, written in durable batches |
//! | [`state`] | one SQLite database an account: the ledger and the lock |
//! | [`retrieve`] | what to fetch, what to delete, and the pipeline that does it |
//! | [`sync`] | two ways: what is to be done on either side, decided by pure functions |
//! | [`local`] | Maildirs and mboxes as sources, each a [`retrieve::Retriever`] |
//! | [`migrate`] | which folder goes where, which messages go, and whether all arrived |
//! | [`event`] | the facts an engine reports while it works |
//! | [`error`] | the one error type: what failed, how far it reaches, what to do next |
//! | [`connections`] | the connections of a run to its server, and work that is spread over them |
//! | [`patience`] | whether and when a broken connection is opened again |
//! | [`interrupt`], [`fault`] | stopping early when asked, and dying early when a test asks |
//! | [`cli`] | the commands; the only part that prints or exits |
//!
//! # Invariants
//! 1. At every moment a message is where it was, or also where it belongs; never neither.
//! 2. The state database describes only what truly happened.
//! 3. Interrupting anywhere is safe; the next run finishes the work.
//! 4. A run right after a clean run changes nothing and transfers almost nothing.
//! 5. Only `cli` prints, reads the terminal or exits.
//! 6. Identity is never in a file name or a header, and message bytes equal the server's.

pub mod cli;
pub mod config;
pub mod connections;
pub mod credentials;
pub mod error;
pub mod event;
pub mod fault;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod imap;
pub mod interrupt;
pub mod local;
pub mod mail;
pub mod migrate;
pub mod net;
pub mod patience;
pub mod pop3;
pub mod retrieve;
pub mod roots;
pub mod state;
pub mod store;
pub mod sync;
