//! Timeframes: how long one bar is, and how that is spelled.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Length of one bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Timeframe {
    /// `1M`: one minute, never a month.
    Minute1,
    /// `5M`
    Minute5,
    /// `15M`
    Minute15,
    /// `30M`
    Minute30,
    /// `1H`
    Hour1,
    /// `4H`
    Hour4,
    /// `D`
    Day1,
}

/// Spelling everywhere, and length in seconds, shortest first.
const TABLE: [(Timeframe, &str, u32); 7] = [
    (Timeframe::Minute1, "1M", 60),
    (Timeframe::Minute5, "5M", 300),
    (Timeframe::Minute15, "15M", 900),
    (Timeframe::Minute30, "30M", 1_800),
    (Timeframe::Hour1, "1H", 3_600),
    (Timeframe::Hour4, "4H", 14_400),
    (Timeframe::Day1, "D", 86_400),
];

/// A text that names no timeframe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown timeframe `{text}`: valid are {}", Timeframe::names().join(", "))]
pub struct UnknownTimeframe {
    text: String,
}

impl Timeframe {
    /// All timeframes, shortest first.
    pub const ALL: [Self; 7] = [
        Self::Minute1,
        Self::Minute5,
        Self::Minute15,
        Self::Minute30,
        Self::Hour1,
        Self::Hour4,
        Self::Day1,
    ];

    /// The spelling, such as `1H`.
    pub const fn as_str(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// Length of one bar in seconds.
    pub const fn seconds(self) -> u32 {
        TABLE[self as usize].2
    }

    /// Length of one bar in milliseconds.
    pub const fn millis(self) -> i64 {
        self.seconds() as i64 * 1_000
    }

    /// The spellings, shortest timeframe first.
    pub fn names() -> [&'static str; 7] {
        TABLE.map(|(_, name, _)| name)
    }
}

impl FromStr for Timeframe {
    type Err = UnknownTimeframe;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        TABLE
            .iter()
            .find(|(_, name, _)| *name == text)
            .map(|(timeframe, ..)| *timeframe)
            .ok_or_else(|| UnknownTimeframe { text: text.to_owned() })
    }
}

impl TryFrom<String> for Timeframe {
    type Error = UnknownTimeframe;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Timeframe> for &'static str {
    fn from(timeframe: Timeframe) -> Self {
        timeframe.as_str()
    }
}

impl fmt::Display for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_in_the_order_of_the_enum() {
        for (idx, (timeframe, name, _)) in TABLE.iter().enumerate() {
            assert_eq!(*timeframe as usize, idx);
            assert_eq!(Timeframe::ALL[idx], *timeframe);
            assert_eq!(name.parse(), Ok(*timeframe));
        }
    }

    #[test]
    fn unknown_timeframe_lists_the_valid_ones() {
        let error = "2H".parse::<Timeframe>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown timeframe `2H`: valid are 1M, 5M, 15M, 30M, 1H, 4H, D"
        );
    }
}
