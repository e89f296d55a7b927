//! What came of an account, in one line.

use super::Summary;
use super::units::{messages, octets};
use crate::event::Counts;

/// The line of an account, with its line end; in a rehearsal it says what is to be done.
pub fn line(command: &str, s: &Summary, rehearsal: bool) -> String {
    let parts = match command {
        "sync" => both_ways(s, rehearsal),
        "adopt" => adopted(s, rehearsal),
        "migrate" => migrated(&s.counts, rehearsal),
        _ => one_way(s, rehearsal),
    };
    format!("{}: {}\n", s.account, parts.join(", "))
}

/// The table of several mailboxes that were migrated, those that failed last.
pub fn table(summaries: &[Summary], rehearsal: bool) -> String {
    let (done, left): (Vec<&Summary>, Vec<&Summary>) = summaries.iter().partition(|s| s.exit <= 1);
    let copied = if rehearsal { "to copy" } else { "copied" };
    let mut rows = vec![(["exit", copied, "there", "skipped", "failed", "size"].map(str::to_owned), "mailbox")];
    for s in done.iter().chain(&left) {
        let Counts { fetched, had, skipped, failed, bytes_in, .. } = s.counts;
        let [copied, there, skipped, failed] = [fetched, had, skipped, failed].map(|n| n.to_string());
        rows.push(([s.exit.to_string(), copied, there, skipped, failed, octets(bytes_in)], &s.account));
    }
    let wide =
        |at: usize| rows.iter().filter_map(|(cells, _)| cells.get(at)).map(String::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..6).map(wide).collect();
    let mut text = String::new();
    for (cells, name) in &rows {
        cells.iter().zip(&widths).for_each(|(cell, width)| text.push_str(&format!("{cell:>width$}  ")));
        text.push_str(&format!("{name}\n"));
    }
    text.push_str(&format!("{} mailboxes: {} done", summaries.len(), done.len()));
    if !left.is_empty() {
        text.push_str(&format!(", {} not (once mended, run them again with --only-failed)", left.len()));
    }
    text + "\n"
}

fn one_way(s: &Summary, rehearsal: bool) -> Vec<String> {
    let Counts { had, fetched, adopted, skipped, failed, deleted_remote, undeleted_remote, bytes_in, .. } = s.counts;
    let mut parts = match (rehearsal, fetched) {
        (true, n) => vec![format!("{} would be fetched", messages(n))],
        // After a failure it is not known.
        (false, 0) => vec![if s.exit <= 1 { "nothing new" } else { "nothing fetched" }.to_owned()],
        (false, n) => vec![format!("{} new ({})", messages(n), octets(bytes_in))],
    };
    let mut also = |n: u64, what: &str| {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    };
    also(had, "here already");
    also(adopted, "of them recognised");
    also(skipped, "skipped");
    also(failed, "left");
    also(deleted_remote, "deleted on the server");
    also(undeleted_remote, "not deleted there");
    parts
}

fn migrated(counts: &Counts, rehearsal: bool) -> Vec<String> {
    let Counts { had, fetched, skipped, failed, deleted_remote, bytes_in, .. } = *counts;
    let verb = if rehearsal { "to copy" } else { "copied" };
    let mut parts = vec![format!("{} {verb} ({})", messages(fetched), octets(bytes_in))];
    let others =
        [(had, "there already"), (skipped, "skipped"), (failed, "failed"), (deleted_remote, "deleted in the source")];
    parts.extend(others.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
    parts
}

fn adopted(s: &Summary, rehearsal: bool) -> Vec<String> {
    let Counts { adopted, had, skipped, .. } = s.counts;
    if s.exit > 2 && adopted + had == 0 {
        return vec!["nothing done".to_owned()];
    }
    let verb = if rehearsal { "to recognise" } else { "recognised" };
    let mut parts = vec![format!("{} {verb}", messages(adopted))];
    if had > adopted {
        parts.push(format!("{} known before", had - adopted));
    }
    if skipped > 0 {
        parts.push(format!("{skipped} on one side alone (to copy them, run: mailferry sync {})", s.account));
    }
    parts
}

fn both_ways(s: &Summary, rehearsal: bool) -> Vec<String> {
    let c = &s.counts;
    let size = |n: u64| if n > 0 { format!(" ({})", octets(n)) } else { String::new() };
    let (bytes_in, bytes_out) = (size(c.bytes_in), size(c.bytes_out));
    let changes = [
        (c.fetched, "copied", "copy", format!(" here{bytes_in}")),
        (c.uploaded, "copied", "copy", format!(" to the server{bytes_out}")),
        (c.flags_local, "marked", "mark", " here".to_owned()),
        (c.flags_remote, "marked", "mark", " on the server".to_owned()),
        (c.moved_local, "moved", "move", " here".to_owned()),
        (c.moved_remote, "moved", "move", " on the server".to_owned()),
        (c.deleted_local, "deleted", "delete", " here".to_owned()),
        (c.deleted_remote, "deleted", "delete", " on the server".to_owned()),
    ];
    let verb = |done: &str, due: &str| if rehearsal { format!("to {due}") } else { done.to_owned() };
    let others = [
        (c.undeleted_remote, "not deleted there"),
        (c.adopted, "recognised"),
        (c.skipped, "skipped"),
        (c.failed, "left"),
    ];
    let changes = changes.into_iter().map(|(n, done, due, place)| (n, verb(done, due) + &place));
    let told = changes.chain(others.map(|(n, what)| (n, what.to_owned()))).filter(|(n, _)| *n > 0);
    let mut parts = Vec::new();
    if c.folders > 0 {
        let are = if c.folders == 1 { "1 folder" } else { &format!("{} folders", c.folders) };
        parts.push(format!("{are} {}", verb("changed", "change")));
    }
    if c.changed() + c.undeleted_remote + c.failed + c.left == 0 {
        // After a failure it is not known.
        parts.push(if s.exit <= 1 { "nothing to do".to_owned() } else { "nothing done".to_owned() });
    }
    for (i, (n, what)) in told.enumerate() {
        // The first one says what is counted.
        parts.push(if i == 0 { format!("{} {what}", messages(n)) } else { format!("{n} {what}") });
    }
    match c.left {
        0 => {}
        1 => parts.push("1 folder or file left (see the warning)".to_owned()),
        n => parts.push(format!("{n} folders or files left (see the warnings)")),
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(counts: Counts, exit: u8) -> Summary {
        Summary { account: "work".into(), counts, seconds: 1.0, exit }
    }

    #[test]
    fn a_pull_says_what_matters() {
        for (exit, said) in [(0, "nothing new"), (1, "nothing new"), (2, "nothing fetched"), (77, "nothing fetched")] {
            assert_eq!(line("pull", &summary(Counts::default(), exit), false), format!("work: {said}\n"));
        }
        let s = summary(
            Counts { fetched: 1, had: 3, skipped: 2, deleted_remote: 1, bytes_in: 2048, ..Counts::default() },
            0,
        );
        assert_eq!(
            line("pull", &s, false),
            "work: 1 message new (2.0 KiB), 3 here already, 2 skipped, 1 deleted on the server\n"
        );
        assert_eq!(
            line("pull", &s, true),
            "work: 1 message would be fetched, 3 here already, 2 skipped, 1 deleted on the server\n"
        );
    }

    #[test]
    fn many_mailboxes_are_a_table() {
        let one = |account: &str, fetched, exit| {
            let counts = Counts { fetched, had: 2, bytes_in: fetched * 1024, ..Counts::default() };
            Summary { account: account.into(), ..summary(counts, exit) }
        };
        let told = table(&[one("ann", 0, 77), one("ben", 1234, 0), one("cat", 5, 1)], false);
        let expected = "\
exit  copied  there  skipped  failed     size  mailbox
   0    1234      2        0       0  1.2 MiB  ben
   1       5      2        0       0  5.0 KiB  cat
  77       0      2        0       0      0 B  ann
3 mailboxes: 2 done, 1 not (once mended, run them again with --only-failed)
";
        assert_eq!(told, expected);
        assert!(table(&[one("ben", 1, 0), one("cat", 1, 0)], true).ends_with("cat\n2 mailboxes: 2 done\n"));
    }

    #[test]
    fn a_sync_says_what_was_changed_where() {
        let all = Counts {
            listed: 99,
            had: 50,
            fetched: 1,
            uploaded: 2,
            flags_local: 3,
            flags_remote: 4,
            moved_local: 5,
            moved_remote: 6,
            folders: 2,
            deleted_local: 7,
            deleted_remote: 8,
            undeleted_remote: 9,
            adopted: 10,
            skipped: 11,
            failed: 12,
            left: 13,
            bytes_in: 2048,
            bytes_out: 512,
        };
        assert_eq!(
            line("sync", &summary(all, 2), false),
            "work: 2 folders changed, 1 message copied here (2.0 KiB), 2 copied to the server (512 B), 3 marked here, 4 marked on the server, \
             5 moved here, 6 moved on the server, 7 deleted here, 8 deleted on the server, 9 not deleted there, \
             10 recognised, 11 skipped, 12 left, 13 folders or files left (see the warnings)\n"
        );
        let few = Counts { flags_remote: 4, deleted_remote: 1, fetched: 0, had: 7, ..Counts::default() };
        assert_eq!(
            line("sync", &summary(few, 0), true),
            "work: 4 messages to mark on the server, 1 to delete on the server\n"
        );
    }

    #[test]
    fn an_adoption_says_what_is_left_for_a_sync() {
        for (adopted, had, skipped, exit, rehearsal, said) in [
            (5, 5, 0, 0, false, "5 messages recognised"),
            (1, 3, 0, 0, true, "1 message to recognise, 2 known before"),
            (
                0,
                3,
                2,
                0,
                false,
                "0 messages recognised, 3 known before, 2 on one side alone (to copy them, run: mailferry sync work)",
            ),
            (0, 0, 0, 77, false, "nothing done"),
        ] {
            let s = summary(Counts { adopted, had, skipped, ..Counts::default() }, exit);
            assert_eq!(line("adopt", &s, rehearsal), format!("work: {said}\n"));
        }
    }

    #[test]
    fn a_sync_that_changed_nothing_says_so() {
        for (counts, exit, said) in [
            (Counts { had: 7, listed: 7, ..Counts::default() }, 0, "nothing to do"),
            (Counts::default(), 1, "nothing to do"),
            (Counts { skipped: 2, ..Counts::default() }, 0, "nothing to do, 2 messages skipped"),
            (Counts { adopted: 1, ..Counts::default() }, 0, "nothing to do, 1 message recognised"),
            (Counts { failed: 1, ..Counts::default() }, 2, "1 message left"),
            (Counts { left: 1, ..Counts::default() }, 2, "1 folder or file left (see the warning)"),
            (Counts::default(), 77, "nothing done"),
        ] {
            assert_eq!(line("sync", &summary(counts, exit), false), format!("work: {said}\n"));
        }
    }
}
