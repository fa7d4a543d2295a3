//! Sortino ratio at target 0 (Sortino, van der Meer 1991; Sortino, Price 1994).

use super::{NO_SPREAD, downside_deviation, finite, mean};

/// `mean·B / downside deviation`, per year. `None` for fewer than two returns or where none loses.
pub fn sortino_ratio(returns: &[f64], bars_per_year: f64) -> Option<f64> {
    let downside = downside_deviation(returns, bars_per_year)?;
    if returns.len() < 2 || downside <= NO_SPREAD {
        return None;
    }
    finite(mean(returns)? * bars_per_year / downside)
}
