//! What is told of bad files, in the exact words.

use super::*;
use crate::net::TlsMode;

#[test]
fn clear_text_stays_on_this_machine_unless_allowed() {
    let none = |host: &str, more: &str| imap(&format!("tls='none'\n{more}")).replace("h.example", host);
    for host in ["localhost", "127.0.0.1", "::1", "[::1]", "mailhub"] {
        assert_eq!(only(&none(host, "")).server.tls, TlsMode::None, "{host}");
    }
    assert!(only(&none("192.0.2.1", "allow_cleartext=true")).server.allow_cleartext);
    assert_eq!(
        told(&none("mail.example.com", "")),
        "/etc/mf/c.toml:6:1: accounts.work.tls: without TLS everyone on the way can read the password and the mail | \
         Write `tls = \"implicit\"` or `tls = \"starttls\"`; if it must be so, add `allow_cleartext = true`."
    );
}

#[test]
fn bad_values_are_told_with_place_and_remedy() {
    let known = "Known keys here: `allow_cleartext`, `auth`, `auth_user`, `ca_file`, `compress`, `host`, `password`, `pin_sha256`, `pipelining`, `port`, \
                 `protocol`, `provider`, `pull`, `store`, `sync`, `timeout`, `tls`, `user`.";
    let example = "Write, for example, `password = { command = \"pass show mail/work\" }`.";
    // A line after the five of `imap`, and what is told of it.
    let table: &[(&str, String)] = &[
        ("hots='x'", format!("6:1: accounts.work.hots: unknown key | Did you mean `host`? {known}")),
        ("colour=1", format!("6:1: accounts.work.colour: unknown key | {known}")),
        ("keep=true", "6:1: accounts.work.keep: unknown key | Write it under `[accounts.work.pull]`.".into()),
        ("max_delete={}", "6:1: accounts.work.max_delete: unknown key | Write it under `[accounts.work.sync]`.".into()),
        (
            "port='993'",
            "6:6: accounts.work.port: expected a whole number, found a text | Write a whole number, without quotes.".into(),
        ),
        ("port=0", "6:6: accounts.work.port: 0 is out of range | Write a number from 1 to 65535.".into()),
        (
            "tls='ssl'",
            "6:5: accounts.work.tls: “ssl” is not known | Write one of `implicit`, `starttls`, `none`.".into(),
        ),
        (
            "tls='STARTTLS'",
            "6:5: accounts.work.tls: “STARTTLS” is not known | Did you mean `starttls`? Write one of `implicit`, `starttls`, \
             `none`."
                .into(),
        ),
        (
            "auth='apop'",
            "6:1: accounts.work.auth: APOP belongs to POP3 | Write `auth = \"auto\"`, or leave it out.".into(),
        ),
        (
            "allow_cleartext=1",
            "6:17: accounts.work.allow_cleartext: expected true or false, found a whole number | Write `allow_cleartext = \
             true` or `allow_cleartext = false`, without quotes."
                .into(),
        ),
        (
            "timeout=60",
            "6:9: accounts.work.timeout: expected a text, found a whole number | Write a text in quotes: `timeout = \"…\"`."
                .into(),
        ),
        (
            "timeout='60'",
            "6:9: accounts.work.timeout: “60” is not a duration | Write a whole number and a unit (s, min, h, d, w), such as \
             \"90s\" or \"30d\"."
                .into(),
        ),
        (
            "timeout='0s'",
            "6:9: accounts.work.timeout: no time at all | Write a longer one, such as \"90s\" or \"30d\".".into(),
        ),
        (
            "pin_sha256=['abcd']",
            "6:13: accounts.work.pin_sha256: a SHA-256 has 64 hexadecimal digits, this has 4 | Write the 64 hexadecimal digits of the \
             certificate's SHA-256; colons between them are fine."
                .into(),
        ),
        (
            "tls='none'\nallow_cleartext=true\nca_file='/x'",
            "8:1: accounts.work.ca_file: there is no certificate to check with `tls = \"none\"` | Write `tls = \"implicit\"` or \
             `tls = \"starttls\"`, or remove `ca_file`."
                .into(),
        ),
        (
            "ca_file='~you/x'",
            "6:9: accounts.work.ca_file: other users' homes are not looked up | Write the whole path instead of `~NAME`.".into(),
        ),
        (
            "provider='googlemail'",
            "6:10: accounts.work.provider: “googlemail” is not known | Write one of `fastmail`, `gmail`, `gmx`, `icloud`, \
             `outlook`, `posteo`, `yahoo`."
                .into(),
        ),
        (
            "password='hunter2'",
            format!("6:10: accounts.work.password: expected a table that tells where the password is, found a text | {example}"),
        ),
        ("password={}", format!("6:1: accounts.work.password: names no source | {example}")),
        (
            "password={env='A',command='b'}",
            format!("6:1: accounts.work.password: names several sources | Keep one of them. {example}"),
        ),
        (
            "password={keyring=3}",
            "6:19: accounts.work.password.keyring: takes `true` or the name of a service | Write `password = { keyring = true }`."
                .into(),
        ),
        (
            "password={netrc=false}",
            "6:17: accounts.work.password.netrc: takes `true` only | Write `password = { netrc = true }`.".into(),
        ),
        ("password={value=''}", format!("6:17: accounts.work.password.value: is empty | {example}")),
        ("password={keyring=''}", format!("6:19: accounts.work.password.keyring: is empty | {example}")),
        ("password={command=' '}", format!("6:19: accounts.work.password.command: is empty | {example}")),
        (
            "password={env='A=B'}",
            "6:15: accounts.work.password.env: is not the name of a variable | Write the name alone, such as \
             \"MAIL_PASSWORD\"."
                .into(),
        ),
        (
            "password={value=\"hunter2\\r\\nQUIT\"}",
            "6:17: accounts.work.password.value: holds a line break or NUL character | Write it without.".into(),
        ),
        (
            "password={comand='x'}",
            "6:11: accounts.work.password.comand: unknown key | Did you mean `command`? Known keys here: `command`, `env`, \
             `file`, `keyring`, `netrc`, `prompt`, `value`."
                .into(),
        ),
        (
            "pull={keep='30 days'}",
            "6:12: accounts.work.pull.keep: “30 days” is not a duration | Write a whole number and a unit (s, min, h, d, w), \
             such as \"90s\" or \"30d\"."
                .into(),
        ),
        (
            "pull={keep=30}",
            "6:12: accounts.work.pull.keep: expected true, false or a duration, found a whole number | Write true, false, or \
             days such as \"30d\"."
                .into(),
        ),
        (
            "pull={folders='INBOX'}",
            "6:15: accounts.work.pull.folders: expected a list, found a text | Write a list of texts in quotes: `folders = \
             [\"…\"]`."
                .into(),
        ),
        (
            "pull={folders=['!Spam']}",
            "6:7: accounts.work.pull.folders: takes no folder | Name the folders to take first, such as [\"*\", \"!Spam\"]."
                .into(),
        ),
        (
            "pull={folders=['a','']}",
            "6:20: accounts.work.pull.folders: an empty name | Write a folder's name, a pattern such as \"Lists/*\", or \
             \"!Spam\"."
                .into(),
        ),
        (
            "pull={max_size='50M'}",
            "6:16: accounts.work.pull.max_size: “50M” is not a size | Write a whole number of octets, or with a unit (kB, MB, \
             GB, KiB, MiB, GiB), such as \"50 MiB\"."
                .into(),
        ),
        (
            "pull={max_size=0x10}",
            "6:16: accounts.work.pull.max_size: “0x10” is not a size | Write a whole number of octets, or with a unit (kB, MB, \
             GB, KiB, MiB, GiB), such as \"50 MiB\"."
                .into(),
        ),
        (
            "pull={max_sise=1}",
            "6:7: accounts.work.pull.max_sise: unknown key | Did you mean `max_size`? Known keys here: `folders`, `keep`, \
             `max_size`."
                .into(),
        ),
        (
            "sync={create='all'}",
            "6:14: accounts.work.sync.create: “all” is not known | Write one of `both`, `local`, `remote`, `none`.".into(),
        ),
        (
            "sync={folders=['*','!@spam']}",
            "6:20: accounts.work.sync.folders: “@spam” is not known | Write one of `@all`, `@archive`, `@drafts`, \
             `@flagged`, `@important`, `@junk`, `@sent`, `@trash`."
                .into(),
        ),
        (
            "sync={folders=['@Sent']}",
            "6:16: accounts.work.sync.folders: “@Sent” is not known | Did you mean `@sent`? Write one of `@all`, \
             `@archive`, `@drafts`, `@flagged`, `@important`, `@junk`, `@sent`, `@trash`."
                .into(),
        ),
        (
            "sync={folders=['!Spam']}",
            "6:7: accounts.work.sync.folders: takes no folder | Name the folders to take first, such as [\"*\", \"!Spam\"]."
                .into(),
        ),
        (
            "sync={mirror='both'}",
            "6:14: accounts.work.sync.mirror: “both” is not known | Write one of `local`, `remote`.".into(),
        ),
        (
            "sync={mirror='local',flags='none'}",
            "6:7: accounts.work.sync.mirror: says what `flags` says too | Remove `mirror`, or `create`, `delete`, `flags` \
             and `remove_folders`."
                .into(),
        ),
        (
            "sync={trash='@junk'}",
            "6:13: accounts.work.sync.trash: “@junk” cannot be the trash | Write `trash = \"@trash\"`, or a folder's name \
             such as \"Deleted/Old\"."
                .into(),
        ),
        (
            "sync={trash='a//b'}",
            "6:13: accounts.work.sync.trash: “a//b” cannot be the trash | Write `trash = \"@trash\"`, or a folder's name \
             such as \"Deleted/Old\"."
                .into(),
        ),
        (
            "sync={max_age=90}",
            "6:15: accounts.work.sync.max_age: expected a text, found a whole number | Write a text in quotes: `max_age = \
             \"…\"`."
                .into(),
        ),
        (
            "mirror='local'",
            "6:1: accounts.work.mirror: unknown key | Write it under `[accounts.work.sync]`.".into(),
        ),
        (
            "sync={max_delete={percent=101}}",
            "6:27: accounts.work.sync.max_delete.percent: 101 is out of range | Write a number from 0 to 100.".into(),
        ),
        (
            "sync={connections=0}",
            "6:19: accounts.work.sync.connections: 0 is out of range | Write a number from 1 to 16.".into(),
        ),
        (
            "sync={max_delete={percents=1}}",
            "6:19: accounts.work.sync.max_delete.percents: unknown key | Did you mean `percent`? Known keys here: `count`, \
             `percent`."
                .into(),
        ),
    ];
    for (line, complaint) in table {
        assert_eq!(told(&imap(line)), format!("/etc/mf/c.toml:{complaint}"), "{line}");
    }
}

#[test]
fn bad_files_are_told_with_place_and_remedy() {
    let work = imap("");
    let table: &[(String, &str)] = &[
        (
            "[accounts.work]\n[accounts.work]\n".into(),
            "2:11: not valid TOML: duplicate key | Mend the line: `key = \"text\"`, with texts and odd names in quotes, and no \
             key twice.",
        ),
        (
            "password = { value = 'hunter2 }\n".into(),
            "1:32: not valid TOML: unclosed inline table, expected `}` | Mend the line: `key = \"text\"`, with texts and odd \
             names in quotes, and no key twice.",
        ),
        (
            "[account.work]\n".into(),
            "1:2: account: unknown key | Did you mean `accounts`? Known keys here: `accounts`.",
        ),
        (
            "accounts = 1".into(),
            "1:12: accounts: expected a table, found a whole number | Write a table: `[accounts]`, with its keys below.",
        ),
        (
            "[accounts]\nwork = 'x'".into(),
            "2:8: accounts.work: expected a table, found a text | Write a table: `[accounts.work]`, with its keys below.",
        ),
        (
            work.replace("accounts.work", "accounts.\"a b\""),
            "1:11: accounts.\"a b\": not fit for an account's name | Use up to 64 letters a-z, digits, `-`, `_`, `.` and `@`, \
             with a letter or digit first.",
        ),
        (
            work.replace("accounts.work", "accounts.\"../x\""),
            "1:11: accounts.\"../x\": not fit for an account's name | Use up to 64 letters a-z, digits, `-`, `_`, `.` and `@`, \
             with a letter or digit first.",
        ),
        (
            work.replace("'imap'", "'imaps'"),
            "2:10: accounts.work.protocol: “imaps” is not known | Did you mean `imap`? Write one of `imap`, `pop3`.",
        ),
        (
            work.replace("host='h.example'\n", ""),
            "1:11: accounts.work.host: missing | Write the server's name: `host = \"imap.example.com\"`, or a `provider`.",
        ),
        (
            work.replace("user='u'\n", ""),
            "1:11: accounts.work.user: missing | Write the name you log in with, often the whole mail address: `user = \
             \"me@example.com\"`.",
        ),
        (
            work.replace("store={kind='maildir',path='/m'}\n", ""),
            "1:11: accounts.work.store: missing | Add a table `[accounts.work.store]` with `kind` and `path`.",
        ),
        (
            work.replace("h.example", "h.example:993"),
            "3:6: accounts.work.host: “h.example:993” is not a host name | Write the name alone, such as `imap.example.com`; \
             the port goes to `port`.",
        ),
        (
            work.replace("'u'", "\"u\\r\\nx\""),
            "4:6: accounts.work.user: holds a control character | Write the name you log in with, without it.",
        ),
        (
            work.replace("maildir", "archive"),
            "5:13: accounts.work.store.kind: archives are not available in this version | Write `kind = \"maildir\"` or `kind \
             = \"mbox\"`.",
        ),
        (
            work.replace("'maildir'", "'mbox',layout='nested'"),
            "5:20: accounts.work.store.layout: belongs to Maildir | Remove it, or write `kind = \"maildir\"`.",
        ),
        (
            work.replace(",path='/m'", ""),
            "5:1: accounts.work.store.path: missing | Write where the mail goes: `path = \"~/Mail/work\"`.",
        ),
        (
            pop3("pull={folders=['INBOX']}"),
            "6:7: accounts.work.pull.folders: POP3 knows no folders | Remove it, or write `protocol = \"imap\"`.",
        ),
        (
            imap("auth='login'\nauth_user='admin'"),
            "7:1: accounts.work.auth_user: a log-in by `auth = \"login\"` carries one name, not two | Write `auth = \"plain\"`, or leave \
             `auth` out; or, on Dovecot with master users, write both names as the user: `alice*admin`.",
        ),
        (
            imap("pipelining=false"),
            "6:1: accounts.work.pipelining: every IMAP server takes commands in a row | Remove it.",
        ),
        (pop3("compress=true"), "6:1: accounts.work.compress: POP3 knows no compression | Remove it."),
        (
            pop3("[accounts.work.sync]"),
            "6:16: accounts.work.sync: POP3 goes one way only | Remove this table, or write `protocol = \"imap\"`.",
        ),
        (
            imap("sync={}").replace("maildir", "mbox"),
            "6:1: accounts.work.sync: two ways need a Maildir | Remove this table, or write `kind = \"maildir\"`.",
        ),
        (
            pop3("provider='icloud'").replace("host='h.example'\n", ""),
            "5:1: accounts.work.provider: offers no POP3 | Write `protocol = \"imap\"`, or name a `host`.",
        ),
        (
            format!("{work}{}", work.replace("accounts.work", "accounts.Work").replace("/m", "/n")),
            "7:11: accounts.Work: differs from `work` in case only | Rename one of the two accounts.",
        ),
        (
            {
                let pop3 = pop3("");
                format!("{pop3}{}", pop3.replace("accounts.work", "accounts.home").replace("maildir", "mbox"))
            },
            "7:11: accounts.home: its store is also the store of `work` (line 1) | Give it another `path`, or the same \
             `kind` and `layout`.",
        ),
        (
            format!("{work}{}", work.replace("accounts.work", "accounts.home")),
            "7:11: accounts.home: its store is also the store of `work` (line 1) | Give it another `path`: a Maildir that \
             can be synced belongs to one account.",
        ),
        (
            format!("{work}{}", pop3("").replace("accounts.work", "accounts.home")),
            "7:11: accounts.home: its store is also the store of `work` (line 1) | Give it another `path`: a Maildir that \
             can be synced belongs to one account.",
        ),
    ];
    for (text, complaint) in table {
        assert_eq!(told(text), format!("/etc/mf/c.toml:{complaint}"), "{text}");
    }
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_lines() {
    assert_eq!(
        told("[accounts.a]\nprotocol = \"imap\"\nprot = 1\n[accounts.b]\nhost = 1\nprovider = 'gmail'\n"),
        "/etc/mf/c.toml has 8 problems\n\
         /etc/mf/c.toml:1:11: accounts.a.host: missing. Write the server's name: `host = \"imap.example.com\"`, or a \
         `provider`.\n\
         /etc/mf/c.toml:1:11: accounts.a.user: missing. Write the name you log in with, often the whole mail address: `user = \
         \"me@example.com\"`.\n\
         /etc/mf/c.toml:1:11: accounts.a.store: missing. Add a table `[accounts.a.store]` with `kind` and `path`.\n\
         /etc/mf/c.toml:3:1: accounts.a.prot: unknown key. Did you mean `port`? Known keys here: `allow_cleartext`, `auth`, \
         `auth_user`, `ca_file`, `compress`, `host`, `password`, `pin_sha256`, `pipelining`, `port`, `protocol`, `provider`, `pull`, `store`, `sync`, `timeout`, `tls`, \
         `user`.\n\
         /etc/mf/c.toml:4:11: accounts.b.protocol: missing. Write `protocol = \"imap\"` or `protocol = \"pop3\"`.\n\
         /etc/mf/c.toml:4:11: accounts.b.user: missing. Write the name you log in with, often the whole mail address: `user = \
         \"me@example.com\"`.\n\
         /etc/mf/c.toml:4:11: accounts.b.store: missing. Add a table `[accounts.b.store]` with `kind` and `path`.\n\
         /etc/mf/c.toml:5:8: accounts.b.host: expected a text, found a whole number. Write a text in quotes: `host = \"…\"`. \
         | Mend these lines, then run again."
    );
}

#[test]
fn an_empty_file_is_answered_with_an_example_that_works() {
    for empty in ["", "# nothing\n", "[accounts]\n"] {
        let e = parse(empty).unwrap_err();
        assert_eq!(e.to_string(), "/etc/mf/c.toml names no account", "{empty:?}");
        let (advice, example) = e.remedy().split_once('\n').unwrap();
        assert!(advice.contains("mailferry pull imaps://USER@HOST --to maildir:PATH"));
        assert_eq!(only(example).name, "work");
    }
}
