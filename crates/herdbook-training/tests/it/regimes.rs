//! Markets made for what an enhancement is for: hourly bars, the same for the same seed.

use herdbook_ppo::Rng;

/// A stretch of bars whose next move depends on the last one: in a *reverting* regime a part of it comes back, in a
/// *trending* one it goes on. Which one it is shows in how much the price moves.
#[derive(Clone, Copy)]
struct Regime {
    /// Share of a bar's move that the next one adds, or takes back where below 0.
    memory: f64,
    /// Standard deviation of what is new in a bar.
    volatility: f64,
}

const REVERTING: Regime = Regime { memory: -0.35, volatility: 0.001 };
const TRENDING: Regime = Regime { memory: 0.35, volatility: 0.003 };

/// First bars of the validation and the test window.
pub(crate) type Borders = (i64, i64);

/// The common regime alone: what the parents have learned.
pub(crate) fn common(seed: u64) -> (Vec<u8>, Borders) {
    (of_regimes(seed + 100, &[(8_000, REVERTING)]), (6_000, 7_000))
}

/// Nine parts of the common regime and one of the rare one, in turns. The test window is the rare one alone.
pub(crate) fn rare(seed: u64) -> (Vec<u8>, Borders) {
    let mut stretches = [(1_800, REVERTING), (200, TRENDING)].repeat(6);
    stretches.push((1_500, TRENDING));
    (of_regimes(seed, &stretches), (10_000, 12_000))
}

/// The old regime for long, then another, as calm as it was; validation and test window lie in the new one.
pub(crate) fn switched(seed: u64) -> (Vec<u8>, Borders) {
    let new = Regime { volatility: REVERTING.volatility, ..TRENDING };
    (of_regimes(seed, &[(7_000, REVERTING), (5_000, new)]), (9_500, 10_750))
}

/// When a bar opens, in milliseconds.
pub(crate) fn open_time_ms(bar: i64) -> i64 {
    (1_500_000_000 + bar * 3_600) * 1_000
}

fn of_regimes(seed: u64, stretches: &[(usize, Regime)]) -> Vec<u8> {
    let mut rng = Rng::new(seed ^ 0xbeef);
    let mut bars = Printed::new();
    let mut last = 0.0;
    for (n_bars, regime) in stretches {
        for _ in 0..*n_bars {
            last = regime.memory * last + regime.volatility * rng.normal();
            bars.add(last, 0.3 * regime.volatility * rng.uniform());
        }
    }
    bars.csv.into_bytes()
}

/// Bars on their way to a file.
pub(crate) struct Printed {
    pub(crate) csv: String,
    price: f64,
    n_bars: i64,
}

impl Printed {
    pub(crate) fn new() -> Self {
        Self { csv: "timestamp,open,high,low,close\n".to_owned(), price: 1.0, n_bars: 0 }
    }

    /// A bar by the logarithm of its move, and how far it went beyond that.
    pub(crate) fn add(&mut self, body: f64, wick: f64) {
        let (open, close) = (self.price, self.price * body.exp());
        let (high, low) = (open.max(close) * (1.0 + wick), open.min(close) / (1.0 + wick));
        let time = open_time_ms(self.n_bars);
        self.csv += &format!("{time},{open},{high},{low},{close}\n");
        self.price = close;
        self.n_bars += 1;
    }
}
