//! Evaluation of a registered version on bars that are newer than all bars it or its ancestors have seen.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_domain::{
    Evaluation, EvaluationBasis, EvidenceRecord, Looks, Standing, Timestamp, VersionKey, Window,
    hex_sha256, union_of_windows,
};
use herdbook_market::MarketError;
use herdbook_market::metrics::Performance;
use herdbook_store::{RecordedEvaluation, Session, StoreError};

use crate::environment::market_data::DataSource;
use crate::error::TrainingError;
use crate::models::backtest::{Backtest, BacktestOptions};
use crate::models::later_returns::LaterReturns;
use crate::models::registered_model::RegisteredModel;
use crate::results::evidence::Evidence;

/// How often an evaluation is joined again because another one was recorded in the meantime.
const MAX_ATTEMPTS: u32 = 20;

/// An evaluation, and the backtest it comes from.
#[derive(Debug)]
pub struct EvaluationResult {
    /// The backtest on the new bars.
    pub backtest: Backtest,
    /// Evidence for its Sharpe ratio from these bars alone, as the only try.
    pub evidence: Evidence,
    /// The entry for the history of the version.
    pub evaluation: Evaluation,
    /// The evidence from all bars since the training, among all tries of the register.
    pub standing: Standing,
    /// Number of evaluations in the register when this one was joined with them.
    n_known: usize,
    /// The contents of the file with the returns.
    returns: Vec<u8>,
}

/// Runs a version over those bars of `source` that are new to it, joins the returns with those of earlier evaluations and
/// records the result in the history. Returns the id of the event, too.
///
/// # Errors
/// As [`evaluate`]; [`TrainingError::Store`] if the result cannot be stored.
pub fn evaluate_and_record(
    store: &Session,
    model: &RegisteredModel,
    source: &DataSource,
    cost_bps: Option<f64>,
) -> Result<(EvaluationResult, i64), TrainingError> {
    let mut attempt = 1;
    loop {
        let found = evaluate(store, model, source, cost_bps)?;
        match found.record(store, model) {
            Err(StoreError::EvaluatedMeanwhile { .. }) if attempt < MAX_ATTEMPTS => attempt += 1,
            recorded => return Ok((found, recorded?)),
        }
    }
}

/// Runs a version over those bars of `source` that are new to it, and joins the returns with those of earlier evaluations.
/// Records nothing.
///
/// A bar is new if it starts after all bars that the version or an ancestor was trained, validated or tested on. Tested
/// bars count as seen, because versions are chosen by their test results.
///
/// # Errors
/// [`TrainingError::NoNewBars`] if there are fewer than two new bars, [`TrainingError::LostReturns`] if the returns of an
/// earlier evaluation are missing or altered, otherwise as [`Backtest::run`].
pub fn evaluate(
    store: &Session,
    model: &RegisteredModel,
    source: &DataSource,
    cost_bps: Option<f64>,
) -> Result<EvaluationResult, TrainingError> {
    let seen = model.seen(store)?;
    let new_from = seen.new_from();
    let backtest =
        Backtest::run(store, model, source, BacktestOptions { cost_bps, from: new_from }).map_err(
            |error| match (error, new_from) {
                (TrainingError::Market(MarketError::BoundaryOutside { .. }), Some(from)) => {
                    TrainingError::NoNewBars { key: model.version.key.clone(), from }
                }
                (error, _) => error,
            },
        )?;
    let all = store.all_evaluations()?;
    let returns = LaterReturns::of(&backtest);
    let bytes = returns.to_bytes();
    let returns_sha256 = hex_sha256(&bytes);
    let evidence = backtest.evidence();
    let relatives = Relatives::of(store, model, &all, &returns);
    let mut evaluation = Evaluation {
        v: Evaluation::VERSION,
        symbol: source.symbol.clone(),
        window: backtest.window,
        bars_sha256: backtest.tape.bars.sha256(),
        n_bars: backtest.n_bars(),
        n_shown_before: relatives.n_shown(&backtest),
        is_lineage_known: seen.is_complete(),
        cost_bps: backtest.cost_bps,
        metrics: by_name(&backtest.performance),
        buy_and_hold: by_name(&backtest.baselines.buy_and_hold),
        benchmark_sharpe_per_bar: evidence.benchmark_sharpe_per_bar,
        probability: evidence.figures.probability,
        basis: Some(EvaluationBasis {
            model_sha256: model.file_sha256.clone(),
            returns_sha256: returns_sha256.clone(),
            timeframe: model.timeframe,
            trained_symbol: model.symbol(),
            training_cost_bps: model.env.cost_bps,
            new_from,
            shared_with: relatives.shared_with,
            n_trainings: 0,
            record: EvidenceRecord::default(),
        }),
    };
    restore_returns(store, &relatives.own, &returns_sha256, &bytes)?;
    let mut joining = Joining::default();
    for earlier in relatives.own {
        joining.add_earlier(store, &model.version.key, earlier)?;
    }
    joining.add(&evaluation, backtest.tape.bars_per_year, || Ok(returns))?;
    let record = joining.into_record();
    let n_trainings = n_trainings(store, model, source, &record)?;
    if let Some(basis) = &mut evaluation.basis {
        (basis.n_trainings, basis.record) = (n_trainings, record);
    }
    let mut tried: Vec<(VersionKey, Evaluation)> =
        all.iter().map(|it| (it.key.clone(), it.evaluation.clone())).collect();
    tried.push((model.version.key.clone(), evaluation.clone()));
    let standing =
        Standing::of(&model.version.key, &tried, 0).expect("the version was just evaluated");
    let n_known = all.len();
    Ok(EvaluationResult { backtest, evidence, evaluation, standing, n_known, returns: bytes })
}

impl EvaluationResult {
    /// Stores the returns, then the event.
    fn record(&self, store: &Session, model: &RegisteredModel) -> Result<i64, StoreError> {
        if let Some(basis) = &self.evaluation.basis {
            let artifact = Evaluation::returns_artifact(&basis.returns_sha256);
            store.store_artifact(&model.run.run_id, &artifact, &self.returns)?;
        }
        store.record_evaluation(&model.version.key, &self.evaluation, self.n_known)
    }
}

/// The evaluations of the register that have to do with a new one.
struct Relatives<'a> {
    /// Those of the same model: the same version, the same model file, or the same returns; oldest first.
    own: Vec<&'a RecordedEvaluation>,
    /// Hashes of the returns of other models on the same bars.
    shared_with: Vec<String>,
}

impl<'a> Relatives<'a> {
    fn of(
        store: &Session,
        model: &RegisteredModel,
        all: &'a [RecordedEvaluation],
        returns: &LaterReturns,
    ) -> Self {
        let is_own = |other: &RecordedEvaluation| {
            let basis = other.evaluation.basis.as_ref();
            other.key == model.version.key
                || basis.is_some_and(|basis| basis.model_sha256 == model.file_sha256)
        };
        let (mut twins, mut shared_with) = (BTreeSet::new(), Vec::new());
        for (sha256, longest) in longest_of_each_model(all, is_own) {
            // Returns that cannot be read are those of another model; bars of the same symbol count without them.
            let Some(others) = longest.run_id.as_ref().and_then(|run_id| {
                let basis = longest.evaluation.basis.as_ref()?;
                LaterReturns::read(store, run_id, &basis.returns_sha256)
            }) else {
                continue;
            };
            if returns.is_of_same_model(&others) {
                twins.insert(sha256);
            } else if returns.is_of_same_bars(&others) {
                shared_with
                    .extend(longest.evaluation.basis.iter().map(|it| it.returns_sha256.clone()));
            }
        }
        let is_twin = |other: &RecordedEvaluation| {
            let basis = other.evaluation.basis.as_ref();
            basis.is_some_and(|basis| twins.contains(basis.model_sha256.as_str()))
        };
        let own = all.iter().filter(|other| is_own(other) || is_twin(other)).collect();
        Self { own, shared_with }
    }

    /// Number of bars of the backtest in windows of earlier evaluations of the same model.
    fn n_shown(&self, backtest: &Backtest) -> usize {
        let is_shown = |at: Timestamp| {
            self.own.iter().any(|earlier| {
                let Evaluation { symbol, window, .. } = &earlier.evaluation;
                *symbol == backtest.tape.symbol && window.start <= at && at < window.end
            })
        };
        backtest.equity_curve().filter(|point| is_shown(point.at)).count()
    }
}

/// Of each other model the evaluation of the most bars, by the hash of the model.
fn longest_of_each_model(
    all: &[RecordedEvaluation],
    is_own: impl Fn(&RecordedEvaluation) -> bool,
) -> BTreeMap<&str, &RecordedEvaluation> {
    let mut longest: BTreeMap<&str, &RecordedEvaluation> = BTreeMap::new();
    for other in all.iter().filter(|other| !is_own(other)) {
        if let Some(basis) = &other.evaluation.basis {
            let known = longest.entry(&basis.model_sha256).or_insert(other);
            if other.evaluation.n_bars > known.evaluation.n_bars {
                *known = other;
            }
        }
    }
    longest
}

/// The record of a model while its evaluations are joined.
#[derive(Default)]
struct Joining {
    returns: LaterReturns,
    windows: Vec<Window>,
    joined: Vec<String>,
    looks: Looks,
    /// Bars per year in the file of the last evaluation that added bars.
    bars_per_year: Option<f64>,
    /// Evaluations that are no evidence, without repetitions.
    apart: BTreeSet<String>,
}

impl Joining {
    fn add_earlier(
        &mut self,
        store: &Session,
        key: &VersionKey,
        earlier: &RecordedEvaluation,
    ) -> Result<(), TrainingError> {
        let basis = earlier.evaluation.basis.as_ref();
        let sha256 = basis.map_or("", |basis| basis.returns_sha256.as_str());
        let bars_per_year = basis.and_then(|basis| basis.record.figures.bars_per_year);
        self.add(&earlier.evaluation, bars_per_year, || {
            LaterReturns::read_own(store, key, earlier.run_id.as_ref(), sha256)
        })
    }

    fn add(
        &mut self,
        evaluation: &Evaluation,
        bars_per_year: Option<f64>,
        read: impl FnOnce() -> Result<LaterReturns, TrainingError>,
    ) -> Result<(), TrainingError> {
        let Some(basis) = evaluation.basis.as_ref().filter(|_| evaluation.shortcoming().is_none())
        else {
            let Evaluation { bars_sha256, cost_bps, window, .. } = evaluation;
            self.apart.insert(format!("{bars_sha256} {cost_bps} {} {}", window.start, window.end));
            return Ok(());
        };
        if self.joined.contains(&basis.returns_sha256) {
            return Ok(());
        }
        self.joined.push(basis.returns_sha256.clone());
        if self.returns.join(&read()?) > 0 {
            self.windows.push(evaluation.window);
            self.bars_per_year = bars_per_year;
            self.looks.n_grown += 1;
            if self.looks.n_grown == 1 {
                self.looks.n_first = self.returns.len();
            }
        }
        Ok(())
    }

    fn into_record(self) -> EvidenceRecord {
        let looks = Looks { n_now: self.returns.len(), n_apart: self.apart.len(), ..self.looks };
        let figures = self.returns.paired().figures(self.bars_per_year);
        let windows = union_of_windows(self.windows);
        EvidenceRecord { windows, joined: self.joined, looks, figures }
    }
}

/// Stores the returns of an earlier evaluation anew if they are lost and the new ones are the same.
fn restore_returns(
    store: &Session,
    own: &[&RecordedEvaluation],
    sha256: &str,
    bytes: &[u8],
) -> Result<(), StoreError> {
    for earlier in own {
        let basis = earlier.evaluation.basis.as_ref();
        let is_same = basis.is_some_and(|basis| basis.returns_sha256 == sha256);
        if let Some(run_id) = earlier.run_id.as_ref().filter(|_| is_same)
            && LaterReturns::read(store, run_id, sha256).is_none()
        {
            store.store_artifact(run_id, &Evaluation::returns_artifact(sha256), bytes)?;
        }
    }
    Ok(())
}

/// Number of different trainings so far whose test window has bars of the record. Trainings with equal bars, windows and
/// results are the same one, repeated.
fn n_trainings(
    store: &Session,
    model: &RegisteredModel,
    source: &DataSource,
    record: &EvidenceRecord,
) -> Result<usize, StoreError> {
    let (Some(first), Some(last)) = (record.windows.first(), record.windows.last()) else {
        return Ok(0);
    };
    let all = Window { start: first.start, end: last.end };
    let trials = store.trials(&source.symbol, model.timeframe, all)?;
    let has_bars = |test: Window| record.windows.iter().any(|window| window.overlaps(test));
    let different: BTreeSet<_> = trials
        .iter()
        .filter(|trial| has_bars(trial.test) && trial.run_id != model.run.run_id)
        .map(|trial| {
            let sharpe = trial.sharpe_per_bar.map(f64::to_bits);
            (&trial.bars_sha256, trial.test.start, trial.test.end, sharpe)
        })
        .collect();
    Ok(different.len())
}

fn by_name(performance: &Performance) -> BTreeMap<String, f64> {
    let defined = performance.defined().into_iter();
    defined.map(|(name, value)| (name.to_owned(), value)).collect()
}
