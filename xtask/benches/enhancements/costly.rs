//! A market that pays only who trades little.

use herdbook_ppo::Rng;

use crate::regimes::{Borders, Printed};

/// Trends of 60 bars on average, of 5 basis points a bar: worth 300, where getting in and out costs 120.
pub(crate) fn costly(seed: u64) -> (Vec<u8>, Borders) {
    const DRIFT: f64 = 0.0005;
    const NOISE: f64 = 0.0006;
    const TURN: f64 = 1.0 / 60.0;
    let mut rng = Rng::new(seed ^ 0x7e4d);
    let mut bars = Printed::new();
    let mut drift = DRIFT;
    for _ in 0..12_000 {
        if rng.uniform() < TURN {
            drift = -drift;
        }
        bars.add(drift + NOISE * rng.normal(), 0.3 * NOISE * rng.uniform());
    }
    (bars.csv.into_bytes(), (8_000, 10_000))
}

/// Basis points a side in [`costly`].
pub(crate) const HIGH_COSTS: f64 = 60.0;
