//! Folders on a Dovecot.

use super::*;
use mailferry::credentials::{Login, Secret};
use mailferry::imap::{Appended, Folder, FolderStatus, Imap, ImapFolder};
use mailferry::net::{AuthChoice, Server, Stream, TlsMode};
use mailferry::retrieve::{Intake, Retriever};
use mailferry::store::Outgoing;
use std::io::Cursor;
use std::marker::PhantomData;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// What a server offers.
pub trait Offer {
    fn dovecot() -> &'static Dovecot;
}

pub struct InFull;
pub struct WithoutMove;
pub struct Bare;

impl Offer for InFull {
    fn dovecot() -> &'static Dovecot {
        Dovecot::shared()
    }
}

impl Offer for WithoutMove {
    fn dovecot() -> &'static Dovecot {
        static ONE: OnceLock<Dovecot> = OnceLock::new();
        ONE.get_or_init(|| {
            Dovecot::start("imap_capability = IMAP4rev1 UIDPLUS LITERAL- NAMESPACE LIST-EXTENDED\nnamespace inbox {\n prefix = INBOX/\n}\n")
        })
    }
}

impl Offer for Bare {
    fn dovecot() -> &'static Dovecot {
        static ONE: OnceLock<Dovecot> = OnceLock::new();
        ONE.get_or_init(|| Dovecot::start("imap_capability = IMAP4rev1\n"))
    }
}

/// One account on such a server.
pub struct Account<O> {
    user: User<'static>,
    /// The keys that were put into each folder, as UIDs in their order.
    put: Mutex<HashMap<String, u32>>,
    offer: PhantomData<O>,
}

impl<O: Offer> Account<O> {
    async fn logged_in(&self) -> Imap<Stream> {
        let server = Server {
            host: "127.0.0.1".to_owned(),
            port: O::dovecot().imap_port,
            tls: TlsMode::StartTls,
            ca_file: Some(O::dovecot().ca_file()),
            pins: Vec::new(),
            allow_cleartext: false,
            compress: None,
            pipelining: true,
            timeout: Duration::from_secs(20),
        };
        let login = Login::new(&self.user.name, Secret::new(self.user.password.clone()));
        mailferry::imap::open(&server, &login, AuthChoice::Auto).await.unwrap()
    }
}

async fn found(imap: &mut Imap<Stream>, name: &str) -> Folder {
    imap.tree(false).await.unwrap().get(&folder(name)).unwrap_or_else(|| panic!("no folder {name}")).clone()
}

impl<O: Offer> Place for Account<O> {
    type Connection = Imap<Stream>;
    type Folder<'c> = ImapFolder<'c, Stream>;

    fn new() -> Account<O> {
        let user = O::dovecot().user();
        user.deliver("INBOX", &[]);
        user.deliver("Archive", &[]);
        Account { user, put: Mutex::default(), offer: PhantomData }
    }

    async fn connect(&self) -> Imap<Stream> {
        self.logged_in().await
    }

    async fn open<'c>(&self, connection: &'c mut Imap<Stream>, name: &str) -> ImapFolder<'c, Stream> {
        let folder = found(connection, name).await;
        connection.mailbox(&folder, true).await.unwrap()
    }

    fn put(&self, folder: &str, message: &[u8], letters: &str) {
        *self.put.lock().unwrap().entry(folder.to_owned()).or_default() += 1;
        let when = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        if let Some(plain) = letters.contains('P').then(|| letters.replace('P', "")) {
            // Dovecot keeps $Forwarded as a keyword.
            self.user.deliver_as(folder, message, &plain, when);
            let uid = self.put.lock().unwrap()[folder].to_string();
            self.user.doveadm(&[
                "flags",
                "add",
                "-u",
                &self.user.name,
                "$Forwarded",
                "mailbox",
                &self.own(folder),
                "uid",
                &uid,
            ]);
        } else {
            self.user.deliver_as(folder, message, letters, when);
        }
    }

    fn take_away(&self, folder: &str, n: usize) {
        self.user.doveadm(&["expunge", "-u", &self.user.name, "mailbox", &self.own(folder), "uid", &n.to_string()]);
    }

    fn holds_now(&self, folder: &str) -> Vec<(Vec<u8>, Marks)> {
        let args = ["-f", "json", "fetch", "-u", &self.user.name, "flags text", "mailbox", &self.own(folder)];
        let rows: Vec<serde_json::Value> = serde_json::from_str(&self.user.doveadm(&args)).unwrap();
        let one = |row: &serde_json::Value| {
            let mut marks = Marks::default();
            for flag in row["flags"].as_str().unwrap().split(' ') {
                marks.flags = marks.flags | Flags::from_imap(flag);
                marks.keywords.extend(Keyword::new(flag));
            }
            (mail::with_lf(row["text"].as_str().unwrap().as_bytes()), marks)
        };
        rows.iter().map(one).collect()
    }

    fn keeps(&self, message: &[u8]) -> Vec<u8> {
        Dovecot::sends(crate::support::server::Protocol::Imap, message)
    }
}

impl<O: Offer> Account<O> {
    /// What doveadm calls a folder.
    fn own(&self, folder: &str) -> String {
        let listed = self.user.doveadm(&["mailbox", "list", "-u", &self.user.name]);
        let prefixed = format!("INBOX/{folder}");
        if listed.lines().any(|l| l == prefixed) { prefixed } else { folder.to_owned() }
    }
}

fn outgoing(n: usize, body: &[u8], marks: Marks) -> Outgoing {
    let size = body.len() as u64;
    let body = Box::new(Cursor::new(body.to_vec()));
    Outgoing { key: Key::new(n.to_string()), marks, received_at: Some(1_234_567_890), size, body }
}

/// Uploads, and downloads what has arrived.
async fn uploads_arrive_whole<O: Offer>() {
    let account = Account::<O>::new();
    let mut messages = [mail::ordinary(150), vec![mail::large(3_000_000), mail::large(5000)]].concat();
    messages.push(mail::large(700_000));
    let mut imap = account.logged_in().await;
    let inbox = found(&mut imap, "INBOX").await;
    let mut inbox = imap.mailbox(&inbox, true).await.unwrap();
    let uidnext = inbox.uidnext().unwrap();
    let marked = |n: usize| if n.is_multiple_of(3) { marks("FS", &["work"]) } else { marks("", &[]) };
    let sent = messages.iter().enumerate().map(|(n, m)| Ok(outgoing(n, m, marked(n))));
    let done = inbox.append(sent).await.unwrap();
    let arrived = inbox.arrived_since(uidnext).await.unwrap();
    assert_eq!((done.len(), arrived.len()), (messages.len(), messages.len()));
    for ((n, message), (key, size)) in messages.iter().enumerate().zip(&arrived) {
        assert_eq!(*size, Some(message.len() as u64));
        let fate = done.iter().find(|(local, _)| local.as_bytes() == n.to_string().as_bytes()).map(|(_, fate)| fate);
        // Dovecot tells keys even where it does not offer UIDPLUS.
        assert_eq!(fate, Some(&Appended::As(key.clone())));
    }
    let shown = inbox.snapshot().await.unwrap();
    assert!(arrived.iter().enumerate().all(|(n, (key, _))| *shown.messages.get(key).unwrap().marks == marked(n)));
    let mut bodies = Bodies::default();
    let handles: Vec<_> = inbox.list().await.unwrap().messages.iter().map(|m| m.handle).collect();
    inbox.retrieve(&handles, &mut bodies).await.unwrap();
    assert_eq!(bodies.whole.len(), messages.len());
    let dates: Vec<_> =
        bodies.whole.iter().filter(|(_, at, _)| *at != Some(1_234_567_890)).map(|(_, at, b)| (*at, b.len())).collect();
    assert_eq!(dates, []);
    // Where several fetches are under way, the server may answer a later one first.
    bodies.whole.sort_by_key(|(handle, ..)| *handle);
    assert!(bodies.whole.iter().map(|(.., b)| b).eq(&messages));
}

#[derive(Default)]
struct Bodies {
    whole: Vec<(u32, Option<i64>, Vec<u8>)>,
}

impl Intake for Bodies {
    async fn begin(
        &mut self,
        handle: mailferry::retrieve::Handle,
        e: mailferry::mail::Envelope,
    ) -> mailferry::error::Result<()> {
        self.whole.push((handle.0, e.received_at, Vec::new()));
        Ok(())
    }
    async fn chunk(&mut self, bytes: &[u8]) -> mailferry::error::Result<()> {
        self.whole.last_mut().unwrap().2.extend_from_slice(bytes);
        Ok(())
    }
    async fn end(&mut self) -> mailferry::error::Result<()> {
        Ok(())
    }
    async fn refused(&mut self, _: mailferry::retrieve::Handle, reason: String) -> mailferry::error::Result<()> {
        panic!("{reason}")
    }
    async fn gone(&mut self, _: mailferry::retrieve::Handle) -> mailferry::error::Result<()> {
        panic!("gone")
    }
}

#[tokio::test]
async fn uploads_arrive_whole_in_each_way_of_sending() {
    uploads_arrive_whole::<InFull>().await;
    uploads_arrive_whole::<WithoutMove>().await;
    uploads_arrive_whole::<Bare>().await;
}

#[tokio::test]
async fn an_upload_to_a_folder_that_is_gone_is_refused() {
    let account = Account::<InFull>::new();
    let mut imap = account.logged_in().await;
    let archive = found(&mut imap, "Archive").await;
    let mut opened = imap.mailbox(&archive, true).await.unwrap();
    account.user.doveadm(&["mailbox", "delete", "-u", &account.user.name, "Archive"]);
    let messages = mail::ordinary(40);
    let done = opened.append(messages.iter().enumerate().map(|(n, m)| Ok(outgoing(n, m, Marks::default())))).await;
    let done = done.unwrap();
    assert!(done.len() == 40 && done.iter().all(|(_, a)| matches!(a, Appended::Refused(_))), "{done:?}");
}

async fn folders_live_and_die<O: Offer>(prefix: &str, tells_status: bool) {
    let account = Account::<O>::new();
    account.put("Archive", &mail::ordinary(1)[0], "");
    let mut imap = account.logged_in().await;
    let tree = imap.tree(true).await.unwrap();
    let names: Vec<String> = tree.folders().map(|f| f.name.to_string()).collect();
    assert_eq!(names, ["INBOX", "Archive"]);
    let archive = tree.get(&folder("Archive")).unwrap();
    assert_eq!(String::from_utf8_lossy(&archive.wire), format!("{prefix}Archive"));
    assert_eq!(archive.status.is_some(), tells_status);
    if let Some(FolderStatus { messages, uidnext, uidvalidity, highestmodseq }) = archive.status {
        assert_eq!((messages, uidnext), (Some(1), Some(2)));
        assert!(uidvalidity.is_some() && highestmodseq.is_some());
    }
    for name in ["B\u{fc}ro & Co", "a/b \"c\""] {
        imap.create_folder(&folder(name)).await.unwrap();
        imap.create_folder(&folder(name)).await.unwrap();
    }
    let tree = imap.tree(true).await.unwrap();
    let office = tree.get(&folder("B\u{fc}ro & Co")).unwrap();
    assert_eq!(
        (String::from_utf8_lossy(&office.wire), office.subscribed),
        (format!("{prefix}B&APw-ro &- Co").into(), Some(true))
    );
    imap.rename_folder(office, &folder("Amt")).await.unwrap();
    let deep = tree.get(&folder("a/b \"c\"")).unwrap();
    imap.remove_folder(deep).await.unwrap();
    imap.remove_folder(deep).await.unwrap();
    let tree = imap.tree(true).await.unwrap();
    let left: Vec<_> = tree.folders().map(|f| (f.name.to_string(), f.subscribed)).filter(|(n, _)| n != "a").collect();
    let expected = [("INBOX", false), ("Amt", true), ("Archive", false)];
    assert_eq!(left, expected.map(|(n, s)| (n.to_owned(), Some(s))));
}

#[tokio::test]
async fn folders_are_listed_made_renamed_and_removed() {
    folders_live_and_die::<InFull>("", true).await;
    folders_live_and_die::<WithoutMove>("INBOX/", false).await;
    folders_live_and_die::<Bare>("", false).await;
}
