//! Contradictions between prices that are rounding errors: adjusted prices are products of a factor, and the high can then
//! end a few units in the last place below the close.

use crate::bars::Bar;

/// Differences of up to so many units in the last place are rounding.
const MAX_UNITS: f64 = 8.0;

/// Widens high and low to enclose open and close, if they do up to rounding; `None` if they do not.
pub(super) fn widen(bar: &mut Bar) -> Option<()> {
    let (above, below) = (bar.open.max(bar.close), bar.open.min(bar.close));
    let (high, low) = (bar.high.max(above), bar.low.min(below));
    let is_rounding =
        is_near(bar.high, high) && is_near(bar.low, low) && bar.low <= high && low <= bar.high;
    is_rounding.then(|| {
        bar.high = high;
        bar.low = low;
    })
}

/// Whether two prices differ by rounding only. Prices of single precision round at its larger unit.
fn is_near(one: f64, other: f64) -> bool {
    let is_single = |price: f64| f64::from(price as f32).total_cmp(&price).is_eq();
    let unit =
        if is_single(one) && is_single(other) { f64::from(f32::EPSILON) } else { f64::EPSILON };
    (one - other).abs() <= MAX_UNITS * unit * one.abs().max(other.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widened(high: f64, close: f64) -> Option<f64> {
        let mut bar = Bar { open_time_ms: 0, open: 1.0, high, low: 0.5, close, volume: 0.0 };
        widen(&mut bar).map(|()| bar.high)
    }

    #[test]
    fn units_in_the_last_place_are_rounding_and_more_is_not() {
        assert_eq!(
            widened(100.1, 100.1 * (1.0 + 4.0 * f64::EPSILON)),
            Some(100.1 * (1.0 + 4.0 * f64::EPSILON))
        );
        assert_eq!(widened(100.1, 100.1 * (1.0 + 1e-12)), None);
        assert_eq!(widened(100.1, 100.11), None);
        let single = f64::from(100.1_f32);
        let next = f64::from(f32::from_bits(100.1_f32.to_bits() + 2));
        assert_eq!(widened(single, next), Some(next));
    }

    #[test]
    fn low_is_widened_too() {
        let low = 0.1 + 0.2;
        let mut bar = Bar { open_time_ms: 0, open: 0.3, high: 1.0, low, close: 0.7, volume: 0.0 };
        assert_eq!(widen(&mut bar), Some(()));
        assert_eq!(bar.low.to_bits(), 0.3_f64.to_bits());
        let mut crossed =
            Bar { open_time_ms: 0, open: 1.0, high: 0.5, low: 2.0, close: 1.0, volume: 0.0 };
        assert_eq!(widen(&mut crossed), None);
    }
}
