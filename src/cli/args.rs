//! What can be typed. The doc comments are the help.

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// Carries mail between POP3 and IMAP servers and local stores, every message exactly once.
///
/// Interrupting is safe at any moment: the next run finishes the work.
#[derive(Debug, Parser)]
#[command(name = "mailferry", version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "Exit codes: 0 done, 2 something was left (run again), 3 stopped by the deletion guard, 64 usage, 65 bad data, 69 server unusable, \
73/74 cannot create/read/write files, 75 try later, 76 protocol, 77 log-in refused, 78 config, 130/143 interrupted.\n\
Manual: mailferry(1), docs/manual.md";

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Configuration file
    #[arg(short, long, global = true, value_name = "FILE", env = "MAILFERRY_CONFIG", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Where state is kept between runs
    #[arg(long, global = true, value_name = "DIR", env = "MAILFERRY_STATE_DIR", hide_env_values = true, value_hint = ValueHint::DirPath)]
    pub state_dir: Option<PathBuf>,
    /// One JSON object a line on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing on success, even on a terminal
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more: folders; twice: every message
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: When,
    /// Say what would be done, message by message, and change nothing
    #[arg(short = 'n', long, global = true)]
    pub dry_run: bool,
    /// How long to wait for another run on the same account, in seconds
    #[arg(long, global = true, value_name = "SECS", default_value_t = 0, hide_default_value = true)]
    pub wait: u64,
    /// Exit with 1 when there was nothing new
    #[arg(long, global = true)]
    pub exit_code: bool,
    /// How many accounts to work on at once
    #[arg(long, global = true, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: u16,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fetch new messages, one way, from server to store
    ///
    /// Without arguments every account of the configuration is pulled, side by side. With a URL and --to no configuration is
    /// needed: `mailferry pull pop3s://me@example.com@pop.example.com --to maildir:~/Mail`.
    Pull(Box<PullArgs>),
    /// Keep server and store alike, two ways
    ///
    /// Brings new messages, flags, keywords, deletions and moves from IMAP servers to Maildirs and back. POP3 accounts are
    /// pulled. A run that would delete far more than usual deletes nothing and exits with 3.
    Sync(SyncArgs),
    /// Take over a Maildir that another tool kept, without a download
    ///
    /// Recognises what both sides have and writes that down; copies, marks and deletes nothing. For Maildirs of mbsync,
    /// offlineimap, getmail, or any other tool; the sync after it transfers the difference alone.
    Adopt(NamedAccounts),
    /// Copy mailboxes from one place to another, once and for all
    ///
    /// FROM and TO are each an account of the configuration, a URL, maildir:PATH or mbox:PATH. What the target has already is
    /// not copied again, a second run copies what is new, and a run that was killed is gone on with. At the end every message is
    /// accounted for: `mailferry migrate pop3s://me@old.example imaps://me@new.example`.
    Migrate(Box<MigrateArgs>),
    /// Show the last run, what is here, and what the server would not give
    Status(AccountArgs),
    /// Find and check the configuration
    Config(ConfigArgs),
    /// Print a completion script
    Completions {
        /// For this shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a folder
    Man {
        /// An existing folder
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}

/// `mailferry status`.
#[derive(Debug, Args)]
pub struct AccountArgs {
    /// Accounts of the configuration, or other names that status shows; all where none is named
    #[arg(value_name = "ACCOUNT")]
    pub accounts: Vec<String>,
}

/// Accounts by name, one at least.
#[derive(Debug, Args)]
pub struct NamedAccounts {
    /// Accounts of the configuration
    #[arg(value_name = "ACCOUNT", required = true)]
    pub accounts: Vec<String>,
}

/// `mailferry pull`.
#[derive(Debug, Args)]
pub struct PullArgs {
    /// Accounts of the configuration (all where none is named), or one URL with --to
    #[arg(value_name = "ACCOUNT|URL")]
    pub sources: Vec<String>,
    /// What only a URL needs.
    #[command(flatten)]
    pub url: UrlArgs,
}

/// What stands in for a configuration when a URL is pulled.
#[derive(Debug, Args)]
#[command(next_help_heading = "With a URL")]
pub struct UrlArgs {
    /// Store to deliver into: maildir:PATH or mbox:PATH
    #[arg(long, value_name = "STORE")]
    pub to: Option<String>,
    /// Command that prints the password; else MAILFERRY_PASSWORD, else it is asked for
    #[arg(long, value_name = "CMD", requires = "to")]
    pub password_command: Option<String>,
    /// How to log in: auto, plain, login, cram-md5, scram-sha-256, xoauth2, oauthbearer, apop, userpass
    #[arg(long, value_name = "HOW", requires = "to")]
    pub auth: Option<String>,
    /// What stays on the server: true, false, or a time such as 30d [default: true]
    #[arg(long, value_name = "KEEP", requires = "to")]
    pub keep: Option<String>,
    /// Skip messages larger than this, such as 50MiB
    #[arg(long, value_name = "SIZE", requires = "to")]
    pub max_size: Option<String>,
    /// Further trusted certificates, PEM
    #[arg(long, value_name = "FILE", requires = "to", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// Accept this certificate and no other; may be given several times
    #[arg(long, value_name = "SHA256", requires = "to")]
    pub pin_sha256: Vec<String>,
    /// Line ends of stored messages: lf or crlf [default: lf]
    #[arg(long, value_name = "ENDS", requires = "to")]
    pub line_endings: Option<String>,
    /// How long any one step may be silent, such as 60s
    #[arg(long, value_name = "TIME", requires = "to")]
    pub timeout: Option<String>,
}

/// `mailferry sync`.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Accounts of the configuration; all where none is named
    #[arg(value_name = "ACCOUNT")]
    pub accounts: Vec<String>,
    /// Delete up to N messages of each account, whatever max_delete says
    #[arg(long, value_name = "N")]
    pub allow_delete: Option<u64>,
}

/// `mailferry migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Where mail comes from: an account, a URL, maildir:PATH or mbox:PATH
    #[arg(value_name = "FROM", required_unless_present = "batch")]
    pub from: Option<String>,
    /// Where it goes: an account, an IMAP URL, maildir:PATH or mbox:PATH
    #[arg(value_name = "TO", required_unless_present = "batch")]
    pub to: Option<String>,
    /// Copy these folders; may be given several times, `!NAME` leaves one out [default: *]
    #[arg(long, value_name = "PATTERN")]
    pub folders: Vec<String>,
    /// Put everything into this folder: the inbox itself, and others inside it
    #[arg(long, value_name = "FOLDER")]
    pub into: Option<String>,
    /// Put folder A, with those inside it, where B says; may be given several times
    #[arg(long, value_name = "A=B")]
    pub map: Vec<String>,
    /// Leave out what arrived before this day (2024-01-31), or longer ago than this (90d)
    #[arg(long, value_name = "DATE")]
    pub since: Option<String>,
    /// Leave out what arrived on this day or later
    #[arg(long, value_name = "DATE")]
    pub before: Option<String>,
    /// Leave out messages larger than this, such as 50MiB
    #[arg(long, value_name = "SIZE")]
    pub max_size: Option<String>,
    /// Have all messages arrive as read; those of POP3 are new otherwise
    #[arg(long)]
    pub seen: bool,
    /// Leave flags and keywords behind
    #[arg(long)]
    pub no_flags: bool,
    /// Of messages with equal content in one folder of the source, copy the first one alone
    #[arg(long)]
    pub dedupe: bool,
    /// How to check at the end that all is there: by header and size, or by every octet
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_value = "header", default_missing_value = "header", overrides_with = "no_verify")]
    pub verify: Verify,
    /// Do not check
    #[arg(long)]
    pub no_verify: bool,
    /// Delete from the source what was copied, once all was checked and nothing failed
    #[arg(long, conflicts_with = "no_verify")]
    pub delete_source: bool,
    /// Go through it again until there is nothing new in the source
    #[arg(long)]
    pub until_idle: bool,
    /// How many connections may be open at once, at each end
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub connections: u8,
    /// Write the report of each mailbox into this folder, as JSON
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub report_dir: Option<PathBuf>,
    /// Do the mailboxes of a table, --jobs at once
    #[arg(long, value_name = "FILE.csv", conflicts_with_all = ["from", "to"], value_hint = ValueHint::FilePath, help_heading = "Many mailboxes")]
    pub batch: Option<PathBuf>,
    /// Do the Ith of N parts of the table, so that many machines share it
    #[arg(long, value_name = "I/N", requires = "batch", conflicts_with_all = ["from", "to"], help_heading = "Many mailboxes")]
    pub shard: Option<String>,
    /// Leave out mailboxes whose last run ended well
    #[arg(long, requires = "batch", conflicts_with_all = ["from", "to"], help_heading = "Many mailboxes")]
    pub resume: bool,
    /// Do only the mailboxes whose last run did not end well
    #[arg(long, requires = "batch", conflicts_with_all = ["resume", "from", "to"], help_heading = "Many mailboxes")]
    pub only_failed: bool,
    /// What only a URL or a path needs.
    #[command(flatten)]
    pub ends: EndArgs,
}

/// What stands in for a configuration where an end of a migration is a URL or a path.
#[derive(Debug, Args)]
#[command(next_help_heading = "With URLs and paths")]
pub struct EndArgs {
    /// Command that prints the password of FROM; else MAILFERRY_FROM_PASSWORD, else it is asked for
    #[arg(long, value_name = "CMD")]
    pub from_password_command: Option<String>,
    /// Command that prints the password of TO; else MAILFERRY_TO_PASSWORD, else it is asked for
    #[arg(long, value_name = "CMD")]
    pub to_password_command: Option<String>,
    /// Whose password that of FROM is, where it is an administrator's who logs in for the user of the URL
    #[arg(long, value_name = "NAME")]
    pub from_auth_user: Option<String>,
    /// Whose password that of TO is, where it is an administrator's
    #[arg(long, value_name = "NAME")]
    pub to_auth_user: Option<String>,
    /// How to log in to FROM, as --auth of pull
    #[arg(long, value_name = "HOW")]
    pub from_auth: Option<String>,
    /// How to log in to TO
    #[arg(long, value_name = "HOW")]
    pub to_auth: Option<String>,
    /// Accept this certificate of FROM and no other; may be given several times
    #[arg(long, value_name = "SHA256")]
    pub from_pin_sha256: Vec<String>,
    /// Accept this certificate of TO and no other; may be given several times
    #[arg(long, value_name = "SHA256")]
    pub to_pin_sha256: Vec<String>,
    /// Further trusted certificates for both ends, PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// How long any one step of either server may be silent, such as 60s
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<String>,
    /// Line ends of messages in a local TO: lf or crlf [default: lf]
    #[arg(long, value_name = "ENDS")]
    pub line_endings: Option<String>,
}

/// How a migration is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Verify {
    /// By Message-ID, Date, From, Subject and size
    Header,
    /// By every octet
    Content,
}

/// `mailferry config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to do with the configuration.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigCommand {
    /// Print where the configuration is looked for
    Path,
    /// Check it and name every mistake
    Check,
    /// Show the accounts as they are understood, without passwords
    Show,
}
