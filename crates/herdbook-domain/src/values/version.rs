//! Numbers of model versions, and the key of one version of one registered model.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::name::{InvalidName, ModelName};

/// Number of a model version: 1, 2, 3 …
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub struct VersionNumber(u32);

impl TryFrom<i64> for VersionNumber {
    type Error = InvalidName;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        Self::new(number).ok_or_else(|| InvalidName::Version { text: number.to_string() })
    }
}

impl VersionNumber {
    /// The first version of a model.
    pub const FIRST: Self = Self(1);

    /// The version number; `None` below 1 or beyond MLflow's 32-bit column.
    pub fn new(number: i64) -> Option<Self> {
        let number = i32::try_from(number).ok().filter(|n| *n >= 1)?;
        Some(Self(number.unsigned_abs()))
    }

    /// The next version number.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::str::FromStr for VersionNumber {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| InvalidName::Version { text: text.to_owned() })
    }
}

/// One version of one registered model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct VersionKey {
    /// The registered model.
    pub name: ModelName,
    /// The version's number.
    pub version: VersionNumber,
}

impl fmt::Display for VersionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` version {}", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_numbers_start_at_one() {
        for text in ["0", "-1", "x", "", "4294967296", "2147483648"] {
            assert!(text.parse::<VersionNumber>().is_err(), "{text}");
        }
        assert_eq!("7".parse::<VersionNumber>().map(VersionNumber::get), Ok(7));
    }
}
