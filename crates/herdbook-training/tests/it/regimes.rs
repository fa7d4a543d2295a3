//! Seeded hourly markets with regimes, one for the purpose of each enhancement.

use herdbook_ppo::Rng;

/// An AR(1) process of log returns: a *reverting* regime has negative memory, a *trending* one positive memory. The regime
/// can be recognised by its volatility.
#[derive(Clone, Copy)]
struct Regime {
    /// AR(1) coefficient.
    memory: f64,
    /// Standard deviation of the innovation.
    volatility: f64,
}

const REVERTING: Regime = Regime { memory: -0.35, volatility: 0.001 };
const TRENDING: Regime = Regime { memory: 0.35, volatility: 0.003 };

/// Indices of the first bar of the validation and of the test window.
pub(crate) type Borders = (i64, i64);

/// The common regime only, for training parents. It ends before the bars of the other markets begin.
pub(crate) fn common(seed: u64) -> (Vec<u8>, Borders) {
    let first = -10_000;
    let bars = of_regimes(first, seed + 100, &[(8_000, REVERTING)]);
    (bars, (first + 6_000, first + 7_000))
}

/// Alternating bars: nine parts common regime, one part rare regime. The test window has only the rare one.
pub(crate) fn rare(seed: u64) -> (Vec<u8>, Borders) {
    let mut stretches = [(1_800, REVERTING), (200, TRENDING)].repeat(6);
    stretches.push((1_500, TRENDING));
    (of_regimes(0, seed, &stretches), (10_000, 12_000))
}

/// The common regime, then a trending one of the same volatility, which contains the validation and test window.
pub(crate) fn switched(seed: u64) -> (Vec<u8>, Borders) {
    let new = Regime { volatility: REVERTING.volatility, ..TRENDING };
    (of_regimes(0, seed, &[(7_000, REVERTING), (5_000, new)]), (9_500, 10_750))
}

/// Open time of a bar, in milliseconds since the Unix epoch.
pub(crate) fn open_time_ms(bar: i64) -> i64 {
    (1_500_000_000 + bar * 3_600) * 1_000
}

fn of_regimes(first: i64, seed: u64, stretches: &[(usize, Regime)]) -> Vec<u8> {
    let mut rng = Rng::new(seed ^ 0xbeef);
    let mut bars = Printed { next: first, ..Printed::new() };
    let mut last = 0.0;
    for (n_bars, regime) in stretches {
        for _ in 0..*n_bars {
            last = regime.memory * last + regime.volatility * rng.normal();
            bars.add(last, 0.3 * regime.volatility * rng.uniform());
        }
    }
    bars.csv.into_bytes()
}

/// Writes bars as CSV.
pub(crate) struct Printed {
    pub(crate) csv: String,
    price: f64,
    /// Index of the next bar.
    next: i64,
}

impl Printed {
    pub(crate) fn new() -> Self {
        Self { csv: "timestamp,open,high,low,close\n".to_owned(), price: 1.0, next: 0 }
    }

    /// Adds a bar with log return `body`; high and low exceed the body by the fraction `wick`.
    pub(crate) fn add(&mut self, body: f64, wick: f64) {
        let (open, close) = (self.price, self.price * body.exp());
        let (high, low) = (open.max(close) * (1.0 + wick), open.min(close) / (1.0 + wick));
        let time = open_time_ms(self.next);
        self.csv += &format!("{time},{open},{high},{low},{close}\n");
        self.price = close;
        self.next += 1;
    }
}
