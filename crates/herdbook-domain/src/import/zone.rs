//! The time zone of times that were written without one.

use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

use crate::values::Timestamp;

/// A time zone: a fixed offset from UTC, or a place of the IANA time zone database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// A fixed offset from UTC.
    Fixed(FixedOffset),
    /// A place, such as `Europe/Berlin`, with its daylight saving time.
    Place(Tz),
}

/// A text that is not a time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a time zone: write `UTC`, an offset such as `+02:00`, or a place such as `Europe/Berlin`"
)]
pub struct InvalidZone {
    text: String,
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self::Place(Tz::UTC);

    /// The moment of a local time. A time that occurred twice, when clocks were set back, is the first of the two. A time
    /// that never occurred, when clocks were set forward, is converted with the offset before the change.
    pub fn moment(self, local: NaiveDateTime) -> Timestamp {
        let millis = match self {
            Self::Fixed(offset) => in_zone(&offset, local),
            Self::Place(place) => in_zone(&place, local),
        };
        Timestamp::from_millis(millis)
    }

    /// Reads a local time: `YYYYMMDD_HHMMSS`, `YYYYMMDD_HHMM`, or ISO 8601 with date and time, which may name its own
    /// offset. `None` for anything else.
    pub fn moment_of_tag(self, text: &str) -> Option<Timestamp> {
        let text = text.trim();
        let format = match text.len() {
            13 => "%Y%m%d_%H%M",
            15 => "%Y%m%d_%H%M%S",
            _ => return self.moment_of_iso(text),
        };
        NaiveDateTime::parse_from_str(text, format).ok().map(|local| self.moment(local))
    }

    fn moment_of_iso(self, text: &str) -> Option<Timestamp> {
        if let Ok(with_offset) = DateTime::parse_from_rfc3339(text) {
            return Some(Timestamp::from_millis(with_offset.timestamp_millis()));
        }
        let read = |format| NaiveDateTime::parse_from_str(text, format).ok();
        let local = read("%Y-%m-%dT%H:%M:%S%.f").or_else(|| read("%Y-%m-%d %H:%M:%S%.f"));
        local.map(|local| self.moment(local))
    }
}

fn in_zone<Z: TimeZone>(zone: &Z, local: NaiveDateTime) -> i64 {
    if let Some(moment) = zone.from_local_datetime(&local).earliest() {
        return moment.timestamp_millis();
    }
    let day_before = local - chrono::TimeDelta::days(1);
    let offset = zone.offset_from_utc_datetime(&day_before).fix();
    local.and_utc().timestamp_millis() - i64::from(offset.local_minus_utc()) * 1_000
}

impl std::str::FromStr for Zone {
    type Err = InvalidZone;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place = text.parse::<Tz>().ok().map(Self::Place);
        place
            .or_else(|| text.parse::<FixedOffset>().ok().map(Self::Fixed))
            .ok_or_else(|| InvalidZone { text: text.to_owned() })
    }
}

impl std::fmt::Display for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(offset) => offset.fmt(f),
            Self::Place(place) => f.pad(place.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(zone: &str, text: &str) -> String {
        zone.parse::<Zone>().unwrap().moment_of_tag(text).unwrap().to_string()
    }

    #[test]
    fn place_has_its_summer_time() {
        assert_eq!(utc("Europe/Berlin", "20250610_141733"), "2025-06-10T12:17:33Z");
        assert_eq!(utc("Europe/Berlin", "20250110_141733"), "2025-01-10T13:17:33Z");
        assert_eq!(utc("+02:00", "20250110_1417"), "2025-01-10T12:17:00Z");
        assert_eq!(utc("UTC", "20250110_1417"), "2025-01-10T14:17:00Z");
    }

    #[test]
    fn hour_that_occurred_twice_is_the_first_and_one_left_out_is_no_error() {
        assert_eq!(utc("Europe/Berlin", "20251026_023000"), "2025-10-26T00:30:00Z");
        assert_eq!(utc("Europe/Berlin", "20250330_023000"), "2025-03-30T01:30:00Z");
    }

    #[test]
    fn iso_times_are_read_with_and_without_an_offset() {
        assert_eq!(utc("Europe/Berlin", "2025-06-10T14:17:33"), "2025-06-10T12:17:33Z");
        assert_eq!(utc("Europe/Berlin", "2025-06-10 14:17:33.25"), "2025-06-10T12:17:33.250Z");
        assert_eq!(utc("Europe/Berlin", "2025-06-10T14:17:33+00:00"), "2025-06-10T14:17:33Z");
        assert_eq!(utc("Europe/Berlin", "2025-06-10T14:17:33Z"), "2025-06-10T14:17:33Z");
    }

    #[test]
    fn other_texts_are_no_zone_and_no_time() {
        let error = "Berlin".parse::<Zone>().unwrap_err().to_string();
        assert!(error.starts_with("`Berlin` is not a time zone: write `UTC`"), "{error}");
        for text in ["", "2025-06-10", "20250610_14173", "20251310_141733", "stage"] {
            assert_eq!(Zone::UTC.moment_of_tag(text), None, "{text}");
        }
    }
}
