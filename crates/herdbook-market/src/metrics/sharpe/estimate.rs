//! A Sharpe ratio with the moments that determine its certainty.

use super::sharpe_ratio::sharpe_per_bar;
use crate::metrics::basics::finite;
use crate::metrics::risk::{kurtosis, skew};

/// A Sharpe ratio per bar, estimated from returns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharpeEstimate {
    /// Mean / sample standard deviation, *not* annualised.
    pub sharpe_per_bar: f64,
    /// Number of returns it was estimated from.
    pub n_returns: usize,
    /// Skew of the returns, from population moments; 0 for a normal distribution.
    pub skew: f64,
    /// Kurtosis of the returns, from population moments; 3 for a normal distribution (*not* excess).
    pub kurtosis: f64,
}

impl SharpeEstimate {
    /// Estimates the Sharpe ratio of returns; `None` where [`sharpe_per_bar`] is undefined.
    pub fn of(returns: &[f64]) -> Option<Self> {
        Some(Self {
            sharpe_per_bar: sharpe_per_bar(returns)?,
            n_returns: returns.len(),
            skew: skew(returns)?,
            kurtosis: kurtosis(returns)?,
        })
    }

    /// Variance of the estimate times n − 1: `1 − γ3·SR + (γ4 − 1)/4·SR²` (Mertens 2002), for independent returns. `None`
    /// unless it is above 0.
    pub(super) fn scaled_variance(&self) -> Option<f64> {
        let sharpe = self.sharpe_per_bar;
        let variance = 1.0 - self.skew * sharpe + 0.25 * (self.kurtosis - 1.0) * sharpe * sharpe;
        finite(variance).filter(|variance| *variance > 0.0)
    }
}
