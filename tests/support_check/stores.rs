//! Sample mail is as described, stores are read back right, and runs of programs are told as they were.

use crate::support::mail;
use crate::support::run::Running;
use crate::support::stored::{assert_same_mail, maildir, mbox, subject, unfinished};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn ordinary_mail_is_13_kb_on_average_and_always_the_same() {
    let messages = mail::ordinary(500);
    let mean = messages.iter().map(Vec::len).sum::<usize>() / messages.len();
    assert!((12_000..14_000).contains(&mean), "{mean}");
    assert_eq!(messages, mail::ordinary(500));
    assert_eq!(messages.iter().collect::<BTreeSet<_>>().len(), 500);
    assert!(mail::large(1 << 20).len() > 1 << 20);
}

#[test]
fn nasty_mail_has_one_pair_of_twins() {
    let messages = mail::nasty_bytes();
    assert_eq!(messages.iter().collect::<BTreeSet<_>>().len(), messages.len() - 1);
    assert_eq!(mail::with_lf(b"a\r\nb\nc\rd\r\r\n\r"), b"a\nb\nc\rd\r\n\r");
    assert_eq!(mail::over_pop3(b"a"), b"a\r\n");
    assert_eq!(mail::over_pop3(b""), b"");
    assert_eq!(subject(&messages[4]).unwrap(), "message 1005");
}

#[test]
fn an_mbox_is_taken_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mbox");
    assert_eq!(mbox(&path), [""; 0].map(Vec::from));
    let text = "From a Fri Mar  1\nSubject: 1\n\n>From x\n>>From y\n> From z\nno From\n\n\nFrom b Fri Mar  1\nFrom inside\n\nFrom c Fri\n\nlast\n\n";
    std::fs::write(&path, text).unwrap();
    let expected = ["Subject: 1\n\nFrom x\n>From y\n> From z\nno From\n\n", "From inside\n", "\nlast\n"];
    assert_same_mail(&mbox(&path), &expected.map(Vec::from));
}

#[test]
fn a_maildir_is_read_with_flags() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("tmp/3.x", "half"), ("new/1.x", "one"), ("cur/2.x:2,FS", "two")] {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let found: Vec<_> = maildir(dir.path()).into_iter().map(|m| (m.place, m.flags, m.bytes)).collect();
    assert_eq!(found, [("new", String::new(), b"one".to_vec()), ("cur", "FS".to_owned(), b"two".to_vec())]);
    assert_eq!(unfinished(dir.path()), 1);
}

#[test]
#[should_panic(expected = "2 messages, 2 expected:\n  0 instead of 1 of 1 bytes")]
fn a_missing_message_is_noticed() {
    assert_same_mail(&[b"b".to_vec(), b"b".to_vec()], &[b"a".to_vec(), b"b".to_vec()]);
}

#[test]
fn runs_are_told_as_they_were() {
    let sh = |script: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Running::start(command)
    };
    let outcome =
        sh("echo '{\"event\":\"summary\",\"accounts\":[{\"account\":\"x\",\"fetched\":3}]}'; echo no >&2; exit 7")
            .wait()
            .expect(7);
    assert_eq!((outcome.summary_of("x")["fetched"].as_u64(), outcome.stderr.as_str()), (Some(3), "no\n"));
    let mut sleeper = sh("exec sleep 60");
    assert!(sleeper.is_running());
    assert_eq!(sleeper.kill().signal, Some(9));
    let trap = sh("trap 'exit 143' TERM; echo ready; while :; do sleep 0.01; done");
    std::thread::sleep(std::time::Duration::from_millis(100));
    trap.signal(Signal::TERM);
    trap.wait().expect(143);
    let outcome = sh("exec sleep 0.2").wait().expect(0);
    assert!(cfg!(not(target_os = "linux")) || outcome.peak_kib.is_some_and(|k| k > 100), "{outcome:?}");
}
