//! Statistical evidence for a Sharpe ratio: against the baselines, and deflated by the number of trials.

use herdbook_domain::{EVIDENCE_BARS, EVIDENCE_PROBABILITY, Honesty, RunId, Windows};
use herdbook_market::metrics::{
    Performance, SharpeEstimate, SharpeInterval, Trials, deflated_sharpe_ratio,
    expected_max_sharpe, probabilistic_sharpe_ratio, sharpe_interval,
};
use herdbook_store::{Store, StoreError};
use serde::Serialize;

use crate::content::stored_closes::StoredCloses;
use crate::content::trials::{DistinctTrial, TestedBars, distinct_trials};
use crate::results::baselines::Baselines;
use crate::results::npy;

/// Artifact path of the returns on the test window, bar by bar.
pub(crate) const TEST_RETURNS: &str = "evaluation/test_returns.npy";

/// Evidence for the Sharpe ratio on one window, without regard to other trials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// Benchmark: the Sharpe ratio per bar of buy-and-hold, or 0 (doing nothing) if that is lower.
    pub benchmark_sharpe_per_bar: f64,
    /// Probability that the true Sharpe ratio is above the benchmark: the probabilistic Sharpe ratio (Bailey, López de
    /// Prado 2012). `None` if undefined.
    pub probability: Option<f64>,
    /// 95 % bootstrap interval of the annualised Sharpe ratio; `None` if undefined.
    pub interval: Option<SharpeInterval>,
    /// Whether the window has bars seen in training; only a clean one counts as evidence.
    pub honesty: Honesty,
    /// Number of bars of the window; fewer than [`EVIDENCE_BARS`] are no evidence.
    pub n_bars: usize,
    /// Basis points of traded notional charged per side; a result without costs is no evidence.
    pub cost_bps: f64,
}

impl Evidence {
    pub(crate) fn of(
        model: &Performance,
        baselines: &Baselines,
        returns: &[f64],
        bars_per_year: Option<f64>,
        (honesty, cost_bps): (Honesty, f64),
    ) -> Self {
        let benchmark = baselines.buy_and_hold.sharpe_per_bar.unwrap_or(0.0).max(0.0);
        Self {
            benchmark_sharpe_per_bar: benchmark,
            probability: estimate(model)
                .and_then(|estimate| probabilistic_sharpe_ratio(&estimate, benchmark)),
            interval: bars_per_year.and_then(|b| sharpe_interval(returns, b)),
            honesty,
            n_bars: returns.len() + 1,
            cost_bps,
        }
    }

    /// Whether the model beats both baselines with a probability above [`EVIDENCE_PROBABILITY`] (0.95), after costs, on
    /// at least [`EVIDENCE_BARS`] bars that are known to be unseen.
    pub fn is_evidence(&self) -> bool {
        self.honesty == Honesty::Clean
            && self.n_bars >= EVIDENCE_BARS
            && self.cost_bps > 0.0
            && self.probability.is_some_and(|p| p > EVIDENCE_PROBABILITY)
    }
}

/// A Sharpe ratio deflated by all trials whose test windows have bars of its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Deflation {
    /// Number of trials, including this one.
    pub n_trials: usize,
    /// Variance of the trials' Sharpe ratios per bar; `None` for fewer than two.
    pub variance: Option<f64>,
    /// Effective number of independent trials, from the mean correlation of their returns.
    pub n_effective: f64,
    /// Number of trials whose returns could be compared; the others count as independent.
    pub n_compared: usize,
    /// Expected maximum of the Sharpe ratios per bar of so many trials without skill.
    pub luck_sharpe_per_bar: Option<f64>,
    /// Deflated Sharpe ratio with `n_trials`: the probability that the true Sharpe ratio is above 0 given the number of
    /// trials.
    pub deflated: Option<f64>,
    /// Deflated Sharpe ratio with `n_effective`.
    pub deflated_effective: Option<f64>,
}

/// The returns of at most this many trials are read.
const MAX_COMPARED: usize = 500;

/// Deflates a Sharpe ratio by the trials in the store: the deflated Sharpe ratio (Bailey, López de Prado 2014, "The
/// deflated Sharpe ratio").
///
/// Trials are the [`distinct_trials`] on the bars of the test window of `run_id`. Returns `None` for fewer than two trials
/// or an undefined Sharpe ratio.
///
/// # Errors
/// [`StoreError`] if the trials cannot be read.
pub fn deflation(
    store: &Store,
    run_id: &RunId,
    windows: &Windows,
    model: &Performance,
) -> Result<Option<Deflation>, StoreError> {
    let run = store.run(run_id)?;
    let closes = StoredCloses::new(store).of_run(&run)?;
    let trials = distinct_trials(
        store,
        TestedBars {
            symbol: &windows.symbol,
            timeframe: windows.timeframe,
            window: windows.test,
            closes: closes.as_deref(),
        },
    )?;
    let Some(estimate) = estimate(model).filter(|_| trials.len() > 1) else {
        return Ok(None);
    };
    let sharpes: Vec<Option<f64>> = trials.iter().map(|trial| trial.sharpe_per_bar).collect();
    let all = Trials::of(&sharpes);
    let returns = comparable_returns(store, &trials, run_id);
    let n = trials.len() as f64;
    let pairs_compared = (returns.len() * returns.len().saturating_sub(1)) as f64;
    let correlation = mean_correlation(&returns) * pairs_compared / (n * (n - 1.0));
    let effective = all.effective(correlation);
    Ok(Some(Deflation {
        n_trials: trials.len(),
        variance: all.variance,
        n_effective: effective.count,
        n_compared: returns.len(),
        luck_sharpe_per_bar: expected_max_sharpe(all),
        deflated: deflated_sharpe_ratio(&estimate, all),
        deflated_effective: deflated_sharpe_ratio(&estimate, effective),
    }))
}

fn estimate(model: &Performance) -> Option<SharpeEstimate> {
    Some(SharpeEstimate {
        sharpe_per_bar: model.sharpe_per_bar?,
        n_returns: model.n_returns,
        skew: model.skew?,
        kurtosis: model.kurtosis?,
    })
}

/// The stored returns of trials with the test bars of `run_id`, possibly at other times.
fn comparable_returns(store: &Store, trials: &[DistinctTrial], run_id: &RunId) -> Vec<Vec<f64>> {
    let read = |run_id: &RunId| npy::read(&store.read_artifact(run_id, TEST_RETURNS).ok()?);
    let Some(own) = read(run_id) else { return Vec::new() };
    let kept = trials.iter().rev().filter(|trial| trial.has_same_bars).take(MAX_COMPARED);
    let returns = kept.filter_map(|trial| read(&trial.run_id));
    returns.filter(|series: &Vec<f64>| series.len() == own.len()).collect()
}

/// Mean Pearson correlation over all pairs, in linear time: the squared norm of the sum of the standardised series is the
/// sum of all pairwise correlations. A constant series has correlation 0 with every other.
fn mean_correlation(series: &[Vec<f64>]) -> f64 {
    let Some(n_bars) = series.first().map(Vec::len).filter(|_| series.len() > 1) else {
        return 0.0;
    };
    let mut sum = vec![0.0; n_bars];
    let mut n_varying = 0.0;
    for returns in series {
        let mean = returns.iter().sum::<f64>() / n_bars as f64;
        let squares: f64 = returns.iter().map(|r| (r - mean).powi(2)).sum();
        if squares <= f64::MIN_POSITIVE {
            continue;
        }
        n_varying += 1.0;
        for (sum, r) in sum.iter_mut().zip(returns) {
            *sum += (r - mean) / squares.sqrt();
        }
    }
    let n = series.len() as f64;
    (sum.iter().map(|s| s * s).sum::<f64>() - n_varying) / (n * (n - 1.0))
}

#[cfg(test)]
mod tests {
    use herdbook_market::metrics::{Activity, performance, returns};

    use super::*;

    /// Equity of `n` returns that alternate around `mean`.
    fn equity(n: usize, mean: f64) -> Vec<f64> {
        let mut equity = vec![100.0];
        for idx in 0..n {
            let noise = if idx % 2 == 0 { 0.001 } else { -0.001 };
            equity.push(equity[idx] * (1.0 + mean + noise));
        }
        equity
    }

    fn performance_of(equity: &[f64]) -> Performance {
        performance(equity, &[], Activity::default(), Some(6_000.0))
    }

    fn evidence(model: f64, held: f64, n_bars: usize) -> Evidence {
        let (model, held) = (equity(n_bars - 1, model), equity(n_bars - 1, held));
        let flat = performance_of(&vec![100.0; n_bars]);
        let baselines = Baselines { buy_and_hold: performance_of(&held), flat };
        let returns = returns(&model).unwrap();
        let terms = (Honesty::Clean, 1.0);
        Evidence::of(&performance_of(&model), &baselines, &returns, Some(6_000.0), terms)
    }

    #[test]
    fn benchmark_is_the_better_of_holding_and_doing_nothing() {
        let rising = evidence(0.0005, 0.0003, 200);
        let held = performance_of(&equity(199, 0.0003)).sharpe_per_bar.unwrap();
        assert!((rising.benchmark_sharpe_per_bar - held).abs() < 1e-12 && held > 0.0);
        let falling = evidence(0.0005, -0.0003, 200);
        assert!(falling.benchmark_sharpe_per_bar.abs() < 1e-12);
        assert!(rising.probability.unwrap() < falling.probability.unwrap());
        assert_eq!(rising.n_bars, 200);
    }

    #[test]
    fn model_no_better_than_holding_is_no_evidence() {
        let as_good = evidence(0.0005, 0.0005, 1_000);
        assert!((as_good.probability.unwrap() - 0.5).abs() < 1e-9);
        assert!(!as_good.is_evidence());
        assert!(evidence(0.0005, 0.0, 1_000).is_evidence());
    }

    #[test]
    fn each_condition_of_evidence_is_required() {
        let sure = Evidence {
            probability: Some(EVIDENCE_PROBABILITY + 1e-9),
            n_bars: EVIDENCE_BARS,
            ..evidence(0.0005, 0.0, 200)
        };
        assert!(sure.is_evidence());
        for lacking in [
            Evidence { honesty: Honesty::Unknown, ..sure },
            Evidence { honesty: Honesty::Contaminated, ..sure },
            Evidence { n_bars: EVIDENCE_BARS - 1, ..sure },
            Evidence { cost_bps: 0.0, ..sure },
            Evidence { probability: Some(EVIDENCE_PROBABILITY), ..sure },
            Evidence { probability: None, ..sure },
        ] {
            assert!(!lacking.is_evidence(), "{lacking:?}");
        }
    }

    #[test]
    fn model_that_never_trades_has_no_probability() {
        let flat = vec![100.0; 200];
        let baselines =
            Baselines { buy_and_hold: performance_of(&flat), flat: performance_of(&flat) };
        let returns = returns(&flat).unwrap();
        let terms = (Honesty::Clean, 1.0);
        let found =
            Evidence::of(&performance_of(&flat), &baselines, &returns, Some(6_000.0), terms);
        assert_eq!((found.probability, found.interval), (None, None));
        assert!(!found.is_evidence());
    }

    #[test]
    fn mean_correlation_of_three_series_is_that_of_their_pairs() {
        let up = vec![1.0, 2.0, 3.0, 4.0];
        let down: Vec<f64> = up.iter().map(|x| -x).collect();
        let odd = vec![1.0, -1.0, -1.0, 1.0];
        assert!((mean_correlation(&[up.clone(), up.clone()]) - 1.0).abs() < 1e-12);
        assert!((mean_correlation(&[up.clone(), down.clone()]) + 1.0).abs() < 1e-12);
        // Of the pairs up-up 1, up-odd 0, up-odd 0.
        assert!((mean_correlation(&[up.clone(), up.clone(), odd]) - 1.0 / 3.0).abs() < 1e-12);
        assert!(mean_correlation(&[up, vec![0.0; 4]]).abs() < 1e-12);
        assert!(mean_correlation(&[down]).abs() < 1e-12);
    }
}
