//! What a file cannot say of itself and a user has to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How to read a file where its header leaves something open.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reading {
    /// The header of a file that has none, as its first line would be.
    pub columns: Option<String>,
    /// The column that is the volume, where there are several; `none` for no volume.
    pub volume_column: Option<String>,
    /// The zone of times that name none.
    pub zone: Option<UtcOffset>,
}

/// The value of [`Reading::volume_column`] that leaves volume out.
pub(super) const NO_VOLUME: &str = "none";

/// A fixed distance from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UtcOffset {
    minutes_east: i32,
}

impl UtcOffset {
    /// Milliseconds east of UTC.
    pub(super) fn millis(self) -> i64 {
        i64::from(self.minutes_east) * 60_000
    }
}

impl FromStr for UtcOffset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no zone: write `UTC`, or a fixed distance such as `+02:00` or `-05:00`"
            )
        };
        if text.eq_ignore_ascii_case("utc") {
            return Ok(Self { minutes_east: 0 });
        }
        let (sign, rest) = match text.split_at_checked(1).ok_or_else(wrong)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return Err(wrong()),
        };
        let (hours, minutes) = rest.split_once(':').ok_or_else(wrong)?;
        let number = |text: &str, max: i32| {
            let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number| is_number && *number <= max)
        };
        let (hours, minutes) = (number(hours, 14), number(minutes, 59));
        let minutes = hours.zip(minutes).map(|(hours, minutes): (i32, i32)| hours * 60 + minutes);
        Ok(Self { minutes_east: sign * minutes.ok_or_else(wrong)? })
    }
}

impl fmt::Display for UtcOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minutes_east < 0 { '-' } else { '+' };
        let minutes = self.minutes_east.abs();
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_utc_or_a_fixed_distance() {
        for (text, shown) in [("UTC", "+00:00"), ("+02:00", "+02:00"), ("-05:30", "-05:30")] {
            assert_eq!(text.parse::<UtcOffset>().unwrap().to_string(), shown);
        }
        for text in ["", "Europe/Helsinki", "+2", "+15:00", "2:00", "+02:60", "+é:00"] {
            assert!(text.parse::<UtcOffset>().is_err(), "{text}");
        }
    }
}
