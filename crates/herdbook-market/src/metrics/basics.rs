//! Returns, their mean and deviation, and the tests for values that make a metric undefined.

/// Standard deviations up to this are rounding errors of equal values. An account that grows by 0.1 % each bar has
/// returns that differ in their last digit only, and must not get a Sharpe ratio of 3.5e14.
pub(super) const NO_SPREAD: f64 = 1e-14;

/// Simple returns `r_t = E_t / E_{t−1} − 1` of an equity curve, one per bar.
///
/// `None` where an equity or a return is not finite, as after an equity of 0.
pub fn returns(equity: &[f64]) -> Option<Vec<f64>> {
    if !all_finite(equity) {
        return None;
    }
    let returns: Vec<f64> = equity.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
    all_finite(&returns).then_some(returns)
}

/// Arithmetic mean in two passes; `None` for no values, or where one is not finite.
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() || !all_finite(values) {
        return None;
    }
    let n = values.len() as f64;
    let rough = values.iter().sum::<f64>() / n;
    finite(rough + values.iter().map(|value| value - rough).sum::<f64>() / n)
}

/// Sample standard deviation (divisor n − 1); `None` for fewer than two values, or where one is not finite.
pub fn sample_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values)?;
    let sum: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    finite((sum / (values.len() - 1) as f64).sqrt())
}

/// The value; `None` for NaN and infinity.
pub(super) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// Whether all values are finite.
pub(super) fn all_finite(values: &[f64]) -> bool {
    values.iter().all(|value| value.is_finite())
}
