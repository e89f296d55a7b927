//! Durations and sizes as people write them.

use super::problem::Fault;
use crate::error::quoted;
use std::time::Duration;

/// A thousand years, in seconds.
const LONGEST: u64 = 1000 * 365 * 86_400;

/// The duration that text such as `90s`, `2 min` or `30d` means: a whole number and a unit, in any case, spaces allowed.
/// Never zero, and never so long that no clock could be set by it.
pub(super) fn duration(text: &str) -> Result<Duration, Fault> {
    match seconds(text) {
        Some(0) => Err(Fault::new("no time at all", "Write a longer one, such as \"90s\" or \"30d\".")),
        Some(LONGEST..) => {
            Err(Fault::new("longer than a thousand years", "Write a shorter one, such as \"90s\" or \"30d\"."))
        }
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err(Fault::new(
            format!("{} is not a duration", quoted(text.as_bytes())),
            "Write a whole number and a unit (s, min, h, d, w), such as \"90s\" or \"30d\".",
        )),
    }
}

/// The octets that text such as `50 MiB` or `10MB` means: a whole number and a unit, in any case, spaces allowed. KiB, MiB
/// and GiB count by 1024, kB, MB and GB by 1000; without a unit it is octets. Never zero.
pub(super) fn size(text: &str) -> Result<u64, Fault> {
    match octets(text) {
        Some(0) => Err(Fault::new("no size at all", "Write a larger one, such as \"50 MiB\".")),
        Some(octets) => Ok(octets),
        None => Err(Fault::new(
            format!("{} is not a size", quoted(text.as_bytes())),
            "Write a whole number of octets, or with a unit (kB, MB, GB, KiB, MiB, GiB), such as \"50 MiB\".",
        )),
    }
}

/// A duration as [`duration`] reads it, in the largest unit that fits; whole seconds.
pub(super) fn written(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "min")];
    let (size, unit) = units.into_iter().find(|(size, _)| seconds.is_multiple_of(*size)).unwrap_or((1, "s"));
    format!("{}{unit}", seconds / size)
}

fn seconds(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let seconds = match unit.as_str() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    number.checked_mul(seconds)
}

fn octets(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let octets: u64 = match unit.as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(octets)
}

fn number_and_unit(text: &str) -> Option<(u64, String)> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit.trim_start().to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        let table: &[(&str, Option<u64>)] = &[
            ("90s", Some(90)),
            ("2 min", Some(120)),
            ("2m", Some(120)),
            (" 1 h ", Some(3600)),
            ("30d", Some(2_592_000)),
            ("30 D", Some(2_592_000)),
            ("2w", Some(1_209_600)),
            ("0s", None),
            ("", None),
            ("30", None),
            ("d", None),
            ("-1d", None),
            ("+1d", None),
            ("1.5h", None),
            ("1h 30m", None),
            ("3 months", None),
            ("99999999999999999999s", None),
            ("364999d", Some(31_535_913_600)),
            ("365000d", None),
            ("18446744073709551615s", None),
            ("18446744073709551615w", None),
        ];
        for (text, seconds) in table {
            assert_eq!(duration(text).ok(), seconds.map(Duration::from_secs), "{text:?}");
        }
    }

    #[test]
    fn durations_are_written_in_the_largest_unit_that_fits() {
        for text in ["1s", "90s", "1min", "90min", "1h", "36h", "1d", "30d", "14d"] {
            assert_eq!(written(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn sizes() {
        let table: &[(&str, Option<u64>)] = &[
            ("50 MiB", Some(52_428_800)),
            ("50mib", Some(52_428_800)),
            ("10MB", Some(10_000_000)),
            ("3 kB", Some(3000)),
            ("3KB", Some(3000)),
            ("1KiB", Some(1024)),
            ("2 GiB", Some(2_147_483_648)),
            ("2GB", Some(2_000_000_000)),
            ("512 B", Some(512)),
            ("512", Some(512)),
            ("0 MiB", None),
            ("", None),
            ("MiB", None),
            ("50M", None),
            ("1.5 MiB", None),
            ("-1", None),
            ("18446744073709551615 KiB", None),
        ];
        for (text, octets) in table {
            assert_eq!(size(text).ok(), *octets, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(n in 1u64..1_000_000, spaces in " {0,3}") {
            prop_assert_eq!(duration(&format!("{n}{spaces}h")), Ok(Duration::from_secs(n * 3600)));
            prop_assert_eq!(size(&format!("{n}{spaces}MiB")), Ok(n << 20));
        }
    }
}
