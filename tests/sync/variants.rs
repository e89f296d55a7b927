//! The same on servers that offer less and less of what makes a sync fast, and on one that compresses.

use super::*;
use crate::support::cutter::Way;
use std::cell::Cell;
use std::sync::OnceLock;

/// What a server offers.
#[derive(Clone, Copy)]
struct Offer {
    server: &'static OnceLock<Dovecot>,
    lacks: &'static str,
    compresses: bool,
}

/// All that makes a difference here.
const ALL: &str =
    "IMAP4rev1 LITERAL+ NAMESPACE UIDPLUS ESEARCH MOVE CONDSTORE QRESYNC ENABLE LIST-EXTENDED LIST-STATUS SPECIAL-USE";

const ALONE: &str =
    "LITERAL+ NAMESPACE UIDPLUS ESEARCH MOVE CONDSTORE QRESYNC ENABLE LIST-EXTENDED LIST-STATUS SPECIAL-USE";

/// In the place of what a server lacks: it lacks nothing, and compresses.
const COMPRESSES: &str = "nothing";

thread_local! {
    static OFFER: Cell<Option<Offer>> = const { Cell::new(None) };
}

/// The server on which this test's accounts are.
pub fn dovecot() -> &'static Dovecot {
    match OFFER.get() {
        None => Dovecot::shared(),
        Some(offer) => offer.server.get_or_init(|| {
            let offers: Vec<&str> = ALL.split(' ').filter(|c| offer.lacks.split(' ').all(|o| o != *c)).collect();
            Dovecot::start(&match offer.compresses {
                true => "protocol imap {\n mail_plugins = imap_zlib\n}".to_owned(),
                false => format!("imap_capability = {}\n", offers.join(" ")),
            })
        }),
    }
}

/// What the account's own table has on top there.
pub fn option() -> &'static str {
    // It is not compressed on one machine unless that is asked for.
    if OFFER.get().is_some_and(|offer| offer.compresses) { "compress = true\n" } else { "" }
}

/// Rows that have to hold where a server lacks something.
macro_rules! without {
    ($($variant:ident: $lacks:expr, [$($module:ident::$row:ident)+];)+) => {$(
        mod $variant {
            use super::*;
            static SERVER: OnceLock<Dovecot> = OnceLock::new();
            $(#[test]
            fn $row() {
                OFFER.set(Some(Offer { server: &SERVER, lacks: $lacks, compresses: $lacks == COMPRESSES }));
                super::super::$module::$row();
            })+
        }
    )+};
    (rows: $($variant:ident: $lacks:expr;)+) => {
        without! {$($variant: $lacks, [
            changes::a_first_sync_brings_all_and_the_second_nothing
            changes::new_messages_travel_both_ways
            changes::flags_merge_each_on_its_own
            changes::keywords_travel_by_their_names
            changes::deletions_travel_both_ways_and_win_over_marks
            changes::a_deletion_that_may_not_travel_stays_where_it_was_made
            changes::moves_are_moves_on_the_other_side_too
            changes::a_move_goes_well_with_a_deletion
            changes::a_move_takes_along_what_was_marked_on_the_other_side
            healing::a_lost_state_duplicates_nothing
            healing::equal_copies_pair_up_one_to_one
            healing::a_new_uidvalidity_moves_nothing
            healing::an_account_that_was_pulled_is_synced_at_once
        ];)+}
    };
}

without! {
    rows:
    without_uidplus: "UIDPLUS";
    without_move: "MOVE";
    without_move_and_uidplus: "UIDPLUS MOVE";
    without_condstore: "CONDSTORE QRESYNC";
    without_qresync: "QRESYNC";
    without_list_status: "LIST-STATUS";
    without_literals: "LITERAL+";
    imap4rev1_alone: ALONE;
}

without! {
    without_qresync_with_many: "QRESYNC", [
        resync::of_many_messages_only_changes_are_told
        resync::what_stays_on_the_server_alone_is_known_too
        resync::marks_that_do_not_travel_are_known_too
        random::edits_and_deaths
    ];
}

without! {
    imap4rev1_alone_and_killed: ALONE, [
        crash::at_some_points
        random::edits_and_deaths
        random::edits_and_cut_links
        changes::a_move_that_is_cut_off_is_finished
        changes::a_message_moved_on_both_sides_is_where_the_server_has_it
        changes::what_is_thrown_away_amid_a_cut_is_in_the_trash_once
        overtaken::moved_there_on_and_marked_here
        overtaken::moved_there_back_and_marked_here
        overtaken::moved_here_on_and_marked_there
        overtaken::moved_here_back_and_marked_there
    ];
}

without! {
    compressed: COMPRESSES, [
        changes::a_first_sync_brings_all_and_the_second_nothing
        changes::new_messages_travel_both_ways
        changes::deletions_travel_both_ways_and_win_over_marks
        changes::moves_are_moves_on_the_other_side_too
        random::edits_and_cut_links
    ];
}

#[test]
fn what_can_be_compressed_is() {
    static SERVER: OnceLock<Dovecot> = OnceLock::new();
    OFFER.set(Some(Offer { server: &SERVER, lacks: "", compresses: true }));
    let (pair, cutter) = Pair::with_cutter();
    let text = "every line of it is the same\r\n".repeat(10_000);
    let long = |n| [message(n), text.clone().into_bytes()].concat();
    let goes_over_little = |way: Way| {
        cutter.arm(way, 30_000);
        let counts = pair.sync();
        assert!(cutter.disarm(), "{way:?}: more than 30 000 octets of 300 000");
        counts
    };
    pair.user.deliver("INBOX", &[long(1)]);
    assert_eq!(goes_over_little(Way::ToClient), "fetched 1");
    fs::write(pair.path("INBOX").join("cur").join("2.reader.host:2,S"), mail::with_lf(&long(2))).unwrap();
    assert_eq!(goes_over_little(Way::ToServer), "uploaded 1");
    assert_eq!(pair.both("INBOX"), "1 2S");
}
