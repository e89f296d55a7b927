//! Octets and counts as people read them.

/// Octets with a binary unit: `13.1 KiB`.
pub fn octets(n: u64) -> String {
    let mut value = n as f64;
    let mut units = ["KiB", "MiB", "GiB", "TiB"].iter();
    let mut unit = "B";
    while value >= 1024.0 {
        let Some(next) = units.next() else { break };
        (value, unit) = (value / 1024.0, next);
    }
    if unit == "B" { format!("{n} B") } else { format!("{value:.1} {unit}") }
}

/// `1 message`, `2 messages`.
pub fn messages(n: u64) -> String {
    format!("{n} message{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_short() {
        for (n, text) in
            [(0, "0 B"), (1023, "1023 B"), (13_414, "13.1 KiB"), (52_428_800, "50.0 MiB"), (u64::MAX, "16777216.0 TiB")]
        {
            assert_eq!(octets(n), text);
        }
        assert_eq!((messages(1), messages(0)), ("1 message".into(), "0 messages".into()));
    }
}
