//! Requests to the rulebook: a promotion or a rollback.

use std::fmt;
use std::str::FromStr;

use crate::values::{InvalidName, ModelName, Reason, Stage, VersionKey, VersionNumber};

/// Asks for one change of stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromotionRequest {
    /// The version to change.
    pub key: VersionKey,
    /// The stage it should enter.
    pub target: Stage,
    /// The reason, for the log. Required with `force`.
    pub reason: Option<Reason>,
    /// The champion that the caller saw. The request is refused when another one is found. `None`: not checked.
    pub expected_champion: Option<ExpectedChampion>,
    /// Lets a contaminated version rise, one that does not meet the conditions, and one that displaces a champion of
    /// another symbol.
    pub force: bool,
}

/// The champion that a caller expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedChampion {
    /// The model has no champion.
    Nobody,
    /// This version is champion.
    Version(VersionNumber),
}

/// Reads `none` or a version number.
impl FromStr for ExpectedChampion {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::Nobody),
            _ => text.parse().map(Self::Version),
        }
    }
}

impl fmt::Display for ExpectedChampion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("no champion"),
            Self::Version(version) => write!(f, "version {version}"),
        }
    }
}

/// Asks for the last former champion to return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackRequest {
    /// The registered model.
    pub name: ModelName,
    /// The reason, for the log and for both versions' tags.
    pub reason: Reason,
    /// Lets a version of another symbol than the champion's return.
    pub force: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_champion_is_none_or_a_version_number() {
        assert_eq!("none".parse(), Ok(ExpectedChampion::Nobody));
        assert_eq!("1".parse(), Ok(ExpectedChampion::Version(VersionNumber::FIRST)));
        for text in ["", "0", "None", "champion"] {
            assert!(text.parse::<ExpectedChampion>().is_err(), "{text}");
        }
    }
}
