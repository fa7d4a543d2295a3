//! Payoff ratio of closed trades.

use crate::metrics::basics::finite;
use crate::metrics::basics::mean;

/// `mean win / mean |loss|`. `None` without a win or without a loss.
pub fn payoff_ratio(results: &[f64]) -> Option<f64> {
    mean(results)?;
    let wins: Vec<f64> = results.iter().copied().filter(|result| *result > 0.0).collect();
    let losses: Vec<f64> = results.iter().copied().filter(|result| *result < 0.0).collect();
    finite(mean(&wins)? / -mean(&losses)?)
}
