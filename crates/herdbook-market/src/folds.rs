//! Walk-forward folds: several splits with consecutive test blocks.
//!
//! The test blocks are equal and consecutive, and the last one ends with the bars. Each fold is trained on all bars before
//! its block (expanding window, as in scikit-learn's `TimeSeriesSplit`).

use std::ops::Range;

use crate::bars::Bars;
use crate::error::MarketError;
use crate::split::Boundaries;

/// Share of the rows before a test block that is used for training; the rest is used for validation. The same ratio as
/// in the default split, 64 to 16.
const TRAIN_SHARE: (usize, usize) = (4, 5);

/// Rows of one fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Rows to train on: those whose labels end before the test block begins.
    pub train: Range<usize>,
    /// The test block.
    pub test: Range<usize>,
}

/// The folds of `n_rows` rows with test blocks of `test_rows` rows, oldest first.
///
/// The label of a row depends on the next `horizon` rows, so the last `horizon - 1` rows before a test block are not
/// trained on. `None` where the blocks leave no row to train on, or have no rows.
pub fn walk_forward(
    n_rows: usize,
    n_folds: usize,
    test_rows: usize,
    horizon: usize,
) -> Option<Vec<Fold>> {
    let first = n_rows.checked_sub(n_folds.checked_mul(test_rows)?)?;
    if first < horizon || test_rows == 0 {
        return None;
    }
    let fold = |idx| {
        let start = first + idx * test_rows;
        Fold { train: 0..start + 1 - horizon, test: start..start + test_rows }
    };
    Some((0..n_folds).map(fold).collect())
}

/// The boundaries of `n_folds` folds, oldest first. Each test block has `1 / (n_folds + 1)` of the bars.
///
/// # Errors
/// [`MarketError::TooManyFolds`] where the bars are too few.
pub fn folds(bars: &Bars, n_folds: usize) -> Result<Vec<Boundaries>, MarketError> {
    let too_many = || MarketError::TooManyFolds { n_folds, n_bars: bars.len() };
    let test_rows = bars.len() / (n_folds + 1);
    let folds = walk_forward(bars.len(), n_folds, test_rows, 1).ok_or_else(too_many)?;
    let times = bars.as_slice();
    Ok(folds
        .into_iter()
        .map(|Fold { test, .. }| Boundaries {
            validation_from_ms: Some(
                times[test.start * TRAIN_SHARE.0 / TRAIN_SHARE.1].open_time_ms,
            ),
            test_from_ms: Some(times[test.start].open_time_ms),
            test_until_ms: times.get(test.end).map(|bar| bar.open_time_ms),
        })
        .collect())
}
