//! Who has to keep the contract: Maildirs, and IMAP on a real Dovecot, in full and with less and less of what makes it fast.

mod imap;
mod maildir;

use super::*;
use crate::support::dovecot::{Dovecot, User};
use std::sync::OnceLock;

/// One test for each promise.
macro_rules! keeps_the_contract {
    ($variant:ident, $place:ty; $($promise:ident)+) => {
        mod $variant {
            use super::*;
            $(#[tokio::test]
            async fn $promise() {
                crate::mailbox_contract::$promise::<$place>().await;
            })+
        }
    };
    ($($variant:ident: $place:ty;)+) => {$(
        keeps_the_contract! {
            $variant, $place;
            a_snapshot_shows_every_message_with_its_marks
            messages_are_told_apart_by_their_content
            changes_touch_only_what_they_name
            every_mark_that_it_says_it_holds_it_holds
            what_is_removed_is_gone_and_nothing_else
            what_is_moved_keeps_bytes_and_marks
            what_others_bring_and_take_is_seen
        }
    )+};
}

keeps_the_contract! {
    imap_in_full: imap::Account<imap::InFull>;
    imap_without_move: imap::Account<imap::WithoutMove>;
    imap4rev1_alone: imap::Account<imap::Bare>;
    maildir_nested: maildir::Root<maildir::Usual>;
    maildir_plus_plus: maildir::Root<maildir::PlusPlus>;
}
