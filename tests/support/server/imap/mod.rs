//! An IMAP session (RFC 3501, 9051, and the extensions it names); imap-codec parses the commands.

mod fetch;
mod folders;
mod selected;
mod set;

use super::wire::{Verdict, Wire};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use imap_codec::CommandCodec;
use imap_codec::decode::{CommandDecodeError, Decoder};
use imap_codec::imap_types::auth::AuthMechanism;
use imap_codec::imap_types::command::{Command, CommandBody};
use imap_codec::imap_types::core::LiteralMode;
use imap_codec::imap_types::extensions::binary::LiteralOrLiteral8;
use std::io;

/// One session.
pub struct Session {
    wire: Wire,
    logged_in: bool,
    selected: Option<Selected>,
}

/// The folder that is open in a session.
struct Selected {
    folder: String,
    view: set::View,
    read_only: bool,
}

/// The tagged end of a command.
enum Outcome {
    Ok(String),
    No(String),
    Bad(String),
    /// A fault has spoken instead.
    Said,
}

impl Outcome {
    fn ok(text: &str) -> Outcome {
        Outcome::Ok(text.to_owned())
    }

    fn no(text: &str) -> Outcome {
        Outcome::No(text.to_owned())
    }

    fn bad(text: &str) -> Outcome {
        Outcome::Bad(text.to_owned())
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Outcome {
        match verdict {
            Verdict::Go | Verdict::Said => Outcome::Said,
            Verdict::Refused(text) => Outcome::No(text),
            Verdict::Rejected(text) => Outcome::Bad(text),
        }
    }
}

impl Session {
    pub fn new(wire: Wire) -> Session {
        Session { wire, logged_in: false, selected: None }
    }

    pub fn run(mut self) -> io::Result<()> {
        match self.wire.received("connect", None)? {
            Verdict::Go => {
                self.logged_in = self.wire.shared.script.preauth;
                let kind = if self.logged_in { "PREAUTH" } else { "OK" };
                let greeting = format!("* {kind} [CAPABILITY {}] ready\r\n", self.capabilities());
                self.wire.send(greeting.as_bytes())?;
            }
            Verdict::Said => {}
            Verdict::Refused(text) | Verdict::Rejected(text) => {
                self.wire.send(format!("* BYE {text}\r\n").as_bytes())?;
                return self.wire.close();
            }
        }
        self.wire.answered("connect", None)?;
        loop {
            let line = self.read_command()?;
            let text = String::from_utf8_lossy(&line).into_owned();
            let mut words = text.split_ascii_whitespace();
            self.wire.tag = words.next().unwrap_or("*").to_owned();
            let mut name = words.next().unwrap_or_default().to_ascii_uppercase();
            if let ("UID", Some(what)) = (name.as_str(), words.next()) {
                name = format!("UID {}", what.to_ascii_uppercase());
            }
            let outcome = self.answer(&name, &line)?;
            let ok = matches!(outcome, Outcome::Ok(_));
            let (word, text) = match outcome {
                Outcome::Ok(text) => ("OK", text),
                Outcome::No(text) => ("NO", text),
                Outcome::Bad(text) => ("BAD", text),
                Outcome::Said => ("", String::new()),
            };
            if !word.is_empty() {
                self.wire.send(format!("{} {word} {text}\r\n", self.wire.tag).as_bytes())?;
            }
            self.wire.answered(&name, None)?;
            if ok && name == "STARTTLS" {
                self.wire.start_tls()?;
            }
            if name == "LOGOUT" {
                return self.wire.close();
            }
        }
    }

    /// A whole command with its literals; each `{n}` is invited with `+`, each `{n+}` just taken.
    fn read_command(&mut self) -> io::Result<Vec<u8>> {
        let mut command = self.wire.line()?;
        loop {
            match CommandCodec::default().decode(&command) {
                Err(CommandDecodeError::LiteralFound { length, mode, .. }) => {
                    if mode == LiteralMode::Sync {
                        self.wire.send(b"+ go on\r\n")?;
                    } else if !self.offers("LITERAL+") {
                        self.wire.violation("sent a literal with +, which is not offered");
                    }
                    command.extend(self.wire.exactly(length as usize)?);
                    command.extend(self.wire.line()?);
                }
                _ => {
                    self.wire.heard(&command);
                    return Ok(command);
                }
            }
        }
    }

    fn offers(&self, name: &str) -> bool {
        self.wire.shared.script.offers(name)
    }

    fn answer(&mut self, name: &str, line: &[u8]) -> io::Result<Outcome> {
        match self.wire.received(name, None)? {
            Verdict::Go => {}
            other => return Ok(other.into()),
        }
        let outcome = match CommandCodec::default().decode(line) {
            Ok((_, command)) => self.execute(command)?,
            Err(_) => Outcome::bad("not a command I know"),
        };
        if let Outcome::Said = outcome {
            return Ok(outcome);
        }
        match self.wire.done(name, None)? {
            Verdict::Go => Ok(outcome),
            other => Ok(other.into()),
        }
    }

    fn capabilities(&self) -> String {
        let script = &self.wire.shared.script;
        let mut names = vec!["IMAP4rev1"];
        names.extend(["LITERAL+", "SASL-IR", "ID", "UIDPLUS", "UNSELECT"].iter().filter(|n| script.offers(n)));
        if !self.logged_in {
            names.extend(["AUTH=PLAIN"].iter().filter(|n| script.offers(n)));
            if script.offers("STARTTLS") && !self.wire.is_tls() {
                names.push("STARTTLS");
            }
            if !script.offers("LOGIN") {
                names.push("LOGINDISABLED");
            }
        }
        names.extend(script.imap_extra.iter().map(String::as_str));
        names.join(" ")
    }

    fn execute(&mut self, command: Command<'_>) -> io::Result<Outcome> {
        let unknown = || Outcome::bad("not offered here");
        Ok(match command.body {
            CommandBody::Capability => {
                let line = format!("* CAPABILITY {}\r\n", self.capabilities());
                self.wire.send(line.as_bytes())?;
                Outcome::ok("that is all")
            }
            CommandBody::Noop => {
                self.tell_changes()?;
                Outcome::ok("nothing done")
            }
            CommandBody::Logout => {
                self.wire.send(b"* BYE until next time\r\n")?;
                Outcome::ok("bye")
            }
            CommandBody::Id { .. } if self.offers("ID") => {
                self.wire.send(b"* ID (\"name\" \"scripted server\")\r\n")?;
                Outcome::ok("pleased to meet you")
            }
            CommandBody::Id { .. } => unknown(),
            CommandBody::StartTLS if self.offers("STARTTLS") && !self.wire.is_tls() && !self.logged_in => {
                Outcome::ok("begin TLS")
            }
            CommandBody::StartTLS => unknown(),
            CommandBody::Login { username, password } if !self.logged_in && self.offers("LOGIN") => {
                let user = String::from_utf8_lossy(username.as_ref()).into_owned();
                let right = password.declassify().as_ref() == self.wire.shared.script.password.as_bytes();
                self.log_in(&user, right)?
            }
            CommandBody::Authenticate { mechanism: AuthMechanism::Plain, initial_response }
                if !self.logged_in && self.offers("AUTH=PLAIN") =>
            {
                let response = match initial_response {
                    Some(bytes) => STANDARD.encode(bytes.declassify()),
                    None => {
                        self.wire.send(b"+ \r\n")?;
                        let line = self.wire.line()?;
                        self.wire.heard(&line);
                        String::from_utf8_lossy(&line).trim().to_owned()
                    }
                };
                let (user, right) = self.wire.shared.script.judge_plain(&response);
                self.log_in(&user, right)?
            }
            CommandBody::Login { .. } | CommandBody::Authenticate { .. } => Outcome::no("not possible now"),
            _ if !self.logged_in => Outcome::no("log in first"),
            CommandBody::List { reference, mailbox_wildcard } => self.list(&reference, &mailbox_wildcard)?,
            CommandBody::Status { mailbox, item_names } => self.status(&mailbox, &item_names)?,
            CommandBody::Append { mailbox, flags, message: LiteralOrLiteral8::Literal(message), .. } => {
                self.append(&mailbox, &flags, message.as_ref())?
            }
            CommandBody::Select { mailbox } => self.select(&mailbox, false)?,
            CommandBody::Examine { mailbox } => self.select(&mailbox, true)?,
            CommandBody::Unselect if !self.offers("UNSELECT") => unknown(),
            CommandBody::ExpungeUid { .. } if !self.offers("UIDPLUS") => unknown(),
            body => self.on_selected(body)?,
        })
    }

    fn log_in(&mut self, user: &str, password_is_right: bool) -> io::Result<Outcome> {
        match self.wire.received("log-in", None)? {
            Verdict::Go => {}
            other => return Ok(other.into()),
        }
        if user != self.wire.shared.script.user || !password_is_right {
            return Ok(Outcome::no("[AUTHENTICATIONFAILED] wrong user or password"));
        }
        self.logged_in = true;
        self.wire.log(|l| l.logins += 1);
        Ok(Outcome::Ok(format!("[CAPABILITY {}] welcome", self.capabilities())))
    }
}
