//! Plays the server of a transcript to the real program.

use super::script::{Connection, Held, Line, Messages, Run, Says, Step, Transcript, fits};
use crate::support::run::{Ferry, Outcome};
use crate::support::server::Protocol;
use crate::support::stored::{maildir, unfinished};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// How long the player waits for the client, and the client for the player.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a connection may still be open when the next one comes.
const OVERLAP: Duration = Duration::from_millis(500);
/// Octets that no line of the client may exceed: Outlook refuses some of 4 kB.
const LONGEST_LINE: usize = 4000;

/// Plays a transcript to its end, or panics with the line that did not come true.
pub fn play(text: &str) {
    let transcript = Transcript::read(text);
    let stage = Stage::of(&transcript);
    for step in &transcript.steps {
        match step {
            Step::Put(folder, all) => stage.put(folder, all),
            Step::Mark(folder, all) => stage.mark(folder, all),
            Step::Remove(folder, all) => all.iter().for_each(|held| {
                fs::remove_file(stage.file(folder, &held.name)).expect("it is removed");
            }),
            Step::Run(run) => stage.run(run),
            Step::Holds(folder, all) => stage.holds(folder, all),
            Step::HasNo(path) => assert!(!stage.ferry.path(path).exists(), "{path} is there"),
        }
    }
}

/// The home of a transcript, and the port of its server.
struct Stage<'t> {
    ferry: Ferry,
    listener: TcpListener,
    protocol: Protocol,
    messages: &'t Messages,
}

impl Stage<'_> {
    fn of(transcript: &Transcript) -> Stage<'_> {
        let ferry = Ferry::new();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let protocol = transcript.protocol.expect("a protocol");
        let name = if protocol == Protocol::Pop3 { "pop3" } else { "imap" };
        let given = |key: &str| transcript.account.iter().any(|l| l.starts_with(key));
        let mut toml = format!("[accounts.x]\nprotocol = \"{name}\"\nhost = \"127.0.0.1\"\nport = {port}\n");
        for (key, default) in [
            ("tls", "tls = \"none\""),
            ("user", "user = \"ada\""),
            ("timeout", "timeout = \"20s\""),
            ("password", "password = { value = \"pencil\" }"),
        ] {
            if !given(key) {
                toml.push_str(&format!("{default}\n"));
            }
        }
        toml.push_str(&transcript.account.join("\n"));
        let path = ferry.store("x");
        toml.push_str(&format!("\n[accounts.x.store]\nkind = \"maildir\"\npath = \"{}\"\n", path.display()));
        for (table, lines) in [("sync", &transcript.sync), ("pull", &transcript.pull)] {
            if !lines.is_empty() {
                toml.push_str(&format!("[accounts.x.{table}]\n{}\n", lines.join("\n")));
            }
        }
        ferry.configure(&toml);
        Stage { ferry, listener, protocol, messages: &transcript.messages }
    }

    fn folder(&self, name: &str) -> PathBuf {
        match self.protocol {
            Protocol::Pop3 => self.ferry.store("x"),
            Protocol::Imap => self.ferry.store("x").join(name),
        }
    }

    fn put(&self, folder: &str, all: &[Held]) {
        let folder = self.folder(folder);
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(folder.join(part)).expect("a Maildir");
        }
        for Held { name, flags } in all {
            let octets = crate::support::mail::with_lf(&self.messages.octets(name));
            fs::write(folder.join("cur").join(format!("{name}.reader:2,{flags}")), octets).expect("a message");
        }
    }

    fn mark(&self, folder: &str, all: &[Held]) {
        for held in all {
            let file = self.file(folder, &held.name);
            let name = file.file_name().expect("a name").to_string_lossy().into_owned();
            let base = name.split(':').next().unwrap_or_default();
            let marked = self.folder(folder).join("cur").join(format!("{base}:2,{}", held.flags));
            fs::rename(file, marked).expect("it is renamed");
        }
    }

    /// The file of a message.
    fn file(&self, folder: &str, name: &str) -> PathBuf {
        let path = self.folder(folder);
        let found = maildir(&path).into_iter().find(|m| self.messages.name(&m.bytes) == name);
        let found = found.unwrap_or_else(|| panic!("{folder} has no message {name}"));
        path.join(found.place).join(found.file_name)
    }

    fn holds(&self, folder: &str, all: &[Held]) {
        let path = self.folder(folder);
        let stored = maildir(&path).into_iter();
        let found = stored.map(|m| Held { name: self.messages.name(&m.bytes), flags: m.flags }).collect();
        assert_eq!(shown(found), shown(all.to_vec()), "{folder}");
        assert_eq!(unfinished(&path), 0, "files in tmp of {folder}");
    }

    fn run(&self, run: &Run) {
        let stopping = AtomicBool::new(false);
        let (outcome, played) = thread::scope(|scope| {
            let server = scope.spawn(|| self.serve(run, &stopping));
            let args: Vec<&str> = run.args.iter().map(String::as_str).collect();
            let outcome = self.ferry.run(&args);
            stopping.store(true, Ordering::SeqCst);
            // Wakes the one who waits for connections.
            drop(TcpStream::connect(self.listener.local_addr().expect("its address")));
            (outcome, server.join().expect("the server"))
        });
        let Outcome { code, stdout, stderr, .. } = &outcome;
        let said = format!("exit {code:?}\n-- stdout\n{stdout}-- stderr\n{stderr}");
        assert!(played.is_ok(), "{}\n{said}", played.unwrap_err());
        assert_eq!(*code, Some(run.exit), "{said}");
        let fit = |pattern: &String, line: &str| fits(pattern, line.as_bytes()).is_some();
        for line in stderr.lines() {
            assert!(run.stderr.iter().any(|p| fit(p, line)), "nobody expects \u{201c}{line}\u{201d}\n{said}");
        }
        for pattern in &run.stderr {
            assert!(stderr.lines().any(|line| fit(pattern, line)), "it does not say \u{201c}{pattern}\u{201d}\n{said}");
        }
    }

    /// Gives the connections of a run to the player, one after the other, and closes those that come while one is open.
    fn serve(&self, run: &Run, stopping: &AtomicBool) -> Result<(), String> {
        let (ready, is_ready) = channel();
        let (give, given) = channel();
        thread::scope(|scope| {
            let player = scope.spawn(move || {
                run.connections.iter().try_for_each(|connection| {
                    // Nobody listens any more once the run has ended.
                    let _ = ready.send(());
                    let never = || format!("line {}: the program does not connect", connection.number);
                    let stream: TcpStream = given.recv().map_err(|_| never())?;
                    Talk::over(stream, self.protocol, self.messages).play(connection)
                })
            });
            for stream in self.listener.incoming().map_while(Result::ok) {
                if stopping.load(Ordering::SeqCst) {
                    break;
                }
                if is_ready.recv_timeout(OVERLAP).is_ok() {
                    let _ = give.send(stream);
                }
            }
            drop(give);
            player.join().expect("the player")
        })
    }
}

fn shown(mut all: Vec<Held>) -> String {
    all.sort();
    all.iter().map(Held::to_string).collect::<Vec<_>>().join(" ")
}

/// One connection.
struct Talk<'t> {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    protocol: Protocol,
    messages: &'t Messages,
    tag: Vec<u8>,
    /// What is to be sent before the client is listened to.
    unsent: Vec<u8>,
    /// A line of the client that did not fit where it need not.
    ahead: Option<Vec<u8>>,
    /// Octets of the literal that the client announced.
    literal: Option<usize>,
}

impl<'t> Talk<'t> {
    fn over(stream: TcpStream, protocol: Protocol, messages: &'t Messages) -> Talk<'t> {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("no delay");
        let reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let (tag, unsent) = (Vec::new(), Vec::new());
        Talk { stream, reader, protocol, messages, tag, unsent, ahead: None, literal: None }
    }

    fn play(&mut self, connection: &Connection) -> Result<(), String> {
        let mut left_out = false;
        for Line { number, says } in &connection.lines {
            let wrong = |what: String| format!("line {number}: {what}");
            match says {
                Says::Server(_) if left_out => {}
                Says::Server(text) => {
                    self.unsent.extend(self.messages.line(self.protocol, text, &self.tag));
                    self.unsent.extend_from_slice(b"\r\n");
                }
                Says::Client { pattern, optional } => {
                    let fits = self.hear(pattern, *optional).map_err(wrong)?;
                    left_out = !fits;
                    if !fits && !optional {
                        let heard = self.ahead.take();
                        let heard = heard
                            .map_or("nothing more".to_owned(), |l| format!("\u{201c}{}\u{201d}", l.escape_ascii()));
                        return Err(wrong(format!("\u{201c}{pattern}\u{201d} expected, and the client says {heard}")));
                    }
                }
                Says::Hangup => {
                    self.send().map_err(wrong)?;
                    // What the client still says is read first: unread, it would reset the connection and the last words with it.
                    let _ = self.stream.shutdown(Shutdown::Write);
                    let _ = io::copy(&mut self.reader, &mut io::sink());
                    return Ok(());
                }
            }
        }
        self.send()?;
        let _ = self.stream.shutdown(Shutdown::Write);
        match self.next_line()? {
            None => Ok(()),
            Some(line) => Err(format!(
                "behind line {}: the client says \u{201c}{}\u{201d}",
                connection.number,
                line.escape_ascii()
            )),
        }
    }

    fn send(&mut self) -> Result<(), String> {
        let sent = self.stream.write_all(&self.unsent);
        self.unsent.clear();
        sent.map_err(|e| format!("the client has gone: {e}"))
    }

    /// Whether what the client says fits. What does not is kept.
    fn hear(&mut self, pattern: &str, optional: bool) -> Result<bool, String> {
        self.send()?;
        let pattern = self.messages.pattern(pattern);
        let mut pattern = pattern.as_str();
        if let Some(size) = self.literal.take_if(|_| !optional) {
            let mut octets = vec![0; size];
            self.reader.read_exact(&mut octets).map_err(|e| format!("no literal comes: {e}"))?;
            let name = pattern.strip_prefix("{message ").and_then(|rest| rest.split_once('}'));
            let (name, rest) = name.ok_or("no literal is expected here")?;
            if self.messages.octets(name) != octets {
                return Err(format!("another literal comes: \u{201c}{}\u{201d}", octets.escape_ascii()));
            }
            pattern = rest;
        }
        let Some(line) = self.next_line()? else { return Ok(false) };
        match fits(pattern, &line) {
            Some(tag) => {
                if !tag.is_empty() {
                    self.tag = tag;
                }
                self.literal = literal(&line).filter(|_| self.protocol == Protocol::Imap);
                Ok(true)
            }
            None => {
                self.ahead = Some(line);
                Ok(false)
            }
        }
    }

    /// What the client says next, without its CRLF; `None` at the end.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, String> {
        if let Some(line) = self.ahead.take() {
            return Ok(Some(line));
        }
        let mut line = Vec::new();
        let n = self.reader.read_until(b'\n', &mut line).map_err(|e| format!("the client is silent: {e}"))?;
        if n == 0 {
            return Ok(None);
        }
        let line = line.strip_suffix(b"\r\n").ok_or("a line of the client has no CRLF")?.to_vec();
        if line.len() > LONGEST_LINE {
            return Err(format!("a line of {} octets", line.len()));
        }
        if !ascends(&line) {
            return Err(format!("a set that does not ascend: {}", line.escape_ascii()));
        }
        Ok(Some(line))
    }
}

/// The size at the end of a line that goes on with a literal.
fn literal(line: &[u8]) -> Option<usize> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('}')?;
    line.rsplit_once('{')?.1.trim_end_matches('+').parse().ok()
}

/// Whether the UID set of a command goes upwards; a command without one does.
fn ascends(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    let mut words = text.split(' ').skip_while(|w| *w != "UID").skip(2);
    let set = words.next().filter(|set| set.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b',')));
    let numbers = set.into_iter().flat_map(|set| set.split([',', ':'])).map(|n| n.parse::<u32>().unwrap_or(0));
    numbers.is_sorted_by(|a, b| a < b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_that_descend_are_found() {
        for (line, expected) in [
            ("A1 UID FETCH 1:3,7 (UID)", true),
            ("A1 UID FETCH 7,1:3 (UID)", false),
            ("A1 UID STORE 9:3 +FLAGS (x)", false),
            ("A1 UID FETCH 1:* (UID)", true),
            ("A1 UID SEARCH DELETED", true),
            ("A1 NOOP", true),
        ] {
            assert_eq!(ascends(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn the_line_that_did_not_come_true_is_named() {
        const GREETED: &str = "protocol pop3\nrun pull\nconnect\nS: +OK\n";
        for (rest, told) in [
            (
                "C: NOOP\nS: -ERR\nexit 75",
                "line 5: \u{201c}NOOP\u{201d} expected, and the client says \u{201c}CAPA\u{201d}",
            ),
            ("C: CAPA\nhangup\nexit 0", "left: Some(75)"),
            ("hangup\nexit 75", "nobody expects"),
            ("hangup\nconnect\nS: +OK\nexit 75", "line 6: the program does not connect"),
        ] {
            let text = format!("{GREETED}{rest}\n");
            let failure = std::panic::catch_unwind(|| play(&text)).expect_err(rest);
            let failure = failure.downcast_ref::<String>().expect("a text").clone();
            assert!(failure.contains(told), "{told}: {failure}");
        }
    }
}
