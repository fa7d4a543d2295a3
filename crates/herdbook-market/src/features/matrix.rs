//! The features of all bars of a series at once.

use super::stream::FeatureStream;
use super::table::{N_FEATURES, WARM_UP_BARS};
use crate::bars::Bars;

/// The features of each bar after the warm-up, one row a bar.
///
/// ```
/// use herdbook_domain::Timeframe;
/// use herdbook_market::{N_FEATURES, Sample, WARM_UP_BARS, features, read_bars, resample};
///
/// let sample = Sample::for_timeframe(Timeframe::Day1);
/// let bars = resample(read_bars(&sample.csv()?, sample.file_name)?, Timeframe::Day1)?;
/// let matrix = features(&bars);
/// assert_eq!((matrix.first(), matrix.width()), (WARM_UP_BARS, N_FEATURES));
/// assert_eq!(matrix.n_rows(), bars.len() - WARM_UP_BARS);
/// assert_eq!(matrix.row(WARM_UP_BARS).len(), N_FEATURES);
/// # Ok::<(), herdbook_market::MarketError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureMatrix {
    first: usize,
    rows: Vec<f32>,
}

impl FeatureMatrix {
    /// Index of the first bar with features. The bars before it are the warm-up.
    pub fn first(&self) -> usize {
        self.first
    }

    /// Number of features of a bar.
    pub fn width(&self) -> usize {
        N_FEATURES
    }

    /// Number of bars with features.
    pub fn n_rows(&self) -> usize {
        self.rows.len() / N_FEATURES
    }

    /// The features of a bar, in the order of [`feature_names`](crate::feature_names).
    ///
    /// # Panics
    ///
    /// For a bar before [`first`](Self::first) or after the last.
    pub fn row(&self, bar_idx: usize) -> &[f32] {
        let start = (bar_idx - self.first) * N_FEATURES;
        &self.rows[start..start + N_FEATURES]
    }
}

/// Computes the features of all bars. The matrix is empty for no more bars than the warm-up needs.
pub fn features(bars: &Bars) -> FeatureMatrix {
    let n_rows = bars.len().saturating_sub(WARM_UP_BARS);
    let mut rows = Vec::with_capacity(n_rows * N_FEATURES);
    let mut stream = FeatureStream::new(bars.timeframe());
    for bar in bars.as_slice() {
        if let Some(row) = stream.push(bar) {
            rows.extend_from_slice(&row);
        }
    }
    FeatureMatrix { first: WARM_UP_BARS, rows }
}
