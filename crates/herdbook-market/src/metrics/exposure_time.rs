//! Exposure: the share of time in the market.

/// Bars over which a position was held / all bars, a fraction. `None` without a return.
pub fn exposure_time(exposed_bars: u64, n_returns: usize) -> Option<f64> {
    (n_returns > 0).then(|| exposed_bars as f64 / n_returns as f64)
}
