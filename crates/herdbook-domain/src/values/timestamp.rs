//! Moments in UTC.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A moment in UTC, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a moment: write it like `2025-06-10`, `2025-06-10T14:17Z` or `2025-06-10T14:17:05+02:00` (no zone means UTC)"
)]
pub struct InvalidTimestamp {
    text: String,
}

impl Timestamp {
    /// 2025-06-10T14:17:05Z.
    #[cfg(test)]
    pub(crate) const EXAMPLE: Self = Self(1_749_565_025_000);

    /// The moment `millis` milliseconds after the epoch.
    ///
    /// Values beyond chrono's range (about the years -262143 to 262142) are clamped, so that every moment can be printed.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(
            DateTime::<Utc>::MIN_UTC.timestamp_millis(),
            DateTime::<Utc>::MAX_UTC.timestamp_millis(),
        ))
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Formats as in tags: `YYYYMMDD_HHMM`, in UTC. Seconds are cut off.
    pub fn tag(self) -> String {
        self.utc().format("%Y%m%d_%H%M").to_string()
    }

    /// Reads the form of tags, `YYYYMMDD_HHMM` in UTC; `None` for anything else.
    pub fn from_tag(text: &str) -> Option<Self> {
        let at = NaiveDateTime::parse_from_str(text, "%Y%m%d_%H%M").ok()?;
        Some(Self(at.and_utc().timestamp_millis()))
    }

    /// Reads ISO 8601 text. A text without a zone is UTC, and a date alone is midnight.
    ///
    /// # Errors
    /// [`InvalidTimestamp`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        let with_zone = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
        let without_zone = |text: &str| {
            ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
                .iter()
                .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
                .map(|at| at.and_utc())
        };
        let date = |text: &str| {
            let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Some(day.and_hms_opt(0, 0, 0)?.and_utc())
        };
        with_zone(text)
            .or_else(|| without_zone(text.strip_suffix('Z').unwrap_or(text)))
            .or_else(|| date(text))
            .map(|at| Self(at.timestamp_millis()))
            .ok_or_else(|| InvalidTimestamp { text: text.to_owned() })
    }

    fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }
}

/// ISO 8601; milliseconds are printed only if they are not 0: `2025-06-10T14:17:05Z`.
impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let utc = self.utc();
        // Outside of these years ISO 8601 wants a sign.
        if !(0..=9999).contains(&utc.year()) {
            return f.pad(&utc.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string());
        }
        // A list of 1,000 versions prints 1,000 times; chrono reads its pattern each time.
        let mut text = String::with_capacity("2025-06-10T14:17:05.120Z".len());
        for (before, number, n_digits) in [
            ("", utc.year() as u32, 4),
            ("-", utc.month(), 2),
            ("-", utc.day(), 2),
            ("T", utc.hour(), 2),
            (":", utc.minute(), 2),
            (":", utc.second(), 2),
        ] {
            text.push_str(before);
            push_digits(&mut text, number, n_digits);
        }
        let millis = utc.timestamp_subsec_millis();
        if millis > 0 {
            text.push('.');
            push_digits(&mut text, millis, 3);
        }
        text.push('Z');
        f.pad(&text)
    }
}

/// Appends the last `n_digits` decimal digits of a number.
fn push_digits(text: &mut String, number: u32, n_digits: u32) {
    for place in (0..n_digits).rev() {
        let digit = number / 10_u32.pow(place) % 10;
        text.push(char::from(b'0' + digit as u8));
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_iso_text_and_as_tag() {
        let at = Timestamp::from_millis(1_749_565_025_000);
        assert_eq!(at.to_string(), "2025-06-10T14:17:05Z");
        assert_eq!(at.tag(), "20250610_1417");
        assert_eq!(
            Timestamp::from_tag("20250610_1417"),
            Timestamp::parse("2025-06-10T14:17Z").ok()
        );
        assert_eq!(Timestamp::from_tag("2025-06-10"), None);
        assert_eq!(
            Timestamp::from_millis(1_749_565_025_120).to_string(),
            "2025-06-10T14:17:05.120Z"
        );
    }

    #[test]
    fn prints_every_moment_as_chrono_does() {
        let year = 366 * 86_400_000;
        for millis in [0, 1, 10, 999, -1, 59_999, 86_399_999, 951_782_400_000, i64::MIN, i64::MAX] {
            for year_idx in [-3_000, -1_970, -1_969, -1, 0, 1, 33, 8_000, 8_100] {
                let at = Timestamp::from_millis(millis.saturating_add(year_idx * year));
                let expected = at.utc().format("%Y-%m-%dT%H:%M:%S%.fZ").to_string();
                assert_eq!(at.to_string(), expected, "{}", at.millis());
            }
        }
    }

    #[test]
    fn reads_every_documented_form() {
        for (text, millis) in [
            ("2025-06-10", 1_749_513_600_000),
            ("2025-06-10T14:17Z", 1_749_565_020_000),
            ("2025-06-10 14:17:05", 1_749_565_025_000),
            ("2025-06-10T16:17:05+02:00", 1_749_565_025_000),
        ] {
            assert_eq!(Timestamp::parse(text), Ok(Timestamp(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_moment() {
        for text in ["", "yesterday", "2025-13-01", "10/06/2025", "1749565025"] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }
}
