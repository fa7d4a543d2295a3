//! Moving average convergence divergence (Appel 1979): `line = EMA_fast − EMA_slow` of the close,
//! `signal` = EMA of the line, `histogram = line − signal`. Each average is seeded with the mean of
//! its own first inputs; with 12, 26, 9 the line begins at bar 25, the signal at bar 33.

use crate::indicators::ema::Ema;

/// The line and, once it has begun, the signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MacdValue {
    /// Fast average minus slow average, in price units.
    pub line: f64,
    /// Average of the line, in price units.
    pub signal: Option<f64>,
}

impl MacdValue {
    /// Line minus signal.
    pub fn histogram(self) -> Option<f64> {
        self.signal.map(|signal| self.line - signal)
    }
}

/// Distance between two moving averages of the close.
#[derive(Debug, Clone)]
pub struct Macd {
    fast: Ema,
    slow: Ema,
    signal: Ema,
}

impl Macd {
    /// An indicator with periods in bars, usually 12, 26 and 9.
    pub fn new(fast: usize, slow: usize, signal: usize) -> Self {
        Self { fast: Ema::new(fast), slow: Ema::new(slow), signal: Ema::new(signal) }
    }

    /// Takes the newest close and returns the line and the signal.
    pub fn push(&mut self, close: f64) -> Option<MacdValue> {
        let (fast, slow) = (self.fast.push(close), self.slow.push(close));
        let line = fast? - slow?;
        Some(MacdValue { line, signal: self.signal.push(line) })
    }
}
