//! Messages that somebody else removes while a session goes on.

use super::*;
use crate::mail::FolderPattern;
use crate::retrieve::Retriever;

/// Retrieves all of a folder of three messages, the first two of which go after the listing. Gives what arrived and the
/// commands. `answer` may answer in place of the server, as long as it still has them in view.
async fn retrieved(mut answer: impl FnMut(&str, &str) -> Option<String> + Send + 'static) -> (Arrived, Vec<String>) {
    let mut store = Store::of(&[(1, b"a"), (2, b"b"), (3, b"c")]);
    let (pipe, task) = serve("* OK hi\r\n", usize::MAX, move |tag, command| {
        let out = answer(tag, command).map_or_else(|| store.answer(tag, command), String::into_bytes);
        store.messages.retain(|m| m.uid == 3 || !command.contains("RFC822.SIZE"));
        out
    });
    let mut imap = logged_in(pipe).await.unwrap();
    let folder = imap.folders(&[FolderPattern::parse("INBOX").unwrap()]).await.unwrap().remove(0);
    let mut folder = imap.open_folder(&folder, false).await.unwrap();
    let handles: Vec<_> = folder.list().await.unwrap().messages.iter().map(|m| m.handle).collect();
    let mut arrived = Arrived::default();
    folder.retrieve(&handles, &mut arrived).await.unwrap();
    drop(imap);
    (arrived, task.await.unwrap())
}

fn fates(arrived: &Arrived) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
    (arrived.uids(), arrived.gone.clone(), arrived.refused.iter().map(|r| r.0).collect())
}

#[tokio::test]
async fn messages_that_are_gone_are_not_asked_for_again() {
    let (arrived, commands) = retrieved(|_, _| None).await;
    assert_eq!(fates(&arrived), (vec![3], vec![1, 2], vec![]));
    assert_eq!(commands.iter().filter(|c| c.contains("BODY.PEEK")).count(), 1);
    assert_eq!(commands.last().unwrap(), "UID FETCH 1:2 (UID)");
}

#[tokio::test]
async fn a_refusal_because_they_are_gone_is_told_from_others() {
    let refusing = |tag: &str, command: &str| match command.contains("BODY.PEEK") && !command.contains(" 3 ") {
        true => Some(format!("{tag} NO [EXPUNGEISSUED] some are gone\r\n")),
        false => None,
    };
    assert_eq!(fates(&retrieved(refusing).await.0), (vec![3], vec![1, 2], vec![]));
}

#[tokio::test]
async fn a_message_that_is_still_there_or_of_which_nothing_is_told_is_refused() {
    for (told, gone) in [
        ("* 1 FETCH (UID 2)\r\n{tag} OK done\r\n", vec![1]),
        ("{tag} NO [UNAVAILABLE] x\r\n", vec![]),
        ("{tag} BAD x\r\n", vec![]),
        ("* 1 FETCH (FLAGS ())\r\n{tag} OK done\r\n", vec![]),
        ("* 1 FETCH nonsense\r\n{tag} OK done\r\n", vec![]),
    ] {
        let (arrived, _) =
            retrieved(move |tag, command| (command == "UID FETCH 1:2 (UID)").then(|| told.replace("{tag}", tag))).await;
        let refused = (1..=2).filter(|uid| !gone.contains(uid)).collect();
        assert_eq!(fates(&arrived), (vec![3], gone, refused), "{told}");
    }
}
