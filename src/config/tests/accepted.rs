//! What good files mean.

use super::*;
use crate::credentials::Secret;
use crate::mail::{FolderName, FolderPattern};
use crate::net::{AuthChoice, Mechanism, Pin, Server, TlsMode};
use crate::retrieve::{Keep, Policy};
use crate::store::{Layout, LineEndings, Spec, StoreKind};
use crate::sync::{self, Limit, Travel};
use std::time::Duration;

#[test]
fn the_example_of_the_manual_is_read_in_full() {
    let manual = include_str!("../../../docs/config.md");
    let example = manual.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let patterns = |list: &[&str]| list.iter().filter_map(|p| FolderPattern::parse(p)).collect();
    assert_eq!(
        only(example),
        Account {
            name: "work".into(),
            protocol: Protocol::Imap,
            server: Server {
                host: "imap.example.com".into(),
                port: 993,
                tls: TlsMode::Implicit,
                ca_file: Some("/path/ca.pem".into()),
                pins: vec![],
                allow_cleartext: false,
                compress: None,
                pipelining: true,
                timeout: Duration::from_secs(60),
            },
            user: "me@example.com".into(),
            auth_user: None,
            auth: AuthChoice::Auto,
            password: PasswordSource::Command("pass show mail/work".into()),
            store: Spec {
                kind: StoreKind::Maildir,
                path: "/home/me/Mail/work".into(),
                layout: Layout::Nested,
                line_endings: LineEndings::Lf,
            },
            pull: Policy { keep: Keep::Always, folders: patterns(&["INBOX"]), max_size: Some(52_428_800) },
            sync: Sync {
                folders: patterns(&["*", "!Spam"]),
                subscribed: false,
                policy: sync::Policy {
                    create: Travel::Both,
                    delete: Travel::Both,
                    marks: Travel::Both,
                    remove_folders: Travel::None,
                    max_size: Some(52_428_800),
                    max_age: Some(Duration::from_secs(365 * 86_400)),
                    trash: FolderName::parse("@trash"),
                },
                limit: Limit { percent: 50, count: 20 },
                connections: 4,
            },
        }
    );
}

#[test]
fn what_is_left_out_has_its_default() {
    let account = only(&imap(""));
    assert_eq!(account.server.port, 993);
    assert_eq!(account.server.timeout, Duration::from_secs(60));
    assert_eq!((account.auth, account.password), (AuthChoice::Auto, PasswordSource::Prompt));
    assert_eq!(account.store.layout, Layout::Nested);
    assert_eq!(account.pull.keep, Keep::Always);
    assert_eq!(account.pull.folders, [FolderPattern::parse("INBOX").unwrap()]);
    assert_eq!(account.pull.max_size, None);
    assert_eq!(account.sync.folders, [FolderPattern::parse("*").unwrap()]);
    assert_eq!((&account.sync.policy, account.sync.limit), (&sync::Policy::default(), Limit::default()));
    assert_eq!(account.sync, only(&imap("sync={}")).sync);
    assert_eq!(only(&pop3("tls='starttls'")).server.port, 110);
}

#[test]
fn every_key_is_taken() {
    let pin = "ab:".repeat(31) + "AB";
    let account = only(&pop3(&format!(
        "port=1995\ntls='starttls'\nauth='apop'\npassword={{value='hunter2'}}\nca_file='ca.pem'\npin_sha256=['{pin}']\n\
         allow_cleartext=false\ntimeout='2 min'\n[accounts.work.pull]\nkeep='30d'\nmax_size=1_000_000"
    )));
    assert_eq!(
        account.server,
        Server {
            host: "h.example".into(),
            port: 1995,
            tls: TlsMode::StartTls,
            ca_file: Some("/etc/mf/ca.pem".into()),
            pins: vec![Pin([0xab; 32])],
            allow_cleartext: false,
            compress: None,
            pipelining: true,
            timeout: Duration::from_secs(120),
        }
    );
    assert_eq!(
        (account.auth, account.password),
        (AuthChoice::Apop, PasswordSource::Value(Secret::new("hunter2".into())))
    );
    assert_eq!(account.pull.keep, Keep::For(Duration::from_secs(30 * 86_400)));
    assert_eq!(account.pull.max_size, Some(1_000_000));

    assert_eq!(only(&imap("compress=true")).server.compress, Some(true));
    let account = only(
        &imap("pull={keep=false,folders=['*','!Spam']}")
            .replace("path='/m'", "path='$HOME/m',layout='maildir++',line_endings='crlf'"),
    );
    assert_eq!(account.pull.keep, Keep::Never);
    assert!(FolderPattern::selects(&account.pull.folders, &FolderName::parse("Lists/rust").unwrap()));
    assert_eq!(
        account.store,
        Spec {
            kind: StoreKind::Maildir,
            path: "/home/me/m".into(),
            layout: Layout::MaildirPlusPlus,
            line_endings: LineEndings::Crlf,
        }
    );
}

#[test]
fn every_key_of_sync_is_taken() {
    let table = |keys: &str| only(&imap(&format!("[accounts.work.sync]\n{keys}"))).sync;
    let written = table(
        "folders=['@sent','Lists/*','!@junk']\ncreate='local'\ndelete='remote'\nflags='none'\nremove_folders='both'\n\
         max_size='1 MiB'\nmax_age='90d'\ntrash='Deleted/Old'\nmax_delete={count=3}\nconnections=2",
    );
    assert_eq!(written.folders.iter().map(ToString::to_string).collect::<Vec<_>>(), ["@sent", "Lists/*", "!@junk"]);
    let policy = sync::Policy {
        create: Travel::Local,
        delete: Travel::Remote,
        marks: Travel::None,
        remove_folders: Travel::Both,
        max_size: Some(1 << 20),
        max_age: Some(Duration::from_secs(90 * 86_400)),
        trash: FolderName::parse("Deleted/Old"),
    };
    assert_eq!((written.policy, written.limit), (policy, Limit { percent: 50, count: 3 }));
    assert_eq!(written.connections, 2);
    assert_eq!(table("max_delete={percent=0}").limit, Limit { percent: 0, count: 20 });
    for (word, to) in [("local", Travel::Local), ("remote", Travel::Remote)] {
        let policy = sync::Policy { create: to, delete: to, marks: to, remove_folders: to, ..sync::Policy::default() };
        assert_eq!(table(&format!("mirror='{word}'")).policy, policy);
    }
    for role in ["@all", "@archive", "@drafts", "@flagged", "@junk", "@sent", "@trash"] {
        assert_eq!(table(&format!("folders=['*','{role}','!{role}']")).folders.len(), 3, "{role}");
    }
}

#[test]
fn passwords_come_from_one_of_many_places() {
    let table = [
        ("{command='pass x'}", PasswordSource::Command("pass x".into())),
        ("{env='PW'}", PasswordSource::Env("PW".into())),
        ("{file='~/.pw'}", PasswordSource::File("/home/me/.pw".into())),
        ("{keyring=true}", PasswordSource::Keyring("mailferry".into())),
        ("{keyring='mail'}", PasswordSource::Keyring("mail".into())),
        ("{netrc=true}", PasswordSource::Netrc),
        ("{prompt=true}", PasswordSource::Prompt),
        ("{value='x'}", PasswordSource::Value(Secret::new("x".into()))),
    ];
    for (written, source) in table {
        assert_eq!(only(&imap(&format!("password={written}"))).password, source, "{written}");
    }
}

#[test]
fn every_mechanism_has_its_word() {
    let table = [
        ("auto", AuthChoice::Auto),
        ("plain", AuthChoice::Sasl(Mechanism::Plain)),
        ("login", AuthChoice::Sasl(Mechanism::Login)),
        ("cram-md5", AuthChoice::Sasl(Mechanism::CramMd5)),
        ("scram-sha-256", AuthChoice::Sasl(Mechanism::ScramSha256)),
        ("xoauth2", AuthChoice::Sasl(Mechanism::XOAuth2)),
        ("oauthbearer", AuthChoice::Sasl(Mechanism::OAuthBearer)),
        ("apop", AuthChoice::Apop),
        ("userpass", AuthChoice::UserPass),
    ];
    for (word, auth) in table {
        assert_eq!(only(&pop3(&format!("auth='{word}'"))).auth, auth, "{word}");
    }
}

#[test]
fn providers_fill_in_what_is_not_written() {
    let account = |keys: &str| {
        let account = only(&format!("[accounts.a]\nuser='u'\nstore={{kind='mbox',path='/m'}}\n{keys}\n"));
        (account.server.host, account.server.port, account.auth)
    };
    let xoauth2 = AuthChoice::Sasl(Mechanism::XOAuth2);
    assert_eq!(account("protocol='imap'\nprovider='gmail'"), ("imap.gmail.com".into(), 993, AuthChoice::Auto));
    assert_eq!(account("protocol='pop3'\nprovider='gmail'"), ("pop.gmail.com".into(), 995, AuthChoice::Auto));
    assert_eq!(account("protocol='imap'\nprovider='outlook'"), ("outlook.office365.com".into(), 993, xoauth2));
    assert_eq!(
        account("protocol='imap'\nprovider='outlook'\nhost='127.0.0.1'\nport=1143\ntls='none'\nauth='plain'"),
        ("127.0.0.1".into(), 1143, AuthChoice::Sasl(Mechanism::Plain))
    );
}

#[test]
fn accounts_may_pull_into_one_store_of_the_same_kind() {
    let two = |text: String| format!("{text}{}", text.replace("accounts.work", "accounts.home"));
    assert_eq!(parse(&two(pop3(""))).unwrap().accounts.len(), 2);
    assert_eq!(parse(&two(pop3("").replace("maildir", "mbox"))).unwrap().accounts.len(), 2);
    assert_eq!(parse(&two(imap("").replace("maildir", "mbox"))).unwrap().accounts.len(), 2);
}

#[test]
fn accounts_come_in_the_order_of_the_file_or_asked_for() {
    let names = |given: &[&str]| -> Result<Vec<String>> {
        let text =
            ["work", "home", "club"].map(|n| pop3("").replace("accounts.work", &format!("accounts.{n}"))).concat();
        let given: Vec<_> = given.iter().map(|n| n.to_string()).collect();
        Ok(parse(&text)?.select(&given)?.into_iter().map(|a| a.name).collect())
    };
    assert_eq!(names(&[]).unwrap(), ["work", "home", "club"]);
    assert_eq!(names(&["club", "work", "club"]).unwrap(), ["club", "work"]);
    let e = names(&["club", "Wrok"]).unwrap_err();
    assert_eq!(e.to_string(), "no account is named `Wrok`");
    assert_eq!(e.remedy(), "Did you mean `work`? Known accounts: `work`, `home`, `club`.");
    assert_eq!(e.kind(), Kind::Usage);
}

#[test]
fn what_is_shown_means_the_same() {
    let pin = "ab".repeat(32);
    let files = [
        imap(""),
        imap(
            "password={env='A\"B'}\n[accounts.work.pull]\nkeep='90min'\nfolders=['*', '!Lists/*', 'Entw\u{fc}rfe']\nmax_size='1 KiB'",
        ),
        imap(
            "[accounts.work.sync]\nmirror='local'\nfolders=['@sent','!a\"b']\nmax_age='14d'\nmax_size=7\ntrash='@trash'",
        ),
        imap(
            "sync={subscribed=true,create='none',delete='remote',flags='local',remove_folders='both',max_delete={percent=1,count=0},connections=1}",
        ),
        imap("password={netrc=true}\ntls='none'\nallow_cleartext=true\ncompress=false\ntimeout='1s'")
            .replace("work", "\"me@x.y\""),
        imap("auth_user='admin'"),
        imap("provider='outlook'").replace("kind='maildir'", "kind='maildir',layout='maildir++',line_endings='crlf'"),
        pop3(&format!("password={{file='/p \\u00e9'}}\ntls='starttls'\nca_file='c.pem'\npin_sha256=['{pin}']"))
            .replace("'/p \\u00e9'", "\"/p \\u00e9\""),
        pop3("auth='apop'\n[accounts.work.pull]\nkeep=false").replace("maildir", "mbox"),
    ];
    for file in files {
        let account = only(&file);
        let shown = account.to_string();
        assert_eq!(only(&shown), account, "{shown}");
    }
    let synced = |file: String| only(&file).to_string().contains("\n[accounts.work.sync]\n");
    assert!(synced(imap("")) && !synced(pop3("")) && !synced(imap("").replace("maildir", "mbox")));
    for secret in ["value='hunter2'", "command='echo hunter2'"] {
        let shown = only(&imap(&format!("password={{{secret}}}"))).to_string();
        assert!(!shown.contains("hunter2") && shown.contains(" = \"***\" }\n"), "{shown}");
        only(&shown);
    }
}
