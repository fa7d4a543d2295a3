//! A Sharpe ratio with what is needed to say how sure it is.

use super::{finite, kurtosis, sharpe_per_bar, skew};

/// A Sharpe ratio per bar as an estimate from a number of returns of a certain shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharpeEstimate {
    /// Mean / sample standard deviation, *not* annualised.
    pub sharpe_per_bar: f64,
    /// Number of returns behind it.
    pub n_returns: usize,
    /// From population moments; 0 for a normal series.
    pub skew: f64,
    /// From population moments; 3 for a normal series, not excess.
    pub kurtosis: f64,
}

impl SharpeEstimate {
    /// The estimate from returns; `None` where [`sharpe_per_bar`] is.
    pub fn of(returns: &[f64]) -> Option<Self> {
        Some(Self {
            sharpe_per_bar: sharpe_per_bar(returns)?,
            n_returns: returns.len(),
            skew: skew(returns)?,
            kurtosis: kurtosis(returns)?,
        })
    }

    /// Variance of the estimate times n − 1: `1 − γ3·SR + (γ4 − 1)/4·SR²` (Mertens 2002), for returns that do not
    /// depend on each other. `None` unless it is above 0.
    pub(super) fn scaled_variance(&self) -> Option<f64> {
        let sharpe = self.sharpe_per_bar;
        let variance = 1.0 - self.skew * sharpe + 0.25 * (self.kurtosis - 1.0) * sharpe * sharpe;
        finite(variance).filter(|variance| *variance > 0.0)
    }
}
