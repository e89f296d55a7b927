//! Servers that offer to compress, and do not.

use super::{Trial, each};
use crate::support::server::{At, Effect, Fault, Protocol};

#[test]
fn who_offers_to_compress_and_does_not_is_worked_with_uncompressed() {
    let rows = [
        ("it refuses", Fault::refuse("COMPRESS", "no"), 1),
        ("it does not know", Fault::new(At::received("COMPRESS"), Effect::Reject("what?".to_owned())), 1),
        (
            "it goes on in plain",
            Fault::new(At::received("COMPRESS"), Effect::say("{tag} OK now\r\n* OK and more\r\n")),
            2,
        ),
        ("it sends garbage", Fault::new(At::received("COMPRESS"), Effect::say("{tag} OK now\r\n\x07\x07\x07\x07")), 2),
    ];
    each(rows.map(|(name, fault, connections)| (name.to_owned(), (fault, connections))), |(fault, connections)| {
        let mut trial = Trial::of(Protocol::Imap).fault(fault.clone().always());
        trial.option = "compress = true\ntimeout = \"1s\"";
        let stage = trial.scripted(|s| s.imap_extra = vec!["COMPRESS=DEFLATE".to_owned()]).start();
        let run = stage.pull().expect(0);
        assert_eq!(run.stderr, "");
        assert_eq!(stage.server.log().connections, *connections);
        stage.heals();
        stage.is_tidy();
    });
}

#[test]
fn on_one_machine_nobody_asks_for_it() {
    for (option, asked) in [("", 0), ("compress = false", 0), ("compress = true", 1)] {
        let mut trial = Trial::of(Protocol::Imap).fault(Fault::refuse("COMPRESS", "no"));
        trial.option = option;
        let stage = trial.scripted(|s| s.imap_extra = vec!["COMPRESS=DEFLATE".to_owned()]).start();
        stage.pull().expect(0);
        assert_eq!(stage.server.log().count("COMPRESS"), asked, "{option}");
    }
}
