//! Average true range (Wilder 1978): the Wilder average of the true range
//! `max(H − L, |H − C_{t−1}|, |L − C_{t−1}|)`, which begins at bar 1. First at bar `period`.

use crate::bars::Bar;
use crate::indicators::wilder::WilderAverage;

/// The average true range in price units.
#[derive(Debug, Clone)]
pub struct Atr {
    previous_close: Option<f64>,
    average: WilderAverage,
}

impl Atr {
    /// An indicator of a period in bars, usually 14.
    pub fn new(period: usize) -> Self {
        Self { previous_close: None, average: WilderAverage::new(period) }
    }

    /// Takes the newest bar and returns the average true range, first at bar `period`.
    pub fn push(&mut self, bar: &Bar) -> Option<f64> {
        let previous_close = self.previous_close.replace(bar.close)?;
        self.average.push(true_range(bar, previous_close))
    }
}

/// The range of a bar together with the previous close, in price units.
pub fn true_range(bar: &Bar, previous_close: f64) -> f64 {
    (bar.high - bar.low)
        .max((bar.high - previous_close).abs())
        .max((bar.low - previous_close).abs())
}
