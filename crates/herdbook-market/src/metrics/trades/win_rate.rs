//! Win rate of closed trades.

use crate::metrics::basics::all_finite;

/// `#{p_i > 0} / N` over the trades' results, a fraction. A result of exactly 0 counts as a trade, but not as a win.
/// `None` without a trade.
pub fn win_rate(results: &[f64]) -> Option<f64> {
    if results.is_empty() || !all_finite(results) {
        return None;
    }
    let n_won = results.iter().filter(|result| **result > 0.0).count();
    Some(n_won as f64 / results.len() as f64)
}
