//! Features of the shape of bars: range, body and wicks, and the position of the close in the range of the last bars.

use super::ratio::in_volatilities;
use crate::bars::Bar;
use crate::indicators::{Atr, RollingWindow, true_range};

/// The shape features of a bar.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShapeValues {
    /// Average true range in price units.
    pub(super) atr: f64,
    close: f64,
    pub(super) true_range: f64,
    pub(super) body: f64,
    pub(super) upper_wick: f64,
    pub(super) lower_wick: f64,
    pub(super) range_position_20: f64,
    pub(super) range_position_100: f64,
}

impl ShapeValues {
    /// A difference of prices in units of the average true range; 0 for a range of 0.
    pub(super) fn in_atrs(&self, difference: f64) -> f64 {
        in_volatilities(difference / self.close, self.atr / self.close)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Shape {
    atr: Atr,
    highs: RollingWindow,
    lows: RollingWindow,
}

impl Shape {
    pub(super) fn new() -> Self {
        Self { atr: Atr::new(14), highs: RollingWindow::new(100), lows: RollingWindow::new(100) }
    }

    pub(super) fn push(&mut self, bar: &Bar, previous: Option<&Bar>) -> Option<ShapeValues> {
        self.highs.push(bar.high);
        self.lows.push(bar.low);
        let atr = self.atr.push(bar)?;
        let mut values = ShapeValues {
            atr,
            close: bar.close,
            true_range: 0.0,
            body: 0.0,
            upper_wick: 0.0,
            lower_wick: 0.0,
            range_position_20: self.range_position(20, bar.close)?,
            range_position_100: self.range_position(100, bar.close)?,
        };
        values.true_range = values.in_atrs(true_range(bar, previous?.close) - atr);
        values.body = values.in_atrs(bar.close - bar.open);
        values.upper_wick = values.in_atrs(bar.high - bar.open.max(bar.close));
        values.lower_wick = values.in_atrs(bar.open.min(bar.close) - bar.low);
        Some(values)
    }

    /// -1 at the lowest low of the last `n` bars, 1 at their highest high, 0 without a range.
    fn range_position(&self, n: usize, close: f64) -> Option<f64> {
        let high = self.highs.last(n)?.iter().fold(f64::MIN, |high, value| high.max(*value));
        let low = self.lows.last(n)?.iter().fold(f64::MAX, |low, value| low.min(*value));
        Some(if high > low { 2.0 * (close - low) / (high - low) - 1.0 } else { 0.0 })
    }
}
