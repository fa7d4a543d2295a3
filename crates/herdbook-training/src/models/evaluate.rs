//! Evaluation of a registered version on bars that are newer than all bars it or its ancestors have seen.

use std::collections::BTreeMap;

use herdbook_domain::{
    Evaluation, EvaluationBasis, EvidenceRecord, Standing, VersionKey, hex_sha256,
};
use herdbook_market::MarketError;
use herdbook_market::metrics::Performance;
use herdbook_store::{Session, StoreError};

use crate::content::trials::note_on_lost_closes;
use crate::environment::market_data::DataSource;
use crate::error::TrainingError;
use crate::models::backtest::{Backtest, BacktestOptions};
use crate::models::joining::{Joining, restore_files};
use crate::models::later_returns::LaterReturns;
use crate::models::registered_model::RegisteredModel;
use crate::models::relatives::Relatives;
use crate::results::evidence::Evidence;

/// How often an evaluation is joined again because another one was recorded in the meantime.
const MAX_ATTEMPTS: u32 = 20;

/// An evaluation, and the backtest it comes from.
#[derive(Debug)]
pub struct EvaluationResult {
    /// The backtest on the new bars.
    pub backtest: Backtest,
    /// Evidence for its Sharpe ratio from these bars alone, as the best of all tries of the register.
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
/// [`TrainingError::NoNewBars`] if there are fewer than two new bars, [`TrainingError::KnownBars`] if some of them are
/// known under another name or other times, [`TrainingError::UnnamedInstrument`] if nothing tells their instrument,
/// [`TrainingError::LostFile`] if the returns or the closes of an earlier evaluation are missing or altered, otherwise as
/// [`Backtest::run`].
pub fn evaluate(
    store: &Session,
    model: &RegisteredModel,
    source: &DataSource,
    cost_bps: Option<f64>,
) -> Result<EvaluationResult, TrainingError> {
    let new_from = model.seen(store)?.new_from();
    let mut backtest =
        Backtest::run_alone(store, model, source, BacktestOptions { cost_bps, from: new_from })
            .map_err(|error| match (error, new_from) {
                (TrainingError::Market(MarketError::BoundaryOutside { .. }), Some(from)) => {
                    TrainingError::NoNewBars { key: model.version.key.clone(), from }
                }
                (error, _) => error,
            })?;
    backtest.check_new(model, source)?;
    let all = store.all_evaluations()?;
    let returns = LaterReturns::of(&backtest);
    let bytes = returns.to_bytes();
    let evidence = backtest.evidence();
    let mut evaluation = unjoined(&backtest, &evidence, model, &bytes);
    let own = Relatives::own(store, model, &all, &returns);
    restore_files(store, &own, &evaluation, (&bytes, backtest.tape.closes.bytes()))?;
    let relatives = Relatives::of(store, model, &all, own, &backtest, &returns)?;
    backtest.notes.extend(relatives.note());
    backtest.notes.extend(relatives.note_on_lost_closes());
    if let Some(basis) = &mut evaluation.basis {
        basis.moved_by.clone_from(&relatives.moved_by);
        basis.repeats.clone_from(&relatives.repeats);
    }
    evaluation.n_shown_before = relatives.n_shown(&backtest);
    evaluation.n_missing = relatives.n_missing(&backtest, model.timeframe);
    let mut joining = Joining::default();
    for earlier in &relatives.own {
        joining.add_earlier(store, &model.version.key, earlier)?;
    }
    joining.add(&evaluation, backtest.tape.bars_per_year, || Ok(returns))?;
    let record = joining.into_record();
    let trainings = relatives.trainings(store, model, &backtest, &record)?;
    let lost = trainings.iter().filter(|it| it.is_unknown).map(|it| &it.run_id);
    backtest.notes.extend(note_on_lost_closes(lost));
    if let Some(basis) = &mut evaluation.basis {
        (basis.new_from, basis.n_trainings, basis.record) = (new_from, trainings.len(), record);
        basis.shared_with = relatives.shared_with;
    }
    let mut tried: Vec<(VersionKey, Evaluation)> =
        all.iter().map(|it| (it.key.clone(), it.evaluation.clone())).collect();
    tried.push((model.version.key.clone(), evaluation.clone()));
    let standing =
        Standing::of(&model.version.key, &tried, 0).expect("the version was just evaluated");
    let n_known = all.len();
    let evidence = Evidence { n_tries: standing.n_tries, ..evidence };
    Ok(EvaluationResult { backtest, evidence, evaluation, standing, n_known, returns: bytes })
}

/// The evaluation of these bars alone.
fn unjoined(
    backtest: &Backtest,
    evidence: &Evidence,
    model: &RegisteredModel,
    returns: &[u8],
) -> Evaluation {
    Evaluation {
        v: Evaluation::VERSION,
        symbol: backtest.tape.symbol.clone(),
        window: backtest.window,
        bars_sha256: backtest.tape.bars.sha256(),
        n_bars: backtest.n_bars(),
        n_shown_before: 0,
        is_lineage_known: backtest.is_lineage_known(),
        cost_bps: backtest.cost_bps,
        metrics: by_name(&backtest.performance),
        buy_and_hold: by_name(&backtest.baselines.buy_and_hold),
        benchmark_sharpe_per_bar: evidence.benchmark_sharpe_per_bar,
        probability: evidence.figures.probability,
        closes_sha256: Some(backtest.tape.closes.sha256().to_owned()),
        allowed_jumps: backtest.allowed_jumps.clone(),
        n_bad_rows: backtest.tape.n_bad_rows,
        n_missing: 0,
        basis: Some(EvaluationBasis {
            model_sha256: model.file_sha256.clone(),
            returns_sha256: hex_sha256(returns),
            timeframe: model.timeframe,
            trained_symbol: model.symbol(),
            training_cost_bps: model.env.cost_bps,
            new_from: None,
            shared_with: Vec::new(),
            moved_by: BTreeMap::new(),
            repeats: Vec::new(),
            n_trainings: 0,
            record: EvidenceRecord::default(),
        }),
    }
}

impl EvaluationResult {
    /// Stores the returns and the closes, by which the bars are recognised later, then the event.
    fn record(&self, store: &Session, model: &RegisteredModel) -> Result<i64, StoreError> {
        if let Some(basis) = &self.evaluation.basis {
            let artifact = Evaluation::returns_artifact(&basis.returns_sha256);
            store.store_artifact(&model.run.run_id, &artifact, &self.returns)?;
        }
        let closes = &self.backtest.tape.closes;
        let artifact = Evaluation::closes_artifact(closes.sha256());
        store.store_artifact(&model.run.run_id, &artifact, closes.bytes())?;
        store.record_evaluation(&model.version.key, &self.evaluation, self.n_known)
    }
}

fn by_name(performance: &Performance) -> BTreeMap<String, f64> {
    let defined = performance.defined().into_iter();
    defined.map(|(name, value)| (name.to_owned(), value)).collect()
}
