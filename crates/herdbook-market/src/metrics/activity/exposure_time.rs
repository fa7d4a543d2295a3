//! Exposure time: the fraction of time with a position.

/// Bars with a position / all bars, a fraction. `None` without a return.
pub fn exposure_time(exposed_bars: u64, n_returns: usize) -> Option<f64> {
    (n_returns > 0).then(|| exposed_bars as f64 / n_returns as f64)
}
