//! Probabilistic Sharpe ratio (Bailey, López de Prado 2012).

use super::{SharpeEstimate, finite, normal};

/// `Φ((SR − SR*) / √V̂(SR))`: how probable it is that the true Sharpe ratio is above `benchmark`, both per bar.
///
/// Assumes returns that do not depend on each other, and that this was the only model tried. `None` of fewer
/// than two returns, or where the estimate has no variance.
pub fn probabilistic_sharpe_ratio(estimate: &SharpeEstimate, benchmark: f64) -> Option<f64> {
    let n_less_one = estimate.n_returns.checked_sub(1).filter(|n| *n > 0)?;
    let deviation = (estimate.scaled_variance()? / n_less_one as f64).sqrt();
    finite(normal::distribution((estimate.sharpe_per_bar - benchmark) / deviation))
}
