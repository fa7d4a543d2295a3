//! The time zone of times without one: a fixed offset from UTC, a place, or a place and an offset from it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, MappedLocalTime, Offset as _, TimeZone as _};
use chrono_tz::{TZ_VARIANTS, Tz};
use serde::{Deserialize, Serialize};

/// The forms that `Zone::from_str` accepts, for error messages.
const FORMS: &str = "write `UTC`, a fixed offset such as `+02:00`, a place such as `Europe/Athens`, or a place and \
    an offset from it such as `America/New_York+07:00`";

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    /// The place whose clocks the zone follows, daylight saving time included.
    place: Tz,
    /// Minutes ahead of that place. The servers of many brokers are seven hours ahead of New York all year.
    minutes_east: i32,
}

/// A local time in UTC, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Local {
    Once(i64),
    /// The local time occurred twice, because clocks were set back.
    Twice {
        first: i64,
        second: i64,
    },
    /// The local time never occurred, because clocks were set forward.
    Never,
}

impl Zone {
    /// The zone of a place.
    pub(super) const fn of_place(place: Tz) -> Self {
        Self { place, minutes_east: 0 }
    }

    pub(super) fn to_utc(self, local_ms: i64) -> Local {
        let Some(shifted) = local_ms.checked_sub(i64::from(self.minutes_east) * 60_000) else {
            return Local::Never;
        };
        if self.place == Tz::UTC {
            return Local::Once(shifted);
        }
        let Some(clock) = DateTime::from_timestamp_millis(shifted) else { return Local::Never };
        let east_ms = |offset: <Tz as chrono::TimeZone>::Offset| {
            i64::from(offset.fix().local_minus_utc()) * 1_000
        };
        match self.place.offset_from_local_datetime(&clock.naive_utc()) {
            MappedLocalTime::Single(offset) => Local::Once(shifted - east_ms(offset)),
            MappedLocalTime::Ambiguous(one, other) => {
                let (one, other) = (shifted - east_ms(one), shifted - east_ms(other));
                Local::Twice { first: one.min(other), second: one.max(other) }
            }
            MappedLocalTime::None => Local::Never,
        }
    }
}

/// The places of large markets whose clocks were set back at this local time.
pub(super) fn places_of_clock_change(local_ms: i64) -> Vec<Zone> {
    const PLACES: [Tz; 5] = [
        Tz::America__New_York,
        Tz::America__Chicago,
        Tz::Europe__London,
        Tz::Europe__Berlin,
        Tz::Europe__Athens,
    ];
    let zones = PLACES.into_iter().map(Zone::of_place);
    zones.filter(|zone| matches!(zone.to_utc(local_ms), Local::Twice { .. })).collect()
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a time zone: {FORMS}");
        if let Some(place) = place_named(text) {
            return Ok(Self { place, minutes_east: 0 });
        }
        let at = text.rfind(['+', '-']).ok_or_else(wrong)?;
        let (place, distance) = text.split_at(at);
        let place = if place.is_empty() { Some(Tz::UTC) } else { place_named(place) };
        let (place, minutes) = place.zip(minutes_east(distance)).ok_or_else(wrong)?;
        Ok(Self { place, minutes_east: minutes })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place != Tz::UTC {
            f.write_str(self.place.name())?;
            if self.minutes_east == 0 {
                return Ok(());
            }
        }
        let sign = if self.minutes_east < 0 { '-' } else { '+' };
        let minutes = self.minutes_east.abs();
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.to_string()
    }
}

/// A place of the IANA time zone database, by its name in any case.
pub(super) fn place_named(name: &str) -> Option<Tz> {
    let exact = name.parse().ok();
    exact.or_else(|| TZ_VARIANTS.into_iter().find(|tz| tz.name().eq_ignore_ascii_case(name)))
}

/// `+02:00` or `-05:30`.
fn minutes_east(text: &str) -> Option<i32> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |text: &str, max: i32| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>().ok().filter(|number| is_number && *number <= max)
    };
    Some(sign * (number(hours, 14)? * 60 + number(minutes, 59)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    /// 2024-03-31T00:00Z, a Sunday on which clocks went forward in Europe, at 01:00Z.
    const MARCH: i64 = 1_711_843_200_000;
    /// 2024-10-27T00:00Z, a Sunday on which they went back, at 01:00Z.
    const OCTOBER: i64 = 1_729_987_200_000;

    fn zone(text: &str) -> Zone {
        text.parse().unwrap()
    }

    #[test]
    fn zones_are_utc_a_distance_a_place_or_both() {
        for (text, shown) in [
            ("UTC", "+00:00"),
            ("+02:00", "+02:00"),
            ("-05:30", "-05:30"),
            ("UTC+02:00", "+02:00"),
            ("Europe/Athens", "Europe/Athens"),
            ("europe/athens", "Europe/Athens"),
            ("America/New_York+07:00", "America/New_York+07:00"),
            ("America/Port-au-Prince", "America/Port-au-Prince"),
            ("Etc/GMT-3", "Etc/GMT-3"),
        ] {
            assert_eq!(zone(text).to_string(), shown);
            assert_eq!(zone(&zone(text).to_string()), zone(text), "{text}");
        }
        for text in [
            "",
            "Europe",
            "Europe/Nowhere",
            "+2",
            "+15:00",
            "2:00",
            "+02:60",
            "+é:00",
            "Europe/Athens+7",
            "Europe/Athens+07:00+01:00",
            "-",
            "é+02:00",
        ] {
            assert!(text.parse::<Zone>().is_err(), "{text}");
        }
    }

    #[test]
    fn summer_and_winter_are_told_apart() {
        let athens = zone("Europe/Athens");
        // 12:00 in Athens is 10:00Z in winter and 09:00Z in summer.
        assert_eq!(athens.to_utc(MARCH - 12 * HOUR), Local::Once(MARCH - 14 * HOUR));
        assert_eq!(athens.to_utc(MARCH + 12 * HOUR), Local::Once(MARCH + 9 * HOUR));
        assert_eq!(athens.to_utc(MARCH + 3 * HOUR), Local::Never);
        let (first, second) = (OCTOBER, OCTOBER + HOUR);
        assert_eq!(athens.to_utc(OCTOBER + 3 * HOUR), Local::Twice { first, second });
        assert_eq!(athens.to_utc(OCTOBER + 4 * HOUR), Local::Once(OCTOBER + 2 * HOUR));
    }

    #[test]
    fn server_seven_hours_ahead_of_new_york_changes_its_clocks_with_new_york() {
        let server = zone("America/New_York+07:00");
        // The trading week ends at 17:00 in New York: midnight there, 22:00Z in winter and 21:00Z in summer.
        for (midnight, utc) in [
            ("2024-03-09T00:00:00Z", "2024-03-08T22:00:00Z"),
            ("2024-03-16T00:00:00Z", "2024-03-15T21:00:00Z"),
            ("2024-10-27T00:00:00Z", "2024-10-26T21:00:00Z"),
            ("2024-11-09T00:00:00Z", "2024-11-08T22:00:00Z"),
        ] {
            let ms = |text: &str| text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_millis();
            assert_eq!(server.to_utc(ms(midnight)), Local::Once(ms(utc)), "{midnight}");
        }
    }

    #[test]
    fn times_beyond_the_calendar_are_none() {
        for ms in [i64::MIN, i64::MAX] {
            assert_eq!(zone("Europe/Athens").to_utc(ms), Local::Never);
        }
    }
}
