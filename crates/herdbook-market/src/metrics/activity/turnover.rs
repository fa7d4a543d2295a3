//! Turnover: the notional traded per year.

use crate::metrics::basics::finite;

/// `B/n · Σ |units traded|·price / equity just before the fill`, in multiples of the equity per
/// year. Both sides count: a round trip with the whole equity counts 2. `traded` is the sum over all fills. `None` without
/// a return.
pub fn turnover(traded: f64, n_returns: usize, bars_per_year: f64) -> Option<f64> {
    if n_returns == 0 { None } else { finite(bars_per_year / n_returns as f64 * traded) }
}
