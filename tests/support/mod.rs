//! What the tests and the demo stand on: servers, mail, and runs of the real program.

#![allow(dead_code, unused_imports)] // each of the two programs that include this uses its own part of it

pub mod certificate;
pub mod cutter;
pub mod dovecot;
pub mod endpoint;
pub mod mail;
pub mod run;
pub mod server;
pub mod stored;
