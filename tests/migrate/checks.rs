//! What is checked at the end, and what may only be done after that; targets that do not take everything.

use super::*;

#[test]
fn what_is_missing_in_the_target_is_found() {
    let (from, to) = (user_with(&mail::ordinary(4)), Dovecot::shared().user());
    let ferry = Ferry::new();
    let (a, b) = (End::imap(&from), End::imap(&to));
    migrate(&ferry, &a, &b, &["--no-verify"]);
    expunge(&to, "message 2");
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

fn expunge(user: &User<'_>, subject: &str) {
    user.doveadm(&["expunge", "-u", &user.name, "mailbox", "INBOX", "HEADER", "Subject", subject]);
}

#[test]
fn what_was_found_and_then_removed_there_stays_removed() {
    let ends: [fn(&User<'_>) -> End; 2] = [End::pop3, End::imap];
    for end in ends {
        let letters = mail::ordinary(4);
        let (from, to) = (user_with(&letters), Dovecot::shared().user());
        let ferry = Ferry::new();
        let (a, b) = (end(&from), End::imap(&to));
        migrate(&ferry, &a, &b, &[]);
        expunge(&to, "message 2");
        from.deliver("INBOX", &[mail::message(50, "new\r\n")]);
        for (args, told) in [
            (&["--until-idle"][..], "listed 5, had 3, fetched 1, skipped 1"),
            (&["--verify=content"], "listed 5, had 4, skipped 1"),
            (&[], "listed 5, had 4, skipped 1"),
            (&["--dry-run"], "listed 5, had 4, skipped 1"),
            (&["--no-verify"], "listed 5, had 4, skipped 1"),
            (&["--delete-source"], "listed 5, had 4, skipped 1, deleted_remote 4"),
        ] {
            let outcome = run(&ferry, &a, &b, args).expect(0);
            assert_eq!((counts(&outcome).as_str(), outcome.stderr.as_str()), (told, ""), "{args:?}");
            let folder = &report(&outcome)[0];
            assert_eq!(folder["skipped"]["removed at the target since"], 1);
            let verified = &folder["verified"];
            assert!(verified.is_null() || (&verified["expected"], &verified["missing"]) == (&4.into(), &0.into()));
        }
        assert_same_mail(&held(&from, "INBOX"), &stored(&letters[1..2]));
        assert_eq!(held(&to, "INBOX").len(), 4);
    }
}

#[test]
fn another_folder_in_its_place_is_no_removal() {
    let (from, to) = (user_with(&mail::ordinary(3)), Dovecot::shared().user());
    let ferry = Ferry::new();
    let (a, b) = (End::imap(&from), End::imap(&to));
    migrate(&ferry, &a, &b, &[]);
    to.doveadm(&["mailbox", "update", "-u", &to.name, "--uid-validity", "77", "INBOX"]);
    assert_eq!(migrate(&ferry, &a, &b, &[]), "listed 3, had 3");
    to.doveadm(&["mailbox", "update", "-u", &to.name, "--uid-validity", "78", "INBOX"]);
    expunge(&to, "message 2");
    let outcome = run(&ferry, &a, &b, &[]).expect(65);
    assert!(outcome.stderr.contains("--folders '!INBOX'"), "{}", outcome.stderr);
}

#[test]
fn a_folder_that_was_removed_whole_is_no_loss_either() {
    let (from, to) = (user_with(&mail::ordinary(2)), Dovecot::shared().user());
    let letters: Vec<_> = (60..63).map(|n| mail::message(n, "x\r\n")).collect();
    from.deliver("Work", &letters[..2]);
    let ferry = Ferry::new();
    let (a, b) = (End::imap(&from), End::imap(&to));
    migrate(&ferry, &a, &b, &[]);
    to.doveadm(&["mailbox", "delete", "-u", &to.name, "Work"]);
    from.deliver("Work", &letters[2..]);
    let warned = "Work was removed at the target since the last check; not copied again: 2 messages of Work.";
    for (args, told, warns) in [
        (&["--dry-run"][..], "listed 5, had 2, fetched 1, skipped 2", true),
        (&[], "listed 5, had 2, fetched 1, skipped 2", true),
        (&["--verify=content"], "listed 5, had 3, skipped 2", false),
    ] {
        let outcome = run(&ferry, &a, &b, args).expect(0);
        assert_eq!((counts(&outcome).as_str(), outcome.stderr.contains(warned)), (told, warns), "{}", outcome.stderr);
    }
    assert_same_mail(&held(&to, "Work"), &stored(&letters[2..]));
    assert_eq!(migrate(&ferry, &a, &b, &["--delete-source"]), "listed 5, had 3, skipped 2, deleted_remote 3");
    assert_same_mail(&held(&from, "Work"), &stored(&letters[..2]));
}

#[test]
fn of_two_folders_that_go_into_one_each_message_is_looked_for() {
    let twin = mail::message(70, "x\r\n");
    let (from, to) = (user_with(&mail::ordinary(1)), Dovecot::shared().user());
    from.deliver("A", std::slice::from_ref(&twin));
    from.deliver("B", &[twin.clone(), mail::message(71, "x\r\n")]);
    let (a, b, into) = (End::imap(&from), End::imap(&to), ["--map", "A=All", "--map", "B=All"]);
    for (check, code, told) in
        [("--no-verify", 65, "listed 4, had 4"), ("--verify=header", 0, "listed 4, had 3, skipped 1")]
    {
        let ferry = Ferry::new();
        run(&ferry, &a, &b, &[&into[..], &[check][..]].concat()).expect(0);
        assert_eq!(held(&to, "All").len(), 3);
        let one = to.doveadm(&["search", "-u", &to.name, "mailbox", "All", "HEADER", "Subject", "message 70"]);
        let uid = one.split_whitespace().last().unwrap().to_owned();
        to.doveadm(&["expunge", "-u", &to.name, "mailbox", "All", "UID", &uid]);
        for whole in ["--verify=header", "--verify=content"] {
            let outcome = run(&ferry, &a, &b, &[&into[..], &[whole][..]].concat()).expect(code);
            assert_eq!(counts(&outcome), told, "{check} {whole}");
        }
        to.doveadm(&["expunge", "-u", &to.name, "mailbox", "All", "all"]);
    }
}

#[test]
fn what_was_compared_is_not_read_in_every_pass() {
    let (from, to) = (user_with(&mail::ordinary(3)), Dovecot::shared().user());
    let ferry = Ferry::new();
    let (a, b) = (End::imap(&from), End::imap(&to));
    migrate(&ferry, &a, &b, &["--verify=content"]);
    // Only somebody who reads it again notices.
    for user in [&from, &to] {
        let letter = user.messages("INBOX").remove(if user.name == to.name { 0 } else { 1 });
        fs::write(user.maildir().join(letter.place).join(&letter.file_name), twin_of(&letter.bytes)).unwrap();
    }
    assert_eq!(migrate(&ferry, &a, &b, &["--until-idle", "--verify=content"]), "listed 3, had 3");
    for args in [&["--until-idle", "--delete-source"][..], &["--verify=content"]] {
        let found = run(&ferry, &a, &b, args).expect(65);
        assert_eq!(report(&found)[0]["verified"]["missing"], 2, "{args:?}");
    }
    assert_eq!(held(&from, "INBOX").len(), 3);

    // What is here is read every time, and the source need not be.
    let (ferry, from) = (Ferry::new(), user_with(&mail::ordinary(3)));
    let (a, b) = (End::imap(&from), End::maildir(&ferry.path("m/")));
    migrate(&ferry, &a, &b, &["--verify=content"]);
    let letter = from.messages("INBOX").remove(1);
    fs::write(from.maildir().join(letter.place).join(&letter.file_name), twin_of(&letter.bytes)).unwrap();
    for (args, code) in [(&["--until-idle", "--verify=content"][..], 0), (&["--verify=content"], 65)] {
        run(&ferry, &a, &b, args).expect(code);
    }
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
    // Nothing is deleted for a header and a size.
    run(&ferry, &a, &b, &["--delete-source"]).expect(65);
    assert_eq!(held(&from, "INBOX").len(), 2);
}

/// A message with the header and size of another one.
fn twin_of(letter: &[u8]) -> Vec<u8> {
    String::from_utf8(letter.to_vec()).unwrap().replace("ferry", "FERRY").into_bytes()
}

#[test]
fn what_the_target_had_before_is_known_by_its_bytes() {
    let letters = mail::ordinary(3);
    let twin = twin_of(&letters[1]);
    let ends: [fn(&User<'_>) -> End; 2] = [End::pop3, End::imap];
    for (end, code, deleted) in [(ends[0], 2, 2), (ends[1], 0, 3)] {
        let (from, to) = (user_with(&letters), user_with(&[letters[0].clone(), twin.clone()]));
        // Another folder than the source's, which only IMAP proves.
        to.doveadm(&["mailbox", "update", "-u", &to.name, "--uid-validity", "77", "INBOX"]);
        let found = run(&Ferry::new(), &end(&from), &End::imap(&to), &["--delete-source"]).expect(code);
        assert_eq!(counts(&found), format!("listed 3, had 1, fetched 2, deleted_remote {deleted}"));
        assert_eq!(report(&found)[0]["verified"]["by"], "content");
        assert_eq!(found.stderr.contains("1 message, which the target had before"), code == 2, "{}", found.stderr);
        assert_same_mail(&held(&from, "INBOX"), &stored(&letters[..3 - deleted]));
        assert_same_mail(&held(&to, "INBOX"), &stored(&[&letters[..], std::slice::from_ref(&twin)].concat()));
    }
    // In files, too, and whichever of the two is there.
    let from = user_with(&[letters[1].clone(), twin.clone()]);
    let ferry = Ferry::new();
    for part in ["tmp", "new", "cur"] {
        fs::create_dir_all(ferry.path("m").join(part)).unwrap();
    }
    fs::write(ferry.path("m/cur/1.a.b:2,S"), with_lf(&twin)).unwrap();
    let to = user_with(std::slice::from_ref(&twin));
    for (end, args) in [(End::maildir(&ferry.path("m/")), &["--into", "INBOX"][..]), (End::imap(&to), &[])] {
        assert_eq!(migrate(&ferry, &End::imap(&from), &end, args), "listed 2, had 1, fetched 1");
        assert_eq!(migrate(&ferry, &End::imap(&from), &end, args), "listed 2, had 2");
    }
    assert_same_mail(&held(&to, "INBOX"), &stored(&[letters[1].clone(), twin.clone()]));
    assert_same_mail(&maildir_bytes(&ferry.path("m")), &stored(&[letters[1].clone(), twin]));
}

#[test]
fn one_mailbox_under_two_names_keeps_its_mail() {
    let letters = mail::ordinary(6);
    let user = user_with(&letters[..5]);
    let ferry = Ferry::new();
    let ends = [End::pop3(&user), End::imap(&user).folder("INBOX"), End::maildir(&user.maildir())];
    for from in &ends {
        let found = run(&ferry, from, &End::imap(&user), &["--delete-source"]).expect(2);
        assert_eq!(counts(&found), "listed 5, had 5");
        assert!(found.stderr.contains("5 messages, which the target had before"), "{}", found.stderr);
        assert_eq!(held(&user, "INBOX").len(), 5);
    }
    // What came later is copied, and one of the two copies may go.
    user.deliver("INBOX", &letters[5..]);
    let found = run(&ferry, &ends[0], &End::imap(&user), &["--delete-source"]).expect(2);
    assert_eq!(counts(&found), "listed 6, had 5, fetched 1, deleted_remote 1");
    assert_same_mail(&held(&user, "INBOX"), &stored(&letters));

    let path = ferry.path("m");
    for part in ["tmp", "new", "cur"] {
        fs::create_dir_all(path.join(part)).unwrap();
    }
    fs::write(path.join("cur/1.a.b:2,S"), with_lf(&letters[0])).unwrap();
    std::os::unix::fs::symlink(&path, ferry.path("link")).unwrap();
    for other in [ferry.path("link"), ferry.path("m/../m")] {
        let refused = run(&ferry, &End::maildir(&path), &End::maildir(&other), &["--delete-source"]).expect(64);
        assert!(refused.stderr.contains("FROM and TO are the same mailbox"), "{}", refused.stderr);
    }
    assert_eq!(maildir(&path).len(), 1);
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
    let told = "INBOX: 1 message skipped, larger than the target takes\n";
    assert_eq!(outcome.stderr.matches(told).count(), 1, "{}", outcome.stderr);

    let from = user_with(&letters);
    let ferry = Ferry::new();
    let mut a = with_ca(&ferry, &full);
    a.text = End::imap(&from).text;
    a.password = End::imap(&from).password;
    let to = full.user();
    let dry = run(&ferry, &a, &End::imap(&to), &["--dry-run"]).expect(0);
    let told = "the target's quota leaves room for 40.0 KiB, and ";
    assert!(format!("{}{}", dry.stdout, dry.stderr).contains(told), "{}{}", dry.stdout, dry.stderr);
    let outcome = run(&ferry, &a, &End::imap(&to), &["--delete-source"]).expect(2);
    let folder = &report(&outcome)[0];
    let copied = folder["copied"].as_u64().unwrap();
    assert!((1..8).contains(&copied), "{folder}");
    let reasons = folder["failed"].as_object().unwrap();
    assert!(reasons.len() == 1 && reasons.keys().all(|r| r.to_lowercase().contains("quota")), "{folder}");
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
