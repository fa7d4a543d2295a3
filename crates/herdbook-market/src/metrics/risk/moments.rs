//! Skew and kurtosis of returns from population moments, as the probabilistic Sharpe ratio needs them
//! (Bailey, López de Prado 2012). With these, `kurtosis ≥ 1 + skew²` always holds.

use crate::metrics::basics::mean;
use crate::metrics::basics::{NO_SPREAD, finite, sample_deviation};

/// `m3 / m2^1.5`; 0 for a symmetric series. `None` for fewer than two returns or returns that do not
/// vary.
pub fn skew(returns: &[f64]) -> Option<f64> {
    standardised_moment(returns, 3)
}

/// `m4 / m2²`; 3 for a normal series, *not* excess. `None` for fewer than two returns or returns that
/// do not vary.
pub fn kurtosis(returns: &[f64]) -> Option<f64> {
    standardised_moment(returns, 4)
}

fn standardised_moment(returns: &[f64], order: i32) -> Option<f64> {
    if sample_deviation(returns)? <= NO_SPREAD {
        return None;
    }
    let mean = mean(returns)?;
    let moment =
        |order| returns.iter().map(|r| (r - mean).powi(order)).sum::<f64>() / returns.len() as f64;
    finite(moment(order) / moment(2).powf(f64::from(order) / 2.0))
}
