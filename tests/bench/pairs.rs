//! Pairs of runs, ours and a peer's in turn, and what is told of them.

use crate::support::run::Outcome;

/// The number in an environment variable.
pub fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |n| n.parse().unwrap())
}

/// The head of the table.
pub fn print_head() {
    println!("{:<52} {:>8} {:>17} {:>9} {:>9}", "ours / peer", "median", "range", "peak MiB", "peer MiB");
}

/// Runs pairs in turn and prints the ratios; run 0 is the warm-up.
pub fn compare(what: &str, runs: usize, ours: impl Fn(usize) -> Outcome, peer: impl Fn(usize) -> Outcome) {
    let mut ratios = Vec::new();
    let (mut peak, mut peer_peak) = (0, 0);
    for n in 0..=runs {
        let (a, b) = (ours(n), peer(n));
        if n > 0 {
            ratios.push(a.took.as_secs_f64() / b.took.as_secs_f64());
        }
        peak = peak.max(a.peak_kib.unwrap_or(0));
        peer_peak = peer_peak.max(b.peak_kib.unwrap_or(0));
    }
    ratios.sort_by(f64::total_cmp);
    let range = format!("{:.2}–{:.2}", ratios[0], ratios[ratios.len() - 1]);
    let median = ratios[ratios.len() / 2];
    let mib = |kib: u64| kib as f64 / 1024.0;
    println!("{what:<52} {median:>8.2} {range:>17} {:>9.1} {:>9.1}", mib(peak), mib(peer_peak));
}
