//! Profit factor of closed trades.

use super::{all_finite, finite};

/// `Σ wins / Σ |losses|` in money; 0 where there are only losses. `None` without a loss.
pub fn profit_factor(results: &[f64]) -> Option<f64> {
    // The sum of nothing is -0.
    let won: f64 = results.iter().filter(|result| **result > 0.0).sum();
    let lost: f64 = -results.iter().filter(|result| **result < 0.0).sum::<f64>();
    if !all_finite(results) || lost <= 0.0 { None } else { finite((won / lost).abs()) }
}
