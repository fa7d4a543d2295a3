//! Walk-forward folds: the same split, again and again as time goes on.
//!
//! The test blocks are equal, consecutive and tile the end of the bars; each fold is trained on all that came
//! before its block (finance notes, "Splitting time": expanding walk-forward; scikit-learn's `TimeSeriesSplit`).

use std::ops::Range;

use crate::{Bars, Boundaries, MarketError};

/// Share of the rows before a test block that is trained on; the rest is validation. As in the default split,
/// 64 to 16.
const TRAIN_SHARE: (usize, usize) = (4, 5);

/// Rows of one fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Rows whose labels end before the test block begins.
    pub train: Range<usize>,
    /// The test block.
    pub test: Range<usize>,
}

/// The folds of `n_rows` rows with test blocks of `test_rows` rows, where the label of a row uses the next
/// `horizon` rows. `None` where the first block leaves nothing to train on.
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

/// The boundaries of each fold, in the order of time: of `n` folds, each test block has one part in `n + 1` of
/// the bars.
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
