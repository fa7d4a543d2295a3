//! Minimum track record length (Bailey, López de Prado 2012).

use super::estimate::SharpeEstimate;
use super::normal;
use crate::metrics::basics::finite;

/// `1 + (1 − γ3·SR + (γ4 − 1)/4·SR²) · (Φ⁻¹(confidence) / (SR − SR*))²`: number of bars with such returns
/// after which the probabilistic Sharpe ratio against `benchmark` (per bar) reaches `confidence`. Not rounded.
///
/// `None` where the Sharpe ratio is not above the benchmark (no length suffices), or the estimate has no variance.
pub fn min_track_record_length(
    estimate: &SharpeEstimate,
    benchmark: f64,
    confidence: f64,
) -> Option<f64> {
    let excess = estimate.sharpe_per_bar - benchmark;
    if excess.is_nan() || excess <= 0.0 {
        return None;
    }
    let distance = normal::quantile(confidence)? / excess;
    finite(1.0 + estimate.scaled_variance()? * distance * distance)
}
