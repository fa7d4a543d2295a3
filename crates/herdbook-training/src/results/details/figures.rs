//! The few figures that are compared between windows, rules and costs.

use herdbook_market::metrics::Performance;
use serde::{Deserialize, Serialize};

/// The figures of one account over some bars, after costs. Undefined ones are absent.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Number of returns: one less than bars.
    pub n_returns: usize,
    /// Number of closed trades.
    pub total_trades: usize,
    /// Return over all bars, as a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_return: Option<f64>,
    /// Sharpe ratio per year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharpe_ratio: Option<f64>,
    /// Largest loss from a peak, as a fraction of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_drawdown: Option<f64>,
    /// Traded notional per year, in multiples of the equity; a round trip counts about 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turnover: Option<f64>,
    /// Share of the bars with a position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure_time: Option<f64>,
}

impl From<&Performance> for Figures {
    fn from(found: &Performance) -> Self {
        Self {
            n_returns: found.n_returns,
            total_trades: found.total_trades,
            total_return: found.total_return,
            sharpe_ratio: found.sharpe_ratio,
            max_drawdown: found.max_drawdown,
            turnover: found.turnover,
            exposure_time: found.exposure_time,
        }
    }
}
