//! Markets in which only few trades are profitable after costs.

use herdbook_ppo::Rng;

use crate::regimes::{Borders, Printed};

/// Trends of equal strength up and down that reverse at random.
pub(crate) struct Trends {
    pub(crate) n_bars: usize,
    /// Log return per bar of a trend.
    pub(crate) drift: f64,
    /// Standard deviation of the random part of a bar's log return.
    pub(crate) noise: f64,
    /// Mean length of a trend in bars.
    pub(crate) length: f64,
}

impl Trends {
    pub(crate) fn bars(&self, seed: u64) -> Vec<u8> {
        let mut rng = Rng::new(seed ^ 0x7e4d);
        let mut bars = Printed::new();
        let mut drift = self.drift;
        for _ in 0..self.n_bars {
            if rng.uniform() < 1.0 / self.length {
                drift = -drift;
            }
            bars.add(drift + self.noise * rng.normal(), 0.3 * self.noise * rng.uniform());
        }
        bars.csv.into_bytes()
    }
}

/// A trend earns 1,200 basis points on average, entry and exit cost 500. A bar's random move is three times its trend, so
/// the signal takes long to learn, and random trading costs 222 basis points per bar meanwhile.
pub(crate) fn hidden(seed: u64) -> (Vec<u8>, Borders) {
    let trends = Trends { n_bars: 26_000, drift: 0.0005, noise: 0.0015, length: 240.0 };
    (trends.bars(seed), (8_000, 10_000))
}

/// Costs in [`hidden`], in basis points per side.
pub(crate) const HIDDEN_COSTS: f64 = 250.0;
