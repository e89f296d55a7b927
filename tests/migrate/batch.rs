//! Many mailboxes in one table.

use super::*;
use std::collections::BTreeMap;

const USERS: usize = 50;

/// A table of users, each with a message; the passwords of some are wrong.
fn table(ferry: &Ferry, wrong: &[usize]) -> Vec<(User<'static>, User<'static>)> {
    let mut text = "from,to,from_password_command,to_password_command\n".to_owned();
    let users: Vec<_> =
        (0..USERS).map(|n| (user_with(&[mail::message(n, "x\r\n")]), Dovecot::shared().user())).collect();
    for (n, (from, to)) in users.iter().enumerate() {
        let (a, b) = (End::pop3(from), End::imap(to));
        let password = if wrong.contains(&n) { "nonsense" } else { from.password.as_str() };
        text.push_str(&format!("{},\"{}\",echo {password},echo {}\n", a.text, b.text, to.password));
    }
    fs::write(ferry.path("users.csv"), text).unwrap();
    users
}

fn start(ferry: &Ferry, args: &[&str]) -> Running {
    let ca = Dovecot::shared().ca_file().display().to_string();
    let common = ["migrate", "--batch", "users.csv", "--json", "--ca-file", &ca, "--report-dir", "reports"];
    // SCRAM takes its time in a debug build.
    ferry.spawn(&[&common[..], &["--from-auth", "plain", "--to-auth", "plain"], args].concat())
}

fn batch(ferry: &Ferry, args: &[&str]) -> Outcome {
    start(ferry, args).wait()
}

/// The exit codes of a summary, by account.
fn exits(outcome: &Outcome) -> BTreeMap<String, u64> {
    let summary = outcome.summary();
    let entries = summary["accounts"].as_array().unwrap();
    entries.iter().map(|e| (e["account"].as_str().unwrap().to_owned(), e["exit"].as_u64().unwrap())).collect()
}

#[test]
fn shards_cover_each_mailbox_once_and_one_failure_stops_no_other() {
    let ferry = Ferry::new();
    let wrong = [2, 17, 41];
    let users = table(&ferry, &wrong);
    let mut all = BTreeMap::new();
    // Four machines at once.
    let shards = ["1/4", "2/4", "3/4", "4/4"].map(|shard| start(&ferry, &["--shard", shard, "--jobs", "4"]));
    for outcome in shards.map(Running::wait) {
        let found = exits(&outcome);
        let worst = found.values().max().copied().unwrap();
        assert_eq!(outcome.code.unwrap() as u64, worst, "{found:?}");
        for (account, exit) in found {
            assert_eq!(all.insert(account.clone(), exit), None, "{account} is in two shards");
        }
    }
    assert_eq!(all.len(), USERS);
    assert_eq!(all.values().filter(|exit| **exit == 77).count(), wrong.len(), "{all:?}");
    for (n, (from, to)) in users.iter().enumerate() {
        if !wrong.contains(&n) {
            assert_same_mail(&held(to, "INBOX"), &held(from, "INBOX"));
        }
        let expected = usize::from(!wrong.contains(&n));
        assert_eq!(held(to, "INBOX").len(), expected, "user {n}");
    }
    let reports = fs::read_dir(ferry.path("reports")).unwrap().map(|f| fs::read(f.unwrap().path()).unwrap());
    let reports: Vec<Value> = reports.map(|text| serde_json::from_slice(&text).unwrap()).collect();
    assert_eq!(
        reports.iter().filter(|r| r["exit"] == 0 && r["folders"][0]["copied"] == 1).count(),
        USERS - wrong.len()
    );
    assert_eq!(reports.iter().filter(|r| r["exit"] == 77).count(), wrong.len());
    // As text: a table, and what went wrong on stderr.
    let ca = Dovecot::shared().ca_file().display().to_string();
    let again = ferry.run(&["migrate", "--batch", "users.csv", "--ca-file", &ca, "--resume", "-v"]).expect(77);
    let line = "  77       0      0        0       0   0 B  user";
    assert_eq!(again.stdout.matches(line).count(), wrong.len(), "{}", again.stdout);
    assert!(again.stdout.contains("\n3 mailboxes: 0 done, 3 not (once mended, "), "{}", again.stdout);
    assert_eq!(again.stderr.matches("refused the log-in").count(), wrong.len(), "{}", again.stderr);

    // What failed, once the passwords are right.
    let text = fs::read_to_string(ferry.path("users.csv")).unwrap();
    let mended: Vec<String> = (text.lines().enumerate())
        .map(|(n, line)| match n.checked_sub(1).and_then(|n| users.get(n)) {
            Some((from, _)) => line.replace("nonsense", &from.password),
            None => line.to_owned(),
        })
        .collect();
    fs::write(ferry.path("users.csv"), mended.join("\n")).unwrap();
    let failed = batch(&ferry, &["--only-failed"]).expect(0);
    assert_eq!(exits(&failed).len(), wrong.len());
    assert!(users.iter().all(|(_, to)| held(to, "INBOX").len() == 1));
    assert!(exits(&batch(&ferry, &["--resume"]).expect(0)).is_empty());
}

#[test]
fn a_mailbox_in_which_a_run_died_is_not_done() {
    let (from, to) = (user_with(&mail::ordinary(3)), Dovecot::shared().user());
    let ferry = Ferry::new();
    let (a, b) = (End::pop3(&from), End::imap(&to));
    let row = format!("{},{},echo {},echo {}\n", a.text, b.text, from.password, to.password);
    fs::write(ferry.path("users.csv"), format!("from,to,from_password_command,to_password_command\n{row}")).unwrap();
    for done in [0, 1] {
        if done == 1 {
            from.deliver("INBOX", &[mail::message(80, "new\r\n")]);
        }
        let ca = Dovecot::shared().ca_file().display().to_string();
        let mut line = ferry.command(&["migrate", "--batch", "users.csv", "--ca-file", &ca]);
        line.env("MAILFERRY_FAULT_POINT", "4");
        assert_eq!(Running::start(line).wait().signal, Some(9));
        assert_eq!(exits(&batch(&ferry, &["--only-failed"]).expect(0)).len(), 1);
        assert_eq!(held(&to, "INBOX").len(), 3 + done);
        assert!(exits(&batch(&ferry, &["--resume"]).expect(0)).is_empty());
    }
}

#[test]
fn mistakes_in_the_table_are_told_with_their_line() {
    let ferry = Ferry::new();
    let ca = Dovecot::shared().ca_file().display().to_string();
    for (text, code, told) in [
        ("from,too\n", 78, "line 1: \u{201c}too\u{201d} is no column"),
        ("from\nx\n", 78, "line 1: the columns from and to are needed"),
        ("from,to\nmbox:a,mbox:b\n\nmbox:a,\n", 78, "line 4: column to: it is empty"),
        ("from,to\nmbox:a,mbox:b\nmbox:a,mbox:b\n", 78, "line 3: this mailbox was named before"),
        ("from,to\nmbox:a,\"mbox:b\n", 78, "line 2: column to: what stands there goes over several lines"),
        ("from,to\nmbox:a,mbox:b,c\n", 78, "line 2: 3 fields, but there are 2 columns"),
        (
            "from,to,to_password_file,to_password_command\nmbox:a,imaps://x@y,p,q\n",
            78,
            "line 2: column to_password_file: ",
        ),
        ("from,to\nmbox:a,imaps://x@localhost\n", 78, "line 2: no password of x at localhost is named"),
    ] {
        fs::write(ferry.path("users.csv"), text).unwrap();
        let outcome = ferry.run(&["migrate", "--batch", "users.csv", "--ca-file", &ca]);
        assert_eq!(outcome.code, Some(code), "{text}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(told), "{text}: {}", outcome.stderr);
    }
    let shard = ferry.run(&["migrate", "--batch", "users.csv", "--shard", "3/2"]).expect(64);
    assert!(shard.stderr.contains("is no shard"), "{}", shard.stderr);
}
