//! Statistical evidence for a Sharpe ratio: against the baselines, and deflated by the number of trials.

use herdbook_domain::{
    EVIDENCE_BARS, EVIDENCE_PROBABILITY, EvidenceFigures, Honesty, RunId, Windows, hex_sha256,
};
use herdbook_market::Ledger;
use herdbook_market::metrics::{
    Performance, SharpeEstimate, Trials, deflated_sharpe_ratio, expected_max_sharpe, sharpe_per_bar,
};
use herdbook_store::{RunRecord, Store, StoreError};
use serde::Serialize;

use crate::content::stored_closes::StoredCloses;
use crate::content::trials::{DistinctTrial, TestedBars};
use crate::content::tries::Tries;
use crate::results::figures::PairedReturns;
use crate::results::npy;

/// Artifact path of the returns on the test window, bar by bar.
pub(crate) const TEST_RETURNS: &str = "evaluation/test_returns.npy";

/// Evidence for the Sharpe ratio on one window.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Sharpe ratio per bar of the benchmark that is better on this window: of buy-and-hold, or 0 (doing nothing).
    pub benchmark_sharpe_per_bar: f64,
    /// The comparison with both benchmarks.
    pub figures: EvidenceFigures,
    /// Number of tries on these bars, of which this is taken to be the best.
    pub n_tries: u64,
    /// Why the tries could not be counted; such a result is no evidence. `None` if they were.
    pub uncounted: Option<String>,
    /// Whether the window has bars seen in training; only a clean one counts as evidence.
    pub honesty: Honesty,
    /// Number of bars of the window; fewer than [`EVIDENCE_BARS`] are no evidence.
    pub n_bars: usize,
    /// Basis points of traded notional charged per side; a result without costs is no evidence.
    pub cost_bps: f64,
}

impl Evidence {
    /// Compares the accounts of a model and of holding over the same bars, as the only try on them.
    pub(crate) fn of(
        (model, holding): (&Ledger, &Ledger),
        bars_per_year: Option<f64>,
        (honesty, cost_bps): (Honesty, f64),
    ) -> Self {
        Self::of_returns(&PairedReturns::of(model, holding), bars_per_year, (honesty, cost_bps))
    }

    pub(crate) fn of_returns(
        returns: &PairedReturns,
        bars_per_year: Option<f64>,
        (honesty, cost_bps): (Honesty, f64),
    ) -> Self {
        Self {
            benchmark_sharpe_per_bar: sharpe_per_bar(&returns.holding).unwrap_or(0.0).max(0.0),
            figures: returns.figures(bars_per_year),
            n_tries: 1,
            uncounted: None,
            honesty,
            n_bars: returns.model.len() + 1,
            cost_bps,
        }
    }

    /// Probability that the true Sharpe ratio is above those of both benchmarks, as the best of all tries; `None` if
    /// undefined.
    pub fn probability(&self) -> Option<f64> {
        self.figures.probability_among(self.n_tries)
    }

    /// Why the result is no evidence; `None` if it is: a probability above [`EVIDENCE_PROBABILITY`] (0.95) of beating both flat
    /// and holding as the best of all tries, after costs, on at least [`EVIDENCE_BARS`] bars that are known to be unseen, and not carried by one bar or
    /// trade.
    pub fn objection(&self) -> Option<String> {
        let is_above = self.probability().is_some_and(|p| p > EVIDENCE_PROBABILITY);
        match self.honesty {
            Honesty::Contaminated => Some("bars were seen in training".to_owned()),
            Honesty::Unknown => Some("bars may have been seen in training".to_owned()),
            Honesty::Clean if self.cost_bps <= 0.0 => Some("no costs were charged".to_owned()),
            Honesty::Clean if self.n_bars < EVIDENCE_BARS => {
                Some(format!("fewer than {EVIDENCE_BARS} bars"))
            }
            Honesty::Clean if self.uncounted.is_some() => self.uncounted.clone(),
            Honesty::Clean if !is_above => {
                Some(format!("the probability is not above {EVIDENCE_PROBABILITY}"))
            }
            Honesty::Clean => self.figures.carried_by(EVIDENCE_PROBABILITY),
        }
    }

    /// Whether the result is evidence.
    pub fn is_evidence(&self) -> bool {
        self.objection().is_none()
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
    /// Number of tries on the bars: the trials, and the models that were evaluated on them after their training.
    pub n_tries: u64,
    /// Probability that the true Sharpe ratio is above those of doing nothing and of holding, as the best of `n_tries`; `None`
    /// if undefined, or if an older build trained the model.
    pub probability: Option<f64>,
}

/// The returns of at most this many trials are read.
const MAX_COMPARED: usize = 500;

/// Deflates a Sharpe ratio by the trials in the store: the deflated Sharpe ratio (Bailey, López de Prado 2014, "The
/// deflated Sharpe ratio").
///
/// Trials are the [`distinct_trials`](crate::distinct_trials) on the bars of the test window of `run_id`. Returns `None` for
/// fewer than two trials or an undefined Sharpe ratio.
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
    let tries = tries_on_test(store, &run, windows)?;
    let test = run.seal.as_ref().and_then(|seal| seal.facts.test.as_ref());
    let figures = test.and_then(|test| test.figures.as_ref());
    Ok(deflated(store, run_id, &tries, model, figures))
}

/// The tries on the bars of a run's test window.
pub(crate) fn tries_on_test(
    store: &Store,
    run: &RunRecord,
    windows: &Windows,
) -> Result<Tries, StoreError> {
    let closes = StoredCloses::new(store).of_run(run)?;
    let bars = TestedBars {
        symbol: &windows.symbol,
        timeframe: windows.timeframe,
        window: windows.test,
        closes: closes.as_deref(),
    };
    Tries::on(store, bars, None)
}

/// The Sharpe ratio of a run among the tries on its test window; `None` for fewer than two trials or an undefined ratio.
pub(crate) fn deflated(
    store: &Store,
    run_id: &RunId,
    tries: &Tries,
    model: &Performance,
    figures: Option<&EvidenceFigures>,
) -> Option<Deflation> {
    let trials = &tries.trials;
    let estimate = estimate(model).filter(|_| trials.len() > 1)?;
    let sharpes: Vec<Option<f64>> = trials.iter().map(|trial| trial.sharpe_per_bar).collect();
    let all = Trials::of(&sharpes);
    let returns = comparable_returns(store, trials, run_id);
    let n = trials.len() as f64;
    let pairs_compared = (returns.len() * returns.len().saturating_sub(1)) as f64;
    let correlation = mean_correlation(&returns) * pairs_compared / (n * (n - 1.0));
    let effective = all.effective(correlation);
    let n_tries = tries.with(run_id);
    Some(Deflation {
        n_trials: trials.len(),
        variance: all.variance,
        n_effective: effective.count,
        n_compared: returns.len(),
        luck_sharpe_per_bar: expected_max_sharpe(all),
        deflated: deflated_sharpe_ratio(&estimate, all),
        deflated_effective: deflated_sharpe_ratio(&estimate, effective),
        n_tries,
        probability: figures.and_then(|figures| figures.probability_among(n_tries)),
    })
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
    let read = |run_id: &RunId| {
        let bytes = store.read_artifact(run_id, TEST_RETURNS).ok()?;
        // An altered file could make trials look alike. Older builds sealed no hash.
        let sealed = store.sealed_files(run_id).ok()?.remove(TEST_RETURNS);
        let is_as_sealed = sealed.is_none_or(|sha256| sha256 == hex_sha256(&bytes));
        npy::read(&bytes).filter(|_| is_as_sealed)
    };
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
    use super::*;

    /// Returns of alternating trades that gain `mean` a bar, and of holding.
    fn evidence(mean: f64, held: f64, n_bars: usize) -> Evidence {
        let wave = |idx: usize| ((idx * 7_919) % 101) as f64 / 101.0 - 0.5;
        let n = n_bars - 1;
        let returns = PairedReturns {
            model: (0..n).map(|idx| mean + 0.002 * wave(idx)).collect(),
            holding: (0..n).map(|idx| held + 0.002 * wave(idx * 3 + 1)).collect(),
            positions: (0..n).map(|idx| if idx / 5 % 2 == 0 { 1.0 } else { -1.0 }).collect(),
        };
        Evidence::of_returns(&returns, Some(6_000.0), (Honesty::Clean, 1.0))
    }

    #[test]
    fn benchmark_is_the_better_of_holding_and_doing_nothing() {
        assert!(evidence(0.0005, 0.0003, 200).benchmark_sharpe_per_bar > 0.1);
        assert!(evidence(0.0005, -0.0003, 200).benchmark_sharpe_per_bar.abs() < 1e-12);
    }

    #[test]
    fn model_no_better_than_holding_is_no_evidence() {
        let as_good = evidence(0.0005, 0.0005, 1_000);
        let probability = as_good.probability().unwrap();
        assert!((0.3..0.7).contains(&probability), "{probability}");
        assert_eq!(as_good.objection().as_deref(), Some("the probability is not above 0.95"));
        assert_eq!(evidence(0.0005, 0.0, 1_000).objection(), None);
    }

    #[test]
    fn each_condition_of_evidence_is_required() {
        let sure = evidence(0.0005, 0.0, 400);
        assert_eq!(sure.objection(), None);
        let without_probability = EvidenceFigures { probability: None, ..sure.figures.clone() };
        for (lacking, told) in [
            (Evidence { honesty: Honesty::Unknown, ..sure.clone() }, "may have been seen"),
            (Evidence { honesty: Honesty::Contaminated, ..sure.clone() }, "were seen"),
            (Evidence { n_bars: EVIDENCE_BARS - 1, ..sure.clone() }, "fewer than 51 bars"),
            (Evidence { cost_bps: 0.0, ..sure.clone() }, "no costs"),
            (Evidence { figures: without_probability, ..sure.clone() }, "not above 0.95"),
            (Evidence { n_tries: u64::MAX, ..sure.clone() }, "not above 0.95"),
            (Evidence { uncounted: Some("tries unknown".to_owned()), ..sure.clone() }, "unknown"),
        ] {
            let objection = lacking.objection().unwrap();
            assert!(objection.contains(told), "{objection}");
        }
    }

    #[test]
    fn model_that_never_trades_has_no_probability() {
        let mut found = evidence(0.0, 0.0, 200);
        let flat = PairedReturns { model: vec![0.0; 199], ..PairedReturns::default() };
        let flat = PairedReturns { holding: flat.model.clone(), ..flat };
        found = Evidence::of_returns(&flat, Some(6_000.0), (found.honesty, found.cost_bps));
        assert_eq!((found.probability(), &found.figures.flat), (None, &None));
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
