//! Historical value at risk and conditional value at risk, per bar, at 95 % confidence.

use crate::metrics::basics::{all_finite, finite};

/// Fraction of the returns beyond the value at risk: 1 − confidence.
const TAIL: f64 = 0.05;

/// Fewest returns, so that at least one is in the tail: `1 / TAIL`.
const MIN_RETURNS: usize = 20;

/// `−q`, q the 5 % quantile of the returns (type 7 of Hyndman, Fan 1996); a fraction, positive for a
/// loss. `None` for fewer than 20 returns.
pub fn value_at_risk(returns: &[f64]) -> Option<f64> {
    finite(-tail_quantile(returns)?)
}

/// `−mean{ r_t : r_t ≤ q }` (Rockafellar, Uryasev 2000); a fraction, positive for a loss. `None` for
/// fewer than 20 returns.
pub fn conditional_value_at_risk(returns: &[f64]) -> Option<f64> {
    let quantile = tail_quantile(returns)?;
    let tail: Vec<f64> = returns.iter().copied().filter(|r| *r <= quantile).collect();
    finite(-crate::metrics::basics::mean(&tail)?)
}

/// The `TAIL` quantile: linear interpolation between the order statistics around `h = (n − 1)·TAIL`.
fn tail_quantile(returns: &[f64]) -> Option<f64> {
    if returns.len() < MIN_RETURNS || !all_finite(returns) {
        return None;
    }
    let mut sorted = returns.to_vec();
    sorted.sort_by(f64::total_cmp);
    let position = (sorted.len() - 1) as f64 * TAIL;
    let (below, share) = (position.floor() as usize, position.fract());
    Some(sorted[below] + share * (sorted[below + 1] - sorted[below]))
}
