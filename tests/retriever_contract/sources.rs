//! Who has to keep the contract: both protocols, each with and without the extensions that make it fast.

use super::lockstep::Lockstep;
use super::*;
use mailferry::credentials::{Login, Secret};
use mailferry::imap::{Imap, ImapFolder};
use mailferry::mail::FolderPattern;
use mailferry::net::{AuthChoice, Server, Stream, TlsMode};
use mailferry::pop3::Pop3;
use mailferry::{imap, pop3};
use std::sync::OnceLock;
use std::time::Duration;

fn server(dovecot: &Dovecot, port: u16, tls: TlsMode) -> Server {
    Server {
        host: "127.0.0.1".to_owned(),
        port,
        tls,
        ca_file: (tls != TlsMode::None).then(|| dovecot.ca_file()),
        pins: Vec::new(),
        allow_cleartext: false,
        compress: None,
        pipelining: true,
        timeout: Duration::from_secs(20),
    }
}

fn login(user: &User<'_>) -> Login {
    Login::new(&user.name, Secret::new(user.password.clone()))
}

/// POP3 as Dovecot offers it.
struct Pipelined;

impl Source for Pipelined {
    type Connection = Option<Pop3<Stream>>;
    type Session<'c> = Pop3<Stream>;

    fn dovecot(&self) -> &'static Dovecot {
        Dovecot::shared()
    }

    fn protocol(&self) -> Protocol {
        Protocol::Pop3
    }

    async fn connect(&self, user: &User<'_>) -> Option<Pop3<Stream>> {
        let server = server(self.dovecot(), self.dovecot().pop3s_port, TlsMode::Implicit);
        Some(pop3::open(&server, &login(user), AuthChoice::Auto).await.unwrap())
    }

    async fn open(&self, connection: &mut Option<Pop3<Stream>>) -> Pop3<Stream> {
        connection.take().unwrap()
    }
}

/// POP3 on a server that does not offer PIPELINING.
struct OneByOne;

impl Source for OneByOne {
    type Connection = Option<Pop3<Stream>>;
    type Session<'c> = Pop3<Stream>;

    fn dovecot(&self) -> &'static Dovecot {
        Dovecot::shared()
    }

    fn protocol(&self) -> Protocol {
        Protocol::Pop3
    }

    async fn connect(&self, user: &User<'_>) -> Option<Pop3<Stream>> {
        static BETWEEN: OnceLock<Lockstep> = OnceLock::new();
        let between = BETWEEN.get_or_init(|| Lockstep::before(Dovecot::shared().pop3_port));
        let server = server(self.dovecot(), between.port, TlsMode::None);
        Some(pop3::open(&server, &login(user), AuthChoice::Auto).await.unwrap())
    }

    async fn open(&self, connection: &mut Option<Pop3<Stream>>) -> Pop3<Stream> {
        connection.take().unwrap()
    }
}

/// IMAP with all that Dovecot offers, or with IMAP4rev1 alone.
struct OverImap {
    bare: bool,
}

impl Source for OverImap {
    type Connection = Imap<Stream>;
    type Session<'c> = ImapFolder<'c, Stream>;

    fn dovecot(&self) -> &'static Dovecot {
        static BARE: OnceLock<Dovecot> = OnceLock::new();
        if self.bare { BARE.get_or_init(|| Dovecot::start("imap_capability = IMAP4rev1\n")) } else { Dovecot::shared() }
    }

    fn expunges_by_uid(&self) -> bool {
        !self.bare
    }

    fn protocol(&self) -> Protocol {
        Protocol::Imap
    }

    async fn connect(&self, user: &User<'_>) -> Imap<Stream> {
        let server = server(self.dovecot(), self.dovecot().imap_port, TlsMode::StartTls);
        imap::open(&server, &login(user), AuthChoice::Auto).await.unwrap()
    }

    async fn open<'c>(&self, connection: &'c mut Imap<Stream>) -> ImapFolder<'c, Stream> {
        let inbox = connection.folders(&[FolderPattern::parse("INBOX").unwrap()]).await.unwrap().remove(0);
        connection.open_folder(&inbox, true).await.unwrap()
    }
}

/// One test for each promise.
macro_rules! keeps_the_contract {
    ($variant:ident, $source:expr; $($promise:ident)+) => {
        mod $variant {
            use super::*;
            $(#[tokio::test]
            async fn $promise() {
                crate::retriever_contract::$promise($source).await;
            })+
        }
    };
    ($($variant:ident: $source:expr;)+) => {$(
        keeps_the_contract! {
            $variant, $source;
            lists_oldest_first_under_lasting_names
            names_stay_when_other_messages_go
            every_message_arrives_byte_identical
            messages_come_in_the_order_asked_for
            a_message_that_is_not_there_keeps_no_other_back
            retrieving_changes_nothing_on_the_server
            fingerprints_are_those_of_the_content
            what_is_disposed_of_is_gone_and_nothing_else
            dropped_unfinished_it_has_deleted_nothing
            an_empty_mailbox_is_no_trouble
            deletions_of_other_clients_stay_theirs
        }
    )+};
}

keeps_the_contract! {
    pop3_pipelined: Pipelined;
    pop3_one_by_one: OneByOne;
    imap_in_full: OverImap { bare: false };
    imap4rev1_alone: OverImap { bare: true };
}

#[tokio::test]
async fn a_message_deleted_meanwhile_is_gone_over_imap() {
    let messages = mail::ordinary(5);
    for bare in [false, true] {
        let source = OverImap { bare };
        let user = source.holding(&messages);
        let mut connection = source.connect(&user).await;
        let mut session = source.open(&mut connection).await;
        let wanted = handles(&session.list().await.unwrap());
        user.doveadm(&["expunge", "-u", &user.name, "mailbox", "INBOX", "uid", "3"]);
        let mut arrivals = Arrivals::default();
        session.retrieve(&wanted, &mut arrivals).await.unwrap();
        session.finish().await.unwrap();
        assert_eq!((&*arrivals.gone, &*arrivals.refused), (&[wanted[2]][..], &[][..]));
        assert_eq!(arrivals.bytes(), [0, 1, 3, 4].map(|i| messages[i].clone()));
    }
}
