//! Kelly exposure of a return series (Thorp 2006).

use crate::metrics::basics::mean;
use crate::metrics::basics::{NO_SPREAD, finite, sample_deviation};

/// `mean / variance`: the constant exposure with the fastest growth, as a multiple of the equity.
/// `None` for fewer than two returns or returns that do not vary.
pub fn kelly_per_bar(returns: &[f64]) -> Option<f64> {
    let deviation = sample_deviation(returns)?;
    if deviation <= NO_SPREAD { None } else { finite(mean(returns)? / deviation.powi(2)) }
}
