//! What is checked at the end, and what may only be done after that; targets that do not take everything.

use super::*;

#[test]
fn what_is_missing_in_the_target_is_found() {
    let (from, to) = (user_with(&mail::ordinary(4)), Dovecot::shared().user());
    let ferry = Ferry::new();
    let (a, b) = (End::imap(&from), End::imap(&to));
    migrate(&ferry, &a, &b, &[]);
    to.doveadm(&["expunge", "-u", &to.name, "mailbox", "INBOX", "HEADER", "Subject", "message 2"]);
    let found = run(&ferry, &a, &b, &["--delete-source"]).expect(65);
    let told = "1 of the messages of INBOX are not found in INBOX of the target";
    assert!(found.stderr.contains(told), "{}", found.stderr);
    assert_eq!(report(&found)[0]["verified"]["missing"], 1);
    assert_eq!(held(&from, "INBOX").len(), 4, "nothing is deleted");
    run(&ferry, &a, &b, &["--no-verify"]).expect(0);
    // What the message advises.
    fs::remove_dir_all(ferry.state_dir()).unwrap();
    assert_eq!(migrate(&ferry, &a, &b, &[]), "listed 4, had 3, fetched 1");
}

#[test]
fn content_is_compared_where_asked() {
    let letters = mail::ordinary(2);
    let from = user_with(&letters);
    let to = Dovecot::shared().user();
    let ferry = Ferry::new();
    let (a, b) = (End::imap(&from), End::imap(&to));
    migrate(&ferry, &a, &b, &["--verify=content"]);
    // Somebody changes a letter, not its header and size.
    let stored = to.messages("INBOX").remove(0);
    let file = to.maildir().join(stored.place).join(&stored.file_name);
    fs::write(&file, String::from_utf8(stored.bytes).unwrap().replace("ferry", "FERRY")).unwrap();
    assert_eq!(migrate(&ferry, &a, &b, &[]), "listed 2, had 2");
    let found = run(&ferry, &a, &b, &["--verify=content"]).expect(65);
    let verified = &report(&found)[0]["verified"];
    assert_eq!((&verified["missing"], &verified["by"]), (&1.into(), &"content".into()));
}

#[test]
fn the_source_is_deleted_only_after_the_check() {
    for end in [End::pop3, End::imap] {
        let (from, to) = (user_with(&mail::ordinary(5)), Dovecot::shared().user());
        let ferry = Ferry::new();
        let (a, b) = (end(&from), End::imap(&to));
        assert_eq!(migrate(&ferry, &a, &b, &["--delete-source"]), "listed 5, fetched 5, deleted_remote 5");
        assert_eq!((held(&from, "INBOX").len(), held(&to, "INBOX").len()), (0, 5));
        assert_eq!(migrate(&ferry, &a, &b, &["--delete-source"]), "");
    }
    // What stays behind by choice stays.
    let (from, to) = (user_with(&mail::ordinary(5)), Dovecot::shared().user());
    from.deliver("INBOX", &[mail::large(100_000)]);
    let args = ["--delete-source", "--max-size", "50000"];
    assert_eq!(
        migrate(&Ferry::new(), &End::imap(&from), &End::imap(&to), &args),
        "listed 6, fetched 5, skipped 1, deleted_remote 5"
    );
    assert_eq!(held(&from, "INBOX").len(), 1);

    let ferry = Ferry::new();
    let path = ferry.path("m");
    for part in ["tmp", "new", "cur"] {
        fs::create_dir_all(path.join(part)).unwrap();
    }
    fs::write(path.join("cur/1.a.b:2,S"), with_lf(&mail::message(1, "x\r\n"))).unwrap();
    assert_eq!(
        migrate(&ferry, &End::maildir(&path), &End::imap(&to), &["--delete-source"]),
        "listed 1, fetched 1, deleted_remote 1"
    );
    assert!(maildir(&path).is_empty());
}

#[test]
fn a_failure_deletes_nothing() {
    let limited = Dovecot::start("imap_capability = IMAP4rev1 LITERAL+ UIDPLUS APPENDLIMIT=20000\n");
    let full = Dovecot::start(
        "mail_plugins = quota\nprotocol imap {\n  mail_plugins = quota imap_quota\n}\nplugin {\n  quota = maildir:User quota\n  \
         quota_rule = *:storage=40K\n}\n",
    );
    let letters: Vec<Vec<u8>> =
        (1..=8).map(|n| mail::message(n, &"a line\r\n".repeat(if n == 3 { 4000 } else { 1000 }))).collect();
    let from = user_with(&letters);
    let with_ca = |ferry: &Ferry, dovecot: &Dovecot| {
        let files = [from.endpoint(Protocol::Imap, Security::Implicit).ca_file, dovecot.ca_file()];
        fs::write(ferry.path("ca.pem"), files.iter().flat_map(|f| fs::read(f).unwrap()).collect::<Vec<u8>>()).unwrap();
        let mut end = End::imap(&from);
        end.ca_file = Some(ferry.path("ca.pem").display().to_string());
        end
    };
    let ferry = Ferry::new();
    let (a, to) = (with_ca(&ferry, &limited), limited.user());
    let outcome = run(&ferry, &a, &End::imap(&to), &["--delete-source"]).expect(0);
    assert_eq!(counts(&outcome), "listed 8, fetched 7, skipped 1, deleted_remote 7");
    assert_eq!(report(&outcome)[0]["skipped"]["larger than the target takes"], 1);

    let from = user_with(&letters);
    let ferry = Ferry::new();
    let mut a = with_ca(&ferry, &full);
    a.text = End::imap(&from).text;
    a.password = End::imap(&from).password;
    let to = full.user();
    let outcome = run(&ferry, &a, &End::imap(&to), &["--delete-source"]).expect(2);
    let folder = &report(&outcome)[0];
    let copied = folder["copied"].as_u64().unwrap();
    assert!((1..8).contains(&copied), "{folder}");
    let reasons = folder["failed"].as_object().unwrap();
    assert!(reasons.keys().all(|r| r.to_lowercase().contains("quota")), "{folder}");
    assert_eq!(held(&from, "INBOX").len(), 8, "nothing is deleted");
    assert_eq!(held(&to, "INBOX").len() as u64, copied);
    // Once there is room, the rest follows.
    to.doveadm(&["expunge", "-u", &to.name, "mailbox", "INBOX", "all"]);
    let outcome = run(&ferry, &a, &End::imap(&to), &["--no-verify"]);
    let left = counts(&outcome);
    assert!(left.starts_with(&format!("listed 8, had {copied}, fetched ")), "{left}");
}

#[test]
fn passes_until_there_is_nothing_new() {
    let (from, to) = (user_with(&mail::ordinary(3)), Dovecot::shared().user());
    let outcome = run(&Ferry::new(), &End::imap(&from), &End::imap(&to), &["--until-idle"]).expect(0);
    assert_eq!(counts(&outcome), "listed 3, fetched 3");
    let advice = outcome.events().into_iter().find(|e| e["event"] == "note").unwrap();
    assert!(advice["message"].as_str().unwrap().contains("Point MX"), "{advice}");
    assert_eq!(outcome.stderr, "");
    assert_eq!(held(&to, "INBOX").len(), 3);
}
