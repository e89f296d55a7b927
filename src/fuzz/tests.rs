//! Each target, fed for a moment with what is known from the field, cut and mutated.

use super::*;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the servers of the transcripts say, each connection for itself.
fn transcripts(protocol: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(root().join("tests/transcripts")).unwrap().map(|e| e.unwrap().path());
    let texts = files.filter(|p| p.extension().is_some_and(|e| e == "txt")).map(|p| fs::read_to_string(p).unwrap());
    let texts: Vec<String> = texts.filter(|t| t.contains(&format!("protocol {protocol}\n"))).collect();
    assert!(texts.len() > 5, "few transcripts of {protocol}");
    texts.iter().flat_map(|text| text.split("\nconnect\n").skip(1)).map(said).collect()
}

/// The server's part of a connection. The tags are those of a client that says what is written there.
fn said(connection: &str) -> Vec<u8> {
    let (mut said, mut tag) = (String::new(), 0);
    for line in connection.lines() {
        match line.split_once(": ") {
            Some(("S", text)) => {
                let message = "Subject: s\r\n\r\nb\r\n";
                let mut text = text.replace("{tag}", &format!("A{tag:04}"));
                for (word, octets) in [
                    ("message", format!("{{{}}}\r\n{message}", message.len())),
                    ("header", "{14}\r\nSubject: s\r\n\r\n".to_owned()),
                    ("size", message.len().to_string()),
                ] {
                    while let Some((before, rest)) = text.split_once(&format!("{{{word} ")) {
                        text = format!("{before}{octets}{}", rest.split_once('}').map_or("", |(_, behind)| behind));
                    }
                }
                said.push_str(&text);
                said.push_str("\r\n");
            }
            // The first tag belongs to a log-in that no server hears of.
            Some(("C", text)) if text.starts_with("{tag}") => tag = (tag + 1).max(2),
            _ => {}
        }
    }
    said.into_bytes()
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let texts: &[&str] = match target {
        "imap_responses" | "imap_session" => return transcripts("imap"),
        "pop3_replies" | "pop3_session" => return transcripts("pop3"),
        "config" => {
            let text = fs::read_to_string(root().join("docs/config.md")).unwrap();
            let example = text.split("```").find_map(|block| block.strip_prefix("toml\n")).unwrap();
            return vec![example.into(), b"imaps://me%40x@[::1]:993/Lists/r%2Fst".to_vec(), b"maildir:~/x".to_vec()];
        }
        "folder_names" => &["INBOX", "a/b.c/%41..", "Entw\u{fc}rfe/\u{53f0}\u{5317}&-", ".x/cur/new.lock", "&AOQ-*%!"],
        "header" => &[
            "Message-ID: <a@b>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nFrom: a\r\n b\r\nSubject: =?utf-8?q?=C3=A4?=\r\n\r\nbody\r\n",
            "subject:x\nmessage-id:<a>\nmessage-id:<b>\n\n",
        ],
        "maildir" => &["1.M2P3.host,S=4:2,FSa\n0 work\n1 $Forwarded\n25 z\n", "x:2,abc,d\n0 a\n0 b\n1 A\n"],
        "mbox" => &[
            "From a@b Mon Jan  1 00:00:00 2024\nSubject: x\n\n>From y\n>>From z\n\nFrom c Tue Jan  2 00:00:00 2024\n\nb\n",
            "From - \r\nA: b\r\n\r\nunfinished",
        ],
        other => panic!("no corpus for {other}"),
    };
    texts.iter().map(|t| t.as_bytes().to_vec()).collect()
}

/// What may happen to bytes.
#[derive(Debug, Clone)]
enum Mutation {
    Cut(Index),
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    Repeat(Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    const WORDS: [&str; 14] = [
        "(",
        ")",
        "\"",
        "{3}\r\n",
        "{99999999999}\r\n",
        "\r\n",
        "\n",
        "\0",
        "4294967296",
        "NIL",
        "*",
        "From ",
        ":2,",
        "]",
    ];
    let word = prop::sample::select(&WORDS[..]).prop_map(|w| w.as_bytes().to_vec());
    let bytes = prop::collection::vec(any::<u8>(), 1..9);
    prop_oneof![
        1 => any::<Index>().prop_map(Mutation::Cut),
        3 => any::<(Index, u8)>().prop_map(|(at, byte)| Mutation::Set(at, byte)),
        4 => (any::<Index>(), prop_oneof![3 => word, 1 => bytes]).prop_map(|(at, b)| Mutation::Insert(at, b)),
        2 => any::<(Index, Index)>().prop_map(|(a, b)| Mutation::Remove(a, b)),
        1 => any::<(Index, Index)>().prop_map(|(a, b)| Mutation::Repeat(a, b)),
    ]
}

impl Mutation {
    fn of(&self, bytes: &mut Vec<u8>) {
        let at = |index: &Index| index.index(bytes.len() + 1);
        let span = |a: &Index, b: &Index| (at(a).min(at(b)), at(a).max(at(b)).min(at(a).min(at(b)) + 40));
        match self {
            Mutation::Cut(a) => bytes.truncate(at(a)),
            Mutation::Set(a, byte) if !bytes.is_empty() => {
                let at = a.index(bytes.len());
                bytes[at] = *byte;
            }
            Mutation::Set(..) => {}
            Mutation::Insert(a, inserted) => {
                let at = at(a);
                bytes.splice(at..at, inserted.iter().copied());
            }
            Mutation::Remove(a, b) => {
                let (from, to) = span(a, b);
                bytes.drain(from..to);
            }
            Mutation::Repeat(a, b) => {
                let (from, to) = span(a, b);
                let again = bytes[from..to].to_vec();
                bytes.splice(to..to, again);
            }
        }
    }
}

/// What is known as it is, then so many times mutated, then random bytes. `MAILFERRY_FUZZ_TIMES` multiplies.
fn feed_for_a_moment(name: &str, cases: u32) {
    let times = std::env::var("MAILFERRY_FUZZ_TIMES").map_or(1, |times| times.parse().unwrap());
    let (cases, corpus) = (cases * times, corpus(name));
    corpus.iter().for_each(|known| feed(name, known));
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let mutated = (any::<Index>(), prop::collection::vec(mutation(), 1..6));
    let all = runner.run(&mutated, |(which, mutations)| {
        let mut bytes = which.get(&corpus).clone();
        mutations.iter().for_each(|mutation| mutation.of(&mut bytes));
        feed(name, &bytes);
        Ok(())
    });
    all.unwrap_or_else(|e| panic!("{name}: {e}"));
    let random = runner.run(&prop::collection::vec(any::<u8>(), 0..200), |bytes| {
        feed(name, &bytes);
        Ok(())
    });
    random.unwrap_or_else(|e| panic!("{name}: {e}"));
}

macro_rules! targets {
    ($($name:ident $cases:literal)*) => {
        $(
            #[test]
            fn $name() {
                feed_for_a_moment(stringify!($name), $cases);
            }
        )*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

targets! {
    config 200
    folder_names 400
    header 400
    imap_responses 400
    imap_session 300
    maildir 400
    mbox 400
    pop3_replies 400
    pop3_session 300
}

#[test]
fn every_target_is_tested_here_and_by_cargo_fuzz() {
    assert_eq!(TARGETS.map(|(name, _)| name), TESTED);
    let files = fs::read_dir(root().join("tests/fuzz/targets")).unwrap().map(|e| e.unwrap().path());
    let stem = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut files: Vec<String> = files.map(stem).collect();
    files.sort();
    assert_eq!(files, TESTED);
}

#[test]
fn the_corpus_is_what_a_client_would_hear() {
    let first = said("S: * OK hi\nC: {tag} NOOP\nS: {tag} OK {message 1}\nC: {tag} LOGOUT\nS: {tag} OK {size 1}");
    let message = "{17}\r\nSubject: s\r\n\r\nb\r\n";
    assert_eq!(String::from_utf8(first).unwrap(), format!("* OK hi\r\nA0002 OK {message}\r\nA0003 OK 17\r\n"));
}
