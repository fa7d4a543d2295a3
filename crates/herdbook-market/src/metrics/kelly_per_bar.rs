//! Kelly exposure of a return series (Thorp 2006).

use super::{NO_SPREAD, finite, mean, sample_deviation};

/// `mean / variance`: the constant exposure that would have grown fastest, a multiple of equity.
/// `None` for fewer than two returns or returns that do not vary.
pub fn kelly_per_bar(returns: &[f64]) -> Option<f64> {
    let deviation = sample_deviation(returns)?;
    if deviation <= NO_SPREAD { None } else { finite(mean(returns)? / deviation.powi(2)) }
}
