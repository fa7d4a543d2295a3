//! Realised volatility (Andersen, Bollerslev 1998): `√(B·Σ r² / w)` of the last w log returns, no
//! mean taken away. First at bar w; 0 where the price stands still.

use super::{LogReturn, Window, mean_square};

/// Volatility per year, as a fraction, from the returns of the last bars.
#[derive(Debug, Clone)]
pub struct RealisedVolatility {
    bars_per_year: f64,
    log_return: LogReturn,
    returns: Window,
}

impl RealisedVolatility {
    /// A volatility over the usual 20 returns, or others; `bars_per_year` is the data set's.
    pub fn new(n_returns: usize, bars_per_year: f64) -> Self {
        let returns = Window::new(n_returns);
        Self { bars_per_year, log_return: LogReturn::new(), returns }
    }

    /// Takes the newest close.
    pub fn push(&mut self, close: f64) -> Option<f64> {
        self.returns.push(self.log_return.push(close)?);
        let returns = self.returns.full()?;
        Some((self.bars_per_year * mean_square(returns)).sqrt())
    }
}
