//! Realised volatility (Andersen, Bollerslev 1998): `√(B·Σ r² / w)` of the last w log returns,
//! without subtracting a mean. First at bar w; 0 for an unchanged price.

use crate::indicators::log_return::LogReturn;
use crate::indicators::rolling_window::{RollingWindow, mean_square};

/// Volatility per year, as a fraction, of the last log returns.
#[derive(Debug, Clone)]
pub struct RealisedVolatility {
    bars_per_year: f64,
    log_return: LogReturn,
    returns: RollingWindow,
}

impl RealisedVolatility {
    /// An indicator over a number of returns, usually 20; `bars_per_year` is that of the data set.
    pub fn new(n_returns: usize, bars_per_year: f64) -> Self {
        let returns = RollingWindow::new(n_returns);
        Self { bars_per_year, log_return: LogReturn::new(), returns }
    }

    /// Takes the newest close and returns the volatility.
    pub fn push(&mut self, close: f64) -> Option<f64> {
        self.returns.push(self.log_return.push(close)?);
        let returns = self.returns.full()?;
        Some((self.bars_per_year * mean_square(returns)).sqrt())
    }
}
