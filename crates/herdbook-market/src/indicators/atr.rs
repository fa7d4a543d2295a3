//! Average true range (Wilder 1978): the Wilder average of the true range
//! `max(H − L, |H − C_{t−1}|, |L − C_{t−1}|)`, which begins at bar 1. First at bar `period`.

use super::WilderAverage;
use crate::Bar;

/// The average true range in price units.
#[derive(Debug, Clone)]
pub struct Atr {
    previous_close: Option<f64>,
    average: WilderAverage,
}

impl Atr {
    /// A range of the usual period 14, or another.
    pub fn new(period: usize) -> Self {
        Self { previous_close: None, average: WilderAverage::new(period) }
    }

    /// Takes the newest bar.
    pub fn push(&mut self, bar: &Bar) -> Option<f64> {
        let previous_close = self.previous_close.replace(bar.close)?;
        self.average.push(true_range(bar, previous_close))
    }
}

/// How far the price moved within the bar, the step from the close before included.
pub fn true_range(bar: &Bar, previous_close: f64) -> f64 {
    (bar.high - bar.low)
        .max((bar.high - previous_close).abs())
        .max((bar.low - previous_close).abs())
}
