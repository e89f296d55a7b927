//! The folders of an account, listed and changed.

use super::*;
use crate::error::{Kind, Scope};
use crate::imap::{Folder, FolderStatus, Tree};
use crate::mail::{FolderName, FolderPattern, Role};

fn name(text: &str) -> FolderName {
    FolderName::parse(text).unwrap()
}

fn shown(tree: &Tree) -> Vec<String> {
    let one = |f: &Folder| {
        let status = f.status.map(|s| (s.messages, s.uidnext, s.uidvalidity, s.highestmodseq));
        format!("{}={} {:?} {:?} {status:?}", f.name, String::from_utf8_lossy(&f.wire), f.role, f.subscribed)
    };
    tree.folders().map(one).collect()
}

const FULL: &str = "IMAP4rev1 NAMESPACE LIST-EXTENDED LIST-STATUS SPECIAL-USE CONDSTORE";
const DOTTED: (&str, &str) = ("NAMESPACE", "* NAMESPACE ((\"INBOX.\" \".\")) NIL NIL\r\n{tag} OK done\r\n");
const LISTED: &str = "* LIST (\\Subscribed \\HasChildren) \".\" INBOX\r\n\
                      * STATUS INBOX (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7 HIGHESTMODSEQ 12)\r\n\
                      * LIST (\\Noselect) \".\" INBOX.Lists\r\n\
                      * STATUS INBOX.Sent (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 8 HIGHESTMODSEQ 1)\r\n\
                      * LIST (\\Sent) \".\" \"INBOX.Sent\"\r\n\
                      * LIST (\\NonExistent \\Subscribed) \".\" \"INBOX.Gone\"\r\n{tag} OK done\r\n";

#[tokio::test]
async fn one_group_of_commands_tells_all() {
    let (pipe, task) = scripted(FULL, &[DOTTED, ("LIST", LISTED)]);
    let mut imap = logged_in(pipe).await.unwrap();
    let tree = imap.tree(true).await.unwrap();
    let expected = [
        "INBOX=INBOX None Some(true) Some((Some(3), Some(9), Some(7), Some(12)))",
        "Sent=INBOX.Sent Some(Sent) Some(false) Some((Some(0), Some(1), Some(8), Some(1)))",
    ];
    assert_eq!((shown(&tree), tree.is_cut_short()), (expected.map(str::to_owned).to_vec(), false));
    assert_eq!(tree.get(&name("Sent")).unwrap().role, Some(Role::Sent));
    drop(imap);
    let list = "LIST \"\" \"*\" RETURN (SUBSCRIBED SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))";
    assert_eq!(heard(task).await, ["NAMESPACE", list]);
}

#[tokio::test]
async fn without_extensions_it_is_the_same_with_less() {
    let plain = "* LIST () \"/\" a\r\n* LIST () \"/\" b\r\n{tag} OK done\r\n";
    let lsub = "* LSUB () \"/\" b\r\n* LSUB () \"/\" gone\r\n{tag} OK done\r\n";
    for (capabilities, script, subscribed, expected, commands) in [
        ("IMAP4rev1", vec![("LIST", plain)], false, [None, None], vec!["LIST \"\" \"*\""]),
        (
            "IMAP4rev1",
            vec![("LIST", plain), ("LSUB", lsub)],
            true,
            [Some(false), Some(true)],
            vec!["LIST \"\" \"*\"", "LSUB \"\" \"*\""],
        ),
        // Offered and refused.
        (
            "IMAP4rev1 LIST-EXTENDED NAMESPACE",
            vec![("LIST \"\" \"*\" RETURN", "{tag} BAD eh\r\n"), ("LIST", plain), ("NAMESPACE", "{tag} NO x\r\n")],
            false,
            [None, None],
            vec!["NAMESPACE", "LIST \"\" \"*\" RETURN (SUBSCRIBED)", "NAMESPACE", "LIST \"\" \"*\""],
        ),
    ] {
        let (pipe, task) = scripted(capabilities, &script);
        let mut imap = logged_in(pipe).await.unwrap();
        let tree = imap.tree(subscribed).await.unwrap();
        assert_eq!(tree.folders().map(|f| f.subscribed).collect::<Vec<_>>(), expected);
        assert!(tree.folders().all(|f| f.status.is_none() && f.role.is_none()));
        drop(imap);
        assert_eq!(heard(task).await, commands);
    }
}

#[tokio::test]
async fn names_are_utf_8_where_the_server_knows_nothing_else() {
    for (capabilities, raw, wire) in [
        ("IMAP4rev2", "R&D/\u{fc}", "R&D/\u{fc}"),
        ("IMAP4rev1", "R&-D/&APw-", "R&-D/&APw-"),
        // Who speaks both is never told that UTF-8 is understood.
        ("IMAP4rev1 IMAP4rev2 UTF8=ACCEPT", "R&-D/&APw-", "R&-D/&APw-"),
        // Some list UTF-8 all the same; it goes back as it came.
        ("IMAP4rev1", "R&D/\u{fc}", "R&D/\u{fc}"),
    ] {
        let (pipe, task) =
            serve(&format!("* OK [CAPABILITY {capabilities}] hi\r\n"), usize::MAX, move |tag, command| {
                let list =
                    if command.starts_with("LIST") { format!("* LIST () \"/\" \"{raw}\"\r\n") } else { String::new() };
                let told =
                    if command.starts_with("LOGIN") { format!("[CAPABILITY {capabilities}] ") } else { String::new() };
                format!("{list}{tag} OK {told}x\r\n").into_bytes()
            });
        let mut imap = logged_in(pipe).await.unwrap();
        let tree = imap.tree(false).await.unwrap();
        let folder = tree.get(&name("R&D/\u{fc}")).unwrap().clone();
        imap.remove_folder(&folder).await.unwrap();
        imap.create_folder(&name("a&b")).await.unwrap();
        drop(imap);
        let commands = heard(task).await;
        let written = |verb: &str| {
            let command = commands.iter().find(|c| c.starts_with(verb)).unwrap().replace("\r\n", " ");
            command.rsplit(' ').next().unwrap().trim_matches('"').to_owned()
        };
        assert_eq!(written("DELETE"), wire, "{capabilities}: {commands:?}");
        let utf8 = capabilities == "IMAP4rev2";
        assert_eq!(written("CREATE"), if utf8 { "a&b" } else { "a&-b" }, "{capabilities}: {commands:?}");
    }
}

#[tokio::test]
async fn a_list_that_is_refused_is_an_error_and_a_broken_one_is_told() {
    for (answer, kind) in [
        ("{tag} NO [UNAVAILABLE] x\r\n", Some(Kind::TryLater)),
        ("{tag} NO x\r\n", Some(Kind::Unavailable)),
        ("* LIST () \"/\" a\r\n* LIST broken\r\n{tag} OK x\r\n", None),
    ] {
        let (pipe, _) = scripted(FULL, &[("LIST", answer)]);
        let result = logged_in(pipe).await.unwrap().tree(false).await;
        match kind {
            Some(kind) => assert_eq!(result.unwrap_err().kind(), kind, "{answer}"),
            None => assert!(result.unwrap().is_cut_short(), "{answer}"),
        }
    }
}

#[tokio::test]
async fn patterns_of_a_pull_do_not_know_the_prefix_either() {
    let script = [DOTTED, ("LIST", LISTED), ("EXAMINE", "* 0 EXISTS\r\n{tag} OK x\r\n")];
    let (pipe, task) = scripted("IMAP4rev1 NAMESPACE", &script);
    let mut imap = logged_in(pipe).await.unwrap();
    let patterns = ["Sent", "Later/x"].map(|p| FolderPattern::parse(p).unwrap());
    let folders = imap.folders(&patterns).await.unwrap();
    let wires: Vec<_> = folders.iter().map(|f| String::from_utf8_lossy(&f.wire).into_owned()).collect();
    assert_eq!(wires, ["INBOX.Later.x", "INBOX.Sent"]);
    imap.open_folder(&folders[1], false).await.unwrap();
    drop(imap);
    assert_eq!(heard(task).await, ["NAMESPACE", "LIST \"\" \"*\"", "EXAMINE \"INBOX.Sent\""]);
}

#[tokio::test]
async fn folders_are_created_renamed_and_removed() {
    let (pipe, task) = scripted(
        "IMAP4rev1 NAMESPACE",
        &[DOTTED, ("LIST", LISTED), ("CREATE \"INBOX.Sent\"", "{tag} NO [ALREADYEXISTS] x\r\n")],
    );
    let mut imap = logged_in(pipe).await.unwrap();
    let created = imap.create_folder(&name("a/B\u{fc}ro \"x\"")).await.unwrap();
    let expected =
        Folder { name: name("a/B\u{fc}ro \"x\""), wire: b"INBOX.a.B&APw-ro \"x\"".to_vec(), ..created.clone() };
    assert_eq!((created.status, created.clone()), (None::<FolderStatus>, expected));
    let sent = imap.create_folder(&name("Sent")).await.unwrap();
    let unheard = imap.create_folder(&name("v1.2")).await.unwrap_err();
    assert_eq!((unheard.kind(), unheard.scope()), (Kind::Unavailable, Scope::Folder));
    let renamed = imap.rename_folder(&created, &name("b")).await.unwrap();
    assert_eq!((&renamed.name, &*renamed.wire), (&name("b"), &b"INBOX.b"[..]));
    imap.remove_folder(&renamed).await.unwrap();
    imap.remove_folder(&sent).await.unwrap();
    drop(imap);
    let commands = heard(task).await;
    let changes: Vec<_> = commands.iter().filter(|c| !c.starts_with("LIST") && *c != "NAMESPACE").collect();
    assert_eq!(
        changes,
        [
            "CREATE \"INBOX.a.B&APw-ro \\\"x\\\"\"",
            "SUBSCRIBE \"INBOX.a.B&APw-ro \\\"x\\\"\"",
            "CREATE \"INBOX.Sent\"",
            "SUBSCRIBE \"INBOX.Sent\"",
            "RENAME \"INBOX.a.B&APw-ro \\\"x\\\"\" \"INBOX.b\"",
            "UNSUBSCRIBE \"INBOX.a.B&APw-ro \\\"x\\\"\"",
            "SUBSCRIBE \"INBOX.b\"",
            "DELETE \"INBOX.b\"",
            "UNSUBSCRIBE \"INBOX.b\"",
            "DELETE \"INBOX.Sent\"",
            "UNSUBSCRIBE \"INBOX.Sent\"",
        ]
    );
}

#[tokio::test]
async fn a_change_that_is_refused_ends_its_folder_only() {
    let (pipe, _) = scripted(
        "IMAP4rev1",
        &[
            ("LIST", "* LIST () \"/\" a\r\n{tag} OK x\r\n"),
            ("CREATE", "{tag} NO [NOPERM] x\r\n"),
            ("DELETE", "{tag} NO [HASCHILDREN] x\r\n"),
            ("RENAME", "{tag} NO x\r\n"),
        ],
    );
    let mut imap = logged_in(pipe).await.unwrap();
    let a = imap.tree(false).await.unwrap().get(&name("a")).unwrap().clone();
    let errors = [
        imap.create_folder(&name("b")).await.unwrap_err(),
        imap.remove_folder(&a).await.unwrap_err(),
        imap.rename_folder(&a, &name("c")).await.unwrap_err(),
    ];
    assert!(errors.iter().all(|e| e.scope() == Scope::Folder));
    assert!(errors[1].to_string().contains("refused to remove the folder a: \u{201c}x\u{201d}"), "{}", errors[1]);
}
