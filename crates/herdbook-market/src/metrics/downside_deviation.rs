//! Downside deviation at target 0 (Sortino, van der Meer 1991; Sortino, Price 1994).

use super::{finite, mean};

/// `√(Σ min(r_t, 0)² / n)·√B`, a fraction per year, n all bars and not only those that lose.
/// `None` without a return.
pub fn downside_deviation(returns: &[f64], bars_per_year: f64) -> Option<f64> {
    let squares: Vec<f64> = returns.iter().map(|r| r.min(0.0).powi(2)).collect();
    mean(returns)?;
    finite(mean(&squares)?.sqrt() * bars_per_year.sqrt())
}
