//! Moments and lengths of time as text for messages.

use std::fmt;

/// A moment in milliseconds since 1970-01-01T00:00:00Z, printed as ISO 8601 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utc(pub i64);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match chrono::DateTime::from_timestamp_millis(self.0) {
            Some(at) if self.0 % 1_000 == 0 => write!(f, "{}", at.format("%Y-%m-%dT%H:%M:%SZ")),
            Some(at) => write!(f, "{}", at.format("%Y-%m-%dT%H:%M:%S%.3fZ")),
            None => write!(f, "{} ms", self.0),
        }
    }
}

/// A length of time in the largest unit of which it is a whole number, such as `4 h`.
pub(crate) fn length_text(length_ms: i64) -> String {
    const UNITS: [(i64, &str); 4] =
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    for (unit_ms, name) in UNITS {
        if length_ms % unit_ms == 0 {
            return format!("{} {name}", length_ms / unit_ms);
        }
    }
    format!("{length_ms} ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_printed_in_utc_and_with_milliseconds_only_when_they_have_some() {
        assert_eq!(Utc(1_483_308_000_000).to_string(), "2017-01-01T22:00:00Z");
        assert_eq!(Utc(1_483_308_000_250).to_string(), "2017-01-01T22:00:00.250Z");
        assert_eq!(Utc(i64::MAX).to_string(), "9223372036854775807 ms");
    }

    #[test]
    fn lengths_are_printed_in_the_largest_even_unit() {
        assert_eq!(length_text(60_000), "1 min");
        assert_eq!(length_text(14_400_000), "4 h");
        assert_eq!(length_text(5_400_000), "90 min");
        assert_eq!(length_text(7 * 86_400_000), "7 d");
        assert_eq!(length_text(1_500), "1500 ms");
    }
}
