//! A tour in half a minute: a mail server of our own on loopback, and the real program fetching from it.
//!
//! `cargo run --example demo` needs no account, no network and no rights; it cleans up after itself. It checks what it shows, and
//! its exit code is 1 where anything is not as promised.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod support;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use support::endpoint::Security;
use support::mail::{message, with_lf};
use support::run::Ferry;
use support::server::{Protocol, Script, Server};
use support::stored::{maildir, maildir_bytes, subject};

/// Something was not as promised.
type Failure = String;

fn main() -> ExitCode {
    match tour() {
        Ok(()) => {
            println!("\nAll as promised. Nothing is left behind.");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("\nNot as promised: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn tour() -> Result<(), Failure> {
    let ferry = Ferry::of(build()?);
    let (inbox, list) = (letters(1..=12), letters(13..=15));
    let mut script = Script::holding(inbox.clone());
    for m in &list {
        script.mailbox.folder_mut("Lists/rust").add(m.clone());
    }
    script.mailbox.folder_mut("INBOX").messages[2].flag("\\Seen").flag("\\Flagged");
    let server = Server::start(script);
    println!(
        "A mail server runs on 127.0.0.1, with {} messages in INBOX and {} in Lists/rust.\nTwo accounts lead to it, this one and another over IMAP:\n",
        inbox.len(),
        list.len()
    );

    ferry.account("post", &server.endpoint(Protocol::Pop3, Security::Implicit), "");
    let folders = "\n[accounts.desk.pull]\nfolders = [\"INBOX\", \"Lists/rust\"]\n";
    ferry.account("desk", &server.endpoint(Protocol::Imap, Security::Starttls), folders);
    let config = std::fs::read_to_string(ferry.config_file()).expect("the configuration");
    config.lines().take_while(|l| !l.contains("desk")).for_each(|l| println!("    {l}"));

    println!("1. Fetch over POP3. The messages stay on the server, which is the default.");
    pull(&ferry, "post")?;
    let post = ferry.store("post");
    same(&maildir_bytes(&post), &inbox, "the Maildir")?;
    same(&server.inbox(), &inbox, "the server")?;
    println!("   -> {} messages arrived, byte for byte; all still on the server", inbox.len());

    println!("\n2. Once more. Nothing is new, so nothing is fetched.");
    server.clear_log();
    pull(&ferry, "post")?;
    same(&maildir_bytes(&post), &inbox, "the Maildir")?;
    let (retrieved, sent) = (server.log().retrieved, server.log().bytes_sent);
    (retrieved == 0).then_some(()).ok_or_else(|| format!("the second run fetched {retrieved} messages again"))?;
    println!("   -> no message fetched, {sent} bytes from the server in all");

    println!("\n3. Fetch over IMAP: two folders, with their flags and dates.");
    pull(&ferry, "desk")?;
    let desk = ferry.store("desk");
    same(&maildir_bytes(&desk.join("INBOX")), &inbox, "INBOX")?;
    same(&maildir_bytes(&desk.join("Lists/rust")), &list, "Lists/rust")?;
    let seen = server
        .mailbox()
        .folder("INBOX")
        .map_or(0, |f| f.messages.iter().filter(|m| m.flags.contains("\\Seen")).count());
    (seen == 1).then_some(()).ok_or("fetching marked messages as read on the server")?;
    (!server.overheard_password()).then_some(()).ok_or("the password went over the line in the clear")?;
    println!(
        "   -> {} messages arrived; nothing was marked as read; the password went under TLS only",
        inbox.len() + list.len()
    );

    println!("\n4. What lies on disk now:");
    for folder in [post, desk.join("INBOX"), desk.join("Lists/rust")] {
        show(&folder, ferry.path("").as_path());
    }
    Ok(())
}

/// Runs `mailferry pull` before the eyes of the user.
fn pull(ferry: &Ferry, account: &str) -> Result<(), Failure> {
    println!("   $ mailferry pull {account}");
    let status = ferry.command(&["pull", account]).status().map_err(|e| format!("it does not start: {e}"))?;
    if !std::io::stdout().is_terminal() {
        println!("   (no terminal here, so success is silent)");
    }
    status.success().then_some(()).ok_or_else(|| format!("mailferry pull {account} ended with {status}"))
}

/// Whether a store holds what the server had, in any order.
fn same(found: &[Vec<u8>], expected: &[Vec<u8>], place: &str) -> Result<(), Failure> {
    let sorted = |messages: &[Vec<u8>]| {
        let mut all: Vec<Vec<u8>> = messages.iter().map(|m| with_lf(m)).collect();
        all.sort();
        all
    };
    let wrong = || format!("{place} holds {} messages, not the {} expected", found.len(), expected.len());
    (sorted(found) == sorted(expected)).then_some(()).ok_or_else(wrong)
}

fn show(folder: &Path, home: &Path) {
    println!("   {}", folder.strip_prefix(home).unwrap_or(folder).display());
    let messages = maildir(folder);
    for m in messages.iter().take(3) {
        let subject = subject(&m.bytes).unwrap_or_default();
        println!("     {}/{}   {subject}", m.place, m.file_name);
    }
    if messages.len() > 3 {
        println!("     \u{2026} and {} more", messages.len() - 3);
    }
}

fn letters(numbers: std::ops::RangeInclusive<usize>) -> Vec<Vec<u8>> {
    numbers
        .map(|n| message(n, &format!("Dear Ada,\r\n\r\nthis is letter {n}.\r\n.\r\nFrom the quay, yours\r\n")))
        .collect()
}

/// Builds the program as this example was built, and tells where it is.
fn build() -> Result<PathBuf, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // Together with this example, so that the libraries are those that are built already.
    command.args([
        "build",
        "--quiet",
        "--bin",
        "mailferry",
        "--example",
        "demo",
        "--message-format",
        "json-render-diagnostics",
    ]);
    command.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    // What `cargo run` tells about this package would make build scripts run anew.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|n| n.starts_with("CARGO_PKG_") || n.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    if cfg!(feature = "vendored-tls") {
        command.args(["--features", "vendored-tls"]);
    }
    let built = command.stderr(Stdio::inherit()).output().map_err(|e| format!("cargo does not start: {e}"))?;
    let said = String::from_utf8_lossy(&built.stdout);
    let mut events = said.lines().filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok());
    let program = events.find(|e| e["reason"] == "compiler-artifact" && e["target"]["kind"][0] == "bin");
    let path = program.as_ref().and_then(|e| e["executable"].as_str()).map(PathBuf::from);
    path.ok_or_else(|| "mailferry does not build; see above".to_owned())
}
