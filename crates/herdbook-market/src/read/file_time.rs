//! Times as files have them, and epoch numbers.

use std::fmt;

use crate::time::Utc;

/// Epoch numbers from this on are milliseconds (from 1973-03-03); smaller ones are seconds (until the year 5138).
const FIRST_MILLISECOND: f64 = 1e11;
/// Smaller epoch numbers are refused (before 1973-03-03): `20170102` is a date without hyphens.
const FIRST_SECOND: f64 = 1e8;
/// Epoch numbers from this on are microseconds (from 1973-03-03).
const FIRST_MICROSECOND: f64 = 1e14;
/// Epoch numbers from this on are nanoseconds (from 1973-03-03).
const FIRST_NANOSECOND: f64 = 1e17;
/// Numbers from this on are refused (after the year 5138).
const BEYOND: f64 = 1e20;

/// Times further from 1970 than this are refused (after the year 5138).
const BEYOND_MS: i64 = 100_000_000_000_000;

/// A time as a file has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileTime {
    /// Milliseconds since 1970 in UTC; without a known zone, the local time as if it were UTC.
    pub(super) ms: i64,
    /// Whether the zone is known, so that `ms` is UTC.
    pub(super) has_zone: bool,
}

impl FileTime {
    /// `None` for times far from the present, so that lengths of time can be added without overflow.
    pub(super) fn checked(self) -> Option<Self> {
        (-BEYOND_MS..=BEYOND_MS).contains(&self.ms).then_some(self)
    }
}

impl fmt::Display for FileTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Utc(self.ms).to_string();
        f.write_str(if self.has_zone { &text } else { text.trim_end_matches('Z') })
    }
}

/// The unit of an epoch number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EpochUnit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl EpochUnit {
    /// The unit of an epoch number, by its size.
    pub(super) fn of(number: f64) -> Option<Self> {
        match number {
            _ if (FIRST_SECOND..FIRST_MILLISECOND).contains(&number) => Some(Self::Seconds),
            _ if (FIRST_MILLISECOND..FIRST_MICROSECOND).contains(&number) => {
                Some(Self::Milliseconds)
            }
            _ if (FIRST_MICROSECOND..FIRST_NANOSECOND).contains(&number) => {
                Some(Self::Microseconds)
            }
            _ if (FIRST_NANOSECOND..BEYOND).contains(&number) => Some(Self::Nanoseconds),
            _ => None,
        }
    }

    pub(super) fn time(self, number: f64) -> FileTime {
        let unit_ms = match self {
            Self::Seconds => 1_000.0,
            Self::Milliseconds => 1.0,
            Self::Microseconds => 1e-3,
            Self::Nanoseconds => 1e-6,
        };
        FileTime { ms: (number * unit_ms).round() as i64, has_zone: true }
    }
}
