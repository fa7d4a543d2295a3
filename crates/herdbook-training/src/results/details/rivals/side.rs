//! Whether a rule sells short.

use herdbook_market::Position;
use serde::{Deserialize, Serialize};

/// The position of a rule that does not expect a rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    /// Short.
    LongShort,
    /// Flat.
    LongFlat,
}

impl Side {
    pub(crate) const ALL: [Self; 2] = [Self::LongShort, Self::LongFlat];

    /// The position against a rise.
    pub(crate) fn against(self) -> Position {
        match self {
            Self::LongShort => Position::Short,
            Self::LongFlat => Position::Flat,
        }
    }

    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::LongShort => "long or short",
            Self::LongFlat => "long or flat",
        }
    }
}
