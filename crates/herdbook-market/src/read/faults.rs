//! The faults of the rows of a file, collected so that all are told at once.

use crate::error::{BadRow, MarketError};

/// So many faults are described; the others are counted.
const MAX_DESCRIBED: usize = 10;

/// The kind of a fault, for the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    NoPrices,
    NotANumber,
    PriceNotPositive,
    NegativeVolume,
    Range,
    ColumnCount,
    /// It is no time, as in a line with remarks.
    Time,
    TimeFormat,
    Order,
}

/// The faults of a file.
#[derive(Debug, Default)]
pub(super) struct Faults {
    described: Vec<MarketError>,
    /// The number of faults of each kind, in the order of their first occurrence.
    counts: Vec<(FaultKind, usize)>,
}

impl FaultKind {
    /// Whether a row with this fault can be left out without a change of the other bars.
    pub(super) const fn can_be_skipped(self) -> bool {
        !matches!(self, Self::TimeFormat | Self::Order)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::NoPrices => "without prices",
            Self::NotANumber => "with a value that is not a number",
            Self::PriceNotPositive => "with a price that is not above zero",
            Self::NegativeVolume => "with a volume below zero",
            Self::Range => "with a high or low on the wrong side of another price",
            Self::ColumnCount => "with too few or too many fields",
            Self::Time => "with a time that cannot be read",
            Self::TimeFormat => "with a time in another format",
            Self::Order => "with a time that contradicts the rows above",
        }
    }
}

impl Faults {
    /// Adds a fault.
    pub(super) fn add(&mut self, kind: FaultKind, describe: impl FnOnce() -> MarketError) {
        match self.counts.iter_mut().find(|(found, _)| *found == kind) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((kind, 1)),
        }
        if self.described.len() < MAX_DESCRIBED {
            self.described.push(describe());
        }
    }

    pub(super) fn n_rows(&self) -> usize {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// Whether no row has a fault that cannot be skipped.
    pub(super) fn can_be_skipped(&self) -> bool {
        self.counts.iter().all(|(kind, _)| kind.can_be_skipped())
    }

    /// Whether the prices of most rows contradict each other. Then columns have wrong names: rows with errors are rarer.
    pub(super) fn are_columns_swapped(&self, n_valid: usize) -> bool {
        let n_range = self.counts.iter().find(|(kind, _)| *kind == FaultKind::Range);
        n_range.is_some_and(|(_, count)| 2 * count > n_valid + self.n_rows())
    }

    /// How many rows have which fault, such as `3 without prices, 1 with a volume below zero`.
    pub(super) fn counts(&self) -> String {
        let counts = self.counts.iter().map(|(kind, count)| format!("{count} {}", kind.as_str()));
        counts.collect::<Vec<_>>().join(", ")
    }

    /// The error for these faults: the fault itself if it is the only one. `n_valid` rows have none.
    pub(super) fn into_error(mut self, file: &str, n_valid: usize) -> Option<MarketError> {
        if self.n_rows() <= 1 {
            return self.described.pop();
        }
        let rows = self.described.iter().map(|error| BadRow(error.clone())).collect();
        Some(MarketError::BadRows {
            file: file.to_owned(),
            n_rows: self.n_rows(),
            counts: self.counts(),
            can_be_skipped: self.can_be_skipped(),
            are_columns_swapped: self.are_columns_swapped(n_valid),
            rows,
        })
    }
}
