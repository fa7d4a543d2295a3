//! Sortino ratio at target 0 (Sortino, van der Meer 1991; Sortino, Price 1994).

use crate::metrics::basics::mean;
use crate::metrics::basics::{NO_SPREAD, finite};
use crate::metrics::risk::downside_deviation::downside_deviation;

/// `mean·B / downside deviation`, per year. `None` for fewer than two returns, or where none is negative.
pub fn sortino_ratio(returns: &[f64], bars_per_year: f64) -> Option<f64> {
    let downside = downside_deviation(returns, bars_per_year)?;
    if returns.len() < 2 || downside <= NO_SPREAD {
        return None;
    }
    finite(mean(returns)? * bars_per_year / downside)
}
