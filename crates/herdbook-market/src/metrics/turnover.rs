//! Turnover: how much is traded in a year.

use super::finite;

/// `B/n · Σ |units traded|·price / equity just before the fill`, per year; both sides count, a round
/// trip with all equity is 2. `traded` is the sum. `None` without a return.
pub fn turnover(traded: f64, n_returns: usize, bars_per_year: f64) -> Option<f64> {
    if n_returns == 0 { None } else { finite(bars_per_year / n_returns as f64 * traded) }
}
