//! Features of whole bars: their range, body and wicks, and their place among the last bars.

use crate::Bar;
use crate::indicators::{Atr, Window, true_range};

/// What the newest bars look like.
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
    /// A difference of prices in average true ranges; 0 where nothing moves.
    pub(super) fn in_atrs(&self, difference: f64) -> f64 {
        super::stream::share(difference / self.close, self.atr / self.close)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Shape {
    atr: Atr,
    highs: Window,
    lows: Window,
}

impl Shape {
    pub(super) fn new() -> Self {
        Self { atr: Atr::new(14), highs: Window::new(100), lows: Window::new(100) }
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
