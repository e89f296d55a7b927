//! The program dies, or a link is cut: the next run finishes, and nothing is lost or comes twice.

use super::*;
use crate::support::cutter::{Cutter, Way};

/// `kill -9`.
const KILLED: Option<i32> = Some(9);

fn letters() -> Vec<Vec<u8>> {
    let mut letters = mail::ordinary(3);
    // Twins, one without anything that tells it apart, and one that goes over a file.
    letters.push(letters[0].clone());
    letters.extend([b"Subject: weak\r\n\r\nbody\r\n".to_vec(), mail::large(600_000)]);
    letters
}

#[test]
fn at_every_numbered_point_into_imap() {
    sweep(End::pop3, 1, Dovecot::shared());
    sweep(End::imap, 4, Dovecot::shared());
}

/// A target that offers nothing: it takes one message at a time, and only when it asked for it.
#[test]
fn at_some_points_into_imap4rev1_alone() {
    sweep(End::pop3, 3, &Dovecot::start("imap_capability = IMAP4rev1\n"));
}

fn sweep(end: impl Fn(&User<'_>) -> End, stride: usize, target: &Dovecot) {
    let from = user_with(&letters());
    for n in (1..).step_by(stride) {
        assert!(n < 200, "no end of points");
        let (ferry, to) = (Ferry::new(), target.user());
        fs::write(ferry.path("ca.pem"), [Dovecot::shared(), target].map(|d| fs::read(d.ca_file()).unwrap()).concat())
            .unwrap();
        let (mut a, b) = (end(&from), End::imap(&to));
        a.ca_file = Some(ferry.path("ca.pem").display().to_string());
        let mut command = command(&ferry, &a, &b, &[]);
        command.env("MAILFERRY_FAULT_BATCH", "2").env("MAILFERRY_FAULT_POINT", n.to_string());
        let died = Running::start(command).wait();
        let alive = died.signal != KILLED;
        assert!(!alive || died.code == Some(0), "point {n}: {}", died.stderr);
        let healed = run(&ferry, &a, &b, &["--verify=content"]);
        assert_eq!(healed.code, Some(0), "after point {n}: {}", healed.stderr);
        assert_same_mail(&held(&to, "INBOX"), &stored(&letters()));
        let count = letters().len();
        if alive || n % 4 == 1 {
            assert_eq!(migrate(&ferry, &a, &b, &[]), format!("listed {count}, had {count}"), "after point {n}");
        }
        if alive {
            assert!(n > 12, "only {n} points");
            break;
        }
    }
}

#[test]
fn a_cut_link_is_mended_in_the_same_run() {
    let from = user_with(&letters());
    for (way, octets) in [
        (Way::ToServer, 400),
        (Way::ToServer, 5_000),
        (Way::ToServer, 60_000),
        (Way::ToServer, 300_000),
        (Way::ToClient, 900),
        (Way::ToClient, 1_500),
    ] {
        let (ferry, to) = (Ferry::new(), Dovecot::shared().user());
        let endpoint = to.endpoint(Protocol::Imap, Security::Clear);
        let cutter = Cutter::before(endpoint.port);
        ferry.account("new", &Endpoint { port: cutter.port, ..endpoint }, "");
        cutter.arm(way, octets);
        let target = End { text: "new".into(), password: None, ca_file: None };
        let outcome = run(&ferry, &End::pop3(&from), &target, &[]);
        let cut = !cutter.disarm();
        assert!(matches!(outcome.code, Some(0 | 75)), "{way:?} {octets}: {}", outcome.stderr);
        let healed = migrate(&ferry, &End::pop3(&from), &target, &["--verify=content"]);
        assert!(!healed.contains("failed"), "{healed}");
        assert_same_mail(&held(&to, "INBOX"), &stored(&letters()));
        assert!(cut, "{way:?} {octets} was never reached");
    }
}

#[test]
fn killed_and_cut_at_random_moments() {
    const MANY: usize = 2000;
    let many: Vec<Vec<u8>> = (0..MANY).map(|n| mail::message(n, &"a line\r\n".repeat(n % 40))).collect();
    let (from, to) = (user_with(&many), Dovecot::shared().user());
    let ferry = Ferry::new();
    let ends = [from.endpoint(Protocol::Pop3, Security::Clear), to.endpoint(Protocol::Imap, Security::Clear)];
    let cutters = ends.each_ref().map(|endpoint| Cutter::before(endpoint.port));
    for ((name, endpoint), cutter) in ["old", "new"].into_iter().zip(ends).zip(&cutters) {
        ferry.account(name, &Endpoint { port: cutter.port, ..endpoint }, "");
    }
    let [a, b] = ["old", "new"].map(|name| End { text: name.into(), password: None, ca_file: None });
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |most: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % most
    };
    // On a busy machine it may take more rounds before anything comes.
    for _ in (0..40).take_while(|round| *round < 8 || held(&to, "INBOX").is_empty()) {
        // Either link breaks somewhere, and soon after that the program dies.
        let (way, octets) = [(Way::ToClient, 400_000), (Way::ToServer, 400_000)][next(2) as usize];
        let cutter = &cutters[usize::from(way == Way::ToServer)];
        cutter.arm(way, next(octets) as usize);
        let mut command = command(&ferry, &a, &b, &[]);
        command.env("MAILFERRY_FAULT_BATCH", "50");
        let mut running = Running::start(command);
        let until = std::time::Instant::now() + std::time::Duration::from_millis(100 + next(900));
        while running.is_running() && std::time::Instant::now() < until {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        running.kill();
        cutter.disarm();
    }
    let there = held(&to, "INBOX").len();
    assert!((1..MANY).contains(&there), "{there} messages came before the last run");
    let last = run(&ferry, &a, &b, &["--verify=content"]).expect(0);
    report(&last);
    assert_same_mail(&held(&to, "INBOX"), &stored(&many));
    assert_eq!(migrate(&ferry, &a, &b, &[]), format!("listed {MANY}, had {MANY}"));
}
