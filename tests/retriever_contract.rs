//! What the trait `Retriever` promises, asked of POP3 and IMAP on a real Dovecot, through the library.

mod lockstep;
mod sources;

use crate::support::dovecot::{Dovecot, Storage, User};
use crate::support::mail;
use crate::support::server::Protocol;
use crate::support::stored::assert_same_mail;
use mailferry::error::Result;
use mailferry::mail::{Envelope, Fingerprint};
use mailferry::retrieve::{Handle, Intake, Listing, Retriever};
use std::collections::BTreeSet;

/// A protocol, with a server that speaks it. Each user it is asked about lives on that server.
trait Source {
    /// What is there after log-in.
    type Connection;
    /// What the promises are about.
    type Session<'c>: Retriever;

    fn dovecot(&self) -> &'static Dovecot;

    /// Where messages can be deleted selectively while other clients have marked theirs.
    fn expunges_by_uid(&self) -> bool {
        true
    }

    fn protocol(&self) -> Protocol;

    /// What the server sends of a message that was delivered to it.
    fn sends(&self, message: &[u8]) -> Vec<u8> {
        Dovecot::sends(self.protocol(), message)
    }

    async fn connect(&self, user: &User<'_>) -> Self::Connection;

    /// Opens the inbox for reading and deleting; once on each connection.
    async fn open<'c>(&self, connection: &'c mut Self::Connection) -> Self::Session<'c>;

    /// A user whose inbox holds messages.
    fn holding(&self, messages: &[Vec<u8>]) -> User<'static> {
        let user = self.dovecot().user();
        user.deliver("INBOX", messages);
        user
    }
}

/// Takes messages, and insists on the order of calls that an intake is promised.
#[derive(Debug, Default)]
struct Arrivals {
    whole: Vec<(Handle, Vec<u8>)>,
    refused: Vec<Handle>,
    gone: Vec<Handle>,
    open: Option<(Handle, Vec<u8>)>,
}

impl Intake for Arrivals {
    async fn begin(&mut self, handle: Handle, _: Envelope) -> Result<()> {
        assert_eq!(self.open.replace((handle, Vec::new())), None, "one message begins inside another");
        Ok(())
    }

    async fn chunk(&mut self, bytes: &[u8]) -> Result<()> {
        self.open.as_mut().expect("no message was begun").1.extend_from_slice(bytes);
        Ok(())
    }

    async fn end(&mut self) -> Result<()> {
        self.whole.push(self.open.take().expect("no message was begun"));
        Ok(())
    }

    async fn refused(&mut self, handle: Handle, reason: String) -> Result<()> {
        assert!(!reason.is_empty());
        self.open.take_if(|(h, _)| *h == handle);
        self.refused.push(handle);
        Ok(())
    }

    async fn gone(&mut self, handle: Handle) -> Result<()> {
        self.gone.push(handle);
        Ok(())
    }
}

impl Arrivals {
    fn handles(&self) -> Vec<Handle> {
        self.whole.iter().map(|(h, _)| *h).collect()
    }

    fn bytes(self) -> Vec<Vec<u8>> {
        assert_eq!(self.open, None, "a message was begun and never ended");
        self.whole.into_iter().map(|(_, bytes)| bytes).collect()
    }
}

fn handles(listing: &Listing) -> Vec<Handle> {
    listing.messages.iter().map(|l| l.handle).collect()
}

/// A whole session that only lists.
async fn listing(source: &impl Source, user: &User<'_>) -> Listing {
    let mut connection = source.connect(user).await;
    let mut session = source.open(&mut connection).await;
    let listing = session.list().await.unwrap();
    assert_eq!(session.finish().await.unwrap().notes, [""; 0]);
    listing
}

/// What the server holds now, as it stores it.
fn left(user: &User<'_>) -> Vec<Vec<u8>> {
    user.messages("INBOX").into_iter().map(|m| m.bytes).collect()
}

async fn lists_oldest_first_under_lasting_names(source: impl Source) {
    let messages: Vec<Vec<u8>> = [mail::ordinary(30), mail::nasty_bytes()].concat();
    let user = source.holding(&messages);
    let listing = listing(&source, &user).await;
    let sizes: Vec<u64> = listing.messages.iter().map(|l| l.size.unwrap()).collect();
    // Dovecot leaves out the line end that POP3 adds to the last line.
    let sent: Vec<u64> = messages.iter().map(|m| Dovecot::sends(Protocol::Imap, m).len() as u64).collect();
    assert_eq!(sizes, sent);
    let keys: BTreeSet<_> = listing.messages.iter().map(|l| l.key.clone().unwrap()).collect();
    assert_eq!(keys.len(), messages.len());
    assert!(handles(&listing).is_sorted());

    let mut connection = source.connect(&user).await;
    let mut session = source.open(&mut connection).await;
    let scope = session.source().scope.clone();
    assert!(scope.contains(&user.name) && scope.contains("127.0.0.1"), "{scope}");
    let again = session.list().await.unwrap();
    assert_eq!(again.messages, listing.messages, "in another session");
    assert_eq!(session.list().await.unwrap().messages, listing.messages, "twice in one session");
    session.finish().await.unwrap();
}

async fn names_stay_when_other_messages_go(source: impl Source) {
    let user = source.holding(&mail::ordinary(5));
    let before = listing(&source, &user).await;
    user.doveadm(&["expunge", "-u", &user.name, "mailbox", "INBOX", "uid", "2"]);
    let after = listing(&source, &user).await;
    let keys = |l: &Listing| l.messages.iter().map(|l| (l.key.clone(), l.size)).collect::<Vec<_>>();
    let mut expected = keys(&before);
    expected.remove(1);
    assert_eq!(keys(&after), expected);
}

async fn every_message_arrives_byte_identical(source: impl Source) {
    let mut messages = mail::nasty_bytes();
    messages.insert(3, mail::large(1_300_000));
    let user = source.holding(&messages);
    let before = left(&user);
    let mut connection = source.connect(&user).await;
    let mut session = source.open(&mut connection).await;
    let wanted = handles(&session.list().await.unwrap());
    let mut arrivals = Arrivals::default();
    session.retrieve(&wanted, &mut arrivals).await.unwrap();
    session.finish().await.unwrap();
    assert_eq!((arrivals.handles(), arrivals.refused.len()), (wanted, 0));
    let expected: Vec<Vec<u8>> = messages.iter().map(|m| source.sends(m)).collect();
    let found = arrivals.bytes();
    assert_same_mail(&found, &expected);
    assert_eq!(found, expected, "in this order");
    assert_same_mail(&left(&user), &before);
}

async fn messages_come_in_the_order_asked_for(source: impl Source) {
    let user = source.holding(&mail::ordinary(12));
    let mut connection = source.connect(&user).await;
    let mut session = source.open(&mut connection).await;
    let all = handles(&session.list().await.unwrap());
    let wanted: Vec<Handle> = [4, 5, 6, 11, 0, 1, 9, 8, 2].map(|i| all[i]).to_vec();
    let mut arrivals = Arrivals::default();
    session.retrieve(&wanted, &mut arrivals).await.unwrap();
    session.finish().await.unwrap();
    assert_eq!(arrivals.handles(), wanted);
}

async fn a_message_that_is_not_there_keeps_no_other_back(source: impl Source) {
    let messages = mail::ordinary(6);
    let user = source.holding(&messages);
    let mut connection = source.connect(&user).await;
    let mut session = source.open(&mut connection).await;
    let mut wanted = handles(&session.list().await.unwrap());
    for (place, missing) in [(0, 71), (3, 72), (8, 73)] {
        wanted.insert(place, Handle(missing));
    }
    let mut arrivals = Arrivals::default();
    session.retrieve(&wanted, &mut arrivals).await.unwrap();
    let missing = [71, 72, 73].map(Handle).to_vec();
    let (refused, gone) = if source.protocol() == Protocol::Pop3 { (missing, vec![]) } else { (vec![], missing) };
    assert_eq!((&arrivals.refused, &arrivals.gone), (&refused, &gone));
    assert_eq!(arrivals.bytes(), messages);
    // The session goes on.
    assert_eq!(session.list().await.unwrap().messages.len(), 6);
    session.finish().await.unwrap();
}

async fn retrieving_changes_nothing_on_the_server(source: impl Source) {
    let user = source.dovecot().user_with(Storage::Maildir, &[("pop3_no_flag_updates", "yes")]);
    let messages = [mail::ordinary(3), vec![mail::large(1_300_000)]].concat();
    user.deliver("INBOX", &messages);
    let when = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    user.deliver_as("INBOX", &mail::message(8, "flagged\r\n"), "FR", when);
    let before = listing(&source, &user).await;
    let mut connection = source.connect(&user).await;
    let mut session = source.open(&mut connection).await;
    let wanted = handles(&session.list().await.unwrap());
    session.fingerprints(&wanted).await.unwrap();
    let mut arrivals = Arrivals::default();
    session.retrieve(&wanted, &mut arrivals).await.unwrap();
    session.finish().await.unwrap();
    drop(connection);
    assert_eq!(arrivals.whole.len(), 5);
    assert_eq!(user.flags("INBOX"), ["", "", "", "", "\\Answered \\Flagged"]);
    assert_eq!(listing(&source, &user).await, before);
}

async fn fingerprints_are_those_of_the_content(source: impl Source) {
    let messages = [mail::nasty_bytes(), mail::ordinary(3)].concat();
    let user = source.holding(&messages);
    let mut connection = source.connect(&user).await;
    let mut session = source.open(&mut connection).await;
    assert!(session.abilities().headers_apart);
    let all = handles(&session.list().await.unwrap());
    let mut wanted = all.clone();
    wanted.insert(2, Handle(99));
    let prints = session.fingerprints(&wanted).await.unwrap();
    session.finish().await.unwrap();
    let expected = all.iter().zip(&messages).map(|(h, m)| (*h, Fingerprint::of_header(&source.sends(m)))).collect();
    assert_eq!(prints, expected);
}

async fn what_is_disposed_of_is_gone_and_nothing_else(source: impl Source) {
    let messages = mail::ordinary(9);
    let user = source.holding(&messages);
    let mut connection = source.connect(&user).await;
    let mut session = source.open(&mut connection).await;
    let all = handles(&session.list().await.unwrap());
    let mut arrivals = Arrivals::default();
    session.retrieve(&all, &mut arrivals).await.unwrap();
    session.dispose(&[all[1], all[2], all[6]]).await.unwrap();
    session.dispose(&[all[8]]).await.unwrap();
    assert_eq!(left(&user).len(), 9, "before the session is finished");
    assert_eq!(session.finish().await.unwrap().notes, [""; 0]);
    let expected: Vec<Vec<u8>> = [0, 3, 4, 5, 7].map(|i| mail::with_lf(&messages[i])).to_vec();
    assert_same_mail(&left(&user), &expected);
}

async fn dropped_unfinished_it_has_deleted_nothing(source: impl Source) {
    let messages = mail::ordinary(4);
    let user = source.holding(&messages);
    let before = listing(&source, &user).await;
    let mut connection = source.connect(&user).await;
    let mut session = source.open(&mut connection).await;
    let all = handles(&session.list().await.unwrap());
    session.dispose(&all).await.unwrap();
    drop(session);
    drop(connection);
    assert_eq!(listing(&source, &user).await, before);
    assert_eq!(left(&user).len(), 4);
}

async fn an_empty_mailbox_is_no_trouble(source: impl Source) {
    let user = source.holding(&[]);
    let mut connection = source.connect(&user).await;
    let mut session = source.open(&mut connection).await;
    assert_eq!(session.list().await.unwrap().messages, []);
    let mut arrivals = Arrivals::default();
    session.retrieve(&[], &mut arrivals).await.unwrap();
    session.dispose(&[]).await.unwrap();
    assert_eq!(session.finish().await.unwrap().notes, [""; 0]);
    assert_eq!((arrivals.whole.len(), arrivals.refused.len()), (0, 0));
}

async fn deletions_of_other_clients_stay_theirs(source: impl Source) {
    let messages = mail::ordinary(3);
    let user = source.dovecot().user();
    let when = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    for (message, flags) in messages.iter().zip(["", "T", ""]) {
        user.deliver_as("INBOX", message, flags, when);
    }
    let mut connection = source.connect(&user).await;
    let mut session = source.open(&mut connection).await;
    let all = handles(&session.list().await.unwrap());
    session.dispose(&all[..1]).await.unwrap();
    let finished = session.finish().await.unwrap();
    drop(connection);
    let kept = if source.expunges_by_uid() { 1 } else { 0 };
    let expected: Vec<Vec<u8>> = messages[kept..].iter().map(|m| mail::with_lf(m)).collect();
    assert_same_mail(&left(&user), &expected);
    // What was only marked is told.
    assert_eq!(finished.notes.len(), 1 - kept, "{finished:?}");
    assert!(finished.notes.iter().all(|n| n.contains("1 messages are marked as deleted")), "{finished:?}");
}
