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
fn what_the_target_had_before_is_compared_by_its_bytes() {
    let letters = mail::ordinary(3);
    let twin = String::from_utf8(letters[1].clone()).unwrap().replace("ferry", "FERRY").into_bytes();
    let from = user_with(&letters);
    for end in [End::pop3, End::imap] {
        let to = user_with(&[letters[0].clone(), twin.clone()]);
        let ferry = Ferry::new();
        let found = run(&ferry, &end(&from), &End::imap(&to), &["--verify=content", "--delete-source"]).expect(65);
        assert_eq!(counts(&found), "listed 3, had 2, fetched 1");
        let verified = &report(&found)[0]["verified"];
        assert_eq!((&verified["expected"], &verified["missing"]), (&3.into(), &1.into()));
        assert!(found.stderr.contains("not found in INBOX of the target, octet by octet"), "{}", found.stderr);
        assert_eq!(held(&from, "INBOX").len(), 3, "nothing is deleted");
        // By header and size they are the same, and so they are in files.
        assert_eq!(migrate(&ferry, &end(&from), &End::imap(&to), &[]), "listed 3, had 3");
    }
    let ferry = Ferry::new();
    for part in ["tmp", "new", "cur"] {
        fs::create_dir_all(ferry.path("m").join(part)).unwrap();
    }
    fs::write(ferry.path("m/cur/1.a.b:2,S"), with_lf(&twin)).unwrap();
    let found =
        run(&ferry, &End::imap(&from), &End::maildir(&ferry.path("m/")), &["--into", "INBOX", "--verify=content"]);
    assert_eq!(report(&found)[0]["verified"]["missing"], 1, "{}", found.stderr);
}

#[test]
fn what_comes_after_the_check_stays_in_the_source() {
    let ends: [fn(&User<'_>) -> End; 2] = [End::pop3, End::imap];
    for end in ends {
        let (from, to) = (user_with(&mail::ordinary(3)), Dovecot::shared().user());
        let ferry = Ferry::new();
        // Each pass asks for the password: before the one that deletes, a message comes.
        fs::write(ferry.path("late"), with_lf(&mail::message(77, "late\r\n"))).unwrap();
        let arrived = from.maildir().join("cur/1900000000.M1P1.test:2,");
        let ask = format!(
            "test -e asked && cp late '{}' && chmod 644 '{0}'; touch asked; echo {}",
            arrived.display(),
            from.password
        );
        let a = end(&from);
        let mut line = command(&ferry, &a, &End::imap(&to), &["--delete-source"]);
        let args: Vec<_> = line
            .get_args()
            .map(|a| if a == &*format!("echo {}", from.password) { ask.clone().into() } else { a.to_owned() })
            .collect();
        line = ferry.command(&args.iter().map(|a| a.to_str().unwrap()).collect::<Vec<_>>());
        let outcome = Running::start(line).wait().expect(0);
        assert_eq!(counts(&outcome), "listed 3, fetched 3, deleted_remote 3");
        let left = held(&from, "INBOX");
        assert_same_mail(&left, &stored(&[mail::message(77, "late\r\n")]));
        assert_eq!(held(&to, "INBOX").len(), 3);
    }
}

#[test]
fn a_folder_that_takes_nothing_fails_alone() {
    let rules = tempfile::NamedTempFile::new().unwrap();
    fs::write(rules.path(), "Locked owner lr\n").unwrap();
    fs::set_permissions(rules.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let ruled =
        Dovecot::start(&format!("mail_plugins = acl\nplugin {{\n  acl = vfile:{}\n}}\n", rules.path().display()));
    let (from, to) = (user_with(&mail::ordinary(3)), ruled.user());
    from.deliver("Locked", &[mail::message(50, "x\r\n"), mail::message(51, "x\r\n")]);
    to.deliver("Locked", &[]);
    let ferry = Ferry::new();
    let files = [Dovecot::shared().ca_file(), ruled.ca_file()];
    fs::write(ferry.path("ca.pem"), files.iter().flat_map(|f| fs::read(f).unwrap()).collect::<Vec<u8>>()).unwrap();
    let a = End { ca_file: Some(ferry.path("ca.pem").display().to_string()), ..End::imap(&from) };
    let outcome = run(&ferry, &a, &End::imap(&to), &["--delete-source"]);
    assert_eq!(outcome.code, Some(69), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("Locked is read-only on the server"), "{}", outcome.stderr);
    let folders = report(&outcome);
    let of = |name: &str| folders.iter().find(|f| f["from"] == name).unwrap();
    assert_eq!(of("INBOX")["copied"], 3);
    assert_eq!((&of("Locked")["listed"], &of("Locked")["copied"]), (&2.into(), &0.into()));
    assert_eq!(of("Locked")["failed"]["Locked is read-only on the server, so nothing can be put there"], 2);
    assert_same_mail(&held(&to, "INBOX"), &held(&from, "INBOX"));
    assert_eq!((held(&from, "INBOX").len(), held(&from, "Locked").len()), (3, 2), "nothing is deleted");
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
