//! Markets that pay only who trades little.

use herdbook_ppo::Rng;

use crate::regimes::{Borders, Printed};

/// Trends of equal strength up and down, which turn at random.
pub(crate) struct Trends {
    pub(crate) n_bars: usize,
    /// Of a bar.
    pub(crate) drift: f64,
    /// What a bar moves beside that.
    pub(crate) noise: f64,
    /// Bars of a trend, on average.
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

/// Each trend is worth 1,200 basis points, where getting in and out costs 500, but a bar moves three times as much at
/// random as with its trend: it takes long to learn what there is to earn, and trading at random costs 222 a bar
/// meanwhile.
pub(crate) fn hidden(seed: u64) -> (Vec<u8>, Borders) {
    let trends = Trends { n_bars: 26_000, drift: 0.0005, noise: 0.0015, length: 240.0 };
    (trends.bars(seed), (8_000, 10_000))
}

/// Basis points a side in [`hidden`].
pub(crate) const HIDDEN_COSTS: f64 = 250.0;
