//! Win rate of closed trades.

use super::all_finite;

/// `#{p_i > 0} / N` over the trades' results, a fraction; a trade of exactly 0 counts and is not won.
/// `None` without a trade.
pub fn win_rate(results: &[f64]) -> Option<f64> {
    if results.is_empty() || !all_finite(results) {
        return None;
    }
    let n_won = results.iter().filter(|result| **result > 0.0).count();
    Some(n_won as f64 / results.len() as f64)
}
