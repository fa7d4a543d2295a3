//! Sharpe ratio at risk-free rate 0 (Sharpe 1966, 1994; Lo 2002 on the factor √B).

use crate::metrics::basics::mean;
use crate::metrics::basics::{NO_SPREAD, finite, sample_deviation};

/// `mean / sample standard deviation` of the returns, per bar.
///
/// `None` for fewer than two returns or equal ones: it is undefined then, not large.
pub fn sharpe_per_bar(returns: &[f64]) -> Option<f64> {
    let deviation = sample_deviation(returns)?;
    if deviation <= NO_SPREAD { None } else { finite(mean(returns)? / deviation) }
}

/// `mean / sample standard deviation · √B`, per year. `None` where [`sharpe_per_bar`] is undefined.
pub fn sharpe_ratio(returns: &[f64], bars_per_year: f64) -> Option<f64> {
    finite(sharpe_per_bar(returns)? * bars_per_year.sqrt())
}
