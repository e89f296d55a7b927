//! A real Dovecot 2.3 on free ports of 127.0.0.1, run by whoever runs the tests, in a directory of its own.

use super::certificate::Certificate;
use super::endpoint::{Endpoint, Security};
use super::mail::{over_pop3, with_lf};
use super::server::Protocol;
use super::stored::{Stored, maildir};
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

/// A running Dovecot. It stops, and its directory goes, when this is dropped or the process ends in any way.
pub struct Dovecot {
    pub pop3_port: u16,
    pub imap_port: u16,
    pub pop3s_port: u16,
    pub imaps_port: u16,
    /// SHA-256 of its certificate, in lower-case hexadecimal digits.
    pub pin: String,
    dir: PathBuf,
    owner: Owner,
    users: AtomicU32,
    /// The shell that keeps Dovecot ends it when this pipe closes.
    _keeper: ChildStdin,
}

/// What lies in a user's home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// A Maildir, which tests read and write without Dovecot.
    Maildir,
    /// Dovecot's own format, faster with many messages.
    Sdbox,
}

/// One user with an empty mailbox.
pub struct User<'d> {
    pub name: String,
    pub password: String,
    dovecot: &'d Dovecot,
    storage: Storage,
    home: PathBuf,
    delivered: AtomicU32,
}

/// To whom mail belongs: Dovecot serves no mail of root.
#[derive(Debug, Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
    root: bool,
}

impl Dovecot {
    /// The one that all tests share; each takes users of its own.
    pub fn shared() -> &'static Dovecot {
        static SHARED: OnceLock<Dovecot> = OnceLock::new();
        SHARED.get_or_init(|| Dovecot::start(""))
    }

    /// Starts one with more settings, in the syntax of dovecot.conf.
    pub fn start(settings: &str) -> Dovecot {
        let program = Dovecot::require();
        let mut last = String::new();
        for _ in 0..5 {
            match Dovecot::try_start(&program, settings) {
                Ok(dovecot) => return dovecot,
                // Somebody took a port between our choice and Dovecot's start.
                Err(log) if log.contains("Address already in use") => last = log,
                Err(log) => panic!("Dovecot does not start:\n{log}"),
            }
        }
        panic!("Dovecot finds no free ports:\n{last}")
    }

    /// The path of Dovecot 2.3; panics with the way to install it where it is missing.
    pub fn require() -> PathBuf {
        let Some(program) = find("dovecot") else {
            panic!(
                "Dovecot is missing, and these tests need a real server. \
                 Install it with: apt-get install dovecot-core dovecot-imapd dovecot-pop3d"
            );
        };
        let version = Command::new(&program).arg("--version").output().expect("the version of Dovecot").stdout;
        let version = String::from_utf8_lossy(&version).into_owned();
        assert!(version.starts_with("2.3."), "these tests configure Dovecot 2.3 (Debian 12); found {version}");
        for protocol in ["imap-login", "pop3-login"] {
            let found =
                ["/usr/lib/dovecot", "/usr/libexec/dovecot"].iter().any(|d| Path::new(d).join(protocol).is_file());
            assert!(found, "{protocol} is missing: apt-get install dovecot-imapd dovecot-pop3d");
        }
        program
    }

    fn try_start(program: &Path, settings: &str) -> Result<Dovecot, String> {
        let dir = TempDir::with_prefix("dovecot-").expect("a temporary directory").keep();
        let owner = Owner::of(&dir);
        let identity = Certificate::Good.issue();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).expect("its mode");
        let write = |name: &str, text: &str| fs::write(dir.join(name), text).expect("a file of Dovecot");
        write("ca.pem", &identity.ca_pem);
        write("cert.pem", &identity.certificate_pem);
        write("key.pem", &identity.key_pem);
        fs::create_dir(dir.join("users")).expect("a directory");
        fs::create_dir(dir.join("mail")).expect("a directory");
        let ports = free_ports();
        write("dovecot.conf", &format!("{}{settings}\n", configuration(&dir, ports, owner)));

        let script = "\"$1\" -F -c \"$2/dovecot.conf\" </dev/null >\"$2/out\" 2>&1 & pid=$!; \
                      read _; kill $pid; wait $pid; rm -rf \"$2\"";
        let mut keeper = Command::new("/bin/sh");
        keeper.args(["-c", script, "sh"]).arg(program).arg(&dir).process_group(0);
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let keeper = keeper.spawn().expect("a shell").stdin.take().expect("a pipe");

        let started = Instant::now();
        loop {
            let said = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default();
            let log = said("log");
            if log.contains("starting up for") {
                break;
            }
            let said = log + &said("out");
            if said.contains("Fatal: ") || started.elapsed() > Duration::from_secs(20) {
                return Err(said);
            }
            sleep(Duration::from_millis(5));
        }
        let [pop3_port, imap_port, pop3s_port, imaps_port] = ports;
        let users = AtomicU32::new(0);
        let pin = identity.pin;
        Ok(Dovecot { pop3_port, imap_port, pop3s_port, imaps_port, pin, dir, owner, users, _keeper: keeper })
    }

    /// The PEM file of the CA that signed its certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// What Dovecot has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// A new user with a Maildir.
    pub fn user(&self) -> User<'_> {
        self.user_with(Storage::Maildir, &[])
    }

    /// A new user for whom settings differ, such as `pop3_uidl_format`; values have no blanks.
    pub fn user_with(&self, storage: Storage, settings: &[(&str, &str)]) -> User<'_> {
        let n = self.users.fetch_add(1, Ordering::SeqCst) + 1;
        let (name, password) = (format!("user{n}"), format!("pass-{n}-word"));
        let home = self.dir.join("mail").join(&name);
        self.make_dir(&home);
        let mut fields = String::new();
        if storage == Storage::Sdbox {
            fields.push_str("userdb_mail=sdbox:~/sdbox ");
        }
        for (key, value) in settings {
            // A percent sign would start a variable. Fields end with a blank and cannot hold one.
            let value = value.replace('%', "%%");
            assert!(!value.contains([':', ' ']), "passwd-file cannot hold {key}={value}: start a server for it");
            fields.push_str(&format!("userdb_{key}={value} "));
        }
        let Owner { uid, gid, .. } = self.owner;
        let line = format!("{name}:{{PLAIN}}{password}:{uid}:{gid}::{}::{fields}\n", home.display());
        fs::write(self.dir.join("users").join(&name), line).expect("a user of Dovecot");
        User { name, password, dovecot: self, storage, home, delivered: AtomicU32::new(0) }
    }

    /// What Dovecot sends of a message that was delivered to it: it stores LF, sends CRLF, and has ways of its own with what no
    /// mail should hold.
    pub fn sends(protocol: Protocol, message: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        for byte in with_lf(message) {
            if byte == b'\n' && wire.last() != Some(&b'\r') {
                wire.push(b'\r');
            }
            wire.push(byte);
        }
        match protocol {
            Protocol::Pop3 if wire.is_empty() => b"\r\n".to_vec(),
            Protocol::Pop3 => over_pop3(&wire),
            Protocol::Imap => wire.into_iter().map(|b| if b == 0 { 0x80 } else { b }).collect(),
        }
    }

    fn make_dir(&self, path: &Path) {
        if !path.is_dir() {
            if let Some(parent) = path.parent() {
                self.make_dir(parent);
            }
            fs::create_dir(path).expect("a directory");
            self.owner.give(path);
        }
    }
}

impl User<'_> {
    /// How to reach the mailbox of this user.
    pub fn endpoint(&self, protocol: Protocol, security: Security) -> Endpoint {
        let d = self.dovecot;
        let port = match (protocol, security) {
            (Protocol::Pop3, Security::Implicit) => d.pop3s_port,
            (Protocol::Pop3, _) => d.pop3_port,
            (Protocol::Imap, Security::Implicit) => d.imaps_port,
            (Protocol::Imap, _) => d.imap_port,
        };
        let (user, password) = (self.name.clone(), self.password.clone());
        Endpoint { protocol, security, port, user, password, ca_file: d.ca_file() }
    }

    /// Puts messages into a folder (`INBOX`, `Lists/rust`) in this order, without flags; Dovecot stores LF and sends CRLF.
    pub fn deliver(&self, folder: &str, messages: &[Vec<u8>]) {
        self.post(folder, messages.iter().map(|m| (m.as_slice(), "", None)));
    }

    /// Puts one message with Maildir letters as flags and a date of arrival into a folder.
    pub fn deliver_as(&self, folder: &str, message: &[u8], flags: &str, arrived: SystemTime) {
        self.post(folder, [(message, flags, Some(arrived))]);
    }

    fn post<'m>(&self, folder: &str, messages: impl IntoIterator<Item = (&'m [u8], &'m str, Option<SystemTime>)>) {
        let root = match self.storage {
            Storage::Maildir => self.home.join("Maildir"),
            Storage::Sdbox => self.home.join("import"),
        };
        let path = root.join(folder_dir(folder));
        for part in ["tmp", "new", "cur"] {
            self.dovecot.make_dir(&path.join(part));
        }
        for (bytes, flags, arrived) in messages {
            // Dovecot gives UIDs in the order of the times that start the names.
            let second = 1_700_000_000 + self.delivered.fetch_add(1, Ordering::SeqCst);
            let name = format!("cur/{second}.M1P1.test:2,{flags}");
            let file = path.join(name);
            fs::write(&file, with_lf(bytes)).expect("a message");
            if let Some(time) = arrived {
                File::options().write(true).open(&file).and_then(|f| f.set_modified(time)).expect("its time");
            }
            self.dovecot.owner.give(&file);
        }
        if self.storage == Storage::Sdbox {
            self.doveadm(&["import", "-u", &self.name, &format!("maildir:{}", root.display()), "", "all"]);
            fs::remove_dir_all(&root).expect("what was imported");
        }
    }

    /// Where its Maildir++ tree stands.
    pub fn maildir(&self) -> PathBuf {
        assert_eq!(self.storage, Storage::Maildir);
        self.home.join("Maildir")
    }

    /// What a folder holds now, in the order of arrival; only where the storage is a Maildir.
    pub fn messages(&self, folder: &str) -> Vec<Stored> {
        assert_eq!(self.storage, Storage::Maildir, "only a Maildir can be read without Dovecot");
        maildir(&self.home.join("Maildir").join(folder_dir(folder)))
    }

    /// The flags of each message of a folder in the order of UIDs, as Dovecot tells them, without `\Recent`.
    pub fn flags(&self, folder: &str) -> Vec<String> {
        let said = self.doveadm(&["-f", "tab", "fetch", "-u", &self.name, "flags", "mailbox", folder]);
        said.lines().skip(1).map(|l| l.split(' ').filter(|f| *f != "\\Recent").collect::<Vec<_>>().join(" ")).collect()
    }

    /// What doveadm says; fails where doveadm does.
    pub fn doveadm(&self, args: &[&str]) -> String {
        let mut doveadm = Command::new(find("doveadm").expect("doveadm comes with Dovecot"));
        let out = doveadm.arg("-c").arg(self.dovecot.dir.join("dovecot.conf")).args(args).output().expect("doveadm");
        assert!(out.status.success(), "doveadm {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }
}

impl Owner {
    /// Who owns what we create; root hands mail to the user `mail`.
    fn of(path: &Path) -> Owner {
        let meta = fs::metadata(path).expect("a directory");
        if meta.uid() != 0 {
            return Owner { uid: meta.uid(), gid: meta.gid(), root: false };
        }
        let passwd = fs::read_to_string("/etc/passwd").expect("the users of this machine");
        let of = |name: &str| passwd.lines().map(|l| l.split(':').collect::<Vec<_>>()).find(|l| l[0] == name);
        let line = of("mail").or_else(|| of("nobody")).expect("a user mail or nobody");
        Owner { uid: line[2].parse().expect("a uid"), gid: line[3].parse().expect("a gid"), root: true }
    }

    fn give(self, path: &Path) {
        if self.root {
            chown(path, Some(self.uid), Some(self.gid)).expect("a change of owner");
        }
    }
}

/// The directory of a folder in a Maildir++ tree; plain ASCII names only.
fn folder_dir(folder: &str) -> String {
    assert!(folder.is_ascii(), "{folder} would need modified UTF-7");
    if folder == "INBOX" { ".".to_owned() } else { format!(".{}", folder.replace('/', ".")) }
}

fn free_ports() -> [u16; 4] {
    let held = [(); 4].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    held.each_ref().map(|l| l.local_addr().expect("its address").port())
}

fn configuration(dir: &Path, [pop3, imap, pop3s, imaps]: [u16; 4], owner: Owner) -> String {
    let dir = dir.display();
    let mut text = format!(
        "base_dir = {dir}/run\nstate_dir = {dir}/state\nlog_path = {dir}/log\nprotocols = imap pop3\nlisten = 127.0.0.1\n\
         ssl = yes\nssl_cert = <{dir}/cert.pem\nssl_key = <{dir}/key.pem\ndisable_plaintext_auth = no\n\
         auth_mechanisms = plain login cram-md5 scram-sha-256 apop\nauth_failure_delay = 0\nfirst_valid_uid = 1\n\
         mail_location = maildir:~/Maildir\nmail_fsync = never\nmail_max_userip_connections = 100\n\
         passdb {{\n  driver = passwd-file\n  args = scheme=plain {dir}/users/%u\n}}\n\
         userdb {{\n  driver = passwd-file\n  args = {dir}/users/%u\n}}\n\
         namespace inbox {{\n  inbox = yes\n  separator = /\n}}\n\
         service anvil {{\n  chroot =\n  unix_listener anvil-auth-penalty {{\n    mode = 0\n  }}\n}}\n\
         service stats {{\n  chroot =\n}}\nservice imap-urlauth-login {{\n  chroot =\n}}\n\
         service imap-login {{\n  chroot =\n  inet_listener imap {{\n    port = {imap}\n  }}\n\
         \x20 inet_listener imaps {{\n    port = {imaps}\n    ssl = yes\n  }}\n}}\n\
         service pop3-login {{\n  chroot =\n  inet_listener pop3 {{\n    port = {pop3}\n  }}\n\
         \x20 inet_listener pop3s {{\n    port = {pop3s}\n    ssl = yes\n  }}\n}}\n"
    );
    if !owner.root {
        let me = name_of(&["-un"]);
        let group = name_of(&["-gn"]);
        text.push_str(&format!(
            "default_login_user = {me}\ndefault_internal_user = {me}\ndefault_internal_group = {group}\n"
        ));
    }
    text
}

/// A program in PATH, or where administrators' programs are.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|f| f.join(name)).find(|p| p.is_file())
}

fn name_of(args: &[&str]) -> String {
    let out = Command::new("id").args(args).output().expect("the name of this user");
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}
