//! Expectancy of closed trades.

/// Mean result in account currency per trade. `None` without a trade.
pub fn expectancy(results: &[f64]) -> Option<f64> {
    super::mean(results)
}
