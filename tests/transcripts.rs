//! Servers with their quirks, each told by a file; `transcripts/README.md` says how.

mod player;
mod script;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "transcripts"].iter().collect()
}

/// One test for each file.
macro_rules! transcripts {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                let file = folder().join(concat!(stringify!($name), ".txt"));
                player::play(&fs::read_to_string(file).expect("the transcript"));
            }
        )*

        #[test]
        fn every_transcript_is_played() {
            let played = BTreeSet::from([$(stringify!($name).to_owned()),*]);
            let files = fs::read_dir(folder()).expect("the folder").map(|entry| entry.expect("an entry").path());
            let texts = files.filter(|path| path.extension().is_some_and(|e| e == "txt"));
            let stem = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
            assert_eq!(texts.map(stem).collect::<BTreeSet<_>>(), played);
        }
    };
}

transcripts! {
    compress_offered
    copyuid_zero
    courier
    cyrus
    davmail
    dovecot_too_many
    exchange_no_mail
    exchange_uidvalidity
    exchange_unfetchable
    gmail
    gmail_append_limit
    gmail_pop3
    icloud
    inbox_case
    literal_oversize
    names_traversal
    netease
    netease_unsafe
    outlook_append
    outlook_long_lines
    outlook_not_connected
    outlook_throttled
    outlook_token_expired
    outlook_xoauth2
    plus_without_text
    pop3_dele_ignored
    pop3_expire
    pop3_in_use
    pop3_login_delay
    pop3_odd_uidl
    pop3_rfc1939
    pop3_sasl
    pop3_sizes
    pop3_utf8
    preauth
    proton_bridge
    proton_expunge
    qq
    search_unsorted
    separator_nil
    starttls_injection
    uidvalidity_zero
    yahoo_shows_less
    yahoo_ten_thousand
    yahoo_uidnext
    yahoo_unavailable
    zimbra_exists
}
