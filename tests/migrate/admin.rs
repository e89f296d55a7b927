//! An administrator logs in for the users: by SASL with an authorization identity, and as a master user of Dovecot.

use super::*;
use std::sync::OnceLock;

/// A Dovecot whose masters all have one password.
fn ruled() -> &'static Dovecot {
    static RULED: OnceLock<Dovecot> = OnceLock::new();
    RULED.get_or_init(|| {
        Dovecot::start(
            "auth_master_user_separator = *\npassdb {\n  driver = static\n  args = password=ruler-word\n  master = yes\n}\n",
        )
    })
}

/// The same end, entered by an administrator's password.
fn by_admin(end: End) -> End {
    End { password: Some("ruler-word".to_owned()), ..end }
}

#[test]
fn one_password_opens_every_mailbox() {
    let letters = mail::ordinary(3);
    let from = ruled().user();
    from.deliver("INBOX", &letters);
    let ends: [fn(&User<'_>) -> End; 2] = [End::pop3, End::imap];
    for end in ends {
        for auth in ["auto", "plain", "scram-sha-256"] {
            let (ferry, to) = (Ferry::new(), ruled().user());
            let (a, b) = (by_admin(end(&from)), by_admin(End::imap(&to)));
            let names = ["--from-auth-user", "admin", "--to-auth-user", "root", "--from-auth", auth, "--to-auth", auth];
            assert_eq!(migrate(&ferry, &a, &b, &names), "listed 3, fetched 3", "{auth}");
            assert_same_mail(&held(&to, "INBOX"), &stored(&letters));
            // The mailboxes are the users', whoever logs in.
            assert_eq!(migrate(&ferry, &end(&from), &End::imap(&to), &["--from-auth", "plain"]), "listed 3, had 3");
        }
        // Dovecot's own way, which every mechanism can go.
        for auth in ["auto", "login", "userpass"] {
            let (ferry, to) = (Ferry::new(), ruled().user());
            let as_master = |end: End, user: &User<'_>| {
                let text = end.text.replace(&format!("{}@", user.name), &format!("{}*admin@", user.name));
                End { text, ..by_admin(end) }
            };
            let (a, b) = (as_master(end(&from), &from), as_master(End::imap(&to), &to));
            assert_eq!(migrate(&ferry, &a, &b, &["--from-auth", auth]), "listed 3, fetched 3", "{auth}");
            assert_same_mail(&held(&to, "INBOX"), &stored(&letters));
        }
    }
}

#[test]
fn a_refusal_names_both() {
    let (from, ferry) = (ruled().user(), Ferry::new());
    for (end, told) in [
        (End::pop3(&from), format!("127.0.0.1 refused the log-in of {} (by admin): ", from.name)),
        (End::imap(&from), format!("127.0.0.1 refused to log {} (by admin) in: ", from.name)),
    ] {
        let refused = run(&ferry, &end, &End::maildir(&ferry.path("x")), &["--from-auth-user", "admin"]).expect(77);
        assert!(refused.stderr.contains(&told), "{}", refused.stderr);
        assert!(!refused.stderr.contains(&from.password), "{}", refused.stderr);
    }
    let end = by_admin(End::imap(&from));
    let args = ["--from-auth-user", "admin", "--from-auth", "cram-md5"];
    let refused = run(&ferry, &end, &End::maildir(&ferry.path("x")), &args).expect(64);
    assert!(refused.stderr.contains("a log-in by `auth = \"cram-md5\"` carries one name"), "{}", refused.stderr);
}

#[test]
fn tables_and_accounts_name_the_administrator() {
    let (a, b) = (ruled().user(), ruled().user());
    a.deliver("INBOX", &mail::ordinary(2));
    let ferry = Ferry::new();
    fs::write(ferry.path("word"), "ruler-word\n").unwrap();
    fs::set_permissions(ferry.path("word"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let table = format!(
        "from,from_auth_user,from_password_file,to,to_auth_user\n{},admin,word,{},admin\n",
        End::pop3(&a).text,
        End::imap(&b).text
    );
    fs::write(ferry.path("users.csv"), table).unwrap();
    let ca = ruled().ca_file().display().to_string();
    let mut batch = ferry.command(&["migrate", "--batch", "users.csv", "--json", "--ca-file", &ca]);
    batch.env("MAILFERRY_TO_PASSWORD", "ruler-word");
    assert_eq!(counts(&Running::start(batch).wait().expect(0)), "listed 2, fetched 2");
    assert_eq!(held(&b, "INBOX").len(), 2);

    let mut endpoint = b.endpoint(Protocol::Imap, Security::Starttls);
    endpoint.password = "ruler-word".to_owned();
    let text =
        endpoint.account("b", "maildir", &ferry.path("b")).replace("password =", "auth_user = \"admin\"\npassword =");
    ferry.configure(&text);
    ferry.run(&["pull"]).expect(0);
    assert_eq!(maildir(&ferry.path("b/INBOX")).len(), 2);
}
