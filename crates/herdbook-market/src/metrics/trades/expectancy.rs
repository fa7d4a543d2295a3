//! Expectancy of closed trades.

/// Mean result per trade, in account currency. `None` without a trade.
pub fn expectancy(results: &[f64]) -> Option<f64> {
    crate::metrics::basics::mean(results)
}
