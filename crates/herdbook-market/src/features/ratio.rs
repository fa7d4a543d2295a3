//! Ratios of price changes and volatilities that stay finite where a price does not move.

/// Changes and volatilities up to this fraction of the price are rounding errors: 1e-4 of a tick of 1e-8.
const FLAT: f64 = 1e-12;

/// A price change in units of a volatility, both as fractions of the price; 0 for a volatility of 0.
pub(super) fn in_volatilities(change: f64, volatility: f64) -> f64 {
    if volatility > FLAT { change / volatility } else { 0.0 }
}

/// Natural logarithm of the ratio of two volatilities; 0 where either is 0.
pub(super) fn log_ratio(left: f64, right: f64) -> f64 {
    if left > FLAT && right > FLAT { (left / right).ln() } else { 0.0 }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    #[test]
    fn volatility_of_zero_gives_zero_and_not_infinity() {
        assert_eq!(in_volatilities(0.25, 0.5), 0.5);
        assert_eq!(in_volatilities(0.25, 0.0), 0.0);
        assert_eq!(in_volatilities(f64::NAN, 1e-13), 0.0);
        assert_eq!(log_ratio(1.0, 1.0), 0.0);
        assert_eq!((log_ratio(1.0, 0.0), log_ratio(0.0, 1.0)), (0.0, 0.0));
    }
}
