//! From any end to any other.

use super::*;

/// Messages that every end holds as they are.
fn letters() -> Vec<Vec<u8>> {
    let tame = mail::nasty().into_iter().filter(|(name, bytes)| {
        !bytes.is_empty() && !["NUL", "bare CR", "no final line end", "ends with CR", "no text at all"].contains(name)
    });
    tame.map(|(_, bytes)| bytes).chain(mail::ordinary(12)).collect()
}

#[test]
fn pop3_to_imap() {
    let (from, to) = (user_with(&letters()), Dovecot::shared().user());
    let ferry = Ferry::new();
    let ends = (End::pop3(&from), End::imap(&to));
    let n = letters().len();
    assert_eq!(migrate(&ferry, &ends.0, &ends.1, &[]), format!("listed {n}, fetched {n}"));
    assert_same_mail(&held(&to, "INBOX"), &stored(&letters()));
    assert!(to.messages("INBOX").iter().all(|m| m.flags.is_empty()), "it arrives as new");
    assert_eq!(migrate(&ferry, &ends.0, &ends.1, &[]), format!("listed {n}, had {n}"));
    from.deliver("INBOX", &[mail::message(500, "late\r\n")]);
    assert_eq!(migrate(&ferry, &ends.0, &ends.1, &[]), format!("listed {}, had {n}, fetched 1", n + 1));
    assert_eq!(held(&to, "INBOX").len(), n + 1);
    assert_eq!(held(&from, "INBOX").len(), n + 1, "nothing leaves the source");
}

#[test]
fn imap_to_imap_folder_by_folder() {
    let (from, to) = (user_with(&letters()), Dovecot::shared().user());
    for (folder, n) in [("Lists/rust", 30), ("&U,BTFw-/&ZeVnLIqe-", 31), ("Sent Items", 32), ("v1 2 &- 3", 33)] {
        from.deliver(folder, &[mail::message(n, "one\r\n"), mail::message(n + 100, "two\r\n")]);
    }
    let ferry = Ferry::new();
    let (a, b) = (End::imap(&from), End::imap(&to));
    let n = letters().len();
    to.deliver("Sent", &[]);
    assert_eq!(migrate(&ferry, &a, &b, &["--verify=content"]), format!("listed {0}, fetched {0}", n + 8));
    assert_same_mail(&held(&to, "INBOX"), &stored(&letters()));
    for (folder, there) in
        [("Lists/rust", "Lists/rust"), ("&U,BTFw-/&ZeVnLIqe-", "&U,BTFw-/&ZeVnLIqe-"), ("Sent Items", "Sent")]
    {
        assert_same_mail(&held(&to, there), &held(&from, folder));
        assert_eq!(held(&to, there).len(), 2, "{folder}");
    }
    let again = run(&ferry, &a, &b, &[]).expect(0);
    assert_eq!(counts(&again), format!("listed {0}, had {0}", n + 8));
    let folders = report(&again);
    let sent = folders.iter().find(|f| f["from"] == "Sent Items").unwrap();
    assert_eq!((&sent["to"], &sent["verified"]["missing"]), (&"Sent".into(), &0.into()));
}

#[test]
fn maildir_and_mbox_to_imap() {
    let ferry = Ferry::new();
    let n = letters().len();
    let box_of = |path: &Path| {
        let user = user_with(&letters());
        ferry.account_with("x", &user.endpoint(Protocol::Imap, Security::Implicit), "mbox", path, "");
        ferry.run(&["pull", "-q"]).expect(0);
    };
    box_of(&ferry.path("boxes"));
    let maildir_root = ferry.path("mine");
    for (path, range) in [("", 0..5), (".Sent", 5..7), (".a.b", 7..n)] {
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(maildir_root.join(path).join(part)).unwrap();
        }
        for i in range {
            let file = maildir_root.join(path).join(format!("cur/17000000{i:02}.x.y:2,FS"));
            fs::write(file, with_lf(&letters()[i])).unwrap();
        }
    }
    let to = Dovecot::shared().user();
    let from = End::maildir(&maildir_root);
    assert_eq!(migrate(&ferry, &from, &End::imap(&to), &[]), format!("listed {n}, fetched {n}"));
    assert_same_mail(&held(&to, "INBOX"), &stored(&letters()[0..5]));
    assert_same_mail(&held(&to, "Sent"), &stored(&letters()[5..7]));
    assert_same_mail(&held(&to, "a/b"), &stored(&letters()[7..n]));
    assert!(to.messages("a/b").iter().all(|m| m.flags == "FS"));
    assert_eq!(migrate(&ferry, &from, &End::imap(&to), &[]), format!("listed {n}, had {n}"));

    let to = Dovecot::shared().user();
    for (from, folder) in [(ferry.path("boxes"), "INBOX"), (ferry.path("boxes/INBOX"), "Old/Mail")] {
        let (from, to_end) = (End::mbox(&from), End::imap(&to).folder(if folder == "INBOX" { "" } else { folder }));
        assert_eq!(migrate(&ferry, &from, &to_end, &[]), format!("listed {n}, fetched {n}"), "{folder}");
        assert_same_mail(&held(&to, folder), &stored(&letters()));
        assert_eq!(migrate(&ferry, &from, &to_end, &[]), format!("listed {n}, had {n}"), "{folder}");
    }
}

#[test]
fn imap_and_pop3_to_files() {
    let from = user_with(&letters());
    from.deliver("Lists/rust", &[mail::message(30, "one\r\n")]);
    let ferry = Ferry::new();
    let n = letters().len();
    let (tree, boxes) = (ferry.path("tree"), ferry.path("boxes"));
    assert_eq!(
        migrate(&ferry, &End::imap(&from), &End::maildir(&tree), &[]),
        format!("listed {0}, fetched {0}", n + 1)
    );
    assert_same_mail(&maildir_bytes(&tree.join("INBOX")), &stored(&letters()));
    assert_same_mail(&maildir_bytes(&tree.join("Lists/rust")), &held(&from, "Lists/rust"));
    assert_eq!(migrate(&ferry, &End::imap(&from), &End::mbox(&boxes), &[]), format!("listed {0}, fetched {0}", n + 1));
    assert_same_mail(&mbox(&boxes.join("INBOX")), &stored(&letters()));
    assert_same_mail(&mbox(&boxes.join("Lists.sbd/rust")), &held(&from, "Lists/rust"));
    // One folder of a server is one file.
    let inbox = (End::imap(&from).folder("INBOX"), End::mbox(&ferry.path("inbox.mbox")));
    assert_eq!(migrate(&ferry, &inbox.0, &inbox.1, &[]), format!("listed {n}, fetched {n}"));
    assert_same_mail(&mbox(&ferry.path("inbox.mbox")), &stored(&letters()));
    for (end, path) in [(End::maildir(&ferry.path("one")), "one"), (End::mbox(&ferry.path("box")), "box")] {
        assert_eq!(migrate(&ferry, &End::pop3(&from), &end, &[]), format!("listed {n}, fetched {n}"));
        assert_eq!(migrate(&ferry, &End::pop3(&from), &end, &[]), format!("listed {n}, had {n}"));
        let found = if path == "one" { maildir_bytes(&ferry.path("one")) } else { mbox(&ferry.path("box")) };
        assert_same_mail(&found, &stored(&letters()));
    }
}

#[test]
fn maildir_and_mbox_into_each_other() {
    let from = user_with(&letters());
    from.deliver("Lists/rust", &[mail::message(30, "one\r\n")]);
    let ferry = Ferry::new();
    let n = letters().len() + 1;
    let paths = ["a", "b", "c"].map(|p| ferry.path(p));
    migrate(&ferry, &End::imap(&from), &End::maildir(&paths[0]), &[]);
    let (first, second, third) = (End::maildir(&paths[0]), End::mbox(&paths[1]), End::maildir(&paths[2]));
    assert_eq!(migrate(&ferry, &first, &second, &["--verify=content"]), format!("listed {n}, fetched {n}"));
    assert_eq!(migrate(&ferry, &second, &third, &["--verify=content"]), format!("listed {n}, fetched {n}"));
    for folder in ["INBOX", "Lists/rust"] {
        assert_same_mail(&maildir_bytes(&paths[2].join(folder)), &maildir_bytes(&paths[0].join(folder)));
    }
    assert_eq!(migrate(&ferry, &first, &second, &[]), format!("listed {n}, had {n}"));
    assert_eq!(migrate(&ferry, &second, &third, &[]), format!("listed {n}, had {n}"));
}

#[test]
fn accounts_by_their_names() {
    let (from, to) = (user_with(&mail::ordinary(3)), Dovecot::shared().user());
    let ferry = Ferry::new();
    ferry.account("old", &from.endpoint(Protocol::Pop3, Security::Implicit), "");
    ferry.account("new", &to.endpoint(Protocol::Imap, Security::Starttls), "");
    let run = ferry.run(&["migrate", "old", "new", "--json"]).expect(0);
    assert_eq!(counts(&run), "listed 3, fetched 3");
    assert_eq!(held(&to, "INBOX").len(), 3);
    for (args, told) in [
        (&["migrate", "new", "old"][..], "nothing can be put into a POP3 mailbox"),
        (
            &["migrate", "imaps://x@localhost/a", "mbox:x", "--folders", "b"],
            "FROM names a folder, and so does --folders",
        ),
        (&["migrate", "new", "new"], "FROM and TO are the same mailbox"),
        (&["migrate", "mbox:x", "new", "--delete-source"], "--delete-source does not go with an mbox"),
        (&["migrate", "new", "mbox:x", "--delete-source"], "--delete-source would lose flags and keywords"),
        (&["migrate", "old", "new", "--shard", "1/2"], "cannot be used with"),
        (&["migrate", "old", "new", "--map", "x"], "--map: \u{201c}x\u{201d} has no `=`"),
    ] {
        let refused = ferry.run(args).expect(64);
        assert!(refused.stderr.contains(told), "{args:?}: {}", refused.stderr);
    }
}

#[test]
fn a_folder_that_cannot_be_used_fails_alone() {
    let from = user_with(&mail::ordinary(2));
    from.deliver("Lists", &[mail::message(30, "one\r\n"), mail::message(31, "two\r\n")]);
    let ferry = Ferry::new();
    let tree = ferry.path("tree");
    fs::create_dir_all(&tree).unwrap();
    fs::write(tree.join("Lists"), "no folder").unwrap();
    let outcome = run(&ferry, &End::imap(&from), &End::maildir(&tree), &[]);
    assert!(matches!(outcome.code, Some(73 | 74)), "{}", outcome.stderr);
    assert_eq!(counts(&outcome), "listed 4, fetched 2, failed 2");
    let folders = report(&outcome);
    let lists = folders.iter().find(|f| f["from"] == "Lists").unwrap();
    let reasons: Vec<&String> = lists["failed"].as_object().unwrap().keys().collect();
    assert!(reasons.len() == 1 && reasons[0].contains("/tree/Lists"), "{lists}");
    assert_same_mail(&maildir_bytes(&tree.join("INBOX")), &held(&from, "INBOX"));

    // What the server does not make, and what cannot be read here.
    let (name, boxes) = ("long".repeat(60), ferry.path("boxes"));
    fs::create_dir_all(boxes.join(&name).join(&name)).unwrap();
    let text =
        |n: usize| [b"From a@b Fri Feb 13 23:31:30 2009\n".to_vec(), with_lf(&mail::message(n, "x\r\n"))].concat();
    for (n, path) in [(1, "a"), (2, "z"), (3, &*format!("{name}/{name}/b"))] {
        fs::write(boxes.join(path), text(n)).unwrap();
    }
    let to = Dovecot::shared().user();
    let outcome = run(&ferry, &End::mbox(&boxes), &End::imap(&to), &[]).expect(69);
    assert_eq!(counts(&outcome), "listed 3, fetched 2, failed 1");
    assert_eq!((held(&to, "a").len(), held(&to, "z").len()), (1, 1));
}
