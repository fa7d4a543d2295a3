//! Options for reading a file that the file itself does not tell.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::time_format::TimeFormat;
use super::zone::Zone;

/// Options for reading a file. The default suits files that need none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReadOptions {
    /// The names of all columns in their order, as a line of CSV; or some columns by their name in the file, such as
    /// `close=Close/Last`, or by their number from 1, such as `close=5`. They replace the header of the file, if it has one.
    pub columns: Option<String>,
    /// The name of the volume column, where there are several; `none` for no volume.
    pub volume_column: Option<String>,
    /// The time zone of times without one.
    pub zone: Option<Zone>,
    /// The file of an archive to read, where there are several.
    pub member: Option<String>,
    /// The format of the times, where the file leaves it open.
    #[serde(default)]
    pub time_format: Option<TimeFormat>,
    /// The decimal mark of numbers, where the file leaves it open.
    #[serde(default)]
    pub decimal: Option<DecimalMark>,
    /// Whether bars are stamped at their open or their close. Records made before this option existed were read with the
    /// stamp as the open.
    #[serde(default = "BarStamp::of_old_records")]
    pub stamped: Option<BarStamp>,
    /// Whether rows without valid values are left out.
    #[serde(default)]
    pub bad_rows: BadRows,
}

/// The value of [`ReadOptions::volume_column`] for no volume.
pub(super) const NO_VOLUME: &str = "none";

/// The sign between the whole and the fraction of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecimalMark {
    /// `1,234.56`
    #[serde(rename = ".")]
    Dot,
    /// `1.234,56`
    #[serde(rename = ",")]
    Comma,
}

/// The end of a bar at which its row is stamped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BarStamp {
    /// The time of a row is when its bar opens.
    Open,
    /// The time of a row is when its bar ends.
    Close,
}

/// What happens with rows whose prices, volume or number of fields are not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadRows {
    /// The file is refused.
    #[default]
    Refuse,
    /// The rows are left out and counted.
    Skip,
}

impl BarStamp {
    #[expect(clippy::unnecessary_wraps, reason = "serde needs the type of the field")]
    const fn of_old_records() -> Option<Self> {
        Some(Self::Open)
    }
}

impl FromStr for DecimalMark {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "." => Ok(Self::Dot),
            "," => Ok(Self::Comma),
            _ => Err(format!("`{text}` is not a decimal mark: give `.` or `,`")),
        }
    }
}

impl FromStr for BarStamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "open" => Ok(Self::Open),
            "close" => Ok(Self::Close),
            _ => Err(format!("`{text}` is not an end of a bar: give `open` or `close`")),
        }
    }
}

impl fmt::Display for DecimalMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dot => ".",
            Self::Comma => ",",
        })
    }
}

impl fmt::Display for BarStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Close => "close",
        })
    }
}
