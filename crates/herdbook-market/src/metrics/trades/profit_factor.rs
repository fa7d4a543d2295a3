//! Profit factor of closed trades.

use crate::metrics::basics::{all_finite, finite};

/// `Σ wins / Σ |losses|` of results in account currency; 0 without a win. `None` without a loss.
pub fn profit_factor(results: &[f64]) -> Option<f64> {
    // The sum of no values is -0.
    let won: f64 = results.iter().filter(|result| **result > 0.0).sum();
    let lost: f64 = -results.iter().filter(|result| **result < 0.0).sum::<f64>();
    if !all_finite(results) || lost <= 0.0 { None } else { finite((won / lost).abs()) }
}
