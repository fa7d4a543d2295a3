//! Probabilistic Sharpe ratio (Bailey, López de Prado 2012).

use super::estimate::SharpeEstimate;
use super::normal;
use crate::metrics::basics::finite;

/// `Φ((SR − SR*) / √V̂(SR))`: the probability that the true Sharpe ratio is above `benchmark`, both per bar.
///
/// Assumes independent returns, and that no other model was tried. `None` for fewer than two returns, or where the variance
/// of the estimate is not above 0.
pub fn probabilistic_sharpe_ratio(estimate: &SharpeEstimate, benchmark: f64) -> Option<f64> {
    let n_less_one = estimate.n_returns.checked_sub(1).filter(|n| *n > 0)?;
    let deviation = (estimate.scaled_variance()? / n_less_one as f64).sqrt();
    finite(normal::distribution((estimate.sharpe_per_bar - benchmark) / deviation))
}
