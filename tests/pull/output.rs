//! What a run says: to nobody, to a person who asks, to a script; and what it would do.

use super::*;
use crate::support::mail;
use crate::support::run::Running;
use crate::support::server::{At, Call, Fault, Script, Server, Slow};
use serde_json::Value;
use std::fs;
use std::process::Command;
use std::time::Duration;

fn of_kind<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    events.iter().filter(|e| e["event"] == kind).collect()
}

#[test]
fn a_dry_run_lists_every_message_and_changes_nothing() {
    let messages = [mail::message(1, "a\r\n"), mail::large(60_000), mail::message(3, "c\r\n")];
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let ferry = home_of(&user, protocol, "\n[accounts.x.pull]\nmax_size = \"50 kB\"\nkeep = false\n");
        let outcome = ferry.run(&["pull", "--dry-run"]).expect(0);
        let lines: Vec<&str> = outcome.stdout.lines().collect();
        assert_eq!(lines.len(), 4, "{}", outcome.stdout);
        assert!(lines.iter().take(3).all(|l| l.starts_with("x INBOX ")), "{}", outcome.stdout);
        let ends = |end: &str| lines.iter().filter(|l| l.ends_with(end)).count();
        assert_eq!(ends(": would fetch; server: delete"), 2);
        assert_eq!(ends(": skipped, larger than max_size; server: keep"), 1);
        assert_eq!(lines[3], "x: 2 messages would be fetched, 1 skipped");
        assert_eq!(outcome.stderr, "");
        assert!(!ferry.state_dir().exists() && !ferry.store("x").exists());
        assert_eq!(left(&user).len(), 3);
    }
}

#[test]
fn a_dry_run_leaves_state_and_store_as_they_are() {
    let messages = mail::ordinary(4);
    for protocol in PROTOCOLS {
        let user = user_with(&messages[..2]);
        let ferry = home_of(&user, protocol, "");
        assert_eq!(pull(&ferry, &[]), "listed 2, fetched 2");
        user.deliver("INBOX", &messages[2..]);
        reconfigure(&ferry, &user, protocol, "\n[accounts.x.pull]\nkeep = false\n");
        let before = tree(&ferry.path(""));
        let outcome = ferry.run(&["pull", "--dry-run", "--json"]).expect(0);
        let recognised = if protocol == Protocol::Pop3 { ", adopted 2" } else { "" };
        assert_eq!(counts(&outcome, "x"), format!("listed 4, had 2, fetched 2{recognised}"));
        let events = outcome.events();
        assert_eq!(events[0]["dry_run"], true);
        let told: Vec<_> =
            of_kind(&events, "message").iter().map(|m| (m["action"].clone(), m["server"].clone())).collect();
        let expected = ["had", "had", "would_fetch", "would_fetch"].map(|a| (Value::from(a), Value::from("delete")));
        assert_eq!(told, expected);
        assert_unchanged(&before, &tree(&ferry.path("")));
        assert_eq!(left(&user).len(), 4);
        // What was said is what is done.
        let done = pull(&ferry, &[]);
        assert_eq!(done, format!("listed 4, had 2, fetched 2{recognised}, deleted_remote 4"));
    }
}

#[test]
fn json_begins_with_start_and_ends_with_a_balanced_summary() {
    let messages = mail::ordinary(3);
    for protocol in PROTOCOLS {
        let user = user_with(&messages);
        let ferry = home_of(&user, protocol, "");
        let outcome = ferry.run(&["pull", "--json"]).expect(0);
        let events = outcome.events();
        let start = &events[0];
        assert_eq!(
            (&start["event"], &start["schema"], &start["command"]),
            (&"start".into(), &1.into(), &"pull".into())
        );
        assert_eq!((&start["accounts"], &start["dry_run"]), (&Value::from(vec!["x"]), &false.into()));
        assert_eq!(start["version"], env!("CARGO_PKG_VERSION"));
        let time: jiff::Timestamp = start["time"].as_str().unwrap().parse().unwrap();
        assert!((jiff::Timestamp::now().as_second() - time.as_second()).abs() < 60);
        assert_eq!(of_kind(&events, "start").len(), 1);

        let folder = of_kind(&events, "folder");
        let size: u64 = messages.iter().map(|m| m.len() as u64).sum();
        let told = serde_json::json!({"event": "folder", "account": "x", "folder": "INBOX", "listed": 3, "had": 0,
                                      "fetch": 3, "bytes": size, "skip": 0, "delete": 0});
        assert_eq!(folder, [&told]);

        let mut keys = std::collections::BTreeSet::new();
        for (message, event) in messages.iter().zip(of_kind(&events, "message")) {
            assert_eq!((&event["action"], &event["server"]), (&"fetched".into(), &"keep".into()));
            assert_eq!((&event["bytes"], &event["folder"]), (&message.len().into(), &"INBOX".into()));
            let place = inbox(&ferry, protocol).join(event["place"].as_str().unwrap());
            assert_eq!(fs::read(place).unwrap(), mail::with_lf(message));
            keys.insert(event["key"].as_str().unwrap().to_owned());
        }
        assert_eq!(keys.len(), 3);
        let progress = *of_kind(&events, "progress").last().unwrap();
        assert_eq!((&progress["messages"], &progress["bytes"]), (&3.into(), &size.into()));

        let summary = events.last().unwrap();
        assert_eq!((&summary["event"], &summary["exit"]), (&"summary".into(), &0.into()));
        let entry = outcome.summary_of("x");
        assert_eq!((&entry["bytes_in"], &entry["exit"]), (&size.into(), &0.into()));
        assert!(entry["seconds"].as_f64().is_some_and(|s| s > 0.0 && s < 100.0));
        assert_eq!(counts(&outcome, "x"), "listed 3, fetched 3");
        assert_eq!(outcome.stderr, "");
    }
}

#[test]
fn the_place_in_an_mbox_is_where_the_message_stands() {
    let messages = mail::ordinary(3);
    let user = user_with(&messages);
    let ferry = Ferry::new();
    ferry.account_with("x", &user.endpoint(Protocol::Pop3, Security::Implicit), "mbox", &ferry.store("x"), "");
    let events = ferry.run(&["pull", "--json"]).expect(0).events();
    let text = fs::read(ferry.store("x")).unwrap();
    let places = of_kind(&events, "message");
    assert_eq!(places.len(), 3);
    for (message, event) in messages.iter().zip(places) {
        let place = event["place"].as_str().unwrap();
        let (range, from_line) = place.split_once(' ').unwrap();
        let (at, length) = range.split_once('+').unwrap();
        let (at, length): (usize, usize) = (at.parse().unwrap(), length.parse().unwrap());
        let record = &text[at..at + length];
        assert!(record.starts_with(format!("{from_line}\n").as_bytes()), "{place}");
        let subject = crate::support::stored::subject(message).unwrap();
        assert_eq!(crate::support::stored::subject(record).unwrap(), subject);
    }
}

#[test]
fn who_asks_is_told_more() {
    let user = user_with(&mail::ordinary(2));
    let said = |args: &[&str]| {
        let ferry = home_of(&user, Protocol::Imap, "");
        let outcome = ferry.run(&[&["pull"], args].concat()).expect(0);
        (outcome.stdout, outcome.stderr)
    };
    assert_eq!(said(&[]), (String::new(), String::new()));
    assert_eq!(said(&["-q", "-vv"]), (String::new(), String::new()));
    let size: usize = mail::ordinary(2).iter().map(Vec::len).sum();
    let size = format!("{:.1} KiB", size as f64 / 1024.0);
    let summary = format!("x: 2 messages new ({size})\n");
    let folder = format!("x INBOX: 2 messages on the server, 0 here already, 2 to fetch ({size}), 0 to skip\n");
    assert_eq!(said(&["-v"]), (summary.clone(), folder.clone()));
    let (out, err) = said(&["-vv"]);
    assert_eq!(out, summary);
    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(format!("{}\n", lines[0]), folder);
    for (i, line) in lines[1..].iter().enumerate() {
        assert!(line.starts_with(&format!("x INBOX {} ", i + 1)), "{line}");
        assert!(line.contains(": fetched to new/") && line.ends_with("; server: keep"), "{line}");
    }
    assert_eq!(lines.len(), 3);
}

#[test]
fn status_tells_of_the_last_run() {
    let user = user_with(&mail::ordinary(3));
    let ferry = home_of(&user, Protocol::Imap, "");
    let status = |args: &[&str]| ferry.run(&[&["status"], args].concat()).expect(0).stdout;
    assert_eq!(status(&[]), "x: never pulled\n");
    let never: Value = serde_json::from_str(&status(&["--json"])).unwrap();
    assert_eq!(
        never,
        serde_json::json!({"event": "status", "account": "x", "configured": true, "last_run": null, "folders": []})
    );
    assert!(!ferry.state_dir().exists(), "looking leaves no trace");
    assert_eq!(pull(&ferry, &[]), "listed 3, fetched 3");
    let text = status(&["x"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("x: last run 20") && lines[0].ends_with(" s, exit 0"), "{text}");
    assert_eq!(lines[1..], ["  INBOX: 3 messages pulled"]);
    let json: Value = serde_json::from_str(&status(&["--json"])).unwrap();
    assert_eq!((&json["last_run"]["exit"], &json["last_run"]["counts"]["fetched"]), (&0.into(), &3.into()));
    let folder = serde_json::json!({"folder": "INBOX", "delivered": 3, "delete_sent": 0, "arriving": 0, "synced": false,
                                    "paired": 3, "sending": 0, "quarantined": []});
    assert_eq!(json["folders"], Value::from(vec![folder]));
    // A failure is remembered as well.
    let mut wrong = user.endpoint(Protocol::Imap, Security::Implicit);
    wrong.password = "not-it".to_owned();
    ferry.configure("");
    ferry.account("x", &wrong, "");
    ferry.run(&["pull"]).expect(77);
    assert!(status(&[]).lines().next().unwrap().ends_with(" s, exit 77"));
}

#[test]
fn what_the_server_would_not_give_is_told_until_it_does() {
    let messages = mail::ordinary(3);
    for (protocol, command, key) in [(Protocol::Pop3, "RETR", "uid-000002"), (Protocol::Imap, "UID FETCH", "2")] {
        let fault = Fault::refuse(Call::of(command, 2), "cannot read it");
        let server = Server::start(Script::holding(messages.clone()).fault(fault));
        let ferry = Ferry::new();
        let keep = "\n[accounts.x.pull]\nkeep = false\n";
        ferry.account("x", &server.endpoint(protocol, Security::Implicit), keep);
        let outcome = ferry.run(&["pull", "--json"]).expect(2);
        assert_eq!(counts(&outcome, "x"), "listed 3, fetched 2, failed 1, deleted_remote 2");
        let events = outcome.events();
        let failed: Vec<_> = of_kind(&events, "message").into_iter().filter(|m| m["action"] == "failed").collect();
        assert_eq!(failed.len(), 1);
        assert_eq!((&failed[0]["key"], &failed[0]["server"]), (&key.into(), &"keep".into()));
        assert!(failed[0]["reason"].as_str().is_some_and(|r| r.contains("cannot read it")), "{}", failed[0]);
        assert_eq!(server.inbox(), [messages[1].clone()]);

        let outcome = ferry.run(&["pull"]).expect(2);
        let warning = format!("warning: x INBOX {key} ");
        assert!(outcome.stderr.starts_with(&warning), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(": not delivered, tried again next time: "), "{}", outcome.stderr);
        let status = ferry.run(&["status"]).expect(0).stdout;
        assert!(status.contains(&format!("    left: {key} (2 tries): ")), "{status}");
        assert!(status.contains("exit 2\n") && status.contains("cannot read it"), "{status}");

        server.heal();
        assert_eq!(pull(&ferry, &[]), "listed 1, fetched 1, deleted_remote 1");
        assert!(!ferry.run(&["status"]).expect(0).stdout.contains("left:"));
        assert_eq!(server.inbox(), [[0; 0]; 0]);
    }
}

#[test]
fn the_message_that_failed_least_often_is_tried_first() {
    let messages = mail::ordinary(4);
    for protocol in PROTOCOLS {
        // The second always breaks the link, the third once; both would be asked for in their order, and the third never.
        let always = Fault::drop(At::Inside { uid: 2, byte: 100 }).always();
        let once = Fault::drop(At::Inside { uid: 3, byte: 100 });
        let server = Server::start(Script::holding(messages.clone()).fault(always).fault(once));
        let ferry = Ferry::new();
        ferry.account("x", &server.endpoint(protocol, Security::Implicit), "");
        let run = || counts(&ferry.run(&["pull", "--json"]).expect(75), "x");
        assert_eq!(run(), "listed 4, fetched 1, failed 3");
        assert_eq!(run(), "listed 4, had 1, failed 3");
        assert_eq!(run(), "listed 4, had 1, fetched 1, failed 2");
        assert_eq!(run(), "listed 4, had 2, fetched 1, failed 1", "{protocol:?}");
        let status = ferry.run(&["status"]).expect(0).stdout;
        assert!(status.matches("left:").count() == 1 && status.contains("(3 tries)"), "{status}");
    }
}

#[test]
fn a_message_in_which_the_link_breaks_keeps_no_other_back() {
    let messages = mail::ordinary(4);
    for protocol in PROTOCOLS {
        let fault = Fault::drop(At::Inside { uid: 2, byte: 100 }).always();
        let server = Server::start(Script::holding(messages.clone()).fault(fault));
        let ferry = Ferry::new();
        ferry.account("x", &server.endpoint(protocol, Security::Implicit), "");
        let outcome = ferry.run(&["pull", "--json"]).expect(75);
        assert_eq!(counts(&outcome, "x"), "listed 4, fetched 1, failed 3");
        let outcome = ferry.run(&["pull", "--json"]).expect(75);
        assert_eq!(counts(&outcome, "x"), "listed 4, had 1, fetched 2, failed 1", "{protocol:?}");
        server.heal();
        assert_eq!(pull(&ferry, &[]), "listed 4, had 3, fetched 1");
    }
}

/// Pulls on a terminal of its own, with a redirection, and gives what the terminal showed.
fn pull_on_a_terminal(ferry: &Ferry, redirection: &str) -> String {
    let pull = ferry.command(&["pull"]);
    let program = pull.get_program().to_str().unwrap();
    let line = format!("stty cols 120 rows 24; exec '{program}' pull {redirection}");
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(ferry.path("")).env_clear().env("TERM", "xterm");
    script.envs(pull.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Running::start(script).wait().expect(0).stdout
}

/// Messages, octets, rate and time left on a bar, where some but not all have arrived.
fn half_way(bar: &str) -> Option<(u32, f64, f64, u32)> {
    let words: Vec<&str> = bar.strip_prefix("x INBOX ")?.split(' ').collect();
    let [_, count, "messages,", octets, total, "KiB", rate, "KiB/s", left] = words[..] else { return None };
    let (done, all) = count.split_once('/')?;
    assert_eq!((all, total.split_once('/')?.0), ("8", "KiB"));
    Some((done.parse().ok()?, octets.parse().ok()?, rate.parse().ok()?, left.strip_suffix('s')?.parse().ok()?))
}

#[test]
fn a_terminal_shows_bars_on_stderr_and_one_line_on_stdout() {
    let messages = mail::ordinary(9);
    let mut script = Script::holding(messages[..8].to_vec());
    script.slow = Some(Slow { chunk: 4096, delay: Duration::from_millis(90) });
    let server = Server::start(script);
    let ferry = Ferry::new();
    ferry.account("x", &server.endpoint(Protocol::Imap, Security::Implicit), "");
    let shown = pull_on_a_terminal(&ferry, ">out");
    let mut bars = shown.split('\r').map(|bar| bar.trim_start_matches("\u{1b}[2K")).filter_map(half_way);
    let moving = bars.find(|(done, octets, rate, left)| *done < 8 && *octets > 0.0 && *rate > 0.0 && *left > 0);
    assert!(moving.is_some(), "no bar on its way in {shown:?}");
    assert!(shown.ends_with("\r\u{1b}[2K"), "the bar goes in the end: {shown:?}");
    // A script that reads stdout is no terminal, and is told nothing.
    assert_eq!(fs::read_to_string(ferry.path("out")).unwrap(), "");

    server.mailbox().folder_mut("INBOX").add(messages[8].clone());
    let size = format!("{:.1} KiB", messages[8].len() as f64 / 1024.0);
    let summary = format!("x: 1 message new ({size}), 8 here already\r\n");
    assert_eq!(pull_on_a_terminal(&ferry, "2>err"), summary);
    assert_eq!(fs::read_to_string(ferry.path("err")).unwrap(), "");
}
