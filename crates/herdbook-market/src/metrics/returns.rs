//! Returns and their plain statistics: the ground all metrics stand on.

use super::all_finite;

/// Simple returns `r_t = E_t / E_{t−1} − 1` of an equity curve, one per bar.
///
/// `None` where a value is not finite or a return would not be (equity of 0 before the last bar).
pub fn returns(equity: &[f64]) -> Option<Vec<f64>> {
    if !all_finite(equity) {
        return None;
    }
    let returns: Vec<f64> = equity.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
    all_finite(&returns).then_some(returns)
}

/// Arithmetic mean in two passes; `None` of nothing or of values that are not finite.
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() || !all_finite(values) {
        return None;
    }
    let n = values.len() as f64;
    let rough = values.iter().sum::<f64>() / n;
    super::finite(rough + values.iter().map(|value| value - rough).sum::<f64>() / n)
}

/// Sample standard deviation, divisor n − 1; `None` of fewer than two values.
pub fn sample_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values)?;
    let sum: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    super::finite((sum / (values.len() - 1) as f64).sqrt())
}
