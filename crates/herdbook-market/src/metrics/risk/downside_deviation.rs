//! Downside deviation at target 0 (Sortino, van der Meer 1991; Sortino, Price 1994).

use crate::metrics::basics::finite;
use crate::metrics::basics::mean;

/// `√(Σ min(r_t, 0)² / n)·√B`, a fraction per year, where n counts all bars, not only losing ones.
/// `None` without a return.
pub fn downside_deviation(returns: &[f64], bars_per_year: f64) -> Option<f64> {
    let squares: Vec<f64> = returns.iter().map(|r| r.min(0.0).powi(2)).collect();
    mean(returns)?;
    finite(mean(&squares)?.sqrt() * bars_per_year.sqrt())
}
