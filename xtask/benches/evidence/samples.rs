//! Returns of a model and of holding with known true Sharpe ratios.

use herdbook_ppo::Rng;

/// Daily returns: bars per year.
const BARS_PER_YEAR: f64 = 252.0;
/// Standard deviation of a daily return.
const DEVIATION: f64 = 0.01;
/// First autocorrelation of an autocorrelated process.
const AUTOCORRELATION: f64 = 0.1;
/// Values that a process runs before its returns are taken.
const WARM_UP: usize = 200;

/// Correlations of the model with holding.
pub(crate) const CORRELATIONS: [f64; 6] = [-0.8, -0.3, 0.0, 0.3, 0.6, 0.9];

/// How the returns of one side depend on each other.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Process {
    /// Independent and normal.
    Independent,
    /// GARCH(1, 1) with the usual persistence of daily returns: 0.05 + 0.08·e² + 0.87·v.
    Clustered,
    /// Autoregression of order 1.
    Autocorrelated,
    /// Both.
    Both,
}

impl Process {
    pub(crate) const ALL: [Self; 4] =
        [Self::Independent, Self::Clustered, Self::Autocorrelated, Self::Both];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Independent => "independent",
            Self::Clustered => "volatility clusters",
            Self::Autocorrelated => "autocorrelation 0.1",
            Self::Both => "clusters and autocorrelation",
        }
    }

    fn is_clustered(self) -> bool {
        matches!(self, Self::Clustered | Self::Both)
    }

    fn autocorrelation(self) -> f64 {
        if matches!(self, Self::Autocorrelated | Self::Both) { AUTOCORRELATION } else { 0.0 }
    }
}

/// One side: a series of values with mean 0 and variance 1.
struct Side {
    process: Process,
    variance: f64,
    innovation: f64,
    value: f64,
}

impl Side {
    fn new(process: Process) -> Self {
        Self { process, variance: 1.0, innovation: 0.0, value: 0.0 }
    }

    fn next(&mut self, normal: f64) -> f64 {
        if self.process.is_clustered() {
            self.variance = 0.05 + 0.08 * self.innovation * self.innovation + 0.87 * self.variance;
        }
        self.innovation = self.variance.sqrt() * normal;
        let phi = self.process.autocorrelation();
        self.value = phi * self.value + (1.0 - phi * phi).sqrt() * self.innovation;
        self.value
    }
}

/// Returns of a model and of holding over `n` days. `sharpes` are their true Sharpe ratios per year.
pub(crate) fn pair(
    rng: &mut Rng,
    n: usize,
    correlation: f64,
    sharpes: (f64, f64),
    process: Process,
) -> (Vec<f64>, Vec<f64>) {
    let (mut model, mut holding) = (Side::new(process), Side::new(process));
    let per_bar = |sharpe: f64| sharpe / BARS_PER_YEAR.sqrt();
    let rest = (1.0 - correlation * correlation).sqrt();
    let mut both = || {
        let (held, own) = (rng.normal(), rng.normal());
        let moved = model.next(correlation * held + rest * own);
        (
            DEVIATION * (moved + per_bar(sharpes.0)),
            DEVIATION * (holding.next(held) + per_bar(sharpes.1)),
        )
    };
    for _ in 0..WARM_UP {
        both();
    }
    (0..n).map(|_| both()).unzip()
}
