//! Volatility: the spread of the returns, per year.

use crate::metrics::basics::{finite, sample_deviation};

/// `s·√B`, a fraction per year, where s is the sample standard deviation. `None` for fewer than two returns.
pub fn volatility(returns: &[f64], bars_per_year: f64) -> Option<f64> {
    finite(sample_deviation(returns)? * bars_per_year.sqrt())
}
