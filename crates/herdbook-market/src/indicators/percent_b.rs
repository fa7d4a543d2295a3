//! Bollinger %B (Bollinger 2001): `(C − lower)/(upper − lower)` with bands of `SMA ± k·std`, divisor
//! w. First at bar w − 1; 0.5, the middle, where the band has no width.

use crate::indicators::rolling_window::mean;
use crate::indicators::rolling_window::{RollingWindow, rounding, standard_deviation};

/// Position of the close in its Bollinger band: 0 at the lower edge, 1 at the upper.
#[derive(Debug, Clone)]
pub struct PercentB {
    closes: RollingWindow,
    n_deviations: f64,
}

impl PercentB {
    /// An indicator over a number of bars and standard deviations, usually 20 and 2.
    pub fn new(n_bars: usize, n_deviations: f64) -> Self {
        Self { closes: RollingWindow::new(n_bars), n_deviations }
    }

    /// Takes the newest close and returns its position in the band.
    pub fn push(&mut self, close: f64) -> Option<f64> {
        self.closes.push(close);
        let closes = self.closes.full()?;
        let (middle, deviation) = (mean(closes), standard_deviation(closes));
        if deviation <= rounding(closes, middle) {
            return Some(0.5);
        }
        Some(0.5 + (close - middle) / (2.0 * self.n_deviations * deviation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn band_without_width_has_its_close_in_the_middle() {
        let mut percent_b = PercentB::new(20, 2.0);
        let last = (0..20).map(|_| percent_b.push(0.1)).last().flatten();
        assert_eq!(last, Some(0.5));
    }
}
