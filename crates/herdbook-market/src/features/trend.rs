//! Features of closes: returns, volatilities, momentum, and distances from moving averages.

use super::ratio::{in_volatilities, log_ratio};
use crate::bars::Bar;
use crate::indicators::{LogReturn, Macd, PercentB, RollingWindow, Rsi, mean, mean_square};

/// The trend features of a bar.
#[derive(Debug, Clone, Copy)]
pub(super) struct TrendValues {
    pub(super) return_1: f64,
    pub(super) return_2: f64,
    pub(super) return_5: f64,
    pub(super) return_10: f64,
    pub(super) return_20: f64,
    pub(super) return_50: f64,
    pub(super) return_100: f64,
    pub(super) sigma_20: f64,
    pub(super) volatility_5_20: f64,
    pub(super) volatility_20_100: f64,
    pub(super) rsi: f64,
    pub(super) macd_histogram: f64,
    pub(super) percent_b: f64,
    pub(super) sma_10: f64,
    pub(super) sma_50: f64,
    pub(super) sma_100: f64,
    pub(super) efficiency_20: f64,
    pub(super) autocorrelation_20: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Trend {
    log_return: LogReturn,
    returns: RollingWindow,
    closes: RollingWindow,
    rsi: Rsi,
    macd: Macd,
    percent_b: PercentB,
}

impl Trend {
    pub(super) fn new() -> Self {
        Self {
            log_return: LogReturn::new(),
            returns: RollingWindow::new(100),
            closes: RollingWindow::new(100),
            rsi: Rsi::new(14),
            macd: Macd::new(12, 26, 9),
            percent_b: PercentB::new(20, 2.0),
        }
    }

    pub(super) fn push(&mut self, bar: &Bar) -> Option<TrendValues> {
        self.closes.push(bar.close);
        let rsi = self.rsi.push(bar.close);
        let macd = self.macd.push(bar.close);
        let percent_b = self.percent_b.push(bar.close);
        self.returns.push(self.log_return.push(bar.close)?);
        let sigma = |n| self.returns.last(n).map(|returns| mean_square(returns).sqrt());
        let (sigma_5, sigma_20, sigma_100) = (sigma(5)?, sigma(20)?, sigma(100)?);
        let recent = self.returns.last(21)?;
        let over = |n: usize, sigma: f64| {
            let change: f64 = self.returns.last(n)?.iter().sum();
            Some(in_volatilities(change, sigma * (n as f64).sqrt()))
        };
        let sma = |n| self.closes.last(n).map(mean);
        Some(TrendValues {
            return_1: over(1, sigma_20)?,
            return_2: over(2, sigma_20)?,
            return_5: over(5, sigma_20)?,
            return_10: over(10, sigma_20)?,
            return_20: over(20, sigma_20)?,
            return_50: over(50, sigma_100)?,
            return_100: over(100, sigma_100)?,
            sigma_20,
            volatility_5_20: log_ratio(sigma_5, sigma_20),
            volatility_20_100: log_ratio(sigma_20, sigma_100),
            rsi: (rsi? - 50.0) / 25.0,
            macd_histogram: macd?.histogram()?,
            percent_b: 2.0 * (percent_b? - 0.5),
            sma_10: sma(10)?,
            sma_50: sma(50)?,
            sma_100: sma(100)?,
            efficiency_20: efficiency(&recent[1..]),
            autocorrelation_20: autocorrelation(recent),
        })
    }
}

/// Sum of returns over the sum of absolute returns (Kaufman's efficiency ratio, with a sign).
fn efficiency(returns: &[f64]) -> f64 {
    let movement: f64 = returns.iter().map(|change| change.abs()).sum();
    in_volatilities(returns.iter().sum(), movement)
}

/// First-order autocorrelation: `Σ r_t·r_{t−1} / Σ r_t²`.
fn autocorrelation(returns: &[f64]) -> f64 {
    let products: f64 = returns.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let squares: f64 = returns[1..].iter().map(|change| change * change).sum();
    // Divided in two steps, so that numerator and denominator are both of the order of a volatility.
    in_volatilities(products / squares.sqrt().max(f64::MIN_POSITIVE), squares.sqrt())
}
