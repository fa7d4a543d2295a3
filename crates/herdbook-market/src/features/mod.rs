//! What a model sees of the market: a fixed, versioned set of named features per bar.
//!
//! Every feature is causal (bar t's row comes from bars up to t), free of scale (the same for a
//! price of 1.05 and of 300, for a volume of 100 and of 1e11), clipped to its stated range and
//! never NaN. They are computed in one pass, so the row of a bar is the same whether bars follow
//! or not.

mod shape;
mod stream;
mod table;
mod trend;

use crate::Bars;

pub use stream::FeatureStream;
pub use table::{FEATURES_VERSION, Feature, N_FEATURES, WARM_UP_BARS, feature_names};

/// The features of every bar that has them.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureMatrix {
    first: usize,
    rows: Vec<f32>,
}

impl FeatureMatrix {
    /// Index of the first bar with features; the bars before it warm the indicators up.
    pub fn first(&self) -> usize {
        self.first
    }

    /// Number of features of a bar.
    pub fn width(&self) -> usize {
        N_FEATURES
    }

    /// Number of bars that have features.
    pub fn n_rows(&self) -> usize {
        self.rows.len() / N_FEATURES
    }

    /// The features of a bar, in the order of [`feature_names`].
    ///
    /// # Panics
    ///
    /// For a bar before [`first`](Self::first) or after the last.
    pub fn row(&self, bar_idx: usize) -> &[f32] {
        let start = (bar_idx - self.first) * N_FEATURES;
        &self.rows[start..start + N_FEATURES]
    }
}

/// Computes the features of all bars; the matrix is empty where there are too few to warm up.
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
