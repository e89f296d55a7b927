//! Mboxes of every kind, into every other end.

use super::*;

/// A message as a file holds it, with LF, and what of it is in the file.
struct Letter {
    header: String,
    body: &'static str,
}

impl Letter {
    fn bytes(&self) -> Vec<u8> {
        format!("{}\n{}", self.header, self.body).into_bytes()
    }
}

/// Bodies with what From lines are taken for; of mboxo none that it cannot tell apart.
fn letters(kind: &str) -> Vec<Letter> {
    let mut bodies = vec![
        "short\n",
        "From here on\nit goes on\n",
        "one\n\nFrom the start of a paragraph\n",
        "From: not a From line\nFromage\n From a blank\n",
    ];
    // Where nothing parts messages but From lines, a blank line is theirs.
    if kind != "tight" {
        bodies.push("blank lines at the end\n\n\n");
    }
    if !matches!(kind, "mboxo" | "mboxcl") {
        bodies.extend([">From quoted already\n", ">>From twice\n\n>From once\n"]);
    }
    let header = |n: usize| {
        format!(
            "From: a{n}@example.net\nSubject: letter {n}\nDate: 1 Mar 2024 09:0{n}:00 +0000\nMessage-ID: <m{n}@x>\n"
        )
    };
    bodies.into_iter().enumerate().map(|(n, body)| Letter { header: header(n), body }).collect()
}

/// Kinds of mbox, by what they make of lines that begin with From.
const KINDS: [&str; 8] = ["mboxo", "mboxrd", "mboxcl", "mboxcl2", "crlf", "tight", "bare", "addressed"];

/// An mbox of a kind, and the messages that it holds.
fn written(kind: &str) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut file, mut messages) = (Vec::new(), Vec::new());
    for (n, mut letter) in letters(kind).into_iter().enumerate() {
        let quoted: String = (letter.body.split_inclusive('\n'))
            .map(|line| {
                let is_from = match kind {
                    "mboxcl2" => false,
                    "mboxo" | "mboxcl" => line.starts_with("From "),
                    _ => line.trim_start_matches('>').starts_with("From "),
                };
                if is_from { format!(">{line}") } else { line.to_owned() }
            })
            .collect();
        if kind.starts_with("mboxcl") {
            letter.header.push_str(&format!("Content-Length: {}\n", quoted.len()));
        }
        let from = match kind {
            "bare" => "From - Fri Mar  1 09:00:00 2024\n".to_owned(),
            "addressed" => format!("From \"a {n}\"@example.net Fri Mar  1 09:00:00 2024 remote from host\n"),
            _ => format!("From a{n}@example.net Fri Mar  1 09:00:00 2024\n"),
        };
        let blank = if kind == "tight" { "" } else { "\n" };
        let text = format!("{from}{}\n{quoted}{blank}", letter.header);
        file.extend(if kind == "crlf" { text.replace('\n', "\r\n") } else { text }.into_bytes());
        messages.push(letter.bytes());
    }
    (file, messages)
}

/// A tree of mboxes, one of each kind.
fn tree(ferry: &Ferry) -> usize {
    fs::create_dir(ferry.path("boxes")).unwrap();
    let mut count = 0;
    for kind in KINDS {
        let (file, messages) = written(kind);
        fs::write(ferry.path("boxes").join(kind), file).unwrap();
        count += messages.len();
    }
    count
}

#[test]
fn every_kind_of_mbox_arrives_whole() {
    let (ferry, to) = (Ferry::new(), Dovecot::shared().user());
    let count = tree(&ferry);
    let boxes = End::mbox(&ferry.path("boxes"));
    let targets = [End::imap(&to), End::maildir(&ferry.path("dirs")), End::mbox(&ferry.path("copies"))];
    for target in &targets {
        let told = migrate(&ferry, &boxes, target, &["--verify=content"]);
        assert_eq!(told, format!("listed {count}, fetched {count}"), "{}", target.text);
        assert_eq!(migrate(&ferry, &boxes, target, &[]), format!("listed {count}, had {count}"), "{}", target.text);
    }
    for kind in KINDS {
        let (_, messages) = written(kind);
        assert_same_mail(&held(&to, kind), &messages);
        assert_same_mail(&maildir_bytes(&ferry.path("dirs").join(kind)), &messages);
        assert_same_mail(&mbox(&ferry.path("copies").join(kind)), &messages);
    }
}

#[test]
fn marks_that_an_mbox_does_not_keep_are_told() {
    let from = user_with(&mail::ordinary(2));
    from.deliver_as("INBOX", &mail::message(9, "x\r\n"), "FS", std::time::SystemTime::UNIX_EPOCH);
    let ferry = Ferry::new();
    let outcome = run(&ferry, &End::imap(&from), &End::mbox(&ferry.path("boxes")), &[]).expect(0);
    let told = "1 message in INBOX had flags or keywords, which an mbox does not keep";
    assert!(outcome.stderr.contains(told) || outcome.stdout.contains(told), "{}{}", outcome.stdout, outcome.stderr);
    assert_same_mail(&mbox(&ferry.path("boxes/INBOX")), &held(&from, "INBOX"));
    let again = run(&ferry, &End::imap(&from), &End::mbox(&ferry.path("boxes")), &[]).expect(0);
    assert!(!again.stdout.contains("flags or keywords"), "{}", again.stdout);
}
